"""The silhouette term: the occluding contour of the body against the outline of the mask (docs/fit.md, 6).

An iterated closest point in the image. Contours are paired in both directions, body to mask and mask to
body, and each pair counts along the normal of the mask only. Cloth and hair are a bound: the body stays
inside them. Tight clothes pull it outwards by the little that they stand off, hair and loose clothes not at
all. Skin is a target from both sides (the idea is Zhang et al., "Detailed, accurate, human shape estimation
from clothed 3D scan sequences", 2017).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from scipy.spatial import cKDTree
from skimage.measure import find_contours

from hvr_nb.body.kinematics import PosedRig, Rig, turn_slopes_along
from hvr_nb.body.model import BodyModel, posed
from hvr_nb.fit.normal_equations import Normal
from hvr_nb.fit.terms import Posed, State, TermWeights, image_rows
from hvr_nb.geometry.camera import project, resized_images, to_camera, undistort_images
from hvr_nb.geometry.functions import geman_mcclure
from hvr_nb.geometry.raster import rasterize
from hvr_nb.masks.labels import LABEL_NAMES
from hvr_nb.store.film_arrays import film_array
from hvr_nb.types import Body, Camera, Masks

SIDE = 384  # pixels, the larger side at which contours are compared
SPACING = 4.0  # pixels between points of a mask's outline
RIM = 2.5  # pixels from the body's own contour within which a vertex belongs to its rim
CELL = 0.03  # metres; one vertex of the body in each cube of this side takes part
SIGMA = 0.02  # metres, usual distance between the two contours
CLOTH, CLOTH_CAP = 0.6, 1.0  # weight and cap where the body lies inside clothes; outside the weight is 1
REACH = 0.25  # metres; points farther apart are not paired
INWARDS = (1.5, 3.0, 5.0)  # pixels from the outline at which its label is read
SKIN = ("face", "left arm", "right arm", "left leg", "right leg", "glove")
LOOSE = ("hair", "hat", "dress", "coat", "skirt", "scarf", "bag")


@dataclass(frozen=True)
class Outline:
    """Points of the outline of one mask, in pixels of the reduced image (centres at +0.5)."""

    points: np.ndarray  # (P, 2)
    normals: np.ndarray  # (P, 2) unit, outwards
    pull: np.ndarray  # (P,) weight where the body lies inside: 1 skin, ``CLOTH``, 0 hair and loose clothes


@dataclass(frozen=True)
class SkinSamples:
    """The vertices that may lie on the rim, and the arrays that pose them (float64)."""

    ids: np.ndarray  # (S,) vertices spread over the body, one in each cube of side ``CELL``
    rest: np.ndarray  # (V, 3) mean body, metres
    shapes: np.ndarray  # (V, 3, 10) metres per unit beta
    weights: np.ndarray  # (V, 24) skinning weights


@dataclass(frozen=True)
class Pairs:
    """K pairs of one frame: rim vertices, and the points of the mask's outline they should lie on."""

    local: np.ndarray  # (K, 3) pose corrective of each vertex, metres
    vertex: np.ndarray  # (K,) vertex of the body model
    target: np.ndarray  # (K, 2) on the plane at depth 1 of the given camera
    normal: np.ndarray  # (K, 2) unit, out of the mask
    weight: np.ndarray  # (K,) sums to 1 for each direction of search
    pull: np.ndarray  # (K,) see ``Outline``


