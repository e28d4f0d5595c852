"""Pieces of scripts/train/pamir/: people, solids, pictures, samples, and a training of a few steps."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from hvr_nb.body.model import OPEN_BODY, load_body_model
from hvr_nb.formats.datasets import write_pamir_item
from hvr_nb.formats.datasets.pamir_folder import SETS, turn_to_view
from hvr_nb.geometry.winding import winding_numbers
from hvr_nb.methods.pamir.checkpoints import load_pamir, save_pamir
from hvr_nb.methods.pamir.sizes import SMALL
from hvr_nb.methods.pamir.volume import vertex_codes
from hvr_nb.subject import OUTFITS
from hvr_nb.types import Mesh
from scripts.train.pamir import judge, learn, outfits, people, pictures, poses, samples, scans

TINY = replace(SMALL, picture=32, volume=16, depth=2, width=8, maps=8, first=8, volume_first=4, volumes=8,
               hidden=(16, 16))  # fmt: skip


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    """Two made-up motions, one of a held-out subject, one that is not free."""
    folder = tmp_path_factory.mktemp("motions")
    for name in ("01_01", "08_01", "hdm-01_01"):
        motion = np.random.default_rng(len(name) + int(name[-4])).normal(0, 0.15, (90, 72))
        np.savez(folder / f"{name}.npz", poses=motion, trans=np.zeros((90, 3)), mocap_framerate=30.0)
    return poses.load_poses([folder]), poses.load_poses([folder], held_out=True)


@pytest.fixture(scope="module")
def person():
    return people.draw_person("skirt", load_body_model(OPEN_BODY), np.random.default_rng(3))


@pytest.fixture(scope="module")
def view(person):
    rng = np.random.default_rng(4)
    return samples.draw_view(person, poses.standing(rng), rng, side=64, exact=1.0)


def test_poses_of_held_out_people_are_kept_apart(bank):
    learned, held = bank
    assert len(learned.bank) == len(held.bank) == 12  # every eighth frame, one motion each
    assert not np.allclose(learned.bank, held.bank)


def test_poses_come_from_the_prior_without_motions(tmp_path):
    nothing = poses.load_poses([tmp_path / "none"])
    drawn = np.stack([nothing.draw(np.random.default_rng(k)) for k in range(40)])
    assert len(nothing.bank) == 0 and np.isfinite(drawn).all()
    yaw = drawn[:, 0]
    assert np.ptp(yaw[:, 1]) > 3  # people face everywhere
    assert 0.05 < np.abs(drawn[:, 1:]).mean() < 0.8


@pytest.mark.parametrize("outfit", OUTFITS)
def test_a_clothed_person_is_a_solid(outfit):
    """The body is inside it; right under its seen surface is inside, right above it mostly outside."""
    rng = np.random.default_rng(11)
    person = people.draw_person(outfit, load_body_model(OPEN_BODY), rng)
    clothed, bare = person.posed(poses.standing(rng))
    corner = clothed[person.faces]
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    area = np.linalg.norm(normal, axis=1)
    pick = rng.choice(len(area), 3000, p=area / area.sum())
    middle, up = corner[pick].mean(1), normal[pick] / area[pick, None]
    assert person.inside(middle - 0.001 * up, clothed, bare).mean() > 0.97
    above = person.inside(middle + 0.002 * up, clothed, bare)
    assert above.mean() < 0.35  # cloth over cloth, and soles
    far = np.array([[0, 0, 1.5], [2.0, 0, 0], [0, -2.0, 0]])
    assert not person.inside(far, clothed, bare).any()
    joints = person.model.shaped(torch.as_tensor(person.betas).float())[1].numpy()[[0, 3, 6, 9, 12]]
    assert person.inside(joints, clothed, bare).all()


def test_a_skirt_is_filled(person):
    """Between the legs, above the hem."""
    pose = poses.standing(np.random.default_rng(0))
    clothed, bare = person.posed(pose)
    joints = person.model.shaped(torch.as_tensor(person.betas).float())[1].numpy()
    at = joints[[1, 2]].mean(0) + [0, -0.25, 0]
    assert person.inside(at[None], clothed, bare).all()
    assert not (winding_numbers(at[None], bare, person.model.faces) > 0).any()


def test_light_of_one_colour_on_grey():
    """Order-2 irradiance: even light gives an even sphere, a lamp the side it stands on."""
    n = np.random.default_rng(0).normal(0, 1, (500, 3))
    n /= np.linalg.norm(n, axis=1, keepdims=True)
    even = np.zeros((9, 3))
    even[0] = 1
    assert np.ptp(pictures.irradiance(n, even)) < 1e-9
    lamp = even + pictures.harmonics(np.array([[0, 0, 1.0]]))[0][:, None]
    bright = pictures.irradiance(n, lamp)[:, 0]
    assert np.corrcoef(bright, n[:, 2])[0, 1] > 0.9


def test_the_picture_shows_the_person_where_the_cube_is_projected(view):
    xy, _ = pictures.cube_pixels(view.clothed, 64)
    dark = (view.picture < 250).any(-1)
    rows, columns = np.nonzero(dark)
    assert columns.min() == pytest.approx(xy[:, 0].min(), abs=2)
    assert columns.max() == pytest.approx(xy[:, 0].max(), abs=2)
    assert rows.min() == pytest.approx(xy[:, 1].min(), abs=2)
    assert (view.picture[0] == 255).all() and np.abs(view.clothed).max() < 0.5


def test_bodies_are_disturbed_more_in_depth(person):
    rng, pose = np.random.default_rng(5), poses.standing(np.random.default_rng(2))
    _, bare = person.posed(pose)
    moved = []
    for _ in range(30):
        other = samples.disturbed(pose, person.model, 1.0, rng)
        moved.append(person.posed(other)[1] - bare)
    spread = np.stack(moved).std(0).mean(0)
    assert spread[2] > 1.5 * spread[0] and 0.005 < spread[2] < 0.08
    assert np.allclose(samples.disturbed(pose, person.model, 0.0, rng), pose, atol=1e-6)


def test_points_follow_the_estimated_body_in_depth():
    true = np.random.default_rng(0).uniform(-0.3, 0.3, (200, 3))
    shift = samples.depth_shift(true[:20], true, true + [0.4, 0.1, 0.02])
    assert shift == pytest.approx(np.tanh(0.4) / 20)
    assert np.abs(samples.depth_shift(true, true, true + [0, 0, 9.0])).max() <= 0.05
    assert not samples.depth_shift(true, true, true).any()


def test_a_view_and_its_mirror_image(view):
    rng = np.random.default_rng(6)
    codes = vertex_codes(view.person.model.v_template.numpy())
    arrays = samples.arrays_of(view, rng, codes, volume=16)
    near = np.abs(arrays["place"][:, 0]) < 0.2
    agree = (arrays["place"][near, 0] < 0) == arrays["inside"][near]
    assert agree[arrays["place"][near, 0] < -0.01].mean() > 0.98  # what is in the body is in the person
    assert 0.2 < arrays["inside"].mean() < 0.7
    row = learn.view_tensors(arrays, np.random.default_rng(0), 500)
    filled = (row["volume"] != 0).any(0)
    twice = learn.mirrored(learn.mirrored(row, filled), filled.flip(2))
    for key, value in row.items():
        assert torch.allclose(twice[key], value, atol=1e-6), key


def test_training_learns_and_resumes(tmp_path, bank):
    """Twenty steps in one go end as two times ten; the loss falls below the body's own."""
    for index in range(1):
        samples.make_shard(tmp_path / "s", index, bank[0], ("trousers",), seed=1, side=32, volume=16)
    before = (tmp_path / "s" / "00000.npz").stat().st_mtime_ns
    samples.make_shard(tmp_path / "s", 0, bank[0], ("trousers",), seed=1, side=32, volume=16)
    assert (tmp_path / "s" / "00000.npz").stat().st_mtime_ns == before  # made once
    schedule = learn.Schedule(steps=20, views=4, points=400, warm=2)
    shards = learn.Shards(tmp_path / "s")
    assert len(shards) == samples.PEOPLE * samples.POSES

    class Stopped(Exception):
        pass

    def stop(_mean, step):
        if step == 20:
            raise Stopped

    whole, history = learn.learn(TINY, shards, schedule=schedule, checkpoint=tmp_path / "a.pt", every=10)
    with pytest.raises(Stopped):
        learn.learn(TINY, shards, schedule=schedule, checkpoint=tmp_path / "b.pt", every=10, keep=stop)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of a checkpoint that cannot be read
        parts, _ = learn.learn(TINY, shards, schedule=schedule, checkpoint=tmp_path / "b.pt", every=10)
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        assert torch.equal(a, b)
    batch = shards.batch(np.random.default_rng(9), 16, 800)
    trained = float(learn.stage_losses(whole, batch)[-1].detach())
    body = float(learn.stage_losses(learn.PamirNet(TINY), batch)[-1].detach())
    assert trained < body
    still = learn.Schedule(steps=1, views=1, points=50, rate=0.0)
    same, _ = learn.learn(TINY, shards, schedule=still, checkpoint=tmp_path / "c.pt", start=whole)
    assert torch.equal(same.hg.conv1_.weight, whole.hg.conv1_.weight)
    path = save_pamir(tmp_path / "p.npz", whole, steps=20)
    assert load_pamir(path).sizes == TINY and len(history["loss"]) == 1


