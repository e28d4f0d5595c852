"""Garments of one body on another: outside, whole, and as far from the skin as they were."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from hvr_nb.body.model import OPEN_BODY, load_body_model
from hvr_nb.canonical import make_canonical
from hvr_nb.geometry.mesh import face_normals
from hvr_nb.geometry.nearest import nearest_surface
from hvr_nb.geometry.open_mesh import boundary_loops, topology
from hvr_nb.subject import make_subject, rotating_motion, true_garments
from hvr_nb.surface.garments import penetration, put_on
from hvr_nb.types import HvrError

SHAPES = {"heavy": [1.5, 2.0, -1.0, 0.5], "light": [-1.5, -2.0, 1.0, -0.5]}


@pytest.fixture(scope="module")
def bodies():
    model = load_body_model(OPEN_BODY)
    out = {}
    for name, betas in {"own": None, **SHAPES}.items():
        betas = np.zeros(10) if betas is None else np.r_[betas, np.zeros(6)]
        out[name] = make_canonical(rotating_motion(1, betas=betas), model, spacing=0.2)
    return out


@pytest.fixture(scope="module")
def wardrobe():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hvr_nb.subject.person.TILE", 16)
        return {
            outfit: true_garments(make_subject(outfit, betas=np.zeros(10)), pose="big")
            for outfit in ("jacket", "dress", "long_skirt")
        }


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("outfit", ["jacket", "dress", "long_skirt"])
def test_a_garment_fits_another_body(bodies, wardrobe, shape, outfit):
    own, other = bodies["own"], bodies[shape]
    assert np.abs(other.vertices - own.vertices).max() > 0.02
    for garment in wardrobe[outfit]:
        worn = put_on(garment, own, other)
        cloth, faces = worn.mesh.vertices, worn.mesh.faces
        assert penetration(cloth, faces, other.vertices, other.faces) < 0.005
        assert topology(faces) == topology(garment.mesh.faces) and worn.curves.keys() == garment.curves.keys()
        before, after = (
            nearest_surface(g.mesh.vertices, b.vertices, b.faces)[2]
            for g, b in ((garment, own), (worn, other))
        )
        close = (before > 0.003) & (before < 0.03)
        assert np.median(np.abs(after - before)[close]) < 0.003
        old, new = face_normals(garment.mesh.vertices, faces), face_normals(cloth, faces)
        turn = (old * new).sum(1) / np.linalg.norm(old, axis=1) / np.linalg.norm(new, axis=1)
        assert (turn < 0).mean() < 0.002, "folded over"
        rim = cloth[np.concatenate(boundary_loops(faces))]
        for curve in worn.curves.values():
            assert cKDTree(rim).query(curve)[0].max() < 1e-4


def test_the_same_body_changes_nothing_but_what_was_inside(bodies, wardrobe):
    (dress,) = wardrobe["dress"]
    again = put_on(dress, bodies["own"], bodies["own"])
    own = bodies["own"]
    outside = nearest_surface(dress.mesh.vertices, own.vertices, own.faces)[2] > 0.01
    assert np.abs(again.mesh.vertices - dress.mesh.vertices)[outside].mean() < 5e-4


def test_bodies_of_other_meshes_are_refused(bodies, wardrobe):
    other = replace(bodies["light"], faces=bodies["light"].faces[1:])
    with pytest.raises(HvrError, match="same body model"):
        put_on(wardrobe["dress"][0], bodies["own"], other)
