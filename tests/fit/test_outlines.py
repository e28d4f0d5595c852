"""Outlines of masks and of the body, step by step, against values worked out by hand (docs/fit.md, 6)."""

from dataclasses import replace
from types import SimpleNamespace as Given

import numpy as np
import pytest

from hvr_nb.body.kinematics import pose_rig, rig_of
from hvr_nb.body.model import load_body_model
from hvr_nb.fit import outlines
from hvr_nb.fit.terms import State, TermWeights
from hvr_nb.geometry.camera import default_camera, project
from hvr_nb.masks.labels import LABEL_NAMES
from hvr_nb.types import Masks


@pytest.fixture(scope="module")
def model():
    return load_body_model()


def test_the_first_point_of_every_cell_is_kept():
    points = np.array([[0.1, 0.1], [3.9, 3.9], [4.0, 0.0], [-0.1, 0.0], [0.0, 4.1], [7.9, 3.0]])
    assert outlines.thin(points, 4.0).tolist() == [0, 2, 3, 4]


def test_specks_have_no_contour():
    """A contour has at least twelve points: that of a square of two pixels has 9, of three pixels 13."""
    for side, some in ((2, False), (3, True)):
        image = np.zeros((20, 20))
        image[5 : 5 + side, 8 : 8 + side] = 1.0
        points, normals = outlines.contour(image)
        assert bool(len(points)) == some and points.shape == normals.shape
    np.testing.assert_allclose([points.min(0), points.max(0)], [[8.0, 5.0], [11.0, 8.0]])


def test_outlines_are_thinned_and_reduced():
    """A square of 800 pixels in a picture of 960: reduced to 384, and a point in every cell of 4 pixels."""
    alpha = np.zeros((1, 960, 480), np.uint8)
    alpha[:, 80:880, 100:400] = 255
    camera = default_camera(480, 960)
    edge = outlines.outlines(Masks(alpha), np.arange(1), camera)[0]
    np.testing.assert_allclose(edge.points.min(0), [40, 32], atol=0.6)
    np.testing.assert_allclose(edge.points.max(0), [160, 352], atol=0.6)
    cells = np.floor(edge.points / 4).astype(int)
    assert len(np.unique(cells, axis=0)) == len(cells)
    assert len(cells) == pytest.approx(2 * (320 + 120) / 4, abs=8)
    assert (edge.pull == 0.6).all()
    left = np.abs(edge.points[:, 0] - 40) < 0.7
    middle = left & (np.abs(edge.points[:, 1] - 190) < 100)
    np.testing.assert_allclose(edge.normals[middle], [[-1, 0]] * middle.sum(), atol=1e-3)


@pytest.mark.parametrize(
    "inner, pull",
    [
        (("face", "face", "face"), 1.0),
        (("background", "face", "left arm"), 1.0),  # two of three
        (("pants", "pants", "right leg"), 0.6),
        (("hair", "face", "hair"), 0.0),
        (("skirt", "left leg", "left leg"), 1.0),
        (("dress", "coat", "left leg"), 0.0),
        (("hat", "scarf", "glove"), 0.0),
        (("upper clothes", "glove", "right arm"), 1.0),
        (("left shoe", "socks", "torso skin"), 0.6),
    ],
)
def test_the_label_inside_the_outline_says_how_it_pulls(inner, pull):
    """Read 1.5, 3 and 5 pixels inside: an edge at x = 10 has the columns 8, 7 and 5."""
    labels = np.zeros((4, 20), np.uint8)
    labels[:, [8, 7, 5]] = [LABEL_NAMES["CIHP"].index(name) for name in inner]
    points, normals = np.array([[10.0, 2.5], [10.0, 9.0]]), np.array([[1.0, 0], [1.0, 0]])
    assert outlines.pulls(labels, "CIHP", points, normals).tolist() == [pull, pull]  # clipped to the picture
    labels[:, -1] = labels[:, 8]  # all three of a point to the right of the picture read its last column
    first = outlines.pulls(labels, "CIHP", points[:1] + [25.0, 0], normals[:1])
    alone = {"face": 1.0, "hair": 0.0, "dress": 0.0, "hat": 0.0, "skirt": 0.0}.get(inner[0], 0.6)
    assert first == [alone]


