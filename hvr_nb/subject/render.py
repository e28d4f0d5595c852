"""Pictures of the synthetic person with exact ground truth for every pixel (docs/body.md, 8)."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from tqdm import tqdm

from hvr_nb.body.model import posed
from hvr_nb.geometry.camera import camera_centre, project
from hvr_nb.geometry.mesh import face_normals, vertex_normals
from hvr_nb.geometry.raster import rasterize
from hvr_nb.subject.person import Subject, pose_subject
from hvr_nb.subject.room import paint_room, room_place
from hvr_nb.threads import over_frames
from hvr_nb.types import Body, Camera

LIGHT = np.array([0.42, 0.66, 0.62]) / np.linalg.norm([0.42, 0.66, 0.62])  # towards the lamp, world axes
SUN, SKY, GROUND = 0.42, 0.72, 0.54  # Lambertian lamp, ambient light from above and from below
GRAIN = 0.008  # standard deviation of the image noise, 0..1
SUPER = 2  # subpixels along each side of a pixel


@dataclass(frozen=True)
class Take:
    """A synthetic clip with its ground truth; T frames of H x W pixels."""

    frames: np.ndarray = field(repr=False)  # (T, H, W, 3) uint8 RGB
    alpha: np.ndarray = field(repr=False)  # (T, H, W) uint8, 0..255 coverage
    labels: np.ndarray = field(repr=False)  # (T, H, W) uint8 ATR, nonzero exactly where alpha >= 128
    depth: np.ndarray | None = field(repr=False)  # (T, H, W) float32 metres at pixel centres, 0 = background
    normals: np.ndarray | None = field(repr=False)  # (T, H, W, 3) float16, camera axes, 0 = background
    points25: np.ndarray = field(repr=False)  # (T, 25, 2) pixels, BODY_25
    joints: np.ndarray = field(repr=False)  # (T, 24, 3) metres, world, forward kinematics
    camera: Camera
    body: Body


def render_subject(
    subject: Subject,
    body: Body,
    camera: Camera | None = None,
    *,
    seed: int = 0,
    background: np.ndarray | None = None,
    shade: bool = True,
    geometry: bool = True,
    progress: bool = False,
) -> Take:
    """Render ``subject`` moving as ``body``.

    Args:
        camera: None takes ``body.camera``.
        seed: draws the room and the image noise.
        background: (H, W, 3) picture, 0..255, behind the person; None takes a plain room that is fixed in
            the world, so that every camera sees the same one.
        shade: False gives the texture colours without light.
        geometry: False leaves out depth and normals, which take most of the memory.
        progress: show a progress bar.
    """
    camera = camera or body.camera
    vertices = pose_subject(subject, body)
    bare, joints = posed(subject.model, body)
    if background is None:
        background = paint_room(camera, *room_place(bare), seed=seed)
    room = background.astype(np.float32)
    texture = fitting_texture(subject, vertices[0], camera)
    rng = np.random.default_rng([seed, 11])
    count, size = len(body), (camera.height, camera.width)
    take = Take(
        frames=np.empty((count, *size, 3), np.uint8),
        alpha=np.empty((count, *size), np.uint8),
        labels=np.empty((count, *size), np.uint8),
        camera=camera,
        body=body,
        joints=joints,
        depth=np.empty((count, *size), np.float32) if geometry else None,
        normals=np.empty((count, *size, 3), np.float16) if geometry else None,
        points25=body25_points(subject, bare, joints, camera),
    )
    colours = {}

    def draw(i: int) -> None:
        normals = vertex_normals(vertices[i], subject.faces).astype(np.float32)
        colours[i], take.alpha[i], take.labels[i] = _draw(
            subject, vertices[i], normals, camera, texture, shade
        )
        if geometry:
            take.depth[i], take.normals[i] = _measure(subject, vertices[i], normals, camera)

    drawn = over_frames(draw, range(count))
    for i in tqdm(drawn, total=count, desc="rendering", disable=not progress):  # in order, as noise is drawn
        cover = take.alpha[i, ..., None].astype(np.float32) / 255
        grain = rng.standard_normal((*size, 3), np.float32) * (GRAIN * 255)
        take.frames[i] = np.clip(colours.pop(i) + (1 - cover) * room + grain + 0.5, 0, 255).astype(np.uint8)
    return take


def body25_points(subject: Subject, vertices: np.ndarray, joints: np.ndarray, camera: Camera) -> np.ndarray:
    """(T, 25, 2) pixels of the BODY_25 points: limbs by forward kinematics, face and feet on the skin.

    Args:
        vertices: (T, V, 3) the bare posed body. joints: (T, 24, 3). Both world metres.
    """
    return project(body25_world(subject, vertices, joints), camera)


def body25_world(subject: Subject, vertices: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """(T, 25, 3) BODY_25 points, world metres; arguments as ``body25_points``."""
    limbs = {2: 17, 3: 19, 4: 21, 5: 16, 6: 18, 7: 20, 9: 2, 10: 5, 11: 8, 12: 1, 13: 4, 14: 7}
    points = np.einsum("kv,tvc->tkc", subject.model.body25.numpy(), vertices)
    for row, joint in limbs.items():
        points[:, row] = joints[:, joint]
    points[:, 1], points[:, 8] = joints[:, [16, 17]].mean(1), joints[:, [1, 2]].mean(1)
    return points


def fitting_texture(subject: Subject, vertices: np.ndarray, camera: Camera) -> np.ndarray:
    """The atlas (N, N, 3), reduced for posed vertices (V, 3) until texels are no smaller than subpixels."""
    uv = subject.uv
    (ax, ay), (bx, by) = (uv[:, 1] - uv[:, 0]).T, (uv[:, 2] - uv[:, 0]).T
    texels = np.abs(ax * by - ay * bx).sum() * len(subject.texture) ** 2
    square_metres = np.linalg.norm(face_normals(vertices, subject.faces), axis=1).sum()
    distance = np.linalg.norm(vertices.mean(0) - camera_centre(camera))
    pixels_per_metre = SUPER * camera.K[0, 0] / distance
    ratio = np.sqrt(texels / square_metres) / pixels_per_metre
    level = max(0, int(np.floor(np.log2(max(ratio, 1e-6)) + 0.3)))
    side = max(len(subject.texture) >> level, 8)
    if level == 0:
        return subject.texture
    return cv2.resize(subject.texture, (side, side), interpolation=cv2.INTER_AREA)


def shading(normals: np.ndarray) -> np.ndarray:
    """Brightness (N,) of a white Lambertian surface with world normals (N, 3): one lamp and a hemisphere."""
    lamp = np.maximum(normals @ LIGHT.astype(np.float32), 0)
    return SUN * lamp + GROUND + (SKY - GROUND) * (0.5 + 0.5 * normals[:, 1])


def _draw(subject: Subject, vertices, normals, camera: Camera, texture: np.ndarray, shade: bool):
    """Premultiplied colour (H, W, 3) float32 0..255, alpha (H, W) uint8 and labels (H, W) uint8."""
    size = (camera.height, camera.width)
    _, face, bary = rasterize(vertices, subject.faces, camera.scaled(SUPER))
    rows, cols = np.flatnonzero((face >= 0).any(1)), np.flatnonzero((face >= 0).any(0))
    colour, alpha = np.zeros((*size, 3), np.float32), np.zeros(size, np.uint8)
    labels = np.zeros(size, np.uint8)
    if len(rows) == 0:
        return colour, alpha, labels
    y0, y1 = rows[0] // SUPER, rows[-1] // SUPER + 1
    x0, x1 = cols[0] // SUPER, cols[-1] // SUPER + 1
    part = np.s_[y0 * SUPER : y1 * SUPER, x0 * SUPER : x1 * SUPER]
    face, bary = face[part], bary[part]
    hit = face >= 0
    f, w = face[hit], bary[hit]
    fine = np.zeros((*face.shape, 3), np.float32)
    fine[hit] = sample(texture, np.einsum("nkc,nk->nc", subject.uv.astype(np.float32)[f], w))
    if shade:
        n = _towards(_interpolated(normals, subject, f, w), vertices, subject, f, camera)
        fine[hit] *= shading(n)[:, None]
    small = (x1 - x0, y1 - y0)
    window = np.s_[y0:y1, x0:x1]
    colour[window] = cv2.resize(np.minimum(fine, 255), small, interpolation=cv2.INTER_AREA)
    cover = cv2.resize(hit.astype(np.float32), small, interpolation=cv2.INTER_AREA)
    alpha[window] = np.round(cover * 255)
    labels[window] = _vote(np.where(hit, subject.labels[face], 0))
    return colour, alpha, labels


def _interpolated(normals, subject: Subject, face: np.ndarray, bary: np.ndarray) -> np.ndarray:
    n = np.einsum("nkc,nk->nc", normals[subject.faces[face]], bary)
    return n / np.maximum(np.linalg.norm(n, axis=1, keepdims=True), 1e-8)


def _towards(n, vertices, subject: Subject, face: np.ndarray, camera: Camera) -> np.ndarray:
    """Normals turned to the camera where the inside of a sheet is seen (collar, hem)."""
    centre = camera_centre(camera).astype(np.float32)
    corner = vertices[subject.faces[:, 0]]
    inside = (face_normals(vertices, subject.faces) * (centre - corner)).sum(1) < 0
    return np.where(inside[face][:, None], -n, n)


def sample(texture: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """Bilinear colours (N, 3) float32 of a texture (S, S, 3) uint8 at uv (N, 2), origin lower left."""
    side, wide = len(texture), 1024
    padded = np.zeros((-(-len(uv) // wide) * wide, 2), np.float32)
    padded[: len(uv)] = uv
    x = (padded[:, 0] * side - 0.5).reshape(-1, wide)
    y = ((1 - padded[:, 1]) * side - 0.5).reshape(-1, wide)
    out = cv2.remap(texture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return out.reshape(-1, 3)[: len(uv)].astype(np.float32)


def _vote(labels: np.ndarray) -> np.ndarray:
    """(H, W) labels of subpixel labels (2H, 2W): the most frequent one, 0 where less than half is covered."""
    h, w = labels.shape[0] // SUPER, labels.shape[1] // SUPER
    four = labels.reshape(h, SUPER, w, SUPER).swapaxes(1, 2).reshape(h, w, 4)
    a, b, c, d = np.sort(four, axis=-1).transpose(2, 0, 1)
    return np.where(b == c, b, np.where((a == b) & (a > 0) & (c != d), a, d))


def _measure(subject: Subject, vertices, normals, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Depth (H, W) and camera normals (H, W, 3) at pixel centres."""
    depth, face, bary = rasterize(vertices, subject.faces, camera)
    hit = face >= 0
    out = np.zeros((*face.shape, 3), np.float16)
    n = _towards(_interpolated(normals, subject, face[hit], bary[hit]), vertices, subject, face[hit], camera)
    out[hit] = n @ camera.R.T.astype(np.float32)
    return np.where(hit, depth, 0).astype(np.float32), out
