"""The texture of the synthetic person against the one it was painted with; what is hidden stays unseen."""

import cv2
import numpy as np
import pytest
import trimesh

from hvr_nb.geometry.camera import default_camera
from hvr_nb.subject import make_subject, pose_subject, render_subject, rotating_motion, subject_camera
from hvr_nb.subject.render import sample
from hvr_nb.surface.texture.bake import bake_texture, robust_mean
from hvr_nb.surface.texture.views import find_texels
from hvr_nb.types import HvrError, Masks, Mesh


def bake_person(*, align: bool):
    """Twelve frames of 384 x 384 around the synthetic person, and the true colours of the texels."""
    subject, camera = make_subject("shorts", seed=1), subject_camera(384, seed=1)
    body = rotating_motion(12, camera=camera, seed=1)
    take = render_subject(subject, body, shade=False, geometry=False)
    posed = pose_subject(subject, body)
    texture = bake_texture(
        lambda k: Mesh(posed[k], subject.faces),
        take.frames,
        Masks(take.alpha),
        camera,
        np.arange(12),
        size=512,
        align=align,
        rest=Mesh(subject.positions, subject.faces),
    )
    texels = find_texels(texture.uv, texture.uv_faces, 512)
    true = sample(subject.texture, np.einsum("nkc,nk->nc", subject.uv[texels.face], texels.bary))
    return texture, texels, true


@pytest.fixture(scope="module")
def baked():
    return bake_person(align=True)


def psnr(a, b):
    return 10 * np.log10(255**2 / ((a.astype(float) - b) ** 2).mean())


def test_seen_texels_have_the_colours_the_person_was_painted_with(baked):
    texture, texels, true = baked
    seen = texture.seen.ravel()[texels.flat]
    assert psnr(texture.image.reshape(-1, 3)[texels.flat][seen], true[seen]) > 25
    assert 70 < texture.seen_pct < 98, "the soles and what is under the clothes were not filmed"


def test_laying_frames_over_each_other_leaves_a_surface_that_is_right_as_it_is(baked):
    made = []
    for texture, texels, true in (baked, bake_person(align=False)):
        seen = texture.seen.ravel()[texels.flat]
        made.append(psnr(texture.image.reshape(-1, 3)[texels.flat][seen], true[seen]))
    assert made[0] > made[1] - 0.1, "the mean of all frames drifts, by 0.2 dB here, where nothing stops it"


def test_the_masks_say_what_is_what(baked):
    texture, texels, _ = baked
    assert not (texture.seen & ~texture.surface).any() and texture.surface.sum() == len(texels.flat)
    counts = np.bincount(texture.mask.ravel(), minlength=256)
    assert (
        counts[255] == texture.seen.sum()
        and counts[0] == (~texture.surface).sum()
        and counts.nonzero()[0].size == 3
    )


def test_unseen_texels_are_filled_from_around_them(baked):
    texture, texels, true = baked
    hidden = ~texture.seen.ravel()[texels.flat]
    got = texture.image.reshape(-1, 3)[texels.flat][hidden]
    mean = np.broadcast_to(texture.image[texture.seen].mean(0), got.shape)
    assert psnr(got, true[hidden]) > psnr(mean, true[hidden]) + 1


def wall_and_bar(bar_x: float):
    """A white wall, 1 m a side, 3 m ahead, and a red bar 20 cm before it at ``bar_x`` metres: one mesh."""
    grid = trimesh.creation.box(extents=(1, 1, 0.02)).subdivide().subdivide().subdivide()
    bar = trimesh.creation.box(extents=(0.12, 1.2, 0.02)).subdivide().subdivide().subdivide()
    grid.apply_translation((0, 0, -3))
    bar.apply_translation((bar_x, 0, -2.8))
    both = trimesh.util.concatenate([grid, bar])
    return Mesh(np.asarray(both.vertices), np.asarray(both.faces)), len(grid.faces)


def film(mesh, first_of_bar, camera):
    """(H, W, 3) uint8 and (H, W) uint8 alpha, drawn at four times the size so that outlines mix."""
    from hvr_nb.geometry.raster import rasterize

    face = rasterize(mesh.vertices, mesh.faces, camera.scaled(4))[1]
    colour = (
        np.where((face >= first_of_bar)[..., None], [230, 20, 20], [240, 240, 240]) * (face >= 0)[..., None]
    )
    size = (camera.width, camera.height)
    frame = cv2.resize(colour.astype(np.uint8), size, interpolation=cv2.INTER_AREA)
    return frame, cv2.resize(np.where(face >= 0, 255, 0).astype(np.uint8), size, interpolation=cv2.INTER_AREA)


