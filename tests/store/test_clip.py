"""The clip folder: round trips, freshness, and nothing half-written or lost."""

import errno
import json
import os
from dataclasses import fields
from pathlib import Path

import cv2
import numpy as np
import pytest
from small_clips import H, T, W, a_body, a_camera, frames, make, some_keypoints, some_masks, whole

from hvr_nb.store import files
from hvr_nb.store.arrays import read_npz, write_npz
from hvr_nb.store.atomic_files import atomic
from hvr_nb.store.clip import STAGES, Clip
from hvr_nb.store.files import read_image, read_json, write_image, write_json
from hvr_nb.types import Camera, HvrError, Joints3D, Keypoints, Masks


def same(a, b):
    assert type(a) is type(b)
    for f in fields(a):
        x, y = getattr(a, f.name), getattr(b, f.name)
        if isinstance(x, Camera):
            same(x, y)
        elif isinstance(x, np.ndarray):
            assert x.dtype == y.dtype and np.array_equal(x, y, equal_nan=x.dtype.kind == "f"), f.name
        else:
            assert x == y, f.name


def test_every_artefact_comes_back_as_it_was(tmp_path):
    whole(tmp_path / "c")
    clip = Clip.open(tmp_path / "c")
    np.testing.assert_array_equal(clip.frames, frames())
    same(clip.camera, a_camera())
    same(clip.keypoints, some_keypoints())
    same(clip.masks, some_masks())
    same(clip.body, a_body())
    assert clip.joints3d.names == Joints3D(np.ones((1, 24, 3)), np.ones(1, bool)).names
    same(clip.lifted, Joints3D(np.ones((T, 2, 3)), np.zeros(T, bool), ("pelvis", "nose")))
    assert clip.fps == 30.0 and clip.frame_names[1] == "000001" and clip.times[1] == pytest.approx(1 / 30)
    assert clip.info["source"] == {"file": "a.mp4"} and "body" in repr(clip)


def test_optional_fields_stay_absent(tmp_path):
    clip = make(tmp_path)
    clip.save("masks", Masks(alpha=some_masks().alpha))
    assert clip.masks.labels is None and clip.masks.foreground is None
    clip.save("keypoints", some_keypoints())
    assert clip.keypoints.landmarks is None


def test_writing_twice_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        whole(tmp_path / name)
    written = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert len(written) > 15
    for path in written:
        if path.name != "clip.json":
            assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes(), path


@pytest.mark.parametrize("artefact", [a for a in STAGES if a not in ("frames", "canonical")])
def test_a_missing_artefact_names_its_notebook(tmp_path, artefact):
    clip = make(tmp_path)
    with pytest.raises(HvrError, match=STAGES[artefact][0]):
        clip.require(artefact)
    with pytest.raises(HvrError, match=STAGES[artefact][0]):
        getattr(clip, artefact)


def test_not_a_clip(tmp_path):
    with pytest.raises(HvrError, match="00_video"):
        Clip.open(tmp_path)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 cut short", b"\x93NUMPY\x01\x00 no", None])
def test_damaged_npz_is_named_with_its_notebook(tmp_path, damage):
    clip = whole(tmp_path)
    path = clip.path("body")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if damage is None else damage)
    with pytest.raises(HvrError, match=r"body\.npz.*03_body"):
        _ = clip.body


def test_flipped_bits_are_noticed(tmp_path):
    write_npz(tmp_path / "x.npz", some_keypoints(), {})
    data = bytearray((tmp_path / "x.npz").read_bytes())
    data[200:220] = bytes(20)
    (tmp_path / "x.npz").write_bytes(data)
    with pytest.raises(HvrError, match="damaged"):
        read_npz(tmp_path / "x.npz", Keypoints, remedy="again")


