"""A skinned .glb: whole by the specification, and posed by itself as linear blend skinning poses it."""

import json
import struct

import numpy as np
import pytest
import torch
import trimesh

from hvr_nb.body.model import load_body_model, posed
from hvr_nb.canonical.big_pose import make_canonical
from hvr_nb.formats.models.glb_file import accessor, read_glb
from hvr_nb.formats.models.skinned_glb import write_layered_glb, write_skinned_glb
from hvr_nb.formats.models.skinned_mesh import read_layered_glb, read_skinned_glb, skinning_loss
from hvr_nb.geometry.functions import strongest_weights
from hvr_nb.subject import make_subject, true_garments
from hvr_nb.subject.motion import walking_motion
from hvr_nb.types import SMPL_JOINT_NAMES, HvrError, Mesh

SIZES = {5121: 1, 5123: 2, 5125: 4, 5126: 4}
PARTS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


@pytest.fixture(scope="module")
def scene():
    model, body = load_body_model(), walking_motion(8)
    return model, body, make_canonical(body, model, spacing=0.08)


@pytest.fixture(scope="module")
def painted(scene):
    """The big-pose skin with the body's texture coordinates, a texture and vertex colours."""
    model, _, canonical = scene
    texture = np.random.default_rng(0).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    colors = np.random.default_rng(1).integers(0, 255, (len(canonical.vertices), 3), dtype=np.uint8)
    return Mesh(canonical.vertices, canonical.faces, colors, model.uv, model.uv_faces, texture)


@pytest.fixture(scope="module")
def plain(painted):
    return Mesh(painted.vertices, painted.faces, painted.colors)


@pytest.fixture(scope="module")
def written(scene, plain, tmp_path_factory):
    _, body, canonical = scene
    return write_skinned_glb(
        tmp_path_factory.mktemp("glb") / "a.glb", plain, canonical.weights, canonical, body, fps=25
    )


def four_weights(weights):
    """The same matrix (N, 24) with all but the four largest of a row gone, rows summing to one."""
    out = np.zeros(weights.shape)
    for row, values in zip(out, weights, strict=True):
        which = sorted(range(24), key=lambda j: -values[j])[:4]  # of equals the first
        row[which] = values[which]
    return out / out.sum(1, keepdims=True)


def test_every_frame_is_linear_blend_skinning_by_the_same_weights(scene, written):
    model, body, canonical = scene
    skinned = read_skinned_glb(written)
    poses = [torch.as_tensor(a).float() for a in (body.betas, body.poses, body.transl)]
    transforms = model.pose(*poses)[2].numpy().astype(float)
    big = np.concatenate([canonical.A_big, np.tile([[[0, 0, 0, 1.0]]], (24, 1, 1))], 1)
    weights = four_weights(canonical.weights)
    for k in range(len(body)):
        carried = np.einsum("vj,jab->vab", weights, transforms[k] @ np.linalg.inv(big))
        expected = (
            np.einsum("vab,vb->va", carried[..., :3], canonical.vertices) + carried[..., 3] + body.transl[k]
        )
        np.testing.assert_allclose(skinned.pose(k), expected, atol=1e-5)
    np.testing.assert_allclose(skinned.times, np.arange(8) / 25, atol=1e-7)
    assert skinned.names == SMPL_JOINT_NAMES and skinned.parents.tolist() == list(model.parents)


def test_keys_lie_at_the_true_times(tmp_path, scene, plain):
    _, body, canonical = scene
    times = 2.0 + np.array([0, 0.04, 0.08, 0.3, 0.34, 0.38, 0.5, 0.6])
    path = write_skinned_glb(
        tmp_path / "a.glb", plain, canonical.weights, canonical, body, fps=7 / 0.6, times=times
    )
    np.testing.assert_allclose(read_skinned_glb(path).times, times - 2.0, atol=1e-6)


def test_the_loss_against_the_full_body_is_that_of_the_correctives(scene, written):
    model, body, _ = scene
    full = posed(model, body)[0]
    loss = skinning_loss([read_skinned_glb(written)], lambda k: full[k], np.arange(len(body)))
    assert 0.2 < loss["mean_mm"] < 2 and loss["mean_mm"] < loss["p95_mm"] < 10 and loss["max_mm"] < 40


