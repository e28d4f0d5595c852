"""The check of inputs: every usual error is named with its size, and good inputs are left alone."""

import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hvr_nb.body.headings import turn_shown
from hvr_nb.body.model import OPEN_BODY, load_body_model, posed
from hvr_nb.body.worlds import rest_pelvis, turned
from hvr_nb.cli.main import main
from hvr_nb.evaluate.inputs import check_inputs
from hvr_nb.evaluate.inputs.finding import listed
from hvr_nb.evaluate.inputs.place import alike
from hvr_nb.formats.datasets.selfrecon_export import write_selfrecon
from hvr_nb.geometry.raster import rasterize
from hvr_nb.store.clip import Clip
from hvr_nb.store.files import read_image
from hvr_nb.subject import make_subject, render_subject, rotating_motion, subject_camera
from hvr_nb.types import HvrError, Masks, Normals

T, SIDE = 12, 128
HALF_TURN = np.diag([1.0, -1.0, -1.0])


@pytest.fixture(scope="module")
def take():
    subject = make_subject("shorts", seed=3)
    camera = subject_camera(SIDE, seed=3)
    return render_subject(subject, rotating_motion(T, camera=camera, betas=subject.betas, seed=3))


@pytest.fixture
def make(take, tmp_path):
    """A clip of the synthetic person in which one thing may be otherwise."""
    model = load_body_model(OPEN_BODY)

    def clip(*, body=None, alpha=None, names=None, frames=None, normals=None, source=None):
        made = Clip.create(
            tmp_path / "clip",
            take.frames if frames is None else frames,
            fps=6,
            names=names or [f"{k:06d}" for k in range(len(take.frames if frames is None else frames))],
            times=np.arange(T if frames is None else len(frames)) / 6,
            source=source or {},
        )
        made.save("camera", (body or take.body).camera)
        made.save("masks", Masks(take.alpha if alpha is None else alpha))
        if normals is not None:
            made.save("normals", Normals(normals))
        made.save("body", replace(body or take.body, model_hash=model.hash))
        return made

    return clip


def names_of(clip):
    check = check_inputs(clip)
    assert check.picture.ndim == 3 and check.picture.std() > 10
    return {f.name: f for f in check.findings}


def test_good_inputs_are_left_alone(make):
    check = check_inputs(make())
    assert check.findings == () and check.overlap > 0.85 and "fit each other" in repr(check)


def test_upside_down_in_place(make, take):
    body, model = take.body, load_body_model(OPEN_BODY)
    pelvis = rest_pelvis(model, body.betas)
    orient = (Rotation.from_matrix(HALF_TURN) * Rotation.from_rotvec(body.global_orient)).as_rotvec()
    found = names_of(make(body=replace(body, global_orient=orient)))
    assert list(found) == ["upside down"] and found["upside down"].level == "fault"
    assert "half a turn about x" in found["upside down"].text and len(pelvis) == 3


def test_the_whole_world_upside_down_is_behind_the_camera(make, take):
    """Y-up parameters taken for camera coordinates, or the other way round."""
    model = load_body_model(OPEN_BODY)
    other = turned(take.body, HALF_TURN, rest_pelvis(model, take.body.betas))
    found = names_of(make(body=replace(other, camera=take.body.camera)))
    assert "behind the camera" in found["upside down"].text


def test_an_upside_down_camera(make, take):
    camera = take.body.camera
    flipped = replace(camera, R=np.diag([1.0, -1.0, 1.0]) @ np.diag([-1.0, 1.0, 1.0]) @ camera.R)
    assert "upside down" in names_of(make(body=replace(take.body, camera=flipped)))


def test_lying_on_its_side(make, take):
    spin = Rotation.from_euler("z", 90, degrees=True)
    orient = (spin * Rotation.from_rotvec(take.body.global_orient)).as_rotvec()
    found = names_of(make(body=replace(take.body, global_orient=orient)))
    assert "to the right" in found["on its side"].text
    orient = (spin.inv() * Rotation.from_rotvec(take.body.global_orient)).as_rotvec()
    assert "to the left" in names_of(make(body=replace(take.body, global_orient=orient)))["on its side"].text


