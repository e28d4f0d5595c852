"""Result files of other systems in every container, read without running anything in them."""

import bz2
import gzip
import lzma
import pickle
import zlib
from collections import defaultdict

import numpy as np
import pytest
import torch
from joblib_files import joblib_file

from hvr_nb.store.result_files import read_results
from hvr_nb.store.safe_pickle import MAX_DEPTH, nested_values
from hvr_nb.store.smpl_arrays import read_smpl_npz
from hvr_nb.types import HvrError

POSES = np.arange(24, dtype=np.float32).reshape(4, 6)


def same(found, wanted) -> None:
    assert type(found) is type(wanted)
    if isinstance(wanted, dict):
        assert list(found) == list(wanted)
        for key in wanted:
            same(found[key], wanted[key])
    elif isinstance(wanted, np.ndarray):
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found, wanted)
    else:
        assert found == wanted


def test_torch_files(tmp_path):
    value = {
        "poses": torch.from_numpy(POSES),
        "ids": torch.arange(3),
        "people": [{"a": torch.ones(2).half()}],
    }
    wanted = {"poses": POSES, "ids": np.arange(3), "people": [{"a": np.ones(2, np.float32)}]}
    torch.save(value, tmp_path / "new.pt")
    torch.save(value, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    for name in ("new.pt", "old.pt"):
        found = read_results(tmp_path / name)
        same(found["people"][0], wanted["people"][0])
        same({key: found[key] for key in ("poses", "ids")}, {key: wanted[key] for key in ("poses", "ids")})


@pytest.mark.parametrize("pack", [bytes, zlib.compress, gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_pickles_plain_and_compressed(tmp_path, pack, protocol):
    value = {"poses": POSES, "name": "a", "count": 3, "share": 0.5, "flags": [True, None]}
    (tmp_path / "a.pkl").write_bytes(pack(pickle.dumps(value, protocol)))
    same(read_results(tmp_path / "a.pkl"), value)


def test_default_dictionaries_and_tensors_in_pickles(tmp_path):
    whole = torch.from_numpy(POSES.copy())
    people = defaultdict(dict)
    people["1"] = {"all": whole, "turned": whole.T, "row": whole[2], "cell": whole[1, 3], "none": whole[:0]}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(people))
    found = read_results(tmp_path / "a.pkl")["1"]
    wanted = {"all": POSES, "turned": POSES.T, "row": POSES[2], "cell": POSES[1, 3], "none": POSES[:0]}
    for key, value in wanted.items():
        np.testing.assert_array_equal(found[key], value)


@pytest.mark.parametrize("compress", [False, True])
def test_arrays_of_joblib_follow_in_the_stream(tmp_path, monkeypatch, compress):
    value = {"poses": POSES, "after": "text", "more": [POSES[:, ::-1].copy(), np.arange(5)]}
    found = read_results(joblib_file(tmp_path / "a.pkl", value, monkeypatch, compress=compress))
    same(found["poses"], POSES)
    assert found["after"] == "text"
    same(found["more"][0], value["more"][0])
    same(found["more"][1], value["more"][1])


def test_npz_and_npy(tmp_path):
    np.savez(tmp_path / "a.npz", poses=POSES, inner=np.array({"ids": [1, 2]}, object))
    found = read_results(tmp_path / "a.npz")
    same(found["poses"], POSES)
    assert found["inner"] == {"ids": [1, 2]}
    np.save(tmp_path / "a.npy", POSES)
    same(read_results(tmp_path / "a.npy"), POSES)
    np.save(tmp_path / "b.npy", np.array({"poses": POSES}, object), allow_pickle=True)
    same(read_results(tmp_path / "b.npy")["poses"], POSES)


def test_sizes_are_bounded(tmp_path, monkeypatch):
    for name, data in (("empty.pkl", b""), ("large.pkl", bytes(2001))):
        (tmp_path / name).write_bytes(data)
    np.savez_compressed(tmp_path / "zip.npz", a=np.zeros(100_000))
    (tmp_path / "cut.pkl").write_bytes(zlib.compress(pickle.dumps(POSES))[:-6])
    monkeypatch.setattr("hvr_nb.store.result_files.MAX_FILE", 2000)
    for name, words in (
        ("none.pkl", "missing or has 0 bytes"),
        ("empty.pkl", "has 0 bytes"),
        ("large.pkl", "has 2001 bytes, not 1 to 2000"),
        ("cut.pkl", "more than 2000 bytes, or is cut short"),
        ("zip.npz", "holds more than 2000 bytes"),
    ):
        with pytest.raises(HvrError, match=words):
            read_results(tmp_path / name)


@pytest.mark.parametrize("read", [read_results, read_smpl_npz])
@pytest.mark.parametrize("place, what", [(6, b"\xc0"), (0, b"PX"), (30, b"\x09\x00")])
def test_a_damaged_directory_of_a_zip_is_named(tmp_path, read, place, what):
    """A version nobody has, another magic number, and an extra field that is not there."""
    np.savez(tmp_path / "a.npz", a=POSES, b=POSES)
    data = bytearray((tmp_path / "a.npz").read_bytes())
    start = data.index(b"PK\x01\x02") + place  # of the first file's entry in the directory
    data[start : start + len(what)] = what
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(HvrError, match="a.npz"):
        read(tmp_path / "a.npz")


class Trap:
    def __reduce__(self):
        return print, ("boo",)


@pytest.mark.parametrize(
    "kind", ["pickle", "compressed", "torch", "npy", "storage", "bomb", "tensor", "array"]
)
def test_nothing_in_a_hostile_file_is_run(tmp_path, monkeypatch, capsys, kind):
    path = tmp_path / "a.pkl"
    if kind == "torch":
        torch.save({"K_fullimg": Trap()}, path)
    elif kind == "npy":
        np.save(tmp_path / "a.npy", np.array([Trap()], object))
        path = tmp_path / "a.npy"
    elif kind == "storage":  # a full pickle where torch keeps a storage

        class Inner:
            def __reduce__(self):
                return torch.storage._load_from_bytes, (pickle.dumps(Trap()),)

        path.write_bytes(pickle.dumps({"pred_rotmat": Inner()}))
    elif kind == "bomb":
        monkeypatch.setattr("hvr_nb.store.result_files.MAX_FILE", 1 << 20)
        path.write_bytes(zlib.compress(bytes(1 << 23)))
    elif kind == "tensor":  # a shape larger than its storage

        class Far:
            def __reduce__(self):
                storage = torch.zeros(4).untyped_storage()
                return torch._utils._rebuild_tensor_v2, (storage, 0, (1 << 40,), (1,), False, {})

        path.write_bytes(pickle.dumps(Far()))
    elif kind == "array":  # joblib's array that claims more than there is
        joblib_file(path, {"pose": np.zeros((4, 72))}, monkeypatch)
        path.write_bytes(path.read_bytes()[:-900])
    else:
        data = pickle.dumps({"a": Trap()})
        path.write_bytes(zlib.compress(data) if kind == "compressed" else data)
    with pytest.raises(HvrError, match="refused|cannot be read"):
        read_results(path)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "offset, size, stride", [(0, (1 << 40,), (1,)), (1, (4,), (1,)), (0, (2, 2), (3, 1)), (-1, (1,), (1,))]
)
def test_a_tensor_stays_in_its_storage(tmp_path, offset, size, stride):
    class Far:
        def __reduce__(self):
            storage = torch.zeros(4).storage()
            return torch._utils._rebuild_tensor_v2, (storage, offset, size, stride, False, {})

    (tmp_path / "a.pkl").write_bytes(pickle.dumps(Far()))
    with pytest.raises(HvrError, match="cannot be read.*in a storage of 4 values"):
        read_results(tmp_path / "a.pkl")


def test_nested_values_are_counted_and_measured():
    value = {"a": [1, 2.5, None], "b": {"c": (True, b"x")}}  # 12 values with their keys
    left = [12]
    assert nested_values(value, left) == {"a": [1, 2.5, None], "b": {"c": [True, b"x"]}} and left == [0]
    with pytest.raises(ValueError, match="too many"):
        nested_values(value, [11])
    deep = 1
    for _ in range(MAX_DEPTH):
        deep = [deep]
    left = [MAX_DEPTH + 1]
    nested_values(deep, left)
    assert left == [0]
    with pytest.raises(ValueError, match="too deeply"):
        nested_values([deep], [100])
    for _ in range(MAX_DEPTH + 1):
        deep = {"a": deep}
    with pytest.raises(ValueError, match="too deeply"):
        nested_values(deep, [500])
