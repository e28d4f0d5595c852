"""A skirt in the big pose carried to swinging legs."""

import numpy as np
import pytest
import trimesh

from hvr_nb.body.model import load_body_model
from hvr_nb.canonical.big_pose import make_canonical
from hvr_nb.canonical.binding import bind, bind_mesh, carried, evened, just_off, pose_skin, some_of
from hvr_nb.canonical.loose_weights import carry_points, looseness, weights_at
from hvr_nb.geometry.mesh import unique_edges
from hvr_nb.metrics.surfaces import jacobians
from hvr_nb.subject.motion import rotating_motion


@pytest.fixture(scope="module")
def scene():
    """Body, its skin standing and with the legs swung by 30 degrees, a cone about the big-pose thighs."""
    model, body = load_body_model(), rotating_motion(2)
    canonical = make_canonical(body, model)
    poses = np.repeat(body.poses[:1], 3, 0)
    poses[1, [3, 6]], poses[2, [3, 6]] = np.radians((30, -30)), np.radians((-30, 30))
    skin = pose_skin(model, body.betas, poses, np.repeat(body.transl[:1], 3, 0))
    joints = carry_points(canonical.A_big, canonical.rest_joints)
    top, bottom = joints[[1, 2], 1].mean() - 0.05, joints[[4, 5], 1].mean() + 0.05
    rows, columns = 48, 192
    t, angle = np.meshgrid(
        np.linspace(0, 1, rows), np.linspace(0, 2 * np.pi, columns, endpoint=False), indexing="ij"
    )
    points = np.stack(
        [(0.24 + 0.26 * t) * np.cos(angle), top + t * (bottom - top), 0.03 + 0.18 * np.sin(angle)], -1
    )
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b = index[:-1], np.roll(index, -1, 1)[:-1]
    c, d = index[1:], np.roll(index, -1, 1)[1:]
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([b, d, c], -1).reshape(-1, 3)])
    return canonical, skin, points.reshape(-1, 3).astype(np.float32), faces


def least_jacobian(bound, points, canonical, skin, faces):
    """Smallest of ``jacobians`` over both swings."""
    both = bound, just_off(bound, points, faces, canonical, 0.002)

    def placed(k):
        return [carried(b, canonical.faces, skin.vertices[k], skin.world[k]).astype(float) for b in both]

    return min(jacobians(faces, *placed(0), *placed(k)).min() for k in (1, 2))


def test_a_skirt_keeps_a_fifth_of_its_area_while_the_legs_swing(scene):
    canonical, skin, points, faces = scene
    nearest, smooth = bind(points, canonical), bind_mesh(points, faces, canonical)
    assert least_jacobian(nearest, points, canonical, skin, faces) < -1, "the nearest skin jumps between legs"
    assert least_jacobian(smooth, points, canonical, skin, faces) > 0.2
    keep = np.arange(len(points)) % 3 == 0
    whole, part = (
        carried(b, canonical.faces, skin.vertices[1], skin.world[1]) for b in (smooth, some_of(smooth, keep))
    )
    np.testing.assert_array_equal(part, whole[keep])


def test_skin_above_a_skirt_becomes_loose_over_many_centimetres(scene):
    canonical, _, points, faces = scene
    vertices = np.concatenate([points, canonical.vertices])
    bound = bind_mesh(vertices, np.concatenate([faces, canonical.faces + len(points)]), canonical)
    share = np.zeros(len(vertices))
    share[bound.which] = bound.share[:, 0]
    share = share[len(points) :]
    edges = unique_edges(canonical.faces)
    length = np.linalg.norm(np.diff(canonical.vertices[edges], axis=1)[:, 0], axis=1)
    slope = np.abs(np.diff(share[edges], axis=1)[:, 0])[length > 0.005] / length[length > 0.005]
    assert (share == 1).any() and (share == 0).any()
    assert slope.max() < 20, "a metre; faces at the back of the waist folded at 32"


