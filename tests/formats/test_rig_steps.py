"""Steps of skeletons and glTF files: values by hand, their limits, golden numbers of geometry."""

import struct
from dataclasses import replace

import numpy as np
import pytest
from golden import Golden
from scipy.spatial.transform import Rotation

from hvr_nb.formats.models import glb_file, skinned_glb, small_glb
from hvr_nb.formats.skeletons import glb, rig, tables
from hvr_nb.formats.skeletons.track import SkeletonTrack
from hvr_nb.types import HvrError, Mesh

GOLDEN = Golden(__file__)


def waves(*shape, step=0.7) -> np.ndarray:
    """Numbers between -1 and 1 that look random and never change."""
    return np.sin(step * np.arange(np.prod(shape)) ** 1.3).reshape(shape)


def test_a_bone_takes_the_smallest_turn_also_when_it_points_the_other_way():
    rest = np.array([0.0, 2.0, 0.0])
    bones = np.array([[0, 3.0, 0], [0, -1.0, 0], [1.0, 0, 0], [0.0, 0, 0], [0.3, -0.4, 0.5], [1e-6, -1, 0]])
    turn = rig._turn_bone(np.repeat(np.eye(3)[None], 6, 0), rest, bones)
    np.testing.assert_allclose(turn @ turn.swapaxes(1, 2), np.repeat(np.eye(3)[None], 6, 0), atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(turn), 1)
    np.testing.assert_allclose(turn[[0, 3]], [np.eye(3)] * 2, atol=1e-12)
    moved = turn @ rest / 2
    lengths = np.linalg.norm(bones, axis=1)
    ends = [k for k in range(6) if lengths[k] > 0]
    np.testing.assert_allclose(moved[ends], bones[ends] / lengths[ends, None], atol=1e-6)
    angle = Rotation.from_matrix(turn).magnitude()
    np.testing.assert_allclose(angle[[1, 2]], [np.pi, np.pi / 2])
    assert angle[4] == pytest.approx(np.arccos(-0.4 / np.sqrt(0.5)))
    before = Rotation.from_euler("xyz", [0.3, 0.4, 0.5]).as_matrix()
    turned = rig._turn_bone(np.repeat(before[None], 6, 0), rest, bones)
    np.testing.assert_allclose(turned[3], before)
    np.testing.assert_allclose((turned @ rest / 2)[4], bones[4] / lengths[4], atol=1e-9)
    opposite = rig._turn_bone(np.repeat(before[None], 1, 0), rest, -(before @ rest)[None])
    np.testing.assert_allclose(opposite[0] @ rest, -before @ rest, atol=1e-9)


@pytest.mark.parametrize(
    "name, bone, expected",
    [
        ("left_knee", (1, 0, 0), (0, -1, 0)),
        ("left_elbow", (0, 1, 0), (1, 0, 0)),
        ("right_elbow", (0, 1, 0), (-1, 0, 0)),
        ("right_foot", (0, 1, 0), np.array([-0.2, -0.3, 0.9]) / np.sqrt(0.94)),
        ("tail", (0, 0, -3), (0, 0, -1)),
        ("tail", (0, 0, 0), (0, 1, 0)),
    ],
)
def test_bones_at_rest_by_their_names(name, bone, expected):
    np.testing.assert_allclose(rig._rest_direction(name, np.array([bone, (9, 9, 9)], float)), expected)


def test_several_bones_turn_together():
    rest = waves(3, 3)
    turns = Rotation.from_euler("xyz", [[0.5, 1.0, -0.4], [2.0, 0.1, 1.0]]).as_matrix()
    found = rig._turn_together(np.repeat(np.eye(3)[None], 2, 0), rest, rest @ turns.swapaxes(1, 2))
    np.testing.assert_allclose(found, turns, atol=1e-3)
    noisy = rest @ turns.swapaxes(1, 2) * [1, 1, -1]  # a mirror is no rotation
    mirrored = rig._turn_together(np.repeat(np.eye(3)[None], 2, 0), rest, noisy)
    np.testing.assert_allclose(np.linalg.det(mirrored), 1)
    GOLDEN.check("best turns of mirrored bones", mirrored)
    line = np.array([[0.0, 1, 0], [0, 2, 0]])  # the turn about the line is that of the parent
    np.testing.assert_allclose(
        rig._turn_together(turns, line, np.array([line @ turns[0].T, line @ turns[1].T])), turns, atol=1e-6
    )


def test_helpers_are_told_by_name_and_place():
    names, parents = ("hip", "hip__knee", "knee", "hip__spine", "spine"), (-1, 0, 1, 0, 3)
    offsets = np.zeros((5, 3))
    offsets[2, 1], offsets[4, 1] = -0.4, 0.5
    kept = rig.without_helpers(names, parents, offsets)
    assert kept == [0, 2, 4] and rig.joint_parents(kept, parents) == (-1, 0, 0)
    offsets[3, 2] = 1.1e-9  # a joint with a length is none, whatever its name
    assert rig.without_helpers(names, parents, offsets) == [0, 2, 3, 4]
    assert rig.joint_parents([1, 2, 4], parents) == (-1, 0, -1)


