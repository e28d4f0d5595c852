"""A clip folder: the one file that knows file names.

``data/clips/<name>/`` holds ``clip.json``, ``camera.npz``, ``frames/`` (stage 00), ``keypoints.npz``
(01), ``masks/`` (02), perhaps imported ``normals.npz``, ``joints3d.npz``, ``lifted.npz`` and ``body.npz``
(03), ``canonical.npz`` (04), ``avatars/<method>/`` (05), ``renders/<method>/`` (06), ``metrics/`` and
``runs/``. Each is written by one stage, atomically, with a schema version and the fingerprints of what it was
made from; reading one whose inputs have changed since is an error that names the notebook to run.
The files are described in docs/formats.md, 1.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from hvr_nb.store.arrays import read_npz, read_npz_meta, write_npz
from hvr_nb.store.atomic_files import sweep
from hvr_nb.store.avatars import REMEDY as AVATAR_REMEDY
from hvr_nb.store.avatars import avatar_inputs, begin_avatar, finish_avatar, load_method
from hvr_nb.store.beside import others_beside, refuse_another_film
from hvr_nb.store.checks import check_value
from hvr_nb.store.digests import file_digest
from hvr_nb.store.files import SCHEMA, read_json, results, write_json
from hvr_nb.store.frame_pictures import FrameIndex, make_index, read_frames, read_index, write_frames
from hvr_nb.store.inside import is_plain, refuse_escapes
from hvr_nb.store.locks import writing
from hvr_nb.store.mask_pictures import read_manifest, read_masks, retouchable_digest, retouched, write_masks
from hvr_nb.store.measured import read_doubts, read_numbers, write_numbers
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
KINDS = {
    "camera": Camera,
    "keypoints": Keypoints,
    "masks": Masks,
    "normals": Normals,
    "joints3d": Joints3D,
    "lifted": Joints3D,
    "body": Body,
    "canonical": Canonical,
}
_FILES = {"frames": "frames/manifest.json", "masks": "masks/manifest.json"}


class Clip:
    """One person in one video; open, save and read its artefacts.

    ``len(clip)`` is the number of frames. Artefacts are read when they are asked for and kept until they
    change: ``frames`` (T, H, W, 3) uint8, ``camera``, ``keypoints``, ``masks``, ``normals``, ``joints3d``,
    ``lifted``, ``body``, ``canonical``.
    """

    def __init__(self, folder: str | Path):
        """Use ``Clip.create`` or ``Clip.open``."""
        self.folder = Path(folder)
        self._cache: dict[str, tuple[object, object]] = {}  # artefact -> (its fingerprint, value)

    # -- making and opening -------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        folder: str | Path | Clip,
        frames: np.ndarray,
        *,
        fps: float,
        names: Sequence[str],
        times: Sequence[float],
        source: Mapping[str, object],
    ) -> Clip:
        """Make (or renew) a clip from frames; stage 00 only.

        Args:
            folder: the clip's folder, or the clip; other files in it are left alone.
            frames: (T, H, W, 3) uint8 RGB. fps: frames per second of the clip.
            names: T unique frame names, e.g. "000012". times: (T,) seconds in the source.
            source: provenance to keep in clip.json (file name, its hash, parameters).

        Raises:
            HvrError: there are no frames, names, times or rate cannot be used, the folder holds files that
                stage 00 did not write where it would write, or it is the clip of another film.
        """
        from hvr_nb import __version__

        clip = cls(folder.folder if isinstance(folder, Clip) else folder)
        index = make_index(frames, names=names, fps=fps, times=times)
        if (clip.folder / "clip.json").is_file():
            refuse_another_film(clip.folder, clip.info["source"], source)
        with clip._writing():
            write_frames(clip.folder / "frames", frames, index)
            made = {"schema": SCHEMA, "name": clip.name, "version": __version__, "source": dict(source)}
            write_json(clip.folder / "clip.json", made)
        return clip

    @classmethod
    def open(cls, folder: str | Path | Clip) -> Clip:
        """Open a clip folder made by notebook 00_video; a clip is given back as it is.

        Raises:
            HvrError: it is no clip, or a link in it leads out of it.
        """
        clip = folder if isinstance(folder, Clip) else cls(folder)
        clip.info  # noqa: B018  reads clip.json, so that a wrong folder is named at once
        refuse_escapes(clip.folder)
        return clip

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Alone with the folder, which links do not lead out of and killed runs have left nothing in."""
        refuse_escapes(self.folder)
        with writing(self.folder):
            sweep(self.folder)
            yield

    @property
    def name(self) -> str:
        """The clip's name: its folder's."""
        return self.folder.resolve().name

    @property
    def info(self) -> dict:
        """What stage 00 wrote into clip.json; ``source`` says where the video came from."""
        path, remedy = self.folder / "clip.json", "run 00_video to make the clip"
        if not path.exists():
            raise HvrError(
                f"there is no clip {self.folder} (no clip.json); {remedy}{others_beside(self.folder)}"
            )
        info = read_json(path, remedy=remedy)
        if not isinstance(info.get("source"), dict):
            raise HvrError(f"{path} is damaged (it has no source); {remedy}")
        return info

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
        if artefact == "frames":
            return read_index(path.parent)[1]
        if artefact != "masks":
            return file_digest(path)
        meta = read_manifest(path.parent)
        if retouched(path.parent, meta):
            now = retouchable_digest(path.parent, meta["layers"])
            return hashlib.sha256((meta["hash"] + now).encode()).hexdigest()
        return meta["hash"]

    def save(self, artefact: str, value, **params) -> None:
        """Write an artefact atomically with the fingerprints of what it was made from.

        Args:
            artefact: a key of ``KINDS``.
            value: of that kind.
            params: the parameters it was made with, kept as provenance.

        Raises:
            HvrError: the value does not fit the clip's frames, is not finite, or cannot be written.
        """
        if artefact not in KINDS:
            raise HvrError(f"{artefact!r} cannot be saved; one of {', '.join(KINDS)} can")
        if not isinstance(value, KINDS[artefact]):
            raise HvrError(f"{artefact} is a {KINDS[artefact].__name__}, not a {type(value).__name__}")
        try:
            check_value(value, self._sizes())
        except ValueError as error:
            raise HvrError(f"{artefact} of {self.folder} cannot be saved: {error}") from error
        with self._writing():
            meta = {"kind": artefact, "inputs": self._made_from(STAGES[artefact][1]), "params": params}
            if artefact == "masks":
                write_masks(self.path("masks").parent, value, self.frame_names, meta)
            else:
                write_npz(self.path(artefact), value, meta)
        self._cache.pop(artefact, None)

    def _made_from(self, artefacts: Sequence[str]) -> dict[str, str]:
        """Fingerprints of artefacts as they were read here; of those not read, as they are now."""
        read = {name: self._cache[name][0] for name in artefacts if name in self._cache}
        return {name: read.get(name) or self.fingerprint(name) for name in artefacts}

    def _sizes(self) -> dict[str, int]:
        """Lengths that the frames set for all artefacts."""
        return {"T": len(self), "H": self.size[1], "W": self.size[0]}

    def _read(self, artefact: str):
        """Read an npz artefact; refuse one whose inputs have changed."""
        self._check_inputs(artefact)
        now = self.fingerprint(artefact)
        if self._cache.get(artefact, ("",))[0] != now:
            kind, path = KINDS[artefact], self.path(artefact)
            value, _ = read_npz(path, kind, remedy=_remedy(artefact), sizes=self._sizes())
            self._cache[artefact] = now, value
        return self._cache[artefact][1]

    def _check_inputs(self, artefact: str) -> None:
        """Refuse an artefact made from something that has changed since, however far back.

        An input that was not there when the artefact was made ("") was not used, so it may come.
        """
        path, remedy = self.path(artefact), _remedy(artefact)
        if artefact == "frames":
            return
        meta = read_manifest(path.parent) if artefact == "masks" else read_npz_meta(path, remedy=remedy)
        self._check_made_from(path, meta.get("inputs", {}), remedy, STAGES[artefact][1])

    def _check_made_from(self, path: Path, inputs: object, remedy: str, known: Sequence[str]) -> None:
        """Refuse the file at ``path`` if its recorded inputs have changed; ``known`` may be among them."""
        if not isinstance(inputs, dict) or not all(name in known for name in inputs):
            raise HvrError(f"{path} is damaged (what it was made from is unclear); {remedy}")
        for name, digest in inputs.items():
            if not digest:
                continue
            if self.fingerprint(name) != digest:
                raise HvrError(f"{path} was made from other {name} than the clip has now; {remedy}")
            self._check_inputs(name)

    @property
    def index(self) -> FrameIndex:
        """Names and times of the frames, and their size."""
        path = self.path("frames")
        state = path.stat() if path.is_file() else None
        stamp = state and (state.st_mtime_ns, state.st_size, state.st_ino)
        if stamp is None or self._cache.get("index", (None,))[0] != stamp:
            self._cache["index"] = stamp, read_index(path.parent)[0]
        return self._cache["index"][1]

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.index.names)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the frames, pixels."""
        return self.index.width, self.index.height

    @property
    def frame_names(self) -> list[str]:
        """The frames' names; the one index of the clip."""
        return list(self.index.names)

    @property
    def fps(self) -> float:
        """Frames per second of the clip (after the stride)."""
        return self.index.fps

    @property
    def times(self) -> np.ndarray:
        """(T,) seconds of each frame in the source video."""
        return np.asarray(self.index.times)

    @property
    def frames(self) -> np.ndarray:
        """(T, H, W, 3) uint8 RGB."""
        folder, now = self.path("frames").parent, self.fingerprint("frames")
        if self._cache.get("frames", ("",))[0] != now or not now:
            self._cache["frames"] = now, read_frames(folder, self.index)
        return self._cache["frames"][1]

    @property
    def camera(self) -> Camera:
        """The camera of stage 00 (the body carries its own, perhaps refined, one)."""
        return self._read("camera")

    @property
    def keypoints(self) -> Keypoints:
        """2D joints, stage 01."""
        return self._read("keypoints")

    @property
    def masks(self) -> Masks:
        """Silhouettes and labels, stage 02, with whatever has been retouched by hand."""
        self._check_inputs("masks")
        folder, now = self.path("masks").parent, self.fingerprint("masks")
        if self._cache.get("masks", ("",))[0] != now:
            self._cache["masks"] = now, read_masks(folder, read_manifest(folder), self.index)
        return self._cache["masks"][1]

    @property
    def normals(self) -> Normals:
        """Directions of the visible surface; only imported clips have them."""
        return self._read("normals")

    @property
    def joints3d(self) -> Joints3D:
        """The detector's 3D skeleton, stage 03."""
        return self._read("joints3d")

    @property
    def lifted(self) -> Joints3D:
        """The lifted 3D skeleton, stage 03."""
        return self._read("lifted")

    @property
    def body(self) -> Body:
        """SMPL parameters, stage 03."""
        return self._read("body")

    @property
    def canonical(self) -> Canonical:
        """The body in its big pose, stage 04."""
        return self._read("canonical")

    # -- avatars ------------------------------------------------------------------------------

    def avatar(self, method: str, **options):
        """The trained avatar of a method, e.g. "nvr", stage 05.

        Args:
            method: its name. options: of the method's ``load``, e.g. ``device``.

        Raises:
            HvrError: there is no such method, the avatar is missing or damaged, or what it was trained on
                has changed since.
        """
        module, folder = load_method(method), self.avatar_folder(method)
        self._check_made_from(folder, avatar_inputs(folder), AVATAR_REMEDY, list(STAGES))
        return module.load(folder, **options)

    def avatar_folder(self, method: str) -> Path:
        """Where the avatar of a method lies."""
        return self._folder_of("avatars", method)

    def render_folder(self, method: str) -> Path:
        """Where the pictures of a method's avatar lie."""
        return self._folder_of("renders", method)

    def _folder_of(self, kind: str, method: str) -> Path:
        if not is_plain(method):
            raise HvrError(f"{method!r} cannot be the name of a method")
        return self.folder / kind / method

    def save_avatar(self, method: str, avatar, made_from: Sequence[str]) -> None:
        """Write an avatar by its ``save(folder)``, with the fingerprints of the artefacts it is made from."""
        folder = self.avatar_folder(method)
        with self._writing():
            begin_avatar(folder)
            avatar.save(folder)
            finish_avatar(folder, self._made_from(made_from))

    # -- measured numbers ---------------------------------------------------------------------

    def record(self, stage: str, **numbers) -> None:
        """Keep a stage's measured numbers in ``metrics/<stage>.json``."""
        with self._writing():
            write_numbers(self.folder / "metrics" / f"{stage}.json", numbers)

    @property
    def metrics(self) -> dict[str, dict]:
        """Every stage's recorded numbers, by stage."""
        return {f.stem: read_numbers(f) for f in results(self.folder / "metrics", "*.json")}

    @property
    def doubts(self) -> dict[str, list[str]]:
        """Checks that failed and were lived with: sentences by stage."""
        return read_doubts(self.folder)

    def __repr__(self) -> str:
        made = ", ".join(a for a in STAGES if self.has(a))
        return f"Clip({self.name}: {len(self)} frames at {self.fps:.4g} fps; has {made})"


def _remedy(artefact: str) -> str:
    return f"run {STAGES[artefact][0]} again"
