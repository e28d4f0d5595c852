"""A clip folder: the one file that knows file names.

``data/clips/<name>/`` holds ``clip.json``, ``camera.npz``, ``frames/`` (stage 00), ``keypoints.npz``
(01), ``masks/`` (02), perhaps imported ``normals.npz``, ``joints3d.npz``, ``lifted.npz`` and ``body.npz``
(03), ``canonical.npz`` (04), ``avatars/<method>/`` (05), ``renders/<method>/`` (06) and ``runs/``. Each is
written by one stage, atomically, with a schema version and the fingerprints of what it was made from; reading one whose
inputs have changed since is an error that names the notebook to run.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from hvr_nb.store.avatars import REMEDY as AVATAR_REMEDY
from hvr_nb.store.avatars import avatar_inputs, begin_avatar, finish_avatar, load_method
from hvr_nb.store.digests import file_digest
from hvr_nb.store.files import SCHEMA as SCHEMA
from hvr_nb.store.files import atomic as atomic
from hvr_nb.store.files import (
    atomic_folder,
    read_image,
    read_json,
    read_npz,
    read_npz_meta,
    write_image,
    write_json,
    write_npz,
)
from hvr_nb.store.mask_pictures import read_masks, retouchable_digest, retouched, write_masks
from hvr_nb.types import Body, Camera, Canonical, HvrError, Joints3D, Keypoints, Masks, Normals

# artefact -> (notebook that makes it, artefacts it is made from)
STAGES = {
    "frames": ("00_video", ()),
    "camera": ("00_video", ("frames",)),
    "keypoints": ("01_keypoints", ("frames",)),
    "masks": ("02_masks", ("frames", "keypoints")),
    "normals": ("import selfrecon", ("frames",)),
    "joints3d": ("03_body", ("keypoints", "camera")),
    "lifted": ("03_body", ("keypoints", "camera")),
    "body": ("03_body", ("keypoints", "masks", "camera")),
    "canonical": ("04_canonical", ("body",)),
}
_FILES = {"frames": "frames/manifest.json", "masks": "masks/manifest.json"}


class Clip:
    """One person in one video; open, save and read its artefacts.

    Attributes read lazily and are cached: ``frames`` (T, H, W, 3) uint8, ``camera``,
    ``keypoints``, ``masks``, ``joints3d``, ``lifted``, ``body``.
    """

    def __init__(self, folder: str | Path):
        """Use ``Clip.create`` or ``Clip.open``."""
        self.folder = Path(folder)
        self._cache: dict[str, tuple[str, object]] = {}

    # -- making and opening -------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        folder: str | Path | Clip,
        frames: np.ndarray,
        *,
        fps: float,
        names: list[str],
        times: np.ndarray,
        source: dict,
    ) -> Clip:
        """Make (or renew) a clip from frames; stage 00 only.

        Args:
            folder: the clip's folder, or the clip; other files in it are left alone.
            frames: (T, H, W, 3) uint8 RGB. fps: frames per second of the clip.
            names: T unique frame names, e.g. "000012". times: (T,) seconds in the source.
            source: provenance to keep in clip.json (file name, its hash, parameters).
        """
        clip = cls(folder.folder if isinstance(folder, Clip) else folder)
        if len(frames) == 0:
            raise HvrError("the clip has no frames; widen the frame range or check the video")
        if len(set(names)) != len(frames) or any(Path(name).name != name for name in names):
            raise HvrError(f"{len(frames)} frames need as many different plain names, not {names[:3]} ...")
        index = {
            "names": list(names),
            "fps": float(fps),
            "times": [float(t) for t in times],
            "height": int(frames.shape[1]),
            "width": int(frames.shape[2]),
        }
        digest = hashlib.sha256(json.dumps(index, sort_keys=True).encode())
        digest.update(np.ascontiguousarray(frames))
        ours = clip._written_frames()
        if not clip._holds(frames, names, digest.hexdigest()):
            with atomic_folder(clip.folder / "frames", ours=ours) as partial:
                for name, frame in zip(names, frames, strict=True):
                    write_image(partial / f"{name}.png", frame)
                write_json(partial / "manifest.json", {"schema": SCHEMA, "hash": digest.hexdigest(), **index})
        from hvr_nb import __version__

        write_json(
            clip.folder / "clip.json",
            {"schema": SCHEMA, "name": clip.name, "version": __version__, "source": source},
        )
        return cls.open(clip)

    def _written_frames(self) -> set[str]:
        """File names in ``frames/`` that stage 00 wrote and may replace."""
        if not self.has("frames"):
            return set()
        meta = read_json(self.path("frames"), remedy="move the folder away and run 00_video again")
        names = meta.get("names", ()) if "hash" in meta else ()
        return {f"{name}.png" for name in names} | ({"manifest.json"} if names else set())

    def _holds(self, frames: np.ndarray, names: list[str], digest: str) -> bool:
        """Whether ``frames/`` already holds exactly these frames, undamaged."""
        if self.fingerprint("frames") != digest:
            return False
        try:
            return all(
                np.array_equal(read_image(self.folder / "frames" / f"{name}.png", remedy=""), frame)
                for name, frame in zip(names, frames, strict=True)
            )
        except HvrError:
            return False

    @classmethod
    def open(cls, folder: str | Path | Clip) -> Clip:
        """Open a clip folder made by notebook 00_video; a clip is given back as it is."""
        clip = folder if isinstance(folder, Clip) else cls(folder)
        clip.info  # noqa: B018  reads clip.json, so that a wrong folder is named at once
        return clip

    @property
    def name(self) -> str:
        """The clip's name: its folder's."""
        return self.folder.resolve().name

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.frame_names)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the frames, pixels."""
        return int(self._manifest["width"]), int(self._manifest["height"])

    @property
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
        if artefact not in _FILES:
            return file_digest(path)
        meta = read_json(path, remedy=_remedy(artefact))
        made = str(meta.get("hash", ""))
        if artefact == "masks" and retouched(self.folder / "masks", meta):
            now = retouchable_digest(self.folder / "masks", meta.get("layers", ()))
            return hashlib.sha256((made + now).encode()).hexdigest()
        return made

    def save(self, artefact: str, value, **params) -> None:
        """Write an artefact atomically with the fingerprints of what it was made from.

        Args:
            artefact: a key of ``STAGES`` other than "frames".
            value: its dataclass.
            params: the parameters it was made with, kept as provenance.
        """
        if artefact == "frames" or artefact not in STAGES:
            raise HvrError(f"{artefact!r} cannot be saved; one of {', '.join(list(STAGES)[1:])} can")
        inputs = {name: self.fingerprint(name) for name in STAGES[artefact][1]}
        meta = {"kind": artefact, "inputs": inputs, "params": params}
        if artefact == "masks":
            write_masks(self.folder / "masks", value, self.frame_names, meta)
        else:
            write_npz(self.path(artefact), value, meta)
        self._cache.pop(artefact, None)

    def load(self, artefact: str, kind: type):
        """Read an npz artefact as dataclass ``kind``; refuse one whose inputs have changed."""
        self._check_inputs(artefact)
        now = self.fingerprint(artefact)
        if artefact not in self._cache or self._cache[artefact][0] != now:
            self._cache[artefact] = now, read_npz(self.path(artefact), kind, remedy=_remedy(artefact))[0]
        return self._cache[artefact][1]

    def _meta(self, artefact: str) -> dict:
        read = read_json if artefact in _FILES else read_npz_meta
        return read(self.path(artefact), remedy=_remedy(artefact))

    def _check_inputs(self, artefact: str) -> None:
        """Refuse an artefact made from something that has changed since, however far back.

        An input that was not there when the artefact was made ("") was not used, so it may come.
        """
        inputs = self._meta(artefact).get("inputs", {})
        self._check_made_from(self.path(artefact), inputs, _remedy(artefact))

    def _check_made_from(self, path: Path, inputs: dict[str, str], remedy: str) -> None:
        for name, digest in inputs.items():
            if not digest:
                continue
            if self.fingerprint(name) != digest:
                raise HvrError(f"{path} was made from other {name} than the clip has now; {remedy}")
            self._check_inputs(name)

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
    def normals(self) -> Normals:
        """Directions of the visible surface; only imported clips have them."""
        return self.load("normals", Normals)

    @property
    def joints3d(self) -> Joints3D:
        """The detector's 3D skeleton, stage 03."""
        return self.load("joints3d", Joints3D)

    @property
    def lifted(self) -> Joints3D:
        """The lifted 3D skeleton, stage 03."""
        return self.load("lifted", Joints3D)

    @property
    def body(self) -> Body:
        """SMPL parameters, stage 03."""
        return self.load("body", Body)

    @property
    def canonical(self) -> Canonical:
        """The body in its big pose, stage 04."""
        return self.load("canonical", Canonical)

    def avatar(self, method: str, **options):
        """The trained avatar of a method, e.g. "nvr", stage 05.

        Args:
            method: its name. options: of the method's ``load``, e.g. ``device``.

        Raises:
            HvrError: there is no such method, the avatar is missing or damaged, or what it was trained on
                has changed since.
        """
        module, folder = load_method(method), self.avatar_folder(method)
        self._check_made_from(folder, avatar_inputs(folder), AVATAR_REMEDY)
        return module.load(folder, **options)

    def avatar_folder(self, method: str) -> Path:
        """Where the avatar of a method lies."""
        return self.folder / "avatars" / method

    def save_avatar(self, method: str, avatar, made_from: tuple[str, ...]) -> None:
        """Write an avatar by its ``save(folder)``, with the fingerprints of the artefacts it was made from."""
        folder = self.avatar_folder(method)
        inputs = {name: self.fingerprint(name) for name in made_from}
        begin_avatar(folder)
        avatar.save(folder)
        finish_avatar(folder, inputs)

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

    @property
    def masks(self) -> Masks:
        """Silhouettes and labels, stage 02, with whatever has been retouched by hand."""
        self._check_inputs("masks")
        now = self.fingerprint("masks")
        if self._cache.get("masks", ("",))[0] != now:
            meta = self._meta("masks")
            self._cache["masks"] = now, read_masks(self.folder / "masks", meta, self._manifest)
        return self._cache["masks"][1]

    def __repr__(self) -> str:
        made = ", ".join(a for a in STAGES if self.has(a))
        return f"Clip({self.name}: {len(self.frame_names)} frames at {self.fps:.4g} fps; has {made})"


def _remedy(artefact: str) -> str:
    return f"run {STAGES[artefact][0]} again"
