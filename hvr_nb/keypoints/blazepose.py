"""BlazePose's detector and landmark network, run by ai-edge-litert (docs/perception.md, 1).

Bazarevsky et al., "BlazePose: On-device Real-time Body Pose Tracking", 2020. Images in; people and
landmarks in pixels (centres at +0.5) out. No other module knows the networks.

A region of interest (ROI) is (x, y, side, angle): centre and side of a square in pixels, and its rotation
in radians (clockwise in the picture), so that the person stands upright in it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from dataclasses import dataclass

import cv2
import numpy as np

from hvr_nb.store.places import DETECTOR
from hvr_nb.types import HvrError

# file -> (member of the mediapipe 0.10.21 wheel, sha256)
MODELS = {
    "pose_detection.tflite": (
        "mediapipe/modules/pose_detection/pose_detection.tflite",
        "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    ),
    "pose_landmark_full.tflite": (
        "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
    ),
}
FULL, HEAVY = "pose_landmark_full.tflite", "pose_landmark_heavy.tflite"
# the larger landmark network, which may be absent: (member of npm's @mediapipe/pose 0.5.1675469404, sha256)
OPTIONAL = {
    HEAVY: (
        "package/pose_landmark_heavy.tflite",
        "59e42d71bcd44cbdbabc419f0ff76686595fd265419566bd4009ef703ea8e1fe",
    ),
}
LANDMARKS = 33
MIRROR = (0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15, 18, 17, 20, 19, 22, 21,
          24, 23, 26, 25, 28, 27, 30, 29, 32, 31)  # fmt: skip  # left <-> right
DETECTOR_SIDE, LANDMARK_SIDE, HEATMAP_SIDE = 224, 256, 64
_STRIDES = ((8, 2), (16, 2), (32, 6))  # cell size in pixels, anchors per cell
_ROI_SCALE = 1.25
_REFINE_WINDOW, _REFINE_MIN = 7, 0.5
_MOVED, _GROWN = 0.05, 0.2  # shift (in sides) and growth (logarithm) of a region that ask for a second run


@dataclass(frozen=True)
class Person:
    """One person found by the detector."""

    box: np.ndarray  # (4,) x0, y0, x1, y1 of the head and torso, pixels
    roi: np.ndarray  # (4,) region of the whole body
    score: float  # 0..1


@dataclass(frozen=True)
class Detection:
    """The landmark network's result in one region."""

    landmarks: np.ndarray  # (33, 5) x, y px, z px (from the hips, smaller is nearer), visibility, presence
    world: np.ndarray  # (33, 3) metres, OpenCV camera axes, mid-hip origin
    score: float  # 0..1, probability of a person in the region
    box: np.ndarray  # (4,) x0, y0, x1, y1 around the silhouette, pixels; NaN where it is empty
    mask: np.ndarray | None  # (256, 256) float32 0..1 silhouette in ``roi``
    roi: np.ndarray  # (4,) the region
    next_roi: np.ndarray  # (4,) the region for the next frame


