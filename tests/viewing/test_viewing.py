"""show and slider: what is drawn of each type, what a notebook keeps, live widgets, 3D scenes."""

import base64
import html
import json
import re
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest

from hvr_nb import viewing
from hvr_nb.batch import run_notebook
from hvr_nb.body.model import load_body_model, posed
from hvr_nb.canonical.big_pose import make_canonical
from hvr_nb.geometry.camera import default_camera
from hvr_nb.subject.motion import walking_motion
from hvr_nb.types import Body, Canonical, HvrError, Joints3D, Keypoints, Masks, Mesh, Tracks
from hvr_nb.viewing import (
    Scene,
    Timeline,
    display,
    film,
    live,
    saved,
    saving,
    scenes,
    show,
    show_example,
    slider,
)
from hvr_nb.viewing.numbers import table
from hvr_nb.viewing.saved import strip
from hvr_nb.viewing.scene import Bones, Solid, person_scene, skinned_body
from hvr_nb.viewing.scene_data import pack_scene
from hvr_nb.viewing.views import as_view, side_by_side

T = 5
FRAMES = np.full((T, 96, 128, 3), 120, np.uint8)


@pytest.fixture(scope="module")
def body():
    """A body that stands 3 m before the camera and turns."""
    turn = np.stack([np.zeros(T), np.linspace(0, 1, T), np.zeros(T)], 1)
    place = np.tile(np.float32([0, 0.2, -3]), (T, 1))
    camera, model = default_camera(128, 96), load_body_model()
    valid = np.array([True, True, False, True, True])
    return Body(np.zeros(10), turn, np.zeros((T, 69)), place, camera, valid, model.hash)


@pytest.fixture(scope="module")
def keypoints():
    points = np.random.default_rng(0).uniform(20, 80, (T, 25, 3))
    points[..., 2] = 1
    return Keypoints(points, np.zeros((T, 25), bool), np.ones(T, bool), np.zeros((T, 4)))


def canonical(model):
    """A Canonical with what is drawn of it; the fields are empty."""
    empty, vertices = np.zeros(0), model.v_template.numpy()
    names = ("a", "b", "c")
    parts = (np.arange(len(vertices)) % 3).astype(np.uint8)
    values = {f: empty for f in Canonical.__dataclass_fields__} | {
        "vertices": vertices,
        "faces": model.faces,
        "weights": model.weights.numpy(),
        "parts": parts,
        "part_names": names,
        "spacing": 0.1,
        "field_distance": np.zeros((1, 1, 1)),
    }
    return Canonical(**values)


def test_widgets_live_only_where_their_server_keeps_them_out_of_the_file(monkeypatch):
    monkeypatch.setattr("IPython.get_ipython", lambda: type("Shell", (), {"kernel": object()})())
    monkeypatch.delenv("HVR_NB_BATCH", raising=False)
    monkeypatch.delenv("HVR_NB_LIVE", raising=False)
    assert not display.is_live()
    monkeypatch.setenv("HVR_NB_LIVE", "1")
    assert display.is_live()
    monkeypatch.setenv("HVR_NB_BATCH", "1")
    assert not display.is_live()


def test_every_type_has_a_strip(body, keypoints):
    model = load_body_model()
    vertices, joints = posed(model, body)
    mesh = Mesh(vertices[0], model.faces)
    alpha = np.zeros((T, 96, 128), np.uint8)
    alpha[:, 20:80, 40:80] = 255
    labels = (alpha > 0).astype(np.uint8) * 5
    masks = Masks(alpha, labels, "CIHP", source="hand", parsing_source="colours, not SCHP")
    for value, options in (
        (FRAMES, {}),
        (FRAMES[0], {}),
        ([FRAMES[0], FRAMES[1, :50]], {"captions": ["a", "b"]}),
        (keypoints, {"over": FRAMES}),
        (masks, {"over": FRAMES}),
        (masks, {}),
        (body, {"over": FRAMES}),
        (body, {}),
        (canonical(model), {}),
        (canonical(model), {"color": "weights"}),
        (mesh, {}),
        (mesh, {"over": FRAMES[0], "camera": body.camera}),
        (Joints3D(joints, body.valid), {}),
        ({"film": FRAMES, "again": FRAMES}, {}),
        ([mesh, mesh], {}),
        (Tracks(np.full((2, T, 4), [10.0, 20.0, 40.0, 80.0]), 1), {"over": FRAMES}),
    ):
        picture = strip(as_view(value, **options))
        assert picture.dtype == np.uint8 and picture.ndim == 3 and (picture < 200).any(), type(value)
    assert "not SCHP" in as_view(masks, over=FRAMES).title
    assert "1 frames interpolated" in as_view(body, over=FRAMES).title


