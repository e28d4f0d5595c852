"""People to learn from: a random body in clothes of random looseness, with hair, shoes and perhaps a bag.

A clothed person is a solid: the union of the body and of each garment, whose openings are closed by cones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import trimesh
from scipy import sparse

from hvr_nb.body import skinning
from hvr_nb.body.model import BodyModel
from hvr_nb.geometry.winding import close_with_cones, winding_numbers
from hvr_nb.subject.garments import Marks, make_marks
from hvr_nb.subject.layers import ClothLayer
from hvr_nb.subject.outfits import dress
from hvr_nb.subject.texture import noise, paint_skin

BETAS = 0.9  # standard deviation of each; at most 2
BARE, BAG, LONG_HAIR = 0.08, 0.12, 0.15  # shares of people without hair, with a bag, with long hair


@dataclass(frozen=True)
class DrawnPerson:
    """A clothed person in the rest pose; V vertices, W of them tips of cones that close the garments."""

    model: BodyModel
    betas: np.ndarray  # (10,)
    outfit: str
    positions: np.ndarray  # (V, 3) metres, rest pose, without the tips
    faces: np.ndarray  # (F, 3) what is seen
    albedo: np.ndarray  # (V, 3) 0..1
    weights: np.ndarray  # (V, 24)
    carry: sparse.csr_array  # (V, B) body vertices whose pose correctives a vertex takes
    tips: sparse.csr_array  # (W, V) tips of cones from the vertices
    solid: np.ndarray  # (G, 3) closed faces of the garments, into vertices and tips

    def posed(self, pose: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Clothed (V, 3) and bare (B, 3) vertices, metres, in a pose (24, 3), without translation."""
        rotations = skinning.axis_angle_to_matrix(torch.as_tensor(pose, dtype=torch.float32)[None])
        with torch.no_grad():
            rest, joints = self.model.shaped(torch.as_tensor(self.betas, dtype=torch.float32))
            world, placed = skinning.forward_kinematics(rotations, joints, self.model.parents)
            transforms = skinning.rest_relative(world, placed, joints)
            bend = (rotations[:, 1:] - torch.eye(3)).reshape(1, 207) @ self.model.posedirs
            bend = bend.reshape(-1, 3)
            both = torch.cat(
                [rest + bend, torch.as_tensor(self.positions + self.carry @ bend.numpy()).float()]
            )
            weights = torch.cat([self.model.weights, torch.as_tensor(self.weights).float()])
            x = skinning.transform_points(skinning.blend_transforms(transforms, weights), both[None])[0]
        return x[len(rest) :].numpy(), x[: len(rest)].numpy()

    def inside(self, points: np.ndarray, clothed: np.ndarray, bare: np.ndarray) -> np.ndarray:
        """(N,) bool, points (N, 3) inside the person whose posed vertices (V, 3) and (B, 3) are given."""
        vertices = np.concatenate([bare, clothed, self.tips @ clothed])
        faces = np.concatenate([self.model.faces, self.solid + len(bare)])
        return winding_numbers(points, vertices, faces) > 0


def draw_person(outfit: str, model: BodyModel, rng: np.random.Generator) -> DrawnPerson:
    """A person in an outfit, everything else drawn at random."""
    betas = np.clip(rng.normal(0, BETAS, 10), -2, 2)
    rest, joints = (a.numpy().astype(np.float64) for a in model.shaped(torch.as_tensor(betas).float()))
    marks = make_marks(model, rest, joints)
    dressed = dress(
        model,
        rest,
        marks,
        outfit,
        sleeve="long" if rng.random() < 0.4 else "short",
        nape=float(rng.uniform(0.04, 0.10)),
        volume=float(rng.uniform(0.010, 0.030)),
    )
    layers = [
        loosened(layer, rest, rng) for layer in dressed.layers if layer.name != "hair" or rng.random() > BARE
    ]
    if rng.random() < BAG:
        layers.append(bag(model, marks, rng))
    if rng.random() < LONG_HAIR:
        layers.append(long_hair(model, marks, rng))
    return _joined(layers, model, betas, outfit, marks, rng)


def loosened(layer: ClothLayer, rest: np.ndarray, rng: np.random.Generator) -> ClothLayer:
    """A garment tighter or looser than made, with folds; the skin as it is."""
    if layer.name == "skin":
        return layer
    x = layer.positions
    held = np.diff(layer.carry.indptr) > 0
    base = np.where(held[:, None], layer.carry @ rest, x)
    least, most = {"shoes": (0.8, 1.3), "hair": (0.7, 2.0)}.get(layer.name, (0.5, 2.4))
    if not held.all():  # cloth on the body goes over into a skirt off it
        least, most = 0.85, 1.2
    wave = noise(x, float(rng.uniform(0.10, 0.30)), int(rng.integers(1 << 30)))
    factor = np.exp(rng.uniform(np.log(least), np.log(most))) * (1 + 0.35 * wave)
    folds = noise(x, float(rng.uniform(0.03, 0.07)), int(rng.integers(1 << 30)))
    factor = factor * (1 + 0.3 * folds) if layer.name not in ("shoes", "hair") else factor
    moved = base + (x - base) * np.maximum(factor, 0.3)[:, None]
    if not held.all():  # a skirt that does not lie on the body: wider or narrower towards its hem
        free = x[~held]
        down = (free[:, 1].max() - free[:, 1]) / max(np.ptp(free[:, 1]), 1e-6)
        middle = np.array([free[:, 0].mean(), 0, free[:, 2].mean()])
        wide = 1 + down * (rng.uniform(-0.15, 0.35) + 0.08 * folds[~held])
        moved[~held] = np.where([True, False, True], middle + (free - middle) * wide[:, None], free)
    return ClothLayer(**{**layer.__dict__, "positions": moved})