def a_skeleton(count=6) -> SkeletonTrack:
    """A pelvis with three bones, one of which goes on."""
    joints = 0.2 * waves(count, 5, 3) + np.array(
        [[0, 1, 0], [0.2, 1, 0], [-0.2, 1, 0], [0, 1.4, 0], [0.2, 0.5, 0]]
    )
    names = ("pelvis", "left_hip", "right_hip", "spine", "left_knee")
    return SkeletonTrack(joints, names, (-1, 0, 0, 0, 1), 25.0, np.arange(count) != 2)


def test_rotations_of_a_skeleton_keep_their_numbers():
    found = rig.rig_track(a_skeleton())
    GOLDEN.check("rig offsets", found.offsets)
    GOLDEN.check("rig rotations", found.rotations)
    assert found.names[0] == "pelvis" and found.parents.count(-1) == 1


def test_the_octahedron_of_a_bone():
    a, b = np.array([0.0, 1, 0]), np.array([0.3, 1.4, 0.0])
    corners = glb._octahedron(a, b)
    assert corners.shape == (24, 3)
    for bone, wide in ((b, 0.03), (a + (b - a) / 5, 0.06 * 0.1)):  # at most three centimetres
        corners = glb._octahedron(a, bone)
        along = (bone - a) / np.linalg.norm(bone - a)
        out = corners - a
        away = np.linalg.norm(out - (out @ along)[:, None] * along, axis=1)
        ring = away > 1e-9
        np.testing.assert_allclose(away[ring], wide)
        np.testing.assert_allclose(out[ring] @ along, 0.2 * np.linalg.norm(bone - a))
        assert ring.sum() == 16
    triangles = glb._octahedron(a, b).reshape(8, 3, 3)
    volume = (
        np.einsum("ni,ni->n", triangles[:, 0] - a, np.cross(triangles[:, 1] - a, triangles[:, 2] - a)).sum()
        / 6
    )
    assert volume == pytest.approx(2 * 0.03**2 * 0.5 / 3)  # closed, seen from outside
    GOLDEN.check("octahedron", glb._octahedron(a, b))


def test_nodes_at_rest_stand_on_the_floor():
    found = rig.rig_track(a_skeleton())
    places = glb._rest_places(found)
    assert places[:, 1].min() == 0
    for k, p in enumerate(found.parents):
        if p >= 0:
            np.testing.assert_allclose(places[k] - places[p], found.offsets[k], atol=1e-12)


def test_rates_of_tables(tmp_path):
    """A million is the finest part of a frame a second; one frame has the usual rate."""
    track = replace(a_skeleton(4), fps=29.97)
    assert tables.read_skeleton_csv(tables.write_skeleton_csv(tmp_path / "a.csv", track)).fps == 29.97
    path = tmp_path / "b.csv"
    rows = [f"{t},{s},a,,0,0,0,1" for t, s in enumerate((0.0, 1.0, 3.0))]
    path.write_text("\n".join([",".join(tables.CSV_COLUMNS), *rows]))
    assert tables.read_skeleton_csv(path).fps == round(2 / 3, 6)
    path.write_text("\n".join([",".join(tables.CSV_COLUMNS), rows[0]]))
    assert tables.read_skeleton_csv(path).fps == 30.0


@pytest.mark.parametrize("unit, scale", [("m", 1), ("cm", 0.01), ("mm", 0.001)])
def test_units_of_markers(tmp_path, unit, scale):
    path = tmp_path / "a.trc"
    lines = [
        "PathFileType\t4\t(X/Y/Z)\ta.trc",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits",
        f"50\t50\t2\t2\t{unit}",
        "Frame#\tTime\tA\t\t\tB\t\t",
        "\t\tX1\tY1\tZ1\tX2\tY2\tZ2",
        "",
        "1\t0.0\t10\t20\t30\t\t\t",
        "2\t0.5\t\t\t\t\t\t",
    ]
    path.write_text("\n".join(lines))
    track = tables.read_skeleton_trc(path)
    np.testing.assert_allclose(track.joints[0, 0], np.array([10, 20, 30]) * scale)
    assert np.isnan(track.joints[0, 1]).all() and track.valid.tolist() == [True, False]
    assert track.names == ("A", "B") and track.parents == (-1, -1) and track.fps == 50
    assert track.times.tolist() == [0, 0.5]
    path.write_text("\n".join([*lines[:7], lines[7].replace("0.5", "0.0")]))
    assert tables.read_skeleton_trc(path).times is None


