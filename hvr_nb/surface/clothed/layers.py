"""Cloth over cloth: steps of the surface along borders of colour, which no outline shows.

To outlines an open jacket and the shirt in it are one surface. Where ``parallax`` is certain that one side of
a border of two colours lies beneath the other, the surface gets a step there, as sharp as its triangles allow
(docs/surface.md, 10). The edge of the upper part is continued where the two meet a third part: from the shirt
round the neck, as a collar. All else stays as it was.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.cluster.vq import kmeans2, vq
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from hvr_nb.geometry.mesh import neighbour_mean, unique_edges, vertex_normals
from hvr_nb.geometry.nearest import nearest_surface
from hvr_nb.masks.colour_model import colour_features
from hvr_nb.surface.displace import difference, solve
from hvr_nb.surface.normal_maps import outlined

COLOURS, APART = 8, 8.0  # most colours, and the least distance of two in Lab (``colour_features``)
SHADES = 20.0  # in Lab: parts that differ by less may be one cloth with light left in its albedo
MARK = 0.012  # metres: smaller marks belong to the colour around them
SMALL = 0.002  # square metres: smaller parts belong to the part around them
LONG = 0.15  # metres, least length of a border
REACH, MARGIN = 0.06, 0.016  # metres beside a border that are used, and that are left out next to it
ONE_WAY = 0.8  # length of the mean normal: borders with a shorter one go round the body
POINTS = 1500  # of a border that are used, at most
CERTAIN, ERROR = 4.0, 0.0015  # least step in standard errors, and largest standard error in metres
LEAST, MOST = 0.002, 0.01  # metres, smallest and largest step that is made
KEPT, FIXED = 0.0005, 0.001  # metres, errors of a step and of the upper part's place
NOTHING = 1e-5  # metres: smaller moves are left out
OVERRULED = 0.15  # how much each sighting of an outline weakens a continued step, which is not measured
LINE, WIDE = 0.008, 0.002  # metres over which an edge is smoothed to a line, and of vertices from that
EASED = 0.1  # weight of outlines of the lower part: they may be those of the upper part beside it
SLOPE, USUAL = 0.1, 0.012  # usual slope and metres of the lower part's move: it ends after some 15 cm


@dataclass(frozen=True)
class Border:
    """Where two parts meet."""

    parts: tuple[int, int]
    edges: np.ndarray  # (E, 2) the mesh's edges that cross it, the first part's vertex first
    near: np.ndarray  # (K,) vertices used on both sides
    each: float  # vertices that each of these stands for


@dataclass(frozen=True)
class Step:
    """That one part lies beneath another."""

    border: Border
    beneath: int  # 0 or 1, which of the border's parts
    depth: float  # metres
    error: float  # metres, standard error


@dataclass(frozen=True)
class Drop:
    """The edge of the upper part along one border."""

    step: Step  # whose depth it has
    edges: np.ndarray  # (E, 2) the mesh's edges that cross it, the vertex above first
    measured: bool  # there; else it continues a measured one


def parts(colour: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V,) int: connected parts of one colour, small marks apart, of a mesh (V, 3), (F, 3).

    Args:
        colour: (V, 3), 0..1.
    """
    edges, near = unique_edges(faces), neighbour_mean(faces, len(vertices))
    lab = near @ vertex_lab(colour)
    some = lab[:: max(1, len(lab) // 20000)].astype(np.float64)
    different = min(COLOURS, len(np.unique(some.round(), axis=0)))
    if different < 2:
        return _connected(np.zeros(len(vertices), int), edges)
    centres = kmeans2(some, different, minit="++", seed=0)[0]
    kind = fcluster(linkage(centres, "average"), APART, "distance") - 1
    share = np.eye(kind.max() + 1, dtype=np.float32)[kind[vq(lab, centres)[0]]]
    side = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1).mean()
    for _ in range(round(2 * (MARK / side) ** 2)):  # n averages blur by sqrt(n / 2) sides
        share = near @ share
    part = _connected(share.argmax(1), edges)
    size = np.bincount(part) * side**2 * np.sqrt(3) / 2  # square metres: a vertex has two triangles
    small = size[part] < SMALL
    while small.any():  # small parts join a part beside them
        grown = small[edges[:, 0]] != small[edges[:, 1]]
        at = np.where(small[edges[grown, 0]][:, None], edges[grown], edges[grown][:, ::-1])
        if not len(at):
            break  # nothing else is beside them
        part[at[:, 0]], small[at[:, 0]] = part[at[:, 1]], False
    return _connected(part, edges)


def tints(part: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """(P, 3) mean Lab colour (``colour_features``) of the parts (V,) of a mesh coloured (V, 3), 0..1."""
    size = np.maximum(np.bincount(part), 1)
    return np.stack([np.bincount(part, x) / size for x in vertex_lab(colour).T], 1)


def vertex_lab(colour: np.ndarray) -> np.ndarray:
    """(V, 3) Lab (``colour_features``) of colours (V, 3), 0..1."""
    return colour_features((255 * np.clip(colour, 0, 1) + 0.5).astype(np.uint8)[None])[0]


def _shades(tint: np.ndarray, a: int, b: int) -> bool:
    """Whether two parts may be one cloth: their ``tints`` are alike."""
    return np.linalg.norm(tint[a] - tint[b]) < SHADES


def _connected(kind: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """(V,) int: connected pieces of one kind (V,) over the edges (E, 2)."""
    same = edges[kind[edges[:, 0]] == kind[edges[:, 1]]]
    graph = sparse.coo_array((np.ones(len(same)), same.T), shape=(len(kind), len(kind)))
    return connected_components(graph, directed=False)[1]


def borders(part: np.ndarray, vertices: np.ndarray, faces: np.ndarray, tint: np.ndarray) -> list[Border]:
    """Where parts (V,) of a mesh (V, 3), (F, 3) meet along at least ``LONG``.

    Left out are shades of one cloth, and borders that go round the body (hems, waists): outlines cross these
    and show their steps.

    Args:
        tint: (P, 3) of ``tints``.
    """
    edges = unique_edges(faces)
    edges = edges[part[edges[:, 0]] != part[edges[:, 1]]]
    if not len(edges):
        return []
    normals = vertex_normals(vertices, faces)
    edges = np.where((part[edges[:, 0]] < part[edges[:, 1]])[:, None], edges, edges[:, ::-1])
    all_away = cKDTree(vertices[edges.ravel()]).query(vertices, distance_upper_bound=REACH)[0]
    pairs, which = np.unique(part[edges], axis=0, return_inverse=True)
    out = []
    for k, pair in enumerate(pairs):
        mine = edges[which.ravel() == k]
        side = np.linalg.norm(vertices[mine[:, 0]] - vertices[mine[:, 1]], axis=1).mean()
        if _shades(tint, *pair):
            continue
        if len(mine) * side / 2 < LONG:  # two edges cross a border for each side of a triangle along it
            continue
        away = cKDTree(vertices[mine.ravel()]).query(vertices, distance_upper_bound=REACH)[0]
        near = np.flatnonzero((away < REACH) & (all_away > MARGIN) & np.isin(part, pair))
        if not len(near) or np.linalg.norm(normals[near].mean(0)) < ONE_WAY:
            continue
        some = near[:: max(1, len(near) // POINTS)]
        out.append(Border((int(pair[0]), int(pair[1])), mine, some, len(near) / len(some)))
    return out


def believed(border: Border, step: float, error: float) -> Step | None:
    """The ``step`` of the second part against the first (``parallax.find_step``), if it is certain."""
    certain = error < ERROR and abs(step) > CERTAIN * error and LEAST < abs(step) < MOST
    return Step(border, int(step < 0), abs(step), error) if certain else None


def drops(
    steps: list[Step], part: np.ndarray, faces: np.ndarray, tint: np.ndarray, known: set[tuple[int, int]]
) -> list[Drop]:
    """The steps, and their continuations along the edge of the upper part.

    Where the two parts of a step meet a third, the upper part ends on that one too, as a jacket that is open
    over a shirt ends on the neck. What lies beneath is one surface there, so the drop continues and is as
    deep. It does not continue onto another upper part, as the other half of a jacket in two colours.

    Args:
        part: (V,) ``parts`` of a mesh (F, 3). tint: (P, 3) ``tints``; no drop continues between shades.
        known: pairs of parts whose border is measured; no drop continues there.
    """
    edges = unique_edges(faces)
    three = np.sort(part[faces], axis=1)
    three = np.unique(three[(np.diff(three, axis=1) > 0).all(1)], axis=0)  # parts that meet in a face
    order = {(s.border.parts[1 - s.beneath], s.border.parts[s.beneath]) for s in steps}  # above, beneath
    out, done = [], set(known)
    for step in steps:
        mine = step.border.edges if step.beneath else step.border.edges[:, ::-1]
        out.append(Drop(step, mine, measured=True))
        above, beneath = step.border.parts[1 - step.beneath], step.border.parts[step.beneath]
        for meeting in three[np.isin(three, step.border.parts).sum(1) == 2]:
            third = int(np.setdiff1d(meeting, step.border.parts)[0])
            pair = (min(above, third), max(above, third))
            if pair in done or (third, beneath) in order or _shades(tint, above, third):
                continue
            done.add(pair)
            on = edges[(np.sort(part[edges], axis=1) == pair).all(1)]
            on = np.where((part[on[:, 0]] == above)[:, None], on, on[:, ::-1])
            out.append(Drop(step, on, measured=False))
    return out


def straightened(vertices: np.ndarray, faces: np.ndarray, edges: np.ndarray):
    """Where to move the vertices of edges (E, 2) that cross a line, so that the line is no zigzag.

    Args:
        vertices: (V, 3), faces: (F, 3) of the mesh.

    Returns:
        The vertices (K,), and the faces (K,) and barycentric coordinates (K, 3) of their new places: along
        the surface, ``WIDE`` from the line, on the side where they were.
    """
    middle, across = vertices[edges].mean(1), vertices[edges[:, 1]] - vertices[edges[:, 0]]
    ids, second = np.unique(edges[:, ::-1].ravel(), return_index=True)
    side = np.where(second % 2, -1.0, 1.0)  # unique sees the second vertex of every edge first
    away = cKDTree(middle).sparse_distance_matrix(cKDTree(vertices[ids]), 3 * LINE, output_type="coo_matrix")
    near = sparse.csr_array(
        (np.exp(-0.5 * (away.data / LINE) ** 2), (away.col, away.row)), shape=(len(ids), len(edges))
    )
    normal = vertex_normals(vertices, faces)[ids]
    way = near @ across
    way -= (way * normal).sum(1, keepdims=True) * normal
    way /= np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-12)
    centre = near @ middle / near.sum(1)[:, None]
    move = side * WIDE - ((vertices[ids] - centre) * way).sum(1)
    most = np.linalg.norm(across, axis=1).mean()
    face, bary, _ = nearest_surface(
        vertices[ids] + way * np.clip(move, -most, most)[:, None], vertices, faces
    )
    return ids, face, bary


def stepped(
    vertices: np.ndarray, faces: np.ndarray, part: np.ndarray, found: list[Drop], held: np.ndarray
) -> np.ndarray:
    """(V,) metres along the normals of a mesh (V, 3), (F, 3) that make the drops; zero for most vertices.

    Args:
        part: (V,) ``parts``. held: (V,) in how many frames an outline fixed a vertex's place; it weakens
            drops that are continued.
    """
    count, edges = len(vertices), unique_edges(faces)
    length = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
    crossed = np.concatenate([d.edges for d in found])
    open_ = np.isin(edges @ [count, 1], np.sort(crossed, axis=1) @ [count, 1])
    joined, length = edges[~open_], length[~open_]
    wanted = np.concatenate([np.full(len(d.edges), -d.step.depth) for d in found])
    firm = (
        1 / KEPT / np.concatenate([1 + (not d.measured) * OVERRULED * held[d.edges].mean(1) for d in found])
    )
    rows = [
        difference(joined, 1 / (SLOPE * np.maximum(length, WIDE)), count),
        difference(crossed, firm, count),
    ]
    free = np.isin(part, part[crossed[:, 1]])
    still = np.where(free, USUAL, FIXED) ** -2 + np.where(free, EASED, 1) * outlined(held)
    system = sum(r.T @ r for r in rows) + sparse.diags_array(still)
    move = solve(sparse.csr_array(system), rows[1].T @ (firm * wanted))
    return np.where(np.abs(move) > NOTHING, move, 0)
