"""Sizes that are still taken and the first that are not, and small files whose every field counts."""

import errno
import io
import json
import lzma
import pickle
import struct
import zipfile
from fractions import Fraction
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest
from joblib_files import NumpyArrayWrapper, joblib_file
from PIL import Image

from hvr_nb.store import (
    arrays,
    atomic_files,
    beside,
    decode,
    files,
    frame_pictures,
    inside,
    locks,
    markers,
    mask_pictures,
    measured,
    memory,
    picture_folder,
    result_files,
    safe_pickle,
    unpickler,
    video,
)
from hvr_nb.types import HvrError

GIB = 2**30


def test_the_limits_are_the_documented_ones():
    """docs/formats.md, 1 to 3."""
    assert (files.MAX_JSON, files.MAX_PIXELS, arrays.MAX_META) == (64 * 2**20, 40_000_000, 16 * 2**20)
    assert (unpickler.MAX_FILE, safe_pickle.MAX_DENSE) == (GIB, 2**26)
    assert (safe_pickle.MAX_DEPTH, safe_pickle.MAX_ITEMS, inside.MAX_NAME) == (32, 5_000_000, 200)
    assert (decode.MAX_RATE, decode.WIDEST_PIXEL, decode.FALLBACK_FPS) == (1000, 4, 30)
    assert (decode._MOST_DAMAGED, locks.PATIENCE) == (10_000, 600)
    assert (video._TICK, video._LONGEST_35MM, beside.MOST_NAMES) == (Fraction(1, 90_000), 5000, 12)


# -- text and pictures -----------------------------------------------------------------------------


