"""The gallery: hundreds of meshes in one page that a real browser shows without any network."""

import base64
import errno
import gzip
import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import trimesh

from hvr_nb.formats.models.glb_file import read_glb
from hvr_nb.formats.models.small_glb import STEPS, small_glb
from hvr_nb.geometry.camera import default_camera
from hvr_nb.report.gallery import write_gallery
from hvr_nb.types import HvrError, Mesh

COUNT = 200
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def blob(k, *, fine=2):
    """A ball that drifts to the right and has its number as its red."""
    ball = trimesh.creation.icosphere(fine, 0.5)
    vertices = ball.vertices * [0.5, 1 + 0.002 * k, 0.5] + [0.004 * k, 1.0, -3.0]
    colours = np.full((len(vertices), 3), (k, 60, 200), np.uint8)
    return Mesh(vertices.astype(np.float32), np.asarray(ball.faces), colours)


def test_a_small_glb_is_the_mesh_to_half_a_step(tmp_path):
    mesh, path = blob(7), tmp_path / "a.glb"
    path.write_bytes(small_glb(mesh))
    assert path.stat().st_size < 25 * len(mesh.vertices) + 1500
    back = trimesh.load(path, force="mesh", process=False)
    step = np.ptp(mesh.vertices, axis=0).max() / STEPS
    assert len(back.faces) == len(mesh.faces)
    np.testing.assert_allclose(back.vertices, mesh.vertices, atol=0.51 * step)
    tree, _ = read_glb(path)
    assert tree["extensionsRequired"] == ["KHR_mesh_quantization"]
    assert tree["bufferViews"][0]["byteStride"] % 4 == 0, "glTF 2.0, 3.6.2.4"
    with pytest.raises(HvrError, match="without faces or colours"):
        small_glb(Mesh(mesh.vertices, mesh.faces[:0], mesh.colors))


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("gallery") / "gallery.html"
    frames = np.zeros((COUNT, 40, 30, 3), np.uint8)
    frames[..., 1] = np.arange(COUNT)[:, None, None]
    names = [f"{k:04d}" for k in range(COUNT)]
    made = write_gallery(
        path,
        blob,
        frames,
        default_camera(30, 40),
        names=names,
        fps=25,
        title="<balls>",
        seen=lambda k, mesh: np.full(len(mesh.vertices), k % 3),
    )
    return path, made


def test_the_page_holds_all_meshes_and_states_its_size(page):
    path, made = page
    text = path.read_text()
    assert made.meshes == COUNT and made.megabytes == pytest.approx(path.stat().st_size / 1e6)
    stated = re.search(r"200 meshes, 64 thousand triangles, ([\d.]+) MB in this one file", text)
    assert float(stated[1]) == pytest.approx(made.megabytes, abs=0.1)
    packed = re.findall(r'<script type="application/x-mesh" id="mesh(\d+)">([^<]+)</script>', text)
    assert [int(k) for k, _ in packed] == list(range(COUNT))
    assert gzip.decompress(base64.b64decode(packed[7][1])) == small_glb(
        blob(7), np.full(len(blob(7).vertices), 128, np.uint8)
    )
    assert "&lt;balls&gt;" in text and "<balls>" not in text


def test_the_page_names_no_other_address(page):
    text = page[0].read_text()
    assert not re.search(r"https?://|//[a-z]+\.[a-z]+/|@import|url\(", text)
    assert "default-src 'none'" in text, "and the browser would refuse one"


def test_a_single_mesh_and_wrong_numbers(tmp_path):
    frames = np.zeros((1, 8, 8, 3), np.uint8)
    made = write_gallery(tmp_path / "a.html", blob, frames, default_camera(8, 8), names=["a"], fps=1)
    assert made.meshes == 1
    with pytest.raises(HvrError, match="1 frames and 2 names"):
        write_gallery(tmp_path / "b.html", blob, frames, default_camera(8, 8), names=["a", "b"], fps=1)
    assert not (tmp_path / "b.html").exists()


