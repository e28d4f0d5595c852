"""An avatar in files: they open elsewhere, agree with each other, and replace nobody's work."""

import json
import shutil
from dataclasses import dataclass, replace
from functools import cached_property
from types import SimpleNamespace

import numpy as np
import pytest
import trimesh

from hvr_nb.body.model import load_body_model, posed
from hvr_nb.canonical.big_pose import make_canonical
from hvr_nb.cli.main import main
from hvr_nb.export.avatar import MANIFEST, ExportedSkin, avatar_texture, export_avatar, layered
from hvr_nb.formats.models.skinned_mesh import read_layered_glb, read_skinned_glb
from hvr_nb.methods import nvr
from hvr_nb.methods.nvr.avatar import RadianceAvatar
from hvr_nb.store.arrays import read_npz
from hvr_nb.store.clip import Clip
from hvr_nb.store.files import read_image
from hvr_nb.subject import rotating_motion, subject_camera
from hvr_nb.types import Body, HvrError, Masks, Mesh

FILES = ["avatar.glb", "avatar.mtl", "avatar.obj", "avatar.png", "export.json", "mesh.ply",
         "skin_weights.npz", "texture_seen.png"]  # fmt: skip


@dataclass
class SkinAvatar:
    """The bare body, its left half blue and its right half orange, as an avatar: the least one can be."""

    body: Body
    canonical: object
    GIVES = frozenset({"surface", "skin_weights"})

    @cached_property
    def colors(self):
        left = self.canonical.vertices[:, :1] > 0
        return np.where(left, [40, 60, 200], [230, 140, 30]).astype(np.uint8)

    def surface(self, pose=None):
        vertices = self.canonical.vertices if pose is None else posed(load_body_model(), pose)[0][0]
        return Mesh(vertices, self.canonical.faces, self.colors)

    def skin_weights(self):
        return self.canonical.weights


@pytest.fixture(scope="module")
def avatar():
    body = rotating_motion(6, camera=subject_camera(96))
    return SkinAvatar(body, make_canonical(body, load_body_model(), spacing=0.1))


@pytest.fixture(scope="module")
def film(avatar):
    """What the camera of the avatar's body saw of it: frames (6, 96, 96, 3) and masks."""
    from hvr_nb.geometry.raster import interpolate, rasterize

    frames, alpha = np.zeros((6, 96, 96, 3), np.uint8), np.zeros((6, 96, 96), np.uint8)
    for k in range(6):
        mesh = avatar.surface(avatar.body.frame(k))
        _, face, bary = rasterize(mesh.vertices, mesh.faces, avatar.body.camera)
        frames[k] = interpolate(mesh.colors.astype(float), mesh.faces, face, bary)
        alpha[k] = np.where(face >= 0, 255, 0)
    return frames, Masks(alpha)


@pytest.fixture(scope="module")
def texture(avatar, film):
    return avatar_texture(avatar, *film, size=256)


@pytest.fixture
def exported(avatar, texture, tmp_path):
    return export_avatar(avatar, tmp_path / "out", fps=24, texture=texture)


def test_the_files_are_there_and_listed(exported):
    assert sorted(p.name for p in exported.folder.iterdir()) == sorted(exported.files) == FILES
    listed = json.loads((exported.folder / MANIFEST).read_text())
    assert sorted([*listed["files"], MANIFEST]) == FILES and 40 < listed["texture_seen_pct"] < 100
    assert listed["skinning_loss"] == exported.loss and 0 < exported.loss["mean_mm"] < 3


