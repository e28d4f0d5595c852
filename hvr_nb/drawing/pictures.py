"""Pictures drawn with numpy, OpenCV and Pillow: contact sheets, captions, skeletons, silhouettes, labels.

Functions take and return images (H, W, 3) uint8 RGB. Colours have one meaning: the person's left is
blue, the right is orange, the middle is grey.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import cv2
import numpy as np

from hvr_nb.masks.labels import LABEL_NAMES
from hvr_nb.types import BODY25_NAMES, HvrError

LEFT, RIGHT, MIDDLE = (48, 136, 255), (255, 128, 32), (214, 214, 214)
BODY25_LIMBS = (
    (1, 8), (1, 2), (2, 3), (3, 4), (1, 5), (5, 6), (6, 7), (8, 9), (9, 10), (10, 11), (8, 12), (12, 13),
    (13, 14), (1, 0), (0, 15), (15, 17), (0, 16), (16, 18), (14, 19), (19, 20), (14, 21), (11, 22),
    (22, 23), (11, 24),
)  # fmt: skip
LABEL_COLOURS = {
    "background": (0, 0, 0), "hat": (150, 60, 60), "hair": (124, 74, 36), "glove": (140, 140, 60),
    "sunglasses": (60, 60, 70), "upper clothes": (222, 62, 70), "dress": (214, 72, 160),
    "coat": (160, 40, 90), "socks": (190, 190, 150), "pants": (44, 92, 190), "torso skin": (238, 178, 120),
    "jumpsuit": (130, 84, 190), "scarf": (240, 120, 60), "skirt": (160, 70, 200), "face": (250, 206, 160),
    "left arm": (70, 190, 235), "right arm": (250, 160, 60), "left leg": (40, 160, 150),
    "right leg": (190, 200, 60), "left shoe": (20, 110, 90), "right shoe": (120, 130, 20),
    "belt": (90, 60, 40), "bag": (110, 110, 110),
}  # fmt: skip


def as_rgb(image: np.ndarray) -> np.ndarray:
    """An image as (H, W, 3) uint8; it may be (H, W), (H, W, 3) or (H, W, 4), floats have the range 0..1."""
    image = np.asarray(image)
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (1, 3, 4)):
        raise HvrError(f"shape {image.shape} is not an image; give (H, W), (H, W, 3) or (H, W, 4)")
    if image.dtype.kind == "f":
        image = (np.clip(np.nan_to_num(image), 0, 1) * 255).round().astype(np.uint8)
    elif image.dtype == bool:
        image = image.astype(np.uint8) * 255
    image = image.astype(np.uint8, copy=False)
    if image.ndim == 2:
        image = image[..., None]
    if image.shape[2] == 4:
        alpha = image[..., 3:].astype(np.uint16)
        image = ((image[..., :3] * alpha + 255 * (255 - alpha)) // 255).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(image, (*image.shape[:2], 3)))


def resized(image: np.ndarray, *, height: int = 0, max_side: int = 0) -> np.ndarray:
    """An image (H, W, 3) or (H, W) resized to ``height``, or to a larger side of at most ``max_side``."""
    h, w = image.shape[:2]
    ratio = height / h if height else min(1.0, max_side / max(h, w))
    if ratio == 1.0:
        return image
    size = (max(1, round(w * ratio)), max(1, round(h * ratio)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if ratio < 1 else cv2.INTER_CUBIC)


def nearest(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A label map (H, W) resampled to ``size`` (rows, columns) without mixing labels."""
    rows, columns = (
        ((np.arange(n) + 0.5) * m / n).astype(int) for n, m in zip(size, labels.shape, strict=True)
    )
    return labels[np.ix_(rows, columns)]


def window(lo: np.ndarray, hi: np.ndarray, shape: tuple[int, ...], *, margin: float = 0.08) -> tuple:
    """The part of an image around a box, as a pair of slices (rows, columns).

    Args:
        lo, hi: (2,) x, y of the corners of the box, pixels. shape: (H, W, ...) of the image.
        margin: added on every side, as a share of the larger side of the box.
    """
    limit = np.array([shape[1], shape[0]])
    if not (np.isfinite(lo).all() and np.isfinite(hi).all() and (hi > lo).all()):
        return slice(0, shape[0]), slice(0, shape[1])
    room = margin * (hi - lo).max() + 4
    a = np.clip(np.floor(lo - room), 0, limit - 1).astype(int)
    b = np.clip(np.ceil(hi + room), a + 1, limit).astype(int)
    if np.prod(b - a) > 0.6 * np.prod(limit):
        return slice(0, shape[0]), slice(0, shape[1])
    return slice(int(a[1]), int(b[1])), slice(int(a[0]), int(b[0]))


