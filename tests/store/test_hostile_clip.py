"""A clip from somebody else: nothing outside its folder is read or written; no memory or time is lost."""

import io
import json
import os
import struct
import zipfile
import zlib

import numpy as np
import pytest
from small_clips import H, T, W, a_body, a_camera, frames, make, some_keypoints, whole

from hvr_nb.store.clip import Clip
from hvr_nb.store.files import read_image, read_json, write_json
from hvr_nb.store.inside import is_plain
from hvr_nb.types import HvrError


def change(path, **values):
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | values))


BAD_NAMES = [
    "../escaped",
    "/tmp/escaped",
    "a/b",
    "..",
    ".hidden",
    "",
    "a\\b",
    "a\0b",
    "x" * 300,
    3,
    None,
    ["a"],
]


@pytest.mark.parametrize("name", BAD_NAMES, ids=repr)
def test_frame_names_are_checked_when_they_are_read(tmp_path, name):
    clip = make(tmp_path)
    names = [name, *clip.frame_names[1:]]
    change(clip.path("frames"), names=names)
    for ask in (
        lambda c: c.frame_names,
        lambda c: c.frames,
        len,
        repr,
        lambda c: c.save("camera", a_camera()),
    ):
        with pytest.raises(
            HvrError, match="manifest.json.*cannot be the name of a frame.*run 00_video again"
        ):
            ask(Clip.open(tmp_path))


def test_frame_names_are_plain_names():
    assert all(map(is_plain, ["000012", "IMG 3", "Füße", "a.b", "x" * 200]))
    assert not any(map(is_plain, BAD_NAMES))


@pytest.mark.parametrize(
    "place", ["frames", "masks/alpha", "renders/nvr/frames/rgb", "metrics", "avatars", "runs"]
)
def test_a_link_that_leads_out_of_the_clip_is_refused(tmp_path, place):
    whole(tmp_path / "clip")
    outside, link = tmp_path / "outside", tmp_path / "clip" / place
    outside.mkdir()
    if link.exists():
        link.rename(link.with_name("moved"))
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(outside)
    with pytest.raises(HvrError, match=f"{place} is a link to .*outside, outside the clip"):
        Clip.open(tmp_path / "clip")
    with pytest.raises(HvrError, match="outside the clip"):
        make(tmp_path / "clip", seed=3)
    assert not list(outside.iterdir())


def test_a_file_that_is_a_link_is_refused_and_one_within_the_clip_is_not(tmp_path):
    make(tmp_path / "clip")
    (tmp_path / "secret.png").write_bytes(b"mine")
    link = tmp_path / "clip" / "frames" / "000001.png"
    link.unlink()
    link.symlink_to("../../secret.png")
    with pytest.raises(HvrError, match="000001.png is a link"):
        Clip.open(tmp_path / "clip")
    link.unlink()
    link.symlink_to("000002.png")
    assert len(Clip.open(tmp_path / "clip").frames) == T
    (tmp_path / "link").symlink_to(tmp_path / "clip")  # the clip itself may lie elsewhere
    assert len(Clip.open(tmp_path / "link")) == T


def test_a_pipe_in_the_place_of_a_file_is_refused(tmp_path):
    make(tmp_path)
    os.mkfifo(tmp_path / "keypoints.npz")
    with pytest.raises(HvrError, match="keypoints.npz is neither a file nor a folder"):
        Clip.open(tmp_path)


@pytest.mark.parametrize("method", ["../../x", "/tmp", "", "."])
def test_a_method_is_no_path(tmp_path, method):
    with pytest.raises(HvrError, match="name of a method"):
        make(tmp_path).avatar_folder(method)


NO_INDEX = {
    "fps": [0, -1, float("nan"), float("inf"), 10**400, "30", None, True],
    "times": [[], [0, 1, 2, float("nan")], 3],
    "height": [0],
    "width": ["32", 10**12],
    "names": ["abcd", [], ["a", "a", "b", "c"], {}],
    "hash": [3],
}


@pytest.mark.parametrize(("what", "value"), [(k, v) for k, values in NO_INDEX.items() for v in values])
def test_an_index_of_frames_that_makes_no_sense_is_refused(tmp_path, what, value):
    clip = make(tmp_path)
    change(clip.path("frames"), **{what: value})
    with pytest.raises(HvrError, match="manifest.json.*run 00_video again"):
        _ = Clip.open(tmp_path).frames


