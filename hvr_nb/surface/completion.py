"""Colours of surface that no frame shows: a guess from what was seen (docs/surface.md, 8).

People and most clothes look alike on the left and on the right, so the mirrored place, where it was seen, is
a good guess. Elsewhere colours go on smoothly from their surroundings.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import cg

from hvr_nb.geometry.mesh import unique_edges, vertex_normals
from hvr_nb.geometry.nearest import nearest_surface, on_surface

LEAST = 0.05  # sum of the weights of sightings from which on a colour counts as seen
ALIKE = 0.05  # metres between a mirrored point and the surface that still correspond
TURNED = 0.5  # least cosine between their normals
MIRROR = 0.03  # weight of the mirrored colour against each neighbour's; differences fade within 6 edges
MEAN = 1e-6  # the same of the mean colour, for surface that hangs together with nothing seen


def completed(colour: np.ndarray, seen: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Colours c with the unseen ones completed by mirrored ones m, by Poisson's equation.

    The minimum of the sum of |c_i - c_j - (m_i - m_j)|^2 over edges and of ``MIRROR`` |c_i - m_i|^2: marks
    of the seen side appear on the other, and what differs between the sides fades (Perez et al., "Poisson
    Image Editing", 2003). Without a mirrored colour the differences shall be zero.

    Args:
        colour: (V, 3), NaN where nothing is known. seen: (V,) sum of the weights of the sightings.
        vertices: (V, 3) in the big pose, metres, whose plane of symmetry is x = 0. faces: (F, 3).

    Returns:
        (V, 3) without NaN; grey where nothing at all was seen.
    """
    known = np.isfinite(colour).all(1) & (seen >= LEAST)
    if not known.any():
        return np.full_like(colour, 0.5)
    out = np.where(known[:, None], colour, 0.0)
    unseen = np.flatnonzero(~known)
    if not len(unseen):
        return out.astype(colour.dtype)
    edges, count = unique_edges(faces), len(colour)
    both = np.concatenate([edges, edges[:, ::-1]])
    links = sparse.coo_array((np.ones(len(both)), both.T), shape=(count, count)).tocsr()[unseen]
    guess, there = _mirrored(out, known, np.unique(both[~known[both].all(1)]), vertices, faces)
    trust, mean = there[unseen], out[known].mean(0)
    marks = trust[:, None] * ((links @ there)[:, None] * guess[unseen] - links @ guess)
    right = links @ out + marks + MIRROR * guess[unseen] + MEAN * mean
    system = sparse.csr_array(sparse.diags_array(links.sum(1) + MIRROR * trust + MEAN) - links[:, unseen])
    inverse = sparse.diags_array(1 / system.diagonal())
    start = np.where(trust[:, None] > 0, guess[unseen], mean)
    for c in range(3):
        out[unseen, c] = cg(system, right[:, c], x0=start[:, c], rtol=1e-4, maxiter=300, M=inverse)[0]
    return np.clip(out, 0, colour[known].max(0)).astype(colour.dtype)


def _mirrored(colour, known, which, vertices, faces) -> tuple[np.ndarray, np.ndarray]:
    """Colours (V, 3) at the mirrored places of the vertices ``which``, and 1 where these were seen (V,).

    Both are 0 elsewhere.
    """
    flip = np.array([-1.0, 1, 1])
    face, bary, distance = nearest_surface(vertices[which] * flip, vertices, faces)
    normal = vertex_normals(vertices, faces)
    facing = (normal[which] * flip * on_surface(normal, faces, face, bary)).sum(1)
    fine = known[faces[face]].all(1) & (np.abs(distance) < ALIKE) & (facing > TURNED)
    there, guess = np.zeros(len(colour)), np.zeros(colour.shape)
    there[which[fine]], guess[which[fine]] = 1, on_surface(colour, faces, face[fine], bary[fine])
    return guess, there