def test_joint_nodes_stand_where_the_joints_are(scene, written):
    model, body, _ = scene
    joints = posed(model, body)[1]
    np.testing.assert_allclose(read_skinned_glb(written).placed[..., :3, 3], joints, atol=1e-5)


def test_the_file_keeps_the_rules_of_gltf(written):
    """What the validator of the format looks at: bounds, alignment, min and max, weights, tree."""
    data = written.read_bytes()
    tree, binary = read_glb(written)
    assert struct.unpack_from("<3I", data) == (0x46546C67, 2, len(data)) and len(data) % 4 == 0
    assert tree["asset"]["version"] == "2.0" and tree["buffers"] == [{"byteLength": len(binary)}]
    end = 0
    for view in tree["bufferViews"]:
        assert view["byteOffset"] % 4 == 0 and view["byteOffset"] >= end
        end = view["byteOffset"] + view["byteLength"]
        assert end <= len(binary)
    for k, item in enumerate(tree["accessors"]):
        size = item["count"] * PARTS[item["type"]] * SIZES[item["componentType"]]
        assert size == tree["bufferViews"][item["bufferView"]]["byteLength"]
        values = accessor(tree, binary, k)
        assert values.dtype.kind != "f" or np.isfinite(values).all()
        if "min" in item:
            np.testing.assert_array_equal(np.ravel(item["min"]), np.ravel(values.min(0)))
            np.testing.assert_array_equal(np.ravel(item["max"]), np.ravel(values.max(0)))
    attributes = tree["meshes"][0]["primitives"][0]["attributes"]
    assert len({tree["accessors"][k]["count"] for k in attributes.values()}) == 1
    assert "min" in tree["accessors"][attributes["POSITION"]]
    weights = accessor(tree, binary, attributes["WEIGHTS_0"])
    joints = accessor(tree, binary, attributes["JOINTS_0"])
    np.testing.assert_allclose(weights.sum(1), 1, atol=4e-7)
    assert (weights >= 0).all() and joints.max() < 24 and not joints[weights == 0].any()
    np.testing.assert_allclose(
        np.linalg.norm(accessor(tree, binary, attributes["NORMAL"]), axis=1), 1, atol=1e-6
    )
    faces = accessor(tree, binary, tree["meshes"][0]["primitives"][0]["indices"])
    assert faces.max() < len(weights) and len(faces) % 3 == 0
    for sampler in tree["animations"][0]["samplers"]:
        assert "min" in tree["accessors"][sampler["input"]]
        turns = accessor(tree, binary, sampler["output"])
        if turns.shape[1] == 4:
            np.testing.assert_allclose(np.linalg.norm(turns, axis=1), 1, atol=1e-6)
            assert ((turns[1:] * turns[:-1]).sum(1) > 0).all(), "keys take the short way"
    children = [c for node in tree["nodes"] for c in node.get("children", ())]
    assert len(children) == len(set(children)) == 24 and 0 not in children and 25 not in children
    bind = accessor(tree, binary, tree["skins"][0]["inverseBindMatrices"])
    np.testing.assert_array_equal(bind[:, 3], np.tile([0, 0, 0, 1], (24, 1)))


def test_at_rest_the_nodes_give_the_bind_pose(scene, written):
    """Programs that show the file without its motion see the big pose, at the person's place."""
    _, body, _ = scene
    tree, binary = read_glb(written)
    from scipy.spatial.transform import Rotation

    place = np.tile(np.eye(4), (25, 1, 1))
    for k, node in enumerate(tree["nodes"][:25]):
        here = np.eye(4)
        here[:3, :3] = Rotation.from_quat(node.get("rotation", [0, 0, 0, 1])).as_matrix()
        here[:3, 3] = node["translation"]
        place[k] = place[k] @ here
        for child in node.get("children", ()):
            place[child] = place[k]
    moved = place[1:] @ accessor(tree, binary, tree["skins"][0]["inverseBindMatrices"])
    np.testing.assert_allclose(moved[:, :3, :3], np.tile(np.eye(3), (24, 1, 1)), atol=1e-6)
    np.testing.assert_allclose(moved[:, :3, 3], np.tile(body.transl.mean(0), (24, 1)), atol=1e-6)


