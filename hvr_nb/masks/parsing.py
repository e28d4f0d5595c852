"""Human parsing without weights: a body-part prior times a colour model of the clip (docs/perception.md, 6).

There are five kinds of surface: hair, skin, upper garment, lower garment, shoes. Each has one Gaussian
mixture of colours for the whole clip, so labels are steady over time. The body part then tells the side.
Numbers are CIHP's: 2 hair, 5 upper, 6 dress, 9 pants, 10 neck, 12 skirt, 13 face, 14 and 15 arms, 16 and 17
legs, 18 and 19 shoes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from tqdm import tqdm

from hvr_nb.geometry.functions import spread_indices
from hvr_nb.masks.body_parts import HEAD, HIPS, PARTS, TORSO, PartMap, part_map
from hvr_nb.masks.colour_model import Mixture, colour_features, fit_mixture
from hvr_nb.masks.crf import guided_filter
from hvr_nb.masks.labels import from_atr, to_atr
from hvr_nb.masks.silhouettes import body_size
from hvr_nb.masks.skirts import covers_gap, same_cloth
from hvr_nb.store.film_arrays import film_array
from hvr_nb.types import Keypoints, Masks

__all__ = ["from_atr", "parse_person", "to_atr"]

HAIR, SKIN, UPPER, LOWER, SHOE = range(5)
_COMPONENTS = (3, 4, 5, 4, 3)
_SIDE, _TEACHERS, _PIXELS, _ROUNDS, _BINS = 256, 15, 3000, 4, 6
_TRUST = 0.6  # exponent of the colour term, because neighbouring pixels are not independent
_LEAST = (0.001, 0.02, 0.005, 0.005, 0.001)  # least probability of each surface on any part
_SKIN_DENSITY = 2e-5  # density of the skin mixture, per cubic colour unit, above which a colour is skin
# part -> surfaces at the start and the end of its bone: hair, skin, upper, lower, shoe
_PRIOR = {
    "head": ((0.5, 0.5, 0, 0, 0), (0.5, 0.5, 0, 0, 0)),
    "neck": ((0.02, 0.48, 0.50, 0, 0), (0.05, 0.80, 0.15, 0, 0)),
    "torso": ((0.01, 0.05, 0.93, 0.01, 0), (0, 0.03, 0.60, 0.37, 0)),
    "hips": ((0, 0.02, 0.20, 0.78, 0), (0, 0.02, 0.20, 0.78, 0)),
    "upper arm": ((0.01, 0.09, 0.90, 0, 0), (0, 0.50, 0.50, 0, 0)),
    "forearm": ((0, 0.58, 0.42, 0, 0), (0, 0.65, 0.35, 0, 0)),
    "hand": ((0, 0.85, 0.15, 0, 0), (0, 0.97, 0.03, 0, 0)),
    "thigh": ((0, 0.03, 0.07, 0.90, 0), (0, 0.35, 0.01, 0.64, 0)),
    "shin": ((0, 0.48, 0, 0.52, 0), (0, 0.42, 0, 0.50, 0.08)),
    "foot": ((0, 0.10, 0, 0.25, 0.65), (0, 0.08, 0, 0.02, 0.90)),
}
_KIND = [list(_PRIOR).index(name.removeprefix("left ").removeprefix("right ")) for name in PARTS]
_LABEL = {HAIR: 2, UPPER: 5, LOWER: 9}
_SKIN_LABELS = {"head": 13, "neck": 10, "torso": 10, "hips": 10, "upper arm": 14, "forearm": 14, "hand": 14,
                "thigh": 16, "shin": 16, "foot": 16}  # fmt: skip


@dataclass(frozen=True)
class _View:
    """The pixels of the person in one frame, at reduced size."""

    box: tuple[slice, slice]  # box of the person in the full frame
    inside: np.ndarray  # (h, w) bool
    image: np.ndarray  # (h, w, 3) uint8 RGB
    colours: np.ndarray  # (N, 3) colour features of the pixels inside
    parts: PartMap


def parse_person(frames: np.ndarray, masks: Masks, keypoints: Keypoints, *, seed: int = 0) -> Masks:
    """Label every pixel of the person by garment and body part, without trained weights.

    Args:
        frames: (T, H, W, 3) uint8 RGB. masks: silhouettes; pixels with alpha > 127 are labelled.
        keypoints: of the same person. seed: draws the pixels that the colour model is fitted to.

    Returns:
        ``masks`` with CIHP ``labels`` (T, H, W) uint8; frames without the person stay 0.
    """
    size = body_size(keypoints)
    seen = [t for t in range(len(frames)) if keypoints.found[t] and (masks.alpha[t] > 127).sum() > 50]
    labels = film_array(masks.alpha.shape)
    if seen:
        teachers = [seen[i] for i in spread_indices(len(seen), _TEACHERS)]
        views = [_view(frames[t], masks.alpha[t], keypoints, t, size[t]) for t in teachers]
        mixtures, prior = _learn(views, np.random.default_rng(seed))
        for t in tqdm(seen, desc="parsing", unit="frame"):
            view = _view(frames[t], masks.alpha[t], keypoints, t, size[t])
            labels[t][view.box] = _label(view, mixtures, prior, masks.alpha[t][view.box] > 127)
        if covers_gap(labels, keypoints, size, cloth=_LABEL[LOWER]):
            one = same_cloth(frames, labels, _LABEL[UPPER], _LABEL[LOWER], which=seen)
            for label in labels:
                label[label == _LABEL[LOWER]] = 6 if one else 12
                label[(label == _LABEL[UPPER]) & one] = 6
    return replace(
        masks, labels=labels, label_set="CIHP", parsing_source="colour model (weight-free, not SCHP)"
    )


def _view(frame: np.ndarray, alpha: np.ndarray, keypoints: Keypoints, t: int, size: float) -> _View:
    y, x = np.nonzero(alpha > 127)
    box = slice(y.min(), y.max() + 1), slice(x.min(), x.max() + 1)
    height, width = alpha[box].shape
    ratio = min(1.0, _SIDE / max(height, width))
    shape = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    image = cv2.resize(frame[box], shape, interpolation=cv2.INTER_AREA)
    inside = cv2.resize(alpha[box], shape, interpolation=cv2.INTER_AREA) > 127
    rows, columns = np.nonzero(inside)
    pixels = np.stack(
        [x.min() + (columns + 0.5) * width / shape[0], y.min() + (rows + 0.5) * height / shape[1]], 1
    )
    parts = part_map(keypoints, t, pixels, size=size)
    return _View(box, inside, image, colour_features(image)[inside], parts)


def _table() -> np.ndarray:
    """(kinds of part, bins along the bone, 5) prior of the surfaces, before it is fitted to the clip."""
    ends = np.array(list(_PRIOR.values()), np.float64) + 0.002
    u = (np.arange(_BINS) + 0.5) / _BINS
    table = ends[:, 0, None] * (1 - u)[None, :, None] + ends[:, 1, None] * u[None, :, None]
    return table / table.sum(2, keepdims=True)


def _bins(parts: PartMap) -> np.ndarray:
    return np.minimum((parts.along * _BINS).astype(int), _BINS - 1)


def _prior(parts: PartMap, table: np.ndarray) -> np.ndarray:
    """(N, 5) prior probability of each surface, without colour."""
    out = np.einsum("np,npc->nc", parts.share, table[np.asarray(_KIND)[None], _bins(parts)])
    at_head = table[0, _bins(parts)[:, HEAD]]
    low = 1.0 / (1.0 + np.exp(6.0 * (parts.crown + 0.9)))[:, None]  # below the chin: neck or collar
    ball = np.zeros_like(at_head)
    ball[:, HAIR], ball[:, SKIN] = 1.0 - parts.face, parts.face
    ball = (1.0 - low) * ball + low * table[1, 0]
    return np.maximum(out + parts.share[:, HEAD, None] * (ball - at_head), 1e-4)


def _seeds(parts: PartMap) -> np.ndarray:
    """(N, 5) pixels that certainly show each surface; the first colours are taken from them."""
    share, along = parts.share, parts.along
    head, hands = share[:, HEAD], share[:, [6, 9]].sum(1)
    thighs = share[:, 10] * (along[:, 10] < 0.5) + share[:, 13] * (along[:, 13] < 0.5)
    trunk = share[:, TORSO] * ((along[:, TORSO] > 0.1) & (along[:, TORSO] < 0.7))
    feet = share[:, 12] * (along[:, 12] > 0.4) + share[:, 15] * (along[:, 15] > 0.4)
    seeds = np.stack(
        [
            head * (parts.face < 0.25) * (parts.crown > 0.4),
            head * (parts.face > 0.8) + 0.5 * (hands > 0.8),
            trunk,
            0.5 * share[:, HIPS] + thighs,
            feet,
        ],
        1,
    )
    return seeds * (seeds > 0.4)


def _learn(views: list[_View], rng: np.random.Generator) -> tuple[list[Mixture | None], np.ndarray]:
    """The colour mixtures of the clip, and where along each bone garments end, by EM."""
    picks = [rng.permutation(len(v.colours))[:_PIXELS] for v in views]
    colours = np.concatenate([v.colours[p] for v, p in zip(views, picks, strict=True)]).astype(np.float64)
    parts = PartMap(
        *(
            np.concatenate([getattr(v.parts, name)[p] for v, p in zip(views, picks, strict=True)])
            for name in ("share", "along", "face", "crown")
        )
    )
    table, start, seeds = _table(), _table(), _seeds(parts)
    seeds[:, SKIN] *= _near_median(colours, seeds[:, SKIN])
    mixtures: list[Mixture | None] = [
        fit_mixture(colours, seeds[:, c], k, rng=rng) for c, k in enumerate(_COMPONENTS)
    ]
    likely = np.ones(len(colours))
    if mixtures[SKIN] is not None:  # all skin has the colour of face and hands, unlike a grey sleeve
        likely = np.minimum(mixtures[SKIN].density(colours) / _SKIN_DENSITY, 1.0)
    for r in range(_ROUNDS):
        posterior = _posterior(colours, _prior(parts, table), mixtures)
        teach = posterior.copy()
        teach[:, SKIN] *= likely
        if r > 0 and mixtures[SKIN] is not None:  # pixels in skin colour teach the garments less
            bare = mixtures[SKIN].density(colours) > _SKIN_DENSITY
            bare &= posterior[:, SKIN] > np.where(parts.share[:, HEAD] > 0.5, 0.1, 0.3)
            teach[np.ix_(bare, [HAIR, UPPER, LOWER, SHOE])] *= 0.1
        mixtures = [
            fit_mixture(colours, teach[:, c], k, rng=rng, start=mixtures[c], rounds=2)
            for c, k in enumerate(_COMPONENTS)
        ]
        table = _learn_table(parts, posterior, start)
    return mixtures, table


def _near_median(colours: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(N,) 1 for colours (N, 3) near the weighted median, 0 for others, such as eyes or a collar."""
    chosen = weights > 0
    if not chosen.any():
        return np.ones(len(colours))
    away = np.linalg.norm(colours - np.median(colours[chosen], axis=0), axis=1)
    return (away < 3.0 * np.median(away[chosen])).astype(np.float64)


