"""The method on a tiny clip: meshes of all frames that a stopped run goes on with, and one picture alone."""

import errno
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from small_clips import some_frames

from hvr_nb import methods
from hvr_nb.body.model import posed
from hvr_nb.drawing.pictures import to_uint8
from hvr_nb.geometry.camera import project
from hvr_nb.methods import pamir
from hvr_nb.methods.pamir import work
from hvr_nb.methods.pamir.avatar import PaintedMesh
from hvr_nb.methods.pamir.checkpoints import save_pamir
from hvr_nb.methods.pamir.network import PamirNet
from hvr_nb.methods.pamir.sizes import SMALL
from hvr_nb.metrics.images import iou
from hvr_nb.store.arrays import read_npz
from hvr_nb.store.clip import Clip
from hvr_nb.types import HvrError

QUICK = {"resolution": 64, "canonical_cell": 0.03, "band": 0.06}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """An untrained network: its occupancy is the body's."""
    torch.manual_seed(0)
    return str(save_pamir(tmp_path_factory.mktemp("weights") / "body.npz", PamirNet(SMALL)))


@pytest.fixture(scope="module")
def made(turning, weights, tmp_path_factory):
    clip = some_frames(turning.clip, tmp_path_factory.mktemp("pamir") / "clip", 5)
    options = pamir.Options(weights=weights, hold_out=4, **QUICK)
    return clip, pamir.reconstruct(clip, options, device="cpu")


def test_every_frame_has_a_mesh_where_the_person_is(made):
    clip, avatar = made
    assert len(avatar.names) == len(clip) == 5 and avatar.held_out.tolist() == [3]
    assert min(avatar.history["iou"]) > 0.75 and avatar.history["psnr_body"][0] > 14
    joints = posed(avatar.model, avatar.body)[1]
    counts = set()
    for k in range(5):
        mesh = avatar.mesh(k)
        counts.add(len(mesh.vertices))
        assert np.abs(mesh.vertices.mean(0) - joints[k].mean(0)).max() < 0.15
        assert 1.3 < np.ptp(mesh.vertices, axis=0).max() < 2.2, "metres"
    assert len(counts) > 1, "each frame has vertices of its own"


def test_marks_tell_who_saw_a_vertex(made):
    _, avatar = made
    assert {1, 2} <= set(np.unique(avatar.frame_mesh(0).seen))
    assert 2 not in avatar.frame_mesh(3).seen, "a frame that is kept out shows nothing of its own"
    assert set(np.unique(avatar.mean.seen)) <= {0, 1}
    frame = avatar.frame_mesh(0)
    near = frame.vertices[::7] + np.float32(1e-4)
    np.testing.assert_array_equal(avatar.sightings(0, near), frame.seen[::7])


def test_the_crops_are_kept_beside_the_meshes(made):
    clip, avatar = made
    folder = clip.avatar_folder("pamir")
    assert (folder / "crops.json").is_file() and not (folder / "work").exists()
    for k in (0, 4):
        cube = avatar.crops.to_cube(avatar.mesh(k).vertices.astype(float), k)
        assert np.abs(cube).max() < 0.5


def test_a_full_disk_in_the_middle_is_named_and_the_run_goes_on_there(made, weights, tmp_path, monkeypatch):
    clip, avatar = made
    again = some_frames(clip, tmp_path / "clip", 5)
    options = pamir.Options(weights=weights, hold_out=4, **QUICK)
    shaped, whole, write, full = [], work.frame_surface, np.savez_compressed, [True]

    def shape(film, frame, *args, **kwargs):
        shaped.append(frame)
        return whole(film, frame, *args, **kwargs)

    def fills(file, **arrays):
        if full[0] and "vertices" in arrays and shaped == [0, 1, 2]:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, **arrays)

    monkeypatch.setattr(work, "frame_surface", shape)
    monkeypatch.setattr(np, "savez_compressed", fills)
    name = again.frame_names[2]
    with pytest.raises(HvrError, match=f"the disk is full: .*shape_{name}.npz was not written; free space"):
        pamir.reconstruct(again, options, device="cpu")
    kept = sorted(path.name for path in (again.avatar_folder("pamir") / "work").glob("shape_*"))
    assert kept == [f"shape_{n}.npz" for n in again.frame_names[:2]], "nothing half-written stays"
    with pytest.raises(HvrError, match="05_train"):
        again.avatar("pamir")
    full[0] = False
    shaped.clear()
    second = pamir.reconstruct(again, options, device="cpu")
    assert shaped == [2, 3, 4], "finished frames are not made again"
    assert second.fingerprint == avatar.fingerprint
    third = pamir.reconstruct(again, replace(options, together=0.0), device="cpu")
    assert third.fingerprint != avatar.fingerprint, "other options, other meshes"