def test_meshes_agree_with_the_avatar_and_each_other(avatar, texture, exported):
    mesh = avatar.surface(None)
    ply = trimesh.load(exported.folder / "mesh.ply", process=False)
    np.testing.assert_allclose(ply.vertices, mesh.vertices, atol=1e-6)
    np.testing.assert_array_equal(ply.visual.vertex_colors[:, :3], mesh.colors)
    obj = trimesh.load(exported.folder / "avatar.obj", process=False)
    np.testing.assert_allclose(obj.vertices[obj.faces], mesh.vertices[mesh.faces], atol=1e-6)
    np.testing.assert_array_equal(np.asarray(obj.visual.material.image), texture.image)
    glb = read_skinned_glb(exported.folder / "avatar.glb")
    np.testing.assert_allclose(glb.mesh.vertices[glb.mesh.faces], mesh.vertices[mesh.faces], atol=1e-6)
    np.testing.assert_array_equal(glb.mesh.texture, texture.image)
    skin, _ = read_npz(exported.folder / "skin_weights.npz", ExportedSkin, remedy="")
    np.testing.assert_allclose(mesh.vertices[skin.vertex], glb.mesh.vertices, atol=1e-6)
    np.testing.assert_allclose(skin.weights, avatar.canonical.weights, atol=1e-7)
    np.testing.assert_allclose(np.linalg.inv(glb.inverse_bind)[:, :3, 3], skin.joints, atol=1e-5)
    assert skin.names == glb.names
    assert set(np.unique(read_image(exported.folder / "texture_seen.png", remedy=""))) == {0, 128, 255}


@dataclass
class LayeredAvatar(SkinAvatar):
    """The bare body, with its front again as an apron 2 cm before it."""

    GIVES = frozenset({"surface", "skin_weights", "layers"})

    @cached_property
    def apron(self):
        return self.canonical.faces[(self.canonical.vertices[self.canonical.faces, 2] > 0.03).all(1)]

    def surface(self, pose=None):
        skin = super().surface(pose)
        count = len(skin.vertices)
        return Mesh(
            np.concatenate([skin.vertices, skin.vertices + [0, 0, 0.02]]),
            np.concatenate([self.apron + count, skin.faces]),  # faces need not come layer by layer
            np.concatenate([skin.colors, 255 - skin.colors]),
        )

    def layers(self, pose=None):
        skin, whole = super().surface(pose), self.surface(pose)
        count = len(skin.vertices)
        return {"body": skin, "apron": Mesh(whole.vertices[count:], self.apron, whole.colors[count:])}

    def skin_weights(self):
        return np.concatenate([self.canonical.weights] * 2)


def test_layers_become_nodes(avatar, tmp_path):
    dressed = LayeredAvatar(avatar.body, avatar.canonical)
    made = export_avatar(dressed, tmp_path / "layers", fps=24)
    read = read_layered_glb(made.folder / "avatar.glb")
    assert list(read) == ["body", "apron"]
    for name, mesh in dressed.layers().items():
        np.testing.assert_allclose(read[name].mesh.vertices, mesh.vertices, atol=1e-6)
        np.testing.assert_array_equal(read[name].mesh.faces, mesh.faces)
    assert made.loss["max_mm"] > 1  # the posed apron is shifted, not skinned
    with pytest.raises(HvrError, match="vertices together"):
        layered(dressed, avatar.surface(), avatar.canonical.weights)


def test_the_texture_shows_what_was_filmed(avatar, texture):
    from hvr_nb.surface.texture.views import find_texels

    texels = find_texels(texture.uv, texture.uv_faces, 256)
    true = avatar.colors[avatar.canonical.faces[texels.face]].astype(float)
    plain = (true == true[:, :1]).all((1, 2))  # not across the boundary of the halves
    place = avatar.canonical.vertices[avatar.canonical.faces[texels.face], 0]
    near = np.abs(place).min(1) < 0.06  # pixels are 2 cm
    seen = texture.seen.ravel()[texels.flat]
    off = np.abs(texture.image.reshape(-1, 3)[texels.flat] - true[:, 0]).max(1)
    assert off[plain & seen & ~near].max() <= 6 and np.percentile(off[plain & ~near], 95) <= 40


def test_without_a_texture_there_are_vertex_colours(avatar, tmp_path):
    made = export_avatar(avatar, tmp_path / "plain", fps=24)
    assert sorted(made.files) == ["avatar.glb", "avatar.obj", "export.json", "mesh.ply", "skin_weights.npz"]
    assert read_skinned_glb(made.folder / "avatar.glb").mesh.texture is None
    obj = trimesh.load(made.folder / "avatar.obj", process=False)
    np.testing.assert_array_equal(obj.visual.vertex_colors[:, :3], avatar.colors)


