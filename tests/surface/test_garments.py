"""Garments are cut out of a clothed surface with the right borders, whatever the votes look like."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import trimesh
from toy_person import shirt_of, toy_person, trousers_of, votes_of

from hvr_nb.geometry.cut import cut_mesh
from hvr_nb.geometry.open_mesh import boundary_loops, topology
from hvr_nb.geometry.outline_distance import pixels_of
from hvr_nb.masks.labels import LABEL_NAMES
from hvr_nb.surface.garments.arcs import Arc, border_arcs, vertex_picture
from hvr_nb.surface.garments.borders import find_borders, moved_rims, named_loops, spaced
from hvr_nb.surface.garments.curves import CurveView, fitted_curve, ray_frame
from hvr_nb.surface.garments.kinds import CURVES, CUTS, find_garments, garment_names
from hvr_nb.surface.garments.topology import grouped, joined_ends, one_piece, parted_ends
from hvr_nb.surface.garments.votes import KINDS, kinds_of, vote
from hvr_nb.types import Camera, HvrError


@pytest.fixture(scope="module")
def person():
    out = toy_person()
    assert topology(out[1]).genus == 0 and topology(out[1]).loops == 0
    return out


def cut_of(person, fields, names=()):
    vertices, faces, graph, ends = person
    area = np.full(len(vertices), 0.02**2)
    return find_garments(votes_of(vertices, fields), area, graph, ends, names=names)


def loops_of(person, piece):
    cut = cut_mesh(person[1], piece.field)
    found = topology(cut.faces)
    assert found.sound and found.genus == 0 and found.pieces == 1
    return found.loops


def test_a_cut_lies_where_the_function_is_zero():
    ball = trimesh.creation.icosphere(4)
    vertices, faces = np.asarray(ball.vertices), np.asarray(ball.faces)
    height = vertices[:, 1] - 0.3137
    cut = cut_mesh(faces, height)
    places = cut.mix @ vertices
    (loop,) = boundary_loops(cut.faces)
    assert np.abs(places[loop, 1] - 0.3137).max() < 0.005 and places[:, 1].min() > 0.3
    assert topology(cut.faces).euler == 1 and (cut.beyond[loop] >= 0).all()
    assert (height[cut.beyond[loop]] <= 0).all() and (cut.beyond >= 0).sum() == len(loop)
    whole = trimesh.Trimesh(places, cut.faces, process=False)
    assert abs(whole.area - 2 * np.pi * (1 - 0.3137)) < 0.02, "faces keep their sides: none doubled or lost"
    assert (np.einsum("ij,ij->i", whole.face_normals, whole.triangles_center) > 0).all()


@pytest.mark.parametrize(
    ("fields", "names", "loops"),
    [
        ({"upper": shirt_of, "lower": trousers_of}, ["shirt", "trousers"], [4, 3]),
        ({"upper": shirt_of, "skirt": lambda v: trousers_of(v, end=-0.24)}, ["shirt", "skirt"], [4, 2]),
        ({"dress": lambda v: shirt_of(v, hem=-0.2)}, ["dress"], [4]),
        ({"dress": lambda v: np.minimum(0.05 - v[:, 1], v[:, 1] + 0.2)}, ["tube"], [2]),
        ({"lower": lambda v: trousers_of(v, end=-0.24)}, ["skirt"], [2]),
    ],
)
def test_garments_are_told_by_their_borders(person, fields, names, loops):
    fields = {kind: field(person[0]) for kind, field in fields.items()}
    pieces = cut_of(person, fields)
    assert [p.name for p in pieces] == names and [loops_of(person, p) for p in pieces] == loops
    assert not any(p.changed for p in pieces)


def test_two_garments_with_one_label_are_named(person):
    vertices = person[0]
    both = np.maximum(shirt_of(vertices), trousers_of(vertices - [0, 0.02, 0]))
    with pytest.warns(
        UserWarning, match="'upper' goes from the neck to both hands and both feet: two garments"
    ):
        (piece,) = cut_of(person, {"upper": both})
    assert piece.name == "shirt" and loops_of(person, piece) == 4
    with pytest.raises(
        HvrError, match="the trousers and the shirt have one label|no cloth that could be one"
    ):
        cut_of(person, {"upper": both}, names=["shirt", "trousers"])


def test_an_open_front_is_a_jacket(person):
    vertices = person[0]
    open_ = np.where(vertices[:, 2] > 0, np.abs(vertices[:, 0]) - 0.03, 1.0)
    coat = np.minimum(shirt_of(vertices), open_)
    (piece,) = cut_of(person, {"coat": coat})
    assert piece.name == "jacket" and loops_of(person, piece) == 3


def test_a_strap_goes_over_a_shoulder_that_nobody_saw(person):
    """Seen in front and behind only, a sleeveless shirt keeps its straps; a strapless top gets none."""
    vertices, _, graph, ends = person
    x, y, z = np.abs(vertices[:, 0]), vertices[:, 1], vertices[:, 2]
    seen = ~((y > 0.18) & (np.abs(z) < 0.02) & (x > 0.07))
    whole = np.minimum(shirt_of(vertices, reach=0.17), x + 0.9 - 3 * y)
    straps, none = np.where(seen, whole, -0.1), np.minimum(shirt_of(vertices, neck=0.07), 0.2 - x)
    area, found = np.full(len(vertices), 0.02**2), []
    for field in (straps, none):
        votes = votes_of(vertices, {"upper": field}, seen)
        (piece,) = find_garments(votes, area, graph, ends)
        found.append((piece.name, loops_of(person, piece), piece.changed))
    assert found == [("shirt", 4, False), ("tube", 2, False)]
    blind = votes_of(vertices, {"upper": straps}, np.ones(len(vertices)))
    assert find_garments(blind, area, graph, ends)[0].name == "tube", "skin that was seen there is no strap"


def test_specks_and_holes_do_not_change_the_borders(person):
    """Wrong labels here and there leave one piece with four borders, as a shirt has."""
    vertices = person[0]
    rng, field = np.random.default_rng(3), shirt_of(vertices)
    for place in vertices[rng.choice(len(vertices), 40)]:
        field = np.where(np.linalg.norm(vertices - place, axis=1) < 0.025, -field, field)
    (piece,) = cut_of(person, {"upper": field})
    assert piece.name == "shirt" and loops_of(person, piece) == 4


def test_a_crack_through_a_shirt_is_closed_where_it_is_narrowest(person):
    """A strap of wrong labels from neck to hem: a shirt that was named has its four borders all the same."""
    vertices = person[0]
    crack = np.where(vertices[:, 2] > 0, np.abs(vertices[:, 0]) - 0.02, 1.0)
    (piece,) = cut_of(person, {"upper": np.minimum(shirt_of(vertices), crack)}, ["shirt"])
    assert piece.changed and loops_of(person, piece) == 4


def test_a_skirt_closed_between_the_legs_is_opened(person):
    """Cloth over the gap from below: labelled skirt, it has one hem for both legs."""
    vertices = person[0]
    (piece,) = cut_of(person, {"skirt": trousers_of(vertices, end=-0.4)})
    assert piece.name == "skirt" and piece.changed and loops_of(person, piece) == 2


def test_a_lid_that_nobody_saw_is_no_skirt(person):
    """The same, unseen between the legs: there is the opening, and nothing is a guess; trousers stay so."""
    vertices, _, graph, ends = person
    seen = ~((np.abs(vertices[:, 0]) < 0.2) & (np.abs(vertices[:, 2]) < 0.045) & (vertices[:, 1] < -0.15))
    area, closed = np.full(len(vertices), 0.02**2), trousers_of(vertices, end=-0.4)
    (piece,) = find_garments(votes_of(vertices, {"skirt": closed}, seen), area, graph, ends)
    assert piece.name == "skirt" and not piece.changed and loops_of(person, piece) == 2
    lost = (closed > 0) & (piece.field <= 0)
    assert lost.any() and not seen[lost].any()
    (piece,) = find_garments(votes_of(vertices, {"lower": closed}, seen), area, graph, ends)
    assert piece.name == "trousers" and not piece.changed


def test_ends_are_joined_and_parted(person):
    vertices, _, graph, ends = person
    field = one_piece(trousers_of(vertices), graph, ends)
    assert len(grouped(field, graph, ends)) == 3
    joined = joined_ends(field, graph, ends["left_foot"], ends["right_foot"])
    assert frozenset({"left_foot", "right_foot"}) in grouped(joined, graph, ends)
    assert (joined <= field).all() and ((joined < 0) & (field > 0)).sum() < 200, "a path, not an area"
    bare = np.full(len(vertices), -1.0)
    bare[(np.abs(vertices[:, 1]) < 0.02) & (vertices[:, 2] > 0)] = 1.0
    parted = parted_ends(bare, graph, ends["head"], ends["left_foot"] | ends["right_foot"])
    groups = grouped(parted, graph, ends)
    assert next(g for g in groups if "head" in g).isdisjoint({"left_foot", "right_foot"})


def test_what_cannot_be_is_said(person):
    vertices = person[0]
    shirt = {"upper": shirt_of(vertices)}
    with pytest.raises(HvrError, match="names a skirt, but no cloth .*there is upper"):
        cut_of(person, shirt, ["skirt"])
    with pytest.raises(HvrError, match="the jacket and the shirt have one label, 'upper'"):
        cut_of(person, shirt, ["shirt", "jacket"])
    with pytest.raises(HvrError, match="no garment is seen"):
        cut_of(person, {})
    with pytest.warns(UserWarning, match="'lower' is seen in only 3 of 60 frames"):
        pieces = _seen_in_three(person)
    assert [p.name for p in pieces] == ["shirt"]
    with pytest.raises(HvrError, match="'lower' is seen in only 3 of 60 frames; use a longer clip, or"):
        _seen_in_three(person, names=["trousers"])
    assert garment_names(" shirt, trousers ") == ("shirt", "trousers") and garment_names("") == ()
    with pytest.raises(HvrError, match="'sock'; known are shirt"):
        garment_names("shirt,sock")
    assert {name for names in CUTS.values() for name in names} == set(CURVES)


def _seen_in_three(person, names=()):
    vertices, _, graph, ends = person
    votes = votes_of(vertices, {"lower": trousers_of(vertices), "upper": shirt_of(vertices)})
    votes.frames[KINDS.index("lower")] = 3
    return find_garments(votes, np.full(len(vertices), 0.02**2), graph, ends, names=names)


def test_labels_of_every_set_have_a_kind():
    for label_set, names in LABEL_NAMES.items():
        kinds = kinds_of(np.arange(len(names), dtype=np.uint8)[None], label_set)[0]
        assert kinds[0] == -1 and (kinds[1:] >= 0).all(), label_set
        assert KINDS[kinds[names.index("upper clothes")]] == "upper"
        assert KINDS[kinds[names.index("left leg")]] == "skin"
    assert KINDS[kinds_of(np.array([[7]], np.uint8), "CIHP")[0, 0]] == "coat"
    with pytest.raises(HvrError, match="label_set"):
        kinds_of(np.zeros((1, 1), np.uint8), "PASCAL")


CAMERA = Camera(
    np.array([[500.0, 0, 160], [0, 500, 160], [0, 0, 1]]),
    320,
    320,
    np.diag([1.0, -1, -1]),
    np.array([0, 0, 2.2]),
)


def turned(points, angle):
    c, s = np.cos(angle), np.sin(angle)
    return points @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])


def test_votes_go_on_over_what_nobody_saw_but_not_onto_lids():
    """A box seen from the front: its top takes the front's label on the body, and skin's off it."""
    box = trimesh.creation.box((0.4, 0.4, 0.4)).subdivide().subdivide().subdivide().subdivide()
    vertices, faces = np.asarray(box.vertices), np.asarray(box.faces)
    picture = np.full((320, 320), KINDS.index("skirt"), np.int8)
    normal = vertices / np.linalg.norm(vertices, axis=1, keepdims=True)
    votes = {}
    for off in (0.0, 0.1):
        args = (
            [(vertices, normal)] * 4,
            vertices,
            faces,
            CAMERA,
            np.stack([picture] * 4),
            [np.full((320, 320), -9.0)] * 4,
        )
        votes[off] = vote(*args, off=np.full(len(vertices), off))
    front, top = vertices[:, 2] > 0.19, (vertices[:, 1] > 0.19) & (np.abs(vertices[:, 0]) < 0.15)
    top &= vertices[:, 2] < 0.15
    for got in votes.values():
        inner = front & (np.abs(vertices[:, :2]) < 0.17).all(1)
        assert (got.weight[inner] > 0).all() and (got.share[inner, KINDS.index("skirt")] > 0.95).all()
        assert not got.weight[top].any() and got.frames[KINDS.index("skirt")] == got.of == 4
    assert (votes[0.0].share[top, KINDS.index("skirt")] > 0.5).mean() > 0.9
    assert (votes[0.1].share[top, KINDS.index("skin")] > 0.5).mean() > 0.9


def test_arcs_are_found_at_the_border_and_not_at_occluding_contours(person):
    """A shirt's hem is found at its place; skin before the cloth makes none."""
    vertices, faces, graph, ends = person
    (piece,) = cut_of(person, {"upper": shirt_of(vertices)})
    borders = find_borders([piece], vertices, faces, graph, ends)
    assert {b.name for b in borders} == set(CURVES["shirt"])
    away = {}
    for border in borders:
        start = np.zeros(len(vertices), bool)
        start[border.beside] = True
        away[border.name] = graph.distances(start)[0]
    shown = vertex_picture(vertices, faces, CAMERA)
    picture = np.where(shown < 0, -1, np.where(shirt_of(vertices)[shown] > 0, 1, 0)).astype(np.int8)
    arcs = border_arcs(0, picture, KINDS.index("upper"), shown, away)
    assert set(arcs) == set(CURVES["shirt"])
    place = pixels_of(np.array([[0, -0.12, 0.11]]), CAMERA)[0][0]
    assert np.abs(arcs["hem"].pixels[:, 1] - place[1]).max() < 4, "a cell is 5 pixels"
    assert (arcs["hem"].normal[:, 1] > 0.7).all(), "down is out of the shirt"
    hand = picture.copy()
    row, col = np.floor(place).astype(int)[::-1]
    hand[row - 40 : row - 20, col - 10 : col + 10] = 0  # skin on the shirt, far from any border
    seen = border_arcs(0, hand, KINDS.index("upper"), shown, away)
    assert {n: len(a.pixels) for n, a in seen.items()} == {n: len(a.pixels) for n, a in arcs.items()}


