"""Every method keeps the contract, and so does a new one that is a folder and nothing else."""

import dataclasses
import functools
import importlib
import inspect
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_notebooks import execute_here

from hvr_nb import methods
from hvr_nb.batch import run_chain
from hvr_nb.drawing.pictures import to_uint8
from hvr_nb.export import avatar_texture, export_avatar, export_frames
from hvr_nb.formats.models.skinned_mesh import read_skinned_glb
from hvr_nb.geometry.camera import orbit
from hvr_nb.learning import loop
from hvr_nb.methods.nvr.network import FieldOptions
from hvr_nb.methods.pamir.checkpoints import save_pamir
from hvr_nb.methods.pamir.network import PamirNet
from hvr_nb.methods.pamir.sizes import SMALL
from hvr_nb.metrics.images import iou
from hvr_nb.store.clip import Clip
from hvr_nb.types import HvrError

GUEST = Path(__file__).with_name("guest")
NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
HOLD_OUT = 4
# options that make a method quick; one that is not listed takes its defaults
QUICK = {
    "nvr": {
        "iters": 40,
        "rays": 128,
        "checkpoint_every": 20,
        "occupancy_from": 10,
        "occupancy_every": 10,
        "table_lr": 3e-2,
        "field": FieldOptions(levels=3, finest=64, log2_table=12, geometry_levels=2, width=16, codes=4),
    },
    "pamir": {"resolution": 64, "canonical_cell": 0.03, "band": 0.06},
    "recmv": {"cell": 0.02},
    "selfrecon": {"cell": 0.03, "layers": False, "shading": 0.0, "image_scale": 0.5},
}


@pytest.fixture(scope="module")
def guest():
    """The folder of the third method stands among the methods."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(methods, "__path__", [*methods.__path__, str(GUEST)])
        yield "painted"
    sys.modules.pop("hvr_nb.methods.painted", None)


@pytest.fixture(scope="module", params=[*methods.method_names(), "painted"])
def name(request, guest):
    return request.param


@pytest.fixture(scope="module")
def clip(name, turning, tmp_path_factory):
    return Clip.open(shutil.copytree(turning.clip.folder, tmp_path_factory.mktemp(name) / "clip"))


@functools.cache
def untrained() -> str:
    """Weights of pamir that nobody trained, with which its occupancy is the body's."""
    torch.manual_seed(0)
    return str(save_pamir(Path(tempfile.mkdtemp()) / "untrained.npz", PamirNet(SMALL)))


def quick(name):
    module, chosen = methods.method(name), QUICK.get(name, {})
    chosen = chosen | ({"weights": untrained()} if name == "pamir" else {})
    return module, methods.method_options(module, **chosen, hold_out=HOLD_OUT)


@pytest.fixture(scope="module")
def avatar(name, clip):
    module, options = quick(name)
    return module.reconstruct(clip, options, device="cpu", seed=1)


