"""The steps between picture and masks, exact where they have a value of their own, else by golden numbers."""

import cv2
import numpy as np
import pytest
from golden import Golden

from hvr_nb.masks import colour_model, crf, detector, flow, labels, matting, parsing, silhouettes, skirts
from hvr_nb.masks.body_parts import PARTS, PartMap
from hvr_nb.masks.parsing import HAIR, LOWER, SHOE, SKIN, UPPER
from hvr_nb.types import Keypoints

GOLDEN = Golden(__file__)


def smooth_picture(seed=0, height=48, width=40):
    """An even gradient with soft blobs of colour, uint8 RGB."""
    rng = np.random.default_rng(seed)
    blobs = cv2.GaussianBlur(rng.uniform(0, 255, (height, width, 3)).astype(np.float32), (0, 0), 3)
    blobs = (blobs - blobs.mean()) * 6 + 128 + np.linspace(-40, 40, width)[None, :, None]
    return np.clip(blobs, 0, 255).astype(np.uint8)


def soft_disc(height=48, width=40, radius=13.0, soft=4.0):
    y, x = np.mgrid[:height, :width] + 0.5
    away = np.hypot(x - width / 2, y - height / 2)
    return np.clip((radius - away) / soft + 0.5, 0, 1).astype(np.float32)


def some_parts(count=400, seed=0, mixed=0.15) -> PartMap:
    rng = np.random.default_rng(seed)
    share = rng.dirichlet(np.full(16, mixed), count).astype(np.float32)
    return PartMap(
        share,
        rng.random((count, 16)).astype(np.float32),
        (rng.random(count) ** 3).astype(np.float32),
        rng.uniform(-2, 1.5, count).astype(np.float32),
    )


# -- edges -----------------------------------------------------------------------------------------


def test_guided_coefficients_are_the_local_linear_fit():
    """At an inner pixel: least squares over the window, with eps, then averaged."""
    guide, values = (
        soft_disc(20, 20),
        np.dstack([soft_disc(20, 20, 6.0), smooth_picture(1, 20, 20)[..., 0] / 255]),
    )
    slope, offset = crf.guided_coefficients(guide, values.astype(np.float32), radius=2, eps=1e-3)

    def fit(y, x, c):
        g, v = (a[y - 2 : y + 3, x - 2 : x + 3].ravel().astype(float) for a in (guide, values[..., c]))
        a = ((g * v).mean() - g.mean() * v.mean()) / (g.var() + 1e-3)
        return a, v.mean() - a * g.mean()

    for c in (0, 1):
        window = [fit(y, x, c) for y in range(7, 12) for x in range(8, 13)]
        np.testing.assert_allclose([slope[9, 10, c], offset[9, 10, c]], np.mean(window, 0), atol=2e-4)
    GOLDEN.check("guided filter", crf.guided_filter(guide, values.astype(np.float32), radius=3), abs=1e-5)


def test_the_sunflower_spreads_over_a_disc_without_its_centre():
    offsets = crf._sunflower(60, 12.0)
    away = np.hypot(*offsets.T)
    assert 2 < away.min() < 3 and 11 < away.max() <= 12.5 and len(offsets) > 55
    assert np.abs(offsets.mean(0)).max() < 0.5
    for reach in (5.0, 8.0, 10.0):  # as dense near the middle as outside
        assert (away < reach).sum() / 60 == pytest.approx(((reach - 1) / 11) ** 2, abs=0.1)
    GOLDEN.check("sunflower", offsets)


def test_grabcut_and_mean_field_keep_their_numbers():
    image, prob = smooth_picture(), soft_disc()
    image[prob > 0.7] = image[prob > 0.7] // 2 + np.uint8([90, 20, 10])
    GOLDEN.check("grabcut", crf.grabcut(image, prob), abs=4e-3)
    GOLDEN.check("grabcut of a reduced image", crf.grabcut(image, prob, max_side=30), abs=4e-3)
    GOLDEN.check("combine", crf.combine(prob, (prob > 0.3).astype(np.float32), np.zeros_like(prob)))
    band = (prob > 0.05) & (prob < 0.95)
    GOLDEN.check("mean field", crf.mean_field(image, prob, band, radius=9.0), abs=1e-5)
    with pytest.MonkeyPatch.context() as patch:  # the largest side that is not reduced
        sizes, resize = [], cv2.resize
        patch.setattr(cv2, "resize", lambda a, size, **how: sizes.append(size) or resize(a, size, **how))
        for side in (512, 513):
            crf.grabcut(np.zeros((side, 60, 3), np.uint8), np.zeros((side, 60), np.float32))
    assert sizes[::2] == [(60, 512), (60, 512)]