def test_the_largest_json(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    path.write_text('{"a": 1}')
    monkeypatch.setattr(files, "MAX_JSON", 8)
    assert files.read_json(path, remedy="") == {"a": 1}
    path.write_text('{"a": 1} ')
    with pytest.raises(HvrError, match="9 bytes of text"):
        files.read_json(path, remedy="")
    with pytest.raises(HvrError, match=r"is no file; mend"):
        files.read_json(tmp_path, remedy="mend")
    with pytest.raises(HvrError, match=r"y.json is missing; mend"):
        files.read_json(tmp_path / "y.json", remedy="mend")


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_the_largest_picture(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"x{suffix}"
    Image.fromarray(np.full((20, 30, 3), 90, np.uint8)).save(path)
    monkeypatch.setattr(files, "MAX_PIXELS", 600)
    assert files.read_image(path, remedy="").shape == (20, 30, 3)
    monkeypatch.setattr(files, "MAX_PIXELS", 599)
    with pytest.raises(HvrError, match="x.* million pixels; mend"):
        files.read_image(path, remedy="mend")
    cv2.imwrite(str(tmp_path / "x.bmp"), np.zeros((4, 4, 3), np.uint8))  # other formats are not opened
    for name in ("x.bmp", "none.png"):
        with pytest.raises(HvrError, match="is missing or damaged; mend"):
            files.read_image(tmp_path / name, remedy="mend")


def test_pictures_come_back_with_their_colours(tmp_path):
    rng = np.random.default_rng(0)
    for shape, kind in (
        ((5, 7, 3), np.uint8),
        ((5, 7), np.uint8),
        ((5, 7), np.uint16),
        ((5, 7, 3), np.uint16),
    ):
        image = rng.integers(0, np.iinfo(kind).max, shape).astype(kind)
        files.write_image(tmp_path / "x.png", image)
        found = files.read_image(tmp_path / "x.png", remedy="")
        assert found.dtype == kind and found.flags.c_contiguous
        np.testing.assert_array_equal(found, image)


def test_json_takes_arrays_and_anything_else_as_text(tmp_path):
    files.write_json(tmp_path / "x.json", {"b": np.arange(3), "a": tmp_path, "c": np.float32(0.5)})
    text = (tmp_path / "x.json").read_text()
    assert json.loads(text) == {"a": str(tmp_path), "b": [0, 1, 2], "c": 0.5}
    assert text.startswith('{\n "a"') and text.endswith("}\n")


# -- names and indices -----------------------------------------------------------------------------


def test_names_at_their_limits():
    fine = ["x", "x" * 200, "é" * 100, "a b", "a.b", " ", "~"]
    wrong = ["", ".x", "x" * 201, "é" * 100 + "x", "a/b", "a\\b", "\x1f", "a\nb", 3, None]
    assert all(map(inside.is_plain, fine)) and not any(map(inside.is_plain, wrong))
    assert inside.check_names(iter(fine), "here", "mend") == fine
    with pytest.raises(HvrError, match="here: two frames have one name; mend"):
        inside.check_names(["a", "b", "a"], "here", "mend")
    with pytest.raises(HvrError, match=rf"here: '{'x' * 80}' cannot be the name of a frame; mend"):
        inside.check_names(["x" * 300], "here", "mend")


def an_index(**changed) -> dict:
    return {"names": ["a", "b"], "fps": 25, "times": [0, 0.04], "height": 20, "width": 30} | changed


def test_an_index_at_its_limits(monkeypatch):
    monkeypatch.setattr(frame_pictures, "MAX_PIXELS", 600)
    index = frame_pictures._index(an_index(), "here", "mend")
    assert (index.fps, index.times, index.height, index.width) == (25.0, [0.0, 0.04], 20, 30)
    frame_pictures._index(an_index(height=1, width=1, times=[-9e299, 9e299]), "here", "mend")
    for changed, words in (
        ({"height": 21}, "size is 30 x 21 pixels"),
        ({"width": 31}, "size is 31 x 20 pixels"),
        ({"height": 0}, "size is 30 x 0"),
        ({"width": -1}, "size is -1 x 20"),
        ({"width": 30.0}, "size is 30.0 x 20"),
        ({"height": True}, "size is 30 x True"),
        ({"times": [0, 1e300]}, "2 frames need as many times"),
        ({"times": [0, float("nan")]}, "2 frames need as many times"),
        ({"times": [0, True]}, "2 frames need as many times"),
        ({"times": [0]}, "2 frames need as many times"),
        ({"times": [0, 1, 2]}, "2 frames need as many times"),
        ({"names": []}, "no frame names"),
        ({"names": "ab"}, "no frame names"),
        ({"fps": 0}, "fps is 0"),
    ):
        with pytest.raises(HvrError, match=f"here: .*{words}.*; mend"):
            frame_pictures._index(an_index(**changed), "here", "mend")


def test_frames_without_names_of_their_own():
    frames = np.zeros((2, 4, 6, 3), np.uint8)
    index = frame_pictures.make_index(frames, names=("a", "b"), fps=5, times=np.array([0, 0.2]))
    assert index == frame_pictures.FrameIndex(["a", "b"], 5.0, [0.0, 0.2], 4, 6)
    other = frame_pictures.make_index(frames, names=("a", "c"), fps=5, times=[0, 0.2])
    assert index.digest(frames) != other.digest(frames) != other.digest(frames + 1)
    for names, count, words in (
        (["a"], 2, "2 frames need as many different plain names, not 1"),
        ([], 0, "no frames"),
    ):
        with pytest.raises(HvrError, match=words):
            frame_pictures.make_index(frames[:count], names=names, fps=5, times=[0, 1])


def test_what_may_be_written_over(tmp_path):
    """An equal picture, none, an empty or zeroed one, and the beginning of a PNG."""
    path, image = tmp_path / "x.png", np.full((3, 4), 9, np.uint8)
    assert frame_pictures.is_lost_or_same(path, image)
    files.write_image(path, image)
    whole = path.read_bytes()
    assert frame_pictures.is_lost_or_same(path, image)
    assert not frame_pictures.is_lost_or_same(path, image + 1)
    for rest in (whole[:20], b"", bytes(50)):
        path.write_bytes(rest)
        assert frame_pictures.is_lost_or_same(path, image)
    path.write_bytes(b"a note")
    assert not frame_pictures.is_lost_or_same(path, image)


# -- masks -----------------------------------------------------------------------------------------


def test_retouched_masks_in_colour_or_16_bits_are_read(tmp_path):
    index = frame_pictures.FrameIndex(["a"], 5.0, [0.0], 4, 6)
    grey = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10
    for kind in (grey, np.dstack([grey, grey + 1, grey]), grey.astype(np.uint16) * 256 + 7):
        files.write_image(tmp_path / "a.png", kind)
        found = mask_pictures._read_layer(tmp_path, True, index)
        assert found.dtype == np.uint8 and found.shape == (1, 4, 6)
        np.testing.assert_array_equal(found[0], grey)
    files.write_image(tmp_path / "a.png", np.dstack([grey] * 3))
    assert mask_pictures._read_layer(tmp_path, False, index).shape == (1, 4, 6, 3)
    files.write_image(tmp_path / "a.png", grey)
    with pytest.raises(HvrError, match="a.png is no picture of 8 bits in colour"):
        mask_pictures._read_layer(tmp_path, False, index)
    for shape in ((4, 7), (5, 6)):
        files.write_image(tmp_path / "a.png", np.zeros(shape, np.uint8))
        with pytest.raises(HvrError, match=f"a.png is {shape[1]}x{shape[0]}, the frames are 6x4"):
            mask_pictures._read_layer(tmp_path, True, index)


# -- small files -----------------------------------------------------------------------------------


def test_a_marker_comes_back_and_nonsense_does_not(tmp_path):
    path = markers.marker_path(tmp_path / "03_body.ipynb")
    marker = markers.RunMarker({"fps": 3}, "abc", "1.0", {"frames": "d"}, {"body": "e"}, 12.5)
    markers.write_marker(path, marker)
    assert path.name == "03_body.done.json" and markers.read_marker(path) == marker
    files.write_json(path, {"params": {}, "notebook": "a", "version": "b"})
    assert markers.read_marker(path) == markers.RunMarker({}, "a", "b")
    content = {
        "params": {},
        "notebook": "a",
        "version": "b",
        "inputs": {"x": "y"},
        "outputs": {},
        "seconds": 9e11,
    }
    files.write_json(path, content)
    assert markers.read_marker(path).seconds == 9e11
    for wrong in (
        {"params": []}, {"notebook": None}, {"version": 1}, {"inputs": {"x": 1}}, {"outputs": {"x": None}},
        {"inputs": [1]}, {"seconds": "1"}, {"seconds": True}, {"seconds": 1e12}, {"seconds": float("nan")},
    ):  # fmt: skip
        files.write_json(path, content | wrong)
        with pytest.raises(HvrError, match="03_body.done.json is damaged; run 03_body again"):
            markers.read_marker(path)
    markers.write_failure(tmp_path / "02_masks.ipynb", "no memory")
    assert markers.read_failures(tmp_path) == {"02_masks": "no memory"}


def test_numbers_texts_and_lists_of_them_are_metrics(tmp_path):
    path = tmp_path / "metrics" / "03_body.json"
    numbers = {
        "iou": np.array([[0.5, 1.0]]),
        "name": "x",
        "count": np.int64(3),
        "none": None,
        "doubts": ["a", "b"],
    }
    plain = {"iou": [[0.5, 1.0]], "name": "x", "count": 3, "none": None, "doubts": ["a", "b"]}
    assert measured.write_numbers(path, numbers) == plain == measured.read_numbers(path)
    files.write_json(path.with_name("04.json"), {"doubts": [], "x": True})
    files.write_json(path.with_name("05.json"), {"doubts": "text"})
    assert measured.read_doubts(tmp_path) == {"03_body": ["a", "b"]}
    for wrong in ({"a": {}}, {"a": [1, [{}]]}):
        files.write_json(path, wrong)
        with pytest.raises(HvrError, match="03_body.json is damaged .a is neither"):
            measured.read_numbers(path)


A, B = {"sha256": "1", "path": "a.mp4"}, {"sha256": "2", "path": "b.mp4"}


@pytest.mark.parametrize(
    "before, now, refused",
    [
        (A, B, True),
        (A, A | {"path": "moved.mp4"}, False),
        (A, A | {"sha256": "3"}, False),  # the file was written again
        (A, {"path": "b.mp4"}, False),
        ({"sha256": "1", "path": ""}, B, False),
        (A | {"synthetic": True}, B | {"synthetic": True}, False),
        (A | {"synthetic": True}, B, True),
        (A, B | {"synthetic": True}, True),
    ],
)
def test_a_clip_of_another_film_is_not_renewed(tmp_path, before, now, refused):
    if refused:
        with pytest.raises(HvrError, match="is the clip of a.mp4, not of b.mp4; give another clip folder"):
            beside.refuse_another_film(tmp_path, before, now)
    else:
        beside.refuse_another_film(tmp_path, before, now)


def test_clips_beside_a_folder_that_is_none(tmp_path):
    assert beside.others_beside(tmp_path / "none") == ""
    for k in range(13):
        (tmp_path / f"clip{k:02d}").mkdir()
        if k == 12:
            names = ", ".join(f"clip{i:02d}" for i in range(12))
            assert beside.others_beside(tmp_path / "none") == f", or open one of those beside it: {names}"
        (tmp_path / f"clip{k:02d}" / "clip.json").write_text("{}")
    assert beside.others_beside(tmp_path / "none").endswith("clip11 and 1 more")


# -- disks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code, words",
    [
        *((code, "the disk is full: x was not written") for code in (errno.ENOSPC, errno.EDQUOT)),
        *((code, "x may not be written") for code in (errno.EACCES, errno.EPERM, errno.EROFS)),
        *(
            (code, "x cannot be written .*choose another place")
            for code in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP)
        ),
    ],
)
def test_what_a_person_can_mend_about_a_disk_is_said(code, words):
    with pytest.raises(HvrError, match=words), atomic_files.explain_disk("x"):
        raise OSError(code, "it is so")
    with pytest.raises(OSError, match="other"), atomic_files.explain_disk("x"):
        raise OSError(errno.EIO, "other")