@pytest.mark.parametrize(
    ("factor", "words"), [(1.5, "1.5. times too small.*1.5. times nearer"), (0.7, "times too large")]
)
def test_wrong_scale_is_told_with_its_size(make, take, factor, words):
    found = names_of(make(body=replace(take.body, transl=take.body.transl * factor)))
    assert re.search(words, found["wrong scale"].text), found["wrong scale"].text
    amount = float(re.search(r"([\d.]+) times", found["wrong scale"].text).group(1))
    assert abs(amount / max(factor, 1 / factor) - 1) < 0.08


def test_millimetres_are_units(make, take):
    found = names_of(make(body=replace(take.body, transl=take.body.transl * 1000)))
    assert "units" in found["wrong scale"].text


def test_wrong_place_is_told_with_its_size(make, take):
    camera = take.body.camera
    K = camera.K.copy()
    K[0, 2] += 17
    found = names_of(make(body=replace(take.body, camera=replace(camera, K=K))))
    assert list(found) == ["wrong place"] and "17 px further left" in found["wrong place"].text
    away = replace(take.body, transl=take.body.transl + [9.0, 0, 0])
    assert "further left" in names_of(make(body=away))["wrong place"].text, "out of the picture altogether"


def test_intrinsics_of_another_image_size(make, take):
    camera = take.body.camera
    K = camera.K.copy()
    K[:2] *= 2
    found = names_of(make(body=replace(take.body, camera=replace(camera, K=K))))
    assert not {"wrong scale", "wrong place", "no fit"} & set(found), "they follow from the camera"
    assert f"about {2 * SIDE}x{2 * SIDE}" in found["image size"].text and "0.50" in found["image size"].text
    other = replace(camera, K=K, width=2 * SIDE, height=2 * SIDE)
    with pytest.raises(
        HvrError,
        match=f"picture is {2 * SIDE}x{2 * SIDE}, the frames are {SIDE}x{SIDE}: multiply fx, cx by 0.5",
    ):
        make(body=replace(take.body, camera=other))
    K = camera.K.copy()
    K[0, 0] *= 1.2
    assert (
        "square" in names_of(make(body=replace(take.body, camera=replace(camera, K=K))))["focal length"].text
    )


def test_missing_frames(make, take):
    names = [f"{k:06d}" for k in (*range(5), *range(8, 15))]
    found = names_of(make(names=names))
    assert list(found) == ["frames missing"] and "3 frames" in found["frames missing"].text
    assert "000004 to 000008" in found["frames missing"].text
    even = [f"{3 * k:06d}" for k in range(T)]
    assert not names_of(make(names=even)), "a stride is no gap"


def test_poses_of_other_frames(make, take):
    """Frames were lost at the beginning: the poses begin too early. The person walks off to the side."""
    model, walk = load_body_model(OPEN_BODY), np.arange(T)[:, None] * [0.12, 0, 0] - [0.7, 0, 0]
    body = replace(take.body, transl=take.body.transl + walk)
    alpha = [np.where(rasterize(v, model.faces, body.camera)[1] >= 0, 255, 0) for v in posed(model, body)[0]]
    late = body.frame(np.r_[0, 0, 0, np.arange(T - 3)])
    found = names_of(make(body=late, alpha=np.stack(alpha).astype(np.uint8)))
    assert "3 frames later" in found["other frames"].text and found["other frames"].level == "fault"


def test_masks_with_holes(make, take):
    alpha = take.alpha.copy()
    for k in (3, 7):
        rows, cols = np.nonzero(alpha[k] > 127)
        y = int(np.percentile(rows, 30))
        x = int(np.median(cols[rows == y]))
        alpha[k, y - 4 : y + 4, x - 3 : x + 3] = 0
    found = names_of(make(alpha=alpha))
    assert (
        list(found) == ["holes"]
        and "000003, 000007" in found["holes"].text
        and found["holes"].level == "fault"
    )


def test_masks_with_a_piece_missing(make, take):
    alpha = take.alpha.copy()
    rows = np.flatnonzero(alpha[5].max(1) > 127)
    alpha[5, int(np.percentile(rows, 75)) :] = 0
    found = names_of(make(alpha=alpha))
    assert (
        found["pieces missing"].text.startswith("in frames 000005 a part")
        and found["pieces missing"].level == "doubt"
    )


def test_empty_and_inverted_masks(make, take):
    alpha = take.alpha.copy()
    alpha[[2, 9]] = 0
    assert "2 frames are empty (000002, 000009)" in names_of(make(alpha=alpha))["empty masks"].text
    assert "White is the person" in names_of(make(alpha=255 - take.alpha))["inverted masks"].text


