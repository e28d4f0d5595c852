"""The masks of a clip as folders of pictures, one for each layer, which people can view and retouch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from hvr_nb.store.atomic_files import atomic_folder
from hvr_nb.store.digests import file_digest, pictures_digest
from hvr_nb.store.files import SCHEMA, read_image, read_json, results, write_image, write_json
from hvr_nb.store.film_arrays import film_array
from hvr_nb.store.frame_pictures import FrameIndex, is_lost_or_same
from hvr_nb.types import HvrError, Masks

LAYERS = ("alpha", "labels", "foreground")
EDITABLE = ("alpha", "labels")  # layers that people retouch
MANIFEST = "manifest.json"
REMEDY = "run 02_masks again"


def write_masks(folder: Path, masks: Masks, names: Sequence[str], meta: dict) -> None:
    """Write masks (T, H, W) as ``<layer>/<name>.png`` and ``manifest.json``, which also holds ``meta``.

    Raises:
        HvrError: pictures of the folder were retouched or are not ours.
    """
    layers = {layer: getattr(masks, layer) for layer in LAYERS}
    layers = {layer: images for layer, images in layers.items() if images is not None}
    digest = hashlib.sha256()
    with atomic_folder(folder, ours=_replaceable(folder, layers, names)) as partial:
        for layer, images in layers.items():
            digest.update(np.ascontiguousarray(images))
            for name, image in zip(names, images, strict=True):
                write_image(partial / layer / f"{name}.png", image)
        write_json(
            partial / MANIFEST,
            {
                "schema": SCHEMA,
                "hash": digest.hexdigest(),
                "label_set": masks.label_set,
                "source": masks.source,
                "parsing_source": masks.parsing_source,
                "layers": list(layers),
                "pictures": retouchable_digest(partial, layers),
                "files": _digests(partial, layers),
                **meta,
            },
        )


def _digests(folder: Path, layers: Iterable[str]) -> dict[str, str]:
    files = [p for layer in layers for p in results(folder / layer, "*.png")]
    return {f"{p.parent.name}/{p.name}": file_digest(p) for p in files}


def read_manifest(folder: Path) -> dict:
    """What ``manifest.json`` says about a folder of masks.

    Raises:
        HvrError: it is missing or damaged.
    """
    path = folder / MANIFEST
    meta = read_json(path, remedy=REMEDY)
    layers, files = meta.get("layers"), meta.get("files", {})
    texts = [meta.get(key) for key in ("hash", "label_set", "source", "parsing_source")]
    texts += [meta.get("pictures", ""), *(files.values() if isinstance(files, dict) else [None])]
    if (
        not isinstance(layers, list)
        or not all(layer in LAYERS for layer in layers)
        or "alpha" not in layers
        or not all(isinstance(text, str) for text in texts)
        or not isinstance(meta.get("inputs", {}), dict)
    ):
        raise HvrError(f"{path} is damaged; {REMEDY}")
    return meta


def _replaceable(folder: Path, layers: dict[str, np.ndarray], names: Sequence[str]) -> set[str]:
    """Files that stage 02 wrote and may replace; refuse where they were retouched.

    Where the manifest is lost, these are pictures that equal the new ones, or rests of them after a power
    cut.
    """
    try:
        meta = read_manifest(folder)
    except HvrError as error:
        new = {
            f"{layer}/{name}.png": image
            for layer, images in layers.items()
            for name, image in zip(names, images, strict=True)
        }
        for name, image in new.items():
            if not is_lost_or_same(folder / name, image):
                raise HvrError(
                    f"{folder / name} may have been edited by hand; move the folder {folder} away and run "
                    f"again ({error})"
                ) from error
        return {MANIFEST, *new}
    if retouched(folder, meta) and edited(folder, meta):
        raise HvrError(
            f"{folder} was edited by hand since 02_masks made it; move the folder away to make new masks"
        )
    pictures = [p for layer in meta["layers"] for p in results(folder / layer, "*.png")]
    known = meta.get("files") or [f"{p.parent.name}/{p.name}" for p in pictures]
    return {MANIFEST, *known}


def retouchable_digest(folder: Path, layers: Iterable[str]) -> str:
    """sha256 of the pictures that people may retouch, as they are now."""
    return pictures_digest(folder / layer for layer in layers if layer in EDITABLE)


def retouched(folder: Path, meta: dict) -> bool:
    """Whether pictures have changed since they were written with the manifest ``meta``."""
    now = retouchable_digest(folder, meta["layers"])
    return now != meta.get("pictures", now)


def edited(folder: Path, meta: dict) -> bool:
    """Whether changed pictures are somebody's work: what cannot be read any more is only damaged."""
    if "files" not in meta:  # an earlier version kept no digest of each picture
        return True
    now = _digests(folder, [layer for layer in meta["layers"] if layer in EDITABLE])
    return any(
        meta["files"].get(name) != digest and _is_readable(folder / name) for name, digest in now.items()
    )


def is_whole(folder: Path, meta: dict) -> bool:
    """Whether every picture is there and as it was written, or retouched."""
    now, made = _digests(folder, meta["layers"]), meta.get("files")
    changed = [name for name, digest in now.items() if made is None or made.get(name) != digest]
    return set(made or now) <= set(now) and all(map(_is_readable, [folder / name for name in changed]))


def _is_readable(path: Path) -> bool:
    try:
        return read_image(path, remedy="").size > 0
    except HvrError:
        return False


def read_masks(folder: Path, meta: dict, index: FrameIndex) -> Masks:
    """The masks (T, H, W) of a folder as they are now.

    Args:
        meta: the folder's manifest. index: of the frames they belong to.

    Raises:
        HvrError: a picture is missing, damaged or has another size than the frames.
    """
    layers = {layer: _read_layer(folder / layer, layer in EDITABLE, index) for layer in meta["layers"]}
    return Masks(**layers, **{key: meta[key] for key in ("label_set", "source", "parsing_source")})


def _read_layer(folder: Path, editable: bool, index: FrameIndex) -> np.ndarray:
    out = film_array((len(index.names), index.height, index.width, *(() if editable else (3,))))
    for k, name in enumerate(index.names):
        path = folder / f"{name}.png"
        image = read_image(path, remedy=REMEDY)
        if editable and image.ndim == 3:
            image = image[..., 0]  # a picture editor saved the grey picture in colour
        if editable and image.dtype == np.uint16:
            image = (image >> 8).astype(np.uint8)  # or with 16 bits
        if image.shape[:2] != (index.height, index.width):
            raise HvrError(
                f"{path} is {image.shape[1]}x{image.shape[0]}, the frames are "
                f"{index.width}x{index.height}; give it their size"
            )
        if image.dtype != np.uint8 or image.ndim != (2 if editable else 3):
            raise HvrError(f"{path} is no picture of 8 bits in {'grey' if editable else 'colour'}; {REMEDY}")
        out[k] = image
    return out
