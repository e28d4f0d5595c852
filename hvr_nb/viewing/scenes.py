"""k3d scenes: y up, smooth shading, a floor grid, no axes (docs/formats.md, 14).

A scene comes as ``(plot, keys)``: ``keys`` (T,) are the seconds of its key frames, empty for a still one.
"""

from __future__ import annotations

import k3d
import numpy as np

from hvr_nb.drawing.pictures import LEFT, MIDDLE, RIGHT, encode_jpeg
from hvr_nb.drawing.shading import SKIN
from hvr_nb.drawing.skeletons import bones, sides
from hvr_nb.geometry.functions import spread_indices
from hvr_nb.geometry.mesh import vertex_normals
from hvr_nb.types import Joints3D, Mesh

KEY_FRAMES = 60  # at most; k3d interpolates between them
STEP = 2.0**-11  # metres, 0.5 mm: vertices are rounded to it, which makes a snapshot a third smaller
FIELD_OF_VIEW = 35.0  # degrees


def still_mesh(mesh: Mesh):
    """A scene of one mesh with its colours or texture."""
    plot = _plot(mesh.vertices[None])
    textured = mesh.texture is not None and mesh.uv is not None and mesh.uv_faces is not None
    plot += _textured(mesh) if textured else _k3d_mesh(_rounded(mesh.vertices), mesh.faces, mesh.colors)
    return plot, np.zeros(0)


def moving_mesh(vertices: np.ndarray, faces: np.ndarray, *, fps: float = 30.0, colors=None):
    """A scene of a mesh over time: vertices (T, V, 3) metres, faces (F, 3), colors (V, 3) uint8."""
    if len(vertices) == 1:
        return still_mesh(Mesh(vertices[0], faces, colors))
    keys, times = _keys(len(vertices), fps)
    plot = _plot(vertices)
    mesh = _k3d_mesh(_rounded(vertices[0]), faces, colors)
    mesh.vertices = {str(t): _rounded(vertices[k]) for k, t in zip(keys, times, strict=True)}
    plot += mesh
    return plot, times


def moving_joints(joints: Joints3D, *, fps: float = 30.0):
    """A scene of a 3D skeleton over time; left blue, right orange."""
    points = np.nan_to_num(joints.points)
    keys, times = _keys(len(points), fps)
    plot = _plot(points[joints.valid] if joints.valid.any() else points)
    side_of = sides(joints.names)
    pairs = np.array(bones(joints.names), np.uint32).reshape(-1, 2)
    for side, colour in ((-1, LEFT), (1, RIGHT), (0, MIDDLE)):
        lines = pairs[side_of[pairs[:, 1]] == side] if len(pairs) else pairs
        dots = np.flatnonzero(side_of == side)
        tint = _hex(colour if side else (150, 150, 150))
        if len(lines):
            item = k3d.lines(
                _rounded(points[0]),
                lines,
                indices_type="segment",
                shader="mesh",
                width=0.022,
                color=tint,
                compression_level=6,
            )
            item.vertices = {str(t): _rounded(points[k]) for k, t in zip(keys, times, strict=True)}
            plot += item
        if len(dots):
            item = k3d.points(
                _rounded(points[0, dots]), point_size=0.05, color=tint, shader="mesh", compression_level=6
            )
            item.positions = {str(t): _rounded(points[k][dots]) for k, t in zip(keys, times, strict=True)}
            plot += item
    return plot, times


def snapshot(plot, *, script: str = "") -> str:
    """One offline HTML page of the scene: no network, no kernel; ``script`` runs once it is drawn."""
    return plot.get_snapshot(6, additional_js_code=script)


def _keys(count: int, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """Key frame indices and their times in seconds."""
    keys = spread_indices(count, KEY_FRAMES)
    return keys, np.round(keys / fps, 4)


def _rounded(vertices: np.ndarray) -> np.ndarray:
    return (np.round(np.asarray(vertices) / STEP) * STEP).astype(np.float32)


def _hex(colour) -> int:
    return (int(colour[0]) << 16) + (int(colour[1]) << 8) + int(colour[2])


def _k3d_mesh(vertices: np.ndarray, faces: np.ndarray, colors):
    tint = _hex(SKIN) if colors is None else 0xFFFFFF  # k3d multiplies vertex colours by it
    item = k3d.mesh(
        vertices,
        np.asarray(faces, np.uint32),
        color=tint,
        flat_shading=False,
        side="double",
        roughness=0.55,
        compression_level=6,
    )
    if colors is not None:
        c = np.asarray(colors, np.uint32)
        item.colors = (c[:, 0] << 16) + (c[:, 1] << 8) + c[:, 2]
    return item


def _textured(mesh: Mesh):
    """The mesh with its texture: one vertex a pair of position and uv, normals of the unsplit mesh."""
    corners = np.stack([mesh.faces.ravel(), mesh.uv_faces.ravel()], 1)
    pairs, index = np.unique(corners, axis=0, return_inverse=True)
    normals = vertex_normals(np.asarray(mesh.vertices, np.float64), mesh.faces)
    item = _k3d_mesh(_rounded(mesh.vertices[pairs[:, 0]]), index.reshape(-1, 3), None)
    item.color, item.normals = 0xFFFFFF, normals[pairs[:, 0]].astype(np.float32)
    uv = mesh.uv[pairs[:, 1]]
    item.uvs = np.stack([uv[:, 0], 1 - uv[:, 1]], 1).astype(np.float32)  # k3d's origin is the upper left
    item.texture, item.texture_file_format = encode_jpeg(mesh.texture, quality=92), "jpeg"
    return item


def _plot(points: np.ndarray):
    """An empty plot that sees points (T, N, 3), with the floor they stand on."""
    lo, hi = points.min((0, 1)).astype(float), points.max((0, 1)).astype(float)
    centre, radius = (lo + hi) / 2, max(float(np.linalg.norm(hi - lo)) / 2, 0.05)
    away = 1.05 * radius / np.tan(np.radians(FIELD_OF_VIEW) / 2)
    eye = centre + away * np.array([0.36, 0.22, 0.9]) / np.linalg.norm([0.36, 0.22, 0.9])
    plot = k3d.plot(
        camera_auto_fit=False,
        grid_visible=False,
        axes_helper=0,
        height=460,
        camera_fov=FIELD_OF_VIEW,
        background_color=0xF4F5F7,
        lighting=1.6,
    )
    plot.camera = [*eye, *centre, 0.0, 1.0, 0.0]
    plot += _floor(lo, hi)
    return plot


def _floor(lo: np.ndarray, hi: np.ndarray):
    """A grid of lines at the lowest point, one every half metre (finer under small things)."""
    step = 0.5 if max(hi - lo) > 1.0 else 0.1
    x = np.arange(np.floor(lo[0] / step) - 1, np.ceil(hi[0] / step) + 2) * step
    z = np.arange(np.floor(lo[2] / step) - 1, np.ceil(hi[2] / step) + 2) * step
    ends = [[[a, lo[1], z[0]], [a, lo[1], z[-1]]] for a in x] + [
        [[x[0], lo[1], b], [x[-1], lo[1], b]] for b in z
    ]
    vertices = np.array(ends, np.float32).reshape(-1, 3)
    pairs = np.arange(len(vertices), dtype=np.uint32).reshape(-1, 2)
    return k3d.lines(vertices, pairs, indices_type="segment", shader="simple", color=0xC3C8D0, width=0.004)