def test_diffused_weights_have_no_jump_in_the_crease_between_the_legs(scene):
    canonical = scene[0]
    outside = np.minimum(canonical.field_distance[1:], canonical.field_distance[:-1]) > 0
    jumps = [
        np.abs(np.diff(w[..., 1], axis=0))[outside].max()
        for w in (canonical.field_weights, canonical.loose_weights)
    ]
    assert jumps[1] < 0.2 < 0.4 < jumps[0], "per 25 mm"


def test_loose_weights_are_weights_and_those_of_the_limb_within_it(scene):
    canonical = scene[0]
    np.testing.assert_allclose(canonical.loose_weights.sum(-1), 1, atol=1e-5)
    assert canonical.loose_weights.min() >= 0
    joints = carry_points(canonical.A_big, canonical.rest_joints)
    shins = (joints[[4, 5]] + joints[[7, 8]]) / 2
    weights = weights_at(shins, canonical)
    assert (weights[[0, 1], [4, 5]] > 0.8).all()


def test_hair_and_hats_go_with_the_head_alone(scene):
    canonical, model, body = scene[0], load_body_model(), rotating_motion(2)
    ball = trimesh.creation.icosphere(subdivisions=3, radius=0.08)
    top = canonical.vertices[canonical.vertices[:, 1].argmax()]
    points = (ball.vertices + top + [0, 0.12, -0.1]).astype(np.float32)
    bound = bind_mesh(points, np.asarray(ball.faces), canonical)
    poses = np.repeat(body.poses[:1], 3, 0)
    poses[1, 3 * 16 + 2], poses[1, 3 * 17 + 2] = -1.2, 1.2  # arms down
    poses[2, 3 * 15 + 1] = 0.5  # the head turned
    skin = pose_skin(model, body.betas, poses, np.repeat(body.transl[:1], 3, 0))
    a, b, c = (carried(bound, canonical.faces, skin.vertices[k], skin.world[k]) for k in range(3))
    assert np.abs(a - b).max() < 0.01, "arms do not move it"
    assert np.linalg.norm(c - a, axis=1).mean() > 0.03, "the head does"
    edges = unique_edges(np.asarray(ball.faces))
    length = [np.linalg.norm(np.diff(x[edges], axis=1)[:, 0], axis=1) for x in (a, c)]
    np.testing.assert_allclose(length[1], length[0], rtol=0.05)


def test_tight_meshes_are_bound_to_the_skin_alone(scene):
    canonical = scene[0]
    bound = bind_mesh(canonical.vertices, canonical.faces, canonical)
    assert len(bound.which) == 0
    np.testing.assert_array_equal(bound.distance, bind(canonical.vertices, canonical).distance)


def test_evened_is_a_mean_of_what_is_near():
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, (20_000, 3))
    np.testing.assert_allclose(evened(points, np.full(20_000, 0.7), reach=0.1), 0.7, rtol=1e-6)
    step = evened(points, (points[:, 0] > 0).astype(float), reach=0.1)
    assert (step[points[:, 0] < -0.5] < 0.01).all() and (step[points[:, 0] > 0.5] > 0.99).all()
    assert np.abs(step[np.abs(points[:, 0]) < 0.02] - 0.5).mean() < 0.15


def test_jacobians_are_determinants_and_do_not_mind_a_shear():
    before = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [2, 2, 2]])
    off = before + [0.0, 0.0, 0.01]
    faces = np.array([[0, 1, 2], [0, 3, 3]])  # the second has no volume
    shear = np.array(
        [[1.0, 0, 0], [0, 1, 0], [3, 0, 1]]
    )  # turns the face by 72 degrees and keeps all volumes
    for A, want in ((2 * np.eye(3), 8), (np.diag([1.0, -1, 1]), -1), (shear, 1), (np.diag([0.5, 1, 1]), 0.5)):
        np.testing.assert_allclose(jacobians(faces, before, off, before @ A.T, off @ A.T), [want])
    inside = before - [0.0, 0.0, 0.01]  # folded already
    np.testing.assert_allclose(jacobians(faces, before, inside, 2 * before, 2 * inside), [-8])


def test_looseness_rises_from_two_to_five_centimetres():
    np.testing.assert_allclose(looseness(np.array([-0.1, 0.0, 0.02, 0.035, 0.05, 0.2])), [0, 0, 0, 0.5, 1, 1])