def _blob(model: BodyModel, name: str, centre, radii, weights: np.ndarray, label: int) -> ClothLayer:
    ball = trimesh.creation.icosphere(3)
    x = np.asarray(ball.vertices) * radii + centre
    faces = np.asarray(ball.faces)
    return ClothLayer(
        name=name,
        positions=x,
        faces=faces,
        uv=np.zeros((len(faces), 3, 2)),
        carry=sparse.csr_array((len(x), model.v_count)),
        weights=np.tile(weights, (len(x), 1)),
        labels=np.full(len(faces), label, np.uint8),
        tile=2,
    )


def bag(model: BodyModel, marks: Marks, rng: np.random.Generator) -> ClothLayer:
    """A bag at the hip or on the back."""
    weights = np.zeros(24)
    if rng.random() < 0.5:
        weights[0], side = 1.0, rng.choice([-1, 1])
        centre = marks.joints[0] + [side * rng.uniform(0.20, 0.26), rng.uniform(-0.12, 0.05), 0]
        radii = rng.uniform([0.04, 0.09, 0.09], [0.07, 0.14, 0.15])
    else:
        weights[6] = 1.0
        centre = marks.joints[6] + [0, rng.uniform(0, 0.12), -rng.uniform(0.15, 0.2)]
        radii = rng.uniform([0.12, 0.16, 0.06], [0.17, 0.24, 0.12])
    return _blob(model, "bag", centre, radii, weights, 16)


def long_hair(model: BodyModel, marks: Marks, rng: np.random.Generator) -> ClothLayer:
    """Hair that falls down to the shoulders or below, behind the head."""
    weights = np.zeros(24)
    weights[15], weights[12] = 0.7, 0.3
    length = rng.uniform(0.12, 0.24)
    centre = marks.joints[15] + [0, 0.06 - length / 2, -rng.uniform(0.05, 0.08)]
    return _blob(
        model, "long hair", centre, [rng.uniform(0.06, 0.1), length, rng.uniform(0.04, 0.06)], weights, 2
    )


def _joined(layers, model, betas, outfit, marks, rng) -> DrawnPerson:
    starts = np.cumsum([0, *(len(layer.positions) for layer in layers)])
    count, tips, solid = starts[-1], [], []
    for layer, start in zip(layers, starts[:-1], strict=True):
        if layer.name == "skin":  # the whole body stands for it
            continue
        own = len(layer.positions)
        closed, mean = close_with_cones(layer.faces, own)
        done = sum(t.shape[0] for t in tips)
        solid.append(np.where(closed < own, closed + start, closed - own + count + done))
        mean = sparse.coo_array(mean)
        tips.append(
            sparse.csr_array(
                (mean.data, (mean.coords[0], mean.coords[1] + start)), shape=(mean.shape[0], count)
            )
        )
    return DrawnPerson(
        model=model,
        betas=betas,
        outfit=outfit,
        positions=np.concatenate([layer.positions for layer in layers]),
        faces=np.concatenate([layer.faces + s for layer, s in zip(layers, starts[:-1], strict=True)]),
        albedo=np.concatenate([paint(layer, marks, rng) for layer in layers]).astype(np.float32),
        weights=np.concatenate([layer.weights for layer in layers]),
        carry=sparse.csr_array(sparse.vstack([layer.carry for layer in layers])),
        tips=sparse.csr_array(sparse.vstack(tips)),
        solid=np.concatenate(solid),
    )


def paint(layer: ClothLayer, marks: Marks, rng: np.random.Generator) -> np.ndarray:
    """Random colours (V, 3) of a layer: skin with a face, cloth plain, striped, checked or blotched."""
    x, seed = layer.positions, int(rng.integers(1 << 20))
    if layer.name == "skin":
        tone = np.array([0.95, 0.75, 0.63]) * np.array([1.0, 0.95, 0.9]) ** rng.uniform(0, 4)
        return paint_skin(x, marks, tone * rng.uniform(0.45, 1.0), rng.uniform(0.1, 0.5, 3), seed)
    base, other = rng.uniform(0.03, 0.97, (2, 3))
    if rng.random() < 0.4:  # many clothes are grey, black or white
        base = base.mean() + 0.1 * (base - base.mean())
    width = float(np.exp(rng.uniform(np.log(0.03), np.log(0.2))))
    pattern = rng.integers(5) if layer.name not in ("hair", "long hair") else 0
    wave = {
        0: lambda: 0.3 * noise(x, 0.02, seed),
        1: lambda: np.sin(2 * np.pi * x[:, 1] / width) > 0,
        2: lambda: np.sin(2 * np.pi * x[:, 0] / width) > 0,
        3: lambda: (np.sin(2 * np.pi * x[:, 1] / width) > 0) ^ (np.sin(2 * np.pi * x[:, 0] / width) > 0),
        4: lambda: noise(x, width, seed) > 0.1,
    }[int(pattern)]()
    share = np.asarray(wave, float)[:, None]
    return np.clip(base * (1 - share) + other * share, 0.02, 1)
