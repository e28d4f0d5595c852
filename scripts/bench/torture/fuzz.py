"""Files damaged in many ways, and parameters that make no sense, each read in a process with limits."""

from __future__ import annotations

import io
import json
import random
import re
import zipfile
from collections.abc import Callable

import numpy as np

from hvr_nb.batch.parameters import from_text, read_parameters
from hvr_nb.store.places import NOTEBOOKS
from scripts.bench.torture.child import Ending, in_child
from scripts.bench.torture.files import FRAMES, Target

SECONDS, MEMORY = 20.0, 1 << 30  # for one input: seconds, and bytes above this process
WEIRD = (None, True, -1, 0, 10**12, 10**400, 1e308, -0.5, "", "../../x", "<script>alert(1)</script>", "a\0b",
         [], {}, [[[]]], "x" * 5000, float("nan"), float("inf"))  # fmt: skip
WEIRD_ARRAYS = (np.zeros(0), np.full((2, 2), np.nan), np.zeros((3, 3), complex), np.array("text"),
                np.zeros((1, 100_000, 1), np.uint8), np.full((FRAMES, 25, 3), np.inf), np.arange(5),
                np.full((2, 2), -(2**62)), np.array([{"a": 1}], object))  # fmt: skip


def damaged(data: bytes, rng: random.Random) -> bytes:
    """The content of a file, damaged in one of many ways."""
    kinds = [_cut, _flipped, _zeroed, _repeated, _inserted, _huge_field]
    if data[:2] == b"PK":
        kinds += [_weird_member] * 6
    elif data[:1] in b"{[" or b"\n{" in data[:4000]:
        kinds += [_weird_value] * 6
    elif data.isascii():
        kinds += [_weird_word] * 6
    return rng.choice(kinds)(data, rng)


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _flipped(data: bytes, rng: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice((1, 3, 30))):
        out[rng.randrange(len(out))] = rng.randrange(256)
    return bytes(out)


def _zeroed(data: bytes, rng: random.Random) -> bytes:
    a, b = sorted((rng.randrange(len(data)), rng.randrange(len(data))))
    return data[:a] + bytes(b - a) + data[b:]


def _repeated(data: bytes, rng: random.Random) -> bytes:
    a, b = sorted((rng.randrange(len(data)), rng.randrange(len(data))))
    return data[:b] + data[a:b] * rng.choice((1, 2, 100)) + data[b:]


def _inserted(data: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(data))
    return data[:place] + rng.randbytes(rng.choice((1, 8, 300))) + data[place:]


def _huge_field(data: bytes, rng: random.Random) -> bytes:
    """A length field of a binary file made huge, zero or negative."""
    place = rng.randrange(max(1, len(data) - 4))
    return (
        data[:place]
        + rng.choice((b"\xff" * 4, b"\x7f\xff\xff\xff", bytes(4), b"\0\0\0\x7f"))
        + data[place + 4 :]
    )


def _weird_word(data: bytes, rng: random.Random) -> bytes:
    """A number or word of a text replaced."""
    words = list(re.finditer(rb"[\w.+-]+", data))
    if not words:
        return b"9" * 100_000
    word = rng.choice(words)
    new = rng.choice(
        (b"1e999", b"-1", b"nan", b"9" * 5000, b"", b"0", b"1e-300", b"{" * 10_000, b"../../x", b"\0")
    )
    return data[: word.start()] + new + data[word.end() :]


def _weird_value(data: bytes, rng: random.Random) -> bytes:
    """A value, key or depth of JSON (or of one of its lines) replaced."""
    lines = data.split(b"\n") if b"\n{" in data[1:4000] and not data.startswith(b"{\n") else [data]
    which = rng.randrange(len(lines))
    if rng.random() < 0.1:
        lines[which] = b"[" * 100_000
        return b"\n".join(lines)
    try:
        content = json.loads(lines[which])
    except ValueError:
        return _flipped(data, rng)
    places = list(_places(content, []))
    if places:
        holder, key = rng.choice(places)
        holder[key] = rng.choice(WEIRD)
        if isinstance(holder, dict) and rng.random() < 0.2:
            del holder[key]
    lines[which] = json.dumps(content).encode()
    return b"\n".join(lines)


def _places(value, found: list) -> list:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(inner)[:200]:
        found.append((value, key))
        _places(item, found)
    return found


def _weird_member(data: bytes, rng: random.Random) -> bytes:
    """An array of an npz replaced by one of another kind, or one that claims to be far larger than it is."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            members = {name: file.read(name) for name in file.namelist()}
    except zipfile.BadZipFile:
        return _flipped(data, rng)
    name, stream = rng.choice(sorted(members)), io.BytesIO()
    if rng.random() < 0.25:
        members[name] = re.sub(rb"\(\d*,?[^)]*\)", b"(99999999999,)", members[name], count=1)
    elif rng.random() < 0.2:
        members[name] = members[name][:128] + bytes(300 << 20)  # compresses to almost nothing
    else:
        np.save(stream, rng.choice(WEIRD_ARRAYS), allow_pickle=True)
        members[name] = stream.getvalue()
    with zipfile.ZipFile(stream := io.BytesIO(), "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for member, content in members.items():
            file.writestr(member, content)
    return stream.getvalue()


def try_input(target: Target, data: bytes) -> Ending:
    """Put a content in the place of a good file, read it, and put the good one back."""
    good = target.file.read_bytes()
    try:
        target.file.write_bytes(data)
        return in_child(target.read, seconds=SECONDS, memory=MEMORY)
    finally:
        target.file.write_bytes(good)


def weird_parameter(rng: random.Random) -> tuple[str, Callable[[], object]]:
    """A parameter of the notebooks with a text that makes no sense: in words, and what reads it."""
    book = rng.choice(sorted(NOTEBOOKS.glob("[0-9]*.ipynb")))
    name = rng.choice(sorted(read_parameters(book)))
    text = rng.choice(("1e999", "-1", "nan", "", "[" * 100_000, "9" * 5000, "(" * 3000, "[1, 'a']", "True",
                       "__import__('os')", "\0", "0x10", "1_0", "{}", "2**64", "é" * 99))  # fmt: skip
    return f"{book.stem}.{name} = {text[:20]!r}", lambda: from_text(book, name, text)