def test_edge_bands_and_alpha_keep_their_numbers():
    image, prob = smooth_picture(2), soft_disc()
    band = matting.edge_band(prob, 2)
    GOLDEN.check("edge band", band)
    GOLDEN.check("edge band of a sharp edge", matting.edge_band((prob > 0.5).astype(np.float32), 3))
    GOLDEN.check("alpha", matting.closed_form_alpha(image, prob, band), abs=1e-4)
    cut = np.where(np.arange(48)[:, None] < 30, prob, 0)  # a band at the border of the picture
    GOLDEN.check(
        "alpha at a border", matting.closed_form_alpha(image, cut, matting.edge_band(cut, 9)), abs=1e-4
    )
    alpha = np.rint(255 * prob).astype(np.uint8)
    GOLDEN.check("foreground", matting.foreground_colours(image, alpha), abs=0.02)


def test_an_undecided_pixel_is_in_the_band():
    prob = np.zeros((9, 9), np.float32)
    prob[0, 0], prob[0, 8], prob[8, 0], prob[8, 8] = 0.1, 0.11, 0.89, 0.9
    band = matting.edge_band(prob, 1)
    assert band[0, 8] and not band[0, 0] and not band[4, 4]
    assert band[7:, 0].all() and band[8, 7] and band[8, 8]  # beside an edge
    assert not matting.edge_band(np.ones((9, 9), np.float32), 3).any()  # the border is no edge


def test_foreground_colours_stay_in_range():
    """White on black and black on white: what is left over at the edge is neither beyond 255 nor under 0."""
    alpha = np.tile(np.uint8([0, 0, 60, 120, 180, 255, 255]), (9, 6))
    for person in (255, 0):
        image = np.full((9, 42, 3), 255 - person, np.uint8)
        image[alpha > 0] = person
        found = matting.foreground_colours(image, alpha)
        assert (found[alpha > 0] == person).all() and not found[alpha == 0].any()


def test_warped_neighbours_keep_their_numbers():
    image, moved = smooth_picture(3, 64, 56), np.roll(smooth_picture(3, 64, 56), 2, axis=1)
    masks = [soft_disc(64, 56), np.roll(soft_disc(64, 56), 2, axis=1), soft_disc(64, 56, 9.0)]
    values, weights = flow.warp_neighbours([image, moved, image], masks, [0, 1, 2])
    assert (weights[0] == 1).all() and weights[2][20:40, 20:40] == pytest.approx(0.5, abs=1e-3)
    GOLDEN.check("warped masks", values, abs=2e-3)
    GOLDEN.check("weights of warped pictures", weights, abs=5e-3)
    GOLDEN.check("settled", flow.weighted_median(values, weights), abs=2e-3)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    large = cv2.resize(grey, (560, 640), interpolation=cv2.INTER_CUBIC)  # estimated at 384 pixels
    motion = flow.flow(large, np.roll(large, (6, 9), axis=(0, 1)))
    np.testing.assert_allclose(np.median(motion[60:-60, 60:-60].reshape(-1, 2), 0), [9, 6], atol=0.4)


# -- where the person is ---------------------------------------------------------------------------


def points_of(**joints) -> np.ndarray:
    points = np.zeros((25, 3))
    for name, value in joints.items():
        points[int(name[1:])] = value if len(value) == 3 else (*value, 0.9)
    return points


def as_keypoints(*frames) -> Keypoints:
    points = np.stack(frames)
    return Keypoints(
        points, np.zeros(points.shape[:2], bool), np.ones(len(points), bool), np.zeros((len(points), 4))
    )