def test_a_folder_that_a_disk_cannot_flush_is_no_error_but_a_file_is(tmp_path, monkeypatch):
    (tmp_path / "x").write_text("")
    for code, folder_too in ((errno.EINVAL, False), (errno.ENOTSUP, False), (errno.EIO, True)):

        def refuse(handle, code=code):
            raise OSError(code, "no")

        monkeypatch.setattr(atomic_files.os, "fsync", refuse)
        with pytest.raises(OSError, match="no"):
            atomic_files._flush(tmp_path / "x")
        if folder_too:
            with pytest.raises(OSError, match="no"):
                atomic_files._flush(tmp_path)
        else:
            atomic_files._flush(tmp_path)


def test_a_file_in_the_place_of_a_folder_and_clutter(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(HvrError, match="x is a file where a folder is written"):
        atomic_files.refuse_foreign(tmp_path / "x", set())
    folder = tmp_path / "f" / "deep"
    folder.mkdir(parents=True)
    for name in ("Thumbs.db", ".DS_Store", "desktop.ini", "ours.png"):
        (folder / name).write_text("")
    atomic_files.refuse_foreign(tmp_path / "f", {"deep/ours.png"})
    (tmp_path / "f" / "link").symlink_to(folder)
    with pytest.raises(HvrError, match="link was not written by this project"):
        atomic_files.refuse_foreign(tmp_path / "f", {"deep/ours.png"})


# -- memory ----------------------------------------------------------------------------------------


def test_memory_of_older_control_groups(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path)
    group = tmp_path / "memory"
    group.mkdir()
    (group / "memory.limit_in_bytes").write_text("3000000\n")
    (group / "memory.usage_in_bytes").write_text("2000000\n")
    (group / "memory.stat").write_text("cache 5\ntotal_cache 400000\n")
    assert memory.free_memory() == 1_400_000
    (group / "memory.stat").write_text("cache 5\n")
    assert memory.free_memory() == 1_000_000
    (group / "memory.usage_in_bytes").write_text("3000001\n")
    assert memory.free_memory() == 0
    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: SimpleNamespace(available=77))
    (group / "memory.usage_in_bytes").write_text("2000000\n")
    assert memory.free_memory() == 77


