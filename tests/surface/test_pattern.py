"""Panels laid flat: exact where cloth can be laid flat, and a tailor's panels for the synthetic wardrobe."""

import numpy as np
import pytest

from hvr_nb.body.model import OPEN_BODY, load_body_model
from hvr_nb.canonical import make_canonical
from hvr_nb.geometry.mesh import face_normals
from hvr_nb.subject import make_subject, rotating_motion, true_garments
from hvr_nb.surface.garments.flat import flattened, stretch
from hvr_nb.surface.garments.pattern import garment_panels
from hvr_nb.types import Garment, HvrError

PANELS = {
    ("trousers", "trousers"): {"front left", "front right", "back left", "back right"},
    ("long_sleeves", "shirt"): {"front", "back"}
    | {f"{side} sleeve {face}" for side in ("left", "right") for face in ("front", "back")},
    ("top", "shirt"): {"front", "back"},
    ("dress", "dress"): {"front", "back"},
    ("tube", "tube"): {"front", "back"},
    ("long_skirt", "skirt"): {"front", "back"},
    ("jacket", "jacket"): {"left front", "right front", "back"}
    | {f"{side} sleeve {face}" for side in ("left", "right") for face in ("front", "back")},
}


def sheet(count=30):
    u = np.stack(np.meshgrid(np.linspace(0, 0.6, count), np.linspace(0, 0.4, count), indexing="ij"), -1)
    i, j = np.meshgrid(np.arange(count - 1), np.arange(count - 1), indexing="ij")
    a, b, c, d = (((i + p) * count + j + q).ravel() for p, q in ((0, 0), (1, 0), (1, 1), (0, 1)))
    return u.reshape(-1, 2), np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])


def test_a_rolled_sheet_unrolls_exactly():
    """A quarter of a cylinder is flat cloth: lengths come back to within the chords of its facets."""
    u, faces = sheet()
    angle = u[:, 0] / 0.35
    rolled = np.stack([0.35 * np.sin(angle), u[:, 1], 0.35 * np.cos(angle)], 1)
    flat = flattened(rolled, faces)
    s = stretch(rolled, faces, flat)
    assert s.p95_pct < 0.05 and abs(s.area_pct) < 0.05
    # the distance of far corners is that of the sheet, and it is not mirrored
    assert abs(np.linalg.norm(flat[0] - flat[-1]) - np.linalg.norm(u[0] - u[-1])) < 1e-3
    a, b, c = (flat[faces[:, k]] for k in range(3))
    area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    assert (area > 0).all()


def test_a_dome_must_stretch_and_says_so():
    u, faces = sheet()
    p = (u - [0.3, 0.2]) / 0.35
    dome = np.c_[u, 0.35 * np.sqrt(1.05 - (p**2).sum(1).clip(0, 1))]
    s = stretch(dome, faces, flattened(dome, faces))
    assert 1 < s.mean_pct < 15 and s.p95_pct > s.mean_pct


def test_stretch_measures_known_stretch():
    u, faces = sheet()
    s = stretch(np.c_[u, np.zeros(len(u))], faces, u * [1.1, 1.0])
    assert np.allclose([s.mean_pct, s.p95_pct, s.area_pct], 10)


def test_what_is_no_disc_is_refused():
    u, faces = sheet(6)
    tube = np.concatenate([faces, [[0, 1, 35]]])
    for wrong in (tube, faces[~(faces == 14).any(1)]):
        with pytest.raises(HvrError, match="seams"):
            flattened(np.c_[u, np.zeros(len(u))], wrong)


@pytest.fixture(scope="module")
def wardrobe():
    betas = np.zeros(10)
    canonical = make_canonical(rotating_motion(1, betas=betas), load_body_model(OPEN_BODY), spacing=0.2)
    out = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hvr_nb.subject.person.TILE", 16)
        for outfit, name in PANELS:
            garments = true_garments(make_subject(outfit, betas=betas), pose="big")
            out[outfit, name] = next(g for g in garments if g.name == name)
    return canonical, out


@pytest.mark.parametrize("which", PANELS, ids="/".join)
def test_panels_of_a_garment(wardrobe, which):
    canonical, garments = wardrobe
    garment = garments[which]
    panels = garment_panels(garment, canonical)
    assert {p.name for p in panels} == PANELS[which]
    whole = np.linalg.norm(face_normals(garment.mesh.vertices, garment.mesh.faces), axis=1).sum()
    parts = sum(np.linalg.norm(face_normals(p.vertices, p.faces), axis=1).sum() for p in panels)
    assert abs(parts / whole - 1) < 1e-3  # nothing lost at the seams
    for p in panels:
        assert p.stretch.mean_pct < 8 and abs(p.stretch.area_pct) < 6, (p.name, p.stretch)
        top = p.vertices[:, 1] if "sleeve" not in p.name else -np.abs(p.vertices[:, 0])
        assert np.corrcoef(top, p.flat[:, 1])[0, 1] > 0.8  # upright


def test_shoes_have_no_pattern(wardrobe):
    canonical, garments = wardrobe
    mesh = garments["tube", "tube"].mesh
    with pytest.raises(HvrError, match="closed"):
        garment_panels(Garment("shoes", mesh, {}), canonical)
