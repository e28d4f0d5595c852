"""Meshes that other programs read back, written whole or not at all."""

import errno
from pathlib import Path

import numpy as np
import pytest
import trimesh

from hvr_nb.formats.models.mesh_file import save_mesh
from hvr_nb.types import HvrError, Mesh

TETRA = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0]])
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])


@pytest.mark.parametrize("suffix", [".ply", ".obj", ".glb"])
def test_a_coloured_mesh_comes_back(tmp_path, suffix):
    colors = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 8, 7]], np.uint8)
    path = save_mesh(Mesh(TETRA, FACES, colors=colors), tmp_path / "new" / f"m{suffix}")
    got = trimesh.load(path, force="mesh", process=False)
    np.testing.assert_allclose(got.vertices, TETRA, atol=1e-6)
    np.testing.assert_array_equal(got.faces, FACES)
    np.testing.assert_array_equal(got.visual.vertex_colors[:, :3], colors)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def textured(shade: int) -> Mesh:
    texture = np.full((4, 4, 3), shade, np.uint8)
    texture[0, 0] = [255, 0, 0]  # top left of the picture, (0, 1) in texture coordinates
    uv = np.array([[0.05, 0.95], [0.9, 0.9], [0.1, 0.1], [0.9, 0.1], [0.5, 0.5]])
    return Mesh(
        TETRA, FACES, uv=uv, uv_faces=np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [4, 2, 3]]), texture=texture
    )


@pytest.mark.parametrize("suffix", [".obj", ".glb"])
def test_a_textured_mesh_keeps_its_seams(tmp_path, suffix):
    mesh = textured(100)
    got = trimesh.load(save_mesh(mesh, tmp_path / f"m{suffix}"), force="mesh", process=False)
    assert len(got.faces) == 4 and len(got.vertices) == 5  # vertex 1 stands on both sides of a seam
    np.testing.assert_allclose(got.vertices[got.faces], TETRA[FACES], atol=1e-6)
    np.testing.assert_allclose(got.visual.uv[got.faces], mesh.uv[mesh.uv_faces], atol=1e-6)
    material = got.visual.material
    image = np.asarray(getattr(material, "image", None) or material.baseColorTexture)
    np.testing.assert_array_equal(image[..., :3], mesh.texture)


def test_textured_meshes_in_one_folder_keep_their_own_textures(tmp_path):
    for name, shade in (("a", 10), ("b", 200)):
        save_mesh(textured(shade), tmp_path / f"{name}.obj")
    for name, shade in (("a", 10), ("b", 200)):
        got = trimesh.load(tmp_path / f"{name}.obj", force="mesh", process=False)
        assert np.asarray(got.visual.material.image)[3, 3, 0] == shade
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "a.mtl",
        "a.obj",
        "a.png",
        "b.mtl",
        "b.obj",
        "b.png",
    ]


def test_an_unknown_kind_of_file(tmp_path):
    with pytest.raises(HvrError, match=r"\.stl"):
        save_mesh(Mesh(TETRA, FACES), tmp_path / "m.stl")


def test_writing_twice_gives_the_same_bytes(tmp_path):
    a, b = (save_mesh(textured(5), tmp_path / f"{k}" / "m.glb").read_bytes() for k in range(2))
    assert a == b


@pytest.mark.parametrize("suffix", [".ply", ".obj", ".glb"])
def test_a_full_disk_keeps_the_old_mesh_and_is_named(tmp_path, monkeypatch, suffix):
    path = save_mesh(Mesh(TETRA, FACES), tmp_path / f"m{suffix}")
    before = path.read_bytes()

    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(HvrError, match=f"the disk is full: .*m{suffix} was not written"):
        save_mesh(Mesh(2 * TETRA, FACES), path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