def test_an_empty_clip_json_is_refused(tmp_path):
    make(tmp_path)
    (tmp_path / "clip.json").write_text("{}")
    with pytest.raises(HvrError, match=r"clip\.json is damaged.*run 00_video"):
        Clip.open(tmp_path)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, "{" + '"a": 1' + "0" * 5000 + "}"], ids=len
)
def test_nested_or_endless_json_is_damage(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(HvrError, match="damaged.*mend it"):
        read_json(tmp_path / "x.json", remedy="mend it")


def test_json_of_gigabytes_is_not_read(tmp_path):
    with open(tmp_path / "x.json", "wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(HvrError, match="damaged.*mend it"):
        read_json(tmp_path / "x.json", remedy="mend it")


def npz_of(path, **headers):
    """An npz whose members state a shape and hold what is given."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, (shape, data) in headers.items():
            stream = io.BytesIO()
            np.lib.format.write_array_header_1_0(
                stream, {"descr": "<f8", "fortran_order": False, "shape": shape}
            )
            file.writestr(f"{name}.npy", stream.getvalue() + data)
        stream = io.BytesIO()
        np.save(stream, np.asarray(json.dumps({"schema": 1})))
        file.writestr("__meta__.npy", stream.getvalue())


def test_an_array_that_only_claims_its_size_is_not_allocated(tmp_path):
    clip = whole(tmp_path)
    npz_of(clip.path("keypoints"), points=((10**12, 25, 3), b""))
    with pytest.raises(HvrError, match="points states shape.*run 01_keypoints again"):
        _ = clip.keypoints


def test_a_zip_bomb_is_refused_by_its_shape(tmp_path):
    clip = whole(tmp_path)
    many = 20_000
    npz_of(clip.path("keypoints"), points=((many, 25, 3), bytes(8 * 25 * 3 * many)))  # 12 MB of zeros
    assert clip.path("keypoints").stat().st_size < 100_000
    with pytest.raises(HvrError, match="points has shape .*not .T, 25, 3. with T 4"):
        _ = clip.keypoints


def test_more_than_the_memory_holds_is_refused(tmp_path, monkeypatch):
    clip = whole(tmp_path)
    monkeypatch.setattr("hvr_nb.store.arrays.free_memory", lambda: 100)
    with pytest.raises(HvrError, match="GiB are free"):
        _ = clip.body


def test_running_out_of_memory_is_an_error_that_names_the_file(tmp_path, monkeypatch):
    clip = whole(tmp_path)

    def no_memory(*_args, **_options):
        raise MemoryError

    monkeypatch.setattr(np.lib.format, "read_array", no_memory)
    with pytest.raises(HvrError, match=r"body\.npz.*damaged.*run 03_body again"):
        _ = clip.body


def png_header(width: int, height: int) -> bytes:
    """A PNG that states a size and holds nothing."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    ends = (
        struct.pack(">I", zlib.crc32(chunk))
        + struct.pack(">I", 0)
        + b"IDAT"
        + struct.pack(">I", zlib.crc32(b"IDAT"))
    )
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + ends


@pytest.mark.parametrize("side", [7_000, 20_000, 2**31 - 1])
def test_a_picture_of_enormous_size_is_not_decoded(tmp_path, monkeypatch, side):
    (tmp_path / "x.png").write_bytes(png_header(side, side))
    monkeypatch.setattr("hvr_nb.store.files.cv2.imdecode", None)
    with pytest.raises(HvrError, match="x.png has more than 40 million pixels; get another"):
        read_image(tmp_path / "x.png", remedy="get another")


def test_inputs_that_no_stage_has_are_refused(tmp_path):
    clip = whole(tmp_path)
    change(clip.path("masks"), inputs={"masks": clip.fingerprint("masks")})  # it would ask itself for ever
    with pytest.raises(HvrError, match="masks.*damaged.*run 02_masks again"):
        _ = clip.masks
    change(clip.path("masks"), inputs=[1])
    with pytest.raises(HvrError, match="masks.*damaged.*run 02_masks again"):
        _ = clip.masks


@pytest.mark.parametrize(
    "content",
    [{"layers": ["../../x"]}, {"layers": 3}, {"layers": []}, {"hash": None}, {"files": [1]}, {"pictures": 1}],
)
def test_a_masks_manifest_that_makes_no_sense_is_refused(tmp_path, content):
    clip = whole(tmp_path)
    change(clip.path("masks"), **content)
    with pytest.raises(HvrError, match="masks/manifest.json is damaged; run 02_masks again"):
        _ = clip.masks


def test_numbers_of_other_kinds_in_metrics_are_refused(tmp_path):
    clip = make(tmp_path)
    clip.record("03_body", iou=[0.5, float("nan")], pixels=3, note="x")
    assert np.isnan(clip.metrics["03_body"]["iou"][1])
    write_json(tmp_path / "metrics" / "03_body.json", {"iou": {"deep": 1}})
    with pytest.raises(HvrError, match="03_body.json is damaged .iou.*run 03_body again"):
        _ = clip.metrics


def test_what_a_clip_holds_is_what_was_saved(tmp_path):
    """The checks above let a sound clip through."""
    clip = Clip.open(whole(tmp_path).folder)
    np.testing.assert_array_equal(clip.frames, frames())
    np.testing.assert_array_equal(clip.keypoints.points, some_keypoints().points)
    np.testing.assert_array_equal(clip.body.transl, a_body().transl)
    assert clip.size == (W, H)
