"""Binary glTF 2.0: arrays and pictures in one .glb file, writing and reading (docs/formats.md, 11).

Khronos glTF 2.0 specification, sections 3.6 (buffers, views, accessors) and 4 (GLB container). The reader
takes only what this project writes: tightly packed accessors in the file's own buffer.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.store.atomic_files import atomic
from hvr_nb.types import HvrError

MAGIC, JSON_CHUNK, BIN_CHUNK = 0x46546C67, 0x4E4F534A, 0x004E4942
GENERATOR = "hvr_nb"
VERTEX_DATA, INDEX_DATA = 34962, 34963  # targets of buffer views
_NUMBERS = {5121: np.dtype("u1"), 5123: np.dtype("<u2"), 5125: np.dtype("<u4"), 5126: np.dtype("<f4")}
_SHAPES = {"SCALAR": (), "VEC2": (2,), "VEC3": (3,), "VEC4": (4,), "MAT4": (4, 4)}


class GlbBuffer:
    """The binary part of a .glb while it is written: views and accessors with their bytes, 4-byte aligned."""

    def __init__(self):
        self.data, self.views, self.accessors = bytearray(), [], []

    def view(self, data: bytes, *, target: int = 0) -> int:
        """Add bytes; returns the number of their buffer view."""
        view = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(data)}
        self.views.append(view | ({"target": target} if target else {}))
        self.data += data + bytes(-len(data) % 4)
        return len(self.views) - 1

    def numbers(
        self, array: np.ndarray, *, target: int = 0, bounds: bool = False, normalized: bool = False
    ) -> int:
        """Add an array (N, ...) of uint8, uint16, uint32 or float32; returns the number of its accessor.

        Args:
            array: (N,), (N, 2), (N, 3), (N, 4) or (N, 4, 4), matrices by rows (the file has them by columns).
            target: ``VERTEX_DATA`` or ``INDEX_DATA``. bounds: also write least and greatest values.
            normalized: integers mean values 0..1.
        """
        component = next(code for code, kind in _NUMBERS.items() if kind == array.dtype)
        shape = next(name for name, dims in _SHAPES.items() if dims == array.shape[1:])
        packed = array.swapaxes(1, 2) if array.ndim == 3 else array
        accessor = {
            "bufferView": self.view(np.ascontiguousarray(packed).tobytes(), target=target),
            "componentType": component,
            "count": len(array),
            "type": shape,
        }
        if bounds:
            flat = array.reshape(len(array), -1)
            accessor |= {"min": flat.min(0).tolist(), "max": flat.max(0).tolist()}
        if normalized:
            accessor["normalized"] = True
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def write_glb(path: Path, tree: dict, buffer: GlbBuffer) -> Path:
    """Write a glTF tree and its buffer as one file.

    Raises:
        HvrError: ``path`` exists and another program wrote it.
    """
    if path.exists() and generator(path) != GENERATOR:
        raise HvrError(f"{path} was not written by this project; move it away or give another name")
    with atomic(path) as partial:
        partial.write_bytes(glb_bytes(tree, buffer))
    return path


def glb_bytes(tree: dict, buffer: GlbBuffer) -> bytes:
    """A glTF tree and its buffer as the content of a .glb."""
    tree = {
        "asset": {"version": "2.0", "generator": GENERATOR},
        **tree,
        "buffers": [{"byteLength": len(buffer.data)}],
        "bufferViews": buffer.views,
        "accessors": buffer.accessors,
    }
    text = json.dumps(tree, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    size = 12 + 8 + len(text) + 8 + len(buffer.data)
    return (
        struct.pack("<3I", MAGIC, 2, size)
        + struct.pack("<2I", len(text), JSON_CHUNK)
        + text
        + struct.pack("<2I", len(buffer.data), BIN_CHUNK)
        + bytes(buffer.data)
    )


def rotation_keys(turns: Rotation, frames: int) -> np.ndarray:
    """(T, K, 4) float32 key values x, y, z, w of T x K rotations, K in each of the ``frames``.

    q and -q are the same rotation. Each key has the sign that is nearer to the key before, so that viewers
    interpolate over the smaller angle.
    """
    keys = turns.as_quat().reshape(frames, -1, 4)
    against = (keys[1:] * keys[:-1]).sum(-1) < 0
    keys[1:] *= np.where(np.cumsum(against, axis=0) % 2, -1, 1)[..., None]
    return keys.astype(np.float32)


def generator(path: Path) -> str:
    """The program that wrote a .glb; "" where the file does not say, or is not a .glb."""
    try:
        return str(read_glb(path)[0].get("asset", {}).get("generator", ""))
    except HvrError:
        return ""


def read_glb(path: str | Path) -> tuple[dict, bytes]:
    """The glTF tree and the binary part of a .glb.

    Raises:
        HvrError: the file is missing, damaged or not binary glTF 2.0.
    """
    path = Path(path)
    if not path.is_file():
        raise HvrError(f"{path} is missing")
    data = path.read_bytes()
    try:
        magic, version, size = struct.unpack_from("<3I", data, 0)
        text_size, text_kind = struct.unpack_from("<2I", data, 12)
        size_left, kind = struct.unpack_from("<2I", data, 20 + text_size)
        whole = (magic, version, size, text_kind, kind) == (MAGIC, 2, len(data), JSON_CHUNK, BIN_CHUNK)
        tree = json.loads(data[20 : 20 + text_size]) if whole else None
    except (struct.error, ValueError) as error:
        raise HvrError(f"{path} is damaged or not binary glTF 2.0 ({error}); export it again") from error
    if not isinstance(tree, dict) or len(data) != 28 + text_size + size_left:
        raise HvrError(f"{path} is damaged or not binary glTF 2.0 with one buffer; export it again")
    return tree, data[28 + text_size :]


def accessor(tree: dict, binary: bytes, index: int) -> np.ndarray:
    """The values (N, ...) of an accessor, matrices by rows.

    Raises:
        HvrError: it reaches outside its buffer view, or is not aligned in it.
    """
    item = tree["accessors"][index]
    view = tree["bufferViews"][item["bufferView"]]
    kind, shape = _NUMBERS[item["componentType"]], _SHAPES[item["type"]]
    start, count = item.get("byteOffset", 0), item["count"] * int(np.prod(shape, dtype=int))
    place = view.get("byteOffset", 0) + start
    end = view.get("byteOffset", 0) + view["byteLength"]
    if "byteStride" in view or place % kind.itemsize or place + count * kind.itemsize > min(end, len(binary)):
        raise HvrError(f"accessor {index} of the .glb does not fit its buffer view; export it again")
    array = np.frombuffer(binary, kind, count, place).reshape(item["count"], *shape)
    return array.swapaxes(1, 2) if len(shape) == 2 else array
