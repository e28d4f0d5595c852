"""A jacket open over a shirt: told by colour where both have one label; the shirt goes on beneath it."""

from types import SimpleNamespace

import numpy as np
import pytest
from toy_person import shirt_of, toy_person, trousers_of, votes_of

from hvr_nb.geometry.cut import cut_mesh
from hvr_nb.geometry.mesh import unique_edges
from hvr_nb.geometry.open_mesh import boundary_loops, topology
from hvr_nb.geometry.outline_distance import pixels_of
from hvr_nb.surface.garments.arcs import vertex_picture
from hvr_nb.surface.garments.borders import find_borders, fitted_borders
from hvr_nb.surface.garments.kinds import find_garments
from hvr_nb.surface.garments.one_cloth import DRESS, is_dress, joined_dress
from hvr_nb.surface.garments.open_front import (
    COAT,
    UPPER,
    coats_apart,
    jacket_share,
    parted_pictures,
    parted_votes,
    without_coats,
)
from hvr_nb.surface.garments.outline import split_outline
from hvr_nb.surface.garments.topology import MeshGraph, grouped, one_piece
from hvr_nb.surface.garments.under import STEP, beneath, goes_on
from hvr_nb.surface.garments.votes import KINDS
from hvr_nb.surface.garments.wardrobe import garment_sheet
from hvr_nb.surface.remesh import subdivision
from hvr_nb.types import Camera

CAMERA = Camera(
    np.array([[500.0, 0, 160], [0, 500, 160], [0, 0, 1]]),
    320,
    320,
    np.diag([1.0, -1, -1]),
    np.array([0, 0, 2.2]),
)
BLUE, WHITE, GREEN = (0.1, 0.15, 0.5), (0.9, 0.9, 0.85), (0.1, 0.5, 0.1)


@pytest.fixture(scope="module")
def person():
    return toy_person()


def front_of(vertices):
    """Positive on the panel of the shirt that an open jacket leaves free."""
    return np.where(vertices[:, 2] > 0, 0.045 - np.abs(vertices[:, 0]), -1.0)


def share_of(person, votes, colour):
    vertices, faces, graph, ends = person
    closed = (np.abs(vertices[:, 0]) > 0.2) & (vertices[:, 1] > 0) | (vertices[:, 2] < -0.03)
    return jacket_share(votes, colour, vertices, faces, graph, ends, closed)


def painted(vertices, where, colour):
    return np.where(where[:, None], colour, BLUE) + np.random.default_rng(0).normal(0, 0.02, vertices.shape)


def skeleton():
    """What ``under`` needs of a body: joints and a skin, here that of the toy person, 2 cm within."""
    joints = np.zeros((24, 3))
    joints[0], joints[9] = (0, -0.12, 0), (0, 0.15, 0)
    for side, (shoulder, elbow) in ((1, (16, 18)), (-1, (17, 19))):
        joints[shoulder], joints[elbow] = (0.1 * side, 0.15, 0), (0.3 * side, 0.15, 0)
    return joints


def test_a_jacket_is_told_from_the_shirt_by_its_sleeves_colour(person):
    vertices, faces, graph, ends = person
    seen = np.ones(len(vertices))
    votes = votes_of(vertices, {"upper": shirt_of(vertices), "lower": trousers_of(vertices)}, seen)
    assert not coats_apart(votes, graph, ends)
    colour = painted(vertices, front_of(vertices) > 0, WHITE)
    colour[np.linalg.norm(vertices - [0, 0.05, 0.11], axis=1) < 0.025] = BLUE  # a print
    share = share_of(person, votes, colour)
    inside = shirt_of(vertices) > 0.01
    clear = inside & (np.abs(front_of(vertices)) > 0.02)
    assert ((share[clear] > 0.5) == (front_of(vertices)[clear] < 0)).mean() > 0.99
    parted = parted_votes(votes, share)
    assert coats_apart(parted, graph, ends) and parted.frames[COAT] == 60
    np.testing.assert_allclose(parted.share.sum(1), 1)
    joined = without_coats(parted)
    np.testing.assert_allclose(joined.share, votes.share, atol=1e-12)
    assert joined.frames[COAT] == 0


@pytest.mark.parametrize(
    ("where", "colour"),
    [
        (lambda v: v[:, 1] < 0, WHITE),  # two colours, one above the other
        (lambda v: np.linalg.norm(v - [0, 0.05, 0.1], axis=1) < 0.06, WHITE),  # a print on the breast
        (lambda v: np.abs(v[:, 0]) < 0.15, WHITE),  # sleeves of another colour
        (lambda v: np.abs(v[:, 0]) < 0.045, WHITE),  # a stripe in front and behind
        (lambda v: front_of(v) > 0, (0.12, 0.17, 0.53)),  # a shade of the same colour
    ],
)
def test_a_shirt_in_two_colours_is_no_jacket(person, where, colour):
    vertices = person[0]
    votes = votes_of(vertices, {"upper": shirt_of(vertices)}, np.ones(len(vertices)))
    assert share_of(person, votes, painted(vertices, where(vertices), colour)) is None


