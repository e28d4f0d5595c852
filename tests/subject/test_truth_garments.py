"""The true garments of the synthetic person: open meshes and the curves along which they end."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from hvr_nb.canonical import make_canonical
from hvr_nb.geometry.nearest import nearest_surface
from hvr_nb.geometry.open_mesh import boundary_loops, topology
from hvr_nb.subject import OUTFITS, make_subject, rotating_motion, true_garments
from hvr_nb.types import HvrError

UPPER = ["neck", "left_cuff", "right_cuff", "hem"]
CURVES = {
    "shirt": UPPER,
    "dress": UPPER,
    "jacket": ["left_cuff", "right_cuff", "hem", "opening"],
    "trousers": ["waist", "left_ankle", "right_ankle"],
    "skirt": ["waist", "hem"],
    "tube": ["neck", "hem"],
}
LOOPS = {"shirt": 4, "dress": 4, "jacket": 3, "trousers": 3, "skirt": 2, "tube": 2}


@pytest.fixture(scope="module", autouse=True)
def no_texture():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hvr_nb.subject.person.TILE", 16)
        yield


@pytest.fixture(scope="module")
def subjects():
    return {(outfit, seed): make_subject(outfit, seed=seed) for outfit in OUTFITS for seed in (0, 11)}


@pytest.mark.parametrize("outfit", OUTFITS)
@pytest.mark.parametrize("seen", [False, True])
def test_every_garment_is_one_open_sheet(subjects, outfit, seen):
    for seed in (0, 11):
        for garment in true_garments(subjects[outfit, seed], seen=seen):
            t = topology(garment.mesh.faces)
            assert t.sound and (t.pieces, t.genus, t.loops) == (1, 0, LOOPS[garment.name]), (seed, t)
            assert list(garment.curves) == CURVES[garment.name]


def test_the_curves_are_the_boundary_in_order(subjects):
    """Each boundary vertex lies on a curve, and neighbours on a curve share a boundary edge."""
    for (outfit, _), subject in subjects.items():
        for garment in true_garments(subject):
            x, faces = garment.mesh.vertices, garment.mesh.faces
            at = {tuple(p): k for k, p in enumerate(x)}
            edges = {frozenset(e) for loop in boundary_loops(faces) for e in pairwise([*loop, loop[0]])}
            on = set()
            for name, curve in garment.curves.items():
                ids = [at[tuple(p)] for p in curve]
                closed = garment.name != "jacket" or name.endswith("cuff")
                assert len(set(ids)) == len(ids)
                on |= {frozenset(e) for e in pairwise([*ids, ids[0]] if closed else ids)}
            assert on == edges, (outfit, garment.name)


@pytest.mark.parametrize("outfit", OUTFITS)
def test_curves_lie_where_their_names_say(subjects, outfit):
    subject = subjects[outfit, 11]
    joints = subject.model.shaped(torch.as_tensor(subject.betas, dtype=torch.float32))[1].numpy()
    for garment in true_garments(subject):
        centre = {name: curve.mean(0) for name, curve in garment.curves.items()}
        for left, right in (("left_cuff", "right_cuff"), ("left_ankle", "right_ankle")):
            if left in centre:
                assert centre[left][0] > 0.08 and np.allclose(
                    centre[left] * [-1, 1, 1], centre[right], atol=0.01
                )
        if "hem" in centre:
            top = centre.get("neck", centre.get("waist", centre.get("opening")))
            assert centre["hem"][1] < top[1] - 0.2
        if "neck" in centre and garment.name != "tube":
            assert np.linalg.norm(centre["neck"] - joints[12]) < 0.08
    if outfit == "long_sleeves":
        assert abs(true_garments(subject)[0].curves["left_cuff"][:, 0].mean() - joints[20, 0]) < 0.04
    if outfit == "top":
        assert abs(true_garments(subject)[0].curves["left_cuff"][:, 0].mean() - joints[16, 0]) < 0.04


def test_a_jacket_is_open_in_front(subjects):
    for seed in (0, 11):
        shirt, jacket, _ = true_garments(subjects["jacket", seed])
        hem, opening = jacket.curves["hem"], jacket.curves["opening"]
        assert np.array_equal(hem[0], opening[0]) and np.array_equal(hem[-1], opening[-1])
        assert hem[0, 0] > 0.04 and hem[-1, 0] < -0.04 and (hem[[0, -1], 2] > 0.03).all()
        assert np.ptp(hem[:, 1]) < 0.03 and hem[:, 2].min() < -0.1  # level, and behind the body
        assert opening[:, 1].max() > hem[:, 1].max() + 0.4
        front = jacket.mesh.vertices[jacket.mesh.vertices[:, 2] > 0.06]
        assert np.abs(front[:, 0]).min() > 0.03
        # over the shirt: where the shirt is, the jacket is farther out
        _, _, inside = nearest_surface(shirt.mesh.vertices, jacket.mesh.vertices, jacket.mesh.faces)
        assert (inside < 0).mean() > 0.9


def test_what_is_seen_begins_where_the_garment_above_ends(subjects):
    for outfit, lower, upper in (("trousers", "waist", "hem"), ("skirt", "waist", "hem")):
        shirt, below = true_garments(subjects[outfit, 0], seen=True)
        near, _ = cKDTree(shirt.curves[upper]).query(below.curves[lower])
        assert near.max() < 0.04, (outfit, near.max())
    whole, cut = (true_garments(subjects["trousers", 0], seen=k)[1].curves["waist"] for k in (False, True))
    assert whole[:, 1].mean() > cut[:, 1].mean() + 0.05


@pytest.mark.parametrize("outfit", ["trousers", "dress", "jacket"])
def test_the_big_pose_is_the_canonical_one(subjects, outfit):
    """Clothes lie as far from the body of ``make_canonical`` as from the body at rest."""
    subject = subjects[outfit, 0]
    body = rotating_motion(1, betas=subject.betas)
    canonical = make_canonical(body, subject.model, spacing=0.2)
    for rest, big in zip(true_garments(subject), true_garments(subject, pose="big"), strict=True):
        assert np.array_equal(rest.mesh.faces, big.mesh.faces)
        skin = canonical.rest_vertices, canonical.vertices
        off = [
            nearest_surface(g.mesh.vertices, v, canonical.faces)[2]
            for g, v in zip((rest, big), skin, strict=True)
        ]
        near = off[0] < 0.025
        assert np.abs(off[1] - off[0])[near].mean() < 0.004
        assert (off[1][near] > -0.005).mean() > 0.99
        assert set(big.curves) == set(rest.curves)


def test_an_unknown_pose_is_named(subjects):
    with pytest.raises(HvrError, match="pose \"?'?t"):
        true_garments(subjects["dress", 0], pose="t")