def test_the_size_that_would_fit_is_a_little_less():
    """A quarter of the bytes: half of each side, less a hundredth."""
    with pytest.raises(HvrError, match=r"12 frames of 400x300 .*; max_side = 198, stride = 4 or"):
        memory.check_fits("a", range(12), (400, 300), 12 * 400 * 300 * 3 / 4)
    with pytest.raises(HvrError, match=r"need 4.0 GiB, frames may take 1.0 GiB"):
        memory.check_fits("a", range(4), (1000, 357914), GIB)
    with pytest.raises(HvrError, match=r"max_side = 0, stride = 1200 or"):
        memory.check_fits("a", range(1), (20, 20), 0)


def test_an_array_that_just_fits(tmp_path, monkeypatch):
    value = SimpleNamespace()
    np.savez(tmp_path / "x.npz", **{"a": np.zeros(100), arrays.META: np.asarray(json.dumps({"schema": 1}))})
    with zipfile.ZipFile(tmp_path / "x.npz") as file:
        size = file.getinfo("a.npy").file_size
    with arrays._Npz(tmp_path / "x.npz", "mend") as opened:
        monkeypatch.setattr(arrays, "free_memory", lambda: size)
        value.a = opened.read("a")
        monkeypatch.setattr(arrays, "free_memory", lambda: size - 1)
        with pytest.raises(ValueError, match="a needs 0.0 GiB"):
            opened.read("a")
    assert value.a.shape == (100,)


