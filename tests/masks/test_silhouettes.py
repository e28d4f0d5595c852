"""Silhouettes: the parts of the chain on made-up pictures, a whole small clip, and masks from a folder."""

from dataclasses import replace

import cv2
import numba
import numpy as np
import pytest
from PIL import Image

from hvr_nb.masks import matting
from hvr_nb.masks.crf import combine, grabcut, guided_filter, mean_field
from hvr_nb.masks.flow import flow, warp_neighbours, weighted_median
from hvr_nb.masks.labels import LABEL_NAMES, from_atr, import_masks, to_atr, voc_palette, write_label_png
from hvr_nb.masks.matting import closed_form_alpha, edge_band, foreground_colours
from hvr_nb.masks.silhouettes import person_region, refine_silhouettes, segment_person
from hvr_nb.types import HvrError, Keypoints

STICK = {0: (60, 22), 1: (60, 36), 2: (50, 38), 3: (36, 55), 4: (25, 70), 5: (70, 38), 6: (84, 55),
         7: (95, 70), 8: (60, 72), 9: (54, 72), 10: (50, 98), 11: (48, 124), 12: (66, 72), 13: (70, 98),
         14: (72, 124), 15: (57, 20), 16: (63, 20), 17: (54, 22), 18: (66, 22), 19: (76, 128), 21: (70, 128),
         22: (44, 128), 24: (50, 128)}  # fmt: skip
SHAPE = (144, 120)


def stick_points(shift: float = 0.0) -> np.ndarray:
    points = np.zeros((25, 3))
    for joint, (x, y) in STICK.items():
        points[joint] = x + shift, y, 1.0
    return points


def stick_mask(shift: float = 0.0) -> np.ndarray:
    """Coverage 0..255 of a stick figure, antialiased."""
    big, p = np.zeros((SHAPE[0] * 4, SHAPE[1] * 4), np.uint8), stick_points(shift) * 4
    for a, b, width in (
        (1, 3, 8),
        (3, 4, 7),
        (1, 6, 8),
        (6, 7, 7),
        (9, 10, 12),
        (10, 11, 10),
        (12, 13, 12),
        (13, 14, 10),
        (11, 22, 8),
        (14, 19, 8),
        (0, 1, 8),
    ):
        cv2.line(
            big,
            np.rint(p[a, :2]).astype(int).tolist(),
            np.rint(p[b, :2]).astype(int).tolist(),
            255,
            4 * width,
        )
    body = np.rint(p[[2, 5, 12, 9], :2] + [[-12, -8], [12, -8], [16, 16], [-16, 16]]).astype(np.int32)
    cv2.fillConvexPoly(big, body, 255)
    cv2.circle(big, np.rint(p[0, :2]).astype(int).tolist(), 40, 255, -1)
    return cv2.resize(big, SHAPE[::-1], interpolation=cv2.INTER_AREA)


def clip(frames: int = 4, *, other: bool = False):
    """Frames, true alpha and keypoints of a stick person before noise; ``other``: somebody beside."""
    rng = np.random.default_rng(0)
    room = cv2.GaussianBlur(rng.integers(60, 200, (*SHAPE, 3)).astype(np.uint8), (0, 0), 3)
    truth = np.stack([stick_mask(1.5 * t) for t in range(frames)])
    cover = truth[..., None] / 255.0
    pictures = room * (1 - cover) + np.array([200, 40, 50]) * cover
    if other:
        pictures[:, 60:140, 2:14] = [200, 40, 50]
    points = np.stack([stick_points(1.5 * t) for t in range(frames)])
    known = points[..., 2] > 0
    boxes = np.stack([np.r_[p[k, :2].min(0), p[k, :2].max(0)] for p, k in zip(points, known, strict=True)])
    keypoints = Keypoints(points, np.zeros(known.shape, bool), np.ones(frames, bool), boxes)
    return np.rint(pictures).astype(np.uint8), truth, keypoints


def rough(truth: np.ndarray) -> np.ndarray:
    """What a coarse network makes of it: blurred, the gaps narrowed."""
    return np.stack([cv2.GaussianBlur(cv2.dilate(t, np.ones((3, 3))), (0, 0), 1.5) for t in truth])


