"""The method pamir on a synthetic film with true masks and body: distances, silhouettes, flicker, cost."""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from hvr_nb.body.model import posed
from hvr_nb.evaluate.stages import find_truth, synthetic_video
from hvr_nb.geometry.functions import spread_indices
from hvr_nb.methods import pamir
from hvr_nb.metrics.surfaces import surface_flicker, surface_quality
from hvr_nb.store.clip import Clip
from hvr_nb.store.places import ROOT
from hvr_nb.subject.person import make_subject, pose_subject
from hvr_nb.types import Mesh
from scripts.bench.synthetic import true_clip

FILM = {"outfit": "shorts", "motion": "walk", "frames": 16, "size": 320, "seed": 77}
COMPARED = 4  # frames whose mesh is compared with the true one


def film_clip(root: Path) -> Clip:
    """The clip of the film that is measured, rendered at first use below the data folder."""
    return true_clip(root / "clip", synthetic_video(ROOT / "data" / "synthetic", **FILM))


def video_figures(weights: str = "", *, resolution: int = pamir.Options.resolution) -> dict[str, float]:
    """Figures of the method on the film: video_body_mm (the bare body) and those of the bench's last line.

    flicker_ratio compares frames brought together with frames alone. Of the first are frame_seconds by the
    clock, frame_cpu_seconds of the processor, everything counted, and peak_gb of the whole process.
    """
    with tempfile.TemporaryDirectory() as folder:
        clip = film_clip(Path(folder))
        truth, meshes, runs = find_truth(clip), {}, {}
        for name, together in (("together", pamir.Options.together), ("alone", 0.0)):
            options = pamir.Options(weights=weights, resolution=resolution, together=together)
            began, cpu = time.perf_counter(), time.process_time()
            runs[name] = pamir.reconstruct(clip, options, device="cpu")
            if name == "together":
                spent = time.perf_counter() - began, time.process_time() - cpu
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
            meshes[name] = [runs[name].mesh(k) for k in range(len(clip))]
    history, model = runs["together"].history, runs["together"].model
    clip_body = runs["together"].body
    skin = posed(model, clip_body)[0]
    subject = make_subject(truth.outfit, seed=truth.seed, betas=truth.body.betas)
    found, bare = [], []
    for k in spread_indices(len(clip_body), COMPARED):
        true = Mesh(pose_subject(subject, truth.body.frame(int(k)))[0], subject.faces)
        found.append(surface_quality(meshes["together"][k], true)["chamfer_mm"])
        bare.append(surface_quality(Mesh(skin[k], model.faces), true)["chamfer_mm"])
    flicker = {name: surface_flicker(row, skin) for name, row in meshes.items()}
    return {
        "video_body_mm": float(np.mean(bare)),
        "video_chamfer_mm": float(np.mean(found)),
        "film_iou": float(np.mean(history["iou"])),
        "flicker_ratio": flicker["together"] / flicker["alone"],
        "frame_seconds": spent[0] / len(clip_body),
        "frame_cpu_seconds": spent[1] / len(clip_body),
        "peak_gb": peak,
    }


if __name__ == "__main__":
    print(" ".join(f"{name}={value:.3f}" for name, value in video_figures().items()))
