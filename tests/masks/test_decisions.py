"""Decisions of segmentation and parsing at their edges, against values worked out by hand."""

import cv2
import numpy as np
import pytest

from hvr_nb.masks import crf, flow, labels, matting, parsing, silhouettes, skirts
from hvr_nb.masks.body_parts import PARTS, PartMap
from hvr_nb.masks.colour_model import Mixture
from hvr_nb.masks.parsing import HAIR, LOWER, SHOE, SKIN, UPPER
from hvr_nb.types import HvrError, Keypoints, Masks


def seeds_of(monkeypatch, soft):
    """The seeds that GrabCut gets for a soft mask, None where it is not asked."""
    kept = []
    monkeypatch.setattr(cv2, "grabCut", lambda image, seeds, *rest: kept.append(seeds.copy()))
    image = np.zeros((*soft.shape, 3), np.uint8)
    out = crf.grabcut(image, soft)
    assert kept or out is soft
    return kept[0] if kept else None


def test_grabcut_is_sure_inside_and_far_outside(monkeypatch):
    """200 pixels high: two pixels inside the edge are the person, more than four outside are not."""
    soft = np.zeros((200, 120), np.float32)
    soft[60:140, 40:80] = 1
    seeds = seeds_of(monkeypatch, soft)
    no, yes, perhaps_no, perhaps = cv2.GC_BGD, cv2.GC_FGD, cv2.GC_PR_BGD, cv2.GC_PR_FGD
    row = (
        [no] * 36
        + [perhaps_no] * 4
        + [perhaps] * 2
        + [yes] * 36
        + [perhaps] * 2
        + [perhaps_no] * 4
        + [no] * 36
    )
    assert seeds[100].tolist() == row
    assert seeds[55:65, 60].tolist() == [no] + [perhaps_no] * 4 + [perhaps] * 2 + [yes] * 3
    assert seeds[57, 37] == perhaps_no and seeds[56, 38] == no  # the outer reach is round


def test_grabcut_asks_for_sure_pixels_of_both_kinds(monkeypatch):
    for inside, outside, asked in ((0.91, 0.09, True), (0.9, 0.0, False), (1.0, 0.1, False)):
        soft = np.full((60, 40), outside, np.float32)
        soft[20:40, 10:30] = inside
        assert (seeds_of(monkeypatch, soft) is not None) == asked
    soft = np.zeros((60, 40), np.float32)  # two pixels at least in a small picture
    soft[20:40, 10:30], soft[20:40, 10] = 1, 0.5
    row = seeds_of(monkeypatch, soft)[30, :14].tolist()
    assert row == [cv2.GC_BGD] * 8 + [cv2.GC_PR_BGD] * 3 + [cv2.GC_PR_FGD] + [cv2.GC_FGD] * 2


@pytest.mark.parametrize("rounds", [1, 5])
def test_mean_field_of_one_pixel_has_a_closed_form(rounds):
    """Grey everywhere, all others surely the person: the message is the share of the weights."""
    prob, band = np.ones((61, 61), np.float32), np.zeros((61, 61), bool)
    prob[30, 30], band[30, 30] = 0.2, True
    image = np.full((61, 61, 3), 90, np.uint8)
    offsets = crf._sunflower(64, 12.0)
    total = np.exp(-(offsets**2).sum(1) / (2 * 6.0**2)).sum()
    expected = 0.7 * np.log(0.2 / 0.8) + 3.0 * total / (total + 0.05 * len(offsets))
    found = crf.mean_field(image, prob, band, radius=12.0, rounds=rounds)
    assert found[30, 30] == pytest.approx(1 / (1 + np.exp(-expected)), abs=1e-5)
    assert (np.delete(found.ravel(), 30 * 61 + 30) == 1).all()


@pytest.mark.parametrize("cut, odds", [(1.0, np.exp(2)), (0.0, np.exp(-2)), (0.5, 1.0)])
def test_the_vote_of_grabcut_is_added_to_the_log_odds(cut, odds):
    found = crf.combine(np.array([[0.5, 0.75, 0.0, 1.0]]), np.full((1, 4), cut), np.zeros((1, 4)))
    both = odds * np.array([1, 3, 0.02 / 0.98, 0.98 / 0.02])
    np.testing.assert_allclose(found[0], both / (1 + both), rtol=1e-6)


