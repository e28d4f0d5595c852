"""A tiny clip that every method can be tried on, made once."""

import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from hvr_nb.body.model import load_body_model
from hvr_nb.canonical.big_pose import make_canonical
from hvr_nb.evaluate.stages import synthetic_video
from hvr_nb.methods.nvr import dress
from hvr_nb.store.clip import Clip
from hvr_nb.store.digests import file_digest
from hvr_nb.store.video import read_video
from hvr_nb.subject import load_truth
from hvr_nb.surface import carving
from hvr_nb.types import Keypoints, Masks

FRAMES, SIZE = 16, 160


@pytest.fixture(scope="session")
def turning(tmp_path_factory) -> SimpleNamespace:
    """A synthetic person who turns: ``source`` folder, ``truth``, and a ``clip`` with true masks and body.

    Do not train in this clip; ``turning_clip`` is a copy for that.
    """
    root, model = tmp_path_factory.mktemp("turning"), load_body_model()
    source = synthetic_video(root, outfit="shorts", motion="rotate", frames=FRAMES, size=SIZE, seed=1)
    film = (source / "video.mp4").resolve()
    truth, video = load_truth(source), read_video(film)
    clip = Clip.create(
        root / "clip",
        video.frames,
        fps=video.fps,
        names=video.names,
        times=video.times,
        source={
            "path": str((source / "video.mp4").resolve()),
            "synthetic": True,
            "sha256": file_digest(source / "video.mp4"),
        },
    )
    clip.save("camera", truth.body.camera)
    points = np.concatenate([truth.points25, np.ones((FRAMES, 25, 1))], -1)
    every = np.ones(FRAMES, bool)
    clip.save("keypoints", Keypoints(points, np.zeros((FRAMES, 25), bool), every, np.zeros((FRAMES, 4))))
    clip.save("masks", Masks(alpha=truth.alpha, labels=truth.labels, label_set="ATR"))
    clip.save("body", replace(truth.body, model_hash=model.hash))
    clip.save("canonical", make_canonical(clip.body, model))
    return SimpleNamespace(source=source, truth=truth, clip=clip)


@pytest.fixture(scope="module", autouse=True)
def coarse_carving():
    """Loose clothes are found and sewn on coarser grids, a third of the work; whole chains take theirs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(carving, "CARVE_CELL", 0.022)
        patch.setattr(dress, "CELL", 0.016)
        yield


@pytest.fixture(scope="module")
def turning_clip(turning, tmp_path_factory) -> Clip:
    """A copy of the turning person's clip for the tests of one file."""
    folder = tmp_path_factory.mktemp("clips") / "turning"
    return Clip.open(shutil.copytree(turning.clip.folder, folder))