@pytest.mark.parametrize(
    "meta, words",
    [
        (np.asarray(json.dumps({"schema": 2})), "has schema 2, this version reads 1; mend"),
        (np.asarray([json.dumps({"schema": 1})]), "is damaged .*is no text.*; mend"),
        (np.asarray(b"{}"), "is damaged .*is no text"),
        (np.asarray("{}"), "is damaged"),
    ],
)
def test_an_npz_states_its_schema(tmp_path, monkeypatch, meta, words):
    np.savez(tmp_path / "x.npz", **{arrays.META: meta})
    with pytest.raises(HvrError, match=words):
        arrays.read_npz_meta(tmp_path / "x.npz", remedy="mend")


def test_the_longest_meta(tmp_path, monkeypatch):
    text = np.asarray(json.dumps({"schema": 1, "a": "b"}))
    np.savez(tmp_path / "x.npz", **{arrays.META: text})
    monkeypatch.setattr(arrays, "MAX_META", text.dtype.itemsize)
    assert arrays.read_npz_meta(tmp_path / "x.npz", remedy="mend")["a"] == "b"
    monkeypatch.setattr(arrays, "MAX_META", text.dtype.itemsize - 1)
    with pytest.raises(HvrError, match="is no text"):
        arrays.read_npz_meta(tmp_path / "x.npz", remedy="mend")


@pytest.mark.parametrize(
    "kind, array, found",
    [
        (int, np.int8(3), 3),
        (float, np.int8(3), 3.0),
        (float, np.float32(0.5), 0.5),
        (str, np.array("x"), "x"),
        (bool, np.bool_(True), True),
        (tuple[str, ...], np.array(["a", "b"]), ("a", "b")),
        (int, np.float64(3), None),
        (str, np.int8(3), None),
        (bool, np.int8(1), None),
        (float, np.zeros(1), None),
        (tuple[int, ...], np.zeros((1, 1)), None),
        (tuple[int, ...], np.array(3), None),
    ],
)
def test_fields_of_plain_kinds(kind, array, found):
    if found is None:
        with pytest.raises(ValueError, match="x is no"):
            arrays._field_value("x", kind, np.asarray(array))
    else:
        value = arrays._field_value("x", kind, np.asarray(array))
        assert value == found and type(value) is type(found)


# -- pickles ---------------------------------------------------------------------------------------


def as_inert(kind, **state):
    made = type(kind, (unpickler.InertObject,), {})()
    made.state = state
    return made


def test_the_largest_sparse_matrix(monkeypatch):
    monkeypatch.setattr(safe_pickle, "MAX_DENSE", 6)
    state = {"data": [5.0, 7.0], "row": [0, 1], "col": [2, 0]}
    found = safe_pickle.dense(as_inert("coo_matrix", shape=(2, 3), **state), {})
    assert found.tolist() == [[0, 0, 5], [7, 0, 0]]
    twice = safe_pickle.dense(
        as_inert("coo_matrix", shape=(2, 3), **state | {"row": [0, 0], "col": [1, 1]}), {}
    )
    assert twice.tolist() == [[0, 12, 0], [0, 0, 0]]  # entries of one place are added
    for shape in ((1, 7), (7, 1), (-1, 2), (6,), (1, 2, 3)):
        with pytest.raises(ValueError, match="a sparse matrix of shape"):
            safe_pickle.dense(as_inert("coo_matrix", shape=shape, **state), {})
    for wrong in ({"row": [0, -1]}, {"col": [-1, 0]}, {"row": [0]}, {"data": [1.0]}, {"col": [0, 0, 0]}):
        with pytest.raises(ValueError, match="whose index is broken"):
            safe_pickle.dense(as_inert("coo_matrix", shape=(2, 3), **state | wrong), {})