class TestEveryMethod:
    def test_the_clip_has_its_avatar(self, name, clip, avatar):
        back = clip.avatar(name, device="cpu")
        assert type(back) is type(avatar) and back.fingerprint == avatar.fingerprint
        assert back.body.model_hash == avatar.model.hash and len(back.body) == len(clip)
        assert back.held_out.tolist() == avatar.held_out.tolist() == [3, 7, 11, 15]
        assert dict(back.history) == dict(avatar.history)
        assert not (clip.avatar_folder(name) / "checkpoint.pt").exists()

    def test_its_history_can_be_plotted(self, avatar):
        assert {"step", "seconds", "psnr_body"} <= set(avatar.history)
        assert len({len(column) for column in avatar.history.values()}) == 1
        assert all(np.isfinite(column).all() for column in avatar.history.values())
        assert avatar.history["psnr_body"][-1] > 5

    def test_saved_elsewhere_it_is_read_there(self, name, avatar, tmp_path):
        folder = avatar.save(tmp_path / "copy")
        assert methods.method(name).load(folder, device="cpu").fingerprint == avatar.fingerprint
        (folder / "options.json").unlink()
        with pytest.raises(HvrError, match="05_train"):
            methods.method(name).load(folder)

    def test_pictures(self, avatar, clip):
        if "render" not in avatar.GIVES:
            return
        camera, pose = avatar.body.camera, avatar.body.frame(1)
        picture = avatar.render(camera, pose, frame=1)
        assert picture.rgb.shape == (camera.height, camera.width, 3)
        assert picture.alpha.shape == picture.depth.shape == (camera.height, camera.width)
        assert picture.rgb.dtype == picture.alpha.dtype == picture.depth.dtype == np.float32
        assert 0 <= picture.rgb.min() and picture.alpha.max() <= 1 + 1e-6
        assert (picture.rgb <= picture.alpha[..., None] + 1e-5).all(), "over black"
        assert (picture.depth[picture.alpha == 0] == 0).all()
        assert iou(to_uint8(picture.alpha), clip.masks.alpha[1]) > 0.75
        as_arrays = avatar.render(camera, (pose.poses[0], pose.transl[0]), frame=1)
        np.testing.assert_allclose(as_arrays.rgb, picture.rgb, atol=1e-6)
        middle = pose.transl[0].astype(float)
        side = avatar.render(orbit(camera.scaled(0.5), middle, 0.8), pose)
        assert side.alpha.shape == (camera.height // 2, camera.width // 2) and side.alpha.max() > 0.5

    def test_two_threads_draw_the_same_pictures_as_one(self, avatar):
        if "render" not in avatar.GIVES:
            return
        camera = avatar.body.camera.scaled(0.25)

        def draw(k):
            return avatar.render(camera, avatar.body.frame(k), frame=k).rgb

        alone = [draw(k) for k in range(2)]
        with ThreadPoolExecutor(2) as pool:
            for k, rgb in zip(2 * [0, 1], pool.map(draw, 2 * [0, 1]), strict=True):
                np.testing.assert_allclose(rgb, alone[k], atol=1e-6)

    def test_surfaces_correspond(self, avatar):
        if "surface" not in avatar.GIVES:
            return
        rest, there = avatar.surface(), avatar.surface(avatar.body.frame(2), frame=2)
        assert rest.vertices.shape == there.vertices.shape and np.array_equal(rest.faces, there.faces)
        assert rest.colors.shape == rest.vertices.shape and rest.colors.dtype == np.uint8
        assert rest.faces.max() < len(rest.vertices)
        size = np.ptp(there.vertices, axis=0).max()
        assert 1 < size < 2.5, "metres"
        assert np.abs(there.vertices.mean(0) - avatar.body.transl[2]).max() < 0.6, "in the clip's world"
        if "skin_weights" in avatar.GIVES:
            weights = avatar.skin_weights()
            assert weights.shape == (len(rest.vertices), 24) and weights.dtype == np.float32
            assert weights.min() >= 0
            np.testing.assert_allclose(weights.sum(1), 1, atol=1e-4)

    def test_meshes_have_the_resolution_that_is_asked_for(self, avatar):
        if "mesh" not in avatar.GIVES:
            return
        coarse, own, posed = avatar.mesh(resolution=32), avatar.mesh(), avatar.mesh(2, resolution=32)
        assert 20 < len(coarse.vertices) < len(own.vertices) and coarse.colors.shape == coarse.vertices.shape
        assert np.abs(posed.vertices.mean(0) - avatar.body.transl[2]).max() < 0.6

    def test_layers_are_the_surface(self, avatar):
        if "layers" not in avatar.GIVES:
            return
        whole, layers = (
            avatar.surface(avatar.body.frame(1), frame=1),
            avatar.layers(avatar.body.frame(1), frame=1),
        )
        assert sum(len(mesh.faces) for mesh in layers.values()) == len(whole.faces)
        corners = np.concatenate([mesh.vertices for mesh in layers.values()])
        np.testing.assert_allclose(corners.min(0), whole.vertices.min(0), atol=1e-6)

    def test_a_stopped_run_goes_on_and_ends_with_the_same_avatar(
        self, name, avatar, turning, tmp_path, monkeypatch
    ):
        clip = Clip.open(shutil.copytree(turning.clip.folder, tmp_path / "clip"))
        module, options = quick(name)
        told, seen, drawn, draw = [], [], [], loop.step_rng

        def stop(progress):
            told.append(progress.done)
            return progress.done >= 0.1 * progress.total

        def step_seen(seed, step):
            seen.append(step)
            return draw(seed, step)

        def watch(progress):
            assert progress.held_out.tolist() == [3, 7, 11, 15]
            if progress.done in (told[-1] + 1, progress.total):
                drawn.append(progress.draw(3))

        try:
            early = module.reconstruct(clip, options, device="cpu", seed=1, progress=stop)
            assert early.history["step"][-1] == told[-1], "the avatar so far"
        except HvrError as error:
            assert "again to go on" in str(error)
        assert told == list(range(1, told[-1] + 1))
        with pytest.raises(HvrError, match="no finished .*05_train"):
            clip.avatar(name)
        with monkeypatch.context() as patch:
            patch.setattr(loop, "step_rng", step_seen)
            again = module.reconstruct(clip, options, device="cpu", seed=1, progress=watch)
        assert not seen or seen[0] == told[-1], "the steps before the checkpoint are not repeated"
        picture = drawn[-1]
        assert picture.dtype == np.uint8 and picture.shape[2] == 3 and picture.max() > 60
        assert again.fingerprint == avatar.fingerprint, "whether or not it is drawn on the way"
        assert again.history["step"] == avatar.history["step"]
        assert again.history["psnr_body"] == avatar.history["psnr_body"]

    def test_a_missing_stage_is_named(self, name, turning, tmp_path):
        clip = Clip.open(shutil.copytree(turning.clip.folder, tmp_path / "clip"))
        clip.path("body").unlink()
        with pytest.raises(HvrError, match="03_body"):
            methods.method(name).reconstruct(clip)


def test_options_come_from_a_notebooks_parameters():
    nvr, selfrecon = methods.method("nvr"), methods.method("selfrecon")
    assert methods.method_options(nvr, iters=None, rays="auto", hold_out=8) == nvr.Options(hold_out=8)
    assert methods.method_options(nvr, iters=7).iters == 7
    assert methods.method_options(selfrecon, iters=None, rays=None) == selfrecon.Options()
    with pytest.raises(
        HvrError, match="'selfrecon' has no option 'rays'; .*image_scale, hold_out, refine_pose"
    ):
        methods.method_options(selfrecon, rays=1024, hold_out=4)


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Puts a method's module among the others and returns its name."""
    monkeypatch.setattr(methods, "__path__", [*methods.__path__, str(tmp_path)])

    def write(text):
        name = f"made_up_{len(list(tmp_path.iterdir()))}"
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(text)
        importlib.invalidate_caches()
        return name

    yield write
    for name in [name for name in sys.modules if name.startswith("hvr_nb.methods.made_up_")]:
        del sys.modules[name]


WHOLE = """
from dataclasses import dataclass
from typing import ClassVar
from hvr_nb.methods.contract import Avatar
NEEDS = ("frames",)
@dataclass(frozen=True)
class Options:
    hold_out: int = 0
class Made(Avatar):
    GIVES = frozenset({"render"})
GIVES = Made.GIVES
def reconstruct(clip, options=None, *, device="auto", seed=0, progress=None): ...
def load(folder, *, device="auto") -> Made: ...
"""


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("NEEDS", "WANTS", "has no NEEDS"),
        ("def load", "def read", "has no load"),
        ('("frames",)', '("frames", "shoes")', "NEEDS names 'shoes', which is none of frames, camera"),
        ('"render"', '"render", "dance"', "GIVES names 'dance', which is none of render, surface"),
        ("frozen=True", "frozen=False", "Options is no frozen dataclass"),
        ("hold_out: int = 0", "hold_out: int", "Options.hold_out has no default"),
        ("hold_out: int = 0", "rays: int = 0", "Options has no hold_out"),
        (", seed=0", "", "reconstruct takes no seed"),
        (" -> Made", "", "load does not say which class it returns"),
        ("class Made(Avatar)", "class Made", "its avatar (Made) has no body; .*has no save; .*has no render"),
        ("GIVES = Made.GIVES", "GIVES = frozenset()", "GIVES of the module and of Made differ"),
    ],
)
def test_a_broken_contract_is_named_in_one_sentence(written, old, new, sentence):
    methods.method(written(WHOLE))
    assert old in WHOLE
    with pytest.raises(HvrError, match=sentence.replace("(", r"\(").replace(")", r"\)")) as caught:
        methods.method(written(WHOLE.replace(old, new)))
    assert "\n" not in str(caught.value) and "does not keep the contract" in str(caught.value)