def test_bags_of_atr_are_loose():
    labels = np.full((4, 20), LABEL_NAMES["ATR"].index("bag"), np.uint8)
    assert outlines.pulls(labels, "ATR", np.array([[10.0, 2]]), np.array([[1.0, 0]])) == [0.0]


def test_a_vertex_in_each_cube_of_three_centimetres(model):
    skin = outlines.skin_of(model)
    every, own = (np.floor(v / 0.03).astype(int) for v in (skin.rest, skin.rest[skin.ids]))
    assert len(np.unique(own, axis=0)) == len(own) == len(np.unique(every, axis=0))


def test_a_refined_focal_length():
    camera = default_camera(300, 200, 250.0)
    K = outlines.refocused(camera, np.log(1.1)).K
    np.testing.assert_allclose(K, [[275, 0, 150], [0, 275, 100], [0, 0, 1]])
    assert camera.K[0, 0] == 250 and outlines.refocused(camera, 0.1).source == "refined"


def test_points_are_matched_with_the_nearest_whose_normal_agrees():
    p, pn = np.array([[0.0, 0], [10, 0]]), np.array([[1.0, 0], [0, 1.0]])
    q = np.array([[1.0, 0], [2, 0], [10, 3], [10, 9]])
    for cosine, partner in ((0.51, 0), (0.49, 1)):  # within sixty degrees
        qn = np.array([[cosine, np.sqrt(1 - cosine**2)], [1, 0], [0, -1], [0, 1]])
        own, other = outlines._match(p, pn, q, qn, 5.0)
        assert own.tolist() == [0] and other.tolist() == [partner]
    own, other = outlines._match(p, pn, q, qn, 9.5)
    assert own.tolist() == [0, 1] and other.tolist() == [1, 3]
    many = np.linspace(0.1, 0.9, 9)[:, None] * [1.0, 0]  # the ninth is not looked at
    wrong = np.tile([-1.0, 0], (9, 1))
    for agrees, found in ((7, [7]), (8, [])):
        qn = wrong.copy()
        qn[agrees] = 1.0, 0
        assert outlines._match(p[:1], pn[:1], many, qn, 5.0)[1].tolist() == found


def test_each_direction_of_search_weighs_one(model):
    """A body against its own outline: nothing to move; one whose outline is 25 cm away finds no partner."""
    camera = default_camera(192, 192)
    state = State(np.tile(np.eye(3), (1, 24, 1, 1)), np.array([[0.0, 0.2, -3.0]]), np.zeros(10))
    vertices = model.v_template.double().numpy() + state.transl[0]
    drawn = outlines.rasterize(vertices, model.faces, camera)[1] >= 0
    edge = outlines.outlines(Masks(255 * drawn[None].astype(np.uint8)), np.arange(1), camera)[0]
    skin = outlines.skin_of(model)
    pair = outlines.correspond(model, skin, state, [edge], camera)[0]
    assert pair.weight.sum() == pytest.approx(2) and np.abs(pair.local).max() < 1e-6
    assert len(np.unique(pair.weight)) == 2
    plane = project(vertices[pair.vertex], camera)
    plane = (plane - camera.K[:2, 2]) / camera.K[0, 0]
    off = np.abs(((pair.target - plane) * pair.normal).sum(1)) * camera.K[0, 0]
    assert np.median(off) < 0.5 and np.quantile(off, 0.95) < 1.5  # pixels
    assert pair.weight.sum() == pytest.approx(2) and (pair.pull == 0.6).all()
    from scipy.spatial import cKDTree

    own, _ = outlines.contour(drawn.astype(float))
    gap = cKDTree(own).query(project(vertices[pair.vertex], camera))[0]
    assert 2.3 < gap.max() < 2.5  # the rim
    reach = 0.25 * camera.K[0, 0] / 3.0
    for shift, some in ((0.9, True), (1.15, False)):
        far = replace(edge, points=edge.points + [500.0, 0])
        lone = np.abs(edge.points[:, 0] - edge.points[:, 0].max()).argmin()
        tip = edge.points[[lone]] + [[shift * reach, 0.0]]
        far = outlines.Outline(tip, edge.normals[[lone]], edge.pull[[lone]])
        found = outlines.correspond(model, skin, state, [far], camera)[0]
        assert bool(len(found.vertex)) == some
    nothing = outlines.Outline(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0))
    assert len(outlines.correspond(model, skin, state, [nothing], camera)[0].vertex) == 0


