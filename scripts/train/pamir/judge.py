"""Measuring a network on people that it never saw: the mesh against the clothed person, millimetres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hvr_nb.body.model import OPEN_BODY, load_body_model
from hvr_nb.methods.pamir.logits import cut_logits
from hvr_nb.methods.pamir.network import PamirNet
from hvr_nb.methods.pamir.octree import sample_band, surface_mesh
from hvr_nb.methods.pamir.volume import place_on_body, semantic_volume, vertex_codes
from hvr_nb.metrics.surfaces import surface_quality
from hvr_nb.types import Mesh
from scripts.train.pamir.people import draw_person
from scripts.train.pamir.poses import Poses, standing
from scripts.train.pamir.samples import View, draw_view

SEED = 777_001  # of the held-out people; no training uses it
CHUNK = 8_000  # points at a time
BAND = 0.08  # units of the cube around the body in which the network is asked
USUAL_UNITS = 0.46  # units of the cube in a metre, of the body that a blind network is told


@dataclass(frozen=True)
class Blindfold:
    """The same standing body for everyone: what a network is told that has the picture only."""

    vertices: np.ndarray  # (B, 3) in the cube
    faces: np.ndarray  # (F, 3)
    codes: np.ndarray  # (B, 3)
    volume: np.ndarray  # (3, S, S, S)

    def __call__(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """A batch whose bodies are replaced."""
        points = batch["points"]
        place = place_on_body(points.reshape(-1, 3).numpy(), self.vertices, self.faces, self.codes)
        volume = torch.from_numpy(self.volume).expand(len(points), -1, -1, -1, -1)
        return batch | {"volume": volume, "place": place.view(*points.shape[:2], -1)}


def blindfold(side: int) -> Blindfold:
    """The mean body, standing in the middle of the cube, with its volume of ``side`` voxels."""
    model = load_body_model(OPEN_BODY)
    pose = torch.as_tensor(standing(np.random.default_rng(0)), dtype=torch.float32).reshape(1, 72)
    vertices = USUAL_UNITS * model.pose(torch.zeros(10), pose, torch.zeros(1, 3))[0][0].numpy()
    vertices -= (vertices.max(0) + vertices.min(0)) / 2
    codes = vertex_codes(model.v_template.numpy())
    return Blindfold(vertices, model.faces, codes, semantic_volume(vertices, model.faces, codes, side=side))


def held_out_views(
    poses: Poses, outfits: tuple[str, ...], count: int, *, side: int, exact: bool, seed: int = SEED
) -> list[View]:
    """Views of people, poses and lights that no training uses; outfits in turn.

    Args:
        exact: the body is the true one; otherwise as it might be estimated.
    """
    model, views = load_body_model(OPEN_BODY), []
    for k in range(count):
        rng = np.random.default_rng([seed, k])
        person = draw_person(outfits[k % len(outfits)], model, rng)
        views.append(draw_view(person, poses.draw(rng), rng, side=side, exact=float(exact)))
    return views


@torch.no_grad()
def reconstructed(
    network: PamirNet, view: View, *, resolution: int = 128, told: Blindfold | None = None
) -> Mesh:
    """The mesh that a network makes of a view, in the cube.

    Args:
        resolution: cells along the cube. told: the body that a blind network is told instead of the view's.
    """
    body = told.vertices if told else view.body
    faces = view.person.model.faces
    codes = vertex_codes(view.person.model.v_template.numpy())
    picture = torch.from_numpy(view.picture.astype(np.float32) / 255).permute(2, 0, 1)[None]
    maps = network.features(picture)
    semantic = semantic_volume(body, faces, codes, side=network.sizes.volume)
    volumes = network.volume(torch.from_numpy(semantic)[None])

    def logits(points: np.ndarray) -> np.ndarray:
        points, out = points.astype(np.float32), np.empty(len(points), np.float32)
        place = place_on_body(points, body, faces, codes)
        for start in range(0, len(points), CHUNK):
            some = slice(start, start + CHUNK)
            there, at = (
                place[None, some] if network.sizes.body else None,
                torch.from_numpy(points[None, some]),
            )
            out[some] = network.logits(maps[-1:], volumes[-1:], at, place=there)[0][0].numpy()
        return cut_logits(out)

    def distance(points: np.ndarray) -> np.ndarray:
        return place_on_body(points.astype(np.float32), body, faces, codes)[:, 0].numpy()

    reach = (body.min(0) - BAND, body.max(0) + BAND) if told is None else (np.full(3, -0.5), np.full(3, 0.5))
    grid = sample_band(logits, distance, *reach, cell=1 / resolution, band=1.0 if told else BAND)
    return Mesh(*surface_mesh(grid))


def chamfer_mm(found: Mesh, view: View, *, samples: int = 30_000) -> dict[str, float]:
    """``surface_quality`` of a mesh in the cube against the clothed person, mm and degrees."""
    if len(found.faces) < 4:
        return {"chamfer_mm": 1000.0, "accuracy_mm": 1000.0, "completeness_mm": 1000.0, "normal_deg": 90.0}
    scale = 1 / view.units
    true = Mesh(view.clothed * scale, view.person.faces)
    return surface_quality(Mesh(found.vertices * scale, found.faces), true, samples=samples)


def judge(
    views: list[View], network: PamirNet | None, *, told: Blindfold | None = None, resolution: int = 128
) -> list[dict[str, float]]:
    """The measures of every view: of the body alone (network None), or of a network's mesh."""
    rows = []
    for view in views:
        if network is None:
            found = Mesh(view.body, view.person.model.faces)
        else:
            found = reconstructed(network, view, resolution=resolution, told=told)
        rows.append(chamfer_mm(found, view))
    return rows


def mean_of(rows: list[dict[str, float]], key: str = "chamfer_mm") -> float:
    """The mean of one measure over views."""
    return float(np.mean([row[key] for row in rows]))