def test_tracks_show_who_is_where_and_who_was_chosen():
    boxes = np.full((2, T, 4), [[[10.0, 20.0, 40.0, 80.0]], [[70.0, 20.0, 100.0, 80.0]]])
    boxes[0, 2:] = np.nan
    tracks = Tracks(boxes, 1)
    assert tracks.seen.sum(1).tolist() == [2, T] and "person 1 chosen" in repr(tracks)
    view = as_view(tracks, over=FRAMES)
    first, last = (np.abs(view.panels[""](t).astype(int) - FRAMES[t]).max(-1) > 20 for t in (0, T - 1))
    assert (
        not last[:, :55].any() and 1.5 * first[:, :55].sum() < last[:, 55:].sum()
    )  # the chosen one's box is thick
    assert len(view.notes) == 1
    with pytest.raises(HvrError, match="tracks for"):
        as_view(tracks, over=FRAMES[:2])


def test_body_lies_where_it_projects(body):
    view = as_view(body, over=FRAMES)
    drawn = view.panels[""](0)
    changed = (np.abs(drawn.astype(int) - 120) > 3).any(-1)
    assert 0.03 < changed.mean() < 0.6


def test_what_does_not_fit_is_said(body, keypoints):
    for call, message in (
        (lambda: show(3), "does not know int"),
        (lambda: show([]), "list is empty"),
        (lambda: show(np.zeros((2, 2, 2, 2, 2))), "no image and no frames"),
        (lambda: show(keypoints), "over=clip.frames"),
        (lambda: show(body, over=FRAMES[:2]), "2 frames and body for 5"),
        (lambda: show([FRAMES[0]], captions=["a", "b"]), "2 captions for 1"),
        (lambda: show(Mesh(np.zeros((3, 3)), np.array([[0, 1, 2]])), over=FRAMES[:1]), "camera"),
        (lambda: slider({}), "nothing to show"),
        (lambda: slider({"a": FRAMES, "b": FRAMES[:2]}), "different lengths"),
        (lambda: show({"iou": 1.0}, plot=("iuo",)), "no 'iuo' to plot"),
    ):
        with pytest.raises(HvrError, match=message):
            call()


def test_numbers_become_a_table_with_units():
    text = table({"mpjpe_mm": 12.3456, "iou": [0.5, 1.0, np.nan], "by": "<me>"})
    assert "12.3" in text and ">mm<" in text and "mean 0.750, 0.500 to 1.000, 3 values" in text
    assert ">good<" in text and "2 more figures" in text
    assert "&lt;me&gt;" in text


def plot_of(scene):
    plot, keys = scenes.scene_plot(scene)
    return plot, keys, [o for o in plot.objects if o.type == "Mesh"]


def test_k3d_stands_upright_and_is_light(body):
    model = load_body_model()
    vertices, joints = posed(model, body)
    plot, keys, (mesh,) = plot_of(as_view(body, fps=10).scene())
    assert list(keys) == [0, 1, 2, 3, 4] and list(mesh.vertices) == ["0.0", "1.0", "2.0", "3.0", "4.0"]
    assert plot.camera[6:] == [0, 1, 0] and not plot.grid_visible and plot.axes_helper == 0
    assert plot.camera_mode == "orbit" and plot.camera_up_axis == "y" and not plot.menu_visibility
    rounded = mesh.vertices["2.0"] * 2**11
    assert not mesh.flat_shading and (rounded == np.round(rounded)).all()
    assert np.abs(mesh.vertices["2.0"] - vertices[2]).max() < 2e-3, "skinned where the model poses it"
    long = Solid(
        "mesh", Mesh(vertices[0, :3], np.array([[0, 1, 2]])), places=np.repeat(vertices[:1, :3], 500, 0)
    )
    keys = scenes.scene_plot(Scene((long,)))[1]
    assert len(keys) <= scenes.KEY_FRAMES and keys.step == 5
    plot, _ = scenes.scene_plot(as_view(Joints3D(joints, body.valid)).scene())
    assert {o.type for o in plot.objects} == {"Lines", "Points"}


