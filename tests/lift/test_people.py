"""Everybody of a clip lifted, placed and written: one call, one command."""

import numpy as np
import pytest
from scenes import FPS, FRAMES, film

from hvr_nb.cli.main import main
from hvr_nb.evaluate.stages import synthetic_video
from hvr_nb.export.people import PoseTrack, write_people
from hvr_nb.formats.skeletons.bvh import read_skeleton_bvh
from hvr_nb.formats.skeletons.glb import read_skeleton_glb
from hvr_nb.formats.skeletons.tables import read_skeleton_csv, read_skeleton_trc
from hvr_nb.formats.skeletons.track import read_skeleton_npz
from hvr_nb.geometry.camera import project
from hvr_nb.lift import lift_keypoints
from hvr_nb.lift.people import lift_people
from hvr_nb.store.arrays import read_npz
from hvr_nb.store.video import read_video, write_video
from hvr_nb.types import COCO17_FROM_BODY25, HvrError, Keypoints


def seen(coco: np.ndarray) -> Keypoints:
    """Keypoints of COCO joints (T, 17, 3)."""
    points = np.zeros((len(coco), 25, 3))
    points[:, COCO17_FROM_BODY25] = coco
    found = (np.nan_to_num(points[..., 2]) > 0).any(1)
    return Keypoints(points, np.zeros(points.shape[:2], bool), found, np.zeros((len(coco), 4)))


@pytest.fixture(scope="module")
def walk():
    """Three people of one clip: one always seen, the same one aside for 20 frames, one hardly seen."""
    points, _, camera = film()
    brief, scraps = points + [60.0, 0.0, 0.0], points.copy()
    brief[20:] = np.nan
    scraps[:, 5:, 2] = 0
    return [seen(p) for p in (points, scraps, brief)], camera


def test_all_people_in_one_call(walk):
    people, camera = walk
    found = lift_people(people, camera, fps=FPS)
    assert [p.number for p in found] == [0, 2]
    whole, brief = found
    assert whole.joints.valid.all() and brief.joints.valid.sum() == 20 + round(0.25 * FPS)
    assert np.isnan(brief.joints.points[~brief.joints.valid]).all()
    assert np.isfinite(brief.joints.points[brief.joints.valid]).all() and np.isfinite(brief.placed.root).all()
    assert np.array_equal(
        whole.lifted.joints, lift_keypoints(people[0].points, fps=FPS, camera=camera).joints
    )
    assert np.array_equal(whole.placed.camera.R, brief.placed.camera.R)  # one world
    ankles = project(whole.joints.points[:, [3, 6]], whole.placed.camera)
    assert np.abs(ankles - people[0].coco[:, [16, 15], :2]).max() < 25  # of 480 pixels
    alone = lift_people(people[:1], camera, fps=FPS)[0].joints.points
    assert abs(np.median(alone[:, [3, 6], 1].min(1)) - 0.07) < 0.08  # ankles, metres above the floor
    again = lift_people(people, camera, fps=FPS)
    assert all(
        np.array_equal(a.joints.points, b.joints.points, equal_nan=True)
        for a, b in zip(found, again, strict=True)
    )


def test_a_taller_person_is_farther_away(walk):
    people, camera = walk
    small, tall = (lift_people(people[:1], camera, fps=FPS, heights=[h])[0] for h in (1.5, 2.0))
    assert tall.placed.scale / small.placed.scale == pytest.approx(2.0 / 1.5)


@pytest.mark.parametrize("frames", [1, 2, 3, 9])
def test_clips_shorter_than_the_lifter_sees(walk, tmp_path, frames):
    people, camera = walk
    short = [seen(p.coco[:frames]) for p in people]
    found = lift_people(short, camera, fps=FPS)
    pictures = np.zeros((frames, 480, 640, 3), np.uint8)
    files = write_people(tmp_path / "out", found, pictures, fps=FPS)
    assert len(files) == 11 and len(read_skeleton_bvh(tmp_path / "out" / "person0.bvh").joints) == frames
    assert len(read_video(tmp_path / "out" / "pose.mp4").frames) == frames


def test_somebody_seen_in_two_frames_only(walk, tmp_path):
    people, camera = walk
    glimpse = np.full_like(people[0].coco, np.nan)
    glimpse[30:32] = people[0].coco[30:32]
    found = lift_people([people[0], seen(glimpse)], camera, fps=FPS)
    valid = found[1].joints.valid
    assert (
        np.flatnonzero(valid)[[0, -1]].tolist() == [22, 39]
        and np.isfinite(found[1].joints.points[valid]).all()
    )
    write_people(tmp_path / "out", found, np.zeros((FRAMES, 48, 64, 3), np.uint8), fps=FPS, video=False)
    track = read_skeleton_trc(tmp_path / "out" / "person1.trc")
    assert np.array_equal(track.valid, valid)


def test_nobody_and_different_clips_are_named(walk):
    people, camera = walk
    for nobody in ([people[1]], []):
        with pytest.raises(HvrError, match="none of"):
            lift_people(nobody, camera, fps=FPS)
    with pytest.raises(HvrError, match="frames"):
        lift_people([people[0], seen(people[2].coco[:5])], camera, fps=FPS)