@pytest.mark.parametrize("kind, pointer, index", [("csr", [0, 0, 2], [1, 2]), ("csc", [0, 0, 1, 2], [1, 1])])
def test_rows_or_columns_of_a_sparse_matrix(kind, pointer, index):
    def made(**changed):
        state = {"data": [5.0, 7.0], "indptr": pointer, "indices": index} | changed
        return safe_pickle.dense(as_inert(f"{kind}_matrix", _shape=(2, 3), **state), {})

    assert made().tolist() == [[0, 0, 0], [0, 5, 7]]
    for wrong in (
        {"indptr": pointer[:-1]},
        {"indptr": [*pointer, 2]},
        {"indptr": [*pointer[:-1], 3]},
        {"indices": [1]},
        {"indptr": [0, 3, 2, 2][: len(pointer)]},
        {"indices": [-1, 1]},
    ):
        with pytest.raises(ValueError, match="whose index is broken"):
            made(**wrong)


def test_the_largest_and_the_smallest_file(tmp_path, monkeypatch):
    data = pickle.dumps({"a": 1})
    for module, read in ((safe_pickle, safe_pickle.read_values), (result_files, result_files.read_results)):
        (tmp_path / "x.pkl").write_bytes(data)
        monkeypatch.setattr(module, "MAX_FILE", len(data))
        assert read(tmp_path / "x.pkl") == {"a": 1}
        monkeypatch.setattr(module, "MAX_FILE", len(data) - 1)
        for name in ("x.pkl", "none.pkl", "empty.pkl"):
            (tmp_path / "empty.pkl").touch()
            with pytest.raises(HvrError, match=rf"{name} is missing or has \d+ bytes"):
                read(tmp_path / name)


def test_the_largest_npz(tmp_path, monkeypatch):
    np.savez(tmp_path / "x.npz", a=np.zeros(10), b=np.array({"c": 1}, object))
    with zipfile.ZipFile(tmp_path / "x.npz") as file:
        size = sum(info.file_size for info in file.infolist())
    monkeypatch.setattr(safe_pickle, "MAX_FILE", size)
    assert safe_pickle.read_npz_values(tmp_path / "x.npz")["b"] == {"c": 1}
    assert list(safe_pickle.read_npz_values(tmp_path / "x.npz", only=("a",))) == ["a"]
    monkeypatch.setattr(safe_pickle, "MAX_FILE", size - 1)
    with pytest.raises(HvrError, match="its arrays have more than"):
        safe_pickle.read_npz_values(tmp_path / "x.npz")


def test_bytes_of_an_array_in_both_orders_and_byte_orders():
    raw = np.arange(6, dtype=">i2").tobytes()
    kind = unpickler._DType("i2")
    kind.__setstate__((3, ">", None))
    for order, wanted in (("C", [[0, 1, 2], [3, 4, 5]]), ("F", [[0, 2, 4], [1, 3, 5]])):
        assert unpickler.fill_array(kind.dtype, (2, 3), raw, order).tolist() == wanted
        assert unpickler._frombuffer(raw, kind, (2, 3), order).value.tolist() == wanted
    array = unpickler.InertArray()
    for fortran, wanted in ((False, [[0, 1, 2], [3, 4, 5]]), (True, [[0, 2, 4], [1, 3, 5]])):
        array.__setstate__((1, (2, 3), kind, fortran, raw))
        assert array.value.tolist() == wanted
    kind.__setstate__((3, "|", None))
    assert kind.dtype == np.dtype(">i2")  # no byte order is no change
    objects = unpickler.fill_array(np.dtype(object), (2, 2), [1, "a", None, 2.5], "F")
    assert objects.tolist() == [[1, None], ["a", 2.5]]
    for raw, shape in (([1, 2, 3], (2, 2)), ((1, 2, 3, 4), (2, 2))):
        with pytest.raises(ValueError, match="object array of the wrong size"):
            unpickler.fill_array(np.dtype(object), shape, raw, "C")


def test_a_byte_array_is_as_long_as_it_says():
    def program(size, data):
        return b"\x80\x05\x96" + struct.pack("<Q", size) + data + b"."

    assert unpickler.unpickle(program(3, b"abc")) == b"abc"
    with pytest.raises(EOFError, match="longer than the file"):
        unpickler.ClosedUnpickler(io.BytesIO(program(3, b"ab")[:-1])).load()


