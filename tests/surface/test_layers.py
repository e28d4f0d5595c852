"""Cloth beneath other cloth is found by its parallax when the person turns; the surface gets the step."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import trimesh
from scipy import sparse

from hvr_nb.geometry.outline_distance import pixels_of
from hvr_nb.surface.albedo import Sightings
from hvr_nb.surface.clothed.fit import Fit
from hvr_nb.surface.clothed.layers import (
    SHADES,
    WIDE,
    Step,
    believed,
    borders,
    drops,
    parts,
    stepped,
    straightened,
    tints,
)
from hvr_nb.surface.clothed.parallax import FEW, find_step
from hvr_nb.types import Camera

DEEP, HALF, SIDE = 0.006, 0.04, 0.004  # metres: how deep the panel lies, its half width, the mesh's sides
BOTTOM = -0.09  # metres: where the opening ends
CAMERA = Camera(
    np.array([[800.0, 0, 120], [0, 800, 120], [0, 0, 1]]),
    240,
    240,
    np.diag([1.0, -1, -1]),
    np.array([0, 0, 2.4]),
)


def marks(rng, low=0.2, high=0.8):
    """A pattern (400, 400) grey 0..1 of even patches."""
    return cv2.resize(rng.uniform(low, high, (40, 40)).astype(np.float32), (400, 400))


def turned(points, angle):
    c, s = np.cos(angle), np.sin(angle)
    return points @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])


APART = np.array([[0, 0, 0], [100, 0, 0], [0, 100, 0], [0, 0, 100.0]])  # colours of up to four parts


def is_open(points):
    return (np.abs(points[:, 0]) < HALF - 1e-6) & (points[:, 1] > BOTTOM)


def shot(angle, coat, panel, rng, *, depth):
    """A picture (H, W) of a plane 0.2 m wide whose middle strip lies ``depth`` behind it, as a person turns.

    The plane's own place is a little off in every frame, as that of a fitted body is.
    """
    col, row = np.meshgrid(np.arange(CAMERA.width) + 0.5, np.arange(CAMERA.height) + 0.5)
    off = rng.normal(size=2) * 2.0
    way = np.stack([(col - 120 - off[0]) / 800, -(row - 120 - off[1]) / 800, -np.ones_like(col)], -1)
    start, way = turned(np.array([0, 0, 2.4]), -angle), turned(way.reshape(-1, 3), -angle)

    def hit(z):
        return start + ((z - start[2]) / way[:, 2:]) * way

    def painted(p, pattern):
        xy = ((p[:, :2] / 0.3 + 0.5) * 400).astype(np.float32).reshape(*col.shape, 2)
        return cv2.remap(pattern, xy[..., 0], xy[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)

    front, back = hit(0.0), hit(-depth)
    open_ = is_open(front).reshape(col.shape)
    out = np.where(open_, painted(back, panel), painted(front, coat))
    return (out + rng.normal(size=out.shape) * 0.005).astype(np.float32)


def found(depth, *, bare=False, frames=16, seed=0):
    """What ``find_step`` says of the strip in a film of ``shot``."""
    rng = np.random.default_rng(seed)
    coat, panel = marks(rng), np.full((400, 400), 0.9, np.float32) if bare else marks(rng)
    x, y = np.meshgrid(np.arange(-0.08, 0.081, SIDE), np.arange(-0.1, 0.101, SIDE))
    points = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], 1)
    points = points[np.abs(np.abs(points[:, 0]) - HALF) > 0.016]
    angles = np.radians(np.linspace(-40, 40, frames))
    pictures = [shot(a, coat, panel, rng, depth=depth) for a in angles]
    pixels, along, trust = [], [], []
    for a in angles:
        p, q = (pixels_of(turned(points + [0, 0, z], a), CAMERA)[0] for z in (0, 0.001))
        pixels.append(p)
        along.append((q - p) / 0.001)
        trust.append(np.full(len(points), np.cos(a) ** 2))
    return find_step(is_open(points), pixels, along, trust, pictures)


@pytest.mark.parametrize("depth", [0.0, DEEP, -0.004])
def test_parallax_finds_how_deep_a_strip_lies(depth):
    step, error = found(depth)
    assert abs(step + depth) < 0.001 and error < 0.0015, (step, error)


def test_bare_cloth_and_few_frames_are_not_believed():
    step, error = found(DEEP, bare=True)
    assert believed(None, step, error) is None, (step, error)
    assert found(DEEP, frames=FEW - 1) == (0.0, np.inf)


@pytest.fixture(scope="module")
def coat():
    """A flat dark mesh with a white opening that ends above its lower edge and has a mark; the opening."""
    x, y = (a.ravel() for a in np.meshgrid(np.arange(-0.1, 0.1001, SIDE), np.arange(-0.15, 0.1501, SIDE)))
    vertices = np.stack([x, y, np.zeros(len(x))], 1)
    wide, count = 51, len(x)
    first = np.arange(count).reshape(-1, wide)[:-1, :-1].ravel()
    faces = np.concatenate(
        [
            np.stack([first, first + 1, first + wide], 1),
            np.stack([first + 1, first + wide + 1, first + wide], 1),
        ]
    )
    strip = is_open(vertices)
    colour = np.where(strip[:, None], [0.9, 0.9, 0.9], [0.05, 0.08, 0.2])
    colour[(np.abs(x) < 0.006) & (np.abs(y) < 0.006)] = 0.1
    return vertices, faces, colour.astype(np.float32), strip


def test_parts_are_what_has_one_colour_but_for_marks(coat):
    vertices, faces, colour, strip = coat
    part = parts(colour, vertices, faces)
    assert len(np.unique(part)) == 2
    clear = np.abs(np.abs(vertices[:, 0]) - HALF) > 1.5 * SIDE
    clear &= (np.abs(vertices[:, 1] - BOTTOM) > 1.5 * SIDE) & (vertices[:, 1] < 0.13)
    middle = part[np.linalg.norm(vertices, axis=1).argmin()]
    assert ((part == middle) == strip)[clear].mean() > 0.999  # corners are rounded off
    (border,) = borders(part, vertices, faces, tints(part, colour))
    assert (part[border.edges] == border.parts).all()
    assert np.abs(np.abs(vertices[border.near, 0]) - HALF)[vertices[border.near, 1] > 0].min() > 0.01


@pytest.mark.parametrize("colours", [1, 2])
def test_people_in_one_or_two_colours_are_no_fault(coat, colours):
    vertices, faces, _, _ = coat
    colour = np.where(vertices[:, :1] < 0, 0.2, 0.2 * colours) * np.ones(3)
    part = parts(colour, vertices, faces)
    assert (
        len(np.unique(part)) == colours
        and len(borders(part, vertices, faces, tints(part, colour))) == colours - 1
    )


def test_borders_that_go_round_are_left_to_outlines():
    tube = trimesh.creation.cylinder(radius=0.1, height=0.4, sections=120)
    v, f = trimesh.remesh.subdivide_to_size(tube.vertices, tube.faces, 0.008)
    assert borders((v[:, 2] > 0.01).astype(int), v, f, APART) == []
    assert len(borders(((v[:, 0] > 0.096) & (np.abs(v[:, 2]) < 0.12)).astype(int), v, f, APART)) > 0


def test_a_step_is_as_sharp_as_the_triangles_and_leaves_what_lies_above(coat):
    vertices, faces, colour, _ = coat
    part = parts(colour, vertices, faces)
    strip = part == part[np.linalg.norm(vertices, axis=1).argmin()]
    steps = [
        believed(b, -DEEP if strip[b.edges[0, 1]] else DEEP, 0.0005)
        for b in borders(part, vertices, faces, tints(part, colour))
    ]
    found = drops(steps, part, faces, APART, set())
    assert all(d.measured for d in found) and sum(len(d.edges) for d in found) == sum(
        len(x.border.edges) for x in steps
    )
    moved = stepped(vertices, faces, part, found, np.zeros(len(vertices)))
    assert np.abs(moved[~strip]).max() < 0.001
    np.testing.assert_allclose(moved[strip], -DEEP, atol=0.001)
    held = stepped(vertices, faces, part, found, np.full(len(vertices), 4.0))
    assert np.abs(held[strip]).mean() < np.abs(moved[strip]).mean()  # outlines have a say


def test_an_open_coat_gets_its_step_from_its_film(coat):
    vertices, faces, colour, _ = coat
    rng, angles = np.random.default_rng(3), np.radians(np.linspace(-40, 40, 16))
    cloth, shirt = marks(rng, 0.05, 0.3), marks(rng, 0.6, 0.95)
    frames = [shot(a, cloth, shirt, rng, depth=DEEP) for a in angles]
    frames = (255 * np.clip(frames, 0, 1)).astype(np.uint8)[..., None].repeat(3, -1)
    fit = Fit.__new__(Fit)
    fit.film = SimpleNamespace(frames=frames, camera=CAMERA)
    fit.skin, fit._held = lambda: None, lambda _skin: np.zeros(len(vertices))
    places = np.stack([turned(vertices, a) for a in angles]).astype(np.float32)
    normals = np.stack([turned(np.tile([0, 0, 1.0], (len(vertices), 1)), a) for a in angles]).astype(
        np.float16
    )
    weight = np.cos(angles)[:, None].repeat(len(vertices), 1).astype(np.float32) ** 2
    seen = Sightings(np.zeros((*weight.shape, 3), np.uint8), weight, places.copy(), normals)
    moved, seen, (drop,) = fit.layered(vertices, faces, colour, seen, sparse.eye_array(len(vertices)))
    assert (
        drop.measured and 0.75 * DEEP < drop.step.depth < 1.2 * DEEP
    )  # blurred borders draw it along a little
    deep = (HALF - np.abs(vertices[:, 0]) > 3 * SIDE) & (vertices[:, 1] > BOTTOM + 3 * SIDE)
    np.testing.assert_allclose(moved[deep, 2], -drop.step.depth, atol=0.002)
    np.testing.assert_allclose(seen.positions, [turned(moved, a) for a in angles], atol=1e-5)
    assert (np.abs(places - seen.positions).max(axis=(0, 2)) > 1e-4).any()
    assert seen.rgb[:, deep].mean() > 130  # what moved is looked up again: the shirt is light


@pytest.fixture
def collar(coat):
    """The coat's parts (V,): 0 coat, 1 shirt, 2 neck above it; and the step of the shirt beneath the coat."""
    vertices, faces, _, strip = coat
    part = np.where(strip, np.where(vertices[:, 1] > 0.03, 2, 1), 0)
    (shirt,) = [b for b in borders(part, vertices, faces, APART) if b.parts == (0, 1)]
    return vertices, faces, part, believed(shirt, -DEEP, 0.0005)


