"""Garments of the synthetic person: open meshes near the true ones, over a bare body, in every pose."""

import json
import shutil
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import trimesh

from hvr_nb.batch import run_chain
from hvr_nb.body.model import load_body_model, posed
from hvr_nb.drawing import draw_curves
from hvr_nb.export import dress_another, export_avatar, export_garments
from hvr_nb.formats.datasets.recmv_lines import write_lines
from hvr_nb.geometry.mesh import clustered
from hvr_nb.geometry.open_mesh import topology
from hvr_nb.geometry.outline_distance import pixels_of
from hvr_nb.methods import recmv
from hvr_nb.methods.recmv.fit import end_of_body, label_pictures
from hvr_nb.methods.recmv.lines import drawn_lines
from hvr_nb.metrics.images import iou
from hvr_nb.store.clip import Clip
from hvr_nb.subject.truth_garments import true_garments
from hvr_nb.surface.garments.kinds import CURVES
from hvr_nb.surface.garments.outside import penetration
from hvr_nb.surface.garments.votes import KINDS
from hvr_nb.types import HvrError, Masks, Mesh

NOTEBOOKS = Path(__file__).parents[3] / "notebooks"
QUICK = recmv.Options(cell=0.014)


@pytest.fixture(scope="module")
def clip(turning_clip):
    return turning_clip


@pytest.fixture(scope="module")
def avatar(clip):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        return recmv.reconstruct(clip, QUICK)


def test_garments_have_their_borders_and_are_near_the_true_ones(avatar, turning):
    found = {g.name: g for g in avatar.garments()}
    assert list(found) == ["shirt", "trousers", "hair", "shoes"] and avatar.names[0] == "body"
    for true in true_garments(turning.truth.subject(), pose="big", seen=True):
        mine = found[true.name]
        shape = topology(mine.mesh.faces)
        assert shape.sound and shape.genus == 0 and shape.pieces == 1 and shape.loops == len(true.curves)
        assert set(mine.curves) == set(true.curves) == set(CURVES[true.name])
        for name, curve in true.curves.items():
            gap = np.linalg.norm(curve[:, None] - mine.curves[name][None], axis=-1)
            assert (gap.min(0).mean() + gap.min(1).mean()) / 2 < 0.02, (true.name, name)
    for name in ("hair", "shoes"):
        shape = topology(found[name].mesh.faces)
        assert shape.loops == 0 and shape.sound and shape.pieces == (2 if name == "shoes" else 1)
        assert not found[name].curves


def test_the_arcs_agree_with_the_curves(avatar):
    errors = avatar.options["curve_errors"]
    assert len(errors) == 7 and all(0 < error < 0.008 for error in errors.values())


def test_cloth_is_outside_the_bare_body_in_the_clips_poses_and_others(avatar):
    for k in (0, 5, 11):
        body = avatar.body.frame(k)
        bend = body.body_pose.copy()
        bend[0, [0, 3]] += [-0.5, 0.5]
        for pose, frame in ((body, k), (replace(body, body_pose=bend), None)):
            layers = avatar.layers(pose, frame=frame)
            for name in ("shirt", "trousers"):
                cloth, bare = layers[name], layers["body"]
                inside = penetration(cloth.vertices, cloth.faces, bare.vertices, bare.faces)
                assert inside < 0.005, (k, name, inside)


def test_the_body_under_the_clothes_is_the_clips_body(avatar, clip):
    body = avatar.body.frame(4)
    bare = posed(load_body_model(), body)[0][0]
    np.testing.assert_allclose(avatar.layers(body)["body"].vertices, bare, atol=1e-4)
    colours = avatar.layers()["body"].colors[:, :].astype(float)
    assert colours.std() > 1 and (colours[:, 0] > colours[:, 2]).mean() > 0.7, "skin, where skin was seen"


def test_silhouettes_agree_and_curves_move_with_the_mesh(avatar, clip):
    for k in (0, 7):
        picture = avatar.render(clip.body.camera, avatar.body.frame(k), frame=k)
        assert iou((255 * picture.alpha).astype(np.uint8), clip.masks.alpha[k]) > 0.9
    garment = next(g for g in avatar.garments(avatar.body.frame(7), frame=7) if g.name == "trousers")
    places = {tuple(v) for v in garment.mesh.vertices.tolist()}
    assert all(tuple(p) in places for curve in garment.curves.values() for p in curve.tolist())
    low = garment.curves["left_ankle"][:, 1].max()
    assert low < garment.curves["waist"][:, 1].min() - 0.15


