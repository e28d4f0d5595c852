"""The contract of the reconstruction methods: what a method's folder offers and what its avatar answers.

Both are protocols (PEP 544), not base classes: nothing is inherited, and ``hvr_nb.methods.method`` checks a
folder against them when it is loaded. To add a method, add a folder.
"""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, ClassVar, Protocol

from hvr_nb.learning.progress import Watch
from hvr_nb.types import Body, Camera, Canonical, Garment, HvrError, Mesh, Render

if TYPE_CHECKING:  # these import torch
    import numpy as np

    from hvr_nb.body.model import BodyModel
    from hvr_nb.store.clip import Clip

# The words of GIVES. Each is the name of a method of ``Avatar``, where its arguments are described.
WORDS = {
    "render": "pictures from any camera in any pose",
    "surface": "a mesh in any pose whose vertices correspond between poses",
    "skin_weights": "blend weights of the surface's vertices",
    "mesh": "the surface as a mesh at a chosen resolution",
    "sightings": "which frames saw places of a frame's mesh",
    "layers": "the surface by garments",
    "garments": "open meshes with the curves along which they end",
}


class Avatar(Protocol):
    """A reconstructed person: what ``reconstruct`` returns and ``load`` reads.

    Attributes and ``save`` belong to every avatar, the other methods to those whose ``GIVES`` names them.
    T is the number of frames of the clip, V the number of vertices of the surface. The world is the
    clip's; lengths are metres. A ``pose`` is a ``Body`` of one frame, or (poses (72,) axis-angle in radians,
    transl (3,) metres).
    """

    GIVES: ClassVar[frozenset[str]]  # words of ``WORDS``, the same as the module's
    body: Body  # the clip's body with the poses and the camera as the method refined them, T frames
    model: BodyModel  # the body model these parameters belong to
    canonical: Canonical  # the big pose and its skeleton
    held_out: np.ndarray  # (N,) frames kept out of the reconstruction
    history: Mapping[str, list[float]]  # columns of one length: step, seconds, psnr_body (dB), ...
    fingerprint: str  # sha256 of everything that a picture depends on

    def render(self, camera: Camera, pose, *, frame: int | None = None) -> Render:
        """One picture of ``camera``'s size; the camera's distortion is ignored.

        After a first picture, two threads may ask for one at a time.

        Args:
            frame: frame of the clip whose wrinkles and light to show; None shows the mean of all frames.
        """

    def surface(self, pose=None, *, frame: int | None = None) -> Mesh:
        """The surface in a pose, with colours; None is the big pose. Vertices and faces keep their numbers.

        Args:
            frame: frame of the clip whose own displacement to show; None shows the mean shape.
        """

    def skin_weights(self) -> np.ndarray:
        """(V, 24) float32 blend weights of the vertices of ``surface``; rows sum to one."""

    def mesh(self, frame: int | None = None, *, resolution: int | None = None) -> Mesh:
        """The surface as a coloured mesh: in the big pose, or posed as in a frame of the clip.

        Args:
            frame: None for the big pose. resolution: cells along the longest side; None: the method's own.
        """

    def sightings(self, frame: int, points: np.ndarray) -> np.ndarray:
        """(N,) uint8 who saw points (N, 3) on a frame's mesh: 2 this frame, 1 another, 0 none, a guess."""

    def layers(self, pose=None, *, frame: int | None = None) -> dict[str, Mesh]:
        """Body and garments by name, meshes that together are ``surface``; "person" where there is one.

        Their vertices, one layer after the other, are those of ``surface``.
        """

    def garments(self, pose=None, *, frame: int | None = None) -> tuple[Garment, ...]:
        """Garments, which are among ``layers``, with their feature curves; arguments as of ``surface``."""

    def save(self, folder: str | Path) -> Path:
        """Write all that ``load`` needs into a folder, with ``options.json`` last; returns the folder."""


class Method(Protocol):
    """A module ``hvr_nb/methods/<name>/`` that makes avatars."""

    NEEDS: tuple[str, ...]  # artefacts of the clip that it reads (``hvr_nb.store.clip.STAGES``)
    GIVES: frozenset[str]  # words of ``WORDS`` that its avatars answer
    Options: type  # a frozen dataclass with a default for every field; one of them is ``hold_out``

    def reconstruct(
        self, clip: Clip, options=None, *, device: str = "auto", seed: int = 0, progress: Watch | None = None
    ) -> Avatar:
        """The avatar of a clip's person, saved in ``<clip>/avatars/<name>``.

        Progress is shown, and a run that was stopped continues and ends as if it had not been.

        Args:
            options: the method's ``Options``; None takes all defaults.
            device: "cpu", "cuda" or "auto". seed: of all random numbers.
            progress: told of every step (round, frame) by a ``hvr_nb.learning.Progress``. Where it answers
                True the run stops there: what was done is kept for the next run, and the avatar so far, whose
                ``history`` ends early, is returned without being saved.

        Raises:
            HvrError: the run was stopped by ``progress`` before there was an avatar.
        """

    def load(self, folder: str | Path, *, device: str = "auto") -> Avatar:
        """Read an avatar that ``save`` wrote; the return annotation names the class."""