def iou(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a > 127, b > 127
    return (a & b).sum() / (a | b).sum()


def test_chain_improves_the_silhouette_and_frees_the_edges():
    frames, truth, keypoints = clip()
    raw = rough(truth)
    keypoints.found[2] = False
    masks = refine_silhouettes(frames, keypoints, raw)
    for t in (0, 1, 3):
        assert iou(masks.alpha[t], truth[t]) > max(0.96, iou(raw[t], truth[t]) + 0.05)
    assert not masks.alpha[2].any() and not masks.foreground[2].any()  # not found: no silhouette
    gap = stick_points()[[10, 13], :2].mean(0).astype(int)  # between the knees
    assert masks.alpha[0][gap[1], gap[0]] == 0 and masks.alpha[0][72, 60] == 255
    soft = (masks.alpha[0] > 60) & (masks.alpha[0] < 200)
    assert soft.sum() > 50
    error = np.abs(masks.foreground[0][soft].astype(int) - [200, 40, 50]).mean()
    assert error < 0.5 * np.abs(frames[0][soft].astype(int) - [200, 40, 50]).mean()
    again = refine_silhouettes(frames, keypoints, raw)
    assert np.array_equal(again.alpha, masks.alpha) and np.array_equal(again.foreground, masks.foreground)


def test_somebody_else_is_dropped():
    frames, truth, keypoints = clip(2, other=True)
    raw = rough(truth)
    raw[:, 60:140, 2:14] = 255
    masks = refine_silhouettes(frames, keypoints, raw, quality="quick")
    assert not masks.alpha[:, 90:140, 2:14].any()
    assert iou(masks.alpha[0], truth[0]) > 0.9
    with pytest.raises(HvrError, match="fast"):
        refine_silhouettes(frames, keypoints, raw, quality="fast")


def test_large_frames_are_worked_on_at_limited_size(monkeypatch):
    frames, truth, keypoints = clip(1)
    monkeypatch.setattr("hvr_nb.masks.silhouettes._SIDE", {"best": 100, "quick": 60})
    alpha = refine_silhouettes(frames, keypoints, rough(truth)).alpha
    assert iou(alpha[0], truth[0]) > 0.93


def test_person_region_follows_the_skeleton():
    region = person_region(stick_points(), SHAPE, size=110)
    assert region[55, 60] == 2 and region[10, 60] == 1 and region[5, 5] == 0 and region[130, 110] == 0
    assert not person_region(np.zeros((25, 3)), SHAPE, size=110).any()


def test_hidden_legs_are_in_reach_but_not_seen():
    """Under a robe the legs are only guessed: the cloth there may be the person's, but no bone proves it."""
    points = stick_points()
    points[[10, 11, 13, 14, 19, 21, 22, 24], 2] = 0.02
    region = person_region(points, SHAPE, size=110)
    assert region[122, 48] == region[122, 60] == 1
    points[[10, 11, 13, 14, 19, 21, 22, 24]] = 0  # joints of another program: no guess
    assert person_region(points, SHAPE, size=110)[122, 48] == 0


def test_flow_and_median_find_the_moved_mask():
    rng = np.random.default_rng(1)
    image = cv2.GaussianBlur(rng.integers(0, 255, (96, 96, 3)).astype(np.uint8), (0, 0), 2)
    moved = np.roll(image, 3, axis=1)
    motion = flow(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.cvtColor(moved, cv2.COLOR_RGB2GRAY))
    np.testing.assert_allclose(np.median(motion.reshape(-1, 2), axis=0), [3, 0], atol=0.3)
    mask = np.zeros((96, 96), np.float32)
    mask[30:70, 30:70] = 1
    slip = mask.copy()
    slip[40:60, 40:60] = 0  # one frame loses a piece that its neighbours show
    later = np.roll(mask, 3, axis=1)
    values, weights = warp_neighbours([image, moved, moved], [slip, later, later], [0, 1, 1])
    settled = weighted_median(values, weights)
    assert settled[45:55, 45:55].mean() > 0.95 and settled[:20].max() < 0.05
    unlike = warp_neighbours([image, 255 - image], [slip, mask], [0, 1])[1]
    assert unlike[1].mean() < 0.2  # nothing is believed of a picture that does not match


def test_weighted_median_by_hand():
    values = np.float32([0.2, 0.9, 0.8]).reshape(3, 1, 1)
    assert weighted_median(values, np.float32([1, 1, 1]).reshape(3, 1, 1), own=1.5)[0, 0] == np.float32(0.8)
    assert weighted_median(values, np.float32([1, 0.5, 0.5]).reshape(3, 1, 1), own=1.5)[0, 0] == np.float32(
        0.2
    )


def test_guided_filter_keeps_the_guides_edge_and_flat_values():
    guide = np.zeros((40, 40), np.float32)
    guide[:, 20:] = 1
    noisy = guide + np.random.default_rng(0).normal(0, 0.2, guide.shape).astype(np.float32)
    out = guided_filter(guide, noisy[..., None], radius=4)[..., 0]
    assert np.abs(out - guide).mean() < 0.4 * np.abs(noisy - guide).mean()
    flat = guided_filter(guide, np.full((40, 40, 2), 0.3, np.float32), radius=4)
    np.testing.assert_allclose(flat, 0.3, atol=1e-5)


def test_grabcut_finds_the_coloured_square_and_needs_seeds():
    image = np.full((80, 80, 3), 90, np.uint8)
    image[20:60, 20:60] = [220, 30, 30]
    soft = cv2.GaussianBlur((image[..., 0] > 200).astype(np.float32), (0, 0), 4)
    np.testing.assert_array_equal(grabcut(image, soft) > 0.5, image[..., 0] > 200)
    nothing = np.zeros((80, 80), np.float32)
    assert grabcut(image, nothing) is nothing


def test_combine_cannot_overrule_a_sure_network():
    prob, cut = np.float32([0.99, 0.5, 0.5, 0.01]), np.float32([0, 0, 1, 1])
    nothing = np.zeros(4, np.float32)
    out = combine(prob, cut, nothing)
    assert out[0] > 0.5 and out[1] < 0.2 and out[2] > 0.8 and out[3] < 0.5
    np.testing.assert_allclose(combine(np.float32([0.3]), np.float32([0.5]), nothing[:1]), 0.3, atol=1e-6)
    seen = combine(np.float32([0.9, 0.1]), np.float32([1, 0]), np.float32([-4, 3]))  # the background is known
    assert seen[0] < 0.2 and seen[1] > 0.6  # and GrabCut says nothing there


def test_mean_field_moves_the_edge_to_the_colour_edge_only_in_the_band():
    image = np.full((60, 60, 3), 60, np.uint8)
    image[:, 30:] = [200, 160, 140]
    prob = np.tile(1 / (1 + np.exp(-(np.arange(60, dtype=np.float32) - 33) / 2)), (60, 1)).astype(np.float32)
    band = np.zeros((60, 60), bool)
    band[:, 22:42] = True
    out = mean_field(image, prob, band, radius=12)
    assert (out[5:-5, 31:] > 0.5).all() and (out[5:-5, :29] < 0.5).all()
    np.testing.assert_array_equal(out[~band], prob[~band])
    np.testing.assert_array_equal(mean_field(image, prob, np.zeros_like(band), radius=12), prob)


def test_matting_and_foreground_recover_a_known_blend():
    alpha = np.tile(np.clip((np.arange(64) - 28) / 8, 0, 1), (48, 1)).astype(np.float32)
    image = np.rint(alpha[..., None] * [220, 60, 40] + (1 - alpha[..., None]) * [40, 90, 160]).astype(
        np.uint8
    )
    prob = (alpha > 0.5).astype(np.float32)
    band = edge_band(prob, 7)
    assert band[:, 26:38].all() and not band[:, :20].any()
    solved = closed_form_alpha(image, prob, band, trust=1e-4)
    assert np.abs(solved - alpha).max() < 0.06
    assert set(np.unique(solved[~band])) == {0.0, 1.0}
    colours = foreground_colours(image, np.rint(255 * alpha).astype(np.uint8))
    strong = (alpha > 0.3) & (alpha < 1)
    assert np.abs(colours[strong].astype(int) - [220, 60, 40]).max() < 25
    np.testing.assert_array_equal(colours[alpha == 1], image[alpha == 1])
    assert not colours[alpha == 0].any()


def test_edge_free_band_is_left_alone():
    empty = np.zeros((20, 20), np.float32)
    assert not closed_form_alpha(np.zeros((20, 20, 3), np.uint8), empty, edge_band(empty, 3)).any()


# -- masks from a folder ---------------------------------------------------------------------------


def test_palette_is_vocs():
    palette = voc_palette()
    known = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128), (128, 0, 128), (0, 128, 128),
             (128, 128, 128), (64, 0, 0), (192, 0, 0), (64, 128, 0), (192, 128, 0), (64, 0, 128),
             (192, 0, 128), (64, 128, 128), (192, 128, 128), (0, 64, 0), (128, 64, 0), (0, 192, 0),
             (128, 192, 0)]  # fmt: skip
    np.testing.assert_array_equal(palette[:20], known)