def test_every_file_holds_the_same_skeleton(walk, tmp_path):
    people, camera = walk
    found = lift_people(people, camera, fps=FPS)
    write_people(tmp_path / "out", found, np.zeros((FRAMES, 48, 64, 3), np.uint8), fps=FPS, video=False)
    for person in found:
        stem = tmp_path / "out" / f"person{person.number}"
        true, valid = person.joints.points, person.joints.valid
        full, _ = read_npz(stem.with_suffix(".npz"), PoseTrack, remedy="")
        assert full.camera.width == 640 and full.points2d.shape == full.about_hips.shape == true.shape
        for read, error in ((read_skeleton_npz, 0), (read_skeleton_csv, 1e-6), (read_skeleton_trc, 1e-5)):
            track = read(stem.with_suffix("." + read.__name__[-3:]))
            np.testing.assert_allclose(track.joints, true, atol=error or 1e-12)
            assert np.array_equal(track.valid, valid) and track.fps == pytest.approx(FPS)
        for read in (read_skeleton_bvh, read_skeleton_glb):  # bones have their median length there
            joints = read(stem.with_suffix("." + read.__name__[-3:])).joints[valid]
            assert np.linalg.norm(joints - true[valid], axis=-1).mean() < 0.02
    with pytest.raises(HvrError, match="person0"):
        write_people(tmp_path / "out", found, np.zeros((FRAMES, 48, 64, 3), np.uint8), fps=FPS, video=False)


@pytest.fixture(scope="module")
def portrait(tmp_path_factory, walk):
    """A portrait video (270 x 480) of nothing, 2D joints of somebody in it, and of nobody."""
    folder = tmp_path_factory.mktemp("portrait")
    points, _, _ = film(270, 480)
    points[3, 4] = np.nan
    write_video(folder / "v.mp4", np.full((12, 480, 270, 3), 90, np.uint8), fps=FPS)
    np.savez(folder / "joints.npz", kpts=points[:12])
    np.savez(folder / "nobody.npz", kpts=np.full((12, 17, 3), np.nan))
    return folder


def test_the_command_writes_a_folder_once(portrait, capsys):
    command = [
        "pose3d",
        str(portrait / "v.mp4"),
        "--keypoints",
        str(portrait / "joints.npz"),
        "--out",
        str(portrait / "out"),
        "--height",
        "1.8",
    ]
    assert main(command) == 0
    out = capsys.readouterr().out
    names = sorted(p.name for p in (portrait / "out").iterdir())
    assert names == [f"person0.{s}" for s in ("bvh", "csv", "glb", "npz", "trc")] + ["pose.mp4"]
    assert all(str(portrait / "out" / name) in out for name in names) and "person 0: 12 of 12 frames" in out
    before = (portrait / "out" / "person0.npz").read_bytes()
    assert main(command) == 1 and "give another --out" in capsys.readouterr().err
    assert (portrait / "out" / "person0.npz").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--person", "7"], "those found are 0"),
        (["--person", "me"], "--person"),
        (["--height", "180"], "metres"),
        (["--weights", "nowhere.npz"], "nowhere.npz is missing"),
        (["--start", "50"], "frame"),
        (["--stride", "0"], "stride"),
        (["--keypoints", "nobody.npz"], "people"),
    ],
)
def test_mistakes_end_with_a_sentence_and_no_folder(portrait, tmp_path, monkeypatch, capsys, options, words):
    monkeypatch.chdir(portrait)
    command = ["pose3d", "v.mp4", "--keypoints", "joints.npz", "--out", str(tmp_path / "out"), *options]
    assert main(command) == 1
    error = capsys.readouterr().err
    assert "error:" in error and words in error and not (tmp_path / "out").exists()


def test_a_video_is_detected_lifted_and_shown(tmp_path, detector, capsys):
    folder = synthetic_video(tmp_path / "s", outfit="shorts", motion="walk", frames=6, size=160, seed=1)
    assert (
        main(["pose3d", str(folder / "video.mp4"), "--out", str(tmp_path / "out"), "--person", "first"]) == 0
    )
    track = read_skeleton_npz(tmp_path / "out" / "person0.npz")
    assert (
        track.valid.all()
        and track.joints.shape == (6, 17, 3)
        and "person 0: 6 of 6" in capsys.readouterr().out
    )
    height = track.joints[:, 10, 1] - track.joints[:, [3, 6], 1].mean(1)
    assert np.all((height > 1.2) & (height < 2.0))


def test_a_video_of_nobody_is_named(tmp_path, detector, capsys):
    write_video(tmp_path / "empty.mp4", np.full((3, 96, 96, 3), 127, np.uint8), fps=10)
    assert main(["pose3d", str(tmp_path / "empty.mp4"), "--out", str(tmp_path / "out")]) == 1
    assert "no person found" in capsys.readouterr().err and not (tmp_path / "out").exists()