def test_limbs_move_by_skinning_with_the_poses_correctives():
    model, body = load_body_model(), walking_motion(40)
    solid, vertices = skinned_body(body, model), posed(model, body)[0]
    off = [np.linalg.norm(solid.vertices(k) - vertices[k], axis=1).max() for k in range(0, 40, 7)]
    assert max(off) < 2e-3, "metres"
    plain = replace(solid, basis=None, amounts=None)
    assert max(np.linalg.norm(plain.vertices(k) - vertices[k], axis=1).max() for k in range(0, 40, 7)) > 1e-2


def test_a_scene_is_packed_as_it_is():
    """Decoded as the browser does it: places within 0.1 mm, four weights that sum to one."""
    model, body = load_body_model(), walking_motion(30)
    scene = person_scene(body, model, fps=30)
    data = pack_scene(scene)
    blob = zlib.decompress(base64.b64decode(data["blob"]))

    def numbers(part, wide):
        raw = np.frombuffer(blob, "<u2", part["n"], part["at"]).reshape(-1, wide) / 65534.0
        return np.array(part["lo"]) + (np.array(part["hi"]) - part["lo"]) * raw

    solid, bones = data["layers"]
    assert np.abs(numbers(solid["vertices"], 3) - scene.layers[0].mesh.vertices).max() < 1e-4
    count = len(scene.layers[0].mesh.vertices)
    weights = np.frombuffer(blob, np.uint8, 4 * count, solid["skin"]["weights"]).reshape(-1, 4)
    assert (weights.astype(int).sum(1) == 255).all()
    matrices = numbers(solid["skin"]["matrices"], 12).reshape(30, 24, 3, 4)
    assert np.abs(matrices - scene.layers[0].transforms).max() < 1e-4
    assert np.abs(numbers(bones["points"], 3).reshape(30, 24, 3) - scene.layers[1].joints.points).max() < 1e-4
    poses = np.random.default_rng(0).normal(0, 0.1, (600, 75))  # nothing repeats
    fields = dict(global_orient=poses[:, :3], body_pose=poses[:, 3:72], transl=poses[:, 72:])
    long = replace(body, valid=np.ones(600, bool), **fields)
    assert len(pack_scene(Scene((skinned_body(long, model),), 30))["blob"]) < 900_000, (
        "a long clip stays light"
    )
    assert data["camera"]["width"] == body.camera.width and data["floor"]["step"] == 0.5


def test_what_was_not_observed_stays_unknown():
    points = np.ones((3, 24, 3))
    scene = Scene((Bones("skeleton", Joints3D(points, np.array([True, False, True]))),))
    data = pack_scene(scene)
    raw = np.frombuffer(zlib.decompress(base64.b64decode(data["blob"])), "<u2").reshape(3, 24, 3)
    assert (raw[1] == 65535).all() and (raw[[0, 2]] < 65535).all()


def test_the_avatar_stands_where_its_surface_does():
    """A made-up avatar: the body itself in the big pose, in two garments."""
    model, body = load_body_model(), walking_motion(6)
    canonical = make_canonical(body, model, spacing=0.1)
    surface = Mesh(canonical.vertices, canonical.faces)
    half = len(canonical.faces) // 2
    avatar = SimpleNamespace(
        GIVES={"surface", "skin_weights", "layers"},
        surface=lambda pose: surface,
        skin_weights=lambda: canonical.weights,
        layers=lambda pose: {"top": Mesh(canonical.vertices, canonical.faces[:half]), "rest": surface},
        body=body,
        model=model,
        canonical=canonical,
    )
    scene = person_scene(body, model, fps=30, avatar=avatar)
    assert [layer.name for layer in scene.layers] == ["top", "rest", "SMPL", "skeleton"]
    assert [layer.shown for layer in scene.layers] == [True, True, False, False]
    off = np.linalg.norm(scene.layers[0].vertices(3) - posed(model, body)[0][3], axis=1)
    assert np.median(off) < 3e-3 and off.max() < 0.04, "but for the pose's correctives"
    assert len(person_scene(body, model, fps=30, avatar=SimpleNamespace(GIVES={"render"})).layers) == 2