def test_a_full_disk_keeps_the_old_page(page, tmp_path, monkeypatch):
    path = tmp_path / "gallery.html"
    path.write_text("the old page")

    def half(self, text, **_):
        self.write_bytes(text[:1000].encode())
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", half)
    frames = np.zeros((3, 8, 8, 3), np.uint8)
    with pytest.raises(HvrError, match="the disk is full: .*gallery.html was not written"):
        write_gallery(path, blob, frames, default_camera(8, 8), names=["a", "b", "c"], fps=1)
    assert path.read_text() == "the old page" and list(tmp_path.iterdir()) == [path]


DRIVE = """
<script>
(async () => {
  const out = { errors: [], unpacked: 0, kept: 0 }, g = window.gallery;
  const wait = ms => new Promise(done => setTimeout(done, ms));
  const pixel = (x, y) => {
    const p = new Uint8Array(4);
    gl.readPixels(x, y, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, p);
    return [...p];
  };
  const press = (kind, id, x, y) => canvas.dispatchEvent(
    new PointerEvent(kind, { pointerId: id, clientX: x, clientY: y, pointerType: "touch" }));
  try {
    await g.show(0); out.first = g.unpacked;
    for (let k = 0; k < g.count; k++) { await g.show(k); if (g.shown !== k) out.errors.push(k); }
    out.unpacked = g.unpacked; out.kept = kept.size; out.triangles = g.triangles;
    await g.show(120); g.draw();
    out.middle = pixel(canvas.width >> 1, canvas.height >> 1); out.corner = pixel(2, 2);
    at("look").value = "2"; at("look").onchange();
    out.seen = [];
    for (const k of [0, 1, 2]) {
      await g.show(120 + k); out.seen.push(pixel(canvas.width >> 1, canvas.height >> 1));
    }
    out.legend = !at("seen").hidden; at("look").value = "0"; at("look").onchange(); await g.show(120);
    out.picture = at("frame").src.slice(0, 23);
    out.thumbs = at("thumbs").children.length; out.page = at("page").textContent;
    press("pointerdown", 1, 50, 50); press("pointermove", 1, 110, 50); out.turned = g.view()[0];
    press("pointerdown", 2, 150, 50); press("pointermove", 2, 190, 50); out.zoomed = g.view()[2];
    press("pointerup", 1, 0, 0); press("pointerup", 2, 0, 0);
    at("front").click(); out.back = g.view();
    at("later").click(); out.later = at("page").textContent;
    at("thumbs").children[1].click(); await wait(50); out.clicked = g.now;
    const loaded = performance.getEntriesByType("resource").map(r => r.name);
    out.requests = loaded.filter(n => !n.startsWith("data:"));
  } catch (error) { out.errors.push(String(error)); }
  const note = document.createElement("pre");
  note.id = "outcome"; note.textContent = JSON.stringify(out); document.body.append(note);
})();
</script>
"""


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")
def test_a_browser_shows_two_hundred_meshes(page, tmp_path):
    copy = tmp_path / "driven.html"
    copy.write_text(page[0].read_text().replace("</body>", DRIVE + "</body>"))
    command = [CHROMIUM, "--headless", "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader"]
    command += ["--enable-unsafe-swiftshader", "--virtual-time-budget=120000", "--window-size=900,700"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", copy.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    found = re.search(r'<pre id="outcome">(.*?)</pre>', done.stdout, re.S)
    assert found, done.stderr[-2000:]
    out = json.loads(html.unescape(found[1]))
    assert out["errors"] == [] and out["first"] == 1, "only what is looked at is unpacked"
    assert out["unpacked"] == COUNT and out["kept"] <= 16 and out["triangles"] == 320
    red, green, blue, alpha = out["middle"]
    assert (abs(red - 120), abs(green - 60), abs(blue - 200), alpha) <= (3, 3, 3, 255) and out["corner"][
        3
    ] == 0
    kinds = [max(range(3), key=pixel.__getitem__) for pixel in out["seen"]]
    assert kinds == [0, 0, 2] and out["seen"][1][1] > 1.5 * out["seen"][0][1], "red a guess, yellow, blue"
    assert out["legend"]
    assert (
        out["picture"] == "data:image/jpeg;base64," and out["thumbs"] == 24 and out["page"] == "page 6 of 9"
    )
    assert (
        out["turned"] == pytest.approx(0.6)
        and out["zoomed"] == pytest.approx(2.0)
        and out["back"] == [0, 0, 1]
    )
    assert out["later"] == "page 7 of 9" and out["clicked"] == 145 and out["requests"] == []
