"""The networks as the one function that the rest of the method asks: a picture and a body to an occupancy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from hvr_nb.body.model import BodyModel
from hvr_nb.methods.pamir.checkpoints import PAMIR_FILE, load_pamir
from hvr_nb.methods.pamir.film import Ask, Near
from hvr_nb.methods.pamir.logits import cut_logits
from hvr_nb.methods.pamir.volume import place_at, semantic_volume, vertex_codes
from hvr_nb.store.digests import file_digest

AT_ONCE = 1 << 13  # points asked at a time; their values stay in the cache


class Prediction:
    """A checkpoint's geometry network: features and volume once a picture, then any number of points.

    Attributes:
        side: of the picture that it takes, pixels. whose: file name and the first signs of its digest.
        digest: sha256 of the file.
    """

    def __init__(self, weights: str, model: BodyModel, device: str):
        """Read ``weights``, "" for those shipped with the package; for bodies of ``model``."""
        path = Path(weights) if weights else PAMIR_FILE
        self._network = load_pamir(path).eval()
        cuda = device == "cuda" or (device == "auto" and torch.cuda.is_available())
        self._device = torch.device("cuda" if cuda else "cpu")
        self._network.to(self._device)
        self._faces, self._codes = model.faces, vertex_codes(model.v_template.numpy())
        self.side, self.digest = self._network.sizes.picture, file_digest(path)
        self.whose = f"{path.name} {self.digest[:8]}"

    def __call__(self, picture: np.ndarray, vertices: np.ndarray) -> Ask:
        """Logits in the cube by a crop (S, S, 3), 0..1 on white, and the body in it (V, 3)."""
        network = self._network
        volume = semantic_volume(vertices, self._faces, self._codes, side=network.sizes.volume)
        with torch.no_grad():
            features = network.features(self._tensor(picture.transpose(2, 0, 1)))
            volumes = network.volume(self._tensor(volume))

        def ask(points: np.ndarray, near: Near) -> np.ndarray:
            out, place = np.empty(len(points), np.float32), None
            if network.sizes.body:
                place = place_at(points, vertices, self._faces, self._codes, *near[:2])
            for at in range(0, len(points), AT_ONCE):
                some = slice(at, at + AT_ONCE)
                there = None if place is None else place[None, some].to(self._device)
                with torch.no_grad():
                    told = network.logits(
                        features[-1:], volumes[-1:], self._tensor(points[some]), place=there
                    )
                out[some] = told[0][0].cpu().numpy()
            return cut_logits(out)

        return ask

    def _tensor(self, values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(values, np.float32))[None].to(self._device)
