"""BVH files: a tree of joints with offsets and channels, then one line of numbers for each frame.

Rotations are about the moving axes, in the order of the channels. Position channels replace the OFFSET of
the joint, as exporters write them that give every joint six channels. The rest pose is the one without
rotations.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.store.atomic_files import atomic
from hvr_nb.types import HvrError

CHANNELS = tuple(f"{axis}{kind}" for kind in ("position", "rotation") for axis in "XYZ")
MAX_JOINTS = 1000


@dataclass(frozen=True)
class Bvh:
    """The content of a BVH file: T frames, J joints without the end sites, in the file's unit of length."""

    names: tuple[str, ...]  # J
    parents: tuple[int, ...]  # J, -1 for the root, parents before children
    offsets: np.ndarray  # (J, 3) from the parent at rest
    translations: np.ndarray  # (T, J, 3) from the parent in every frame: position channels, or offsets
    rotations: np.ndarray  # (T, J, 3, 3) local
    ends: dict[int, np.ndarray]  # joint -> (3,) offset of its end site
    fps: float  # frames per second, to two decimals, because files round the frame time

    def rest(self) -> np.ndarray:
        """(J, 3) joints without rotations, the root at its offset."""
        return self.posed(self.offsets[None], np.tile(np.eye(3), (1, len(self.names), 1, 1)))[1][0]

    def pose(self) -> tuple[np.ndarray, np.ndarray]:
        """World rotations (T, J, 3, 3) and joints (T, J, 3) of every frame."""
        return self.posed(self.translations, self.rotations)

    def posed(self, translations: np.ndarray, rotations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """``pose`` for other positions (N, J, 3) and local rotations (N, J, 3, 3)."""
        turned, joints = np.array(rotations, np.float64), np.array(translations, np.float64)
        for j, p in enumerate(self.parents):
            if p >= 0:
                joints[:, j] = joints[:, p] + (turned[:, p] @ translations[:, j, :, None])[..., 0]
                turned[:, j] = turned[:, p] @ rotations[:, j]
        return turned, joints


class _Lines:
    """The words of the file, line by line, with the line number for messages."""

    def __init__(self, path: Path):
        self.path, self.number = path, 0
        try:
            text = path.read_text(encoding="utf-8-sig", errors="replace")
        except OSError as error:
            raise HvrError(f"{path} is missing or cannot be read ({error}); check the path") from None
        self._lines = iter(text.splitlines())
        self._words: list[str] = []

    def line(self) -> list[str]:
        """The words of the next line that is not empty."""
        for text in self._lines:
            self.number += 1
            if words := text.split():
                return words
        raise self.wrong("the file ends too early")

    def words(self) -> Iterator[str]:
        """One word after the other, across lines."""
        while True:
            self._words = self._words or self.line()
            yield self._words.pop(0)

    def rest_of_line(self) -> list[str]:
        """The words after the last one in its line."""
        words, self._words = self._words, []
        return words

    def put_back(self, word: str) -> None:
        """Return ``word`` again as the next one."""
        self._words.insert(0, word)

    def numbers(self, words: list[str], count: int) -> list[float]:
        """The words as ``count`` finite numbers; an error where they are not."""
        try:
            values = [float(word) for word in words]
        except ValueError as error:
            raise self.wrong(f"{error}") from None
        if len(values) != count or not np.isfinite(values).all():
            raise self.wrong(f"{len(values)} values where {count} numbers are expected")
        return values

    def wrong(self, what: str) -> HvrError:
        """The error for the line that was read last."""
        return HvrError(f"{self.path}, line {self.number}: {what}; export the motion again")


def is_bvh(path: str | Path) -> bool:
    """Whether a file begins like a BVH file, or has its suffix."""
    path = Path(path)
    if not path.is_file():
        return path.suffix.lower() == ".bvh"
    with open(path, "rb") as file:
        start = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
    return start.startswith(b"HIERARCHY") or path.suffix.lower() == ".bvh"


def parse_bvh(path: str | Path) -> Bvh:
    """Read a BVH file.

    Raises:
        HvrError: a line is wrong; the message gives its number.
    """
    lines = _Lines(Path(path))
    names, parents, offsets, channels, ends = _hierarchy(lines)
    count, seconds = _header(lines)
    width = sum(len(c) for c in channels)
    table = np.array([lines.numbers(lines.line(), width) for _ in range(count)])
    translations = np.repeat(offsets[None], count, axis=0)
    rotations = np.tile(np.eye(3), (count, len(names), 1, 1))
    column = 0
    for j, kinds in enumerate(channels):
        for kind in kinds:
            axis, values = kind[0], table[:, column]
            column += 1
            if kind.endswith("position"):
                translations[:, j, "XYZ".index(axis)] = values
            else:
                rotations[:, j] @= Rotation.from_euler(
                    axis.lower(), values[:, None], degrees=True
                ).as_matrix()
    return Bvh(tuple(names), tuple(parents), offsets, translations, rotations, ends, round(1.0 / seconds, 2))


def _hierarchy(lines: _Lines):
    """Names, parents, offsets (J, 3), channels of each joint, and end sites."""
    names, parents, offsets, channels, ends = [], [], [], [], {}
    if lines.line()[0].upper() != "HIERARCHY":
        raise lines.wrong("a BVH file begins with HIERARCHY")
    open_joints: list[int] = []  # -1 - j for the end site of joint j
    for word in lines.words():
        match word.upper():
            case "ROOT" | "JOINT":
                if (word.upper() == "ROOT") == bool(names) or (names and not open_joints):
                    raise lines.wrong("one ROOT with JOINTs inside it is expected")
                if len(names) >= MAX_JOINTS or (open_joints and open_joints[-1] < 0):
                    raise lines.wrong("too many joints, or a joint inside an end site")
                names.append(_name(lines))
                parents.append(open_joints[-1] if open_joints else -1)
                offsets.append(np.zeros(3))
                channels.append([])
                open_joints.append(len(names) - 1)
            case "END" if open_joints and open_joints[-1] >= 0:
                _name(lines)
                open_joints.append(-1 - open_joints[-1])
            case "OFFSET" if open_joints:
                offset = np.array(lines.numbers(lines.rest_of_line(), 3))
                if open_joints[-1] < 0:
                    ends[-1 - open_joints[-1]] = offset
                else:
                    offsets[open_joints[-1]] = offset
            case "CHANNELS" if open_joints and open_joints[-1] >= 0:
                channels[open_joints[-1]] = _channels(lines)
            case "}" if open_joints:
                open_joints.pop()
            case "MOTION" if names and not open_joints:
                return names, parents, np.stack(offsets), channels, ends
            case _:
                raise lines.wrong(f"{word!r} is not expected here")


def _name(lines: _Lines) -> str:
    """The rest of the line up to the brace, which may be in the next line."""
    words = lines.rest_of_line()
    brace = words.index("{") if "{" in words else len(words)
    if brace == len(words) and lines.line() != ["{"]:
        raise lines.wrong("a { is expected after the joint's name")
    for word in reversed(words[brace + 1 :]):
        lines.put_back(word)
    return " ".join(words[:brace])


def _channels(lines: _Lines) -> list[str]:
    words = lines.rest_of_line()
    kinds = [word[:1].upper() + word[1:].lower() for word in words[1:]]
    if not words or words[0] != str(len(kinds)) or not set(kinds) <= set(CHANNELS):
        raise lines.wrong(f"CHANNELS needs a number and as many of {', '.join(CHANNELS)} in the same line")
    return kinds


def _header(lines: _Lines) -> tuple[int, float]:
    """Number of frames, and seconds per frame."""
    words = lines.rest_of_line() or lines.line()
    count = words[-1]
    if words[0].upper().rstrip(":") != "FRAMES" or not count.isdecimal() or not 0 < int(count) < 10_000_000:
        raise lines.wrong("`Frames: N` is expected, N being 1 or more")
    words = lines.line()
    if [w.upper() for w in words[:2]] != ["FRAME", "TIME:"]:
        raise lines.wrong("`Frame Time: seconds` is expected")
    (seconds,) = lines.numbers(words[2:], 1)
    if not 1e-4 < seconds < 100:
        raise lines.wrong(f"a frame of {seconds} seconds is not possible")
    return int(count), seconds


def format_bvh(bvh: Bvh, path: str | Path) -> Path:
    """Write a BVH file with position channels for the root and rotations about Z, X, Y for every joint."""
    path, lines, order = Path(path), ["HIERARCHY"], []
    children = [[k for k, p in enumerate(bvh.parents) if p == j] for j in range(len(bvh.names))]

    def joint(j: int, indent: str) -> None:
        order.append(j)
        kinds = CHANNELS[:3] if bvh.parents[j] < 0 else ()
        kinds = (*kinds, "Zrotation", "Xrotation", "Yrotation")
        inner = indent + "\t"
        lines.extend(
            [
                f"{indent}{'JOINT' if indent else 'ROOT'} {bvh.names[j]}",
                indent + "{",
                f"{inner}OFFSET {_text(bvh.offsets[j])}",
                f"{inner}CHANNELS {len(kinds)} {' '.join(kinds)}",
            ]
        )
        for k in children[j]:
            joint(k, inner)
        if not children[j]:
            lines.extend(
                [f"{inner}End Site", inner + "{", f"{inner}\tOFFSET {_text(bvh.ends[j])}", inner + "}"]
            )
        lines.append(indent + "}")

    joint(bvh.parents.index(-1), "")
    angles = Rotation.from_matrix(bvh.rotations.reshape(-1, 3, 3)).as_euler(
        "ZXY", degrees=True, suppress_warnings=True
    )
    angles = np.unwrap(angles.reshape(len(bvh.rotations), -1, 3), period=360.0, axis=0)
    lines += ["MOTION", f"Frames: {len(bvh.rotations)}", f"Frame Time: {1.0 / bvh.fps:.9f}"]
    rows = np.concatenate([bvh.translations[:, order[0]], angles[:, order].reshape(len(angles), -1)], axis=1)
    lines += [_text(row) for row in rows]
    with atomic(path) as partial:
        partial.write_text("\n".join(lines) + "\n")
    return path


def _text(numbers: np.ndarray) -> str:
    return " ".join(f"{x:.6f}" for x in numbers)
