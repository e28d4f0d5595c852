"""Files of arrays that are damaged, or claim more than any memory holds: every reader names them."""

import io
import zipfile

import numpy as np
import pytest

from hvr_nb.formats.datasets.recmv_folder import _check_weights
from hvr_nb.formats.datasets.selfrecon_folder import label_map
from hvr_nb.formats.datasets.zju_mocap import _plain
from hvr_nb.formats.joints2d import read_keypoints
from hvr_nb.formats.motion import read_motion
from hvr_nb.geometry import choose_camera
from hvr_nb.learning import read_tensors
from hvr_nb.lift import load_lifter_checkpoint
from hvr_nb.subject import load_truth
from hvr_nb.types import HvrError

HUGE = b"'shape': (99999999999, 3), "


def array_bytes(array, *, shape: bytes = b"") -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": "<f8", "fortran_order": False, "shape": array.shape})
    head = out.getvalue()
    if shape:
        begin, end = head.index(b"'shape'"), head.rindex(b"}")
        head = head[:begin] + shape + b"}" + b" " * (end - begin - len(shape)) + head[end + 1 :]
    return head + array.tobytes()


def archive(path, *, how: str):
    """An npz with the members that the readers look for, all of them damaged in one way."""
    names = ("poses", "trans", "K", "dist", "kpts", "format", "dilations", "__facts__", "__meta__", "alpha")
    data = array_bytes(np.ones((10, 3)), shape=HUGE if how == "huge" else b"")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in names:
            file.writestr(f"{name}.npy", data)
    content = bytearray(path.read_bytes())
    if how == "deflate":  # the first bytes of every member's data
        for info in zipfile.ZipFile(path).infolist():
            begin = info.header_offset + 30 + len(info.filename)
            content[begin : begin + 8] = b"\xff" * 8
    elif how == "method":  # of compression, one that nobody has
        for mark, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
            at = content.find(mark)
            while at >= 0:
                content[at + place : at + place + 2] = b"\x63\x00"
                at = content.find(mark, at + 4)
    path.write_bytes(content)
    return path


READERS = {
    "truth.npz": lambda path: load_truth(path.parent),
    "motion.npz": read_motion,
    "camera.npz": lambda path: choose_camera(64, 48, camera_file=str(path)),
    "joints.npz": lambda path: read_keypoints(path, size=(64, 48)),
    "lifter.npz": load_lifter_checkpoint,
    "network.npz": lambda path: read_tensors(path, kind="a network", wanted="give another"),
}
ARRAYS = {"labels.npy": label_map, "plain.npy": lambda path: _plain(path, 3), "weights.npy": _check_weights}


@pytest.mark.parametrize("how", ["huge", "deflate", "method"])
@pytest.mark.parametrize("name", READERS)
def test_archives_that_are_damaged_are_named(tmp_path, name, how):
    path = archive(tmp_path / name, how=how)
    with pytest.raises(HvrError, match=name):
        READERS[name](path)


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_only_claim_their_size_are_named(tmp_path, name):
    (tmp_path / name).write_bytes(array_bytes(np.ones((10, 3)), shape=HUGE))
    with pytest.raises(HvrError, match=name):
        ARRAYS[name](tmp_path / name)