def circle(count=100, radius=0.2, height=0.0):
    a = 2 * np.pi * np.arange(count) / count
    return np.stack([radius * np.sin(a), np.full(count, height), radius * np.cos(a)], 1)


def test_a_curve_is_fitted_to_what_all_frames_show():
    """A hem that is 15 mm too high, and wavy: frames around it bring it to its place."""
    start, a = circle(), 2 * np.pi * np.arange(100) / 100
    true = start + np.array([0, -0.015, 0]) + np.outer(0.006 * np.sin(3 * a), [0, 1, 0])
    views, arcs = [], []
    for k, angle in enumerate(np.linspace(0, 2 * np.pi, 16, endpoint=False)):
        spin = turned(np.eye(3), angle).T
        places, goal = start @ spin.T, true @ spin.T
        shown = goal[:, 2] > 0.02
        views.append(CurveView(places, np.broadcast_to(spin, (100, 3, 3)), places[:, 2] > 0.02))
        pixels = pixels_of(goal, CAMERA)[0]
        along = np.roll(pixels, -1, 0) - np.roll(pixels, 1, 0)
        out = np.stack([-along[:, 1], along[:, 0]], 1) / np.linalg.norm(along, axis=1, keepdims=True)
        arcs.append(Arc(k, pixels[shown], (out * np.sign(out[:, 1:]))[shown]))
    outward = start / 0.2
    move, error = fitted_curve(start, outward, views, arcs, CAMERA)
    assert error < 0.001 and np.abs(start + move - true).max() < 0.003
    none, unknown = fitted_curve(
        start, outward, views, [Arc(0, np.zeros((0, 2)), np.zeros((0, 2)))] * 16, CAMERA
    )
    assert not none.any() and np.isnan(unknown)