def test_an_untouched_export_is_replaced_and_nothing_else(avatar, texture, exported):
    folder = exported.folder
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    export_avatar(avatar, folder, fps=24, texture=texture)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before, "the same bytes"
    export_avatar(avatar, folder, fps=24)
    assert not (folder / "avatar.png").exists(), "no file of the last export stays behind"
    for name, text in (("scene.blend", "mine"), ("avatar.obj", "# edited by hand")):
        (folder / name).write_text(text)
        with pytest.raises(HvrError, match=f"{name} was not written by this project"):
            export_avatar(avatar, folder, fps=24)
        assert (folder / name).read_text() == text
        (folder / "scene.blend").unlink(missing_ok=True)


def test_an_avatar_that_lacks_something_is_refused(avatar, film, tmp_path):
    painter = SimpleNamespace(GIVES=frozenset({"render"}))
    with pytest.raises(HvrError, match="export_avatar needs surface and skin_weights, .*it gives render"):
        export_avatar(painter, tmp_path / "a", fps=24)
    with pytest.raises(HvrError, match="avatar_texture needs surface, "):
        avatar_texture(painter, *film)
    empty = SimpleNamespace(
        GIVES=avatar.GIVES, surface=lambda pose: Mesh(np.zeros((0, 3)), np.zeros((0, 3), int))
    )
    with pytest.raises(HvrError, match="empty"):
        export_avatar(empty, tmp_path / "a", fps=24)
    with pytest.raises(HvrError, match="6 frames of 96x96"):
        avatar_texture(avatar, film[0][:5], film[1])
    with pytest.raises(HvrError, match="fps"):
        export_avatar(avatar, tmp_path / "a", fps=0)
    assert not (tmp_path / "a").exists()


@pytest.fixture
def clip(avatar, film, tmp_path):
    made = Clip.create(
        tmp_path / "clip",
        film[0],
        fps=24,
        names=[f"{k}" for k in range(6)],
        times=np.arange(6) / 24,
        source={},
    )
    made.save("camera", avatar.body.camera)
    made.save("masks", film[1])
    return made


def loader(give):
    """A ``load`` as the contract of methods wants it, that gives a stand-in."""

    def load(folder, *, device="auto") -> RadianceAvatar:
        return give()

    return load


def test_the_command_line_exports_and_tells_errors(avatar, clip, tmp_path, capsys, monkeypatch):
    def run(*more):
        code = main(["export", "avatar", str(clip.folder), str(tmp_path / "out"), *more])
        return code, capsys.readouterr()

    code, said = run()
    assert code == 1 and "no finished avatar that gives surface and skin_weights; run 05_train" in said.err
    assert "no finished nvr avatar; run 05_train" in run("--method", "nvr")[1].err
    folder = clip.folder / "avatars" / "nvr"
    folder.mkdir(parents=True)
    (folder / "checkpoint.pt").write_bytes(b"")
    assert "stopped" in run("--method", "nvr")[1].err
    assert "known methods: nvr" in run("--method", "magic")[1].err
    (folder / "options.json").write_text("{}")
    assert "05_train" in run()[1].err
    monkeypatch.setattr(nvr, "load", loader(lambda: avatar))
    code, said = run("--size", "128")
    assert code == 0 and "avatar.glb" in said.out and "mm" in said.out
    assert read_image(tmp_path / "out" / "avatar.png", remedy="").shape == (128, 128, 3)
    assert run("--no-texture")[0] == 0 and not (tmp_path / "out" / "avatar.png").exists()
    other = clip.avatar_folder("selfrecon")
    other.mkdir()
    (other / "options.json").write_text("{}")
    assert "finished avatars of nvr and selfrecon; choose one with --method" in run("--no-texture")[1].err
    assert run("--no-texture", "--method", "nvr")[0] == 0
    shutil.rmtree(other)
    (tmp_path / "out" / "notes.txt").write_text("mine")
    monkeypatch.setattr(nvr, "load", loader(lambda: pytest.fail("looked before it worked")))
    code, said = run()
    assert code == 1 and "notes.txt" in said.err
    assert run("--size", "4")[0] == 1


def test_the_shape_of_the_body_is_checked(avatar, tmp_path):
    other = replace(avatar, body=replace(avatar.body, model_hash="0" * 64))
    with pytest.raises(HvrError):
        export_avatar(other, tmp_path / "a", fps=24)