def test_a_buffer_is_aligned_and_its_arrays_come_back(tmp_path):
    buffer = glb_file.GlbBuffer()
    arrays = [
        np.arange(5, dtype=np.uint8),
        np.arange(6, dtype=np.uint16).reshape(3, 2),
        waves(2, 3).astype(np.float32),
        np.arange(4, dtype=np.uint32),
        waves(2, 4, 4).astype(np.float32),
        np.zeros((3, 4), np.uint8),
    ]
    numbers = [
        buffer.numbers(array, target=(0, 34962)[k % 2], bounds=k == 2) for k, array in enumerate(arrays)
    ]
    assert numbers == list(range(6)) and all(view["byteOffset"] % 4 == 0 for view in buffer.views)
    assert [view["byteLength"] for view in buffer.views] == [a.nbytes for a in arrays]
    assert ["target" in view for view in buffer.views] == [False, True] * 3
    assert buffer.accessors[2]["min"] == arrays[2].min(0).tolist() and "min" not in buffer.accessors[0]
    data = glb_file.glb_bytes({"nodes": [{"name": "ä"}]}, buffer)
    assert len(data) % 4 == 0 and struct.unpack_from("<I", data, 8) == (len(data),)
    (tmp_path / "a.glb").write_bytes(data)
    tree, binary = glb_file.read_glb(tmp_path / "a.glb")
    assert tree["asset"] == {"version": "2.0", "generator": "hvr_nb"} and tree["buffers"][0][
        "byteLength"
    ] == len(binary)
    for k, array in enumerate(arrays):
        found = glb_file.accessor(tree, binary, k)
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array)
    for change in (
        {"bufferViews": [dict(v, byteStride=8) for v in tree["bufferViews"]]},
        {"bufferViews": [dict(v, byteLength=v["byteLength"] - 1) for v in tree["bufferViews"]]},
        {"bufferViews": [dict(v, byteOffset=v["byteOffset"] + 2) for v in tree["bufferViews"]]},
        {"accessors": [dict(a, count=a["count"] + 1) for a in tree["accessors"]]},
        {"accessors": [dict(a, byteOffset=4) for a in tree["accessors"]]},
    ):
        with pytest.raises(HvrError, match="accessor 2 of the .glb does not fit its buffer view"):
            glb_file.accessor(tree | change, binary, 2)
    with pytest.raises(HvrError, match="accessor 5"):
        glb_file.accessor(tree, binary[:-1], 5)


@pytest.mark.parametrize("at", [0, 4, 8, 12, 16, 20])
def test_a_glb_is_known_by_every_number_of_its_header(tmp_path, at):
    data = bytearray(glb_file.glb_bytes({}, glb_file.GlbBuffer()))
    path = tmp_path / "a.glb"
    path.write_bytes(data)
    assert glb_file.generator(path) == "hvr_nb"
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(HvrError, match="is damaged or not binary glTF 2.0"):
        glb_file.read_glb(path)
    assert glb_file.generator(path) == "" and glb_file.generator(tmp_path / "none.glb") == ""


def test_keys_of_rotations_take_the_shorter_way():
    angles = np.radians([0, 100, 200, 300, 400, 500])
    turns = Rotation.from_rotvec(
        np.stack([np.stack([angles, 0 * angles, 0 * angles], 1), np.zeros((6, 3))], 1).reshape(-1, 3)
    )
    keys = glb_file.rotation_keys(turns, 6)
    assert keys.shape == (6, 2, 4) and keys.dtype == np.float32
    assert ((keys[1:] * keys[:-1]).sum(-1) > 0.6).all()
    np.testing.assert_allclose(np.abs((keys.reshape(-1, 4) * turns.as_quat()).sum(1)), 1, atol=1e-6)


@pytest.mark.parametrize("count, kind", [(65535, 5123), (65536, 5125)])
def test_small_meshes_have_short_indices(tmp_path, count, kind):
    vertices = np.zeros((count, 3))
    vertices[0], vertices[1] = (1, 2, 3), (1, 2 + 8.19, 3)
    mesh = Mesh(vertices.astype(np.float32), np.array([[0, 1, 2]]), colors=np.full((count, 3), 7, np.uint8))
    (tmp_path / "a.glb").write_bytes(small_glb.small_glb(mesh))
    tree, binary = glb_file.read_glb(tmp_path / "a.glb")
    assert tree["accessors"][2]["componentType"] == kind
    assert tree["accessors"][0]["max"] == [round(1 / 10.19 * 4095), 4095, round(3 / 10.19 * 4095)]
    assert tree["nodes"][0]["scale"] == pytest.approx([10.19 / 4095] * 3, rel=1e-6)
    assert tree["nodes"][0]["translation"] == [0, 0, 0] and tree["bufferViews"][0]["byteStride"] == 8
    colours = glb_file.accessor(tree, binary, 1)
    assert (colours == [7, 7, 7, 255]).all() and tree["accessors"][1]["normalized"]


def test_colours_are_linear_in_gltf():
    colours = np.array([[0, 10, 11], [128, 200, 255]], np.uint8)
    found = skinned_glb._linear(colours)
    assert found[:, 3].tolist() == [65535] * 2 and found.dtype == np.uint16
    c = colours / 255
    expected = np.where(colours <= 10, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) * 65535
    np.testing.assert_allclose(found[:, :3], np.floor(expected + 0.5))
    assert found[1, 2] == 65535