def test_points_of_a_curve_keep_their_order_for_any_scale():
    """Along its ray and the axis no point of a curve passes another (an angle about the axis stays)."""
    curve = circle(60) + np.array([1.0, 2, 3])
    ray, axis = ray_frame(curve)
    assert abs(abs(axis[1]) - 1) < 1e-9 and np.abs(ray @ axis).max() < 1e-9
    rng = np.random.default_rng(0)
    for _ in range(20):
        scale, shift = rng.uniform(0.05, 3, 60), rng.normal(size=60) * 0.1
        moved = curve.mean(0) + ray * (0.2 * scale)[:, None] + np.outer(shift, axis)
        arm = moved - curve.mean(0)
        angle = np.unwrap(np.arctan2(arm[:, 0], arm[:, 2]))
        assert (np.diff(angle) > 0).all() and angle[-1] - angle[0] < 2 * np.pi


def test_points_are_spread_evenly_over_a_loop():
    places = circle(37)
    even = spaced(np.arange(37), places, 100) @ places
    gaps = np.linalg.norm(np.diff(np.r_[even, even[:1]], axis=0), axis=1)
    assert gaps.std() < 0.05 * gaps.mean() and np.abs(np.linalg.norm(even, axis=1) - 0.2).max() < 0.002


def test_a_moved_rim_takes_the_cloth_along(person):
    vertices, faces, graph, ends = person
    (piece,) = cut_of(person, {"upper": shirt_of(vertices)})
    borders = find_borders([piece], vertices, faces, graph, ends)
    cut = cut_mesh(faces, piece.field)
    places = cut.mix @ vertices
    curves = named_loops(piece, cut, piece.field, graph, ends)
    down = [replace(b, move=np.tile([0, -0.01 * (b.name == "hem"), 0], (100, 1))) for b in borders]
    moved = moved_rims(places, cut.faces, curves, down, vertices) - places
    assert np.abs(moved[curves["hem"]] - [0, -0.01, 0]).max() < 1e-4
    assert np.abs(moved[curves["neck"]]).max() < 1e-4 and np.abs(moved[:, [0, 2]]).max() < 1e-6
    near = (places[:, 1] < -0.09) & (places[:, 1] > -0.1)
    assert (moved[near, 1] < -0.001).all() and np.abs(moved[places[:, 1] > 0.1]).max() < 1e-3


def test_no_warnings_where_all_is_clear(person):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cut_of(person, {"upper": shirt_of(person[0])})