def test_methods_are_folders(written):
    before = methods.method_names()
    assert {"nvr", "selfrecon"} <= set(before) and "contract" not in before, "contract.py is no folder"
    name = written(WHOLE)
    assert methods.method_names() == sorted([*before, name])
    with pytest.raises(HvrError, match="no method 'contract'; known methods: made_up_0, nvr, .*selfrecon"):
        methods.method("contract")


@pytest.mark.parametrize("name", methods.method_names())
def test_every_option_has_a_comment(name):
    options = methods.method(name).Options
    lines = [line.strip() for line in inspect.getsource(options).splitlines()]
    for field in dataclasses.fields(options):
        line = next(line for line in lines if line.startswith(f"{field.name}: "))
        assert "  # " in line, line


def test_a_new_method_goes_through_the_notebooks_the_report_and_the_exports(
    guest, turning, tmp_path, monkeypatch
):
    """05, 06 and 07 know nothing of it."""
    execute_here(monkeypatch)
    clip = Clip.open(shutil.copytree(turning.clip.folder, tmp_path / "clip"))
    given = {
        "": {"method": guest},
        "05_train": {"hold_out": HOLD_OUT, "min_psnr": 8.0},
        "06_render": {"views": 2, "motion_frames": 2, "novel_limit": 1, "min_psnr": 8.0},
        "07_visualize": {"player_side": 64},
    }
    run_chain("", clip.folder, notebooks_dir=NOTEBOOKS, overrides=given, from_stage="05", progress=False)
    numbers, renders = clip.metrics["06_render"], clip.folder / "renders" / guest
    assert numbers["heldout_body_psnr"] > 10 and numbers["held_out_frames"] == 4 and numbers["seen_pct"] > 50
    assert {p.name for p in renders.iterdir() if p.is_file()} == {
        "frames.mp4",
        "turntable.mp4",
        "novel_poses.mp4",
        "coverage.png",
    }, "it gives no mesh"
    report = (clip.folder / "report.html").read_text()
    assert "painted" in report and methods.WORDS["surface"] in report
    avatar = clip.avatar(guest)
    texture = avatar_texture(avatar, clip.frames, clip.masks, size=256)
    made = export_avatar(avatar, tmp_path / "out", fps=clip.fps, texture=texture)
    assert len(read_skinned_glb(made.folder / "avatar.glb").times) == len(clip)
    film = {"frames": clip.frames, "alpha": clip.masks.alpha, "names": clip.frame_names, "fps": clip.fps}
    assert export_frames(avatar, tmp_path / "frames", **film).iou.min() > 0.7
