"""Temporal fusion of silhouettes: neighbouring frames warped by optical flow (docs/perception.md, 5).

DIS flow (Kroeger et al., ECCV 2016, in OpenCV) to two frames on either side, weighted by how well the
warped pictures match.
"""

from __future__ import annotations

import cv2
import numpy as np

REACH = 2  # frames on either side
_COLOUR_SIGMA = 6.0  # of 255; a warped neighbour that differs by more has little weight
_FLOW_SIDE = 384  # pixels, largest length of the longer side at which flow is estimated


def flow(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(H, W, 2) float32 pixels: position in ``target`` of each pixel of ``source``, both (H, W) uint8."""
    height, width = source.shape
    ratio = min(1.0, _FLOW_SIDE / max(height, width))
    size = (max(16, round(width * ratio)), max(16, round(height * ratio)))
    small = [cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in (source, target)]
    motion = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(small[0], small[1], None)
    motion = cv2.resize(motion, (width, height), interpolation=cv2.INTER_LINEAR)
    return motion * np.float32([width / size[0], height / size[1]])


def warp_neighbours(
    images: list[np.ndarray], masks: list[np.ndarray], distances: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Silhouettes of the neighbours warped to the first image, and their weights.

    Args:
        images: K of (H, W, 3) uint8 RGB, the frame itself first. masks: K of (H, W) float32 0..1.
        distances: K distances in frames; the first is 0.

    Returns:
        (K, H, W) float32 masks, and (K, H, W) float32 weights by the photometric error of the warp
        (1 for the frame itself).
    """
    grey = cv2.cvtColor(images[0], cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    values, weights = [masks[0]], [np.ones((height, width), np.float32)]
    for image, mask, distance in zip(images[1:], masks[1:], distances[1:], strict=True):
        motion = flow(grey, cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
        at_x, at_y = x + motion[..., 0], y + motion[..., 1]
        warped = cv2.remap(image, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        # the worst channel, because pale skin and a pale wall differ in colour but hardly in brightness
        error = cv2.boxFilter(cv2.absdiff(images[0], warped).max(2).astype(np.float32), -1, (5, 5))
        inside = (at_x >= 0) & (at_x <= width - 1) & (at_y >= 0) & (at_y <= height - 1)
        values.append(cv2.remap(mask, at_x, at_y, cv2.INTER_LINEAR))
        weights.append((np.exp(-0.5 * (error / _COLOUR_SIGMA) ** 2) * inside / distance).astype(np.float32))
    return np.stack(values), np.stack(weights)


def weighted_median(values: np.ndarray, weights: np.ndarray, *, own: float = 1.5) -> np.ndarray:
    """(H, W) weighted median of values (K, H, W) with weights (K, H, W); the first counts ``own`` times.

    It ignores the error of a single frame; a mean would blur sharp edges.
    """
    weights = np.concatenate([weights[:1] * own, weights[1:]])
    order = values.argsort(0)
    share = np.take_along_axis(weights, order, 0).cumsum(0)
    middle = (share >= 0.5 * share[-1]).argmax(0)[None]
    return np.take_along_axis(values, np.take_along_axis(order, middle, 0), 0)[0]
