import numpy as np
import pytest

from hvr_nb.body.model import load_body_model
from hvr_nb.canonical.big_pose import make_canonical, warp_to_posed
from hvr_nb.canonical.binding import bind
from hvr_nb.geometry.camera import default_camera
from hvr_nb.geometry.mesh import vertex_normals
from hvr_nb.methods.nvr import baked
from hvr_nb.methods.nvr.warp import pose_bank
from hvr_nb.subject.motion import walking_motion
from hvr_nb.types import Mesh


@pytest.fixture(scope="module")
def scene():
    """A shell 1 cm over the big-pose skin, bound to it, and one walking pose."""
    model = load_body_model()
    body = walking_motion(4)
    canonical = make_canonical(body, model)
    bank = pose_bank(model, canonical, body.betas, body.poses[1:2], body.transl[1:2])
    over = canonical.vertices + 0.01 * vertex_normals(canonical.vertices, canonical.faces)
    colours = np.full((len(over), 3), (255, 0, 51), np.uint8)
    mesh = Mesh(over.astype(np.float32), canonical.faces, colors=colours)
    return canonical, bank, mesh, bind(mesh.vertices, canonical)


def test_vertices_follow_the_body_as_samples_do(scene):
    canonical, bank, shell, bound = scene
    mine = baked.posed_vertices(bound, canonical.faces, bank)
    slow = warp_to_posed(shell.vertices, canonical, bank.vertices[0], bank.transforms[0])
    off = np.linalg.norm(mine - slow, axis=1)
    assert np.median(off) < 1e-5 and np.percentile(off, 99) < 2e-3


def test_the_picture_has_colour_alpha_and_depth_of_the_mesh(scene):
    canonical, bank, shell, bound = scene
    camera = default_camera(96, 96)
    vertices = baked.posed_vertices(bound, canonical.faces, bank)
    picture = baked.draw_baked(shell, vertices, camera)
    hit = picture.alpha > 0
    assert 200 < hit.sum() < 4000 and set(np.unique(picture.alpha)) == {0.0, 1.0}
    np.testing.assert_allclose(picture.rgb[hit], np.tile([1.0, 0, 0.2], (hit.sum(), 1)), atol=1e-5)
    assert (picture.depth[~hit] == 0).all()
    low, high = -vertices[:, 2].max(), -vertices[:, 2].min()
    assert low - 1e-6 <= picture.depth[hit].min() and picture.depth[hit].max() <= high + 1e-6


def test_rays_are_cut_to_the_mesh_with_two_stretches_where_it_is_deep():
    bounds = np.tile([2.0, 4.0, 4.0, 4.0], (20, 20, 1))
    bounds[:, 19] = (np.inf, -np.inf, np.inf, np.inf)  # rays that miss the shell
    depth = np.full((20, 20), np.inf)
    depth[5:15, 5:12] = 3.0
    depth[5:15, 12:19] = 3.5  # another limb half a metre behind
    out, count = baked.guided_bounds(bounds, depth, pixel_size=0.01)  # looks 2 pixels beside the mesh
    assert count[10, 8] == baked.MIDDLE[0]
    np.testing.assert_allclose(out[10, 8], [2.99, 3.01, 3.01, 3.01])
    assert count[10, 3] == baked.OUTLINE[0], "beside the outline"
    np.testing.assert_allclose(out[10, 3], [2.98, 3.0, 3.0, 3.02])
    assert count[10, 12] == baked.MANY, "the nearer and the farther limb"
    np.testing.assert_allclose(out[10, 12], [2.98, 3.08, 3.42, 3.52])
    assert count[10, 0] == 0 and out[10, 0].tolist() == [np.inf, -np.inf, np.inf, np.inf]
    assert (count[:, 19] == 0).all(), "rays outside the shell stay out"