def test_label_pictures_round_trip(tmp_path):
    labels = np.random.default_rng(0).integers(0, 20, (3, 12, 10)).astype(np.uint8)
    labels[:, 0, :10], labels[:, 1, :10] = np.arange(10), np.arange(10, 20)
    names = ["000004", "000005", "000006"]
    for name, image in zip(names, labels, strict=True):
        write_label_png(tmp_path / "palette" / f"{name}.png", image)
        (tmp_path / "colours").mkdir(exist_ok=True)
        Image.fromarray(voc_palette()[image]).save(tmp_path / "colours" / f"{name}.png")
        (tmp_path / "numbers").mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / "numbers" / f"{name}.png")
    assert Image.open(tmp_path / "palette" / "000004.png").mode == "P"
    for kind in ("palette", "colours", "numbers"):
        masks = import_masks(tmp_path / kind, names, (3, 12, 10))
        np.testing.assert_array_equal(masks.labels, labels)
        np.testing.assert_array_equal(masks.alpha, np.where(labels > 0, 255, 0))
        assert kind in masks.source and masks.label_set == "CIHP"
    with pytest.raises(HvrError, match="label 19"):
        import_masks(tmp_path / "palette", names, (3, 12, 10), label_set="ATR")


def test_joints_are_witnesses_of_imported_masks(tmp_path):
    """Inverted masks and those of another clip are named; joints outside the picture are not asked."""
    person = np.zeros((2, 40, 30), np.uint8)
    person[:, 8:36, 8:20] = 255
    names = ["000000", "000001"]
    for kind, masks in (("right", person), ("inverted", 255 - person), ("other", np.roll(person, 15, 2))):
        (tmp_path / kind).mkdir()
        for name, mask in zip(names, masks, strict=True):
            Image.fromarray(mask).save(tmp_path / kind / f"{name}.png")
    points = np.zeros((2, 25, 3))
    points[:, :12] = (12, 20, 0.9)
    points[:, 12:16] = (5, 20, 0.3)  # beside the person, but unsure
    points[:, 16:] = (400, -3, 0.9)  # out of the picture
    joints = Keypoints(points, np.zeros((2, 25), bool), np.ones(2, bool), np.zeros((2, 4)))
    assert import_masks(tmp_path / "right", names, person.shape, keypoints=joints).alpha.any()
    with pytest.raises(HvrError, match="only 0% of the person's joints.*inverted: white is the person"):
        import_masks(tmp_path / "inverted", names, person.shape, keypoints=joints)
    with pytest.raises(HvrError, match="only 0% .*other; do they belong to this clip"):
        import_masks(tmp_path / "other", names, person.shape, keypoints=joints)
    nobody = replace(joints, points=points * 0)
    assert import_masks(tmp_path / "inverted", names, person.shape, keypoints=nobody).alpha.any()


