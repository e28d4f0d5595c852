"""The pose density and the joint limits: values, derivatives, and which way knees and elbows bend."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hvr_nb.body import pose_prior
from hvr_nb.body.pose_prior import PRIOR_JOINTS, STIFF_JOINTS, PosePrior, limits, load_pose_prior, six_d
from hvr_nb.types import SMPL_JOINT_NAMES, HvrError


def turns_of(**joints):
    """(1, 24, 3, 3) local rotations: joint name -> rotation vector."""
    poses = np.zeros((24, 3))
    for name, rotvec in joints.items():
        poses[SMPL_JOINT_NAMES.index(name)] = rotvec
    return Rotation.from_rotvec(poses).as_matrix()[None]


def some_turns(count=2):
    rotvec = 0.6 * np.random.default_rng(0).standard_normal((count * 24, 3))
    return Rotation.from_rotvec(rotvec).as_matrix().reshape(count, 24, 3, 3)


def perturbed(turns, step):
    return turns @ Rotation.from_rotvec(step.reshape(-1, 3)).as_matrix().reshape(turns.shape)


def test_every_joint_has_a_density_or_a_limit():
    assert sorted((0, *PRIOR_JOINTS, *STIFF_JOINTS)) == list(range(24))
    stiff = {SMPL_JOINT_NAMES[j] for j in STIFF_JOINTS}
    assert stiff == {f"{side}_{part}" for side in ("left", "right") for part in ("foot", "collar", "hand")}


def test_the_density_is_a_mixture_of_students():
    """Against scipy's, up to its constant; g and P are the energy's derivative and EM's squares."""
    from scipy.special import logsumexp
    from scipy.stats import multivariate_t

    rng = np.random.default_rng(0)
    means, whiten = rng.standard_normal((3, 6)), np.eye(6) + 0.2 * rng.standard_normal((3, 6, 6))
    shares = np.array([0.5, 0.3, 0.2])
    log_weights = np.log(shares) + np.linalg.slogdet(whiten)[1]
    prior = PosePrior((4,), means, whiten, log_weights, 5.0)
    np.testing.assert_allclose(prior.shares, shares)
    x = rng.standard_normal((4, 6))
    scatter = np.linalg.inv(whiten @ np.swapaxes(whiten, 1, 2))
    parts = [
        np.log(share) + multivariate_t(mean, S, df=5.0).logpdf(x)
        for share, mean, S in zip(shares, means, scatter, strict=True)
    ]
    want = -logsumexp(parts, axis=0)
    energy, g, P = prior.rate(x)
    np.testing.assert_allclose(energy - energy[0], want - want[0], atol=1e-9)
    step = 1e-6 * rng.standard_normal((4, 6))
    change = prior.rate(x + step)[0] - prior.rate(x - step)[0]
    np.testing.assert_allclose(change, 4 * (g * step).sum(1), atol=1e-11)
    assert (np.linalg.eigvalsh(P) > 0).all()  # a Gauss-Newton step goes down


def test_the_density_is_about_the_first_two_columns_of_its_joints():
    rng, joints = np.random.default_rng(0), (1, 4, 18)
    size, turns = 6 * len(joints), some_turns()
    prior = PosePrior(joints, np.zeros((1, size)), np.eye(size)[None], np.zeros(1), 3.0)
    columns = [turns[:, j, :, c] for j in joints for c in (0, 1)]
    np.testing.assert_array_equal(prior.values(turns), np.concatenate(columns, 1))
    np.testing.assert_array_equal(six_d(np.arange(9.0).reshape(3, 3)), [0, 3, 6, 1, 4, 7])
    step = 1e-6 * rng.standard_normal((2, 72))
    moved = prior.values(perturbed(turns, step)) - prior.values(turns)
    np.testing.assert_allclose(moved, np.einsum("nmd,nd->nm", prior.slopes(turns), step), atol=1e-9)


def energy_of(turns):
    prior = load_pose_prior()
    return prior.rate(prior.values(turns))[0][0]


