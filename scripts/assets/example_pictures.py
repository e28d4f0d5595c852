"""The pictures of what a lesson should show: outputs of the demo's executed notebooks, made smaller.

python -m scripts.assets.example_pictures data/clips/demo
"""

from __future__ import annotations

import argparse
import base64
import io
from pathlib import Path

import nbformat
import numpy as np
from PIL import Image

from hvr_nb.drawing.pictures import encode_jpeg, resized, stack
from hvr_nb.store.atomic_files import atomic
from hvr_nb.viewing.examples import EXAMPLES

# notebook -> beginnings of the titles of the outputs to show, one below the other
SHOWN = {
    "00_video": ("video.mp4",),
    "01_keypoints": ("joints by",),
    "02_masks": ("silhouettes by",),
    "03_body": ("open body over", "pictures"),
    "04_canonical": ("big pose, coloured by parts",),
    "05_train": ("pictures",),
    "06_render": ("turntable",),
    "07_visualize": ("pictures",),
}
WIDEST = 900  # pixels


def outputs(notebook: Path) -> dict[str, np.ndarray]:
    """The still pictures (H, W, 3) uint8 of an executed notebook by title, the first of each."""
    found: dict[str, np.ndarray] = {}
    for cell in nbformat.read(notebook, 4).cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data:
                image = Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGB")
                found.setdefault(data["text/plain"].strip("[]"), np.asarray(image))
    return found


def main() -> None:
    """Write one picture a notebook."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=Path, help="a clip that make demo has finished")
    clip = parser.parse_args().clip
    for notebook, titles in SHOWN.items():
        there = outputs(clip / "runs" / f"{notebook}.ipynb")
        images = [next(there[title] for title in there if title.startswith(begin)) for begin in titles]
        picture = stack([resized(i, max_side=WIDEST) if max(i.shape) > WIDEST else i for i in images])
        with atomic(EXAMPLES / f"{notebook}.jpg") as partial:
            partial.write_bytes(encode_jpeg(picture, quality=75))


if __name__ == "__main__":
    main()