def test_a_lone_npy_in_the_place_of_an_npz(tmp_path):
    with open(tmp_path / "x.npz", "wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(HvrError, match="damaged"):
        read_npz(tmp_path / "x.npz", Keypoints, remedy="again")


class Bomb:
    """Leaves a trace if it is ever unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_object_arrays_are_never_unpickled(tmp_path):
    trap = tmp_path / "trap"
    meta = np.asarray(json.dumps({"schema": files.SCHEMA}))
    np.savez(tmp_path / "x.npz", points=np.array([Bomb(trap)], object), __meta__=meta)
    with pytest.raises(HvrError, match="damaged"):
        read_npz(tmp_path / "x.npz", Joints3D, remedy="again")
    assert not trap.exists()


def test_objects_are_not_written_either(tmp_path):
    with pytest.raises(HvrError, match="points"):
        write_npz(tmp_path / "x.npz", Joints3D(np.array([{}], object), np.ones(1, bool)), {})
    assert not list(tmp_path.iterdir())


def test_another_schema_and_a_lacking_field_are_named(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, __meta__=np.asarray(json.dumps({"schema": 99})))
    with pytest.raises(HvrError, match="schema 99"):
        read_npz(path, Joints3D, remedy="again")
    np.savez(path, points=np.zeros((2, 24, 3)), __meta__=np.asarray(json.dumps({"schema": files.SCHEMA})))
    with pytest.raises(HvrError, match="valid"):
        read_npz(path, Joints3D, remedy="again")


def test_changed_inputs_make_an_artefact_stale(tmp_path):
    clip = whole(tmp_path)
    assert clip.body.betas.shape == (10,)
    clip.save("keypoints", some_keypoints(1))
    with pytest.raises(HvrError, match=r"body\.npz was made from other keypoints.*03_body"):
        _ = clip.body  # also in the session that has read it before
    with pytest.raises(HvrError, match="other keypoints.*02_masks"):
        _ = Clip.open(tmp_path).masks


def test_staleness_reaches_through_the_chain(tmp_path):
    clip = whole(tmp_path)
    make(tmp_path, seed=5)
    with pytest.raises(HvrError, match="other frames"):
        _ = clip.body  # its own inputs are as they were; theirs are not


def test_an_input_that_comes_later_does_no_harm(tmp_path):
    clip = make(tmp_path)
    clip.save("masks", some_masks())  # imported, before there were key points
    clip.save("keypoints", some_keypoints())
    same(clip.masks, some_masks())


def test_same_frames_are_not_written_again_and_other_ones_are(tmp_path):
    clip = make(tmp_path)
    before = clip.path("frames").stat().st_mtime_ns, clip.fingerprint("frames")
    assert make(tmp_path).path("frames").stat().st_mtime_ns == before[0]
    assert make(tmp_path, fps=25.0).fps == 25.0
    renamed = make(tmp_path, names=["a", "b", "c", "d"])
    assert renamed.frame_names == ["a", "b", "c", "d"] and not (tmp_path / "frames" / "000000.png").exists()
    assert renamed.fingerprint("frames") != before[1]


@pytest.mark.parametrize("spoil", [lambda p: p.unlink(), lambda p: p.write_bytes(b"x")])
def test_a_lost_frame_is_named_and_written_again(tmp_path, spoil):
    make(tmp_path)
    spoil(tmp_path / "frames" / "000002.png")
    with pytest.raises(HvrError, match="000002.*00_video"):
        _ = Clip.open(tmp_path).frames
    np.testing.assert_array_equal(make(tmp_path).frames, frames())


def test_bad_frame_names(tmp_path):
    for names in (["a", "a", "b", "c"], ["../a", "b", "c", "d"], ["a", "b"]):
        with pytest.raises(HvrError, match="names"):
            make(tmp_path / "c", names=names)
    with pytest.raises(HvrError, match="no frames"):
        Clip.create(tmp_path / "c", frames()[:0], fps=1, names=[], times=np.zeros(0), source={})
    assert not (tmp_path / "c").exists()


def test_foreign_files_are_neither_overwritten_nor_lost(tmp_path):
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "mine.png").write_bytes(b"holiday")
    with pytest.raises(HvrError, match="mine.png"):
        make(tmp_path)
    assert (tmp_path / "frames" / "mine.png").read_bytes() == b"holiday"


def test_a_foreign_file_among_ours_survives_a_new_run(tmp_path):
    clip = whole(tmp_path)
    for note in (tmp_path / "frames" / "note.txt", tmp_path / "masks" / "alpha" / "note.txt"):
        note.write_text("mine")
    with pytest.raises(HvrError, match="note.txt"):
        make(tmp_path, seed=3)
    with pytest.raises(HvrError, match="note.txt"):
        clip.save("masks", some_masks(3))
    same(clip.masks, some_masks())


def test_retouched_masks_are_read_noticed_and_kept(tmp_path):
    clip = whole(tmp_path)
    before = clip.fingerprint("masks")
    picture = np.zeros((H, W, 3), np.uint8)
    picture[3:9] = 255
    cv2.imwrite(str(tmp_path / "masks" / "alpha" / "000001.png"), picture)  # an editor saves colour
    np.testing.assert_array_equal(clip.masks.alpha[1], picture[..., 0])
    cv2.imwrite(str(tmp_path / "masks" / "alpha" / "000002.png"), np.full((H, W), 0xAB12, np.uint16))
    assert clip.masks.alpha.dtype == np.uint8 and (clip.masks.alpha[2] == 0xAB).all()
    assert clip.fingerprint("masks") != before
    with pytest.raises(HvrError, match="other masks.*03_body"):
        _ = clip.body
    with pytest.raises(HvrError, match="edited by hand"):
        clip.save("masks", some_masks(3))
    clip.save("body", a_body())
    same(clip.body, a_body())


def test_a_mask_of_another_size_is_named(tmp_path):
    clip = whole(tmp_path)
    write_image(tmp_path / "masks" / "alpha" / "000001.png", np.zeros((H, W + 1), np.uint8))
    with pytest.raises(HvrError, match="000001.png is 33x24"):
        _ = clip.masks
    with pytest.raises(HvrError, match="alpha has shape .3, 24, 32., not .T, H, W. with T 4"):
        make(tmp_path / "d").save("masks", Masks(alpha=np.zeros((3, H, W), np.uint8)))


@pytest.mark.parametrize("picture", [np.zeros((H, W), np.uint8), np.zeros((H, W, 3), np.uint16)])
def test_a_foreground_without_colour_or_of_16_bits_is_named(tmp_path, picture):
    clip = whole(tmp_path)
    cv2.imwrite(str(tmp_path / "masks" / "foreground" / "000001.png"), picture)
    with pytest.raises(HvrError, match="000001.png is no picture of 8 bits in colour; run 02_masks again"):
        _ = clip.masks


def test_an_interrupted_stage_is_not_taken_for_a_finished_one(tmp_path):
    clip = make(tmp_path)
    half = tmp_path / ".masks.0badcafe-1-0.partial" / "alpha"
    half.mkdir(parents=True)
    write_image(half / "000000.png", np.zeros((H, W), np.uint8))
    assert not clip.has("masks")
    (tmp_path / "masks" / "alpha").mkdir(parents=True)  # the folder without its manifest
    assert not clip.has("masks")
    os.utime(half.parent, (0, 0))  # of another machine, long ago
    clip.save("masks", some_masks())
    same(clip.masks, some_masks())
    assert not half.parent.exists()


def full_disk(*_args, **_kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    "write",
    [
        lambda p: write_json(p / "x.json", {"a": 1}),
        lambda p: write_image(p / "x.png", np.zeros((4, 4), np.uint8)),
        lambda p: write_npz(p / "x.npz", some_keypoints(), {}),
    ],
)
def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch, write):
    write(tmp_path)
    path = next(tmp_path.iterdir())
    old = path.read_bytes()

    def cut_short(self, *_args, **_kwargs):
        with open(self, "wb") as file:
            file.write(b"half")
        full_disk()

    monkeypatch.setattr(Path, "write_text", cut_short)
    monkeypatch.setattr(Path, "write_bytes", cut_short)
    monkeypatch.setattr(np, "savez_compressed", lambda p, **_: cut_short(p))
    with pytest.raises(HvrError, match="disk is full"):
        write(tmp_path)
    assert path.read_bytes() == old and list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_folders(tmp_path, monkeypatch):
    clip = whole(tmp_path)
    real, calls = files.cv2.imencode, []

    def second_fails(*args):
        calls.append(args)
        return full_disk() if len(calls) > 1 else real(*args)

    monkeypatch.setattr(files.cv2, "imencode", second_fails)
    with pytest.raises(HvrError, match="disk is full"):
        make(tmp_path, seed=9)
    calls.clear()
    with pytest.raises(HvrError, match="disk is full"):
        clip.save("masks", some_masks(9))
    np.testing.assert_array_equal(Clip.open(tmp_path).frames, frames())
    same(Clip.open(tmp_path).masks, some_masks())
    assert not [p for p in tmp_path.rglob("*") if "partial" in p.name or ".old" in p.name]


def test_a_closed_folder_is_an_error_to_mend(tmp_path, monkeypatch):
    def denied(*_args):
        raise PermissionError(errno.EACCES, "denied")

    monkeypatch.setattr(os, "replace", denied)
    with pytest.raises(HvrError, match="may not be written"):
        write_json(tmp_path / "x.json", {})
    assert not list(tmp_path.iterdir())


def test_an_exception_in_the_block_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), atomic(tmp_path / "x.bin") as partial:
        partial.write_bytes(b"half")
        _ = 1 / 0
    assert not list(tmp_path.iterdir())


def test_json_must_be_an_object(tmp_path):
    for text in ("[1]", "{", "\xff"):
        (tmp_path / "x.json").write_bytes(text.encode("latin1"))
        with pytest.raises(HvrError, match="damaged.*mend it"):
            read_json(tmp_path / "x.json", remedy="mend it")


def test_pictures_of_other_kinds(tmp_path):
    rgba = np.dstack([frames()[0][..., ::-1], np.full((H, W), 9, np.uint8)])
    cv2.imwrite(str(tmp_path / "a.png"), rgba)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", remedy=""), frames()[0])
    cv2.imwrite(str(tmp_path / "b.png"), np.full((3, 3), 0xAB12, np.uint16))
    image = read_image(tmp_path / "b.png", remedy="")
    assert image.dtype == np.uint16 and (image == 0xAB12).all()


def test_only_artefacts_can_be_saved(tmp_path):
    for name in ("frames", "avatar"):
        with pytest.raises(HvrError, match="cannot be saved"):
            make(tmp_path).save(name, some_keypoints())


def test_a_cell_may_run_twice(tmp_path):
    clip = make(tmp_path / "clip")
    assert Clip.open(clip) is clip
    again = make(clip, seed=1)
    assert again.folder == clip.folder
    np.testing.assert_array_equal(again.frames, frames(1))


def test_length_and_size(tmp_path):
    clip = make(tmp_path)
    assert len(clip) == T
    assert clip.size == (W, H)