def test_the_edge_of_a_jacket_goes_on_round_the_neck(collar):
    vertices, faces, part, step = collar
    shirt, neck = drops([step], part, faces, APART, set())
    assert shirt.measured and not neck.measured and neck.step is step
    assert (part[neck.edges] == [0, 2]).all() and (part[shirt.edges] == [0, 1]).all()
    moved = stepped(vertices, faces, part, [shirt, neck], np.zeros(len(vertices)))
    np.testing.assert_allclose(moved[neck.edges[:, 1]] - moved[neck.edges[:, 0]], -DEEP, atol=0.001)
    assert np.abs(moved[part == 0]).max() < 0.001
    alone = stepped(vertices, faces, part, [shirt], np.zeros(len(vertices)))
    top = neck.edges[vertices[neck.edges[:, 1], 1] > 0.07]
    assert np.abs(alone[top]).max() < 0.002  # without it, the neck lies as high as the jacket


@pytest.mark.parametrize(("often", "most"), [(0, 1.01), (8, 0.8), (60, 0.3)])
def test_outlines_have_a_say_in_the_neck_and_not_in_the_shirt(collar, often, most):
    vertices, faces, part, step = collar
    found = drops([step], part, faces, APART, set())
    moved = stepped(vertices, faces, part, found, np.full(len(vertices), float(often)))
    shirt, neck = (moved[d.edges] for d in found)
    assert (shirt[:, 0] - shirt[:, 1]).mean() > 0.8 * DEEP
    assert (neck[:, 0] - neck[:, 1]).mean() < most * DEEP