def _learn_table(parts: PartMap, posterior: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Where garments end in this clip: the counts of the prior plus those of the labelled pixels."""
    counts, bins = 0.25 * len(posterior) / len(PARTS) / _BINS * start, _bins(parts)
    for part, kind in enumerate(_KIND):
        for c in range(5):
            counts[kind, :, c] += np.bincount(bins[:, part], parts.share[:, part] * posterior[:, c], _BINS)
    table = counts / counts.sum(2, keepdims=True)
    table = np.maximum(table, _LEAST)  # a hand may lie on any garment
    table[1, :, HAIR] = np.minimum(table[1, :, HAIR], 0.1)  # a dark collar is not hair
    return table / table.sum(2, keepdims=True)


def _posterior(colours: np.ndarray, prior: np.ndarray, mixtures: list[Mixture | None]) -> np.ndarray:
    """(N, 5) posterior probability of each surface, given part and colour."""
    likelihood = np.ones_like(prior)
    for c, mixture in enumerate(mixtures):
        if mixture is None:
            prior = prior * (np.arange(5) != c)  # this surface was never seen in the clip
        else:
            likelihood[:, c] = mixture.density(colours) ** _TRUST
    joint = prior * likelihood + 1e-12
    return joint / joint.sum(1, keepdims=True)


def _smooth(view: _View, posterior: np.ndarray, *, rounds: int = 3, weight: float = 3.0) -> np.ndarray:
    """(h, w, 5) posterior after mean-field rounds with guided-filtered messages (crf.guided_filter)."""
    guide = cv2.cvtColor(view.image, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255.0
    cover = view.inside.astype(np.float32)
    logs = np.log(posterior)
    belief = np.zeros((*view.inside.shape, 5), np.float32)
    belief[view.inside] = posterior
    share = guided_filter(guide, cover[..., None], radius=3, eps=1e-3)
    for _ in range(rounds):
        message = guided_filter(guide, belief, radius=3, eps=1e-3) / np.maximum(share, 0.1)
        logits = logs + weight * message[view.inside]
        q = np.exp(logits - logits.max(1, keepdims=True))
        belief[view.inside] = q / q.sum(1, keepdims=True)
    return belief


def _label(view: _View, mixtures: list[Mixture | None], prior: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """(H, W) uint8 CIHP labels of the box, at full size."""
    posterior = _posterior(view.colours.astype(np.float64), _prior(view.parts, prior), mixtures)
    surface = _smooth(view, posterior)
    surface = _fill(surface, view.inside)
    size = inside.shape[::-1]
    best = np.full(inside.shape, -1.0, np.float32)
    kind = np.zeros(inside.shape, np.uint8)
    for c in range(5):
        value = cv2.resize(surface[..., c], size, interpolation=cv2.INTER_LINEAR)
        kind[value > best] = c
        best = np.maximum(best, value)
    shown = np.zeros((*view.inside.shape, len(PARTS)), np.float32)
    number = []
    for c in range(5):  # the part that shows this surface here, as an arm in front of a bare chest
        shown[view.inside] = view.parts.share * (prior[np.asarray(_KIND)[None], _bins(view.parts), c] + 1e-3)
        shown[..., [TORSO, HIPS]] *= 0.2
        number.append(_numbers(c, _fill(shown, view.inside)))
    numbers = [cv2.resize(n, size, interpolation=cv2.INTER_NEAREST) for n in number]
    return np.where(inside, np.choose(kind, numbers), 0).astype(np.uint8)


def _numbers(surface: int, parts: np.ndarray) -> np.ndarray:
    """(h, w) uint8: the CIHP number of a surface on each part."""
    if surface in _LABEL:
        return np.full(parts.shape[:2], _LABEL[surface], np.uint8)
    right = np.array([name.startswith("right") for name in PARTS])
    if surface == SHOE:
        legs = [10, 11, 12, 13, 14, 15]
        return (18 + right[legs][parts[..., legs].argmax(-1)]).astype(np.uint8)
    plain = [name.removeprefix("left ").removeprefix("right ") for name in PARTS]
    table = np.array(
        [
            _SKIN_LABELS[name] + (r if _SKIN_LABELS[name] >= 14 else 0)
            for name, r in zip(plain, right, strict=True)
        ],
        np.uint8,
    )
    return table[parts.argmax(-1)]


def _fill(values: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Values of the pixels inside, extended a little outwards, so that enlarging finds them at the edge."""
    cover = inside.astype(np.float32)
    near = cv2.blur(values * cover[..., None], (5, 5)) / (cv2.blur(cover, (5, 5))[..., None] + 1e-6)
    return np.where(inside[..., None], values, near)