def test_a_damaged_shard_is_made_again(tmp_path):
    (tmp_path / "00000.npz").write_bytes(b"half a file")
    assert len(learn.Shards(tmp_path)) == 0 and not (tmp_path / "00000.npz").exists()


def test_the_untrained_network_is_the_body(view):
    """Its mesh is the skin; the clothed person is farther away than that."""
    network = learn.PamirNet(replace(TINY, picture=64)).eval()
    mesh = judge.reconstructed(network, view, resolution=96)
    bare = judge.mean_of(judge.judge([view], None))
    own = judge.chamfer_mm(mesh, view)["chamfer_mm"]
    assert own == pytest.approx(bare, rel=0.15)
    assert bare > 5


def test_a_blind_network_is_told_the_same_body_for_everyone(view):
    told = judge.blindfold(16)
    batch = {"points": torch.tensor(view.clothed[None, ::100]), "volume": None, "picture": torch.zeros(1)}
    out = told(batch)
    assert out["volume"].shape == (1, 3, 16, 16, 16) and out["place"].shape == (
        1,
        len(view.clothed[::100]),
        7,
    )
    assert np.abs(told.vertices).max() < 0.5


def test_some_outfits_are_never_learned():
    assert set(outfits.LEARNED) | set(outfits.UNSEEN) == set(OUTFITS)
    assert set(outfits.UNSEEN) == {"jacket", "tube"}