def contour(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Contour of a silhouette (H, W) in 0..1 at level 0.5: points and outward normals (P, 2)."""
    lines = [line for line in find_contours(image, 0.5) if len(line) >= 12]
    if not lines:
        return np.zeros((0, 2)), np.zeros((0, 2))
    rc = np.concatenate(lines)
    soft = cv2.GaussianBlur(image.astype(np.float32), (0, 0), 2.0)
    gx, gy = cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1)
    r, c = np.round(rc).astype(int).T
    normal = -np.stack([gx[r, c], gy[r, c]], 1)
    size = np.linalg.norm(normal, axis=1, keepdims=True)
    good = size[:, 0] > 1e-6
    return rc[good][:, ::-1] + 0.5, (normal / np.maximum(size, 1e-9))[good]


def outlines(masks: Masks, frames: np.ndarray, camera: Camera) -> list[Outline]:
    """Outlines of the masks of ``frames`` (N,), thinned to about one point every ``SPACING`` pixels."""
    out = []
    for frame in frames:
        straight, lens = undistort_images(masks.alpha[frame][None], camera)
        small = lens.at_most(SIDE)
        points, normals = contour(resized_images(straight, small)[0] / 255.0)
        keep = thin(points, SPACING)
        points, normals = points[keep], normals[keep]
        pull = np.full(len(points), CLOTH)
        if masks.labels is not None:
            labels = resized_images(masks.labels[frame][None], small, nearest=True)[0]
            pull = pulls(labels, masks.label_set, points, normals)
        out.append(Outline(points, normals, pull))
    return out


def pulls(labels: np.ndarray, label_set: str, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """How strongly points (P, 2) of an outline pull: (P,) 1 skin, 0 hair and loose clothes, else ``CLOTH``.

    Args:
        labels: (H, W) numbers of ``label_set``. normals: (P, 2) outwards.
    """
    names = LABEL_NAMES[label_set]
    height, width = labels.shape
    seen = []
    for step in INWARDS:
        x, y = np.floor(points - step * normals).astype(int).T
        seen.append(labels[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)])
    seen = np.stack(seen)  # (3, P)
    numbers = ([names.index(name) for name in kind if name in names] for kind in (SKIN, LOOSE))
    skin, loose = (np.isin(seen, some).sum(0) for some in numbers)
    return np.where(loose >= 2, 0.0, np.where(skin >= 2, 1.0, CLOTH))


def thin(points: np.ndarray, cell: float) -> np.ndarray:
    """Indices of the first of the points (P, D) in every cube of side ``cell``, in order."""
    _, first = np.unique(np.floor(points / cell).astype(np.int64), axis=0, return_index=True)
    return np.sort(first)


def skin_of(model: BodyModel) -> SkinSamples:
    """The arrays of ``model`` that the silhouette term needs."""
    rest, shapes, weights = (x.double().numpy() for x in (model.v_template, model.shapedirs, model.weights))
    return SkinSamples(thin(rest, CELL), rest, shapes, weights)


def refocused(camera: Camera, log_focal: float) -> Camera:
    """``camera`` with its focal length times ``exp(log_focal)``."""
    K = camera.K.copy()
    K[[0, 1], [0, 1]] *= np.exp(log_focal)
    return replace(camera, K=K, source="refined")


def body_silhouettes(body: Body, model: BodyModel) -> np.ndarray:
    """(T, H, W) bool silhouettes of the fitted body, seen by its own camera."""
    out = film_array((len(body), body.camera.height, body.camera.width), bool)
    for t, vertices in enumerate(posed(model, body)[0]):
        out[t] = rasterize(vertices, model.faces, body.camera)[1] >= 0
    return out


def correspond(
    model: BodyModel, skin: SkinSamples, state: State, edges: list[Outline], camera: Camera
) -> list[Pairs]:
    """Pair the rim of the posed body with the outline of the mask in every frame, in both directions.

    Args:
        state: N frames. edges: N outlines from ``outlines``. camera: the clip's, unrefined.
    """
    small = refocused(camera, state.log_focal).at_most(SIDE)
    given = camera.at_most(SIDE)
    rotations = torch.as_tensor(state.rotations).float()
    transl, betas = torch.as_tensor(state.transl).float(), torch.as_tensor(state.betas).float()
    out = []
    for n, edge in enumerate(edges):
        with torch.no_grad():
            v = model.pose_matrices(betas, rotations[n : n + 1], transl[n : n + 1])[0][0].numpy()
        vertex, target, normal, weight, pull = _pair_frame(v, skin.ids, model.faces, edge, small)
        feature = (rotations[n, 1:] - torch.eye(3)).reshape(1, 207)
        local = (feature @ model.posedirs).reshape(-1, 3)[vertex]
        plane = (target - given.K[:2, 2]) / given.K[[0, 1], [0, 1]]
        out.append(Pairs(local.double().numpy(), vertex, plane, normal, weight, pull))
    return out


def _pair_frame(vertices, ids, faces, edge: Outline, camera: Camera):
    """One frame: vertex (K,), target pixel (K, 2), mask normal (K, 2), weight (K,), pull (K,)."""
    none = np.zeros(0, int), np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0), np.zeros(0)
    drawn = rasterize(vertices, faces, camera)[1] >= 0
    own, own_normals = contour(drawn.astype(np.float64))
    if not len(own) or not len(edge.points):
        return none
    pixels = project(vertices[ids].astype(np.float64), camera)
    gap, nearest = cKDTree(own).query(pixels)
    rim = np.flatnonzero(gap < RIM)
    if not len(rim):
        return none
    points, normals = own[nearest[rim]], own_normals[nearest[rim]]  # on the body's contour
    reach = REACH * camera.K[0, 0] / np.median(to_camera(vertices[ids[rim]], camera)[:, 2])
    forth, hit = _match(points, normals, edge.points, edge.normals, reach)
    back, rim_hit = _match(edge.points, edge.normals, points, normals, reach)
    pick, q = np.concatenate([forth, rim_hit]), np.concatenate([hit, back])
    # a vertex stands for the nearest point of the body's contour, so it aims that far short of the outline
    target = edge.points[q] - (points[pick] - pixels[rim[pick]])
    weight = np.concatenate([np.full(len(k), 1 / max(len(k), 1)) for k in (forth, back)])
    return ids[rim[pick]], target, edge.normals[q], weight, edge.pull[q]


def _match(p, pn, q, qn, reach, *, tries: int = 8):
    """Pairs of indices (into p, into q): for each p the nearest q within ``reach`` whose normal agrees."""
    k = min(tries, len(q))
    gap, near = cKDTree(q).query(p, k=k, distance_upper_bound=reach)
    gap, near = gap.reshape(len(p), k), np.minimum(near.reshape(len(p), k), len(q) - 1)
    agree = (np.einsum("pd,pkd->pk", pn, qn[near]) > 0.5) & np.isfinite(gap)
    first = agree.argmax(1)
    has = np.flatnonzero(agree[np.arange(len(p)), first])
    return has, near[has, first[has]]


def distance(
    skin: SkinSamples,
    rig: Rig,
    posed: Posed,
    pairs: list[Pairs],
    camera: Camera,
    depth: np.ndarray,
    weights: TermWeights,
    normal: Normal | None,
) -> float:
    """Robust distance of the pairs along the normals of the mask, metres at ``depth`` (N,)."""
    cost, joints = 0.0, rig.rest(posed.state.betas)
    for n, pair in enumerate(pairs):
        if not len(pair.vertex):
            continue
        one = PosedRig(*(x[n : n + 1] for x in (posed.pose.turned, posed.pose.joints, posed.pose.d_betas)))
        shapes = skin.shapes[pair.vertex]
        rest = skin.rest[pair.vertex] + shapes @ posed.state.betas + pair.local
        mass, moved = skin.weights[pair.vertex], carriers(one, joints)
        turn = (mass @ one.turned.reshape(24, 9)).reshape(-1, 3, 3)
        x = ((turn @ rest[..., None])[..., 0] + mass @ moved) @ camera.R.T + camera.t
        at, across = (a[0] for a in image_rows(x[None], depth[n : n + 1], camera.R))
        aim = pair.target * (np.exp(-posed.state.log_focal) * depth[n])
        r = ((at - aim) * pair.normal).sum(1) / SIGMA
        bound = (r > 0) | (pair.pull == 1.0)  # clothes pull only as far as tight ones stand off
        value, slope = geman_mcclure(r**2, np.where(bound, weights.cap, CLOTH_CAP))
        gain = weights.silhouette * pair.weight * np.where(r > 0, 1.0, pair.pull)
        cost += float((gain * value).sum())
        if normal is None:
            continue
        direction = np.einsum("ki,kid->kd", pair.normal, across) / SIGMA
        parts = mass[..., None] * ((rest @ one.turned.reshape(72, 3).T).reshape(-1, 24, 3) + moved)
        J = np.concatenate([turn_slopes_along(rig, one, parts, mass, direction), direction], 1)
        border = np.zeros((len(r), 12))
        slopes = turn @ shapes + shape_slopes(rig, one, mass)
        border[:, :10] = np.einsum("ka,kas->ks", direction, slopes)
        border[:, 11] = (aim * pair.normal).sum(1) / SIGMA
        normal.add(J[None], r[None], (gain * slope)[None], border[None], at=slice(n, n + 1))
    return cost


def carriers(pose: PosedRig, rest: np.ndarray) -> np.ndarray:
    """(24, 3) where each joint of one posed frame carries the origin of the rest pose, metres.

    Args:
        rest: (24, 3) joints of the rest pose.
    """
    return pose.joints[0] - (pose.turned[0] @ rest[..., None])[..., 0]


def shape_slopes(rig: Rig, pose: PosedRig, mass: np.ndarray) -> np.ndarray:
    """What the joints' motion with the betas adds to that of skinned vertices: (K, 3, 10).

    Args:
        pose: of a single frame. mass: (K, 24) blend weights.
    """
    joints = pose.d_betas[0] - pose.turned[0] @ rig.directions
    return (mass @ joints.reshape(24, 30)).reshape(-1, 3, 10)
