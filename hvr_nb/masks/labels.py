"""Label sets of human parsing, their palette pictures, and a user's own masks (docs/perception.md, 7)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from hvr_nb.store.atomic_files import atomic
from hvr_nb.store.files import results
from hvr_nb.types import HvrError, Keypoints, Masks

LABEL_NAMES = {
    "CIHP": ("background", "hat", "hair", "glove", "sunglasses", "upper clothes", "dress", "coat", "socks",
             "pants", "torso skin", "scarf", "skirt", "face", "left arm", "right arm", "left leg",
             "right leg", "left shoe", "right shoe"),
    "LIP": ("background", "hat", "hair", "glove", "sunglasses", "upper clothes", "dress", "coat", "socks",
            "pants", "jumpsuit", "scarf", "skirt", "face", "left arm", "right arm", "left leg",
            "right leg", "left shoe", "right shoe"),
    "ATR": ("background", "hat", "hair", "sunglasses", "upper clothes", "skirt", "pants", "dress", "belt",
            "left shoe", "right shoe", "face", "left leg", "right leg", "left arm", "right arm", "bag",
            "scarf"),
}  # fmt: skip
# labels without a counterpart in the other set become what covers the same part of the body
_NEAREST = {
    "glove": "left arm",
    "coat": "upper clothes",
    "socks": "left leg",
    "torso skin": "face",
    "jumpsuit": "dress",
    "belt": "pants",
    "bag": "upper clothes",
}
SURE = 0.5  # confidence of joints that are witnesses
LEAST_INSIDE = 0.3  # share of them in masks of the person; in inverted ones about 0.05 are
_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")


def voc_palette() -> np.ndarray:
    """(256, 3) uint8 colours of the VOC palette: bits 3t, 3t+1, 3t+2 of a label go to bit 7-t of R, G, B."""
    label = np.arange(256)
    colours = np.zeros((256, 3), int)
    for t in range(3):
        for channel in range(3):
            colours[:, channel] |= ((label >> (3 * t + channel)) & 1) << (7 - t)
    return colours.astype(np.uint8)


def _table(source: str, target: str) -> np.ndarray:
    names = LABEL_NAMES[target]
    table = np.zeros(256, np.uint8)
    for number, name in enumerate(LABEL_NAMES[source]):
        table[number] = names.index(name if name in names else _NEAREST[name])
    return table


def to_atr(labels: np.ndarray, *, label_set: str = "CIHP") -> np.ndarray:
    """Labels of ``label_set`` (...) uint8, "CIHP" or "LIP", in ATR's 18 numbers.

    Gloves and socks carry no side: they become the left arm and the left leg.
    """
    return labels if label_set == "ATR" else _table(label_set, "ATR")[labels]


def from_atr(labels: np.ndarray) -> np.ndarray:
    """ATR labels (...) uint8 in CIHP's 20 numbers; belts become pants, bags upper clothes."""
    return _table("ATR", "CIHP")[labels]


def write_label_png(path: Path, labels: np.ndarray) -> None:
    """Write labels (H, W) uint8 as a palette PNG whose pixel values are the labels, VOC colours."""
    image = Image.frombytes("P", labels.shape[::-1], np.ascontiguousarray(labels, np.uint8).tobytes())
    image.putpalette(voc_palette().tobytes())
    with atomic(path) as partial:
        image.save(partial, format="PNG")


def _open(path: Path) -> tuple[np.ndarray, bool]:
    """Values (H, W) uint8 of a mask picture, and whether its colours are labels of the VOC palette."""
    try:
        with Image.open(path) as image:
            image.load()
    except (OSError, SyntaxError, ValueError) as error:
        raise HvrError(f"{path} is damaged ({error}); write this mask again") from error
    if image.mode == "P":
        values, palette = np.asarray(image), np.asarray(image.getpalette("RGB")).reshape(-1, 3)
        used = np.unique(values)
        if np.array_equal(palette[used], voc_palette()[used]) and used.max() < 20:
            return values, True
        return _grey(np.asarray(image.convert("RGB"))), False
    if image.mode in ("RGBA", "LA"):
        values = np.asarray(image)
        return (values[..., -1], False) if (values[..., -1] < 255).any() else _from_rgb(values[..., :-1])
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image).astype(np.float64)
        return np.rint(values / (257.0 if values.max() > 255 else 1.0)).astype(np.uint8), False
    return _from_rgb(np.asarray(image.convert("RGB" if image.mode != "L" else "L")))


def _grey(rgb: np.ndarray) -> np.ndarray:
    return rgb.max(axis=2) if rgb.ndim == 3 else rgb


def _from_rgb(image: np.ndarray) -> tuple[np.ndarray, bool]:
    """Labels, if every colour is one of the 20 of the palette and one is not grey; otherwise brightness."""
    if image.ndim == 2 or image.shape[2] == 1 or (np.ptp(image, axis=2) == 0).all():
        return _grey(image), False
    codes = image.astype(np.int32) @ [65536, 256, 1]
    palette = voc_palette()[:20].astype(np.int32) @ [65536, 256, 1]
    if not np.isin(codes, palette).all():
        return _grey(image), False
    order = palette.argsort()
    return order[np.searchsorted(palette[order], codes)].astype(np.uint8), True