@pytest.mark.parametrize("side, band, reach, last", [(480, 10, 24.0, 2), (240, 5, 12.0, 1), (48, 1, 2.4, 1)])
def test_bands_grow_with_the_crop(monkeypatch, side, band, reach, last):
    """A crop of 480 pixels has a band of 10, a reach of 24 and an edge of 2 pixels to matte."""
    radii, reaches, soft = [], [], np.ones((side, side // 2), np.float32)
    monkeypatch.setattr(silhouettes, "warp_neighbours", lambda *a: (soft[None], soft[None]))
    monkeypatch.setattr(silhouettes, "grabcut", lambda image, prob: prob)
    monkeypatch.setattr(silhouettes, "edge_band", lambda prob, radius: radii.append(radius))
    monkeypatch.setattr(
        silhouettes, "mean_field", lambda image, prob, band, *, radius: reaches.append(radius) or prob
    )
    monkeypatch.setattr(silhouettes, "closed_form_alpha", lambda image, prob, band, *, trust: prob)
    frames, raw = np.zeros((1, side, side // 2, 3), np.uint8), np.full((1, side, side // 2), 255, np.uint8)
    region = np.full((side, side // 2), 2, np.uint8)
    silhouettes._refine(frames, raw, 0, (slice(None), slice(None)), region, 768, None)
    assert radii == [band, last] and reaches == [pytest.approx(reach)]


@pytest.mark.parametrize("share, one", [(0.90, False), (0.88, True)])
def test_one_cloth_by_the_overlap_of_colours(share, one):
    """Two colours, half and half against ``share``: sqrt(.5 s) + sqrt(.5 (1 - s)) is 0.894, 0.908."""
    rows = np.zeros((100, 20, 3), np.uint8)
    labels = np.repeat(np.uint8([5, 9]), 50)[None, :, None].repeat(20, 2)
    rows[:25], rows[50 : 50 + round(50 * share)] = 255, 255
    assert skirts.same_cloth(rows[None], labels, 5, 9) is one


def skin_everywhere(share):
    """Four pixels of the trunk and the left forearm, all in the colour of skin."""
    shares = np.zeros((4, len(PARTS)), np.float32)
    shares[:, PARTS.index("torso")], shares[:, PARTS.index("left forearm")] = share, 1 - share
    parts = PartMap(
        shares, np.full((4, 16), 0.5, np.float32), np.zeros(4, np.float32), np.zeros(4, np.float32)
    )
    inside = np.ones((2, 2), bool)
    view = parsing._View((slice(0), slice(0)), inside, np.zeros((2, 2, 3), np.uint8), np.zeros((4, 3)), parts)
    mixtures = [None] * 5
    mixtures[SKIN] = Mixture(np.ones(1), np.zeros((1, 3)), np.eye(3)[None])
    return parsing._label(view, mixtures, parsing._table(), np.ones((4, 4), bool))


def test_bare_skin_before_the_trunk_is_an_arm_rather_than_a_chest():
    """The trunk counts a fifth. Skin on either part at the middle of its bone, with 0.002 added to each of
    the five: torso 0.041, forearm 0.6125 in the bins from the middle on."""
    kinds = list(parsing._PRIOR)
    torso, forearm = (
        (np.array(parsing._PRIOR[kind])[:, SKIN] @ [1 - 3.5 / 6, 3.5 / 6] + 0.002)
        / (np.array(parsing._PRIOR[kind]).sum(1) @ [1 - 3.5 / 6, 3.5 / 6] + 0.01)
        + 1e-3
        for kind in ("torso", "forearm")
    )
    assert kinds.index("torso") == 2
    even = forearm / (forearm + 0.2 * torso)
    assert set(skin_everywhere(even + 0.002).ravel()) == {10}
    assert set(skin_everywhere(even - 0.002).ravel()) == {14}


def test_more_than_fifty_pixels_are_parsed(monkeypatch):
    looked = []
    monkeypatch.setattr(parsing, "_view", lambda frame, alpha, keypoints, t, size: looked.append(t))
    monkeypatch.setattr(parsing, "_learn", lambda views, rng: 1 / 0)
    alpha = np.zeros((4, 20, 20), np.uint8)
    alpha[0, :5, :10] = alpha[1, :5, :10] = alpha[3, :6, :10] = 128
    alpha[1, 5, 0], alpha[2] = 128, 127
    keypoints = Keypoints(
        np.zeros((4, 25, 3)), np.zeros((4, 25), bool), np.array([1, 1, 1, 0], bool), np.zeros((4, 4))
    )
    with pytest.raises(ZeroDivisionError):
        parsing.parse_person(np.zeros((4, 20, 20, 3), np.uint8), Masks(alpha), keypoints)
    assert looked == [1]


# -- neighbours in time ----------------------------------------------------------------------------


def test_a_neighbours_weight_falls_with_the_difference_of_colour(monkeypatch):
    """Gauss of a sixth of the mean of the worst channel over 5 x 5 pixels, over the distance in frames."""
    motion = np.zeros((20, 16, 2), np.float32)
    motion[..., 0], motion[..., 1] = 2, -1  # the neighbour shows a pixel two to the right and one higher
    monkeypatch.setattr(flow, "flow", lambda source, target: motion)
    image = np.zeros((20, 16, 3), np.uint8)
    other = image + np.uint8([3, 9, 0])
    mask = np.arange(320, dtype=np.float32).reshape(20, 16) / 320
    values, weights = flow.warp_neighbours([image, other], [mask * 0, mask], [0, 3])
    expected = np.full((20, 16), np.exp(-0.5 * (9 / 6) ** 2) / 3)
    expected[:, 14:] = expected[0] = 0  # comes from outside the picture
    np.testing.assert_allclose(weights[1], expected, rtol=1e-5)
    np.testing.assert_allclose(values[1][1:, :14], mask[:-1, 2:], atol=1e-6)
    one = image.copy()
    one[10, 5] = 50  # a single pixel counts for its 25 neighbours
    motion[:] = 0
    weights = flow.warp_neighbours([image, one], [mask, mask], [0, 1])[1][1]
    assert weights[8:13, 3:8] == pytest.approx(np.exp(-0.5 * (2 / 6) ** 2)) and (weights < 1).sum() == 25


@pytest.mark.parametrize("side, small", [(384, 384), (386, 384), (10, 16)])
def test_flow_is_estimated_at_a_limited_size(monkeypatch, side, small):
    class Still:
        def calc(self, source, target, start):
            assert source.shape == target.shape == (small, 16)
            return np.full((small, 16, 2), 1.0, np.float32)

    monkeypatch.setattr(cv2, "DISOpticalFlow_create", lambda preset: Still())
    motion = flow.flow(*np.zeros((2, side, 12), np.uint8))
    np.testing.assert_allclose(motion, np.broadcast_to([12 / 16, side / small], motion.shape), rtol=1e-6)


# -- the matted edge -------------------------------------------------------------------------------


def test_alpha_solves_the_system_of_the_paper():
    """Levin et al., equation 16, by a dense solver: a picture whose edge is two pixels from the network's."""
    from pymatting import cf_laplacian

    x, y = np.meshgrid(np.arange(14.0), np.arange(12.0))
    truth = 1 / (1 + np.exp(-(x - 6.5) / 0.8))
    texture = 12 * np.sin(1.3 * x + 0.7 * y)[..., None]
    image = np.rint(truth[..., None] * [180, 90, 60] + (1 - truth[..., None]) * [60, 70, 120] + texture)
    prob = (1 / (1 + np.exp(-(x - 8.5) / 1.2))).astype(np.float32)
    band = (x > 3) & (x < 11)
    laplacian = cf_laplacian(image / 255.0, epsilon=1e-6, radius=1).toarray()
    sure = np.where(band, 0.0, prob > 0.5).ravel()
    inside = band.ravel()
    right = 0.05 * prob.ravel() - laplacian @ sure
    system = laplacian[np.ix_(inside, inside)] + 0.05 * np.eye(inside.sum())
    expected = np.clip(np.linalg.solve(system, right[inside]), 0, 1)
    found = matting.closed_form_alpha(image.astype(np.uint8), prob, band)
    np.testing.assert_allclose(found[band], expected, atol=2e-4)
    assert np.abs(expected - prob[band]).max() > 0.2  # the network's edge is not the picture's


# -- what is a label, and whose --------------------------------------------------------------------


def one_pixel(part="head", share=1.0, along=0.5, face=0.5, crown=0.0) -> PartMap:
    """A pixel of a part; the rest of its probability lies on the neck."""
    shares, places = np.zeros((1, 16), np.float32), np.full((1, 16), along, np.float32)
    shares[0, PARTS.index("neck")], shares[0, PARTS.index(part)] = 1 - share, share
    return PartMap(shares, places, np.float32([face]), np.float32([crown]))


@pytest.mark.parametrize(
    "surface, kind, name, limit, beyond",
    [
        (HAIR, {"crown": 1.0}, "face", 0.25, 0),
        (HAIR, {"face": 0.0}, "crown", 0.4, 1),
        (SKIN, {}, "face", 0.8, 1),
        (SKIN, {"part": "left hand"}, "share", 0.8, 1),
        (SKIN, {"part": "right hand"}, "share", 0.8, 1),
        (UPPER, {"part": "torso"}, "along", 0.1, 1),
        (UPPER, {"part": "torso"}, "along", 0.7, 0),
        (LOWER, {"part": "left thigh"}, "along", 0.5, 0),
        (LOWER, {"part": "right thigh"}, "along", 0.5, 0),
        (SHOE, {"part": "left foot"}, "along", 0.4, 1),
        (SHOE, {"part": "right foot"}, "along", 0.4, 1),
    ],
)
def test_a_pixel_teaches_a_surface_only_beyond_the_limit(surface, kind, name, limit, beyond):
    """``beyond`` 1: above the limit; 0: below. The limit itself teaches nothing."""
    limit = np.float32(limit)
    for step, teaches in ((-1, not beyond), (0, False), (1, bool(beyond))):
        value = np.nextafter(limit, np.float32(step * np.inf)) if step else limit
        seeds = parsing._seeds(one_pixel(**kind, **{name: value}))[0]
        assert (seeds[surface] > 0) == teaches


def test_skin_near_the_median_of_what_was_seen():
    """0 to 4 were seen: within 3 of the 2 in their middle, which is three times their median distance."""
    colours = np.zeros((9, 3))
    colours[:, 1] = 0, 1, 2, 3, 4, 4.9, 5.0, -0.9, -1.0
    weights = np.where(np.arange(9) < 5, 0.3, 0)
    assert parsing._near_median(colours, weights).tolist() == [1, 1, 1, 1, 1, 1, 0, 1, 0]


def test_masks_are_matched_by_numbers_that_are_of_one_picture_each(tmp_path):
    def match(*names):
        folder = tmp_path / "_".join(names)
        folder.mkdir()
        for name in names:
            (folder / f"{name}.png").touch()
        return [p.stem for p in labels._match(folder, ["000002", "000010"])]

    assert match("000002", "000010", "000011") == ["000002", "000010"]
    assert match("m11", "m10", "m9", "m2") == ["m2", "m10"]  # more pictures than frames
    assert match("m1", "m2") == ["m1", "m2"]  # in order: frame 10 has no picture of its number
    assert match("z2", "a2") == ["a2", "z2"]  # in order: a number twice
    assert match("b", "a") == ["a", "b"]
    assert match("shot12_", "shot3") == ["shot3", "shot12_"]  # numbers count as numbers
    for names in (("m2", "m3", "m4"), ("m2", "x2", "m10"), ("a", "b", "c")):
        with pytest.raises(HvrError, match=r"3 mask pictures for 2 frames, none for frame 0000(02|10)"):
            match(*names)