def test_the_shirt_goes_on_beneath_the_jacket(person):
    """Panel and jacket as labelled: a shirt with four borders whose hem is that of the panel."""
    vertices, faces, graph, ends = person
    panel = np.minimum(shirt_of(vertices, hem=-0.06), front_of(vertices))
    coat = np.minimum(shirt_of(vertices), -front_of(vertices))
    votes = votes_of(vertices, {"upper": panel, "coat": coat, "lower": trousers_of(vertices)})
    field, hidden = goes_on(votes, vertices, graph, SimpleNamespace(joints=skeleton()))
    area = np.full(len(vertices), 0.02**2)
    pieces = find_garments(votes, area, graph, ends, beneath={"upper": (field, hidden)})
    found = {p.name: p for p in pieces}
    assert set(found) == {"shirt", "jacket", "trousers"} and found["jacket"].hidden is None
    cut = cut_mesh(faces, found["shirt"].field)
    places = cut.mix @ vertices
    assert topology(cut.faces).loops == 4
    loops = [places[loop] for loop in boundary_loops(cut.faces)]
    low = min(loops, key=lambda x: x[:, 1].mean())
    assert np.abs(low[:, 1] + 0.06).max() < 0.02, "level round the body"
    assert 0.2 < max(x[:, 0].mean() for x in loops) < 0.3, "sleeves end before the elbow"
    assert hidden[(coat > 0.03)].all() and not hidden[panel > 0.03].any()


def test_what_is_hidden_lies_between_jacket_and_skin(person):
    coarse, faces, _, _ = person
    finer, faces = subdivision(faces, len(coarse))
    vertices = finer @ coarse
    outward = vertices * [0.0, 0, 1]
    outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-9)
    skin = SimpleNamespace(vertices=vertices - 0.02 * outward, faces=faces)
    hidden = (np.abs(vertices[:, 0]) > 0.045) & (np.abs(vertices[:, 1]) < 0.1) & (vertices[:, 2] > 0.05)
    moved = beneath(vertices, faces, hidden, skin)
    beside = MeshGraph(vertices, faces).distances(hidden)[0] >= STEP
    assert not (moved[beside] - vertices[beside]).any() and beside.sum() > 1000
    step = np.linalg.norm(np.diff((moved - vertices)[unique_edges(faces)], axis=1), axis=-1)
    assert step.max() < 0.004, "the cloth goes on smoothly at the coat's edge"
    depth = vertices[hidden, 2] - moved[hidden, 2]
    assert 0.004 < np.median(depth) < 0.015 and (depth > -1e-3).mean() > 0.95
    assert beneath(vertices, faces, np.zeros(len(vertices), bool), skin) is vertices


def test_the_pixels_of_a_jacket_are_told_by_colour_near_its_edge(person):
    """The surface's border is 2 cm off: pixels near it follow the picture, others the surface."""
    vertices, faces, graph, _ = person
    finer, fine_faces = subdivision(faces, len(vertices))
    x = finer @ vertices
    shown = vertex_picture(x, fine_faces, CAMERA)
    cloth, panel = (f(x)[shown] > 0 for f in (shirt_of, front_of))
    picture = np.where(shown < 0, -1, np.where(cloth, UPPER, 0)).astype(np.int8)
    frame = (255 * np.where(panel[..., None], WHITE, BLUE)).astype(np.uint8)
    share = np.where(front_of(x) > 0.02, 0.0, 1.0) * (shirt_of(x) > 0)
    (out,) = parted_pictures(
        picture[None], frame[None], [x], fine_faces, CAMERA, share, MeshGraph(x, fine_faces)
    )
    wanted = np.where((picture == UPPER) & ~panel, COAT, picture)
    assert (out != wanted).mean() < 0.002 and (wanted == COAT).sum() > 1000
    assert (np.where(out == COAT, UPPER, out) == picture).all()


def test_a_dress_that_is_labelled_as_two_garments(person):
    """One cloth above and below a waist, with a belt: a dress; two cloths, or trousers, are none."""
    vertices, _, graph, ends = person
    y = vertices[:, 1]
    skirt = np.where(np.abs(vertices[:, 0]) < 0.3, np.minimum(-0.02 - y, y + 0.22), -0.1)
    fields = {"upper": shirt_of(vertices, hem=-0.02), "lower": skirt}
    votes = votes_of(vertices, fields)
    belt = np.where(np.abs(y + 0.02)[:, None] < 0.02, WHITE, BLUE)
    other = np.where(y[:, None] < -0.02, GREEN, BLUE)
    assert is_dress(votes, belt, graph, ends) and not is_dress(votes, other, graph, ends)
    broad = np.where(((y > -0.02) & (y < 0.1))[:, None], WHITE, BLUE)
    assert is_dress(votes, broad, graph, ends), "a broad belt spoils the band beside the waist only"
    legs = votes_of(vertices, {"upper": fields["upper"], "lower": np.minimum(-0.02 - y, y + 0.5)})
    assert not is_dress(legs, belt, graph, ends)
    picture = np.array([[[-1, UPPER, KINDS.index("lower"), 0]]], np.int8)
    joined, pictures = joined_dress(votes, picture, instead=False)
    (piece,) = find_garments(joined, np.full(len(vertices), 0.02**2), graph, ends)
    assert piece.name == "dress" and pictures.tolist() == [[[-1, DRESS, DRESS, 0]]]
    same, kept = joined_dress(joined, picture, instead=True)
    assert same is joined and kept is picture