def test_binary_and_soft_masks(tmp_path):
    soft = np.zeros((2, 8, 6), np.uint8)
    soft[:, 2:6, 2:4], soft[:, 2, 2] = 255, 100
    for t, image in enumerate(soft):
        for kind, picture in (
            ("soft", Image.fromarray(image)),
            ("rgb", Image.fromarray(np.repeat(image[..., None], 3, 2))),
            ("ones", Image.fromarray((image > 0).astype(np.uint8))),
            ("bits", Image.fromarray(image > 127)),
            ("alpha", Image.fromarray(np.dstack([np.full((8, 6, 3), 9, np.uint8), image]))),
            ("deep", Image.fromarray(image.astype(np.uint16) * 257)),
        ):
            (tmp_path / kind).mkdir(exist_ok=True)
            picture.save(tmp_path / kind / f"frame_{t + 7}.png")
    names = ["000007", "000008"]  # matched by number
    for kind in ("soft", "rgb", "alpha", "deep"):
        masks = import_masks(tmp_path / kind, names, (2, 8, 6, 3))
        np.testing.assert_array_equal(masks.alpha, soft)
        assert masks.labels is None
    np.testing.assert_array_equal(import_masks(tmp_path / "ones", names, (2, 8, 6)).alpha, (soft > 0) * 255)
    np.testing.assert_array_equal(import_masks(tmp_path / "bits", names, (2, 8, 6)).alpha, (soft > 127) * 255)
    by_order = import_masks(tmp_path / "soft", ["a", "b"], (2, 8, 6))
    np.testing.assert_array_equal(by_order.alpha, soft)