def test_a_person_who_does_not_turn(make, take):
    assert turn_shown(take.body) > 300
    still = take.body.frame(np.zeros(T, int))
    frames, alpha = np.repeat(take.frames[:1], T, 0), np.repeat(take.alpha[:1], T, 0)
    found = names_of(make(body=still, frames=frames, alpha=alpha))
    assert list(found) == ["no turn"] and "0 degrees only" in found["no turn"].text
    half = take.body.frame(np.arange(T // 2))
    assert 100 < turn_shown(half) < 240
    assert turn_shown(replace(half, valid=np.zeros(T // 2, bool))) == 0


def test_normals_are_missed_only_where_they_could_be(make, take):
    found = names_of(make(source={"format": "selfrecon"}))
    assert list(found) == ["no normals"] and found["no normals"].level == "remark"
    normals = np.rint(127 * take.normals.astype(np.float32)).astype(np.int8)
    assert not names_of(make(source={"format": "selfrecon"}, normals=normals))
    wrong = normals * np.int8([1, -1, 1])
    assert "with y the other way round" in names_of(make(normals=wrong))["normals"].text
    assert "nothing where the body is" in names_of(make(normals=0 * normals))["normals"].text


def test_a_person_at_the_border_and_unobserved_frames(make, take):
    cut = SIDE // 4
    frames, alpha = (np.roll(x, -cut, axis=2) for x in (take.frames, take.alpha))
    K = take.body.camera.K.copy()
    K[0, 2] -= cut
    alpha[:, :, -cut:] = 0
    rows = np.flatnonzero(alpha[0].max(0) > 127)
    body = replace(take.body, camera=replace(take.body.camera, K=K), valid=np.arange(T) > 1)
    found = names_of(make(body=body, frames=frames, alpha=alpha))
    assert "2 frames (000000, 000001)" in found["not observed"].text
    assert ("cut off" in found) == bool(rows[0] == 0) and "image size" in found


def test_another_person(make, take):
    """Masks that no change of the body explains."""
    alpha = np.zeros_like(take.alpha)
    alpha[:, 40:110, 20:100] = 255
    found = names_of(make(alpha=alpha))
    assert any(f.level == "fault" for f in found.values())


def test_shapes_are_compared_whatever_their_size_and_place():
    shape = np.zeros((60, 80), bool)
    shape[10:30, 20:25] = shape[10:14, 10:40] = True
    double = np.kron(shape, np.ones((2, 2), bool))
    assert alike(shape, np.roll(double, (20, 30), (0, 1))) > 0.95 and alike(shape, shape[::-1]) < 0.6
    assert alike(shape, 0 * shape.astype(bool)) == 0
    assert listed(list("abcdefgh")) == "a, b, c, d, e, f and 2 more"


def test_the_gravest_comes_first_and_errors_are_named(make, take, tmp_path):
    alpha = take.alpha.copy()
    alpha[4] = 0
    check = check_inputs(make(alpha=alpha, source={"format": "selfrecon"}))
    assert [f.level for f in check.findings] == ["fault", "remark"] and len(check.faults) == 1
    assert repr(check).startswith("fault: the masks of 1 frames are empty")
    clip = make()
    (clip.folder / "body.npz").unlink()
    with pytest.raises(HvrError, match="03_body"):
        check_inputs(clip)


def test_the_import_says_what_is_wrong_and_draws_it(make, take, tmp_path, capsys):
    folder = write_selfrecon(make(), tmp_path / "data")
    smpl = dict(np.load(folder / "smpl_rec.npz", allow_pickle=False))
    upright = Rotation.from_matrix(HALF_TURN) * Rotation.from_rotvec(smpl["poses"][:, 0])
    smpl["poses"][:, 0] = upright.as_rotvec()  # the camera's convention forgotten
    np.savez(folder / "smpl_rec.npz", **smpl)
    assert main(["import", "selfrecon", str(folder), str(tmp_path / "c")]) == 0
    out = capsys.readouterr().out
    assert "fault: the body hangs upside down" in out and str(tmp_path / "c" / "inputs.png") in out
    picture = read_image(tmp_path / "c" / "inputs.png", remedy="")
    red = (picture[..., 0].astype(int) - picture[..., 1] > 80).mean()
    assert red > 0.005, "the body alone is drawn in red"
