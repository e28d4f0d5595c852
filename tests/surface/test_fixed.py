"""Garments by a slice of the body: the same triangles on everybody, rims on the curves."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from hvr_nb.body.model import OPEN_BODY, load_body_model
from hvr_nb.canonical import make_canonical
from hvr_nb.geometry.nearest import nearest_surface
from hvr_nb.geometry.open_mesh import boundary_loops, topology
from hvr_nb.subject import make_subject, rotating_motion, true_garments
from hvr_nb.surface.garments import penetration
from hvr_nb.surface.garments.fixed import KINDS, along_curve, body_slice, fixed_topology
from hvr_nb.types import HvrError

LOOPS = {"shirt": 4, "dress": 4, "tube": 2, "skirt": 2, "trousers": 3}
PEOPLE = {"mean": np.zeros(10), "heavy": np.r_[1.5, 2.0, -1.0, 0.5, np.zeros(6)]}


@pytest.fixture(scope="module")
def model():
    return load_body_model(OPEN_BODY)


@pytest.fixture(scope="module")
def wardrobe(model):
    """By outfit and person: the body in the big pose, and its garments by name."""
    out = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hvr_nb.subject.person.TILE", 16)
        for outfit in ("trousers", "jacket"):
            for who, betas in PEOPLE.items():
                canonical = make_canonical(rotating_motion(1, betas=betas), model, spacing=0.2)
                garments = true_garments(make_subject(outfit, betas=betas), pose="big")
                out[outfit, who] = canonical, {g.name: g for g in garments}
    return out


def test_a_slice_is_one_sheet_with_the_borders_of_its_kind(model):
    assert set(LOOPS) == set(KINDS)
    for kind, loops in LOOPS.items():
        shape = topology(body_slice(kind, model).faces)
        assert (shape.loops, shape.genus, shape.pieces, shape.sound) == (loops, 0, 1, True), kind


@pytest.mark.parametrize("outfit, name", [("trousers", "shirt"), ("trousers", "trousers")])
def test_two_people_have_the_same_triangles(wardrobe, model, outfit, name):
    made = {}
    for who in PEOPLE:
        canonical, garments = wardrobe[outfit, who]
        true, mine = garments[name], fixed_topology(garments[name], canonical, model)
        made[who] = mine
        x, faces = mine.mesh.vertices, mine.mesh.faces
        assert set(mine.curves) == set(true.curves)
        off = np.abs(nearest_surface(x, true.mesh.vertices, true.mesh.faces)[2])
        assert off.mean() < 0.0015 and np.percentile(off, 99) < 0.006, (who, off.mean())
        back = np.abs(nearest_surface(true.mesh.vertices, x, faces)[2])
        assert back.mean() < 0.002, (who, back.mean())
        for curve, points in mine.curves.items():
            steps = np.roll(true.curves[curve], -1, 0) - true.curves[curve]
            dense = np.concatenate([true.curves[curve] + f * steps for f in np.linspace(0, 0.9, 10)])
            assert cKDTree(dense).query(points)[0].max() < 0.02, (who, curve)
        assert penetration(x, faces, canonical.vertices, canonical.faces) < 0.005
    assert (made["mean"].mesh.faces == made["heavy"].mesh.faces).all()
    loops = boundary_loops(made["mean"].mesh.faces)
    for loop in loops:  # the same vertices end at the same border
        ends = [min(g.curves, key=lambda c: np.abs(g.curves[c].mean(0) - g.mesh.vertices[loop].mean(0)).sum())
                for g in made.values()]  # fmt: skip
        assert ends[0] == ends[1]


def test_a_jacket_has_none(wardrobe, model):
    canonical, garments = wardrobe["jacket", "mean"]
    with pytest.raises(HvrError, match="jacket has no version"):
        fixed_topology(garments["jacket"], canonical, model)
    short = replace(garments["trousers"], curves={"waist": garments["trousers"].curves["waist"]})
    with pytest.raises(HvrError, match="has 1 borders, its slice of the body has 3"):
        fixed_topology(short, canonical, model)


def test_points_of_a_curve_go_the_loops_way():
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    ring = np.stack([np.sin(angle), 0 * angle, np.cos(angle)], 1)
    large = 2 * np.roll(ring, 17, 0)[::-1]  # begins elsewhere, the other way round
    loop = np.roll(ring, 6, 0)[::3]  # the point in front is among them
    np.testing.assert_allclose(along_curve(loop, large), 2 * loop, atol=1e-9)