def test_the_outline_of_a_jacket_is_hem_and_opening():
    """A sheet round a tube, open in front: the corners of its front edges are found."""
    angle, height = np.linspace(0.4, 2 * np.pi - 0.4, 60), np.linspace(-0.3, 0.3, 40)
    a = np.r_[angle, np.full(38, angle[-1]), angle[::-1], np.full(38, angle[0])]
    y = np.r_[np.full(60, -0.3), height[1:-1], np.full(60, 0.3), height[-2:0:-1]]
    places = np.stack([0.2 * np.sin(a), y, 0.2 * np.cos(a)], 1)
    for loop in (np.arange(len(places)), np.roll(np.arange(len(places)), 70)[::-1]):
        parts = split_outline(loop, places)
        assert parts["hem"][0] == parts["opening"][0] and parts["hem"][-1] == parts["opening"][-1]
        assert len(parts["hem"]) + len(parts["opening"]) == len(places) + 2
        hem, opening = places[parts["hem"]], places[parts["opening"]]
        assert np.abs(hem[:, 1] + 0.3).max() < 0.02 and hem[:, 2].min() < -0.19, "round the back"
        assert hem[0, 0] > 0 > hem[-1, 0] and opening[:, 1].max() > 0.29


def test_drawn_lines_hold_a_border(person):
    """A hem drawn 2 cm below the labels' in one frame: the curve goes there, and only there."""
    vertices, faces, graph, ends = person
    votes = votes_of(vertices, {"upper": shirt_of(vertices)})
    pieces = find_garments(votes, np.full(len(vertices), 0.02**2), graph, ends)
    shown = vertex_picture(vertices, faces, CAMERA)
    pictures = np.where(shown < 0, -1, np.where(shirt_of(vertices)[shown] > 0, UPPER, 0)).astype(np.int8)
    world = np.tile(np.eye(4)[:3], (24, 1, 1))
    weights = np.eye(24)[np.zeros(len(vertices), int)]
    line = pixels_of(np.array([[-0.09, -0.14, 0.06], [0, -0.14, 0.11], [0.09, -0.14, 0.06]]), CAMERA)[0]
    moves = {}
    for name, drawn in (("own", None), ("drawn", {("shirt", "hem"): {0: line}})):
        borders = fitted_borders(
            find_borders(pieces, vertices, faces, graph, ends),
            pieces,
            vertices,
            faces,
            graph,
            [(vertices, world)],
            CAMERA,
            pictures[None],
            (weights, world),
            drawn,
        )
        moves[name] = {b.name: (b.on @ vertices, b.move) for b in borders}
    place, move = moves["drawn"]["hem"]
    front = (place[:, 2] > 0.05) & (np.abs(place[:, 0]) < 0.07)
    assert np.abs(place[front, 1] + move[front, 1] + 0.14).max() < 0.006
    own = moves["own"]["hem"][1][front, 1]
    assert np.abs(own).max() < 0.01, "without a line the label's own contour holds it"
    np.testing.assert_array_equal(moves["drawn"]["neck"][1], moves["own"]["neck"][1])


def test_a_border_that_was_opened_stays_open_on_the_finer_mesh(person):
    """The way between the feet is one vertex wide, and lost where a finer mesh takes its mean."""
    vertices, faces, graph, ends = person
    votes = votes_of(vertices, {"skirt": trousers_of(vertices, end=-0.4)})
    (piece,) = find_garments(votes, np.full(len(vertices), 0.02**2), graph, ends)
    assert piece.name == "skirt" and piece.changed
    finer, fine_faces = subdivision(faces, len(vertices))
    x = finer @ vertices
    fine = MeshGraph(x, fine_faces)
    fine_ends = {name: finer @ seed > 0.999 for name, seed in ends.items()}
    assert len(grouped(one_piece(finer @ piece.field, fine, fine_ends), fine, fine_ends)) == 3, "lost"
    borders = find_borders([piece], vertices, faces, graph, ends)
    sheet = garment_sheet(
        piece, finer @ piece.field, x, fine_faces, x, fine, fine_ends, borders, vertices, None, None
    )
    assert topology(sheet.faces).loops == 2 and set(sheet.curves) == {"waist", "hem"}