def test_named_garments_and_what_is_wrong_with_labels(clip, tmp_path, monkeypatch):
    with pytest.raises(HvrError, match="'cape'; known are"):
        recmv.reconstruct(clip, recmv.Options(garments="cape"))
    bare = Clip.open(shutil.copytree(clip.folder, tmp_path / "bare"))
    bare.save("masks", Masks(alpha=clip.masks.alpha))
    with pytest.raises(HvrError, match="no labels of garments; run 02_masks"):
        recmv.reconstruct(bare, QUICK)
    masks = clip.masks
    small = replace(masks, labels=masks.labels[:, ::2, ::2])
    monkeypatch.setattr(Clip, "masks", property(lambda self: small))
    with pytest.raises(HvrError, match="labels are 80x80 in 16 frames, the masks 160x160"):
        recmv.reconstruct(clip, QUICK)


def test_labels_go_through_the_lens_and_the_size_of_the_film(clip):
    masks, camera = clip.masks, clip.body.camera
    film = SimpleNamespace(which=np.array([2, 5]), camera=camera)
    plain = label_pictures(masks, film, camera)
    assert plain.shape == (2, 160, 160) and set(np.unique(plain)) <= set(range(-1, len(KINDS)))
    bent = label_pictures(masks, film, replace(camera, dist=np.array([0.1, 0, 0, 0, 0])))
    changed = (bent != plain).mean()
    assert 0 < changed < 0.1, "a weak lens moves borders only"
    half = label_pictures(masks, SimpleNamespace(which=np.array([2]), camera=camera.scaled(0.5)), camera)
    assert half.shape == (1, 80, 80)


def test_lines_of_a_recmv_folder_are_the_films(clip, tmp_path):
    """``mask2fl`` of the clip's folder: its frames, borders and pixels."""
    camera = clip.body.camera
    film = SimpleNamespace(which=np.array([2, 5]), camera=camera.scaled(0.5))
    mine = Clip.open(shutil.copytree(clip.folder, tmp_path / "mine"))
    assert drawn_lines(mine, film.which, camera, film.camera) == {}
    line = np.array([[40.5, 60.5], [80.5, 62.5]])
    frames = {5: {"upper_bottom": line, "left_pant": line + 10}, 9: {"neck": line}, 2: {"bottom_curve": line}}
    write_lines(mine.folder, "mask2fl", frames, size=(160, 160))
    found = drawn_lines(mine, film.which, camera, film.camera)
    borders = [
        ("shirt", "hem"),
        ("trousers", "waist"),
        ("skirt", "waist"),
        ("trousers", "left_ankle"),
        ("dress", "hem"),
        ("tube", "hem"),
        ("skirt", "hem"),
    ]
    assert set(found) == set(borders)
    assert set(found["shirt", "hem"]) == {0, 1} and set(found["trousers", "waist"]) == {1}
    np.testing.assert_allclose(found["trousers", "left_ankle"][1], (line + 10) / 2)
    bent = drawn_lines(mine, film.which, replace(camera, dist=np.array([0.1, 0, 0, 0, 0])), film.camera)
    moved = np.abs(bent["shirt", "hem"][1] - line / 2).max()
    assert 0.001 < moved < 2, "a weak lens"


def test_a_person_who_does_not_turn_is_a_warning(avatar, clip):
    from hvr_nb.methods.recmv.fit import warn_of_few_sides

    world = np.tile(np.eye(4)[:3], (4, 24, 1, 1))
    film = SimpleNamespace(which=np.arange(4))
    still = SimpleNamespace(film=film, skin=lambda: SimpleNamespace(world=world))
    with pytest.warns(UserWarning, match="turns by only 0 degrees"):
        warn_of_few_sides(still)


def test_a_coarser_mesh_keeps_layers_apart(avatar):
    own, coarse = avatar.mesh(), avatar.mesh(resolution=40)
    assert 100 < len(coarse.vertices) < len(own.vertices) / 3 and len(
        avatar.mesh(resolution=4000).vertices
    ) == len(own.vertices)
    np.testing.assert_allclose(np.ptp(coarse.vertices, axis=0), np.ptp(own.vertices, axis=0), atol=0.06)
    square = Mesh(
        np.array([[0, 0, 0], [0.1, 0, 0], [1, 0, 0], [0, 1, 0.0]]),
        np.array([[0, 2, 3], [1, 2, 3], [0, 1, 3]]),
    )
    joined, apart = (clustered(square, np.array(group), 0.5) for group in ([0, 0, 0, 0], [0, 1, 1, 1]))
    assert len(joined.vertices) == 3 and len(joined.faces) == 1 and len(apart.vertices) == 4


@pytest.mark.slow
def test_the_notebooks_show_curves_and_layers(clip, avatar):
    """05 to 07, the report and the pictures, without a line about this method but its curves."""
    given = {
        "05_train": {"method": "recmv", "hold_out": 4, "garments": "trousers,shirt"},
        "": {"method": "recmv"},
        "06_render": {"views": 2, "motion_frames": 2, "novel_limit": 1, "mesh_resolution": 48},
        "07_visualize": {"player_side": 96},
    }
    run_chain("", clip.folder, notebooks_dir=NOTEBOOKS, overrides=given, from_stage="05", progress=False)
    numbers = Clip.open(clip.folder).metrics
    assert numbers["06_render"]["heldout_body_psnr"] > 12 and numbers["06_render"]["seen_pct"] > 50
    assert (clip.folder / "renders" / "recmv" / "canonical.glb").stat().st_size > 1000
    assert "</html>" in (clip.folder / "report.html").read_text()