def test_no_pairs_are_empty_arrays(model):
    """No outline, no body in the picture, or no vertex near its rim: arrays of the shapes of any others."""
    camera = default_camera(64, 64)
    edge = outlines.Outline(np.array([[32.0, 32.0]]), np.array([[1.0, 0]]), np.ones(1))
    nothing = outlines.Outline(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0))
    skin, rest = outlines.skin_of(model), model.v_template.double().numpy() + [0, 0.2, -3.0]
    inner = np.flatnonzero(np.abs(rest[:, :2] - rest[:, :2].mean(0)).max(1) < 0.02)[:1]
    for vertices, ids, outline in (
        (rest, skin.ids, nothing),
        (rest + [90, 0, 0], skin.ids, edge),
        (rest, inner, edge),
    ):
        found = outlines._pair_frame(vertices.astype(np.float32), ids, model.faces, outline, camera)
        assert [part.shape for part in found] == [(0,), (0, 2), (0, 2), (0,), (0,)]


@pytest.mark.parametrize(
    "pull, inside, sigmas, cost",
    [
        (1.0, False, 2, 4 / (1 + 4 / 9)),  # out of the mask: full weight
        (0.6, False, 2, 4 / (1 + 4 / 9)),
        (0.0, False, 2, 4 / (1 + 4 / 9)),
        (1.0, True, 2, 4 / (1 + 4 / 9)),  # bare skin
        (0.6, True, 2, 0.6 * 4 / (1 + 4)),  # clothes: no more than one sigma
        (0.0, True, 2, 0.0),  # hair
    ],
)
def test_the_distance_from_the_outline(model, pull, inside, sigmas, cost):
    """Sigma is 2 cm at the given depth; only the distance along the normal counts."""
    rig, camera, depth = rig_of(model), default_camera(192, 192), 2.5
    state = State(np.tile(np.eye(3), (1, 24, 1, 1)), np.array([[0.0, 0.2, -3.0]]), np.zeros(10))
    pose = pose_rig(rig, state.rotations, state.transl, state.betas)
    vertex = np.array([100, 3000])
    at = model.v_template.double().numpy()[vertex] + state.transl[0]
    plane = (project(at, camera) - camera.K[:2, 2]) / camera.K[0, 0]
    normal = np.array([[0.6, 0.8], [1.0, 0.0]])
    away = sigmas * 0.02 / depth * (1 if inside else -1)
    target = plane + away * normal + 0.3 * normal[:, ::-1] * [1, -1]  # and to the side
    weight = np.array([0.25, 0.5])
    pair = outlines.Pairs(np.zeros((2, 3)), vertex, target, normal, weight, np.full(2, pull))
    found = outlines.distance(
        outlines.skin_of(model),
        rig,
        Given(state=state, pose=pose),
        [pair],
        camera,
        np.array([depth]),
        TermWeights(silhouette=10.0),
        None,
    )
    assert found == pytest.approx(10 * 0.75 * cost, rel=1e-4, abs=1e-9)