def test_the_size_of_the_person_is_the_longer_side_but_not_a_moments():
    tall, wide = points_of(j1=(10, 10), j8=(40, 110)), points_of(j1=(10, 10), j8=(90, 30))
    small, one = points_of(j1=(10, 10), j8=(20, 40)), points_of(j1=(3, 3), j8=(99, 99, 0.2))
    keypoints = as_keypoints(tall, wide, small, one, tall * 9)
    keypoints.found[4] = False
    np.testing.assert_allclose(silhouettes.body_size(keypoints), [100, 80, 56, 80, 80])
    assert silhouettes.body_size(as_keypoints(one, one)).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("before", "joint", "after"),
    [(9, 10, 0), (12, 13, 0), (10, 11, 9), (13, 14, 12), (2, 3, 0), (5, 6, 0), (3, 4, 2), (6, 7, 5)],
)
def test_limbs_that_leave_the_picture_go_on(before, joint, after):
    """In the direction of the bone before, or as far as the trunk is long; only out of the picture."""
    points = points_of(j1=(50, 20), j8=(50, 70))
    points[before] = (44, 80, 0.8)
    if after:
        points[after] = (34, 60, 0.9)
    reached = (54, 100, 0.8) if after else (44, 130, 0.8)
    assert silhouettes._with_limbs_outside(points, (100, 100))[joint] == pytest.approx(reached)
    assert (silhouettes._with_limbs_outside(points, (140, 100))[joint] == 0).all()  # would be inside: unknown
    points[joint] = (-3, 50, 0.05)  # the detector's guess
    assert silhouettes._with_limbs_outside(points, (140, 100))[joint] == pytest.approx((-3, 50, 0.8))
    points[joint] = (3, 50, 0.5)
    assert (silhouettes._with_limbs_outside(points, (90, 100))[joint] == points[joint]).all()
    points[joint], points[before, 2] = 0, 0.1
    assert (silhouettes._with_limbs_outside(points, (90, 100))[joint] == 0).all()


