"""show and slider: what is drawn of each type, batch output, live widgets, 3D scenes."""

import re
import subprocess
import sys
from dataclasses import replace

import nbformat
import numpy as np
import pytest

from hvr_nb import viewing
from hvr_nb.batch import run_notebook
from hvr_nb.body.model import load_body_model, posed
from hvr_nb.geometry.camera import default_camera
from hvr_nb.types import Body, Canonical, HvrError, Joints3D, Keypoints, Masks, Mesh, Tracks
from hvr_nb.viewing import is_batch, scenes, show, slider
from hvr_nb.viewing.live import player
from hvr_nb.viewing.numbers import table
from hvr_nb.viewing.saved import save_scene, strip
from hvr_nb.viewing.views import as_view

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


def test_outside_jupyter_is_batch(monkeypatch):
    monkeypatch.delenv("HVR_NB_BATCH", raising=False)
    assert is_batch()
    monkeypatch.setattr("IPython.get_ipython", lambda: type("Shell", (), {"kernel": object()})())
    assert not is_batch()
    monkeypatch.setenv("HVR_NB_BATCH", "1")
    assert is_batch()


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


def test_scenes_stand_upright_and_are_light(body):
    model = load_body_model()
    vertices, joints = posed(model, body)
    plot, times = scenes.moving_mesh(vertices, model.faces, fps=10)
    assert times.tolist() == [0, 0.1, 0.2, 0.3, 0.4]
    assert plot.camera[6:] == [0, 1, 0] and not plot.grid_visible and plot.axes_helper == 0
    mesh = next(o for o in plot.objects if o.type == "Mesh")
    assert not mesh.flat_shading and list(mesh.vertices) == ["0.0", "0.1", "0.2", "0.3", "0.4"]
    rounded = mesh.vertices["0.2"] * 2**11
    assert (rounded == np.round(rounded)).all() and np.abs(mesh.vertices["0.2"] - vertices[2]).max() < 3e-4
    long = np.repeat(vertices[:1, :3], 500, 0)
    assert len(scenes.moving_mesh(long, np.array([[0, 1, 2]]), fps=30)[1]) == scenes.KEY_FRAMES
    plot, _ = scenes.moving_joints(Joints3D(joints, body.valid))
    assert {o.type for o in plot.objects} == {"Lines", "Points"}


def test_colours_and_texture_reach_the_scene():
    triangle, faces = np.eye(3), np.array([[0, 1, 2], [0, 2, 1]])
    red = Mesh(triangle, faces, colors=np.tile(np.uint8([255, 0, 1]), (3, 1)))
    item = next(o for o in scenes.still_mesh(red)[0].objects if o.type == "Mesh")
    assert item.color == 0xFFFFFF and item.colors.tolist() == [0xFF0001] * 3
    uv, texture = np.array([[0.0, 0.25], [1, 0], [0, 1], [0.5, 0.5]]), np.zeros((4, 4, 3), np.uint8)
    split = Mesh(triangle, faces, uv=uv, uv_faces=np.array([[0, 1, 2], [3, 2, 1]]), texture=texture)
    item = next(o for o in scenes.still_mesh(split)[0].objects if o.type == "Mesh")
    assert len(item.vertices) == 4 and item.uvs[0].tolist() == [0, 0.75], "a seam vertex is doubled, v turned"


def test_saved_scene_is_one_offline_page(body, tmp_path, monkeypatch):
    monkeypatch.setenv("HVR_NB_HTML_DIR", str(tmp_path / "html"))
    path = save_scene(as_view(body, over=FRAMES))
    text = path.read_text()
    assert path.parent == tmp_path / "html" and "startAutoPlay" in text
    assert not re.search(r"(src|href)=[\"']https?:", text), "it loads nothing"


def test_live_player_moves_everything_together(body):
    view = replace(as_view(body, over=FRAMES), fps=10.0, captions=tuple("abcde"))
    box = player(view)
    found = {}

    def walk(widget):
        found.setdefault(type(widget).__name__, []).append(widget)
        for child in getattr(widget, "children", ()):
            walk(child)

    walk(box)
    slide, image = found["IntSlider"][0], found["Image"][0]
    assert slide.max == T - 1 and found["Play"][0].max == T - 1
    before = image.value
    slide.value = 3
    assert image.value != before and image.value[:2] == b"\xff\xd8"
    assert found["Plot"][0].time == pytest.approx(0.3)
    assert found["Label"][0].value == "d"


def test_batch_notebook_keeps_a_jpeg_and_a_relative_iframe(tmp_path):
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
    kinds = [[key for o in outputs for key in o.data] for outputs in shown]
    assert "image/jpeg" in kinds[3] and "text/html" not in kinds[3]
    assert "image/jpeg" in kinds[4] and "text/html" in kinds[4]
    frame = next(o.data["text/html"] for o in shown[4] if "text/html" in o.data)
    assert 'src="html/00_x/01-two-meshes.html"' in frame
    assert (out.parent / "html" / "00_x" / "01-two-meshes.html").exists()
    assert "text/html" in kinds[5] and "image/jpeg" in kinds[5]
    assert out.stat().st_size < 100_000


def test_showing_frames_does_not_import_torch():
    code = "import sys, hvr_nb.viewing; print('torch' in sys.modules, hvr_nb.viewing.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["False", viewing.__name__], done.stderr
