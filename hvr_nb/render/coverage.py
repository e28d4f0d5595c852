"""Which of an avatar's surface was filmed, in how many frames, and how well it agrees there.

Surface that no frame shows is a guess; ``coverage_map`` shows it grey.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from hvr_nb.drawing.pictures import contact_sheet, stack
from hvr_nb.drawing.plots import plot_colour_bar
from hvr_nb.geometry.camera import camera_centre, project, to_camera
from hvr_nb.geometry.mesh import vertex_normals
from hvr_nb.geometry.raster import interpolate, rasterize
from hvr_nb.methods import Avatar, require_gives
from hvr_nb.render.cameras import portrait, turntable
from hvr_nb.types import Body, Camera, Masks, Mesh

BEHIND = 0.02  # metres: a vertex this far behind the z-buffer is hidden
GRAZING = 0.2  # cosine: surface seen flatter than this (78 degrees) does not count as seen
UNSEEN = np.array([176, 176, 176], np.uint8)


@dataclass(frozen=True)
class Coverage:
    """Per vertex of the avatar's surface."""

    frames: np.ndarray  # (N,) int, number of frames that show it
    residual: np.ndarray  # (N,) mean colour difference to them, 0..1; NaN where never seen

    def __repr__(self) -> str:
        return f"Coverage({100 * (self.frames > 0).mean():.0f} % of {len(self.frames)} vertices seen)"


def surface_coverage(avatar: Avatar, body: Body, frames: np.ndarray, masks: Masks, *, which=None) -> Coverage:
    """In how many frames each vertex of the avatar's surface is seen, and how far its colour is off there.

    Args:
        avatar: of a method that gives ``surface``.
        body: T poses. frames: (T, H, W, 3) uint8. which: frames to look at; None: all observed ones.
    """
    require_gives(avatar, "surface_coverage", "surface")
    which = np.flatnonzero(body.valid) if which is None else np.asarray(which)
    count = error = 0
    for k in tqdm(which, desc="coverage", unit="frame", leave=False):
        mesh = avatar.surface(body.frame(int(k)))
        seen, pixel = visible(mesh, body.camera, masks.alpha[k] > 127)
        difference = np.zeros(len(seen))
        shown = frames[k].reshape(-1, 3)[pixel[seen]].astype(float)
        difference[seen] = np.abs(shown - mesh.colors[seen]).mean(-1) / 255
        count, error = count + seen.astype(int), error + difference
    return Coverage(count, np.where(count > 0, error / np.maximum(count, 1), np.nan))


def visible(mesh: Mesh, camera: Camera, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices of a mesh that a picture shows.

    Args:
        inside: (H, W) bool, pixels of the person.

    Returns:
        (N,) bool; (N,) flat pixel index of every vertex, clipped to the picture.
    """
    depth, _, _ = rasterize(mesh.vertices, mesh.faces, camera)
    at = np.floor(project(mesh.vertices, camera))
    size = np.array([camera.width, camera.height])
    in_picture = ((at >= 0) & (at < size)).all(1)
    col, row = np.clip(np.nan_to_num(at), 0, size - 1).astype(int).T
    pixel = row * camera.width + col
    near = to_camera(mesh.vertices, camera)[:, 2] < depth.ravel()[pixel] + BEHIND
    toward = camera_centre(camera) - mesh.vertices
    toward /= np.linalg.norm(toward, axis=1, keepdims=True)
    facing = (vertex_normals(mesh.vertices, mesh.faces) * toward).sum(1) > GRAZING
    return in_picture & near & facing & inside.ravel()[pixel], pixel


def coverage_quality(coverage: Coverage) -> dict[str, float]:
    """seen_pct of the surface's vertices, the median number of frames, and the mean residual in per cent."""
    seen = coverage.frames > 0
    return {
        "seen_pct": float(100 * seen.mean()),
        "seen_frames": float(np.median(coverage.frames)),
        "residual_pct": float(100 * np.nanmean(coverage.residual)) if seen.any() else float("nan"),
    }


def coverage_map(
    coverage: Coverage, mesh: Mesh, camera: Camera, joints: np.ndarray, *, side: int = 320
) -> np.ndarray:
    """(H, W, 3) uint8: front, sides and back of the surface, how often it was filmed and how far off it is.

    Below each row stands a bar of its colours.

    Args:
        mesh: the surface in some pose. joints: (24, 3) of that pose, metres. side: of a picture, pixels.
    """
    import matplotlib

    views = [c.scaled(side / c.width) for c in turntable(portrait(camera, joints), joints[None], views=4)]
    most, worst = max(int(coverage.frames.max(initial=0)), 1), 0.15
    rows, names = [], ("as filmed", "90° round", "180° round", "270° round")
    for name, values, top in (
        ("frames that show it", coverage.frames, most),
        ("mean colour difference, %", coverage.residual * 100, worst * 100),
    ):
        colours = matplotlib.colormaps["viridis"](np.clip(np.nan_to_num(values) / top, 0, 1))[:, :3]
        colours = np.where(coverage.frames[:, None] > 0, colours, UNSEEN / 255)
        sheet = contact_sheet([_picture(mesh, colours, view) for view in views], names, columns=4, tile=side)
        rows += [sheet, plot_colour_bar(name, top, grey="never filmed, a guess", width=sheet.shape[1])]
    return stack(rows)


def _picture(mesh: Mesh, colours: np.ndarray, camera: Camera) -> np.ndarray:
    _, face_id, bary = rasterize(mesh.vertices, mesh.faces, camera)
    image = interpolate(colours, mesh.faces, face_id, bary)
    light = interpolate(vertex_normals(mesh.vertices, mesh.faces), mesh.faces, face_id, bary) @ -camera.R[2]
    image = image * (0.55 + 0.45 * np.clip(light, 0, 1))[..., None]
    return np.where((face_id >= 0)[..., None], np.clip(image * 255, 0, 255), 255).astype(np.uint8)
