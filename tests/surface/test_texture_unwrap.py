"""Charts that fill a texture without lying over each other."""

import numpy as np
import pytest
import trimesh

from hvr_nb.body.model import load_body_model
from hvr_nb.geometry.mesh import face_normals
from hvr_nb.geometry.raster import rasterize_pixels
from hvr_nb.surface.texture.unwrap import unwrap_mesh
from hvr_nb.types import HvrError


def body():
    model = load_body_model()
    return model.v_template.numpy(), model.faces


def spiral():
    """A ramp of two turns: seen from above it lies over itself."""
    angle = np.linspace(0, 4 * np.pi, 200)
    rim = [np.stack([r * np.cos(angle), angle / 10, r * np.sin(angle)], 1) for r in (0.5, 1)]
    i = np.arange(199)
    quads = np.concatenate([np.stack([i, i + 1, i + 200], 1), np.stack([i + 1, i + 201, i + 200], 1)])
    return np.concatenate(rim), quads


def ball():
    made = trimesh.creation.icosphere(subdivisions=3)
    return np.asarray(made.vertices), np.asarray(made.faces)


@pytest.mark.parametrize("shape", [body, spiral, ball])
def test_charts_are_apart_and_not_mirrored(shape):
    vertices, faces = shape()
    uv, uv_faces = unwrap_mesh(vertices, faces, size=512)
    assert uv.min() >= 0 and uv.max() <= 1 and uv_faces.shape == faces.shape
    a, b, c = (uv[uv_faces[:, k]] for k in range(3))
    signed = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
    area = np.linalg.norm(face_normals(vertices, faces), axis=1) / 2
    fine = area > 1e-9
    assert (signed[fine] > 0).mean() > 0.999
    ratio = signed[fine] / area[fine]
    assert np.percentile(ratio, 5) > 0.4 * ratio.max(), "texels are spread evenly"
    x = uv * 512
    first = rasterize_pixels(x, np.ones(len(uv)), uv_faces, 512, 512)[1]
    last = rasterize_pixels(x, np.ones(len(uv)), uv_faces[::-1], 512, 512)[1]
    last = np.where(last >= 0, len(faces) - 1 - last, -1)
    f, g = first[first != last], last[first != last]
    shared = (uv_faces[f][:, :, None] == uv_faces[g][:, None, :]).any((1, 2))
    assert (~shared).sum() <= 2, "a texel belongs to one place of the surface"
    assert (first >= 0).mean() > 0.25, "the square is used"


def test_a_vertex_keeps_its_place_in_every_chart():
    vertices, faces = body()
    uv, uv_faces = unwrap_mesh(vertices, faces, size=256)
    vertex = np.full(len(uv), -1)
    vertex[uv_faces] = faces
    assert (vertex[uv_faces] == faces).all() and (vertex >= 0).all()
    again = unwrap_mesh(vertices, faces, size=256)
    assert (uv == again[0]).all() and (uv_faces == again[1]).all()


def test_no_faces_and_too_small_an_atlas_are_refused():
    vertices, faces = body()
    with pytest.raises(HvrError, match="no faces"):
        unwrap_mesh(vertices, faces[:0])
    with pytest.raises(HvrError, match="larger"):
        unwrap_mesh(vertices, faces, size=16)
