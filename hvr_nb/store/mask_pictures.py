"""The masks of a clip as a folder of pictures, a folder a layer, so that people can look at them and retouch them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from hvr_nb.store.digests import pictures_digest
from hvr_nb.store.files import SCHEMA, atomic_folder, read_image, read_json, write_image, write_json
from hvr_nb.types import HvrError, Masks

EDITABLE = ("alpha", "labels")  # layers that people retouch
REMEDY = "run 02_masks again"


def write_masks(folder: Path, masks: Masks, names: Sequence[str], meta: dict) -> None:
    """Write masks (T, H, W) as ``<layer>/<name>.png`` and ``manifest.json``, which also holds ``meta``.

    Raises:
        HvrError: there is not one mask a frame, or pictures of the folder were retouched or are not ours.
    """
    layers = {"alpha": masks.alpha, "labels": masks.labels, "foreground": masks.foreground}
    layers = {layer: images for layer, images in layers.items() if images is not None}
    for layer, images in layers.items():
        if len(images) != len(names):
            raise HvrError(f"{len(images)} {layer} masks for {len(names)} frames; make one for each")
    digest = hashlib.sha256()
    with atomic_folder(folder, ours=_written(folder)) as partial:
        for layer, images in layers.items():
            digest.update(np.ascontiguousarray(images))
            for name, image in zip(names, images, strict=True):
                write_image(partial / layer / f"{name}.png", image)
        write_json(
            partial / "manifest.json",
            {
                "schema": SCHEMA,
                "hash": digest.hexdigest(),
                "label_set": masks.label_set,
                "source": masks.source,
                "parsing_source": masks.parsing_source,
                "layers": list(layers),
                "pictures": retouchable_digest(partial, layers),
                **meta,
            },
        )


def _written(folder: Path) -> set[str]:
    """Files that stage 02 wrote and may replace; refuse where they were retouched."""
    if not (folder / "manifest.json").exists():
        return set()
    meta = read_json(folder / "manifest.json", remedy="move the folder away")
    if retouched(folder, meta):
        raise HvrError(
            f"{folder} was edited by hand since 02_masks made it; move the folder away to make new masks"
        )
    layers = set(meta.get("layers", ()))
    files = folder.rglob("*.png")
    return {"manifest.json"} | {f"{p.parent.name}/{p.name}" for p in files if p.parent.name in layers}


def retouchable_digest(folder: Path, layers: Iterable[str]) -> str:
    """sha256 of the pictures that people may retouch, as they are now."""
    return pictures_digest(folder / layer for layer in layers if layer in EDITABLE)


def retouched(folder: Path, meta: dict) -> bool:
    """Whether pictures have changed since they were written with the manifest ``meta``."""
    now = retouchable_digest(folder, meta.get("layers", ()))
    return now != meta.get("pictures", now)


def read_masks(folder: Path, meta: dict, index: dict) -> Masks:
    """The masks (T, H, W) of a folder as they are now.

    Args:
        meta: the folder's manifest. index: the frames' manifest: names, height and width.

    Raises:
        HvrError: a picture is missing, damaged or has another size than the frames.
    """
    layers = {layer: _read_layer(folder / layer, layer in EDITABLE, index) for layer in meta["layers"]}
    texts = {key: meta[key] for key in ("label_set", "source", "parsing_source")}
    return Masks(**layers, **texts)


def _read_layer(folder: Path, editable: bool, index: dict) -> np.ndarray:
    images = []
    for name in index["names"]:
        path = folder / f"{name}.png"
        image = read_image(path, remedy=REMEDY)
        if editable and image.ndim == 3:
            image = image[..., 0]  # a picture editor saved the grey picture in colour
        if editable and image.dtype == np.uint16:
            image = (image >> 8).astype(np.uint8)  # or with 16 bits
        if image.shape[:2] != (index["height"], index["width"]):
            raise HvrError(
                f"{path} is {image.shape[1]}x{image.shape[0]}, the frames are "
                f"{index['width']}x{index['height']}; give it their size"
            )
        images.append(image)
    return np.stack(images)
