"""The rounds of the fit: template, poses, shape, each frame's own displacement (docs/surface.md, 2)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from tqdm import tqdm

from hvr_nb.body.kinematics import turn_joints
from hvr_nb.body.model import BodyModel
from hvr_nb.canonical.binding import Skin, bind_mesh, carried, pose_skin, skin_weights
from hvr_nb.canonical.loose_weights import blend_joints
from hvr_nb.drawing.pictures import to_uint8
from hvr_nb.geometry.functions import robust_weight, spread_indices
from hvr_nb.geometry.mesh import vertex_normals
from hvr_nb.geometry.nearest import on_surface
from hvr_nb.geometry.outline_distance import lookup, pixels_of, signed_distance
from hvr_nb.geometry.raster import interpolate, rasterize
from hvr_nb.metrics.images import iou, psnr
from hvr_nb.surface.albedo import Sightings, albedo_and_light, sighting
from hvr_nb.surface.carving import first_template, loose_volume
from hvr_nb.surface.clothed import layers
from hvr_nb.surface.clothed import pose as pose_step
from hvr_nb.surface.clothed.motion import bumps, heights, middles
from hvr_nb.surface.clothed.options import ShapeOptions
from hvr_nb.surface.clothed.parallax import find_step
from hvr_nb.surface.clothed.picture import draw_surface, lit
from hvr_nb.surface.completion import completed
from hvr_nb.surface.displace import consensus, relaxed, unfolded
from hvr_nb.surface.light import lobes
from hvr_nb.surface.normal_maps import detailed, directions
from hvr_nb.surface.remesh import remeshed
from hvr_nb.surface.rim import Rim, find_rim, shared_edges
from hvr_nb.surface.shading_normals import shaded_directions
from hvr_nb.types import Body, Camera, Canonical

ROUNDS = 6  # three on a coarse mesh, three on the fine one
FINE_FROM = 3
COARSER = 1.7  # sides of the triangles of the first rounds over those of the last
LOOKED_AT = 8  # frames that a round's figures are measured on
DETAILED = 2  # times that the surface is fitted to normal maps
NUDGE = 0.001  # metres along the normal, for the motion of points in the picture


@dataclass(frozen=True)
class Footage:
    """The N frames that the fit uses."""

    frames: np.ndarray  # (N, H, W, 3) uint8
    alpha: np.ndarray  # (N, H, W) uint8
    distances: list[np.ndarray]  # N of (H, W) float16, signed pixels outside the mask
    camera: Camera
    which: np.ndarray  # (N,) their numbers in the clip
    normals: np.ndarray | None = None  # (N, H, W, 3) uint8 of ``normal_maps.as_picture``
    cloth: np.ndarray | None = None  # (N, H, W) bool, pixels that labels call clothes


def footage(
    frames: np.ndarray,
    alpha: np.ndarray,
    camera: Camera,
    which: np.ndarray,
    normals: np.ndarray | None = None,
    cloth: np.ndarray | None = None,
) -> Footage:
    """The frames ``which`` (N,) of frames and, where there are any, normals, both (T, H, W, 3) uint8.

    Args:
        alpha: (T, H, W) uint8. camera: for these pictures, without distortion.
        cloth: (T, H, W) bool, pixels that labels call clothes, where there are labels.
    """
    return Footage(
        frames[which],
        alpha[which],
        [signed_distance(a) for a in alpha[which]],
        camera,
        which,
        None if normals is None else normals[which],
        None if cloth is None else cloth[which],
    )


class Fit:
    """Everything a round changes; ``train.train`` keeps and restores it."""

    def __init__(
        self, body: Body, film: Footage, canonical: Canonical, model: BodyModel, options: ShapeOptions
    ):
        self.film, self.canonical, self.model, self.options = film, canonical, model, options
        self.betas = body.betas
        self.poses, self.transl = body.poses.astype(np.float64), body.transl.astype(np.float64)
        self.vertices, self.faces = np.zeros((0, 3)), np.zeros((0, 3), np.int64)
        self.centres, self.heights = np.zeros((0, 3)), np.zeros((len(body), 0))
        self.shown: tuple[np.ndarray, np.ndarray] | None = None  # albedo and light after the last round

    def state_dict(self) -> dict:
        """What a round changes."""
        names = ("poses", "transl", "vertices", "faces", "centres", "heights")
        return {name: torch.from_numpy(np.array(getattr(self, name))) for name in names}

    def load_state_dict(self, state: dict) -> None:
        """Put back what ``state_dict`` gave."""
        for name, value in state.items():
            setattr(self, name, value.numpy().copy())

    def step(self, k: int, _rng) -> dict[str, float]:
        """Round ``k``; its figures: IoU of the silhouettes and PSNR on body pixels, in a few frames."""
        skin = self.skin()
        cell = self.options.cell
        if k == 0:
            mine = Skin(*(x[self.film.which] for x in (skin.vertices, skin.joints, skin.world)))
            film = self.film
            loose = loose_volume(self.canonical, mine, film.distances, film.camera, film.cloth)
            self.vertices, self.faces = first_template(self.canonical, loose, COARSER * cell)
        elif k == FINE_FROM:
            self.vertices, self.faces = remeshed(self.vertices, self.faces, cell)
        if k and self.options.refine_pose:
            rims, _, weights = self._rims(skin)
            turn, shift = pose_step.correction(
                rims, skin, weights, self.model.parents, self.film.which, len(self.poses)
            )
            self.poses, self.transl = turn_joints(self.poses, self.transl, turn, shift, self.model.parents)
            skin = self.skin()
        self._shape(skin, k)
        if k == ROUNDS - 1 and self.film.normals is not None and self.options.normals > 0:
            for _ in range(DETAILED):
                self._follow(skin, *self._mapped(skin), self.options.normals)
        elif k == ROUNDS - 1 and self.options.shading > 0:
            self._follow(skin, *self._shaded(skin), self.options.shading)
        if k == ROUNDS - 1 and self.options.motion:
            rims, normals, _ = self._rims(skin)
            self.centres = middles(self.vertices)
            self.heights = heights(
                rims, normals, bumps(self.vertices, self.centres), self.film.which, len(self.poses)
            )
        return self._figures(skin)

    def skin(self) -> Skin:
        """The bare body in all frames, by the poses as they are now."""
        return pose_skin(self.model, self.betas, self.poses, self.transl)

    def draw(self, frame: int, camera: Camera) -> np.ndarray | None:
        """A frame (H, W, 3) uint8 as the last round left it, over black; None before the first."""
        if self.shown is None:
            return None
        albedo, light = self.shown
        ((vertices, _),) = self.posed(self.skin(), self.vertices, self.faces, np.array([frame]))
        colour = lit(albedo, vertices, self.faces, light)
        return to_uint8(draw_surface(vertices, self.faces, colour, camera).rgb)

    def _shape(self, skin: Skin, k: int) -> None:
        rims, normals, _ = self._rims(skin)
        sigma = self.options.sigma * (2.5 if k == 0 else 1.5 if k == 1 else 1.0)
        move = consensus(rims, normals, self.vertices, self.faces, sigma=sigma, smooth=self.options.smooth)
        moved = self.vertices + vertex_normals(self.vertices, self.faces) * move[:, None]
        self.vertices = unfolded(self.vertices, relaxed(moved, self.faces), self.faces)

    def _mapped(self, skin: Skin) -> tuple[np.ndarray, np.ndarray]:
        """Normals (V, 3) of the big-pose mesh by the film's normal maps, and trust in them (V,)."""
        film, bound = self.film, bind_mesh(self.vertices, self.faces, self.canonical)
        posed = self.posed(skin, self.vertices, self.faces, film.which)
        views = (
            (x, normal, skin.world[k], film.normals[n], film.distances[n])
            for n, (k, (x, normal)) in enumerate(zip(film.which, posed, strict=True))
        )
        return directions(
            views, self.vertices, self.faces, skin_weights(bound), self.canonical.A_big, film.camera
        )

    def _shaded(self, skin: Skin) -> tuple[np.ndarray, np.ndarray]:
        """The same by shading: how the surface brightens and darkens while the person turns."""
        film, weights = self.film, skin_weights(bind_mesh(self.vertices, self.faces, self.canonical))
        seen = self._sightings(skin, self.vertices, self.faces, np.arange(len(film.which)))
        albedo, light = albedo_and_light(seen)
        to_rest = np.linalg.inv(blend_joints(weights, self.canonical.A_big)[:, :, :3])
        turns = (
            (blend_joints(weights, skin.world[k])[:, :, :3] @ to_rest).astype(np.float32) for k in film.which
        )
        views = zip(seen.rgb, seen.weight, seen.normal, turns, strict=True)
        return shaded_directions(views, self.vertices, self.faces, np.nan_to_num(albedo), light)

    def _follow(self, skin: Skin, wanted: np.ndarray, trust: np.ndarray, weight: float) -> None:
        """Move the big-pose mesh so that its normals become ``wanted`` (V, 3), as far as outlines allow."""
        held = self._held(skin)
        moved = detailed(self.vertices, self.faces, wanted, trust, held=held, weight=weight)
        self.vertices = unfolded(self.vertices, moved, self.faces)

    def _held(self, skin: Skin) -> np.ndarray:
        """(V,) in how many frames an outline fixed a vertex's place."""
        return sum(
            np.bincount(
                seen.vertex, seen.trust * robust_weight(seen.residual, self.options.sigma), len(self.vertices)
            )
            for seen in self._rims(skin)[0]
        )

    def _rims(self, skin: Skin) -> tuple[list[Rim], list[np.ndarray], np.ndarray]:
        """Rims and world normals (V, 3) of the mesh in the film's frames, and its skin weights (V, 24)."""
        bound, edges, faces = (
            bind_mesh(self.vertices, self.faces, self.canonical),
            shared_edges(self.faces),
            self.canonical.faces,
        )
        rims, normals = [], []
        for k, distance in zip(self.film.which, self.film.distances, strict=True):
            x = carried(bound, faces, skin.vertices[k], skin.world[k]).astype(np.float64)
            rims.append(find_rim(x, self.faces, edges, self.film.camera, distance))
            normals.append(vertex_normals(x, self.faces))
        return rims, normals, skin_weights(bound)

    def posed(self, skin: Skin, vertices: np.ndarray, faces: np.ndarray, which: np.ndarray):
        """World vertices (V, 3) and normals (V, 3) of a big-pose mesh in the frames ``which``, one by one."""
        bound = bind_mesh(vertices, faces, self.canonical)
        basis = bumps(vertices, self.centres) if len(self.centres) else None
        for k in which:
            x = carried(bound, self.canonical.faces, skin.vertices[k], skin.world[k]).astype(np.float64)
            normal = vertex_normals(x, faces)
            if basis is not None:
                x = x + normal * (basis @ self.heights[k])[:, None]
            yield x, normal

    def sightings(self, vertices: np.ndarray, faces: np.ndarray) -> Sightings:
        """What all frames show of a big-pose mesh (V, 3), (F, 3)."""
        return self._sightings(self.skin(), vertices, faces, np.arange(len(self.film.which)))

    def layered(
        self, vertices: np.ndarray, faces: np.ndarray, albedo: np.ndarray, seen: Sightings, finer
    ) -> tuple[np.ndarray, Sightings, list[layers.Drop]]:
        """A big-pose mesh (V, 3), (F, 3) with steps where cloth lies over cloth.

        Args:
            albedo: (V, 3), 0..1. seen: sightings of the mesh; they are changed with it.
            finer: (V, own) matrix that makes the mesh's vertices from the fit's own.

        Returns:
            Its vertices, its sightings, and the steps.
        """
        film, part = self.film, layers.parts(albedo, vertices, faces)
        tint = layers.tints(part, albedo)
        grey = [
            cv2.cvtColor(np.ascontiguousarray(f), cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
            for f in film.frames
        ]
        steps, known = [], set()
        for border in tqdm(layers.borders(part, vertices, faces, tint), desc="borders", leave=False):
            k = border.near
            pixels = [pixels_of(x[k], film.camera)[0] for x in seen.positions]
            along = [
                (pixels_of(x[k] + NUDGE * n[k], film.camera)[0] - p) / NUDGE
                for x, n, p in zip(seen.positions, seen.normal, pixels, strict=True)
            ]
            trust = border.each * seen.weight[:, k]
            depth, error = find_step(
                part[k] == border.parts[1], pixels, along, trust, grey, hopeless=2 * layers.ERROR
            )
            step = layers.believed(border, depth, error)
            steps += [step] if step else []
            known |= {border.parts} if error < layers.ERROR else set()
        if not steps:
            return vertices, seen, []
        found = layers.drops(steps, part, faces, tint, known)
        vertices = self._slid(vertices, faces, found, seen)
        stepping = layers.stepped(vertices, faces, part, found, finer @ self._held(self.skin()))
        at = np.union1d(np.flatnonzero(stepping), np.concatenate([d.edges.ravel() for d in found]))
        for picture, x, n, rgb in zip(film.frames, seen.positions, seen.normal, seen.rgb, strict=True):
            x[at] += n[at] * stepping[at, None]
            rgb[at] = lookup(picture.astype(np.float32), pixels_of(x[at], film.camera)[0]) + 0.5
        return vertices + vertex_normals(vertices, faces) * stepping[:, None], seen, found

    @staticmethod
    def _slid(
        vertices: np.ndarray, faces: np.ndarray, found: list[layers.Drop], seen: Sightings
    ) -> np.ndarray:
        """Vertices (V, 3) with straight edges of the upper cloth; the sightings' places follow."""
        ids, face, bary = layers.straightened(vertices, faces, np.concatenate([d.edges for d in found]))
        for x in seen.positions:
            x[ids] = on_surface(x, faces, face, bary)
        out = vertices.copy()
        out[ids] = on_surface(vertices, faces, face, bary)
        return out

    def _sightings(self, skin: Skin, vertices: np.ndarray, faces: np.ndarray, which: np.ndarray) -> Sightings:
        rgb, weight, places, normals = [], [], [], []
        posed = self.posed(skin, vertices, faces, self.film.which[which])
        for k, (x, normal) in zip(which, posed, strict=True):
            seen = sighting(x, normal, faces, self.film.camera, self.film.frames[k], self.film.distances[k])
            rgb.append(seen[0])
            weight.append(seen[1])
            places.append(x.astype(np.float32))
            normals.append(normal.astype(np.float16))
        return Sightings(*(np.stack(x) for x in (rgb, weight, places, normals)))

    def _figures(self, skin: Skin) -> dict[str, float]:
        some = spread_indices(len(self.film.which), LOOKED_AT)
        seen = self._sightings(skin, self.vertices, self.faces, some)
        self.shown = colour, light = colours(seen, self.vertices, self.faces)
        overlap, quality = [], []
        for k, (x, normal) in zip(
            some, self.posed(skin, self.vertices, self.faces, self.film.which[some]), strict=True
        ):
            _, face, bary = rasterize(x, self.faces, self.film.camera)
            inside = self.film.alpha[k] > 127
            lit = np.clip(colour * (lobes(normal) @ light)[:, None], 0, 1).astype(np.float32)
            picture = interpolate(lit, self.faces, face, bary)
            overlap.append(iou(face >= 0, inside))
            quality.append(psnr(picture, self.film.frames[k].astype(np.float32) / 255, inside))
        return {"iou": float(np.mean(overlap)), "psnr_body": float(np.mean(quality))}


def colours(seen: Sightings, vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Albedo (V, 3), 0..1, of a big-pose mesh (V, 3), (F, 3), gaps completed, and light (LAMPS,)."""
    colour, light = albedo_and_light(seen)
    return completed(colour, seen.weight.sum(0), vertices, faces), light
