"""Shaded pictures of meshes: a body over a frame, a mesh from several sides.

Phong shading over the z-buffer of ``hvr_nb.geometry.raster``, with a key light from the upper left behind
the camera and a weak fill light from the right.
"""

from __future__ import annotations

import cv2
import numpy as np

from hvr_nb.geometry.camera import default_camera, look_at
from hvr_nb.geometry.mesh import vertex_normals
from hvr_nb.geometry.raster import interpolate, rasterize
from hvr_nb.threads import over_frames
from hvr_nb.types import Body, Camera, HvrError, Mesh

SKIN = (150, 178, 214)  # the body's colour in every picture
# directions towards the light in camera axes (x right, y down, z forward), and their strength
LIGHTS = (((-0.45, -0.65, -0.75), 0.62), ((0.85, -0.1, -0.5), 0.2))
AMBIENT, SKY = 0.3, 0.12


def shade(mesh: Mesh, camera: Camera, *, supersample: int = 2) -> np.ndarray:
    """A shaded picture of a mesh on a transparent background.

    Args:
        mesh: world mesh, metres. Coloured by its texture, or by its vertex colours, or plain.
        camera: the camera; the picture has its size.
        supersample: samples per pixel along each axis, for smooth edges.

    Returns:
        (H, W, 4) float32: RGB 0..255 multiplied by alpha, and alpha 0..1.
    """
    fine = camera.scaled(supersample) if supersample > 1 else camera
    depth, face_id, bary = rasterize(mesh.vertices, mesh.faces, fine)
    hit = face_id >= 0
    normals = vertex_normals(np.asarray(mesh.vertices, np.float64), mesh.faces) @ camera.R.T
    n = interpolate(normals, mesh.faces, face_id, bary)[hit]
    n /= np.maximum(np.linalg.norm(n, axis=1, keepdims=True), 1e-9)
    row, col = np.nonzero(hit)
    view = np.stack(
        [
            (col + 0.5 - fine.K[0, 2]) / fine.K[0, 0],
            (row + 0.5 - fine.K[1, 2]) / fine.K[1, 1],
            np.ones(len(row)),
        ],
        1,
    )
    n[(n * view).sum(1) > 0] *= -1  # open surfaces are lit on both sides
    out = np.zeros((fine.height, fine.width, 4), np.float32)
    lit = _albedo(mesh, face_id, bary, hit) * _light(n)[:, None] + _gloss(n)[:, None]
    out[hit, :3] = np.clip(lit, 0, 255)
    out[hit, 3] = 1.0
    if supersample > 1:
        out = cv2.resize(out, (camera.width, camera.height), interpolation=cv2.INTER_AREA)
    return out


def _light(normals: np.ndarray) -> np.ndarray:
    """(N,) brightness of unit normals (N, 3) in camera axes."""
    total = AMBIENT + SKY * (0.5 - 0.5 * normals[:, 1])
    for direction, strength in LIGHTS:
        towards = np.asarray(direction) / np.linalg.norm(direction)
        total = total + strength * np.maximum(normals @ towards, 0)
    return total


def _gloss(normals: np.ndarray) -> np.ndarray:
    """(N,) soft specular highlight, 0..22 grey levels (Blinn's half vector)."""
    half = np.asarray(LIGHTS[0][0]) / np.linalg.norm(LIGHTS[0][0]) + [0, 0, -1]
    return 22 * np.maximum(normals @ (half / np.linalg.norm(half)), 0) ** 24


def _albedo(mesh: Mesh, face_id: np.ndarray, bary: np.ndarray, hit: np.ndarray) -> np.ndarray:
    """(N, 3) colour 0..255 at the pixels ``hit``."""
    if mesh.texture is not None and mesh.uv is not None and mesh.uv_faces is not None:
        uv = interpolate(mesh.uv, mesh.uv_faces, face_id, bary)[hit]
        height, width = mesh.texture.shape[:2]
        x = (uv[:, 0] * width - 0.5).astype(np.float32)
        y = ((1 - uv[:, 1]) * height - 0.5).astype(np.float32)
        return _sample(mesh.texture, x, y)
    if mesh.colors is not None:
        return interpolate(np.asarray(mesh.colors, np.float32)[:, :3], mesh.faces, face_id, bary)[hit]
    return np.broadcast_to(np.float32(SKIN), (int(hit.sum()), 3))