def test_scans_in_the_layout_of_the_original(tmp_path, view, capsys):
    """A drawn person written as a scan, turned by 90 degrees: the same points are inside."""
    rng, model = np.random.default_rng(8), view.person.model
    points = rng.uniform(view.clothed.min(0), view.clothed.max(0), (4000, 3))
    inside = view.person.inside(points, view.clothed, view.bare)
    sets = {name: points[inside == name.endswith("inside")] for name in SETS}
    parameters = {
        "betas": np.zeros(10),
        "global_orient": np.zeros(3),
        "body_pose": np.zeros(72),
        "global_body_translation": np.zeros(3),
        "body_scale": np.array([0.45]),
    }
    picture = view.picture, np.full((64, 64), 255, np.uint8)
    write_pamir_item(
        tmp_path,
        "scan",
        mesh=Mesh(view.clothed, view.person.faces),
        pictures={90: picture},
        points=sets,
        body=Mesh(view.bare, model.faces),
        parameters=parameters,
    )
    (tmp_path / "data_list.txt").write_text("scan\nnot_there\n")
    options = {"seed": 0, "side": 32, "volume": 16}
    assert scans.make_scan_shards(tmp_path / "shards", tmp_path, model, **options) == 1
    assert "left out" in capsys.readouterr().out
    shards = learn.Shards(tmp_path / "shards")
    part = shards.parts[0]
    assert len(shards) == scans.VIEWS and part["picture"].shape == (32, 32, 32, 3)
    moved = part["points"][0] - part["shift"][0, :, None] * np.array([0, 0, 1.0], np.float32)
    back = turn_to_view(moved.astype(np.float64), -90)
    assert (view.person.inside(back, view.clothed, view.bare) == part["inside"][0]).mean() > 0.99
    network = learn.PamirNet(TINY)
    assert all(torch.isfinite(x) for x in learn.stage_losses(network, shards.batch(rng, 2, 100)))


def test_poses_of_the_prior_stand_and_move():
    """Without motion capture: of all that are drawn, some stand on straight legs and some do not."""
    rng = np.random.default_rng(0)
    drawn = np.stack([poses.from_prior(rng) for _ in range(60)])
    assert drawn.shape == (60, 24, 3) and np.isfinite(drawn).all()
    knees = drawn[:, [4, 5], 0].max(1)
    assert (knees < np.radians(15)).sum() >= 5 and (knees > np.radians(30)).sum() >= 15