def test_the_region_and_the_crop_around_the_person():
    points = points_of(
        j0=(60, 22), j1=(60, 36), j8=(60, 72), j12=(66, 72), j13=(70, 98), j14=(72, 124), j15=(57, 20)
    )
    region = silhouettes.person_region(points, (144, 120), size=110)
    assert set(np.unique(region)) == {0, 1, 2}
    column = region[55]  # beside the trunk: 4 pixels of bone, then 0.14 of the size
    bone, near = np.flatnonzero(column == 2), np.flatnonzero(column)
    assert bone.tolist() == [58, 59, 60, 61, 62]
    assert bone[0] - near[0] == pytest.approx(0.14 * 110, abs=1.5)
    head = np.flatnonzero(region[:, 58])[0]
    assert 21 - head == pytest.approx(0.2 * 110, abs=1.5)
    GOLDEN.check("region", region, abs=1e-3)
    whole = {f"j{k}": (30 + 13 * (k % 5) + k, 15 + 5 * k) for k in range(25)}
    GOLDEN.check(
        "region of all bones", silhouettes.person_region(points_of(**whole), (160, 130), size=60), abs=1e-3
    )
    raw = np.zeros((144, 120), np.uint8)
    raw[30:100, 55:66], raw[5, 5] = 26, 255
    assert silhouettes._crop(raw, region, margin=11.4) == (slice(19, 111), slice(44, 77))
    assert silhouettes._crop(raw, region, margin=3) == (slice(22, 108), slice(47, 74))
    assert silhouettes._crop(raw, region, margin=400) == (slice(0, 144), slice(0, 120))
    assert silhouettes._crop(raw // 26 * 25, region, margin=3) is None


def test_pieces_that_the_skeleton_does_not_touch_are_dropped():
    prob, bones = np.zeros((40, 60), np.float32), np.zeros((40, 60), bool)
    prob[5:35, 5:15], prob[5:35, 30:40], prob[20, 20:44] = 0.9, 0.8, 0.4
    bones[10:20, 8] = True
    kept = silhouettes._followed(prob, bones)
    assert (kept[5:35, 5:15] == np.float32(0.9)).all() and not kept[:, 26:44].any()
    assert (kept[20, 20:26] == np.float32(0.4)).all()  # the fringe of what is dropped is four pixels wide
    np.testing.assert_array_equal(silhouettes._followed(prob, bones & False), prob)


def test_the_kept_piece_keeps_its_edge_beside_a_dropped_one():
    prob, bones = np.zeros((40, 60), np.float32), np.zeros((40, 60), bool)
    prob[5:35, 5:15], prob[5:35, 17:27] = 0.9, 0.8
    bones[10:20, 8] = True
    kept = silhouettes._followed(prob, bones)
    assert (kept[5:35, 5:15] == np.float32(0.9)).all() and not kept[:, 15:].any()


def test_a_piece_in_reach_that_no_bone_touches_is_dropped():
    frames, prob = np.full((1, 120, 90, 3), 60, np.uint8), np.zeros((1, 120, 90), np.uint8)
    for column in (slice(30, 46), slice(56, 64)):
        frames[:, 20:100, column], prob[:, 20:100, column] = (200, 60, 40), 255
    keypoints = as_keypoints(points_of(j1=(38, 25), j8=(38, 60), j9=(36, 60), j10=(36, 80), j11=(36, 98)))
    alpha = silhouettes.refine_silhouettes(frames, keypoints, prob, quality="quick").alpha[0]
    assert silhouettes.person_region(keypoints.points[0], (120, 90), size=73)[50, 48] == 1
    assert alpha[40:80, 32:44].min() > 200 and alpha[:, 57:].max() < 20


def test_the_window_of_a_frame_holds_its_neighbours():
    frames = np.zeros((6, 40, 30, 3), np.uint8) + np.arange(6, dtype=np.uint8)[:, None, None, None]
    masks = np.full((6, 40, 30), 51, np.uint8)
    masks[1] = 0  # nobody there
    box = slice(0, 40), slice(5, 25)
    window = list(silhouettes._window(frames, masks, 2, box, 20))
    assert [int(image[0, 0, 0]) for image, _, _ in window] == [2, 0, 3, 4]
    assert [away for _, _, away in window] == [0, 2, 1, 2]
    assert window[0][0].shape == (20, 10, 3) and window[0][1] == pytest.approx(0.2)
    assert list(silhouettes._window(frames, masks, 2, box, 400))[0][0].shape == (40, 20, 3)
    assert list(silhouettes._window(frames, masks, 2, box, 2))[0][0].shape == (8, 8, 3)


def test_the_detectors_region_stands_on_the_hips():
    """Imported joints: around the middle of the hips, along the trunk, 2.8 times the farthest joint."""
    points = np.zeros((25, 3))
    for joint, place in {9: (40, 60), 12: (60, 60), 2: (45, 20), 5: (55, 20), 11: (50, 140)}.items():
        points[joint] = *place, 0.9
    hips, shoulders = (9, 12), (2, 5)
    x, y, side, angle = detector._roi_around(points, hips, shoulders, ignore_unknown=True)
    assert (x, y) == pytest.approx((50, 60)) and angle == pytest.approx(0) and side == pytest.approx(2.8 * 80)
    tilted = points.copy()
    tilted[[2, 5], 0] += 40
    assert detector._roi_around(tilted, hips, shoulders, ignore_unknown=True)[3] == pytest.approx(np.pi / 4)
    points[2] = 0  # the trunk is not whole: the middle of what is known
    x, y, side, angle = detector._roi_around(points, hips, shoulders, ignore_unknown=True)
    assert (x, y) == pytest.approx((50, 80)) and angle == pytest.approx(0)
    assert side == pytest.approx(2.8 * np.hypot(5, 60))
    guessed = np.full((33, 3), 50.0)  # landmarks: every one counts, also one without confidence
    guessed[[23, 24], :2], guessed[[11, 12], :2], guessed[0] = (50, 60), (50, 20), (50, 160, 0)
    assert detector._roi_around(guessed, (23, 24), (11, 12), ignore_unknown=False)[2] == pytest.approx(280)


@pytest.mark.parametrize("landmarks", [False, True])
def test_the_detectors_masks_are_means_of_two_passes_about_the_right_joints(monkeypatch, landmarks):
    calls = []

    def find_pose(image, roi, *, mirrored):
        calls.append((roi, mirrored))
        return type("Pose", (), {"mask": np.full((256, 256), 0.6 if mirrored else 0.2, np.float32)})

    monkeypatch.setattr(detector, "find_pose", find_pose)
    joints = np.zeros((2, 33 if landmarks else 25, 4 if landmarks else 3))
    trunk = (23, 24, 11, 12) if landmarks else (9, 12, 2, 5)
    joints[:, trunk, :2] = (45, 60), (55, 60), (45, 30), (55, 30)
    joints[..., 2:] = 1
    joints[:, [k for k in range(joints.shape[1]) if k not in trunk], :2] = 50, 50
    points = joints[..., :3] if not landmarks else np.zeros((2, 25, 3))
    keypoints = as_keypoints(*points)
    if landmarks:
        keypoints = Keypoints(points, keypoints.filled, keypoints.found, keypoints.boxes, landmarks=joints)
    keypoints.found[1] = False
    masks = detector.person_masks(np.zeros((2, 100, 100, 3), np.uint8), keypoints)
    assert [m for _, m in calls] == [False, True] and calls[0][0][:2] == pytest.approx((50, 60))
    assert calls[0][0][2] == pytest.approx(2.8 * np.hypot(5, 30)) and calls[0][0][3] == pytest.approx(0)
    assert masks[0, 60, 50] == pytest.approx(0.4) and not masks[1].any() and masks.dtype == np.float32


# -- labels ----------------------------------------------------------------------------------------


def test_priors_and_seeds_keep_their_numbers():
    parts, table = some_parts(), parsing._table()
    np.testing.assert_allclose(table.sum(2), 1)
    first = (0.93 * 11 + 0.60) / 12  # a shirt in the first of six bins from shoulders to hips
    assert table[2, 0, UPPER] == pytest.approx((first + 0.002) / 1.01)
    GOLDEN.check("prior table", table)
    GOLDEN.check("prior", parsing._prior(parts, table))
    GOLDEN.check("seeds", parsing._seeds(parts))
    posterior = np.random.default_rng(1).dirichlet(np.ones(5), 400)
    GOLDEN.check("learned table", parsing._learn_table(parts, posterior, table))
    colours = np.random.default_rng(2).standard_t(3, (400, 3))
    near = parsing._near_median(colours, np.arange(400) % 3)
    assert 0.8 < near.mean() < 1 and (parsing._near_median(colours, np.zeros(400)) == 1).all()
    GOLDEN.check("near the median", near)


def test_a_surface_that_was_never_seen_is_nowhere():
    rng = np.random.default_rng(0)
    colours, prior = rng.normal(100, 20, (300, 3)), rng.dirichlet(np.ones(5), 300)
    mixtures = [colour_model.fit_mixture(colours + 9 * c, np.ones(300), 2, rng=rng) for c in range(5)]
    GOLDEN.check("posterior", parsing._posterior(colours, prior, mixtures), rel=1e-3)
    mixtures[SHOE] = None
    assert parsing._posterior(colours, prior, mixtures)[:, SHOE].max() < 1e-4


def test_learning_keeps_its_numbers():
    rng = np.random.default_rng(5)
    parts = some_parts(2900, seed=3, mixed=0.04)
    truth = parsing._prior(parts, parsing._table()).argmax(1)
    means = np.array([[20, 128, 128], [90, 150, 150], [60, 120, 80], [40, 110, 140], [10, 128, 126]])
    colours = means[truth] + rng.normal(0, 4, (2900, 3))
    view = parsing._View((slice(0), slice(0)), np.ones((1, 1), bool), None, colours.astype(np.float32), parts)
    mixtures, table = parsing._learn([view, view], np.random.default_rng(0))
    GOLDEN.check("learned prior", table, rel=1e-3, abs=1e-4)
    for c in (HAIR, SKIN, UPPER, LOWER, SHOE):
        GOLDEN.check(f"learned colours {c}", mixtures[c].density(colours[:300]), rel=0.02, abs=1e-9)


def test_people_are_parsed_at_a_limited_size():
    keypoints = as_keypoints(points_of(j1=(30, 30), j8=(30, 90)))
    for factor, shape in ((1, (70, 40)), (8, (256, 146))):
        alpha = np.zeros((100 * factor, 60 * factor), np.uint8)
        alpha[20 * factor : 90 * factor, 10 * factor : 50 * factor] = 255
        view = parsing._view(np.zeros((*alpha.shape, 3), np.uint8), alpha, keypoints, 0, 60.0)
        assert view.inside.shape == shape and view.box == (
            slice(20 * factor, 90 * factor),
            slice(10 * factor, 50 * factor),
        )
        assert len(view.colours) == view.inside.sum() == len(view.parts.face)


@pytest.mark.parametrize(
    ("picture", "values", "coloured"),
    [
        (np.uint8([[[9, 9, 9], [200, 200, 200]]]), [[9, 200]], False),  # grey
        (np.uint8([[[128, 0, 0], [0, 0, 0]]]), [[1, 0]], True),
        (np.uint8([[[128, 0, 1], [0, 0, 0]]]), [[128, 0]], False),  # no colour of the palette
        (np.uint8([[7, 8]]), [[7, 8]], False),
    ],
)
def test_colours_of_the_palette_are_labels(picture, values, coloured):
    found, flag = labels._from_rgb(picture)
    assert found.tolist() == values and flag is coloured


def test_opaque_pictures_and_labels_of_one_number(tmp_path):
    from PIL import Image

    image = np.zeros((2, 3, 4), np.uint8)
    image[..., 3], image[0, 0, :3] = 255, 200
    Image.fromarray(image).save(tmp_path / "a.png")
    assert labels._open(tmp_path / "a.png")[0].tolist() == [[200, 0, 0], [0, 0, 0]]
    image[1, 1, 3] = 254
    Image.fromarray(image).save(tmp_path / "a.png")
    assert labels._open(tmp_path / "a.png")[0].tolist() == [[255, 255, 255], [255, 254, 255]]
    empty, ones = np.zeros((2, 2, 2), np.uint8), np.ones((2, 2, 2), np.uint8)
    yes, no = np.ones(2, bool), np.zeros(2, bool)
    assert labels._are_labels(ones, yes) and not labels._are_labels(empty, yes)
    assert not labels._are_labels(ones, no) and labels._are_labels(
        np.stack([ones[0], 5 * np.eye(2, dtype=np.uint8)]), no
    )
    half = np.stack([ones[0], empty[0]])
    assert labels._are_labels(half, np.array([True, False])) and not labels._are_labels(ones * 30, no)


def test_numbers_tell_the_side_and_the_bare_part():
    parts = np.eye(16, dtype=np.float32)[None]
    assert set(parsing._numbers(UPPER, parts)[0]) == {5} and set(parsing._numbers(LOWER, parts)[0]) == {9}
    assert set(parsing._numbers(HAIR, parts)[0]) == {2}
    for part, skin, shoe in zip(
        PARTS, parsing._numbers(SKIN, parts)[0], parsing._numbers(SHOE, parts)[0], strict=True
    ):
        name = labels.LABEL_NAMES["CIHP"][skin]
        side = part.split()[0]
        if side in ("left", "right"):
            limb = "leg" if part.split()[1] in ("thigh", "shin", "foot") else "arm"
            assert name == f"{side} {limb}"
            if limb == "leg":
                assert labels.LABEL_NAMES["CIHP"][shoe] == f"{side} shoe"
        else:
            assert name == ("face" if part == "head" else "torso skin")


def test_filling_reaches_two_pixels_outwards():
    inside = np.zeros((9, 9), bool)
    inside[4, 4] = True
    filled = parsing._fill(np.full((9, 9, 2), 0.7, np.float32), inside)[..., 0]
    np.testing.assert_allclose(filled[2:7, 2:7], 0.7, atol=1e-4)
    assert not filled[1].any() and not filled[:, 7].any()


def test_smoothing_follows_the_picture():
    image, inside = smooth_picture(4), soft_disc() > 0.2
    view = parsing._View((slice(0), slice(0)), inside, image, None, None)
    posterior = np.random.default_rng(0).dirichlet(np.ones(5), int(inside.sum()))
    belief = parsing._smooth(view, posterior)
    np.testing.assert_allclose(belief[inside].sum(-1), 1, atol=1e-5)
    GOLDEN.check("smoothed", belief, abs=1e-5)


def test_mixtures_keep_their_numbers():
    rng = np.random.default_rng(0)
    data = np.concatenate([rng.normal(m, s, (200, 3)) for m, s in ((20, 3), (90, 8), (140, 5))])
    weights = rng.random(600)
    mixture = colour_model.fit_mixture(data, weights, 3, rng=np.random.default_rng(1))
    for name in ("share", "mean", "inverse"):
        GOLDEN.check(f"mixture {name}", np.sort(getattr(mixture, name), axis=0), rel=1e-4)
    GOLDEN.check("density", 1e6 * mixture.density(data), rel=1e-4)
    first = colour_model._first(data, weights, 3, np.random.default_rng(1))
    GOLDEN.check("first centres", first.mean, rel=1e-4)
    spread = ((data - np.average(data, axis=0, weights=weights)) ** 2).mean(1)
    assert first.inverse[0, 0, 0] ** -2 == pytest.approx(np.average(spread, weights=weights) / 4)
    assert colour_model.fit_mixture(data, weights * 0, 3, rng=rng) is None
    enough = np.full(600, 36.0 / 600 + 1e-9)
    assert colour_model.fit_mixture(data, enough, 3, rng=rng) is not None
    assert colour_model.fit_mixture(data, enough - 1e-6, 3, rng=rng) is None


def test_labels_at_points_and_points_along_legs():
    image = np.arange(12, dtype=np.uint8).reshape(1, 3, 4) + 1
    at = np.array([[[0.0, 0], [3.9, 2.9], [1.2, 1.8], [-0.1, 1], [4, 1], [1, -0.1], [1, 3], [np.nan, 1]]])
    assert skirts._at(image, at).tolist() == [[1, 12, 6, 0, 0, 0, 0, 0]]
    points = points_of(
        j9=(40, 100), j10=(42, 150), j11=(38, 200), j12=(60, 100), j13=(61, 150), j14=(66, 200)
    )
    bent = points.copy()
    bent[11, :2] = 42, 170  # the shin points to the camera
    unsure = points.copy()
    unsure[13, 2] = 0.2
    right, left, known = skirts._legs(as_keypoints(points, bent, unsure), np.full(3, 200.0))
    places = skirts._PLACES
    np.testing.assert_allclose(right[0, :, 1], 100 + 50 * places)
    np.testing.assert_allclose(left[0, :, 0], np.interp(places, [0, 1, 2], [60, 61, 66]))
    assert (
        known[0].all()
        and known[1][places < 1].all()
        and not known[1][places >= 1].any()
        and not known[2].any()
    )


def test_histograms_of_colour_are_smooth_distributions():
    colours = np.random.default_rng(0).normal((60, 120, 140), (15, 8, 8), (500, 3))
    histogram = skirts.colour_histogram(colours)
    assert histogram.shape == (14, 32, 32) and histogram.sum() == pytest.approx(1)
    GOLDEN.check("histogram", 1e3 * histogram)
    assert not skirts.colour_histogram(np.zeros((0, 3))).any()


@pytest.mark.parametrize("covered", [4, 5])
def test_a_skirt_covers_most_of_the_gap(covered):
    """At least 65 per cent of it: five of the seven points across, not four."""
    places, labels_ = np.zeros((4, 25, 3)), np.zeros((4, 240, 200), np.uint8)
    for side, joints in ((-1, (9, 10, 11)), (1, (12, 13, 14))):
        for u, joint in enumerate(joints):
            places[:, joint] = 100 + 20 * side, 40 + 80 * u, 1.0
        labels_[:, 40:196, 100 + 20 * side - 5 : 100 + 20 * side + 6] = 9
    labels_[:, 40:196, 90:111] = 9
    labels_[:, 40:196, 93 : 93 + 2 * (7 - covered)] = 0  # the seven points are two pixels apart
    keypoints = Keypoints(places, np.zeros((4, 25), bool), np.ones(4, bool), np.zeros((4, 4)))
    assert skirts.covers_gap(labels_, keypoints, np.full(4, 200.0), cloth=9) is (covered == 5)
