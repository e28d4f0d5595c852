"""A garment with the same triangles on everybody: a registered slice of the body model (docs/surface.md, 13).

Optimal step non-rigid ICP (Amberg, Romdhani and Vetter, CVPR 2007, by trimesh) draws the slice onto the
garment; its rims are held on the garment's curves. Vertex k of one person's shirt is vertex k of another's.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from hvr_nb.body.model import BodyModel
from hvr_nb.geometry.cut import CutMesh, cut_mesh
from hvr_nb.geometry.open_mesh import boundary_loops
from hvr_nb.surface.garments.curves import ray_frame
from hvr_nb.surface.garments.outside import pushed_out
from hvr_nb.types import Canonical, Garment, HvrError, Mesh

KINDS = ("shirt", "dress", "tube", "skirt", "trousers")  # not the jacket: a body has no seam in front
STEPS = ((0.02, 10.0, 0.0, 4), (0.01, 5.0, 0.0, 4), (0.005, 2.0, 0.0, 4))  # stiffness, rims, normals, rounds
REACH = 0.15  # of the garment's size, how far a vertex looks for it
NECK, CROTCH, ANKLE, ARMPIT = 0.02, 0.02, 0.05, 0.12  # metres above joints and crotch; below the shoulders
TILT = 0.4  # by which the neck's plane falls to the front


def fixed_topology(garment: Garment, canonical: Canonical, model: BodyModel) -> Garment:
    """A garment of the big pose by the vertices and faces that every body of ``model`` has for its kind.

    Args:
        garment: in the big pose of ``canonical``.

    Raises:
        HvrError: there is no such slice for this kind, or the garment has other borders.
    """
    if garment.name not in KINDS:
        raise HvrError(
            f"the {garment.name} has no version of fixed topology; there is one of {', '.join(KINDS)}"
        )
    cut = body_slice(garment.name, model)
    start = cut.mix @ canonical.vertices.astype(np.float64)
    loops = boundary_loops(cut.faces)
    if len(loops) != len(garment.curves):
        raise HvrError(
            f"the {garment.name} has {len(garment.curves)} borders, its slice of the body has {len(loops)}"
        )
    names = list(garment.curves)
    gap = [[np.linalg.norm(start[loop].mean(0) - garment.curves[n].mean(0)) for n in names] for loop in loops]
    pairs = zip(*linear_sum_assignment(gap), strict=True)
    rims = {names[j]: loops[i] for i, j in pairs}
    wanted = np.concatenate([along_curve(start[loop], garment.curves[name]) for name, loop in rims.items()])
    x = _registered(start, cut.faces, garment.mesh, np.concatenate(list(rims.values())), wanted)
    x = pushed_out(x, cut.faces, canonical.vertices, canonical.faces)
    colours = None
    if garment.mesh.colors is not None:
        colours = garment.mesh.colors[cKDTree(garment.mesh.vertices).query(x)[1]]
    mesh = Mesh(x.astype(np.float32), cut.faces, colors=colours)
    return Garment(garment.name, mesh, {name: mesh.vertices[loop] for name, loop in rims.items()})


def body_slice(kind: str, model: BodyModel) -> CutMesh:
    """The part of the body model that a garment is registered from; the same for all shapes of the body."""
    x = model.v_template.double().numpy()
    joint = model.J_regressor.double().numpy() @ x
    trunk = (np.abs(x[:, 0]) < 0.01) & (x[:, 1] > joint[4, 1])
    crotch = x[trunk, 1].min() + CROTCH
    below_neck = joint[12, 1] + NECK - TILT * (x[:, 2] - joint[12, 2]) - x[:, 1]
    above_hem = x[:, 1] - crotch
    if kind in ("shirt", "dress"):
        return cut_mesh(
            model.faces, np.minimum.reduce([below_neck, above_hem, joint[18, 0] - np.abs(x[:, 0])])
        )
    if kind == "tube":
        return cut_mesh(model.faces, np.minimum(joint[16, 1] - ARMPIT - x[:, 1], above_hem))
    below_waist = joint[3, 1] - x[:, 1]
    if kind == "skirt":
        return cut_mesh(model.faces, np.minimum(below_waist, above_hem))
    return cut_mesh(model.faces, np.minimum(below_waist, x[:, 1] - joint[7, 1] - ANKLE))


def along_curve(loop: np.ndarray, curve: np.ndarray) -> np.ndarray:
    """Points (K, 3) of a closed curve (N, 3), as far along it from the front as those of a loop (K, 3)."""
    if ray_frame(loop)[1] @ ray_frame(curve)[1] < 0:  # they go round the other way
        curve = curve[::-1]
    curve = np.roll(curve, -int(curve[:, 2].argmax()), 0)
    first = int(loop[:, 2].argmax())
    part = _fractions(np.roll(loop, -first, 0))[:-1]
    whole = _fractions(curve)
    closed = np.concatenate([curve, curve[:1]])
    points = np.stack([np.interp(part, whole, column) for column in closed.T], 1)
    return np.roll(points, first, 0)


def _fractions(loop: np.ndarray) -> np.ndarray:
    """(N + 1,) share of the length of a closed curve (N, 3) up to each point, and back at the first."""
    steps = np.linalg.norm(np.roll(loop, -1, 0) - loop, axis=1)
    return np.r_[0, np.cumsum(steps)] / steps.sum()


def _registered(
    start: np.ndarray, faces: np.ndarray, target: Mesh, rim: np.ndarray, wanted: np.ndarray
) -> np.ndarray:
    """Vertices (V, 3) drawn onto a mesh, those of the rim (R,) at the points ``wanted`` (R, 3)."""
    import trimesh

    source = trimesh.Trimesh(start, faces, process=False)
    cloth = trimesh.Trimesh(target.vertices, target.faces, process=False)
    x = np.array(
        trimesh.registration.nricp_amberg(
            source,
            cloth,
            source_landmarks=rim,
            target_positions=wanted,
            steps=STEPS,
            distance_threshold=REACH,
            use_faces=False,
        )
    )
    x[rim] = wanted
    return x