def make_roi(centre: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """(..., 4) ROI from the mid-hip (..., 2) and a point above it on the circle about the person (..., 2)."""
    delta = edge - centre
    side = 2 * _ROI_SCALE * np.linalg.norm(delta, axis=-1)
    angle = np.pi / 2 - np.arctan2(-delta[..., 1], delta[..., 0])
    angle = (angle + np.pi) % (2 * np.pi) - np.pi
    return np.concatenate([centre, side[..., None], angle[..., None]], axis=-1)


def roi_to_image(roi: np.ndarray, side: int = LANDMARK_SIDE) -> np.ndarray:
    """(2, 3) affine map from crop pixels (0..side) to image pixels, centres at +0.5 in both."""
    x, y, size, angle = roi
    a = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * size / side
    return np.column_stack([a, np.array([x, y]) - a @ (side / 2, side / 2)])


def _index_map(affine: np.ndarray) -> np.ndarray:
    """The affine map between pixel indices (centres at 0), as OpenCV's warps take it."""
    out = affine.copy()
    out[:, 2] += affine[:, :2] @ (0.5, 0.5) - 0.5
    return out


def crop(image: np.ndarray, roi: np.ndarray, side: int = LANDMARK_SIDE) -> np.ndarray:
    """(side, side, C) crop of the ROI, black outside the image; supersampled where it is reduced."""
    k = max(1, round(float(roi[2]) / side))
    k = min(k, 4)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    out = cv2.warpAffine(image, _index_map(roi_to_image(roi, side * k)), (side * k, side * k), flags=flags)
    return out if k == 1 else cv2.resize(out, (side, side), interpolation=cv2.INTER_AREA)


def mask_to_image(mask: np.ndarray, roi: np.ndarray, height: int, width: int) -> np.ndarray:
    """(H, W) float32 0..1: the silhouette of a crop (256, 256) in the image, 0 outside the ROI."""
    to_image = _index_map(roi_to_image(roi, len(mask)))
    return cv2.warpAffine(mask, to_image, (width, height), flags=cv2.INTER_LINEAR)


@functools.cache
def _anchors() -> np.ndarray:
    """(2254, 2) anchor centres, 0..1."""
    cells = []
    for stride, count in _STRIDES:
        grid = (np.arange(DETECTOR_SIDE // stride) + 0.5) * stride / DETECTOR_SIDE
        y, x = np.meshgrid(grid, grid, indexing="ij")
        cells.append(np.repeat(np.stack([x.ravel(), y.ravel()], 1), count, axis=0))
    return np.concatenate(cells)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(x, -60, 60)))


@contextlib.contextmanager
def _native_messages_left_out():
    """What native code writes meanwhile is dropped: the runtime announces itself. Its errors are raised."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@functools.cache
def _network(name: str):
    """A function that runs a model file: input array -> list of output arrays, in the model's order."""
    path = DETECTOR / name
    if not path.exists():
        raise HvrError(f"{path} is missing; run `make models` to fetch the detector's models")
    from ai_edge_litert.interpreter import Interpreter

    try:
        with _native_messages_left_out():
            interpreter = Interpreter(str(path), num_threads=min(4, os.cpu_count() or 1))
            interpreter.allocate_tensors()
    except ValueError as error:
        raise HvrError(f"{path} is damaged ({error}); delete it and run `make models`") from error
    source = interpreter.get_input_details()[0]["index"]
    outputs = sorted(interpreter.get_output_details(), key=lambda d: d["name"])

    def run(x: np.ndarray) -> list[np.ndarray]:
        interpreter.set_tensor(source, np.ascontiguousarray(x[None], np.float32))
        interpreter.invoke()
        return [interpreter.get_tensor(d["index"])[0] for d in outputs]

    return run


def detect(image: np.ndarray, *, depth: int = 0, threshold: float = 0.5) -> list[Person]:
    """People in an image, highest score first; overlapping answers are merged.

    Args:
        image: (H, W, 3) uint8 RGB.
        depth: 0 searches the whole image. 1 also searches overlapping squares of its smaller side, which
            finds people beside a more prominent one. 2 also searches squares of half that side (about
            twenty), which finds people of an eighth of a landscape image's height; 3 also squares of a
            third (about fifty), which finds people of a twelfth.
        threshold: least score of an answer, 0..1.
    """
    answers = [_answers(image, square, threshold) for square in _squares(*image.shape[:2], depth)]
    raw, scores = (np.concatenate(part) for part in zip(*answers, strict=True))
    order = np.argsort(-scores, kind="stable")
    return _merge(raw[order], scores[order])


def _squares(height: int, width: int, depth: int) -> list[np.ndarray]:
    """Regions (4,) to search: the whole image, then rows of overlapping squares."""
    out = [np.array([width / 2, height / 2, max(height, width), 0.0])]
    small = min(height, width)
    for side in [small, small / 2, small / 3][:depth]:
        rows, cols = (np.linspace(side / 2, n - side / 2, round(2 * n / side - 1)) for n in (height, width))
        out += [np.array([x, y, side, 0.0]) for y in rows for x in cols if side < max(height, width)]
    return out


def _answers(image: np.ndarray, square: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Answers (N, 6, 2) in one square: centre, size and four points in image pixels; and scores (N,)."""
    view = crop(image, square, DETECTOR_SIDE)
    values, logits = _network("pose_detection.tflite")(view / np.float32(127.5) - 1)
    scores = _sigmoid(logits[:, 0])
    keep = np.flatnonzero(scores >= threshold)
    raw = values[keep].reshape(-1, 6, 2) / DETECTOR_SIDE
    raw[:, (0, 2, 3, 4, 5)] += _anchors()[keep, None]
    raw *= square[2]
    raw[:, (0, 2, 3, 4, 5)] += square[:2] - square[2] / 2
    return raw, scores[keep]


def _merge(raw: np.ndarray, scores: np.ndarray) -> list[Person]:
    """Weighted non-maximum suppression at IoU 0.3."""
    boxes = np.concatenate([raw[:, 0] - raw[:, 1] / 2, raw[:, 0] + raw[:, 1] / 2], axis=1)
    people, left = [], np.arange(len(scores))
    while len(left):
        near = box_iou(boxes[left[0]], boxes[left]) > 0.3
        near[0] = True
        group, left = left[near], left[~near]
        weight = scores[group] / scores[group].sum()
        mean = np.tensordot(weight, raw[group], 1)
        people.append(Person(weight @ boxes[group], make_roi(mean[2], mean[3]), float(scores[group[0]])))
    return people


def box_iou(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(N,) intersection over union of a box (4,) with boxes (N, 4)."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    inside = np.prod(np.clip(high - low, 0, None), axis=1)
    area = np.prod(box[2:] - box[:2]) + np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return inside / np.maximum(area - inside, 1e-9)


def has_heavy() -> bool:
    """Whether the larger landmark network is there (`make models` fetches it where npm is installed)."""
    return (DETECTOR / HEAVY).exists()


def find_pose(
    image: np.ndarray, roi: np.ndarray, *, mirrored: bool = False, network: str = FULL
) -> Detection:
    """Landmarks and silhouette of the person in a ROI.

    Args:
        image: (H, W, 3) uint8 RGB. roi: (4,).
        mirrored: run the network on the mirrored crop and mirror the result back. Its difference from
            the plain result measures the network's error.
        network: file of the landmark network, ``FULL`` or ``HEAVY``.
    """
    view = crop(image, roi)
    values, flag, mask, heat, world = _network(network)(
        (view[:, ::-1] if mirrored else view) / np.float32(255)
    )
    points = values.reshape(39, 5).astype(np.float64)
    points[:, :2] = _refine(points[:, :2], heat)
    world = world.reshape(39, 3)[:LANDMARKS].astype(np.float64)
    mask = _sigmoid(mask[..., 0])
    if mirrored:
        points[:, 0] = LANDMARK_SIDE - points[:, 0]
        points[:LANDMARKS] = points[list(MIRROR)]
        world = world[list(MIRROR)] * (-1, 1, 1)
        mask = np.ascontiguousarray(mask[:, ::-1])
    to_image = roi_to_image(roi)
    points[:, :2] = points[:, :2] @ to_image[:, :2].T + to_image[:, 2]
    points[:, 2] *= roi[2] / LANDMARK_SIDE
    points[:, 3:] = _sigmoid(points[:, 3:])
    turn = to_image[:, :2] * LANDMARK_SIDE / roi[2]
    world[:, :2] = world[:, :2] @ turn.T
    next_roi = make_roi(points[33, :2], points[34, :2])
    box = _mask_box(mask, to_image)
    return Detection(
        points[:LANDMARKS], world, float(flag[0]), box, mask.astype(np.float32), np.array(roi), next_roi
    )


def _mask_box(mask: np.ndarray, to_image: np.ndarray) -> np.ndarray:
    """(4,) box in the image around the silhouette of a crop."""
    rows, cols = np.nonzero(mask > 0.5)
    if len(rows) == 0:
        return np.full(4, np.nan)
    points = (np.stack([cols, rows], 1) + 0.5) @ to_image[:, :2].T + to_image[:, 2]
    return np.concatenate([points.min(0), points.max(0)])


def follow_pose(
    image: np.ndarray, roi: np.ndarray, *, mirrored: bool = False, network: str = FULL
) -> Detection:
    """``find_pose``, run a second time where the person is not in the middle of ``roi`` (4,)."""
    pose = find_pose(image, roi, mirrored=mirrored, network=network)
    moved = np.linalg.norm(pose.next_roi[:2] - roi[:2]) / roi[2]
    grown = abs(np.log(pose.next_roi[2] / roi[2]))
    if pose.score > 0.5 and (moved > _MOVED or grown > _GROWN):
        return find_pose(image, pose.next_roi, mirrored=mirrored, network=network)
    return pose


def _refine(points: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Points (39, 2) moved to the mean of their heatmaps in a 7x7 window, where these are high enough."""
    half, scale = _REFINE_WINDOW // 2, LANDMARK_SIDE / HEATMAP_SIDE
    out = points.copy()
    for j, (x, y) in enumerate(points / scale):
        if not (0 <= x < HEATMAP_SIDE and 0 <= y < HEATMAP_SIDE):
            continue
        x0, y0 = max(0, int(x) - half), max(0, int(y) - half)
        window = _sigmoid(heat[y0 : int(y) + half + 1, x0 : int(x) + half + 1, j].astype(np.float64))
        if window.max() < _REFINE_MIN:
            continue
        rows, cols = np.indices(window.shape)
        total = window.sum()
        out[j] = (x0 + (cols * window).sum() / total, y0 + (rows * window).sum() / total)
        out[j] *= scale
    return out