def test_shades_of_one_cloth_have_no_step_and_end_no_drop(collar):
    vertices, faces, part, step = collar
    shades = APART * [[1], [1], [0.9 * SHADES / 100], [1]]  # the third part is nearly the coat's colour
    assert (0, 1) in {b.parts for b in borders(part, vertices, faces, shades)}
    nearly = shades[[0, 2, 1, 3]]  # the shirt is
    assert (0, 1) not in {b.parts for b in borders(part, vertices, faces, nearly)}
    assert all(d.measured for d in drops([step], part, faces, shades, set()))


def test_no_drop_goes_on_where_a_border_is_measured(collar):
    vertices, faces, part, step = collar
    assert len(drops([step], part, faces, APART, {(0, 2)})) == 1


def test_no_drop_goes_on_onto_the_jackets_other_half(collar):
    vertices, faces, part, _ = collar
    halves = np.where(vertices[:, 0] > 0, 3, 0)
    part = np.where(part > 0, 1, halves)  # 1 is what they are open over
    steps = [
        believed(b, -DEEP if b.parts == (0, 1) else DEEP, 0.0005)
        for b in borders(part, vertices, faces, APART)
        if 1 in b.parts
    ]
    assert {s.border.parts for s in steps} <= {(0, 1), (1, 3)} and len(steps) == 2
    assert all(d.measured for d in drops(steps, part, faces, APART, set()))
    assert not all(d.measured for d in drops(steps[:1], part, faces, APART, set()))


