"""A ``Scene`` as numbers for ``assets/scene.js``: packed small, deflated, as text.

Places are 16-bit steps between a lowest and a highest value (0.1 mm over 7 m), weights and colours bytes.
"""

from __future__ import annotations

import base64
import zlib

import numpy as np

from hvr_nb.drawing.pictures import encode_jpeg, side_colour
from hvr_nb.drawing.shading import SKIN
from hvr_nb.drawing.skeletons import bones
from hvr_nb.geometry.functions import strongest_weights
from hvr_nb.geometry.mesh import split_seams, vertex_normals
from hvr_nb.types import Camera, Mesh
from hvr_nb.viewing.scene import Bones, Scene, Solid

MISSING = 65535  # a number that is not known
MOST_PLACES = 3_000_000  # numbers of a mesh without a skin; a longer clip of it shows every n-th frame


class Blob:
    """Arrays one after the other; each starts where its numbers can be read in place."""

    def __init__(self):
        self.parts, self.size = [], 0

    def add(self, values: np.ndarray) -> int:
        """Append the bytes of ``values`` (...); returns where they start."""
        data = np.ascontiguousarray(values).tobytes()
        at, data = self.size, data + bytes(-len(data) % 4)
        self.parts.append(data)
        self.size += len(data)
        return at

    def numbers(self, values: np.ndarray) -> dict:
        """Append values (..., C) as 16-bit steps; NaN stays unknown."""
        flat = np.asarray(values, np.float64).reshape(-1, values.shape[-1])
        known = np.isfinite(flat)
        filled = np.where(known, flat, np.nan)
        with np.errstate(all="ignore"):
            lo = np.nanmin(filled, 0) if known.any(0).all() else np.zeros(flat.shape[1])
            hi = np.nanmax(filled, 0) if known.any(0).all() else np.ones(flat.shape[1])
        steps = np.where(known, (flat - lo) / np.maximum(hi - lo, 1e-12) * (MISSING - 1), MISSING)
        at = self.add(np.nan_to_num(steps, nan=MISSING).round().clip(0, MISSING).astype("<u2"))
        return {"at": at, "n": int(flat.size), "lo": lo.tolist(), "hi": hi.tolist()}

    def text(self) -> str:
        """All of it, deflated, in base64."""
        return base64.b64encode(zlib.compress(b"".join(self.parts), 7)).decode()


def pack_scene(scene: Scene, *, panel: int = -1) -> dict:
    """The scene as a dictionary that goes into a page.

    Args:
        panel: which panel of the player is the film, for the frame in the camera; -1: none.
    """
    blob = Blob()
    layers = [
        _bones(layer, blob) if isinstance(layer, Bones) else _solid(layer, blob) for layer in scene.layers
    ]
    lo, hi = scene.bounds()
    return {
        "count": scene.count,
        "panel": panel,
        "layers": layers,
        "camera": None if scene.camera is None else _camera(scene.camera),
        "floor": floor(lo, hi),
        "box": {"lo": lo.tolist(), "hi": hi.tolist()},
        "blob": blob.text(),
    }


def floor(lo: np.ndarray, hi: np.ndarray) -> dict:
    """The floor under a box from lo (3,) to hi (3,), metres: height, reach in x and z, distance of its lines.

    ``label`` is the distance of the lines that bear a number.
    """
    step, label = (0.5, 1.0) if (hi - lo).max() > 1.0 else (0.1, 0.5)
    if (hi - lo).max() > 12:
        step, label = 1.0, 5.0
    low = np.floor(lo[[0, 2]] / step) * step - step
    high = np.ceil(hi[[0, 2]] / step) * step + step
    return {"y": float(lo[1]), "lo": low.tolist(), "hi": high.tolist(), "step": step, "label": label}


def _camera(camera: Camera) -> dict:
    return {
        "K": camera.K.tolist(),
        "R": camera.R.tolist(),
        "t": camera.t.tolist(),
        "width": camera.width,
        "height": camera.height,
    }


def _bones(layer: Bones, blob: Blob) -> dict:
    joints = layer.joints
    points = np.where(joints.valid[:, None, None], joints.points, np.nan)
    tones = [
        (150, 150, 150) if n.split("_")[0] not in ("left", "right") else side_colour(n) for n in joints.names
    ]
    return {
        "kind": "bones",
        "name": layer.name,
        "on": layer.shown,
        "points": blob.numbers(points) | {"each": points[0].size},
        "pairs": bones(joints.names),
        "colours": tones,
    }


def _solid(layer: Solid, blob: Blob) -> dict:
    mesh = layer.mesh
    index, faces, uv = np.arange(len(mesh.vertices)), mesh.faces, None
    if mesh.texture is not None and mesh.uv is not None and mesh.uv_faces is not None:
        index, faces, uv = split_seams(mesh)
    wide = len(index) > 65535
    places = np.asarray(mesh.vertices)[index] if layer.places is None else _fewer(layer.places)[:, index]
    out = {
        "kind": "mesh",
        "name": layer.name,
        "on": layer.shown,
        "group": layer.group,
        "vertices": blob.numbers(places) | {"each": 3 * len(index)},
        "faces": {"at": blob.add(faces.astype("<u4" if wide else "<u2")), "n": int(faces.size), "wide": wide},
        "colour": _tint(mesh, uv is not None),
        "every": 1 if layer.places is None else -(-len(layer.places) // len(places)),
    }
    if uv is not None:
        normals = vertex_normals(np.asarray(mesh.vertices, np.float64), mesh.faces)[
            index
        ]  # of the unsplit mesh
        out["normals"] = blob.numbers(normals)
        out["uv"] = blob.numbers(np.stack([uv[:, 0], 1 - uv[:, 1]], 1))
        out["texture"] = base64.b64encode(encode_jpeg(mesh.texture, quality=85)).decode()
    elif mesh.colors is not None:
        colours = np.asarray(mesh.colors)[index, :3].astype(np.uint8)
        out["colors"] = {"at": blob.add(colours), "n": int(colours.size)}
    if layer.weights is not None and layer.transforms is not None:
        out["skin"] = _skin(layer, index, blob)
    if layer.basis is not None and layer.amounts is not None:
        out["basis"] = _basis(layer, index, blob)
    return out


def _tint(mesh: Mesh, textured: bool) -> list[float]:
    return [1.0, 1.0, 1.0] if textured or mesh.colors is not None else [v / 255 for v in SKIN]


def _fewer(places: np.ndarray) -> np.ndarray:
    """Every n-th of the frames (T, V, 3), so that they stay within ``MOST_PLACES``."""
    return places[:: max(1, -(-places.size // MOST_PLACES))]


def _skin(layer: Solid, index: np.ndarray, blob: Blob) -> dict:
    joints, weights = strongest_weights(layer.weights[index])
    steps = np.floor(weights * 255 + 0.5).astype(int)
    steps[:, 0] += 255 - steps.sum(1)  # they still sum to one
    transforms = layer.transforms
    return {
        "joints": blob.add(joints),
        "weights": blob.add(steps.clip(0, 255).astype(np.uint8)),
        "matrices": blob.numbers(transforms.reshape(len(transforms), -1, 12)),
        "count": transforms.shape[1],
    }


def _basis(layer: Solid, index: np.ndarray, blob: Blob) -> dict:
    scale = np.maximum(np.abs(layer.basis).max((1, 2)), 1e-9)
    steps = np.round(layer.basis[:, index] / scale[:, None, None] * 127).astype(np.int8)
    starts = [blob.add(one) for one in steps]
    return {"count": len(scale), "at": starts, "amounts": blob.numbers(layer.amounts * scale)}
