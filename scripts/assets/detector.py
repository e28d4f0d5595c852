"""Fetch the detector's two BlazePose models to data/models/blazepose/ (`make models`; docs/perception.md, 1).

They are in the mediapipe 0.10.21 wheel (Apache-2.0), the last one with models. Only these two files are taken
out of it and checked by sha256; mediapipe is not installed. Nothing is done where they exist already.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from hvr_nb.keypoints.blazepose import DETECTOR, MODELS
from hvr_nb.store.atomic_files import atomic
from hvr_nb.store.digests import file_digest
from hvr_nb.types import HvrError

WHEEL = "mediapipe==0.10.21"
# the wheels of all platforms contain the same two files, so any one is downloaded
DOWNLOAD = ["download", WHEEL, "--no-deps", "--only-binary=:all:", "--python-version", "311",
            "--platform", "manylinux_2_28_x86_64", "--disable-pip-version-check", "--quiet"]  # fmt: skip


def missing(folder: Path) -> list[str]:
    """Names of the models that are missing or have a wrong checksum."""
    return [
        name
        for name, (_, digest) in MODELS.items()
        if not (folder / name).exists() or file_digest(folder / name) != digest
    ]


def extract(wheel: Path, folder: Path) -> None:
    """Take the models out of the wheel, check them, and write them atomically.

    Raises:
        HvrError: the file is not a wheel, or not the expected one.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            contents = {name: archive.read(member) for name, (member, _) in MODELS.items()}
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise HvrError(f"{wheel} is not the {WHEEL} wheel ({error})") from error
    for name, data in contents.items():
        if hashlib.sha256(data).hexdigest() != MODELS[name][1]:
            raise HvrError(f"{wheel}: {name} has an unexpected checksum; fetch the {WHEEL} wheel again")
    for name, data in contents.items():
        with atomic(folder / name) as partial:
            partial.write_bytes(data)


def download(folder: Path) -> Path:
    """Download the wheel with pip into ``folder`` and return its path.

    Raises:
        HvrError: pip failed (offline, or no such wheel at the index).
    """
    command = [sys.executable, "-m", "pip", *DOWNLOAD, "--dest", str(folder)]
    result = subprocess.run(command, capture_output=True, text=True)
    wheels = list(folder.glob("mediapipe-*.whl"))
    if result.returncode or not wheels:
        reason = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise HvrError(
            f"the {WHEEL} wheel could not be downloaded ({reason}). Without a network, copy the "
            "wheel here and run: python -m scripts.assets.detector --wheel PATH"
        )
    return wheels[0]


def fetch(wheel: Path | None = None, *, folder: Path = DETECTOR) -> bool:
    """Make sure that the models are in ``folder``; True if something had to be done."""
    if not missing(folder):
        return False
    if wheel is not None:
        extract(wheel, folder)
        return True
    with tempfile.TemporaryDirectory() as scratch:
        extract(download(Path(scratch)), folder)
    return True


def main() -> int:
    """Command line: ``python -m scripts.assets.detector [--wheel PATH]``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheel", type=Path, help=f"a {WHEEL} wheel on disk, instead of downloading it")
    try:
        done = fetch(parser.parse_args().wheel)
    except HvrError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"detector models {'written to' if done else 'already in'} {DETECTOR}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
