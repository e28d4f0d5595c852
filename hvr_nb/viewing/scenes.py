"""A ``Scene`` in k3d, for a session with a kernel: y up, orbit, smooth shading, floor, no open menu."""

from __future__ import annotations

import k3d
import numpy as np

from hvr_nb.drawing.pictures import LEFT, RIGHT, encode_jpeg
from hvr_nb.drawing.shading import SKIN
from hvr_nb.drawing.skeletons import bones, sides
from hvr_nb.geometry.mesh import split_seams, vertex_normals
from hvr_nb.types import Joints3D, Mesh
from hvr_nb.viewing.scene import Bones, Scene, Solid
from hvr_nb.viewing.scene_data import floor

KEY_FRAMES = 120  # at most; a longer clip shows every n-th frame
STEP = 2.0**-11  # metres, 0.5 mm: vertices are rounded to it, which makes the messages a third smaller
FIELD_OF_VIEW = 35.0  # degrees
GREY = (150, 150, 150)


def scene_plot(scene: Scene):
    """The layers of a scene that are shown at first, as a k3d plot whose time counts frames.

    Returns:
        the plot, and the frames that are keys; k3d interpolates vertices between keys, so a player should
        stop at these only.
    """
    keys = range(0, scene.count, max(1, -(-scene.count // KEY_FRAMES)))
    plot = _plot(*scene.bounds())
    for layer in scene.layers:
        if layer.shown and isinstance(layer, Bones):
            for item in _bones(layer.joints, keys):
                plot += item
        elif layer.shown:
            plot += _solid(layer, keys)
    return plot, keys


def _solid(layer: Solid, keys: range):
    mesh = layer.mesh
    if mesh.texture is not None and mesh.uv is not None and mesh.uv_faces is not None:
        return _textured(mesh)
    item = _k3d_mesh(_rounded(layer.vertices(0)), mesh.faces, mesh.colors)
    if layer.places is not None or layer.transforms is not None:
        item.vertices = {str(float(k)): _rounded(layer.vertices(k)) for k in keys}
    return item


def _bones(joints: Joints3D, keys: range):
    """Lines and dots of a skeleton, one of each for the left, the right and the middle."""
    points, side_of = np.nan_to_num(joints.points), sides(joints.names)
    pairs = np.array(bones(joints.names), np.uint32).reshape(-1, 2)
    last = len(points) - 1
    for side, colour in ((-1, LEFT), (1, RIGHT), (0, GREY)):
        lines = pairs[side_of[pairs[:, 1]] == side] if len(pairs) else pairs
        dots = np.flatnonzero(side_of == side)
        look = {"color": _hex(colour), "shader": "mesh", "compression_level": 6}
        if len(lines):
            item = k3d.lines(_rounded(points[0]), lines, indices_type="segment", width=0.022, **look)
            item.vertices = {str(float(k)): _rounded(points[min(k, last)]) for k in keys}
            yield item
        if len(dots):
            item = k3d.points(_rounded(points[0, dots]), point_size=0.05, **look)
            item.positions = {str(float(k)): _rounded(points[min(k, last)][dots]) for k in keys}
            yield item


def _hex(colour) -> int:
    red, green, blue = (int(v) for v in colour)
    return (red << 16) + (green << 8) + blue


def _rounded(points: np.ndarray) -> np.ndarray:
    return (np.round(np.asarray(points) / STEP) * STEP).astype(np.float32)


def _k3d_mesh(vertices: np.ndarray, faces: np.ndarray, colors):
    item = k3d.mesh(
        vertices,
        np.asarray(faces, np.uint32),
        color=_hex(SKIN) if colors is None else 0xFFFFFF,  # k3d multiplies the colours by it
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
    index, faces, uv = split_seams(mesh)
    normals = vertex_normals(np.asarray(mesh.vertices, np.float64), mesh.faces)
    item = _k3d_mesh(_rounded(mesh.vertices[index]), faces, None)
    item.color, item.normals = 0xFFFFFF, normals[index].astype(np.float32)
    item.uvs = np.stack([uv[:, 0], 1 - uv[:, 1]], 1).astype(np.float32)  # k3d's origin is the upper left
    item.texture, item.texture_file_format = encode_jpeg(mesh.texture, quality=92), "jpeg"
    return item


def _plot(lo: np.ndarray, hi: np.ndarray):
    """An empty plot that sees the box from lo (3,) to hi (3,), with the floor below it."""
    centre, radius = (lo + hi) / 2, max(float(np.linalg.norm(hi - lo)) / 2, 0.05)
    away = 1.05 * radius / np.tan(np.radians(FIELD_OF_VIEW) / 2)
    eye = centre + away * np.array([0.36, 0.22, 0.9]) / np.linalg.norm([0.36, 0.22, 0.9])
    plot = k3d.plot(
        camera_auto_fit=False,
        camera_mode="orbit",  # the default turns about any axis and tips the person over
        camera_up_axis="y",
        menu_visibility=False,
        grid_visible=False,
        axes_helper=0,
        height=460,
        camera_fov=FIELD_OF_VIEW,
        background_color=0xF4F5F7,
        lighting=1.6,
    )
    plot.camera = [*eye, *centre, 0.0, 1.0, 0.0]
    plot += _grid(floor(lo, hi))
    return plot


def _grid(ground: dict):
    """The lines of the floor."""
    (x0, z0), (x1, z1), y, step = ground["lo"], ground["hi"], ground["y"], ground["step"]
    xs, zs = (np.arange(round(a / step), round(b / step) + 1) * step for a, b in ((x0, x1), (z0, z1)))
    ends = [[[x, y, z0], [x, y, z1]] for x in xs] + [[[x0, y, z], [x1, y, z]] for z in zs]
    vertices = np.array(ends, np.float32).reshape(-1, 3)
    pairs = np.arange(len(vertices), dtype=np.uint32).reshape(-1, 2)
    return k3d.lines(vertices, pairs, indices_type="segment", shader="simple", color=0x98A0AC, width=0.004)
