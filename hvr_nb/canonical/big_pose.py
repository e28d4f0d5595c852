"""The body in the big pose, and the warps between that canonical space and the world (docs/body.md, 9).

The big pose is the T-pose with the hips turned by +30 and -30 degrees, so that the legs do not share
space (Geng et al., "Learning Neural Volumetric Representations of Dynamic Humans in Minutes", CVPR
2023). The template is the shaped body without the pose correctives of any frame. Grids store their
origin and spacing.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import map_coordinates

from hvr_nb.body import skinning
from hvr_nb.body.model import BodyModel, check_fitted_with
from hvr_nb.canonical.harmonic import extend
from hvr_nb.geometry.functions import spread_indices
from hvr_nb.geometry.mesh import vertex_normals
from hvr_nb.geometry.nearest import nearest_surface, on_surface
from hvr_nb.threads import one_thread
from hvr_nb.types import Body, Canonical

# SMPL joints of each part, in the order of ``types.PART_NAMES`` (docs/body.md, 9)
PART_JOINTS = ((0, 3, 6, 9, 13, 14), (1, 2, 4, 5, 7, 8, 10, 11), (12, 15), (16, 18, 20, 22), (17, 19, 21, 23))

_STEP = 2.0**-15  # of what the grids hold: weights, and metres


def make_canonical(body: Body, model: BodyModel, *, spacing: float = 0.025, margin: float = 0.1) -> Canonical:
    """The shaped body in the big pose, with its blend weights and signed distance on a grid.

    Args:
        body: any number of frames; only its shape is used.
        model: the model that the body was fitted with.
        spacing: spacing of the grid, metres. margin: how far the grid reaches beyond the body, metres.

    Raises:
        HvrError: the body was fitted with another model file.
    """
    check_fitted_with(model, body)
    with torch.no_grad(), one_thread():  # the same bits whatever the number of threads
        rest, joints = model.shaped(torch.as_tensor(body.betas, dtype=torch.float32))
        turned, placed = skinning.forward_kinematics(skinning.big_pose_rotations(), joints, model.parents)
        A_big = skinning.rest_relative(turned, placed, joints)[0]
        vertices = skinning.transform_points(skinning.blend_transforms(A_big, model.weights), rest).numpy()
    weights = model.weights.numpy()
    bounds = np.stack([vertices.min(0) - margin, vertices.max(0) + margin])
    return Canonical(
        rest_vertices=rest.numpy(),
        rest_joints=joints.numpy(),
        vertices=vertices,
        A_big=A_big.numpy(),
        weights=weights,
        faces=model.faces,
        parts=vertex_parts(weights),
        bounds=bounds,
        origin=bounds[0],
        spacing=float(spacing),
        parents=np.asarray(model.parents),
        model_hash=model.hash,
        **surface_fields(vertices, model.faces, weights, bounds, spacing),
    )


def vertex_parts(weights: np.ndarray) -> np.ndarray:
    """(V,) uint8 part of every vertex, by the joint with the largest of its weights (V, 24)."""
    part_of_joint = np.zeros(24, np.uint8)
    for part, joints in enumerate(PART_JOINTS):
        part_of_joint[list(joints)] = part
    return part_of_joint[weights.argmax(1)]


def surface_fields(
    vertices: np.ndarray, faces: np.ndarray, weights: np.ndarray, bounds: np.ndarray, spacing: float
) -> dict:
    """The grid fields of ``Canonical`` about a surface, as keyword arguments.

    Args:
        vertices: (V, 3) big pose, metres. faces: (F, 3). weights: (V, 24) blend weights.
        bounds: (2, 3) lower and upper corner of the grid, metres. spacing: of its nodes, metres.
    """
    counts = np.ceil((bounds[1] - bounds[0]) / spacing).astype(int) + 1
    index = np.stack(np.meshgrid(*(np.arange(n) for n in counts), indexing="ij"), -1)
    nodes = (bounds[0] + spacing * index).reshape(-1, 3)
    face, bary, distance = nearest_surface(nodes, vertices, faces)

    def grid(values):
        return values.reshape(*counts, *values.shape[1:])

    smooth = grid(on_surface(weights, faces, face, bary))
    band = grid(distance) < 0.75 * np.sqrt(3) * spacing  # nodes at the skin and all inside (docs/body.md, 10)
    smooth = np.clip(extend(smooth, band, sweeps=100), 0, 1)
    weights = _short(smooth / smooth.sum(-1, keepdims=True))
    return {"field_weights": weights, "field_distance": np.round(grid(distance) / _STEP) * _STEP}


def _short(weights: np.ndarray) -> np.ndarray:
    """Weights (..., 24) float32 as multiples of ``_STEP`` that sum to one: half the size in a file.

    Each is off by at most half a step, the largest of a node by what the others leave.
    """
    steps = np.round(weights / _STEP).astype(np.int32)
    most = steps.argmax(-1, keepdims=True)
    left = round(1 / _STEP) - steps.sum(-1, keepdims=True)
    np.put_along_axis(steps, most, np.take_along_axis(steps, most, -1) + left, -1)
    return (steps * _STEP).astype(np.float32)


def sample_field(canonical: Canonical, field: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Trilinear values of a grid field (X, Y, Z[, C]) at big-pose points (N, 3): (N[, C]).

    Outside the grid the values of its border.
    """
    where = ((points - canonical.origin) / canonical.spacing).T
    flat = field.reshape(*field.shape[:3], -1)
    out = np.stack(
        [
            map_coordinates(flat[..., c].astype(np.float32), where, order=1, mode="nearest")
            for c in range(flat.shape[3])
        ],
        -1,
    )
    return out.reshape(len(points), *field.shape[3:])