def test_trimesh_opens_it_with_its_colours(plain, written):
    got = trimesh.load(written, force="mesh", process=False)
    np.testing.assert_allclose(got.vertices, plain.vertices, atol=1e-6)
    np.testing.assert_array_equal(got.faces, plain.faces)
    light = np.array([0, 10, 128, 255]) / 255  # sRGB; the file keeps linear light
    tree, binary = read_glb(written)
    colours = accessor(tree, binary, tree["meshes"][0]["primitives"][0]["attributes"]["COLOR_0"])
    for value, linear in zip(light, (0, 0.003035, 0.215861, 1), strict=True):
        there = plain.colors[:, 0] == round(value * 255)
        np.testing.assert_allclose(colours[there, 0] / 65535, linear, atol=1e-4)


def test_a_texture_goes_along_and_seams_keep_their_weights(scene, painted, tmp_path):
    _, body, canonical = scene
    path = write_skinned_glb(tmp_path / "t.glb", painted, canonical.weights, canonical, body.frame(0), fps=30)
    skinned = read_skinned_glb(path)
    assert len(skinned.mesh.vertices) > len(painted.vertices)
    np.testing.assert_array_equal(skinned.mesh.texture, painted.texture)
    np.testing.assert_allclose(skinned.mesh.uv[skinned.mesh.faces], painted.uv[painted.uv_faces], atol=1e-6)
    corners = skinned.pose(0)[skinned.mesh.faces]
    plain = read_skinned_glb(
        write_skinned_glb(
            tmp_path / "p.glb",
            Mesh(painted.vertices, painted.faces),
            canonical.weights,
            canonical,
            body.frame(0),
            fps=30,
        )
    )
    np.testing.assert_allclose(corners, plain.pose(0)[painted.faces], atol=1e-6)
    got = trimesh.load(path, force="mesh", process=False)
    np.testing.assert_array_equal(np.asarray(got.visual.material.baseColorTexture)[..., :3], painted.texture)
    np.testing.assert_allclose(got.visual.uv, skinned.mesh.uv, atol=1e-6)


@pytest.fixture(scope="module")
def dressed(scene):
    """The naked body and the garments of an outfit, with weights, in the big pose; one shared texture."""
    model, body, canonical = scene
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hvr_nb.subject.person.TILE", 16)
        subject = make_subject("jacket", betas=body.betas)
    parts = {"body": (Mesh(canonical.vertices, canonical.faces), canonical.weights)}
    for garment, worn in zip(true_garments(subject, pose="big"), subject.worn, strict=True):
        parts[garment.name] = (garment.mesh, worn.layer.weights)
    return parts


@pytest.fixture(scope="module")
def layered(scene, dressed, tmp_path_factory):
    _, body, canonical = scene
    return write_layered_glb(tmp_path_factory.mktemp("glb") / "l.glb", dressed, canonical, body, fps=25)


def test_every_layer_is_a_named_node_that_can_be_switched_off(layered, dressed):
    tree, _ = read_glb(layered)
    roots = [tree["nodes"][k] for k in tree["scenes"][0]["nodes"]]
    meshes = {node["name"]: node for node in roots if "mesh" in node}
    assert list(meshes) == ["body", "shirt", "jacket", "trousers"]
    assert all(node["skin"] == 0 for node in meshes.values())
    assert len(tree["images"]) == len(tree["textures"]) == 1  # the garments share one
    assert len(tree["materials"]) == 4 and len({n["mesh"] for n in meshes.values()}) == 4
    whole = trimesh.load(layered, process=False)
    assert set(dressed) <= set(whole.graph.nodes_geometry)
    for name, (mesh, _) in dressed.items():
        geometry = whole.geometry[whole.graph[name][1]]
        np.testing.assert_allclose(geometry.vertices[geometry.faces], mesh.vertices[mesh.faces], atol=1e-6)


def test_layers_are_posed_together(scene, dressed, layered):
    """Linear blend skinning of every layer to under a tenth of a millimetre, from trimesh's vertices."""
    model, body, canonical = scene
    poses = [torch.as_tensor(a).float() for a in (body.betas, body.poses, body.transl)]
    transforms = model.pose(*poses)[2].numpy().astype(float)
    big = np.concatenate([canonical.A_big, np.tile([[[0, 0, 0, 1.0]]], (24, 1, 1))], 1)
    read, whole = read_layered_glb(layered), trimesh.load(layered, process=False)
    assert list(read) == list(dressed)
    for name, (mesh, weights) in dressed.items():
        shown = whole.geometry[whole.graph[name][1]]
        np.testing.assert_allclose(read[name].mesh.vertices, shown.vertices, atol=1e-7)
        for k in (0, 5):
            carried = np.einsum("vj,jab->vab", four_weights(weights), transforms[k] @ np.linalg.inv(big))
            here = np.einsum("vab,vb->va", carried[..., :3], mesh.vertices) + carried[..., 3]
            corners = read[name].pose(k)[shown.faces]
            np.testing.assert_allclose(corners, (here + body.transl[k])[mesh.faces], atol=1e-4)


