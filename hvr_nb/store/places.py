"""Where things are: the package's own assets, and the ``data`` folder beside the package."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
ROOT = PACKAGE.parent  # the clone: notebooks, data, README
ASSETS = PACKAGE / "assets"  # files that ship with the package
DATA = ROOT / "data"
CLIPS = DATA / "clips"
FILMS = DATA / "films"  # where users drop their films
MODELS = DATA / "models"  # what users put there: a licensed SMPL file, VGG16's weights
DETECTOR = MODELS / "blazepose"  # the detector's network files, fetched by `make models`
POSE3D = DATA / "pose3d"
NOTEBOOKS = ROOT / "notebooks"