def vertex_maps(canonical: Canonical, transforms: np.ndarray) -> np.ndarray:
    """(V, 3, 3) linear maps from directions at posed vertices to directions in the big pose.

    Args:
        transforms: (24, 3, 4) joint transforms of the pose, relative to the rest pose.
    """
    with torch.no_grad():
        weights = torch.as_tensor(canonical.weights)
        posed = skinning.blend_transforms(torch.as_tensor(transforms), weights)
        big = skinning.blend_transforms(torch.as_tensor(canonical.A_big), weights)
        return (big[..., :3] @ skinning.invert_transforms(posed)[..., :3]).numpy()


def warp_to_canonical(points: np.ndarray, canonical: Canonical, vertices: np.ndarray, transforms: np.ndarray):
    """Warp of world points to the big pose, through the nearest point of the posed surface.

    The nearest surface point goes to the point of the big pose with the same barycentric coordinates,
    so pose correctives are undone exactly. The offset from it is mapped by the blended joint transforms
    (inverse linear blend skinning; docs/body.md, 9).

    Args:
        points: (N, 3) world metres. vertices: (V, 3) the posed body, world metres.
        transforms: (24, 3, 4) joint transforms of that pose, relative to the rest pose.

    Returns:
        (N, 3) big-pose points, metres, and (N,) signed distance to the body, metres.
    """
    face, bary, distance = nearest_surface(points, vertices, canonical.faces)
    foot = on_surface(vertices, canonical.faces, face, bary)
    maps = _maps_at(canonical, transforms, face, bary)
    base = on_surface(canonical.vertices, canonical.faces, face, bary)
    return base + np.einsum("nij,nj->ni", maps, points - foot), distance


def warp_to_posed(points: np.ndarray, canonical: Canonical, vertices: np.ndarray, transforms: np.ndarray):
    """Warp of big-pose points (N, 3) to a pose: (N, 3) world metres. The inverse of ``warp_to_canonical``.

    Args:
        vertices: (V, 3) the posed body, world metres.
        transforms: (24, 3, 4) joint transforms of that pose, relative to the rest pose.
    """
    face, bary, _ = nearest_surface(points, canonical.vertices, canonical.faces)
    base = on_surface(canonical.vertices, canonical.faces, face, bary)
    maps = _maps_at(canonical, transforms, face, bary)
    offset = np.linalg.solve(maps, (points - base)[..., None])[..., 0]
    return on_surface(vertices, canonical.faces, face, bary) + offset


def _maps_at(canonical, transforms, face, bary):
    maps = vertex_maps(canonical, transforms).reshape(-1, 9)
    return on_surface(maps, canonical.faces, face, bary).reshape(-1, 3, 3)


def round_trip_error(
    canonical: Canonical, body: Body, model: BodyModel, *, frames: int = 8, reach: float = 0.03, seed: int = 0
) -> dict[str, float]:
    """How well the two warps invert each other: points about the posed body to the big pose and back.

    Args:
        frames: number of poses at most, spread over the clip. reach: largest distance of the points from
            the skin, metres, outside and inside. seed: of the random points.

    Returns:
        mean_mm and p95_mm: distance of points from themselves after both warps. vertex_mm: largest distance
        of a posed vertex, warped to the big pose, from its position there.
    """
    rng = np.random.default_rng(seed)
    errors, worst = [], 0.0
    for k in spread_indices(len(body), frames):
        with torch.no_grad():
            pose = [
                torch.as_tensor(np.asarray(a), dtype=torch.float32)
                for a in (body.betas, body.poses[k : k + 1], body.transl[k : k + 1])
            ]
            vertices, _, transforms = model.pose(*pose)
        here = vertices[0].numpy(), transforms[0].numpy()
        home, _ = warp_to_canonical(here[0], canonical, *here)
        worst = max(worst, float(np.linalg.norm(home - canonical.vertices, axis=1).max()))
        pick = rng.integers(0, len(here[0]), 2000)
        direction = vertex_normals(here[0], canonical.faces)[pick]
        points = here[0][pick] + direction * rng.uniform(-reach, reach, (len(pick), 1))
        big, _ = warp_to_canonical(points, canonical, *here)
        errors.append(np.linalg.norm(warp_to_posed(big, canonical, *here) - points, axis=1))
    errors = np.concatenate(errors)
    return {
        "mean_mm": 1e3 * float(errors.mean()),
        "p95_mm": 1e3 * float(np.percentile(errors, 95)),
        "vertex_mm": 1e3 * worst,
    }
