"""From the clothed surface and labels to a person in layers (docs/surface.md, 14)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np

from hvr_nb.canonical.binding import bind_mesh, skin_weights
from hvr_nb.geometry.camera import resized_images, undistort_images
from hvr_nb.geometry.mesh import face_normals, vertex_normals
from hvr_nb.methods._clothed import Shaped
from hvr_nb.methods.recmv.avatar import GarmentAvatar, Wrinkles
from hvr_nb.methods.recmv.options import Options
from hvr_nb.surface.clothed.finish import ClothedSurface
from hvr_nb.surface.clothed.fit import Fit, Footage
from hvr_nb.surface.garments.borders import GarmentBorder, find_borders, fitted_borders
from hvr_nb.surface.garments.kinds import Piece, find_garments, label_field
from hvr_nb.surface.garments.open_front import coats_apart
from hvr_nb.surface.garments.settle import settled_labels
from hvr_nb.surface.garments.topology import ENDS, MeshGraph
from hvr_nb.surface.garments.under import goes_on
from hvr_nb.surface.garments.votes import KINDS, Votes, kinds_of, vote
from hvr_nb.surface.garments.wardrobe import Sheet, body_sheet, closed_sheet, dressed, garment_sheet
from hvr_nb.surface.remesh import subdivision
from hvr_nb.types import Camera, Masks

ARMS = (16, 17, 18, 19)  # joints whose cloth is sleeves
BEHIND = -0.3  # forward component of the normals of a back
TURNED = 300.0  # degrees that a person turns, at least, to be seen from all sides


def label_pictures(masks: Masks, film: Footage, camera: Camera) -> np.ndarray:
    """(N, H, W) int8 kinds of cloth in the frames of a film, of the film's size.

    Args:
        camera: of the masks; its distortion is taken out.
    """
    kinds = kinds_of(masks.labels[film.which], masks.label_set)
    if np.any(camera.dist):
        shares = [undistort_images(np.uint8(255) * (kinds == k), camera)[0] for k in range(-1, len(KINDS))]
        kinds = (np.argmax(shares, axis=0) - 1).astype(np.int8)
    return resized_images(kinds, film.camera, nearest=True)


def tailored(
    made: Shaped,
    pictures: np.ndarray,
    names: Sequence[str],
    options: Options,
    drawn: Mapping[tuple[str, str], Mapping[int, np.ndarray]] | None = None,
    *,
    by_colour: bool = False,
) -> GarmentAvatar:
    """The avatar: garments cut out of the shaped surface by the labels of all frames.

    Args:
        pictures: (N, H, W) of ``label_pictures``.
        names: garments that are there; empty: told from the labels.
        drawn: lines along borders, see ``drawn_lines``.
        by_colour: whether a colour model made the labels.

    Raises:
        HvrError: no garment is seen, or a named one is not there.
    """
    fit, surface = made.fit, made.surface
    warn_of_few_sides(fit)
    vertices, faces, film, skin = fit.vertices, fit.faces, fit.film, fit.skin()
    bound = bind_mesh(vertices, faces, fit.canonical)
    ends = {name: end_of_body(bound.weights, joints) for name, joints in ENDS.items()}
    placed = [
        (x.astype(np.float32), n.astype(np.float32)) for x, n in fit.posed(skin, vertices, faces, film.which)
    ]
    votes = vote(placed, vertices, faces, film.camera, pictures, film.distances, off=bound.distance)
    graph = MeshGraph(vertices, faces)
    behind = vertex_normals(vertices, faces)[:, 2] < BEHIND
    colour = surface.albedo[: len(vertices)].astype(np.float64)  # the finer mesh begins with these vertices
    votes, pictures = settled_labels(
        votes,
        pictures,
        film.frames,
        [x for x, _ in placed],
        (vertices, faces, colour),
        graph,
        ends,
        film.camera,
        closed=behind | np.isin(bound.weights.argmax(1), ARMS),
        names=names,
        by_colour=by_colour,
    )
    open_ = coats_apart(votes, graph, ends)
    beneath = {"upper": goes_on(votes, vertices, graph, fit.canonical)} if open_ else {}
    area = vertex_areas(vertices, faces)
    pieces = find_garments(votes, area, graph, ends, names=names, beneath=beneath)
    for piece in pieces:
        if piece.changed:
            warnings.warn(
                f"the labels do not show all borders of the {piece.name}; where they lie is partly a guess",
                stacklevel=2,
            )
    borders = fitted_borders(
        find_borders(pieces, vertices, faces, graph, ends),
        pieces,
        vertices,
        faces,
        graph,
        zip((x for x, _ in placed), skin.world[film.which], strict=True),
        film.camera,
        pictures,
        (skin_weights(bound), fit.canonical.A_big),
        drawn,
    )
    sheets = _sheets(fit, surface, pieces, votes, borders, ends)
    wardrobe, layers, curves = dressed(sheets, fit.canonical)
    found = {
        "frames_of_kinds": {name: int(count) for name, count in zip(KINDS, votes.frames, strict=True)},
        "curve_errors": {
            f"{b.garment} {b.name}": None if np.isnan(b.error) else b.error for b in borders
        },  # metres
    }
    avatar = GarmentAvatar(
        wardrobe,
        Wrinkles(surface.light, surface.centres, surface.heights),
        tuple(layers),
        tuple(curves),
        fit.canonical,
        made.body,
        fit.model,
        made.held_out,
        made.history,
        asdict(options) | found,
        options.model_file,
    )
    return avatar


def _sheets(
    fit: Fit,
    surface: ClothedSurface,
    pieces: Sequence[Piece],
    votes: Votes,
    borders: Sequence[GarmentBorder],
    coarse: dict,
) -> list[Sheet]:
    """All layers, cut out of the fine surface; ``coarse``: the ends of the body on the coarse one."""
    finer, faces = subdivision(fit.faces, len(fit.vertices))
    vertices, albedo = surface.vertices.astype(np.float64), surface.albedo.astype(np.float64)
    graph, area = MeshGraph(vertices, faces), vertex_areas(vertices, faces)
    ends = {
        name: share >= min(0.999, share.max()) for name, share in ((n, finer @ s) for n, s in coarse.items())
    }
    bare = finer @ votes.share[:, KINDS.index("skin")] > 0.5
    sheets = [body_sheet(fit.canonical, vertices, faces, albedo, bare)]
    sheets += [
        garment_sheet(
            p,
            finer @ p.field,
            vertices,
            faces,
            albedo,
            graph,
            ends,
            borders,
            fit.vertices,
            fit.canonical,
            None if p.hidden is None else finer @ p.hidden.astype(np.float64),
        )
        for p in pieces
    ]
    for name in ("hair", "shoes"):
        sheet = closed_sheet(name, finer @ label_field(votes, name), vertices, faces, albedo, graph, area)
        sheets += [sheet] if sheet else []
    return sheets


def end_of_body(weights: np.ndarray, joints: Sequence[int]) -> np.ndarray:
    """(V,) bool: the vertices that belong to some joints by their weights (V, 24).

    At least one: on a coarse surface a hand may have none of its own.
    """
    own, share = np.isin(weights.argmax(1), joints), weights[:, list(joints)].sum(1)
    return own if own.any() else share >= share.max()


def vertex_areas(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V,) square metres of a mesh (V, 3), (F, 3) at each vertex: a third of its faces'."""
    size = np.linalg.norm(face_normals(vertices, faces), axis=1) / 6
    return np.bincount(faces.ravel(), np.repeat(size, 3), minlength=len(vertices))


def warn_of_few_sides(fit: Fit) -> None:
    """Warn where the person does not turn: the sides that nobody saw are a guess."""
    world = fit.skin().world[fit.film.which]
    ahead = world[:, 0, :, 2]  # the pelvis's forward axis
    yaw = np.degrees(np.unwrap(np.arctan2(ahead[:, 0], ahead[:, 2])))
    if np.ptp(yaw) < TURNED:
        warnings.warn(
            f"the person turns by only {np.ptp(yaw):.0f} degrees in this clip; garments are a guess on the "
            "sides that were not seen: film a whole turn",
            stacklevel=3,
        )