def test_colours_and_texture_reach_k3d():
    triangle, faces = np.eye(3), np.array([[0, 1, 2], [0, 2, 1]])
    red = Mesh(triangle, faces, colors=np.tile(np.uint8([255, 0, 1]), (3, 1)))
    item = plot_of(as_view(red).scene())[2][0]
    assert item.color == 0xFFFFFF and item.colors.tolist() == [0xFF0001] * 3
    uv, texture = np.array([[0.0, 0.25], [1, 0], [0, 1], [0.5, 0.5]]), np.zeros((4, 4, 3), np.uint8)
    split = Mesh(triangle, faces, uv=uv, uv_faces=np.array([[0, 1, 2], [3, 2, 1]]), texture=texture)
    item = plot_of(as_view(split).scene())[2][0]
    assert len(item.vertices) == 4 and item.uvs[0].tolist() == [0, 0.75], "a seam vertex is doubled, v turned"


def test_the_live_widget_stands_over_what_the_notebook_keeps(body, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **options: shown.append(data))
    live.show_live(as_view(body, over=FRAMES, fps=10))
    assert set(shown[0]) == {"image/png", "text/plain", "text/html", saving.WIDGET}
    box = live.scene_box(as_view(body, over=FRAMES, fps=10))
    found = {}

    def walk(widget):
        found.setdefault(type(widget).__name__, []).append(widget)
        for child in getattr(widget, "children", ()):
            walk(child)

    walk(box)
    slide, play = found["IntSlider"][0], found["Play"][0]
    assert slide.max == play.max == T - 1 and play.interval == 100, "the clip's own rate"
    slide.value = 3
    assert found["Label"][0].value == "0.30 s" and "iframe" in found["HTML"][-1].value


def test_a_saved_notebook_has_no_widget():
    def output(*kinds):
        return {"output_type": "display_data", "data": dict.fromkeys(kinds, "x")}

    both, alone = output(saving.WIDGET, "text/html", "text/plain"), output(saving.WIDGET, "text/plain")
    cells = [
        {"cell_type": "markdown"},
        {"cell_type": "code", "outputs": [both, alone, {"output_type": "stream"}]},
    ]
    saving.without_widgets({"type": "notebook", "content": {"cells": cells}}, path="x", contents_manager=None)
    assert set(both["data"]) == {"text/html", "text/plain"}
    assert cells[1]["outputs"] == [both, {"output_type": "stream"}]
    saving.without_widgets({"type": "file", "content": "text"})


def test_what_moves_is_kept_as_a_page_over_a_strip(body):
    data, metadata = saved.saved_forms(as_view(FRAMES, fps=12.5, title="a film"))
    assert metadata == {"image/png": {"alt": "a film"}} and data["text/plain"] == "[a film]"
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    page = html.unescape(re.search(r'srcdoc="(.*?)"', data["text/html"], re.S).group(1))
    assert re.search(r'<img [^>]*alt="a film" src="data:image/jpeg;base64,', data["text/html"])
    assert not re.search(r"https?://(?!www.w3.org/2000/svg)", page), "it loads nothing"
    kept = json.loads(re.search(r'id="data">(.*?)</script>', page, re.S).group(1))
    assert kept["fps"] == 12.5 and kept["count"] == T and len(kept["panels"][0]["frames"]) == T
    still, _ = saved.saved_forms(as_view(FRAMES[0]))
    assert "text/html" not in still
    both, _ = saved.saved_forms(as_view(body, over=FRAMES))
    assert sum(map(len, both.values())) < 1_000_000