def test_a_damaged_mesh_is_named(made, tmp_path):
    clip, avatar = made
    copy = Clip.open(shutil.copytree(clip.folder, tmp_path / "clip"))
    file = copy.avatar_folder("pamir") / f"frame_{avatar.names[1]}.npz"
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(HvrError, match=rf"{file.name} is missing or not as 05_train wrote it"):
        copy.avatar("pamir")
    elsewhere = avatar.save(tmp_path / "saved")
    (elsewhere / file.name).unlink()
    with pytest.raises(HvrError, match=rf"{file.name} is missing; run 05_train again"):
        pamir.load(elsewhere)
    assert isinstance(
        read_npz(elsewhere / f"frame_{avatar.names[0]}.npz", PaintedMesh, remedy="")[0], PaintedMesh
    )


def test_one_picture_is_enough(turning, weights, tmp_path):
    clip = some_frames(turning.clip, tmp_path / "photo", 1)
    avatar = pamir.reconstruct(clip, pamir.Options(weights=weights, hold_out=8, **QUICK), device="cpu")
    assert avatar.held_out.tolist() == [] and len(avatar.mesh(0).faces) > 500
    picture = avatar.render(avatar.body.camera, avatar.body.frame(0))
    assert picture.alpha.max() == 1


def test_frames_whose_mask_shows_somebody_else_are_named_and_left_out(turning, weights, tmp_path):
    alpha = turning.clip.masks.alpha[:2].copy()
    alpha[1] = 0
    alpha[1, :10, :10] = 255
    clip, options = (
        some_frames(turning.clip, tmp_path / "clip", 2, alpha),
        pamir.Options(weights=weights, **QUICK),
    )
    with pytest.warns(UserWarning, match="nobody where the body stands in 000001; look at 02_masks"):
        avatar = pamir.reconstruct(clip, options, device="cpu")
    assert np.ptp(avatar.mesh(1).vertices, axis=0).max() > 1.3, "made from the other frame"
    with pytest.raises(HvrError, match="no frame shows the person.*02_masks and 03_body"):
        pamir.reconstruct(some_frames(turning.clip, tmp_path / "none", 2, 0 * alpha), options, device="cpu")


def test_a_person_cut_by_the_picture_is_the_body_beyond_its_edge(turning, weights, tmp_path):
    whole, edge = turning.clip, 110  # pixels of 160: the knees and what is below are not in the film
    clip = some_frames(whole, tmp_path / "clip", 1, edge=edge)
    assert whole.masks.alpha[0, edge:].any(), "somebody is cut"
    avatar = pamir.reconstruct(clip, pamir.Options(weights=weights, **QUICK), device="cpu")
    found, skin = avatar.mesh(0).vertices, posed(avatar.model, avatar.body)[0][0]
    assert project(found, avatar.body.camera)[:, 1].max() > edge + 10
    assert np.ptp(found[:, 1]) == pytest.approx(np.ptp(skin[:, 1]), abs=0.08)


def test_somebody_else_in_the_mask_gets_no_mesh(turning, weights, tmp_path):
    alpha = turning.clip.masks.alpha[:1].copy()
    own = alpha.copy()
    alpha[0, 20:140, 4:30] = alpha[0, 20:140, 130:156] = 255  # two others, beside the person
    clip = some_frames(turning.clip, tmp_path / "clip", 1, alpha)
    avatar = pamir.reconstruct(clip, pamir.Options(weights=weights, **QUICK), device="cpu")
    picture = avatar.render(avatar.body.camera, avatar.body.frame(0))
    assert iou(to_uint8(picture.alpha), own[0]) > 0.75


def test_what_it_gives():
    assert methods.method("pamir").GIVES == {"render", "surface", "skin_weights", "mesh", "sightings"}
