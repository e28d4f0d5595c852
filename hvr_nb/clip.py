"""A clip folder: the one file that knows file names.

``data/clips/<name>/`` holds ``clip.json``, ``camera.npz``, ``frames/`` (stage 00), ``keypoints.npz``
(01), ``masks/`` (02), ``joints3d.npz`` and ``body.npz`` (03), ``canonical.npz`` (04),
``avatars/<method>/`` (05), ``renders/<method>/`` (06) and ``runs/``. Each is written by one stage,
atomically, with a schema version and the fingerprints of what it was made from; reading one whose
inputs have changed since is an error that names the notebook to run.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import functools
import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from hvr_nb.types import Body, Camera, HvrError, Joints3D, Keypoints, Masks

SCHEMA = 1
# artefact -> (notebook that makes it, artefacts it is made from)
STAGES = {
    "frames": ("00_video", ()),
    "camera": ("00_video", ("frames",)),
    "keypoints": ("01_keypoints", ("frames",)),
    "masks": ("02_masks", ("frames", "keypoints")),
    "joints3d": ("03_body", ("keypoints", "camera")),
    "body": ("03_body", ("keypoints", "masks", "camera")),
    "canonical": ("04_canonical", ("body",)),
}
_FILES = {"frames": "frames/manifest.json", "masks": "masks/manifest.json"}
_KINDS = {"camera": Camera, "keypoints": Keypoints, "joints3d": Joints3D, "body": Body}


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` and move it into place when the block succeeds.

    Raises:
        HvrError: the disk is full; nothing half-written stays behind.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield partial
        os.replace(partial, path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise HvrError(f"the disk is full: {path} was not written; free space and run again") from error
        raise
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: Path, value: dict) -> None:
    """Write ``value`` as indented JSON, atomically."""
    with atomic(path) as partial:
        partial.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")


def read_json(path: Path, *, remedy: str) -> dict:
    """Read a JSON object; ``remedy`` ends the error message of a missing or damaged file."""
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError:
        raise HvrError(f"{path} is missing; {remedy}") from None
    except (ValueError, OSError) as error:
        raise HvrError(f"{path} is damaged ({error}); {remedy}") from error


def write_image(path: Path, image: np.ndarray) -> None:
    """Write RGB (H, W, 3) or grey (H, W) uint8 as PNG, atomically."""
    ok, data = cv2.imencode(".png", image[..., ::-1] if image.ndim == 3 else image,
                            [cv2.IMWRITE_PNG_COMPRESSION, 1])  # fmt: skip
    if not ok:
        raise HvrError(f"{path}: the image could not be encoded")
    with atomic(path) as partial:
        partial.write_bytes(data.tobytes())


def read_image(path: Path, *, remedy: str) -> np.ndarray:
    """Read a PNG or JPEG as RGB (H, W, 3) or grey (H, W) uint8."""
    data = np.fromfile(path, np.uint8) if Path(path).exists() else np.zeros(0, np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if len(data) else None
    if image is None:
        raise HvrError(f"{path} is missing or damaged; {remedy}")
    return image if image.ndim == 2 else np.ascontiguousarray(image[..., 2::-1])


def write_npz(path: Path, value, meta: dict) -> None:
    """Write a dataclass of arrays (a nested Camera too) as compressed npz with ``meta``."""
    arrays = {}
    for name, item in _flat(value):
        arrays[name] = np.asarray(item)
    arrays["__meta__"] = np.asarray(json.dumps({"schema": SCHEMA, **meta}, sort_keys=True))
    with atomic(path) as partial:
        np.savez_compressed(partial, **arrays)


def _flat(value, prefix: str = "") -> Iterator[tuple[str, object]]:
    for f in dataclasses.fields(value):
        item = getattr(value, f.name)
        if dataclasses.is_dataclass(item):
            yield from _flat(item, f"{prefix}{f.name}.")
        elif item is not None:
            yield prefix + f.name, item


def read_npz(path: Path, kind: type, *, remedy: str) -> tuple[object, dict]:
    """Read what ``write_npz`` wrote: (dataclass, meta). Object arrays are never unpickled."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        meta = json.loads(str(arrays.pop("__meta__")))
    except FileNotFoundError:
        raise HvrError(f"{path} is missing; {remedy}") from None
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise HvrError(f"{path} is damaged ({error}); {remedy}") from error
    if meta.get("schema") != SCHEMA:
        raise HvrError(f"{path} has schema {meta.get('schema')}, this version reads {SCHEMA}; {remedy}")
    try:
        return _build(kind, arrays, ""), meta
    except (KeyError, TypeError, ValueError) as error:
        raise HvrError(f"{path} lacks {error}; {remedy}") from error


def _build(kind: type, arrays: dict, prefix: str):
    values = {}
    for f in dataclasses.fields(kind):
        name = prefix + f.name
        if name in arrays:
            a = arrays[name]
            values[f.name] = a if a.ndim else a.item()
            if "tuple" in str(f.type):
                values[f.name] = tuple(a.tolist())
        elif any(key.startswith(name + ".") for key in arrays):
            values[f.name] = _build(Camera, arrays, name + ".")
        elif f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING:
            raise KeyError(name)
    return kind(**values)