def test_a_film_fits_its_budget():
    rng = np.random.default_rng(0)
    noisy = rng.integers(0, 255, (40, 240, 320, 3), dtype=np.uint8)
    draw = {"": noisy.__getitem__}
    whole = 40 * len(film.encode_picture(noisy[0], 320, 75))
    for budget, side in ((1.2 * whole, 320), (0.75 * whole, 260), (0.1 * whole, 200)):
        (panel,) = film.pack_film(draw, 40, budget=budget)
        assert panel["width"] == side, "pictures become smaller first"
        assert sum(map(len, panel["frames"])) < 1.1 * budget
        assert len(panel["frames"]) == len(range(0, 40, panel["every"]))
    assert panel["every"] > 1, "then some are left out"


def test_captions_and_names_are_one_a_frame():
    view = as_view(FRAMES, names=list("abcde"))
    assert (
        view.caption(2) == "frame c"
        and as_view(FRAMES, captions=["0\N{DEGREE SIGN}"] * T).caption(0) == "0\N{DEGREE SIGN}"
    )
    for option in ("captions", "names"):
        with pytest.raises(HvrError, match=f"there are 2 {option} for 5"):
            as_view(FRAMES, **{option: ["a", "b"]})


def test_a_chart_alone_is_not_shrunk():
    wide = np.zeros((300, 1200, 3), np.uint8)
    assert as_view(wide).panels[""](0).shape == wide.shape
    assert as_view([wide, wide]).panels[""](0).shape[1] == 480


def test_a_wipe_needs_its_pictures():
    clips = {"film": FRAMES, "avatar": FRAMES}
    assert side_by_side(clips, compare=("film", "avatar")).compare == ("film", "avatar")
    with pytest.raises(HvrError, match="no 'body' to compare"):
        side_by_side(clips, compare=("film", "body"))
    with pytest.raises(HvrError, match="3 values of iou for 5"):
        side_by_side(clips, curves={"iou": Timeline([1.0] * 3)})
    scene = Scene((Solid("m", Mesh(np.eye(3), np.array([[0, 1, 2]]))),))
    with pytest.raises(HvrError, match="the scene has 1 frames and the clips 5"):
        side_by_side(clips, scene=scene)


def test_plain_papermill_keeps_the_same_as_a_batch_run(tmp_path):
    cells = [
        nbformat.v4.new_code_cell("n: int = 2  # frames", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(
            "import numpy as np\nfrom hvr_nb import show\nfrom hvr_nb.types import Mesh\n"
            "from hvr_nb import show  # again: the name stays the function\n"
            "v = np.random.default_rng(0).random((30, 3))\nf = np.arange(30).reshape(10, 3)"
        ),
        nbformat.v4.new_code_cell("show(np.zeros((n, 64, 64, 3), np.uint8))"),
        nbformat.v4.new_code_cell("show([Mesh(v, f), Mesh(v + 0.1, f)], title='two meshes')"),
        nbformat.v4.new_code_cell("show({'iou': [0.1, 0.2], 'mpjpe_mm': 3.0}, plot=('iou',))"),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "00_x.ipynb")
    out = tmp_path / "runs" / "00_x.ipynb"
    run_notebook(tmp_path / "00_x.ipynb", out, cwd=tmp_path, params={"n": 3})
    shown = [c.outputs for c in nbformat.read(out, 4).cells if c.cell_type == "code"]
    for outputs in shown[3:5]:
        assert [set(o.data) for o in outputs] == [{"image/png", "text/html", "text/plain"}], "one output"
    assert {key for o in shown[5] for key in o.data} >= {"text/html"}
    assert not [p for p in out.parent.iterdir() if p.is_dir()], "no pages beside it"
    assert out.stat().st_size < 400_000


def test_showing_frames_does_not_import_torch():
    code = "import sys, hvr_nb.viewing; print('torch' in sys.modules, hvr_nb.viewing.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["False", viewing.__name__], done.stderr


def test_every_lesson_has_an_example(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda image: shown.append(image))
    for path in sorted((Path(__file__).parents[2] / "notebooks").glob("[0-9]*.ipynb")):
        assert f"show_example({path.stem!r})".replace("'", '\\"') in path.read_text()
        show_example(path.stem)
        assert shown[-1].data[:2] == b"\xff\xd8" and path.stem in shown[-1].alt
    with pytest.raises(HvrError, match="no example of '08_x'; there are 00_video, 01_keypoints"):
        show_example("08_x")
