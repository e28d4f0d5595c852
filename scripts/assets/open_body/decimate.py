"""Mirror-symmetric half-edge-collapse simplification with quadric error (docs/body.md, 6, step 5).

Garland and Heckbert, "Surface Simplification Using Quadric Error Metrics", 1997. Vertices only move onto
existing vertices, so shapes, weights and UV of the remaining ones need no resampling.
"""

from __future__ import annotations

import heapq

import numpy as np

MIN_NORMAL_COS, MIN_QUALITY, MAX_VALENCE = 0.3, 0.12, 11
LENGTH_TERM = 1e-8  # metres^2 of error per (edge length)^2; spreads vertices over flat regions


def face_quadrics(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 4, 4) area-weighted sums of the plane quadrics around every vertex."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    area = np.linalg.norm(normal, axis=1) / 2
    unit = normal / np.maximum(2 * area, 1e-20)[:, None]
    plane = np.concatenate([unit, -(unit * a).sum(1, keepdims=True)], 1)
    quadric = area[:, None, None] / 3 * plane[:, :, None] * plane[:, None, :]
    out = np.zeros((len(vertices), 4, 4))
    for k in range(3):
        np.add.at(out, faces[:, k], quadric)
    return out


class Collapser:
    """The mesh while it shrinks: faces, vertex stars and quadrics."""

    def __init__(self, vertices, faces, uv, uv_faces, mirror, factor, locked):
        """See ``decimate`` for the arguments."""
        self.points = vertices
        self.homogeneous = np.concatenate([vertices, np.ones((len(vertices), 1))], 1)
        self.uv, self.mirror, self.factor, self.locked = uv, mirror, factor, set(locked.tolist())
        self.faces = [list(map(int, f)) for f in faces]
        self.uv_faces = [list(map(int, f)) for f in uv_faces]
        self.star: list[set[int]] = [set() for _ in vertices]
        for number, face in enumerate(self.faces):
            for v in face:
                self.star[v].add(number)
        self.quadrics = face_quadrics(vertices, faces)
        self.stamp = [0] * len(vertices)
        self.left = sum(1 for star in self.star if star)
        self._lock_seam_ends()

    def _lock_seam_ends(self) -> None:
        """A vertex where a UV seam ends or branches stays where it is."""
        uses: dict[tuple[int, int], set] = {}
        for face, uvs in zip(self.faces, self.uv_faces, strict=True):
            for k in range(3):
                pair = sorted([(face[k], uvs[k]), (face[k - 1], uvs[k - 1])])
                uses.setdefault((pair[0][0], pair[1][0]), set()).add((pair[0][1], pair[1][1]))
        degree: dict[int, int] = {}
        for (a, b), seen in uses.items():
            if len(seen) > 1:
                degree[a], degree[b] = degree.get(a, 0) + 1, degree.get(b, 0) + 1
        ends = {v for v, d in degree.items() if d != 2}
        self.locked |= ends | {int(self.mirror[v]) for v in ends}

    def neighbours(self, v: int) -> set[int]:
        """The one-ring of a vertex."""
        return {w for f in self.star[v] for w in self.faces[f]} - {v}

    def cost(self, u: int, v: int) -> float:
        """Error of moving ``u`` onto ``v``, weighted by the importance of ``u``'s region."""
        p = self.homogeneous[v]
        error = p @ (self.quadrics[u] + self.quadrics[v]) @ p
        d = self.points[u] - self.points[v]
        return self.factor[u] * (error + LENGTH_TERM * (d @ d))

    def targets(self, u: int) -> list[int]:
        """Vertices ``u`` may move onto: its own side or the midline; along it from the midline."""
        if u in self.locked or self.points[u, 0] < 0 and self.mirror[u] != u:
            return []
        around = self.neighbours(u)
        if self.mirror[u] == u:
            return [v for v in around if self.mirror[v] == v]
        return [v for v in around if self.points[v, 0] > 0 or self.mirror[v] == v]

    def _links(self, u: int, v: int) -> bool:
        around = self.neighbours(u)
        common = around & self.neighbours(v)
        merged = around | self.neighbours(v)
        return len(common) == 2 and len(merged) - 2 <= MAX_VALENCE and len(self.star[u]) > 2

    def _uv_map(self, u: int, v: int) -> dict[int, int] | None:
        """How ``u``'s texture corners become ``v``'s, or None where a seam forbids it."""
        moves: dict[int, int] = {}
        for f in self.star[u] & self.star[v]:
            a = self.uv_faces[f][self.faces[f].index(u)]
            b = self.uv_faces[f][self.faces[f].index(v)]
            if moves.setdefault(a, b) != b:
                return None
        corners = {self.uv_faces[f][self.faces[f].index(u)] for f in self.star[u]}
        return moves if corners <= moves.keys() else None

    def _shapes_hold(self, u: int, v: int, moves: dict[int, int]) -> bool:
        """Normals, triangle quality and UV orientation of the faces that would move."""
        faces = [f for f in self.star[u] if v not in self.faces[f]]
        old = np.array([self.faces[f] for f in faces])
        new = np.where(old == u, v, old)
        normals, quality = [], []
        for ids in (old, new):
            a, b, c = (self.points[ids[:, k]] for k in range(3))
            n = np.cross(b - a, c - a)
            size = np.linalg.norm(n, axis=1)
            sides = ((b - a) ** 2).sum(1) + ((c - b) ** 2).sum(1) + ((a - c) ** 2).sum(1)
            normals.append(n / np.maximum(size, 1e-20)[:, None])
            quality.append(2 * np.sqrt(3) * size / sides)
        if ((normals[0] * normals[1]).sum(1) < MIN_NORMAL_COS).any():
            return False
        if quality[1].min() < min(MIN_QUALITY, quality[0].min()):
            return False
        uvs = np.array([self.uv_faces[f] for f in faces])
        moved = np.array([[moves.get(k, k) for k in row] for row in uvs.tolist()])
        before, after = self._uv_area(uvs), self._uv_area(moved)
        return bool((after * np.sign(before) > 1e-9).all() or (before <= 1e-9).any())

    def _uv_area(self, corners: np.ndarray) -> np.ndarray:
        a, b, c = (self.uv[corners[:, k]] for k in range(3))
        return (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]

    def allowed(self, u: int, v: int) -> bool:
        """Whether ``u -> v`` (and its mirror image) keeps a sound, closed, unfolded surface."""
        mu, mv = int(self.mirror[u]), int(self.mirror[v])
        if mu != u:
            around, other = self.neighbours(u), self.neighbours(mu)
            if mu in around or (mv == v and not (around & other) <= self.neighbours(v) | {v}):
                return False
        for a, b in {(u, v), (mu, mv)}:
            moves = self._uv_map(a, b) if self._links(a, b) else None
            if moves is None or not self._shapes_hold(a, b, moves):
                return False
        return True

    def collapse(self, u: int, v: int) -> None:
        """Move ``u`` onto ``v``."""
        moves = self._uv_map(u, v)
        for f in list(self.star[u]):
            face, uvs = self.faces[f], self.uv_faces[f]
            if v in face:
                for w in face:
                    self.star[w].discard(f)
                continue
            k = face.index(u)
            face[k], uvs[k] = v, moves[uvs[k]]
            self.star[v].add(f)
        self.star[u] = set()
        self.quadrics[v] += self.quadrics[u]
        self.left -= 1

    def push(self, heap: list, v: int) -> None:
        """Queue every move of ``v`` and of its neighbours onto it."""
        for a in {v} | self.neighbours(v):
            for b in self.targets(a):
                if v in (a, b):
                    heapq.heappush(heap, (self.cost(a, b), a, b, self.stamp[a], self.stamp[b]))

    def run(self, count: int) -> None:
        """Collapse the cheapest moves until ``count`` vertices are left."""
        while self.left > count:
            before, heap = self.left, []
            for u in range(len(self.star)):
                for v in self.targets(u) if self.star[u] else ():
                    heap.append((self.cost(u, v), u, v, self.stamp[u], self.stamp[v]))
            heapq.heapify(heap)
            while heap and self.left > count:
                self._step(heap, count)
            if self.left == before:
                raise ValueError(f"no vertex can be removed any more; {before} are left, not {count}")

    def _step(self, heap: list, count: int) -> None:
        _, u, v, stamp_u, stamp_v = heapq.heappop(heap)
        stale = not self.star[u] or (stamp_u, stamp_v) != (self.stamp[u], self.stamp[v])
        mu, mv = int(self.mirror[u]), int(self.mirror[v])
        if stale or self.left - (1 + (mu != u)) < count or not self.allowed(u, v):
            return
        self.collapse(u, v)
        if mu != u:
            self.collapse(mu, mv)
        for w in {v, mv}:
            self.stamp[w] += 1
            self.push(heap, w)


def decimate(
    vertices: np.ndarray,
    faces: np.ndarray,
    uv: np.ndarray,
    uv_faces: np.ndarray,
    *,
    mirror: np.ndarray,
    factor: np.ndarray,
    locked: np.ndarray,
    count: int,
):
    """Simplify a closed symmetric mesh to exactly ``count`` vertices.

    Args:
        vertices: (V, 3) metres, symmetric. faces: (F, 3). uv: (U, 2). uv_faces: (F, 3).
        mirror: (V,) index of the mirror vertex. factor: (V,) importance, larger keeps more.
        locked: vertices that must stay.

    Returns:
        faces (2 count - 4, 3) and uv_faces, in the old numbering.
    """
    mesh = Collapser(vertices, faces, uv, uv_faces, mirror, factor, locked)
    mesh.run(count)
    alive = sorted({f for star in mesh.star for f in star})
    return np.array([mesh.faces[f] for f in alive]), np.array([mesh.uv_faces[f] for f in alive])