def test_bad_mask_folders_are_named(tmp_path):
    full = np.full((8, 6), 255, np.uint8)
    for name in ("000000", "000001"):
        Image.fromarray(full).save(tmp_path / f"{name}.png")
    with pytest.raises(HvrError, match="2 mask pictures for 3 frames, none for frame 000002"):
        import_masks(tmp_path, ["000000", "000001", "000002"], (3, 8, 6))
    with pytest.raises(HvrError, match="000000.png is 6x8, the frames are 6x9"):
        import_masks(tmp_path, ["000000", "000001"], (2, 9, 6))
    Image.fromarray(full * 0).save(tmp_path / "000001.png")
    with pytest.raises(HvrError, match="000001.png is empty"):
        import_masks(tmp_path, ["000000", "000001"], (2, 8, 6))
    assert not import_masks(tmp_path, ["000000", "000001"], (2, 8, 6), allow_empty=True).alpha[1].any()
    (tmp_path / "000001.png").write_bytes(b"no picture")
    with pytest.raises(HvrError, match="000001.png is damaged"):
        import_masks(tmp_path, ["000000", "000001"], (2, 8, 6))
    with pytest.raises(HvrError, match="nowhere"):
        import_masks(tmp_path / "nowhere", ["000000"], (1, 8, 6))
    with pytest.raises(HvrError, match="PASCAL"):
        import_masks(tmp_path, ["000000"], (1, 8, 6), label_set="PASCAL")


def test_atr_tables():
    cihp, atr = LABEL_NAMES["CIHP"], LABEL_NAMES["ATR"]
    assert (len(cihp), len(LABEL_NAMES["LIP"]), len(atr)) == (20, 20, 18)
    both = [name for name in cihp if name in atr]
    assert len(both) == 16
    for name in both:
        assert to_atr(np.uint8([cihp.index(name)]))[0] == atr.index(name)
        assert from_atr(np.uint8([atr.index(name)]))[0] == cihp.index(name)
    assert to_atr(np.uint8([10]))[0] == atr.index("face")
    assert to_atr(np.uint8([10]), label_set="LIP")[0] == atr.index("dress")
    assert from_atr(np.uint8([atr.index("belt")]))[0] == cihp.index("pants")


def test_the_region_follows_limbs_out_of_the_picture():
    """Knees below the picture: with the detector's guess of them, or without one, as in imported joints."""
    points = np.zeros((25, 3))
    for joint, place in {
        1: (50, 20),
        2: (40, 22),
        5: (60, 22),
        8: (50, 70),
        9: (44, 70),
        12: (56, 70),
    }.items():
        points[joint] = [*place, 0.9]
    for guessed in (True, False):
        if guessed:
            points[[10, 13], :2] = [(42, 118), (58, 118)]
        region = person_region(points, (100, 100), size=100)
        assert (region[-1, 40:60] == 2).any() and (region[-1, 38:62] > 0).all()
        points[[10, 13], :2] = 0
    points[[10, 13], :2] = [(42, 85), (58, 85)]  # unknown inside the picture: hidden, not outside
    assert not (person_region(points, (100, 100), size=100)[-1] == 2).any()
    points[:, 1] -= 60  # hips in the middle of the picture: the knees would be inside it
    points[[10, 13]] = 0
    assert not (person_region(points, (100, 100), size=100)[-1] == 2).any()


def test_the_case_cut_at_the_knees_reaches_the_edge(shared_cases, detector):
    from hvr_nb.keypoints.follow import follow_person
    from hvr_nb.store.video import read_video

    video = read_video(shared_cases / "cut_at_knees" / "cut_at_knees.mp4", stop=12, stride=4)
    keypoints, _ = follow_person(video.frames, fps=video.fps)
    masks = segment_person(video.frames, keypoints, quality="quick")
    legs = masks.alpha[:, -3:, 225:325] > 127
    assert (legs.any(1).sum(1) > 60).all()  # both thighs, to the picture's last lines


def twice(x):
    return x + x


def test_loops_with_written_types_are_compiled_when_they_are_called():
    """A first import of pymatting compiled 40 of them, in half a minute."""
    eager = numba.njit
    with matting._compiled_when_called():
        typed, bare = numba.njit("f8(f8)", nogil=True)(twice), numba.njit(twice)
    assert typed.signatures == bare.signatures == [] and numba.njit is eager
    assert typed(2.0) == bare(2.0) == 4.0 and typed.targetoptions["nogil"]
