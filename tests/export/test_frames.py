"""The avatar frame by frame: every file is read again and agrees with the avatar and the others."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import trimesh

from hvr_nb.body.model import load_body_model, posed
from hvr_nb.canonical.big_pose import make_canonical
from hvr_nb.export.frames import errors_text, export_frames
from hvr_nb.formats.datasets.selfrecon_camera import camera_from_values, normals_from_picture
from hvr_nb.geometry.camera import project, to_camera
from hvr_nb.geometry.mesh import vertex_normals
from hvr_nb.geometry.raster import rasterize
from hvr_nb.store.files import read_image
from hvr_nb.store.video import read_video
from hvr_nb.subject import rotating_motion, subject_camera
from hvr_nb.types import HvrError, Mesh, Render

T, SIDE = 5, 96
NAMES = [f"{7 * k:06d}" for k in range(T)]


class Swelling:
    """The bare body, orange, that swells by a centimetre a frame: the least an avatar can be."""

    GIVES = frozenset({"surface", "render"})

    def __init__(self, body):
        self.body, self.model = body, load_body_model()
        self.canonical = make_canonical(body, self.model, spacing=0.1)

    def surface(self, pose=None, *, frame=None):
        x = self.canonical.vertices if pose is None else posed(self.model, pose)[0][0]
        x = x + 0.01 * (frame or 0) * vertex_normals(x, self.canonical.faces)
        return Mesh(x, self.canonical.faces, np.broadcast_to(np.uint8([230, 140, 30]), x.shape))

    def render(self, camera, pose, *, frame=None):
        mesh = self.surface(pose, frame=frame)
        alpha = (rasterize(mesh.vertices, mesh.faces, camera)[1] >= 0).astype(np.float32)
        return Render(alpha[..., None] * np.float32([0.9, 0.55, 0.12]), alpha, alpha)


@pytest.fixture(scope="module")
def avatar():
    return Swelling(rotating_motion(T, camera=subject_camera(SIDE)))


@pytest.fixture(scope="module")
def film(avatar):
    """Grey frames, and masks of the body as it is in frame 0."""
    body = avatar.body
    masks = [avatar.render(body.camera, body.frame(k), frame=0).alpha for k in range(T)]
    return {
        "frames": np.full((T, SIDE, SIDE, 3), 90, np.uint8),
        "alpha": (255 * np.stack(masks)).astype(np.uint8),
        "names": NAMES,
        "fps": 12.5,
    }


@pytest.fixture(scope="module")
def out(avatar, film, tmp_path_factory):
    return export_frames(avatar, tmp_path_factory.mktemp("x") / "out", **film)


def test_the_export_holds_every_file(out):
    found = sorted(p.name for p in out.folder.iterdir())
    assert found == [
        "camera.npz",
        "colors",
        "def1meshs",
        "errors.txt",
        "iou.csv",
        "meshes",
        "meshs",
        "normals",
        "tmp.ply",
    ]
    for name in ("meshs", "def1meshs", "colors", "normals"):
        assert {f"{k}.png" for k in range(T)} <= {p.name for p in (out.folder / name).iterdir()}
        video = read_video(out.folder / name / "video.mp4")
        assert len(video.frames) == T and video.fps == pytest.approx(12.5)
    assert sorted(p.name for p in (out.folder / "meshes").iterdir()) == [f"{n}.ply" for n in NAMES]


def test_vertices_are_in_the_cameras_axes_with_one_topology(out, avatar):
    rest = trimesh.load(out.folder / "tmp.ply", process=False)
    assert np.array_equal(rest.faces, avatar.canonical.faces)
    np.testing.assert_allclose(rest.vertices, avatar.canonical.vertices, atol=1e-6)
    with np.load(out.folder / "camera.npz", allow_pickle=False) as file:
        lens = camera_from_values(dict(file), "", width=SIDE, height=SIDE)
    for k in range(T):
        inside = np.load(out.folder / f"meshs/{k}.npy", allow_pickle=False)
        mesh = avatar.surface(avatar.body.frame(k), frame=k)
        np.testing.assert_allclose(inside, to_camera(mesh.vertices, avatar.body.camera), atol=1e-5)
        assert inside.dtype == np.float32 and inside[:, 2].min() > 1, "z forward"
        np.testing.assert_allclose(
            project(inside.astype(float), lens), project(mesh.vertices, avatar.body.camera), atol=1e-3
        )
        own = np.load(out.folder / f"def1meshs/{k}.npy", allow_pickle=False)
        np.testing.assert_allclose(
            np.linalg.norm(own - avatar.canonical.vertices, axis=1).max(), 0.01 * k, atol=1e-5
        )


def test_mesh_files_stand_in_the_clips_world(out, avatar):
    for k in (0, 3):
        back = trimesh.load(out.folder / f"meshes/{NAMES[k]}.ply", process=False)
        np.testing.assert_allclose(
            back.vertices, avatar.surface(avatar.body.frame(k), frame=k).vertices, atol=1e-5
        )
        assert (back.visual.vertex_colors[:, :3] == [230, 140, 30]).all()


def test_pictures_show_the_frames(out, film, avatar):
    for k in range(T):
        vertices = avatar.surface(avatar.body.frame(k), frame=k).vertices
        face = rasterize(vertices, avatar.canonical.faces, avatar.body.camera)[1]
        normals = normals_from_picture(read_image(out.folder / f"normals/{k}.png", remedy=""))
        known = (normals != 0).any(-1)
        assert (known <= (face >= 0)).all() and known.sum() > 0.95 * (face >= 0).sum()
        assert normals[known][:, 2].mean() < -0.6, "towards the camera"
        colours = read_image(out.folder / f"colors/{k}.png", remedy="")
        assert (colours[face < 0] == 255).all() and np.abs(
            colours[face >= 0].astype(int) - [230, 140, 31]
        ).max() <= 1
        shaded = read_image(out.folder / f"meshs/{k}.png", remedy="")
        assert (shaded[face < 0] > 200).mean() > 0.97 and shaded[face >= 0].std() > 15
    rest = [read_image(out.folder / f"def1meshs/{k}.png", remedy="") for k in (0, 4)]
    assert rest[0].shape == rest[1].shape and (rest[1] < 250).sum() > 1.1 * (rest[0] < 250).sum(), "it swells"


def test_the_overlap_of_every_frame(out):
    assert out.iou[0] == 1 and (np.diff(out.iou) < 0).all() and f"{out.iou.min():.4f} least)" in repr(out)
    lines = (out.folder / "iou.csv").read_text().splitlines()
    assert lines[0] == "frame,iou" and lines[3].startswith(NAMES[2] + ",")
    np.testing.assert_allclose([float(line.split(",")[1]) for line in lines[1:]], out.iou, atol=1e-6)
    text = (out.folder / "errors.txt").read_text().splitlines()
    assert (
        text[0] == "0: 0.000000"
        and text[T] == f"mean: {1 - out.iou.mean():.6f}"
        and text[-1].startswith("worst: 4 (")
    )


def test_ten_worst_frames_are_listed():
    text = errors_text(np.r_[np.full(11, 0.9), 0.5, 1.0])
    assert "max: 0.500000" in text and "min: 0.000000" in text
    assert text.splitlines()[-1].split(": ")[1].split(", ")[:2] == ["11 (0.500000)", "0 (0.100000)"]
    assert text.splitlines()[-1].count("(") == 10


def test_over_the_film_and_as_obj(avatar, film, tmp_path):
    made = export_frames(avatar, tmp_path / "out", **film, meshes="obj", photo=True)
    assert (read_image(made.folder / "colors/0.png", remedy="")[0, 0] == 90).all()
    assert (read_image(made.folder / "meshs/0.png", remedy="")[0, 0] == 90).all()
    back = trimesh.load(made.folder / f"meshes/{NAMES[1]}.obj", process=False)
    assert len(back.faces) == len(avatar.canonical.faces)
    bare = export_frames(avatar, tmp_path / "bare", **film, meshes="none")
    assert not (bare.folder / "meshes").exists()


def test_nothing_is_replaced_and_errors_are_named(avatar, film, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "tmp.ply").write_text("work")
    with pytest.raises(HvrError, match="tmp.ply"):
        export_frames(avatar, tmp_path / "mine", **film)
    assert (tmp_path / "mine" / "tmp.ply").read_text() == "work"
    flat = SimpleNamespace(GIVES=frozenset({"render"}))
    with pytest.raises(HvrError, match="export_frames needs surface, "):
        export_frames(flat, tmp_path / "a", **film)
    with pytest.raises(HvrError, match="ply, obj, none"):
        export_frames(avatar, tmp_path / "a", **film, meshes="stl")
    with pytest.raises(HvrError, match="5 frames of 96x96"):
        export_frames(avatar, tmp_path / "a", **film | {"frames": film["frames"][:3]})
    assert not (tmp_path / "a").exists()


def test_distorted_films_are_straightened(avatar, film, tmp_path):
    camera = replace(avatar.body.camera, dist=np.array([-0.2, 0, 0, 0, 0.0]))
    bent = Swelling(replace(avatar.body, camera=camera))
    with np.load(export_frames(bent, tmp_path / "o", **film, meshes="none").folder / "camera.npz") as file:
        np.testing.assert_allclose(file["cx"], avatar.body.camera.K[0, 2] - 0.5)
