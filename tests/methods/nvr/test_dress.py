"""Body and loose clothes as one skin: posed without tearing, and the way back to the big pose."""

from dataclasses import replace

import numpy as np
import pytest

from hvr_nb.body.model import load_body_model
from hvr_nb.canonical.big_pose import make_canonical
from hvr_nb.geometry.mesh import unique_edges, vertex_normals
from hvr_nb.methods.nvr.dress import carve_dress, is_skirt, silhouettes
from hvr_nb.methods.nvr.warp import pose_bank, warp_rays
from hvr_nb.subject import load_truth, write_synthetic
from hvr_nb.surface.carving import joined


@pytest.fixture(scope="module")
def worn(tmp_path_factory):
    """Model, the truth of a turning subject in a skirt, and its dress."""
    folder = tmp_path_factory.mktemp("skirt")
    write_synthetic(folder, outfit="skirt", frames=8, size=128, hidden_views=0)
    model, truth = load_body_model(), load_truth(folder)
    canonical = make_canonical(truth.body, model)
    seen = silhouettes(model, truth.body, truth.alpha, truth.camera, np.arange(8))
    assert is_skirt(canonical, seen)
    dress = carve_dress(canonical, seen)
    return model, truth, canonical, dress


def swing(body):
    """A body of one frame with the legs 30 degrees apart."""
    pose = body.frame(0).body_pose.copy()
    pose[0, [0, 3]] = np.radians((-30, 30))
    return replace(body.frame(0), body_pose=pose)


def test_a_dress_spans_the_legs_and_does_not_tear(worn):
    model, truth, canonical, dress = worn
    skin, big = dress.canonical, dress.canonical.vertices
    assert ((np.abs(big[:, 0]) < 0.02) & (big[:, 1] < canonical.rest_joints[[1, 2], 1].mean() - 0.2)).any()
    body = swing(truth.body)
    bank = pose_bank(model, skin, body.betas, body.poses, body.transl, dress=dress)
    a, b = unique_edges(skin.faces).T
    stretch = np.linalg.norm(bank.vertices[0][a] - bank.vertices[0][b], axis=1) / np.linalg.norm(
        big[a] - big[b], axis=1
    )
    skirt = dress.binding.distance[a] > 0.05
    assert skirt.sum() > 500 and stretch[skirt].max() < 4


def test_points_on_the_posed_dress_come_back_to_their_place(worn):
    model, truth, _, dress = worn
    body = swing(truth.body)
    bank = pose_bank(model, dress.canonical, body.betas, body.poses, body.transl, dress=dress)
    over = bank.vertices[0] + np.float32(0.002) * vertex_normals(bank.vertices[0], dress.canonical.faces)
    points = over[::3, None].astype(np.float32)
    big, distance, _, _ = warp_rays(points, np.zeros(len(points), np.int64), bank, dress.canonical)
    off = np.linalg.norm(big[:, 0] - dress.canonical.vertices[::3], axis=1)
    assert np.percentile(off, 95) < 0.006
    assert np.median(np.abs(distance[:, 0] - 0.002)) < 1e-4


def test_no_dress_where_silhouettes_hold_nothing_loose(worn):
    model, truth, canonical, _ = worn
    bare = (np.arange(128)[:, None] < 0) | np.zeros((8, 128, 128), bool)
    seen = silhouettes(model, truth.body, (255 * bare).astype(np.uint8), truth.camera, np.arange(8))
    assert not is_skirt(canonical, seen) and carve_dress(canonical, seen) is None


def test_cloth_body_and_hull_become_one_solid():
    cloth, hull, body = np.zeros((3, 40, 40, 40), bool)
    body[10:30, 20:38, 10:30] = True
    cloth[10:30, 5:15, 10:30] = True
    hull[8:32, 3:20, 8:32] = True
    body[18:22, 26:30, 18:22] = False  # a hole within
    whole = joined(cloth, hull, body)
    assert whole[20, 15:20, 20].all(), "the hull fills the gap"
    assert whole[20, 28, 20], "no holes"
    assert not whole[:8].any() and not whole[:, :3].any()
    assert not joined(cloth, np.zeros_like(hull), body)[20, 16:19, 20].any(), "nothing beyond the hull"