def _match(folder: Path, names: list[str]) -> list[Path]:
    """The picture of every frame: by name, or by frame number, or by order where the counts are equal."""
    if not folder.is_dir():
        raise HvrError(f"{folder} is not a folder; give a folder with one mask picture per frame")
    files = [p for p in results(folder, "*") if p.suffix.lower() in _SUFFIXES]
    stems = {p.stem: p for p in files}
    if all(name in stems for name in names):
        return [stems[name] for name in names]

    def number(stem: str) -> int | None:
        digits = re.findall(r"\d+", stem)
        return int(digits[-1]) if digits else None

    numbers = {number(p.stem): p for p in files}
    if len(numbers) == len(files) and all(number(n) is not None and number(n) in numbers for n in names):
        return [numbers[number(name)] for name in names]
    if len(files) == len(names):
        return sorted(files, key=lambda p: [int(s) if s.isdigit() else s for s in re.split(r"(\d+)", p.stem)])
    missing = next((n for n in names if n not in stems and number(n) not in numbers), names[0])
    raise HvrError(
        f"{folder} has {len(files)} mask pictures for {len(names)} frames, none for frame "
        f"{missing}; add {missing}.png (white on the person, black elsewhere)"
    )


def import_masks(
    folder: str | Path,
    names: list[str],
    shape: tuple[int, int, int],
    *,
    keypoints: Keypoints | None = None,
    label_set: str = "CIHP",
    allow_empty: bool = False,
) -> Masks:
    """Read a user's masks: black and white, soft, or label pictures (palette, palette colours, numbers).

    Args:
        folder: one PNG or JPEG per frame, named like the frame, by its number, or in the same order.
        names: T frame names. shape: (T, H, W) of the clip, or its frames' (T, H, W, 3).
        keypoints: of the T frames; witnesses that the masks show the person and not all else.
        label_set: the meaning of the numbers in label pictures: "CIHP", "LIP" or "ATR".
        allow_empty: accept frames without a single pixel of the person.

    Returns:
        Masks with ``alpha`` and, for label pictures, ``labels``.

    Raises:
        HvrError: a file is missing, damaged, empty or of another size; the message names it. Or most joints
            lie outside the masks.
    """
    folder = Path(folder)
    if label_set not in LABEL_NAMES:
        raise HvrError(f'label_set is "{label_set}"; use one of {", ".join(LABEL_NAMES)}')
    paths, size = _match(folder, names), tuple(shape[1:3])
    values, coloured = np.zeros((len(names), *size), np.uint8), np.zeros(len(names), bool)
    for t, path in enumerate(tqdm(paths, desc="reading masks", unit="frame")):
        image, coloured[t] = _open(path)
        if image.shape != size:
            raise HvrError(
                f"{path} is {image.shape[1]}x{image.shape[0]}, the frames are {size[1]}x{size[0]};"
                " make the masks at the frames' size"
            )
        if not image.any() and not allow_empty:
            raise HvrError(
                f"{path} is empty; mask the person there, leave the frame out of the clip, or "
                "pass allow_empty=True"
            )
        values[t] = image
    is_labels = _are_labels(values, coloured)
    if is_labels and values.max() >= len(LABEL_NAMES[label_set]):
        bad = paths[int(values.reshape(len(values), -1).max(1).argmax())]
        raise HvrError(
            f"{bad} has label {values.max()}, but {label_set} has numbers to "
            f"{len(LABEL_NAMES[label_set]) - 1}; choose the right label_set"
        )
    binary = is_labels or values.max() < 20
    alpha = np.where(values > 0, 255, 0).astype(np.uint8) if binary else values
    if keypoints is not None:
        _ask_witnesses(alpha, keypoints, folder)
    return Masks(
        alpha,
        labels=values if is_labels else None,
        label_set=label_set,
        source=f"imported from {folder.name}",
        parsing_source=f"imported from {folder.name}" if is_labels else "",
    )


def _ask_witnesses(alpha: np.ndarray, keypoints: Keypoints, folder: Path) -> None:
    """Raise HvrError where most joints that are surely seen lie outside the masks (T, H, W)."""
    points = keypoints.points
    size = np.array(alpha.shape[:0:-1])
    seen = (points[..., 2] > SURE) & ((points[..., :2] >= 0) & (points[..., :2] < size)).all(-1)
    t, joint = np.nonzero(seen)
    x, y = points[t, joint, :2].astype(int).T
    inside = float((alpha[t, y, x] > 127).mean()) if len(t) else 1.0
    if inside < LEAST_INSIDE:
        inverted = (alpha > 127).mean() > 0.5
        fix = "they seem to be inverted: white is the person" if inverted else "do they belong to this clip?"
        raise HvrError(f"only {inside:.0%} of the person's joints lie in the masks of {folder}; {fix}")


def _are_labels(values: np.ndarray, coloured: np.ndarray) -> bool:
    """Whether pictures hold labels: palette colours everywhere, or at least two different small numbers."""
    filled = values.reshape(len(values), -1).any(1)
    if coloured.any() and (coloured | ~filled).all():
        return bool(values.max() > 0)
    return bool(values.max() < 20 and len(np.unique(values)) > 2)