def test_an_edge_is_straight_and_stays_on_the_surface(coat):
    vertices, faces, _, _ = coat
    bent = vertices + [0, 0, 1] * (0.3 * vertices[:, :1] ** 2)
    off = vertices @ np.array([0.8, 0.6, 0]) - 0.01 * np.sin(
        40 * vertices[:, 1]
    )  # a wavy line across the grid
    edges = trimesh.Trimesh(bent, faces, process=False).edges_unique
    edges = edges[(off[edges] > 0).sum(1) == 1]
    edges = np.where((off[edges[:, 0]] < 0)[:, None], edges, edges[:, ::-1])
    ids, face, bary = straightened(bent, faces, edges)
    assert (np.sort(ids) == np.unique(edges)).all() and bary.min() > -1e-5
    gone = bent.copy()
    gone[ids] = (bent[faces[face]] * bary[..., None]).sum(1)
    inner = ids[np.abs(vertices[ids]).max(1) < 0.07]
    now = gone[inner] @ np.array([0.8, 0.6, 0]) - 0.01 * np.sin(40 * gone[inner, 1])
    assert (np.sign(now) == np.sign(off[inner])).mean() > 0.97
    assert np.std(np.abs(now)) < 0.5 * np.std(np.abs(off[inner]))
    assert 0.5 * WIDE < np.abs(now).mean() < 1.5 * WIDE
    a, b = (trimesh.Trimesh(x, faces, process=False) for x in (bent, gone))
    assert b.area_faces.min() > 0 and (a.face_normals * b.face_normals).sum(1).min() > 0.9  # nothing folds


@pytest.mark.parametrize(
    ("step", "error", "beneath"),
    [
        (-0.005, 0.0007, 1),
        (0.005, 0.0007, 0),
        (-0.007, 0.0016, None),
        (-0.003, 0.001, None),
        (-0.0015, 0.0002, None),
        (-0.02, 0.0005, None),
        (0.0, np.inf, None),
    ],
)
def test_only_certain_steps_of_cloth_are_believed(coat, step, error, beneath):
    vertices, faces, colour, _ = coat
    border = borders(part := parts(colour, vertices, faces), vertices, faces, tints(part, colour))[0]
    wanted = None if beneath is None else Step(border, beneath, abs(step), error)
    assert believed(border, step, error) == wanted