def bake_walls(places):
    camera = default_camera(160, 160, focal=320)
    meshes = [wall_and_bar(x) for x in places]
    taken = [film(mesh, first, camera) for mesh, first in meshes]
    rest, first = wall_and_bar(0.9)
    texture = bake_texture(
        lambda k: meshes[k][0],
        np.stack([t[0] for t in taken]),
        Masks(np.stack([t[1] for t in taken])),
        camera,
        np.arange(len(places)),
        size=256,
        rest=rest,
    )
    texels = find_texels(texture.uv, texture.uv_faces, 256)
    wall = texels.face < first
    place = np.einsum("nkc,nk->nc", rest.vertices[rest.faces[texels.face]], texels.bary)
    front = wall & (place[:, 2] > -2.991) & (np.abs(place[:, :2]) < 0.48).all(1)
    return texture, texels, front, place


def test_an_arm_before_the_trunk_does_not_bleed_into_it():
    texture, texels, front, place = bake_walls([0.0])
    seen = texture.seen.ravel()[texels.flat]
    colours = texture.image.reshape(-1, 3)[texels.flat].astype(int)
    assert np.abs(colours[front & seen] - 240).max() <= 3, "not even where outlines mix colours"
    behind = front & (np.abs(place[:, 0]) < 0.06)
    assert not seen[behind].any() and np.abs(colours[behind] - 240).max() <= 3, (
        "unseen, filled in as the wall"
    )
    beside = front & (np.abs(place[:, 0]) > 0.12)
    assert seen[beside].mean() > 0.98


def test_what_another_frame_shows_is_seen():
    texture, texels, front, _ = bake_walls([-0.2, 0.2])
    seen = texture.seen.ravel()[texels.flat]
    assert seen[front].mean() > 0.98
    assert np.abs(texture.image.reshape(-1, 3)[texels.flat].astype(int)[front & seen] - 240).max() <= 3


def test_an_outlier_counts_little():
    colour = np.full((1, 7, 3), 100.0)
    colour[0, 3] = 250
    weight = np.ones((1, 7))
    assert np.abs(robust_mean(colour, weight) - 100).max() < 1
    weight[0, :] = [1, 1, 1, 0.4, 0, 0, 0]
    np.testing.assert_allclose(robust_mean(colour, weight), 100, atol=0.5)
    single = robust_mean(np.array([[[7.0, 8, 9], [0, 0, 0]]]), np.array([[0.5, 0]]))
    np.testing.assert_allclose(single, [[7, 8, 9]])


def test_no_frames_and_an_unseen_surface_are_refused():
    mesh, _ = wall_and_bar(0)
    camera = default_camera(32, 32)
    frames, masks = np.zeros((1, 32, 32, 3), np.uint8), Masks(np.zeros((1, 32, 32), np.uint8))
    with pytest.raises(HvrError, match="no frame was given"):
        bake_texture(lambda k: mesh, frames, masks, camera, np.array([], int), size=128)
    with pytest.raises(HvrError, match="shows the surface"):
        bake_texture(lambda k: mesh, frames, masks, camera, np.array([0]), size=128)


def test_frames_that_disagree_by_a_few_pixels_are_laid_over_each_other():
    """A pattern on a wall filmed twice; the surface is said to be 1 cm above and 1 cm below where it is."""
    camera = default_camera(160, 160, focal=320)
    grid = trimesh.creation.box(extents=(1, 1, 0.02)).subdivide().subdivide().subdivide()
    grid.apply_translation((0, 0, -3))
    vertices, faces = np.asarray(grid.vertices), np.asarray(grid.faces)
    row, col = np.mgrid[:160, :160] + 0.5
    wave = np.sin((80 - row) / 320 * 3 * 2 * np.pi / 0.12) * np.sin((80 - col) / 320 * 3 * 2 * np.pi / 0.3)
    frame = np.repeat(np.uint8(128 + 90 * wave)[..., None], 3, 2)
    frames, masks = np.stack([frame] * 2), Masks(np.full((2, 160, 160), 255, np.uint8))
    off = [np.array([0, y, 0]) for y in (-0.01, 0.01)]
    errors = []
    for align in (False, True):
        texture = bake_texture(
            lambda k: Mesh(vertices + off[k], faces),
            frames,
            masks,
            camera,
            np.arange(2),
            size=256,
            rest=Mesh(vertices, faces),
            align=align,
        )
        texels = find_texels(texture.uv, texture.uv_faces, 256)
        place = np.einsum("nkc,nk->nc", vertices[faces[texels.face]], texels.bary)
        front = (place[:, 2] > -2.991) & (np.abs(place[:, :2]) < 0.4).all(1)
        true = 128 + 90 * np.sin(place[:, 1] * 2 * np.pi / 0.12) * np.sin(-place[:, 0] * 2 * np.pi / 0.3)
        got = texture.image[..., 0].ravel()[texels.flat].astype(float)
        errors.append(np.abs(got - true)[front].mean())
    assert errors[1] < 0.5 * errors[0] and errors[1] < 8, errors
