"""The steps of lifting and placing one by one: by hand where they have a value of their own, else golden."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from golden import Golden

from hvr_nb.body.joint_sets import H36M17_FEET, H36M17_PARENTS, H36M_MIRROR
from hvr_nb.geometry.camera import default_camera, look_at
from hvr_nb.lift import apply, bones, checkpoints, floor, network, placing, root, view
from hvr_nb.lift.stmo import Stmo
from hvr_nb.lift.temporal import TemporalModel
from hvr_nb.types import HvrError

GOLDEN = Golden(__file__)
CAMERA = default_camera(640, 480, focal=500.0)
LEFT_RIGHT = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)  # COCO's mirror


def waves(*shape, step=0.7) -> np.ndarray:
    """Numbers between -1 and 1 that look random and never change."""
    return np.sin(step * np.arange(np.prod(shape)) ** 1.3).reshape(shape)


def person(frames=8) -> tuple[np.ndarray, np.ndarray]:
    """COCO rays (1, T, 17, 2) beside the axis and confidences (1, T, 17), some of them zero."""
    rays = 0.2 * waves(1, frames, 17, 2) + [0.4, -0.1]
    conf = np.clip(waves(1, frames, 17, step=1.1) + 0.4, 0, 1)
    return rays, conf


# -- what the network sees -------------------------------------------------------------------------


def test_a_person_on_the_axis_is_scaled_to_one_size():
    """One frame: shoulders and hips count four times, a joint that is missing not at all."""
    rays, conf = waves(1, 1, 17, 2), np.full((1, 1, 17), 0.45)
    conf[0, 0, 3] = 0
    weight = 0.5 * np.where(np.isin(np.arange(17), (5, 6, 11, 12)), 4.0, 1.0)
    weight[3] = 0
    rays[0, 0] -= weight @ rays[0, 0] / weight.sum()
    size = np.sqrt(weight @ (rays[0, 0] ** 2).sum(1) / weight.sum())
    x, R = view.look_straight(torch.tensor(rays), torch.tensor(conf), 30.0)
    np.testing.assert_allclose(R[0, 0], np.eye(3), atol=1e-9)
    expected = rays[0, 0] / size
    expected[3] = 0
    np.testing.assert_allclose(x[0, 0, :17, :2], expected, atol=1e-9)
    np.testing.assert_allclose(x[0, 0, :17, 2], conf[0, 0])
    np.testing.assert_allclose(x[0, 0, 17], [np.log(size) + 2.2, np.log(2), 0], atol=1e-9)
    rays[0, 0, 9:11], conf[0, 0, 9:11] = [[20, -20], [-20, 20]], 0.001  # wild joints that hardly count
    assert view.look_straight(torch.tensor(rays), torch.tensor(conf), 15.0)[0].abs().max() == 6.0


def test_the_virtual_camera_keeps_its_numbers():
    rays, conf = (torch.tensor(a) for a in person())
    x, R = view.look_straight(rays, conf, torch.tensor([20.0]))
    GOLDEN.check("lifter's input", x, abs=1e-8)
    GOLDEN.check("virtual cameras", R, abs=1e-8)
    behind = rays.clone()
    behind[..., 0] = 30.0  # almost at right angles to the axis
    behind[0, 0, 0, 0] = -30.0
    GOLDEN.check("input of a wide view", view.look_straight(behind, conf, 15.0)[0], abs=1e-8)


def test_smoothing_over_time_is_gaussian_and_never_quite_zero():
    values = torch.zeros(1, 40, 2, dtype=torch.float64)
    values[0, 15, 1] = 2.0
    away = np.abs(np.arange(40) - 15)
    expected = np.where(away <= 5, np.exp(-0.5 * (away / 1.5) ** 2), 0) + 1e-4 * 0.9**away
    found = view._smooth(values, 1.5)[0].numpy()
    np.testing.assert_allclose(found[:, 1], 2 * expected, rtol=1e-9)
    assert not found[:, 0].any()


def test_a_camera_looks_at_a_direction_without_roll():
    R = view._look_at(torch.tensor([[0.5, -0.2], [-3.0, 2.0]], dtype=torch.float64)).numpy()
    for rotation, (x, y) in zip(R, [(0.5, -0.2), (-3.0, 2.0)], strict=True):
        size = np.sqrt(x**2 + y**2 + 1)
        np.testing.assert_allclose(rotation @ [x, y, 1], [0, 0, size], atol=1e-12)
        np.testing.assert_allclose(rotation[0], np.array([1, 0, -x]) / np.hypot(1, x), atol=1e-12)
        np.testing.assert_allclose(np.linalg.det(rotation), 1)


def test_rays_of_an_unknown_camera_have_the_usual_spread():
    pixels, conf = 300 + 50 * waves(1, 4, 17, 2), np.clip(waves(1, 4, 17) + 0.5, 0, 1)
    weight = ((conf > 0) * (0.05 + conf))[0]
    share = weight / weight.sum()
    middle = np.einsum("tj,tjc->c", share, pixels[0])
    each = np.einsum("tj,tjc->tc", weight / weight.sum(1, keepdims=True), pixels[0])
    spread = (share * ((pixels[0] - each[:, None]) ** 2).sum(2)).sum()
    found = view.usual_rays(torch.tensor(pixels), torch.tensor(conf))[0].numpy()
    np.testing.assert_allclose(found, (pixels[0] - middle) * np.exp(-2.2) / np.sqrt(spread), rtol=1e-9)


# -- frames in and out -----------------------------------------------------------------------------


@pytest.mark.parametrize("seen, enough", [(3, False), (4, True)])
def test_four_limb_joints_make_a_frame(seen, enough):
    points = np.zeros((1, 17, 3))
    points[0, :5, 2] = 1.0  # the head does not count
    points[0, 5 : 5 + seen, 2], points[0, 5 + seen :, 2] = 0.0501, 0.05
    assert apply.can_lift(points).tolist() == [enough]


def test_confidence_is_clipped_and_missing_joints_are_zero():
    points = np.full((1, 17, 3), 7.0)
    points[0, :3, 2] = 0.3, -1.0, 0.0
    points[0, 3, 0] = np.nan
    xy, conf = apply._split(points)
    assert conf[0, :5].tolist() == [0.3, 0, 0, 0, 1]
    assert xy[0, :5].tolist() == [[7, 7], [0, 0], [0, 0], [0, 0], [7, 7]]


def test_quick_clips_are_lifted_as_slow_ones():
    frames = torch.arange(7.0)[None, :, None]
    assert apply._phases(frames, 3)[..., 0].tolist() == [[0, 3, 6], [1, 4, 6], [2, 5, 6]]
    assert apply._phases(frames, 1)[..., 0].tolist() == [list(range(7))]
    joints = np.zeros((7, 17, 3))
    joints[3] = 9.0
    assert apply._blend(joints, 3)[:, 4, 1] == pytest.approx([0, 1, 2, 3, 2, 1, 0])
    assert apply._blend(joints, 2)[:, 4, 1] == pytest.approx(np.array([0, 0, 9, 18, 9, 0, 0]) / 4)
    assert apply._blend(joints, 1) is joints and apply._blend(joints[:1], 3).shape == (1, 17, 3)
    joints[:] = 0
    joints[6] = 9.0  # the last frame goes on beyond the end
    assert apply._blend(joints, 3)[4:, 0, 0] == pytest.approx([1, 3, 6])


@pytest.mark.parametrize("fps, step", [(15.0, 1), (22.0, 1), (38.0, 3), (7.0, 1)])
@pytest.mark.parametrize("known", [True, False])
def test_every_phase_is_seen_and_turned_back(fps, step, known):
    """A network that hands its input through: skeletons in the axes of the camera, blended."""
    frames = 9
    xy = 250 + 60 * waves(frames, 17, 2)
    conf = np.clip(waves(frames, 17, step=1.9) + 0.6, 0, 1)
    camera = replace(CAMERA, dist=np.array([-0.1, 0.02, 0, 0, 0])) if known else None
    found = apply._lift_own(lambda x: x[:, :, :17], xy, conf, fps, camera, False)
    rays = apply._rays(xy, camera) if known else view.usual_rays(*(torch.tensor(a)[None] for a in (xy, conf)))
    expected = np.zeros((frames, 17, 3))
    for phase in range(step):
        part = slice(phase, None, step)
        x, R = view.look_straight(rays[:, part].float(), torch.tensor(conf[None, part]).float(), fps / step)
        expected[part] = (x[0, :, :17] @ R[0]).numpy()
    np.testing.assert_allclose(found, apply._blend(expected, step), atol=1e-4)


def test_rays_are_straightened_and_bounded():
    pixels = np.zeros((1, 17, 2)) + [320.0, 240.0]
    pixels[0, 1], pixels[0, 2] = (420, 140), (9000, -9000)
    rays = apply._rays(pixels, CAMERA)[0, 0]
    np.testing.assert_allclose(rays[:3], [[0, 0], [0.2, -0.2], [10, -10]], atol=1e-6)


def test_gaps_of_joints_are_filled_in_time():
    xy, conf = np.zeros((5, 17, 2)), np.ones((5, 17))
    xy[:, 0] = [[0, 10], [1, 9], [2, 8], [3, 7], [4, 6]]
    xy[:, 1], xy[:, 2:] = [5, 1], [2, 2]
    conf[1:4, 0] = 0.05, 0.0, 0.0501
    conf[2, 1:], xy[2] = 0, 99  # nothing is seen in this frame
    conf[:, 16] = 0
    filled = apply._fill_gaps(xy, conf)
    assert filled[:, 0].tolist() == [[0, 10], [1, 9], [2, 8], [3, 7], [4, 6]]
    assert (filled[:, 1] == [5, 1]).all() and (filled[:, 5] == [2, 2]).all()
    frames = [np.mean([[t, 10 - t]] * (t != 1) + [[5, 1]] + [[2, 2]] * 14, axis=0) for t in (0, 1, 3, 4)]
    np.testing.assert_allclose(filled[:, 16], [np.mean(frames, 0)] * 5)


@pytest.mark.parametrize("kind", ["temporal", "stmo"])
def test_published_networks_treat_the_mirrored_person_alike(kind):
    torch.manual_seed(0)
    if kind == "temporal":
        model = TemporalModel(widths=(3,), channels=8).eval()
    else:
        model = Stmo(9, 1, channels=16, hidden=16, strides=(1, 3, 3)).eval()
    camera = default_camera(300, 400)
    xy, conf = 150 + 100 * waves(70, 17, 2), np.ones((70, 17))
    with torch.inference_mode():
        ours = apply._lift_screen(model, xy, conf, camera, True)
        mirrored = xy[:, list(LEFT_RIGHT)] * [-1, 1] + [300, 0]
        theirs = apply._lift_screen(model, mirrored, conf, camera, True)
        plain = apply._lift_screen(model, xy, conf, camera, False)
        alone = [apply._lift_screen(model, xy[t - 4 : t + 5], conf[:9], camera, False)[4] for t in (4, 65)]
        start = apply._lift_screen(model, np.concatenate([xy[:1]] * 4 + [xy[:5]]), conf[:9], camera, False)
    np.testing.assert_allclose(theirs, ours[:, list(H36M_MIRROR)] * [-1, 1, 1], atol=1e-5)
    np.testing.assert_allclose(plain[[4, 65]], alone, atol=1e-5)
    np.testing.assert_allclose(plain[0], start[4], atol=1e-5)  # before the clip its first frame is repeated


# -- the project's own network ---------------------------------------------------------------------


def test_the_network_keeps_its_numbers():
    """Weights from a formula: golden numbers."""
    model = network.Lifter(channels=12, dilations=(0, 2, 3), context=6).eval()
    assert model.out.weight.abs().max() <= 0.1 / np.sqrt(12)  # training starts near the mean pose
    with torch.inference_mode():
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                new = torch.tensor(0.3 * waves(*value.shape))
                value.copy_(new.abs() + 0.5 if name.endswith("running_var") else new)
        x = torch.tensor(waves(1, 70, 18, 3)).float()
        GOLDEN.check("lifter", model(x), abs=2e-5)


def test_means_around_a_frame_are_of_the_frames_there_are():
    x = torch.arange(100.0)[None, None]
    found = network._mean_around(x)[0, 0]
    assert found[50] == 50 and found[0] == 15 and found[99] == 84 and found[30] == 30 and found[29] == 29.5
    assert network._mean_around(x[..., :3])[0, 0].tolist() == [1, 1, 1]


def test_large_tensors_are_stored_in_half_precision(tmp_path):
    model = network.Lifter(channels=32, dilations=(0,), context=32)
    path = checkpoints.save_lifter(tmp_path / "l.npz", model)
    with np.load(path) as file:
        kinds = {name: (file[name].size, file[name].dtype) for name in file.files if "." in name}
        assert file["format"] == "hvr-lifter-2" and file["dilations"].tolist() == [0]
    assert {size for size, _ in kinds.values()} >= {1024, 32} and max(
        size for size, _ in kinds.values()
    ) > 1024
    assert all(kind == (np.float16 if size > 1024 else np.float32) for size, kind in kinds.values())


@pytest.mark.parametrize(
    "frames, strides",
    [(243, (3, 3, 3, 3, 3)), (81, (3, 3, 3, 3)), (27, (3, 3, 3)), (9, (1, 3, 3)), (351, (3, 9, 13))],
)
def test_the_strides_of_p_stmo_follow_from_its_window(tmp_path, frames, strides):
    model = Stmo(frames, 1, channels=8, hidden=8, strides=strides)
    torch.save(model.state_dict(), tmp_path / "x.pth")
    loaded = checkpoints.load_lifter_checkpoint(tmp_path / "x.pth")
    assert [layer.stride for layer in loaded.Transformer_reduce.model.layers] == list(strides)
    assert loaded.frames == frames and not loaded.training


@pytest.mark.parametrize("frames, channels, strides", [(45, 8, (5, 9)), (27, 12, (3, 3, 3))])
def test_windows_and_widths_that_nobody_published_are_refused(tmp_path, frames, channels, strides):
    model = Stmo(frames, 1, channels=channels, hidden=8, strides=strides, heads=4)
    torch.save(model.state_dict(), tmp_path / "x.pth")
    with pytest.raises(HvrError, match=f"no known network has {frames} frames, 34 values and {channels}"):
        checkpoints.load_lifter_checkpoint(tmp_path / "x.pth")


# -- the root --------------------------------------------------------------------------------------


def test_second_differences_of_the_way():
    assert root.bending(4).toarray().tolist() == [
        [1, -2, 1, 0],
        [-2, 5, -4, 1],
        [1, -4, 5, -2],
        [0, 1, -2, 1],
    ]
    assert root.bending(3).toarray().tolist() == [[1, -2, 1], [-2, 4, -2], [1, -2, 1]]
    assert root.bending(2).shape == (2, 2) and root.bending(2).nnz == 0


def test_rays_of_a_camera_with_skewed_axes():
    K = np.array([[500.0, 20.0, 310.0], [0, 400.0, 250.0], [0, 0, 1]])
    points = np.array([[[0.3, -0.2, 1.0], [5.0, 5.0, 1.0]]]) @ K.T
    known = np.array([[True, False]])
    found = root.rays_of(points, replace(CAMERA, K=K), known)
    np.testing.assert_allclose(found, [[[0.3, -0.2], [0, 0]]], atol=1e-12)


@pytest.mark.parametrize("depth, start", [(3.0, 3.0), (0.4, 0.5)])
def test_the_way_starts_on_the_axis_at_the_median_depth(depth, start):
    joints = 0.2 * waves(5, 6, 3)
    at = joints + [0.1, 0.0, depth]
    at[4] += [0, 0, 2.0]
    sure = np.ones((5, 6))
    sure[3, 1:] = 0  # one joint alone tells no depth
    found = root._first_guess(joints, at[..., :2] / at[..., 2:], sure)
    np.testing.assert_allclose(found, [[0, 0, start]] * 5, rtol=1e-5)


def test_the_way_of_the_root_keeps_its_numbers():
    frames = 12
    joints = 0.4 * waves(frames, 17, 3)
    way = np.stack([np.linspace(-0.5, 0.5, frames), np.zeros(frames), 3 + 0.1 * waves(frames)], 1)
    at = joints + way[:, None]
    points = np.concatenate([at[..., :2] / at[..., 2:] * 500 + [320, 240], np.ones((frames, 17, 1))], 2)
    points[..., :2] += 3 * waves(frames, 17, 2, step=1.7)
    points[..., 2] = np.clip(waves(frames, 17, step=0.3) + 0.8, 0, 2)
    points[4], points[6, 3, :2], joints[7, 2] = 0, 900, np.nan
    found = root.root_trajectory(joints, points, CAMERA, fps=24.0)
    assert np.abs(found - way).max() < 0.15
    GOLDEN.check("way", found, abs=1e-7)
    exact = np.concatenate([at[..., :2] / at[..., 2:] * 500 + [320, 240], np.ones((frames, 17, 1))], 2)
    joints[7, 2] = at[7, 2] - way[7]
    GOLDEN.check("way of exact points", root.root_trajectory(joints, exact, CAMERA, fps=24.0), abs=1e-7)
    near = joints + [0, 0, -2.9]  # joints that come behind the camera
    GOLDEN.check("way of one who is too near", root.root_trajectory(near, points, CAMERA, fps=24.0), abs=1e-6)


def test_two_joints_place_a_frame():
    joints, points = np.zeros((1, 2, 3)), np.array([[[320.0, 240, 1], [420, 240, 1]]])
    joints[0, 1, 0] = 0.5
    np.testing.assert_allclose(
        root.root_trajectory(joints, points, CAMERA, fps=9.0), [[0, 0, 2.5]], atol=1e-5
    )
    points[0, 1, 2] = 0
    with pytest.raises(HvrError, match="no frame has two joints"):
        root.root_trajectory(joints, points, CAMERA, fps=9.0)


# -- size ------------------------------------------------------------------------------------------


def upright() -> np.ndarray:
    """Human3.6M joints of a stick figure: legs of 0.4 + 0.5, a trunk of 0.3 + 0.2, a head of 0.1."""
    joints = np.zeros((1, 17, 3))
    for child, (bone, direction) in {
        1: (0.1, -1),
        4: (0.1, 1),
        11: (0.2, 1),
        14: (0.2, -1),
        12: (0.3, 1),
        15: (0.3, -1),
        13: (0.25, 1),
        16: (0.25, -1),
    }.items():
        joints[0, child] = joints[0, H36M17_PARENTS[child]] + [bone * direction, 0, 0]
    for child, bone in {2: -0.4, 3: -0.5, 5: -0.4, 6: -0.5, 7: 0.3, 8: 0.2, 9: 0.05, 10: 0.05}.items():
        joints[0, child] = joints[0, H36M17_PARENTS[child]] + [0, bone, 0]
    for child in (11, 14, 12, 15, 13, 16):
        joints[0, child, 1] = 0.5
    return joints


def test_the_height_is_that_of_legs_trunk_and_head():
    joints = np.concatenate([upright(), upright() * 7, upright()])
    joints[1, 3] = np.nan  # a frame that is not whole
    assert bones.metric_scale(joints, height=1.8) == pytest.approx(1.8 * 0.961 / 1.5)
    lengths = np.full(17, np.nan)
    lengths[[2, 3]] = 0.5, 0.5  # least squares: (0.4 * 0.5 + 0.5 * 0.5) / (0.4 ** 2 + 0.5 ** 2)
    lengths[0] = 5.0  # the root has no bone
    assert bones.metric_scale(joints, lengths=lengths) == pytest.approx(0.45 / 0.41)
    lengths[2] = 0.0
    assert bones.metric_scale(joints, lengths=lengths) == pytest.approx(0.25 / 0.41)
    lengths[2] = -0.1
    for wrong in ({"lengths": lengths}, {"height": -0.1}):
        with pytest.raises(HvrError, match="must be positive"):
            bones.metric_scale(joints, **wrong)


def test_ankles_are_as_high_as_the_legs_tell():
    joints = np.concatenate([upright(), upright()])
    assert floor.ankle_height(joints, H36M17_PARENTS, H36M17_FEET, part=0.039) == pytest.approx(
        0.039 * 0.9 / 0.491
    )


def test_joints_that_lie_on_each_other_stay_so():
    joints = np.zeros((1, 3, 3))
    joints[0, 2] = 1e-8, 0, 0
    fixed = bones.fix_bone_lengths(joints, (-1, 0, 0), np.array([0.0, 2.0, 3.0]))
    assert fixed[0, 1].tolist() == [0, 0, 0] and fixed[0, 2] == pytest.approx([3.0, 0, 0])


# -- feet ------------------------------------------------------------------------------------------


def feet(frames=40, *, speed=0.0, height=0.0, fps=30.0) -> np.ndarray:
    """(T, 2, 3) one foot at rest and one that moves at ``speed`` and ``height``."""
    places = np.zeros((frames, 2, 3))
    places[:, 1, 0], places[:, 1, 1] = speed * np.arange(frames) / fps, height
    return places


@pytest.mark.parametrize(
    "speed, height, across, stands",
    [
        (0.49, 0.0, None, True),
        (0.51, 0.0, None, False),
        (0.0, 0.1199, None, True),
        (0.0, 0.1201, None, False),
        (0.99, 0.0, 0.29, True),  # the picture tells, as long as 3D does not contradict it
        (1.01, 0.0, 0.29, False),
        (0.0, 0.0, 0.31, False),
        (0.49, 0.0, np.nan, True),
        (0.51, 0.0, np.nan, False),
    ],
)
def test_a_foot_stands_slow_and_low(speed, height, across, stands):
    beside = None if across is None else np.full((40, 2), across)
    found = floor.foot_contacts(feet(speed=speed, height=height), fps=30.0, across=beside)
    assert (found[10:30, 1] == stands).all()


@pytest.mark.parametrize(
    "fps, pattern, expected",
    [
        (30.0, "0011000111000", "0000000111000"),  # a tenth of a second are three frames
        (30.0, "0111011100000", "0111111100000"),  # one frame between is closed, and two
        (30.0, "0111001110000", "0111111110000"),
        (30.0, "0111000111000", "0111000111000"),
        (8.0, "0100011000000", "0000011000000"),  # two frames at least
        (60.0, "0111110000000", "0000000000000"),
        (60.0, "0111111000011", "0111111000000"),
        (30.0, "1110000000111", "1110000000111"),
        (30.0, "1100000000011", "0000000000000"),
    ],
)
def test_contacts_are_whole_stretches(fps, pattern, expected):
    across = np.array([[0.0 if c == "1" else 9.0] * 2 for c in pattern])
    found = floor.foot_contacts(feet(len(pattern)), fps=fps, across=across)
    assert "".join(str(int(c)) for c in found[:, 0]) == expected


def test_two_frames_tell_no_contact():
    assert not floor.foot_contacts(feet(2), fps=30.0).any() and floor.foot_contacts(feet(3), fps=30.0).all()


def test_speeds_are_of_places_averaged_over_a_window():
    places = np.zeros((30, 1, 2))
    places[15:] = [0.3, 0.4]
    expected = np.zeros(30)
    expected[[13, 16]], expected[[14, 15]] = 0.5 / 5 / 2, 0.5 / 5
    expected[[12, 17]] = 0.5 / 5 / 2
    expected[13:17] = 0.5 / 5
    np.testing.assert_allclose(floor.moving(places, 25.0, 0.2)[:, 0], expected * 25.0, atol=1e-9)
    alone = floor.moving(places, 25.0, 0.001)[:, 0]  # a window of one frame at least
    assert alone[14] == pytest.approx(0.25 * 25) and np.count_nonzero(alone > 1e-9) == 2


@pytest.mark.parametrize("count, factor", [(3, 1), (6, 1), (12, 2), (60, 10), (600, 10)])
def test_neighbouring_feet_count_less(count, factor):
    assert floor._correlated(count) == factor


def test_a_floor_seen_by_a_turned_camera_keeps_its_numbers():
    """Feet with some far off the plane, and a camera that looks aside: roll and pitch are about its axes."""
    x, z = 2 * waves(80), 1.5 * waves(80, step=1.3)
    points = np.stack([x, 0.05 * x + 0.1 * z - 1 + 0.03 * waves(80, step=2.9), z], 1)
    points[::9, 1] += 0.4
    for name, place in (("aside", [3.0, 1.0, 3.0]), ("ahead", [0.0, 0.5, 4.0])):
        camera = look_at(place, [0.0, 0.0, 0.0], CAMERA)
        found = floor.fit_floor(points, camera)
        GOLDEN.check(f"floor {name}", [*found.normal, found.offset], abs=1e-8)
    down = replace(CAMERA, R=np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, -1]]))  # its right axis is upright
    GOLDEN.check("floor of a camera on its side", floor.fit_floor(points, down).normal, abs=1e-8)


def test_a_level_floor_only_moves():
    R, t = floor.Floor(np.array([0, 1.0, 0]), -1.2).level()
    assert R.tolist() == np.eye(3).tolist() and t.tolist() == [0, 1.2, 0]
    R, t = floor.Floor(np.array([0.6, 0.8, 0]), 0.5).level()
    np.testing.assert_allclose(R @ [0.6, 0.8, 0], [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(R @ [0.3, 0.4, 7.0] + t, [0, 0, 7], atol=1e-12)


# -- placing ---------------------------------------------------------------------------------------


def test_speed_across_the_line_of_sight():
    points = np.zeros((9, 2, 3))
    points[:, 0, 0], points[:, :, 2] = 320 + 10 * np.arange(9), 1  # 10 of 500 pixels a frame, 2 m away
    points[6, 1, 2] = 0
    points[7, 1, 0] = np.nan
    speed = placing._speed_across(points, np.full(9, 2.0), CAMERA, 25.0)
    np.testing.assert_allclose(speed[2:7, 0], 10 / 500 * 2 * 25)
    assert np.isnan(speed[[6, 7], 1]).all() and np.isfinite(speed[:6]).all()
    one = placing._speed_across(points[:1], np.ones(1), CAMERA, 25.0)
    assert one.shape == (1, 2) and np.isnan(one).all()


def test_pinned_feet_keep_their_numbers():
    joints = 0.3 * waves(20, 17, 3) + [0, 1.0, -4.0]
    joints[7] = np.nan
    contacts = waves(20, 2, step=0.9) > -0.2
    camera = look_at([0.5, 1.2, 1.0], [0, 0.8, -4.0], CAMERA)
    found = placing.pin_feet(joints, contacts, camera, fps=20.0, above=0.05)
    GOLDEN.check("pinned", np.nan_to_num(found - joints), abs=1e-8)
    one = placing.pin_feet(joints[:1], contacts[:1], camera, fps=20.0)
    GOLDEN.check("pinned alone", one - joints[:1], abs=1e-8)


@pytest.mark.parametrize("height, stands", [(0.099, True), (0.101, False), (-0.099, True), (-0.101, False)])
def test_only_feet_near_the_floor_stand(monkeypatch, height, stands):
    monkeypatch.setattr(placing, "pin_feet", lambda world, *rest, **kind: world)
    world = np.zeros((3, 17, 3))
    world[:, list(H36M17_FEET), 1] = 0.07 + height + 0.5
    person = placing._Loose(world, np.ones((3, 2), bool), 1.0, 0.07, 30.0)
    placed = placing._stand(person, floor.Floor(np.array([0, 1.0, 0]), 0.5), CAMERA, H36M17_FEET)
    assert (placed.contacts == stands).all()


def test_a_placement_tells_its_way():
    way = np.array([[0.0, 1, 0], [3, 2, 4], [np.nan] * 3, [0, 0, 0], [0, 5, 1]])
    some = placing.Placement(way[:, None], way, CAMERA, np.eye(5, 2, dtype=bool), 1.0, None)
    assert repr(some) == "Placement(5 frames, walks 6.00 m, feet stand 20 %)"
    lifted = apply.Lifted(np.zeros((3, 17, 3)), np.ones(3), np.array([True, False, True]), source="x.bin")
    assert repr(lifted) == "Lifted(3 frames, 2 valid, by x.bin)"


def test_known_lengths_are_those_of_the_placed_bones(monkeypatch):
    """Bones without a known length keep their own, scaled."""
    seen = {}
    monkeypatch.setattr(
        placing, "root_trajectory", lambda joints, *a, **k: seen.update(j=joints) or np.zeros((9, 3))
    )
    joints, points = np.tile(upright(), (9, 1, 1)), np.zeros((9, 17, 3))
    lengths = np.full(17, np.nan)
    lengths[2] = 0.8
    loose = placing._place_loosely(joints, points, CAMERA, 25.0, 0.0, lengths, H36M17_PARENTS, H36M17_FEET)
    np.testing.assert_allclose(seen["j"], 2 * joints)
    found = bones.median_lengths(loose.world)
    assert loose.scale == 2.0 and found[2] == pytest.approx(0.8) and found[5] == pytest.approx(0.8)
    assert found[3] == pytest.approx(1.0) and loose.ankle == pytest.approx(0.039 * 1.8 / 0.491)
    GOLDEN.check("placed", loose.world, abs=1e-9)


class Windows:
    """A network of windows of five frames that hands the middle one through."""

    frames = 5

    def __init__(self):
        self.sizes = []

    def __call__(self, part):
        assert part.shape[1:] == (2, 5, 17, 1)
        self.sizes.append(len(part))
        return part[:, [0, 1, 1], 2:3], None


def test_each_frame_is_in_the_middle_of_its_window():
    x = torch.arange(130.0)[None, :, None, None].expand(1, 130, 17, 2)
    model = Windows()
    out = apply._run_stmo(model, x)
    assert out.shape == (1, 130, 17, 3) and out[0, :, 3, 1].tolist() == list(range(130))
    assert model.sizes == [64, 64, 2]  # so many at a time, or long clips fill the memory
