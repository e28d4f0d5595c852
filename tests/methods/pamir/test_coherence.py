"""Neighbouring frames averaged in the big pose: the surface trembles less and stays where it is."""

import zlib
from types import SimpleNamespace

import numpy as np
import pytest
from small_clips import some_frames

from hvr_nb.body.model import load_body_model, posed
from hvr_nb.geometry.nearest import nearest_surface
from hvr_nb.methods import pamir
from hvr_nb.methods.pamir.logits import logits_off
from hvr_nb.metrics.surfaces import surface_flicker

FRAMES = 9
ERROR = 0.012  # metres, standard deviation of the networks' error in each frame


class Nervous:
    """Networks that know the person and are off by smooth waves, others in each frame."""

    side, digest, whose, error = 64, "0" * 64, "nervous", ERROR

    def __init__(self, _weights, model, _device):
        self.faces = model.faces

    def __call__(self, picture, vertices):
        rng = np.random.default_rng(zlib.crc32(picture.tobytes()))
        waves, phases = rng.normal(0, 12, (8, 3)), rng.uniform(0, 2 * np.pi, 8)

        def ask(points, _near):
            away = nearest_surface(points, vertices, self.faces)[2] * 2.2 - 0.02  # cloth, about 2 cm off
            return logits_off(away + self.error / 2 * np.sin(points @ waves.T + phases).sum(1))

        return ask


@pytest.fixture(scope="module")
def films(turning, tmp_path_factory):
    """The same clip with frames alone and brought together, and without errors."""
    out = {}
    with pytest.MonkeyPatch.context() as patch:
        for name, together, error in (("alone", 0.0, ERROR), ("together", 2.0, ERROR), ("true", 0.0, 0.0)):
            patch.setattr(pamir, "Prediction", type("Networks", (Nervous,), {"error": error}))
            clip = some_frames(turning.clip, tmp_path_factory.mktemp(name) / "clip", FRAMES)
            options = pamir.Options(together=together, resolution=72, canonical_cell=0.03, band=0.07)
            out[name] = pamir.reconstruct(clip, options, device="cpu")
    return SimpleNamespace(**out)


def meshes(avatar):
    return [avatar.mesh(k) for k in range(len(avatar.names))]


def test_flicker_is_at_most_half_of_independent_frames(films):
    skin = posed(load_body_model(), films.alone.body)[0]
    alone, together, none = (
        surface_flicker(meshes(a), skin) for a in (films.alone, films.together, films.true)
    )
    assert alone > 0.004, "the error is there"
    assert together - none < 0.5 * (alone - none)


def test_the_mean_of_the_frames_is_nearer_to_the_truth(films):
    def error(avatar):
        away = [
            np.abs(nearest_surface(m.vertices, t.vertices, t.faces)[2]).mean()
            for m, t in zip(meshes(avatar), meshes(films.true), strict=True)
        ]
        return float(np.mean(away))

    assert error(films.together) < 0.7 * error(films.alone)
