"""Garments in files: meshes, curves and patterns that others can read, on the person and on another one."""

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import trimesh

from hvr_nb.canonical import make_canonical
from hvr_nb.export import export_garments
from hvr_nb.export.garments import polylines_ply
from hvr_nb.formats.models import read_layered_glb
from hvr_nb.geometry.open_mesh import topology
from hvr_nb.subject import make_subject, rotating_motion, true_garments
from hvr_nb.surface.garments import penetration
from hvr_nb.types import Garment, HvrError


@pytest.fixture(scope="module")
def avatar():
    """A jacket over a shirt and trousers, with closed shoes: all there is of an avatar."""
    betas = np.zeros(10)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hvr_nb.subject.person.TILE", 16)
        subject = make_subject("jacket", betas=betas)
    body = rotating_motion(3, betas=betas)
    worn = tuple(
        replace(g, mesh=replace(g.mesh, texture=None, uv=None, uv_faces=None))
        for g in true_garments(subject, pose="big")
    )
    ball = trimesh.creation.icosphere(2, 0.05)
    shoes = replace(
        worn[0].mesh, vertices=np.asarray(ball.vertices) + [0.4, -0.9, 0], faces=np.asarray(ball.faces)
    )
    garments = (*worn, Garment("shoes", shoes, {}))
    return SimpleNamespace(
        GIVES=frozenset({"garments"}),
        garments=lambda pose: garments,
        canonical=make_canonical(body, subject.model, spacing=0.1),
        body=body,
        model=subject.model,
    )


@pytest.fixture(scope="module")
def folder(avatar, tmp_path_factory):
    return export_garments(avatar, tmp_path_factory.mktemp("garments") / "out")


def test_every_garment_is_there_and_what_is_said_of_it_is_so(avatar, folder):
    index = json.loads((folder / "garments.json").read_text())["garments"]
    assert list(index) == sorted(g.name for g in avatar.garments(None))
    for garment in avatar.garments(None):
        read = trimesh.load(folder / f"registry_{garment.name}.obj", process=False)
        np.testing.assert_allclose(read.vertices, garment.mesh.vertices, atol=1e-6)
        said, found = index[garment.name], topology(np.asarray(read.faces))
        assert (
            said["topology"]["loops"]
            == found.loops
            == {"jacket": 3, "shirt": 4, "trousers": 3, "shoes": 0}[garment.name]
        )
        share = penetration(
            garment.mesh.vertices, garment.mesh.faces, avatar.canonical.vertices, avatar.canonical.faces
        )
        assert np.isclose(said["penetration_pct"], 100 * share)
        assert (folder / f"{garment.name}_pattern.svg").exists() == bool(garment.curves)


def test_curves_come_back(avatar, folder):
    said = json.loads((folder / "curves.json").read_text())["curves"]
    for garment in avatar.garments(None)[:3]:
        for name, curve in garment.curves.items():
            np.testing.assert_allclose(said[garment.name][name], curve, atol=1e-9)
        text = (folder / f"{garment.name}_curves.ply").read_text()
        head, data = text.split("end_header\n")
        vertices, edges = (int(re.search(f"element {what} (\\d+)", head)[1]) for what in ("vertex", "edge"))
        rows = data.splitlines()
        assert len(rows) == vertices + edges
        points = np.array([row.split() for row in rows[:vertices]], float)
        np.testing.assert_allclose(points, np.concatenate(list(garment.curves.values())), atol=1e-6)
        open_ = 2 if garment.name == "jacket" else 0  # hem and opening
        assert edges == vertices - open_
        pairs = np.array([row.split() for row in rows[vertices:]], int)
        assert np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1).max() < 0.06


def test_open_and_closed_polylines():
    square = np.eye(3)
    text = polylines_ply({"a": square, "b": square}, closed={"a": True, "b": False})
    assert "element edge 5\n" in text and "comment b 3 6\n" in text and text.endswith("3 4\n4 5\n")


def test_the_sheet_is_in_millimetres(avatar, folder):
    """Panel borders on the sheet are as long as on the garment, but for the stated stretch."""
    root = ET.parse(folder / "trousers_pattern.svg").getroot()
    space = {"s": "http://www.w3.org/2000/svg"}
    width, height = (float(root.get(k).removesuffix("mm")) for k in ("width", "height"))
    assert root.get("viewBox") == f"0 0 {width:.1f} {height:.1f}" and width < 1500
    stretch = json.loads((folder / "garments.json").read_text())["garments"]["trousers"]["stretch"]
    groups = root.findall("s:g", space)
    assert {g.get("id") for g in groups} == {name.replace(" ", "_") for name in stretch} and len(groups) == 4
    hems, seams = [], {}
    for group in groups:
        for path in group.findall("s:path", space):
            points = np.array(re.findall(r"[-\d.]+ [-\d.]+", path.get("d")))
            points = np.array([p.split() for p in points], float)
            assert points.min() >= 0 and (points[:, 0] <= width).all() and (points[:, 1] <= height).all()
            length = np.linalg.norm(np.diff(points, axis=0), axis=1).sum()
            if path.get("class") == "end":
                hems.append(length)
        texts = group.findall("s:text", space)
        for text in texts:
            if text.get("class") == "seam":
                seams.setdefault(text.text, []).append(group.get("id"))
        assert any("stretch" in t.text and "%" in t.text for t in texts)
    assert all(len(set(of)) == 2 for of in seams.values()) and len(seams) >= 4  # each seam on two panels
    trousers = next(g for g in avatar.garments(None) if g.name == "trousers")
    around = sum(np.linalg.norm(np.roll(c, -1, 0) - c, axis=1).sum() for c in trousers.curves.values())
    assert abs(sum(hems) / (1000 * around) - 1) < 0.05


def test_on_another_person(avatar, tmp_path):
    betas = np.array([1.5, 1.5, -1, 0.5, 0, 0, 0, 0, 0, 0])
    motion = rotating_motion(2, betas=betas)
    wearer = make_canonical(motion, avatar.model, spacing=0.1)
    made = export_garments(avatar, tmp_path / "worn", wearer=wearer, motion=motion, fps=25)
    index = json.loads((made / "garments.json").read_text())["garments"]
    for name in ("jacket", "shirt", "trousers"):
        assert index[name]["penetration_pct"] < 0.5
    read = read_layered_glb(made / "dressed.glb")
    assert list(read) == ["body", "shirt", "jacket", "trousers", "shoes"]
    assert len(read["body"].times) == 2
    np.testing.assert_allclose(read["body"].mesh.vertices, wearer.vertices, atol=1e-6)
    obj = trimesh.load(made / "registry_jacket.obj", process=False)
    np.testing.assert_allclose(read["jacket"].mesh.vertices, obj.vertices, atol=1e-5)


def test_what_cannot_be_written_is_said(avatar, tmp_path):
    naked = SimpleNamespace(GIVES=frozenset({"surface"}))
    with pytest.raises(HvrError, match="garments"):
        export_garments(naked, tmp_path / "a")
    with pytest.raises(HvrError, match="no garment"):
        export_garments(SimpleNamespace(GIVES=avatar.GIVES, garments=lambda pose: ()), tmp_path / "a")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(HvrError, match="notes.txt"):
        export_garments(avatar, tmp_path / "mine")
    assert not (tmp_path / "a").exists()