class Clip:
    """One person in one video; open, save and read its artefacts.

    Attributes read lazily and are cached: ``frames`` (T, H, W, 3) uint8, ``camera``,
    ``keypoints``, ``masks``, ``joints3d``, ``body``.
    """

    def __init__(self, folder: str | Path):
        """Use ``Clip.create`` or ``Clip.open``."""
        self.folder = Path(folder)
        self._cache: dict[str, tuple[str, object]] = {}

    # -- making and opening -------------------------------------------------------------------

    @classmethod
    def create(cls, folder: str | Path, frames: np.ndarray, *, fps: float, names: list[str],
               times: np.ndarray, source: dict) -> Clip:  # fmt: skip
        """Make (or renew) a clip from frames; stage 00 only.

        Args:
            folder: the clip's folder; other files in it are left alone.
            frames: (T, H, W, 3) uint8 RGB. fps: frames per second of the clip.
            names: T unique frame names, e.g. "000012". times: (T,) seconds in the source.
            source: provenance to keep in clip.json (file name, its hash, parameters).
        """
        clip = cls(folder)
        if len(frames) == 0:
            raise HvrError("the clip has no frames; widen the frame range or check the video")
        digest = hashlib.sha256(np.ascontiguousarray(frames)).hexdigest()
        target, manifest = clip.folder / "frames", clip.folder / "frames" / "manifest.json"
        same = manifest.exists() and read_json(manifest, remedy="delete it").get("hash") == digest
        if target.exists() and not manifest.exists() and any(target.glob("*")):
            raise HvrError(f"{target} was not written by 00_video; choose another clip folder")
        if not same:
            partial = clip.folder / ".frames.partial"
            shutil.rmtree(partial, ignore_errors=True)
            for name, frame in zip(names, frames, strict=True):
                write_image(partial / f"{name}.png", frame)
            write_json(partial / "manifest.json", {
                "schema": SCHEMA, "hash": digest, "names": list(names), "fps": float(fps),
                "times": [float(t) for t in times], "height": int(frames.shape[1]),
                "width": int(frames.shape[2]),
            })  # fmt: skip
            shutil.rmtree(target, ignore_errors=True)
            os.replace(partial, target)
        from hvr_nb import __version__

        write_json(clip.folder / "clip.json", {"schema": SCHEMA, "name": clip.name,
                                               "version": __version__, "source": source})  # fmt: skip
        return cls.open(folder)

    @classmethod
    def open(cls, folder: str | Path) -> Clip:
        """Open a clip folder made by notebook 00_video."""
        clip = cls(folder)
        clip.info  # noqa: B018  reads clip.json, so that a wrong folder is named at once
        return clip

    @property
    def name(self) -> str:
        """The clip's name: its folder's."""
        return self.folder.resolve().name

    @functools.cached_property
    def info(self) -> dict:
        """What stage 00 wrote into clip.json."""
        return read_json(self.folder / "clip.json", remedy="run 00_video to make the clip")

    # -- artefacts ----------------------------------------------------------------------------

    def path(self, artefact: str) -> Path:
        """Where an artefact lies (for frames and masks: the manifest written last)."""
        return self.folder / _FILES.get(artefact, f"{artefact}.npz")

    def has(self, artefact: str) -> bool:
        """Whether the artefact has been written whole."""
        return self.path(artefact).exists()

    def require(self, *artefacts: str) -> None:
        """Raise HvrError naming the notebook to run for the first artefact that is missing."""
        for artefact in artefacts:
            if not self.has(artefact):
                raise HvrError(f"{self.folder} has no {artefact}; run {STAGES[artefact][0]} first")

    def fingerprint(self, artefact: str) -> str:
        """sha256 of an artefact's content ("" where it is missing)."""
        path = self.path(artefact)
        if not path.exists():
            return ""
        if artefact in _FILES:
            return read_json(path, remedy=_remedy(artefact)).get("hash", "")
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def save(self, artefact: str, value, **params) -> None:
        """Write an artefact atomically with the fingerprints of what it was made from.

        Args:
            artefact: a key of ``STAGES`` other than "frames".
            value: its dataclass.
            params: the parameters it was made with, kept as provenance.
        """
        inputs = {name: self.fingerprint(name) for name in STAGES[artefact][1]}
        meta = {"kind": artefact, "inputs": inputs, "params": params}
        if artefact == "masks":
            self._save_masks(value, meta)
        else:
            write_npz(self.path(artefact), value, meta)
        self._cache.pop(artefact, None)

    def load(self, artefact: str, kind: type):
        """Read an npz artefact as dataclass ``kind``; refuse one whose inputs have changed."""
        now = self.fingerprint(artefact)
        if artefact in self._cache and self._cache[artefact][0] == now:
            return self._cache[artefact][1]
        value, meta = read_npz(self.path(artefact), kind, remedy=_remedy(artefact))
        self._check_inputs(artefact, meta)
        self._cache[artefact] = (now, value)
        return value

    def _check_inputs(self, artefact: str, meta: dict) -> None:
        for name, digest in meta.get("inputs", {}).items():
            if self.fingerprint(name) != digest:
                raise HvrError(
                    f"{self.path(artefact)} was made from other {name} than the clip has now; "
                    + _remedy(artefact)
                )

    @property
    def frames(self) -> np.ndarray:
        """(T, H, W, 3) uint8 RGB."""
        now = self.fingerprint("frames")
        if self._cache.get("frames", ("",))[0] != now or not now:
            folder, remedy = self.folder / "frames", _remedy("frames")
            images = [read_image(folder / f"{n}.png", remedy=remedy) for n in self.frame_names]
            self._cache["frames"] = (now, np.stack(images))
        return self._cache["frames"][1]

    @property
    def _manifest(self) -> dict:
        return read_json(self.path("frames"), remedy=_remedy("frames"))

    @property
    def frame_names(self) -> list[str]:
        """The frames' names; the one index of the clip."""
        return self._manifest["names"]

    @property
    def fps(self) -> float:
        """Frames per second of the clip (after the stride)."""
        return float(self._manifest["fps"])

    @property
    def times(self) -> np.ndarray:
        """(T,) seconds of each frame in the source video."""
        return np.asarray(self._manifest["times"])

    @property
    def camera(self) -> Camera:
        """The camera of stage 00 (the body carries its own, perhaps refined, one)."""
        return self.load("camera", Camera)

    @property
    def keypoints(self) -> Keypoints:
        """2D joints, stage 01."""
        return self.load("keypoints", Keypoints)

    @property
    def joints3d(self) -> Joints3D:
        """3D skeleton, stage 03."""
        return self.load("joints3d", Joints3D)

    @property
    def body(self) -> Body:
        """SMPL parameters, stage 03."""
        return self.load("body", Body)

    # -- measured numbers ---------------------------------------------------------------------

    def record(self, stage: str, **numbers) -> dict:
        """Keep a stage's measured numbers in ``metrics/<stage>.json`` and return them."""
        plain = {k: np.asarray(v).tolist() for k, v in numbers.items()}
        write_json(self.folder / "metrics" / f"{stage}.json", plain)
        return plain

    @property
    def metrics(self) -> dict[str, dict]:
        """Every stage's recorded numbers, by stage."""
        files = sorted((self.folder / "metrics").glob("*.json"))
        return {f.stem: read_json(f, remedy=f"run {f.stem} again") for f in files}

    # -- masks: a folder of pictures, so that people can look and edit ---------------------------

    def _save_masks(self, masks: Masks, meta: dict) -> None:
        target, partial = self.folder / "masks", self.folder / ".masks.partial"
        if target.exists() and not self.has("masks") and any(target.glob("*")):
            raise HvrError(f"{target} was not written by 02_masks; move it away or import it by its path")
        shutil.rmtree(partial, ignore_errors=True)
        layers = {"alpha": masks.alpha, "labels": masks.labels, "foreground": masks.foreground}
        digest = hashlib.sha256()
        for layer, images in layers.items():
            if images is None:
                continue
            digest.update(np.ascontiguousarray(images))
            for name, image in zip(self.frame_names, images, strict=True):
                write_image(partial / layer / f"{name}.png", image)
        write_json(partial / "manifest.json", {
            "schema": SCHEMA, "hash": digest.hexdigest(), "label_set": masks.label_set,
            "source": masks.source, "parsing_source": masks.parsing_source,
            "layers": [k for k, v in layers.items() if v is not None], **meta,
        })  # fmt: skip
        shutil.rmtree(target, ignore_errors=True)
        os.replace(partial, target)

    @property
    def masks(self) -> Masks:
        """Silhouettes and labels, stage 02."""
        now = self.fingerprint("masks")
        if now and self._cache.get("masks", ("",))[0] == now:
            return self._cache["masks"][1]
        remedy = _remedy("masks")
        meta = read_json(self.path("masks"), remedy=remedy)
        self._check_inputs("masks", meta)
        layers = {
            layer: np.stack([read_image(self.folder / "masks" / layer / f"{n}.png", remedy=remedy)
                             for n in self.frame_names])
            for layer in meta["layers"]
        }  # fmt: skip
        masks = Masks(**layers, label_set=meta["label_set"], source=meta["source"],
                      parsing_source=meta["parsing_source"])  # fmt: skip
        self._cache["masks"] = (now, masks)
        return masks

    def __repr__(self) -> str:
        made = ", ".join(a for a in STAGES if self.has(a))
        return f"Clip({self.name}: {len(self.frame_names)} frames at {self.fps:.4g} fps; has {made})"


def _remedy(artefact: str) -> str:
    return f"run {STAGES[artefact][0]} again"
