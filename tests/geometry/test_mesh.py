"""Normals and edges of triangle meshes."""

import numpy as np
import pytest
import trimesh

from hvr_nb.geometry.mesh import face_normals, unique_edges, vertex_normals

TETRA = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0]])
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])


def test_face_normals_point_outwards_with_twice_the_area():
    normals = face_normals(TETRA, FACES)
    np.testing.assert_allclose(normals, [[0, 0, -1], [0, -1, 0], [-1, 0, 0], [1, 1, 1]])
    assert np.linalg.norm(normals[3]) / 2 == pytest.approx(np.sqrt(3) / 2)


def test_vertex_normals_of_a_sphere_are_its_radii():
    ball = trimesh.creation.icosphere(subdivisions=3)
    normals = vertex_normals(ball.vertices, ball.faces)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1)
    assert (normals * ball.vertices).sum(1).min() > 0.999


def test_lonely_vertices_have_no_normal_and_no_trouble():
    normals = vertex_normals(np.concatenate([TETRA, [[5, 5, 5]]]), FACES)
    assert np.isfinite(normals).all() and not normals[4].any()


def test_each_edge_is_listed_once():
    assert unique_edges(FACES).tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]