def test_names_of_layers_are_no_names_of_joints(scene, plain, tmp_path):
    _, body, canonical = scene
    for name in ("head", "person"):
        with pytest.raises(HvrError, match=name):
            write_layered_glb(tmp_path / "a.glb", {name: (plain, canonical.weights)}, canonical, body, fps=25)


def test_the_four_strongest_weights_are_kept_and_sum_to_one():
    weights = np.zeros((2, 24))
    weights[0, [3, 5, 7, 9, 11]] = 0.3, 0.1, 0.2, 0.15, 0.25
    weights[1, 23] = 1
    joints, kept = strongest_weights(weights)
    assert joints.tolist() == [[3, 11, 7, 9], [23, 0, 0, 0]]
    np.testing.assert_allclose(kept, [np.array([0.3, 0.25, 0.2, 0.15]) / 0.9, [1, 0, 0, 0]], atol=1e-7)


def test_the_same_file_twice_and_no_file_of_others(scene, plain, tmp_path):
    _, body, canonical = scene
    a, b = tmp_path / "a.glb", tmp_path / "b.glb"
    for path in (a, b, a):
        write_skinned_glb(path, plain, canonical.weights, canonical, body, fps=30)
    assert a.read_bytes() == b.read_bytes()
    trimesh.creation.box().export(tmp_path / "box.glb")
    (tmp_path / "text.glb").write_text("mine")
    for name in ("box.glb", "text.glb"):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(HvrError, match="not written by this project"):
            write_skinned_glb(tmp_path / name, plain, canonical.weights, canonical, body, fps=30)
        assert (tmp_path / name).read_bytes() == before


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"path": "a.gltf"}, ".glb"),
        ({"fps": 0}, "fps"),
        ({"weights": np.ones((3, 24))}, r"\(3, 24\)"),
        ({"weights": None}, "above 0"),
        ({"body": 0}, "no frames"),
        ({"body": np.nan}, "finite"),
        ({"body": "other"}, "04_canonical"),
    ],
)
def test_what_does_not_fit_is_named(scene, plain, tmp_path, change, match):
    from dataclasses import replace

    _, body, canonical = scene
    bodies = {
        "other": replace(body, model_hash="f" * 64),
        0: body.frame(slice(0, 0)),
        np.nan: replace(body, transl=body.transl * np.nan),
    }
    weights = change.get("weights", canonical.weights)
    weights = np.zeros_like(canonical.weights) if weights is None else weights
    with pytest.raises(HvrError, match=match):
        write_skinned_glb(
            tmp_path / change.get("path", "a.glb"),
            plain,
            weights,
            canonical,
            bodies[change["body"]] if "body" in change else body,
            fps=change.get("fps", 30),
        )
    assert not list(tmp_path.iterdir())


def test_damaged_files(written, tmp_path):
    data = written.read_bytes()
    cut, odd, static = tmp_path / "cut.glb", tmp_path / "odd.glb", tmp_path / "static.glb"
    cut.write_bytes(data[:-100])
    size = struct.unpack_from("<I", data, 12)[0]
    tree = json.loads(data[20 : 20 + size])
    tree["accessors"][0]["count"] += 10
    text = json.dumps(tree, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    rest = data[20 + size :]
    odd.write_bytes(
        struct.pack("<5I", 0x46546C67, 2, 20 + len(text) + len(rest), len(text), 0x4E4F534A) + text + rest
    )
    trimesh.creation.box().export(static)
    for path, match in (
        (cut, "damaged"),
        (odd, "does not fit"),
        (static, "no skinned"),
        (tmp_path / "no.glb", "miss"),
    ):
        with pytest.raises(HvrError, match=match):
            read_skinned_glb(path)