def test_garments_leave_as_nodes_of_one_glb(avatar, tmp_path):
    made = export_avatar(avatar, tmp_path / "out", fps=10.0)
    scene = trimesh.load(tmp_path / "out" / "avatar.glb")
    layers = avatar.layers()
    assert len(scene.geometry) == len(layers) == 5 and made.loss["mean_mm"] < 10
    faces = sorted(len(part.faces) for part in scene.geometry.values())
    assert faces == sorted(len(mesh.faces) for mesh in layers.values())


def test_another_body_wears_the_garments(avatar):
    stout = avatar.body.betas + np.eye(10)[1] * -2
    dressed = dress_another(avatar, stout)
    assert len(dressed.vertices) == len(avatar.surface().vertices) and len(dressed.colors) == len(
        dressed.vertices
    )
    np.testing.assert_array_equal(dressed.faces, avatar.surface().faces)
    skin = dressed.vertices[avatar.made.layer == 0].astype(float)
    of_face = avatar.made.layer[avatar.made.faces[:, 0]]
    for name in ("shirt", "trousers"):
        cloth = avatar.made.faces[of_face == avatar.names.index(name)]
        inside = penetration(dressed.vertices.astype(float), cloth, skin, avatar.canonical.faces)
        assert inside < 0.005, (name, inside)
    assert np.abs(dressed.vertices - avatar.surface().vertices).max() > 0.01


def test_files_of_a_trained_avatar_have_its_loops(avatar, tmp_path):
    """Loops and Euler numbers read off the files again, in the big pose and in a frame."""
    still = replace(
        avatar,
        body=avatar.body.frame(3),
        wrinkles=replace(avatar.wrinkles, heights=avatar.wrinkles.heights[3:4]),
    )
    made = export_garments(still, tmp_path / "out", each_frame=True)
    wanted = {"shirt": (4, -2), "trousers": (3, -1), "hair": (0, 2), "shoes": (0, 4)}
    for name, (loops, euler) in wanted.items():
        for file in (made / f"registry_{name}.obj", made / "meshs" / f"{name}_000000.obj"):
            read = trimesh.load(file, process=False)
            shape = topology(np.asarray(read.faces))
            assert (shape.loops, shape.euler, shape.sound) == (loops, euler, True), file
            assert np.ptp(read.visual.vertex_colors[:, :3], axis=0).max() > 10, "coloured"
    posed_ = still.layers(still.body, frame=0)
    read = trimesh.load(made / "meshs" / "shirt_000000.obj", process=False)
    np.testing.assert_allclose(read.vertices, posed_["shirt"].vertices, atol=1e-5)
    bare = trimesh.load(made / "smpl_meshs" / "smpl_000000.obj", process=False)
    np.testing.assert_allclose(bare.vertices, posed_["body"].vertices, atol=1e-5)


def test_curves_are_drawn_bright_where_they_are_seen(avatar, clip):
    pose = avatar.body.frame(0)
    frame, worn, whole = clip.frames[0], avatar.garments(pose), avatar.surface(pose)
    drawn = draw_curves(frame, worn, whole, clip.body.camera)
    changed = (drawn != frame).any(-1)
    assert 100 < changed.sum() < 0.1 * changed.size and drawn.shape == frame.shape
    for garment in worn:
        for curve in garment.curves.values():
            pixels = np.floor(pixels_of(curve, clip.body.camera)[0]).astype(int)
            assert changed[pixels[:, 1], pixels[:, 0]].mean() > 0.8
    double = draw_curves(np.repeat(np.repeat(frame, 2, 0), 2, 1), worn, whole, clip.body.camera)
    assert double.shape == (320, 320, 3)


def test_a_changed_file_is_named(avatar, tmp_path):
    folder = avatar.save(tmp_path / "copy")
    assert recmv.load(folder).fingerprint == avatar.fingerprint
    assert [g.name for g in recmv.load(folder).garments()] == [g.name for g in avatar.garments()]
    options = json.loads((folder / "options.json").read_text())
    (folder / "options.json").write_text(json.dumps(options | {"names": ["body", "shirt"]}))
    with pytest.raises(HvrError, match="wardrobe.npz does not fit"):
        recmv.load(folder)


def test_an_end_of_the_body_is_somewhere_on_a_coarse_surface():
    weights = np.zeros((3, 24))
    weights[0, 20], weights[1, [20, 22]], weights[2, 18] = 1, (0.7, 0.3), 1
    assert end_of_body(weights, (22,)).tolist() == [False, True, False], "the vertex that is most of a hand"
    assert end_of_body(weights, (20,)).tolist() == [True, True, False]