@functools.lru_cache
def _font(size: int, bold: bool):
    from matplotlib import get_data_path
    from PIL import ImageFont

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(f"{get_data_path()}/fonts/ttf/{name}", size)


def write_text(
    image: np.ndarray,
    text: str,
    xy: tuple[int, int],
    *,
    size: int = 13,
    colour=(40, 40, 44),
    bold: bool = False,
) -> np.ndarray:
    """An image (H, W, 3) with ``text`` whose upper left corner is at pixel ``xy``; a new image."""
    from PIL import Image, ImageDraw

    canvas = Image.fromarray(image)
    ImageDraw.Draw(canvas).text(xy, text, fill=tuple(colour), font=_font(size, bold))
    return np.asarray(canvas)


def text_width(text: str, *, size: int = 13, bold: bool = False) -> int:
    """Width of ``text`` in pixels as ``write_text`` draws it."""
    return int(np.ceil(_font(size, bold).getlength(text)))


def contact_sheet(
    images: Sequence[np.ndarray],
    captions: Sequence[str] = (),
    *,
    columns: int = 0,
    tile: int = 240,
    gap: int = 6,
    title: str = "",
    row_labels: Sequence[str] = (),
) -> np.ndarray:
    """Images (H, W, 3) of any size side by side on white, each ``tile`` pixels high, captions below.

    Args:
        images: N images, grey, RGB or RGBA. captions: none, or N lines.
        columns: images in a row; 0 puts all in one row. title: one bold line above.
        row_labels: none, or one line for each row, written to its left.
    """
    tiles = [resized(as_rgb(image), height=tile) for image in images]
    if not tiles:
        raise HvrError("there is nothing to show: the list of images is empty")
    columns = min(columns or len(tiles), len(tiles))
    foot, head = (22 if any(captions) else 0), (28 if title else 0)
    side = max((text_width(label, bold=True) + 10 for label in row_labels), default=0)
    widths = [max(t.shape[1] for t in tiles[c::columns]) + gap for c in range(columns)]
    lefts = np.cumsum([gap + side, *widths])
    rows = -(-len(tiles) // columns)
    width = max(lefts[-1], text_width(title, size=14, bold=True) + 2 * gap if title else 0)
    sheet = np.full((head + rows * (tile + foot + gap) + gap, width, 3), 255, np.uint8)
    texts = [(title, (gap, 6), 14, True)] if title else []
    for i, image in enumerate(tiles):
        row, column = divmod(i, columns)
        y = head + gap + row * (tile + foot + gap)
        x = int(lefts[column] + (widths[column] - gap - image.shape[1]) // 2)
        sheet[y : y + tile, x : x + image.shape[1]] = image
        if column == 0 and row < len(row_labels):
            texts.append((row_labels[row], (gap, y + tile // 2 - 8), 13, True))
        if i < len(captions) and captions[i]:
            size = _fitting_size(captions[i], widths[column])
            start = x + (image.shape[1] - text_width(captions[i], size=size)) // 2
            texts.append((captions[i], (max(start, 0), y + tile + 3), size, False))
    for text, xy, size, bold in texts:
        sheet = write_text(sheet, text, xy, size=size, bold=bold)
    return sheet


def _fitting_size(text: str, room: int) -> int:
    """The largest font size, 13 to 8, at which ``text`` fits into ``room`` pixels."""
    return next((size for size in range(13, 8, -1) if text_width(text, size=size) <= room), 8)


def side_colour(name: str) -> tuple[int, int, int]:
    """RGB colour of a joint by its name: left is blue, right is orange, the middle is grey."""
    return LEFT if name.startswith("left_") else RIGHT if name.startswith("right_") else MIDDLE


def draw_skeleton(image: np.ndarray, points: np.ndarray, filled: np.ndarray | None = None) -> np.ndarray:
    """A BODY_25 skeleton over an image.

    Args:
        image: (H, W, 3) uint8. points: (25, 3) x, y in pixels of this image (centres at +0.5) and
            confidence, which sets the opacity. filled: (25,) bool; interpolated points are drawn hollow.

    Returns:
        (H, W, 3) uint8, a new image.
    """
    out = image.copy()
    filled = np.zeros(len(points), bool) if filled is None else filled
    for a, b in BODY25_LIMBS:
        colour = side_colour(BODY25_NAMES[b] if b != 0 and b != 8 else BODY25_NAMES[a])
        draw_bone(out, points[a, :2], points[b, :2], colour, opacity=min(points[a, 2], points[b, 2]))
    for name, point, hollow in zip(BODY25_NAMES, points, filled, strict=True):
        draw_joint(out, point[:2], side_colour(name), opacity=point[2], hollow=bool(hollow))
    return out


def draw_bone(image: np.ndarray, a: np.ndarray, b: np.ndarray, colour, *, opacity: float = 1.0) -> None:
    """A line from pixel ``a`` (2,) to ``b`` (2,), centres at +0.5, drawn into ``image`` in place."""
    width = max(1, round(max(image.shape[:2]) / 160))
    _blend(image, np.stack([a, b]), opacity, functools.partial(_line, colour, width))


def draw_joint(
    image: np.ndarray, at: np.ndarray, colour, *, opacity: float = 1.0, hollow: bool = False
) -> None:
    """A dot, or a ring where ``hollow``, at pixel ``at`` (2,), drawn into ``image`` in place."""
    radius = max(1, round(max(image.shape[:2]) / 160)) + 1
    _blend(image, np.asarray(at)[None], opacity, functools.partial(_dot, colour, radius, hollow))


def draw_box(image: np.ndarray, box: np.ndarray, text: str, colour, *, width: int = 1) -> np.ndarray:
    """An image (H, W, 3) with a box (4,) x0, y0, x1, y1 in pixels and ``text`` in it; a new image."""
    out = image.copy()
    low, high = (tuple(int(v) for v in np.floor(corner)) for corner in (box[:2], box[2:]))
    cv2.rectangle(out, low, high, tuple(int(c) for c in colour), width, cv2.LINE_AA)
    inside = (max(low[0], 0) + width + 2, max(low[1], 0) + width)
    return write_text(out, text, inside, size=15, colour=tuple(int(c) for c in colour), bold=True)


def _blend(image: np.ndarray, points: np.ndarray, opacity: float, draw) -> None:
    """Call ``draw(patch, points)`` on the part of ``image`` around ``points`` and blend it in, in place."""
    if not np.isfinite(points).all() or not opacity > 0.02:
        return
    margin = max(8, round(max(image.shape[:2]) / 50))
    limit = (image.shape[1], image.shape[0])
    lo = np.clip(np.floor(points.min(0) - margin), 0, limit).astype(int)
    hi = np.clip(np.ceil(points.max(0) + margin), 0, limit).astype(int)
    if (hi <= lo).any():
        return
    patch = image[lo[1] : hi[1], lo[0] : hi[0]]
    top = np.ascontiguousarray(patch)
    draw(top, (points - lo - 0.5) * 16)
    weight = float(np.clip(opacity, 0, 1))
    patch[:] = cv2.addWeighted(top, weight, np.ascontiguousarray(patch), 1 - weight, 0)


def _line(colour, width: int, patch: np.ndarray, points: np.ndarray) -> None:
    a, b = (tuple(int(v) for v in p.round()) for p in points)
    cv2.line(patch, a, b, (20, 20, 20), width + 2, cv2.LINE_AA, 4)
    cv2.line(patch, a, b, colour, width, cv2.LINE_AA, 4)


def _dot(colour, radius: int, hollow: bool, patch: np.ndarray, points: np.ndarray) -> None:
    centre = tuple(int(v) for v in points[0].round())
    if hollow:
        cv2.circle(patch, centre, (radius + 1) * 16, colour, 1, cv2.LINE_AA, 4)
        return
    cv2.circle(patch, centre, (radius + 1) * 16, (20, 20, 20), -1, cv2.LINE_AA, 4)
    cv2.circle(patch, centre, radius * 16, colour, -1, cv2.LINE_AA, 4)


def label_palette(label_set: str) -> np.ndarray:
    """(N, 3) uint8 colour of each number of a label set ("CIHP", "LIP" or "ATR")."""
    if label_set not in LABEL_NAMES:
        raise HvrError(f"label set {label_set!r} is not known; use one of {', '.join(LABEL_NAMES)}")
    return np.array([LABEL_COLOURS[name] for name in LABEL_NAMES[label_set]], np.uint8)


def draw_mask(
    image: np.ndarray, alpha: np.ndarray, labels: np.ndarray | None = None, *, label_set: str = "CIHP"
) -> np.ndarray:
    """A silhouette over an image: background dimmed, outline drawn, label colours inside.

    Args:
        image: (H, W, 3) uint8. alpha: (H, W) uint8, 0..255. labels: (H, W) uint8 or None.
    """
    inside = alpha.astype(np.float32)[..., None] / 255
    out = image * (0.35 + 0.65 * inside) + 90 * 0.25 * (1 - inside)
    if labels is not None:
        palette = label_palette(label_set).astype(np.float32)
        known = (labels > 0)[..., None] * 0.62
        out = out * (1 - known) + palette[np.minimum(labels, len(palette) - 1)] * known
    out = np.ascontiguousarray(out.clip(0, 255).astype(np.uint8))
    edges, _ = cv2.findContours((alpha > 127).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    width = max(1, round(max(image.shape[:2]) / 300))
    cv2.drawContours(out, edges, -1, (255, 236, 64), width, cv2.LINE_AA)
    return out


def label_legend(labels: np.ndarray, label_set: str, *, width: int) -> np.ndarray:
    """A legend of the labels that occur in ``labels`` (...): (H, width, 3) uint8, wrapped."""
    names, palette = LABEL_NAMES[label_set], label_palette(label_set)
    present = [int(i) for i in np.unique(labels) if 0 < i < len(names)]
    return legend([names[i] for i in present], palette[present], width=width)


def legend(names: Sequence[str], colours: np.ndarray, *, width: int) -> np.ndarray:
    """Names beside squares of their colours (N, 3) uint8, ``width`` pixels wide, wrapped."""
    spots, x, y = [], 8, 5
    for name in names:
        need = 30 + text_width(name)
        if x > 8 and x + need > width:
            x, y = 8, y + 22
        spots.append((x, y))
        x += need + 8
    out = np.full((y + 24, width, 3), 255, np.uint8)
    for name, colour, (x, y) in zip(names, colours, spots, strict=True):
        out[y + 2 : y + 16, x : x + 18] = colour
        out = write_text(out, name, (x + 24, y)).copy()
    return out


def stack(images: Sequence[np.ndarray]) -> np.ndarray:
    """Images (H_i, W_i, 3) one below the other on white, left aligned."""
    width = max(image.shape[1] for image in images)
    rows = [
        cv2.copyMakeBorder(i, 0, 0, 0, width - i.shape[1], cv2.BORDER_CONSTANT, value=(255,) * 3)
        for i in images
    ]
    return np.concatenate(rows)


def colour_depth(depth: np.ndarray) -> np.ndarray:
    """Depth (H, W), metres, as colours: near bright, far dark, white where it is inf or 0 (background)."""
    hit = np.isfinite(depth) & (depth > 0)
    if not hit.any():
        return np.full((*depth.shape, 3), 255, np.uint8)
    near, far = np.percentile(depth[hit], [1, 99])
    scaled = 1 - np.clip((np.where(hit, depth, far) - near) / max(far - near, 1e-6), 0, 1)
    colours = cv2.applyColorMap((scaled * 255).astype(np.uint8), cv2.COLORMAP_VIRIDIS)[..., ::-1]
    return np.where(hit[..., None], colours, 255).astype(np.uint8)


def encode_jpeg(image: np.ndarray, *, quality: int = 85) -> bytes:
    """RGB (H, W, 3) uint8 as the bytes of a JPEG file."""
    ok, data = cv2.imencode(".jpg", as_rgb(image)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not ok:
        raise HvrError(f"an image of shape {image.shape} could not be encoded as JPEG")
    return data.tobytes()


def to_uint8(image: np.ndarray) -> np.ndarray:
    """Pictures (..., 3) of 0..1 as uint8 0..255; uint8 passes through."""
    if image.dtype == np.uint8:
        return image
    return (np.clip(image, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def over(rgb: np.ndarray, alpha: np.ndarray, background: np.ndarray | float = 255.0) -> np.ndarray:
    """Pictures over black (..., H, W, 3) with alpha (..., H, W) uint8, composited over ``background``."""
    if rgb.ndim > 3:  # one at a time: the whole film as floats would take eight times its memory
        behind = np.broadcast_to(background, rgb.shape)
        return np.stack([over(*each) for each in zip(rgb, alpha, behind, strict=True)])
    shade = np.asarray(background, np.float32) * (1.0 - alpha[..., None].astype(np.float32) / 255.0)
    return np.clip(rgb + shade + 0.5, 0, 255).astype(np.uint8)