def test_joblib_arrays_by_columns_and_without_padding(tmp_path, monkeypatch):
    value = {"a": np.arange(6.0).reshape(2, 3), "b": 5}
    before = NumpyArrayWrapper.__init__

    def by_columns(self, array):
        before(self, array)
        self.order, self.shape = "F", array.shape[::-1]

    monkeypatch.setattr(NumpyArrayWrapper, "__init__", by_columns)
    found = result_files.read_results(joblib_file(tmp_path / "a.pkl", value, monkeypatch))
    assert found["a"].tolist() == value["a"].T.tolist() and found["b"] == 5


def test_packed_files_up_to_the_limit(monkeypatch):
    data = bytes(range(200)) * 5
    for pack in (lzma.compress, lambda d: lzma.compress(d, format=lzma.FORMAT_ALONE)):
        assert result_files._decompressed(pack(data)) == data
        monkeypatch.setattr(result_files, "MAX_FILE", 999)
        with pytest.raises(HvrError, match="unpacks to more than 999 bytes"):
            result_files._decompressed(pack(data))
        monkeypatch.undo()


# -- films -----------------------------------------------------------------------------------------


def test_natural_order_of_names():
    names = ["img10", "img9", "img09", "10", "9", "b", "img", "a1b2", "a1b10"]
    ordered = sorted(names, key=lambda n: (picture_folder._natural(n), n))
    assert ordered == ["9", "10", "a1b2", "a1b10", "b", "img", "img09", "img9", "img10"]


def test_pictures_of_a_folder_have_times_by_their_number(tmp_path):
    for k in range(6):
        cv2.imwrite(str(tmp_path / f"{k}.png"), np.full((4, 6, 3), 10 * k, np.uint8))
    (tmp_path / ".9.png").write_bytes(b"")
    info = {"warnings": []}
    found = list(picture_folder.picture_film(tmp_path, range(1, 6, 2), 10.0, info))
    assert [(name, time, int(image[0, 0, 0])) for name, time, image in found] == [
        ("1", 0.1, 10),
        ("3", 0.3, 30),
        ("5", 0.5, 50),
    ]
    assert info["frames"] == 6 and info["fps"] == 10.0 and info["pictures"] is True and not info["warnings"]
    assert info["bytes"] == sum(p.stat().st_size for p in tmp_path.glob("[0-9].png"))


@pytest.mark.parametrize("fps", [30000 / 1001, 23.976, 12.5])
def test_broadcast_rates_are_written_exactly(tmp_path, fps):
    path = video.write_video(tmp_path / "a.mp4", np.zeros((4, 16, 16, 3), np.uint8), fps=fps)
    with av.open(str(path)) as container:
        assert container.streams.video[0].average_rate == Fraction(fps).limit_denominator(1001)


def test_a_lower_quality_is_a_smaller_film(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (3, 32, 32, 3), np.uint8)
    sizes = [
        video.write_video(tmp_path / f"{k}.mp4", noise, fps=10, **how).stat().st_size
        for k, how in enumerate(({"crf": 40}, {"crf": 16}, {}))
    ]
    assert sizes[0] < 0.7 * sizes[1] and sizes[1] == sizes[2]
    for wrong in (np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3))):
        with pytest.raises(HvrError, match=r"\(H, W, 3\) uint8 is needed"):
            video.write_video(tmp_path / "w.mp4", [wrong], fps=10)


@pytest.mark.parametrize(
    "recorded, taken",
    [
        ("26", 26),
        (26, 26),
        (0, 0),
        (-1, 0),
        (4999.9, 4999.9),
        (5000, 0),
        ("wide", 0),
        (None, 0),
        (float("nan"), 0),
    ],
)
def test_only_possible_lenses_are_believed(tmp_path, monkeypatch, recorded, taken):
    monkeypatch.setattr(video, "_film_focal35", lambda path: recorded)
    found = video.focal_from_metadata(tmp_path / "a.mp4", width=30, height=40)
    assert found == pytest.approx(taken / 43.2666 * 50)


@pytest.mark.parametrize("wrong", [{"start": -1}, {"stop": -1}, {"stride": 0}, {"max_side": -1}])
def test_ranges_that_cannot_be(tmp_path, wrong):
    with pytest.raises(HvrError, match="must be 0 or more, stride 1 or more"):
        video.read_video(tmp_path / "a.mp4", **wrong)