def _sample(texture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(N, 3) bilinear samples of a texture (H, W, 3) at pixel indices x, y (N,)."""
    x, y = np.clip(x, 0, texture.shape[1] - 1), np.clip(y, 0, texture.shape[0] - 1)
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    x1, y1 = np.minimum(x0 + 1, texture.shape[1] - 1), np.minimum(y0 + 1, texture.shape[0] - 1)
    fx, fy = (x - x0)[:, None], (y - y0)[:, None]
    top = texture[y0, x0] * (1 - fx) + texture[y0, x1] * fx
    return top * (1 - fy) + (texture[y1, x0] * (1 - fx) + texture[y1, x1] * fx) * fy


def draw_mesh(image: np.ndarray, mesh: Mesh, camera: Camera, *, opacity: float = 0.85) -> np.ndarray:
    """A shaded mesh over an image (H, W, 3) uint8; the camera is scaled to the size of the image."""
    ratio = image.shape[1] / camera.width
    fitted = camera if ratio == 1 else camera.scaled(ratio)
    layer = shade(mesh, fitted)
    if layer.shape[:2] != image.shape[:2]:
        layer = cv2.resize(layer, image.shape[1::-1], interpolation=cv2.INTER_AREA)
    return (image * (1 - opacity * layer[..., 3:]) + opacity * layer[..., :3]).round().astype(np.uint8)


def body_overlay(frames: np.ndarray, body: Body, model, *, opacity: float = 0.85) -> np.ndarray:
    """The body drawn over every frame.

    Args:
        frames: (T, H, W, 3) uint8. body: T frames. model: the ``BodyModel`` it was fitted with.

    Returns:
        (T, H, W, 3) uint8.

    Raises:
        HvrError: the numbers of frames differ.
    """
    from hvr_nb.body.model import posed

    vertices, out = posed(model, body)[0], np.empty(np.shape(frames), np.uint8)
    if len(frames) != len(vertices):
        raise HvrError(f"{len(frames)} frames and a body of {len(vertices)}")

    def draw(k: int) -> None:
        out[k] = draw_mesh(frames[k], Mesh(vertices[k], model.faces), body.camera, opacity=opacity)

    list(over_frames(draw, range(len(frames))))
    return out


def viewpoint(lo: np.ndarray, hi: np.ndarray, *, angle: float, height: int, aspect: float = 0.0) -> Camera:
    """A camera that sees the whole box from ``lo`` (3,) to ``hi`` (3,), metres.

    Args:
        angle: radians about the vertical; 0 looks at the +z side, the front of a body.
        height: height of the picture, pixels. aspect: width / height; 0 fits the box.
    """
    centre, size = (lo + hi) / 2, np.maximum(hi - lo, 1e-3)
    across = float(np.hypot(size[0] * np.cos(angle), size[2] * np.sin(angle)))
    tall = float(size[1])
    aspect = aspect or float(np.clip(1.15 * across / tall, 0.45, 2.2))
    focal = 2.2 * height
    depth = max(tall, across / aspect) * 1.15 * focal / height
    away = depth + float(np.hypot(size[0] * np.sin(angle), size[2] * np.cos(angle))) / 2
    eye = centre + away * np.array([np.sin(angle), 0.12, np.cos(angle)])
    return look_at(eye, centre, default_camera(max(8, round(height * aspect)), height, focal))


def views(mesh: Mesh, *, angles=(0.0, np.pi / 2, np.pi, -np.pi / 2), height: int = 320) -> list[np.ndarray]:
    """Pictures (height, W, 3) uint8 of a mesh on white, one for each angle (radians) about the vertical."""
    vertices = np.asarray(mesh.vertices, np.float64)
    lo, hi = vertices.min(0), vertices.max(0)
    out = []
    for angle in angles:
        layer = shade(mesh, viewpoint(lo, hi, angle=angle, height=height))
        out.append((255 * (1 - layer[..., 3:]) + layer[..., :3]).round().astype(np.uint8))
    return out


def body_from_sides(body: Body, model, *, frame: int | None = None, height: int = 320) -> np.ndarray:
    """(H, W, 3) uint8 picture of the body in one frame from four sides: it shows what an overlay hides.

    Args:
        body: T frames. model: the ``BodyModel`` it was fitted with. frame: None takes the middle one.
    """
    from hvr_nb.body.model import posed

    at = np.flatnonzero(body.valid) if body.valid.any() else np.arange(len(body))
    chosen = int(at[len(at) // 2]) if frame is None else frame
    vertices = posed(model, body.frame(chosen))[0][0]
    return np.concatenate(views(Mesh(vertices, model.faces), height=height), axis=1)


def distinct_colours(count: int) -> np.ndarray:
    """(count, 3) uint8 colours far apart in hue; neighbours differ in brightness too."""
    hue = (np.arange(count) * 0.61803399) % 1.0 * 180
    value = np.where(np.arange(count) % 2, 250, 215)
    hsv = np.stack([hue, np.full(count, 125), value], 1).astype(np.uint8)
    return cv2.cvtColor(hsv[None], cv2.COLOR_HSV2RGB)[0]


def weight_colours(weights: np.ndarray) -> np.ndarray:
    """(V, 3) uint8 colours of the joints, mixed by the blend weights (V, J)."""
    return (weights @ distinct_colours(weights.shape[1])).round().clip(0, 255).astype(np.uint8)