def test_common_poses_are_likelier_than_rare_ones():
    standing = turns_of(left_shoulder=(0, 0, -1.2), right_shoulder=(0, 0, 1.2))
    knees = turns_of(left_knee=(-1.5, 0, 0), right_knee=(-1.5, 0, 0))  # bent forwards, as a bird's
    assert energy_of(standing) < energy_of(knees)


def test_straight_legs_are_likelier_than_a_crouch():
    """The mean of what people do is a crouch; who stands must not be drawn to it."""

    def legs(bend):
        return turns_of(
            left_knee=(bend, 0, 0),
            right_knee=(bend, 0, 0),
            left_hip=(-bend / 2, 0, 0),
            right_hip=(-bend / 2, 0, 0),
            left_ankle=(-bend / 2, 0, 0),
            right_ankle=(-bend / 2, 0, 0),
            left_shoulder=(0, 0, -1.2),
            right_shoulder=(0, 0, 1.2),
        )

    straight, *bent = (energy_of(legs(np.radians(bend))) for bend in (2, 10, 20, 35))
    assert straight < min(bent) - 5


def test_in_walking_arms_swing_against_the_legs():
    """The body is one: what the legs do says what the arms do."""

    def stride(arms):
        return turns_of(
            left_hip=(-0.5, 0, 0),
            right_hip=(0.3, 0, 0),
            right_knee=(0.2, 0, 0),
            left_knee=(0.1, 0, 0),
            left_shoulder=(0, 0.3 * arms, -1.2),
            right_shoulder=(0, 0.3 * arms, 1.2),
        )

    # left leg forwards; a positive turn about y carries the left arm backwards and the right one forwards
    assert energy_of(stride(1.0)) < energy_of(stride(-1.0)) - 0.5


def test_far_poses_are_hardly_pulled():
    """Heavy tails: a squat costs a bounded slope."""
    prior = load_pose_prior()
    x = prior.values(turns_of())
    near, far = (np.abs(prior.rate(x + off)[0] - prior.rate(x + off + 0.1)[0])[0] for off in (0.3, 30.0))
    assert far < 0.1 * near


@pytest.mark.parametrize(
    ("column", "name", "bend"),
    [
        (0, "left_knee", (1.0, 0, 0)),
        (1, "right_knee", (1.0, 0, 0)),
        (2, "left_elbow", (0, -1.0, 0)),
        (3, "right_elbow", (0, 1.0, 0)),
    ],
)
def test_knees_and_elbows_bend_one_way(column, name, bend):
    """Bent as people do costs nothing; the other way, the sine beyond the slack times the root of 50."""
    others = [k for k in range(22) if k != column]
    for share, cost in ((1.0, 0.0), (-0.1, 0.0), (-1.0, 50**0.5 * (np.sin(1.0) - 0.15))):
        r, _ = limits(turns_of(**{name: share * np.array(bend)}))
        assert r[0, column] == pytest.approx(cost)
        assert not r[0, others].any()


def test_stiff_joints_are_held_near_rest():
    """Toes and collars within 0.15 radians, hands within 0.05."""
    for k, name in enumerate(
        ("left_foot", "right_foot", "left_collar", "right_collar", "left_hand", "right_hand")
    ):
        r, _ = limits(turns_of(**{name: (0.1, -0.2, 0.3)}))
        want = np.zeros(22)
        want[4 + 3 * k : 7 + 3 * k] = np.array([0.1, -0.2, 0.3]) / (0.05 if "hand" in name else 0.15)
        np.testing.assert_allclose(r[0], want, atol=1e-12)


def test_limits_have_the_right_derivatives():
    turns, step = some_turns(), 1e-6 * np.random.default_rng(1).standard_normal((2, 72))
    turns[:, STIFF_JOINTS] = np.eye(3)  # their derivative is exact at rest
    (r0, J), (r1, _) = limits(turns), limits(perturbed(turns, step))
    assert (r0[:, :4] > 0).any() and (r0[:, :4] == 0).any()
    np.testing.assert_allclose(r1 - r0, np.einsum("nmd,nd->nm", J, step), atol=1e-9)


def test_a_missing_prior_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(pose_prior, "PRIOR_FILE", tmp_path / "none.npz")
    load_pose_prior.cache_clear()
    with pytest.raises(HvrError, match="none.npz is missing"):
        load_pose_prior()