def check_method(name: str, module: ModuleType) -> None:
    """Check a module against ``Method`` and its avatars' class against ``Avatar``.

    Raises:
        HvrError: something is missing or unknown; one sentence lists all of it.
    """
    faults = _missing(module) or [*_bad_words(module), *_bad_options(module), *_bad_calls(module)]
    faults = faults or _bad_avatar(module)
    if faults:
        raise HvrError(f"method {name!r} does not keep the contract of hvr_nb.methods: {'; '.join(faults)}")


def require_gives(avatar: Avatar, verb: str, *words: str) -> None:
    """Refuse an avatar whose ``GIVES`` lacks some of the words that ``verb`` needs.

    Raises:
        HvrError: names them, and what the avatar gives.
    """
    missing = [word for word in words if word not in avatar.GIVES]
    if missing:
        raise HvrError(
            f"{verb} needs {' and '.join(missing)}, which a {type(avatar).__name__} does not give (it gives "
            f"{', '.join(sorted(avatar.GIVES)) or 'nothing'}); take the avatar of another method"
        )


def method_options(module: ModuleType, **values):
    """The ``Options`` of a method from a notebook's parameters.

    Args:
        values: options by name; where one is None or "auto", the method's default is taken.

    Raises:
        HvrError: a value is given to an option that the method does not have.
    """
    names = [field.name for field in dataclasses.fields(module.Options)]
    given = {k: v for k, v in values.items() if not (v is None or isinstance(v, str) and v == "auto")}
    unknown = [name for name in given if name not in names]
    if unknown:
        name = module.__name__.rpartition(".")[2]
        raise HvrError(
            f"method {name!r} has no option {' or '.join(map(repr, unknown))}; leave it None, or use one of "
            f"{', '.join(names)}"
        )
    return module.Options(**given)


def _missing(module: ModuleType) -> list[str]:
    names = [*Method.__annotations__, "reconstruct", "load"]
    return [f"it has no {name}" for name in names if not hasattr(module, name)]


def _bad_words(module: ModuleType) -> list[str]:
    from hvr_nb.store.clip import STAGES

    return [
        f"{place} names {word!r}, which is none of {', '.join(known)}"
        for place, words, known in (("NEEDS", module.NEEDS, STAGES), ("GIVES", module.GIVES, WORDS))
        for word in sorted(set(words) - set(known))
    ]


def _bad_options(module: ModuleType) -> list[str]:
    kind = module.Options
    if not (dataclasses.is_dataclass(kind) and kind.__dataclass_params__.frozen):
        return ["Options is no frozen dataclass"]
    fields, none = dataclasses.fields(kind), dataclasses.MISSING
    faults = [
        f"Options.{f.name} has no default" for f in fields if f.default is none and f.default_factory is none
    ]
    return faults + ([] if any(f.name == "hold_out" for f in fields) else ["Options has no hold_out"])


def _bad_calls(module: ModuleType) -> list[str]:
    faults = []
    for name in ("reconstruct", "load"):
        wanted = [p for p in inspect.signature(getattr(Method, name)).parameters if p != "self"]
        known = inspect.signature(getattr(module, name)).parameters
        faults += [f"{name} takes no {argument}" for argument in wanted if argument not in known]
    return faults


def _bad_avatar(module: ModuleType) -> list[str]:
    kind = typing.get_type_hints(module.load).get("return")
    if not isinstance(kind, type):
        return ["load does not say which class it returns"]
    declared = {name for base in kind.__mro__ for name in inspect.get_annotations(base)} | set(dir(kind))
    wanted = [*Avatar.__annotations__, "save", *sorted(module.GIVES)]
    faults = [f"its avatar ({kind.__name__}) has no {name}" for name in wanted if name not in declared]
    if not faults and kind.GIVES != module.GIVES:
        faults = [f"GIVES of the module and of {kind.__name__} differ"]
    return faults
