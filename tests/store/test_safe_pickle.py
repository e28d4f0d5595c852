"""SMPL pickles are read as data: genuine ones to the last bit, hostile ones never run."""

import codecs
import copyreg
import functools
import io
import os
import pickle
import struct
import subprocess
import sys
import types

import numpy as np
import pytest
from scipy import sparse

from hvr_nb.body.model import OPEN_BODY, load_body_model
from hvr_nb.formats.models.smpl_file import export_smpl_pickle
from hvr_nb.store.smpl_arrays import read_smpl_npz, read_smpl_pickle
from hvr_nb.types import HvrError

PROTOCOLS = (0, 1, 2, 3, 4, 5)


@pytest.fixture
def chumpy(monkeypatch):
    """Classes that pickle as chumpy's do: old-style names, state as a dictionary."""
    modules = {name: types.ModuleType(name) for name in ("chumpy", "chumpy.ch", "chumpy.reordering")}

    def define(module, name):
        def getstate(self):
            return dict(self.__dict__)

        kind = type(name, (), {"__module__": module, "__getstate__": getstate})
        setattr(modules[module], name, kind)
        return kind

    out = types.SimpleNamespace(
        Ch=define("chumpy.ch", "Ch"),
        MatVecMult=define("chumpy.ch", "MatVecMult"),
        Select=define("chumpy.reordering", "Select"),
    )
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    return out


def record(kind, **state):
    made = kind()
    made.__dict__.update(state)
    return made


def put(tmp_path, content: bytes):
    path = tmp_path / "SMPL_NEUTRAL.pkl"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_chumpy_model_comes_back_exactly(tmp_path, chumpy, protocol):
    rng = np.random.default_rng(0)
    x, vec = rng.normal(size=(5, 3)), rng.normal(size=5)
    regressor = sparse.csc_matrix(np.where(rng.random((4, 5)) > 0.5, rng.random((4, 5)), 0))
    picked = np.array([0, 4, 8, 12])
    select = record(chumpy.Select, a=record(chumpy.Ch, x=x), idxs=picked, preferred_shape=(2, 2))
    content = {
        "v_template": record(chumpy.Ch, x=x, _dirty_vars=set(), _status="new"),
        "shapedirs": select,
        "J": record(chumpy.MatVecMult, mtx=regressor, vec=record(chumpy.Ch, x=vec)),
        "J_regressor": regressor,
        "f": np.arange(6, dtype=np.uint32).reshape(2, 3),
        "weights": np.asfortranarray(x.astype(">f4")),
        "bs_type": "lrotmin",
        "count": np.float64(2.5),
        "flag": True,
        "names": ["a", "b"],
    }
    got = read_smpl_pickle(put(tmp_path, pickle.dumps(content, protocol=protocol)))
    np.testing.assert_array_equal(got["v_template"], x)
    np.testing.assert_array_equal(got["shapedirs"], x.ravel()[[0, 4, 8, 12]].reshape(2, 2))
    np.testing.assert_array_equal(got["J_regressor"], regressor.toarray())
    np.testing.assert_allclose(got["J"], regressor @ vec, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(got["f"], content["f"])
    np.testing.assert_array_equal(got["weights"], content["weights"])
    assert got["f"].dtype == np.uint32 and got["bs_type"] == "lrotmin" and got["count"] == 2.5
    assert "names" in got and got["flag"]


@pytest.mark.parametrize(
    "make", [sparse.csc_matrix, sparse.csr_matrix, sparse.coo_matrix, sparse.csr_array, sparse.coo_array]
)
def test_every_sparse_kind(tmp_path, make):
    dense = np.array([[0, 1.5, 0], [2, 0, -1]])
    got = read_smpl_pickle(put(tmp_path, pickle.dumps({"J_regressor": make(dense)}, 2)))
    np.testing.assert_array_equal(got["J_regressor"], dense)


def test_names_of_python_2_and_old_numpy(tmp_path):
    """The opcodes a Python 2 program wrote: copy_reg, __builtin__, numpy.core, str for bytes."""
    raw = np.array([1.5, -2.0]).tobytes()
    text = b"".join(bytes([c]) if 32 <= c < 127 and c not in b"\\'" else b"\\x%02x" % c for c in raw)
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
        b"(I1\n(I2\ntcnumpy\ndtype\n(S'f8'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\nS'" + text + b"'\ntb"
    )
    ch = b"ccopy_reg\n_reconstructor\n(cchumpy.ch\nCh\nc__builtin__\nobject\nNtR(dS'x'\n" + array + b"sb"
    got = read_smpl_pickle(put(tmp_path, b"(dS'v_template'\n" + ch + b"s."))
    np.testing.assert_array_equal(got["v_template"], [1.5, -2.0])


class Call:
    """Pickles as a call of ``function`` with ``args``."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def attacks(trap):
    """Programs that would leave ``trap`` behind (or fail trying) in an ordinary unpickler."""
    command = f"__import__('os').mkdir({str(trap)!r})"
    return {
        "os.system": Call(os.system, f"mkdir {trap}"),
        "os.mkdir": Call(os.mkdir, str(trap)),
        "eval": Call(eval, command),
        "exec": Call(exec, command),
        "compile": Call(compile, command, "x", "exec"),
        "getattr": Call(getattr, "a", "upper"),
        "__import__": Call(__import__, "this"),
        "Popen": Call(subprocess.Popen, ["mkdir", str(trap)]),
        "np.load": Call(np.load, str(trap)),
        "partial": Call(functools.partial, os.mkdir, str(trap)),
        "open": Call(open, str(trap), "w"),
        "codec": Call(codecs.encode, b"x", "zip"),
        "codec decode": Call(codecs.decode, b"x", "zip"),
        "pickle.loads": Call(pickle.loads, pickle.dumps(Call(os.mkdir, str(trap)))),
        "bytearray": Call(bytearray, 10**12),
        "memmap": Call(np.memmap, str(trap), "u1", "w+", 0, (4,)),
        "fromfile": Call(np.fromfile, str(trap)),
        "sparse load": Call(sparse.load_npz, str(trap)),
    }


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", sorted(attacks("x")))
def test_attacks_are_refused_by_name(tmp_path, name, protocol):
    trap = tmp_path / "trap"
    path = put(tmp_path, pickle.dumps({"v_template": attacks(trap)[name]}, protocol=protocol))
    with pytest.raises(HvrError, match="SMPL_NEUTRAL.pkl") as caught:
        read_smpl_pickle(path)
    assert not trap.exists()
    assert "asks for" in str(caught.value) or "codec" in name


GLOBALS = """os.system posix.system nt.system builtins.eval __builtin__.eval __builtin__.execfile
    builtins.exec builtins.getattr builtins.__import__ subprocess.Popen functools.partial numpy.load
    numpy.lib.npyio.load operator.attrgetter pydoc.locate timeit.timeit pickle.loads types.CodeType
    numpy.testing._private.utils.runstring hvr_nb.store.unpickler.TableFunction scipy.sparse.load_npz
    copyreg.__newobj__ chumpy.ch.__builtins__.eval scipy.sparse.sputils.os""".split()


@pytest.mark.parametrize("name", GLOBALS)
def test_every_other_name_is_refused(tmp_path, name):
    module, attribute = name.rsplit(".", 1)
    if name.startswith("chumpy"):  # a dotted attribute
        module, attribute = "chumpy.ch", "__builtins__.eval"
    with pytest.raises(HvrError, match=name.replace(".", r"\.")):
        read_smpl_pickle(put(tmp_path, f"(dS'f'\nc{module}\n{attribute}\n(S'true'\ntRs.".encode()))


@pytest.mark.parametrize(
    "program",
    [
        b"\x80\x02\x82\x01.",
        b"\x80\x02\x83\x01\x00.",
        b"\x80\x02\x84\x01\x00\x00\x00.",  # EXT1, EXT2, EXT4
        b"Pmine\n.",
        b"\x80\x02K\x01Q.",  # PERSID, BINPERSID
        b"\x80\x05\x97.",
        b"\x80\x05K\x01\x98.",  # NEXT_BUFFER, READONLY_BUFFER
        b"(ios\nsystem\nS'true'\n.",
        b"(cos\nsystem\nS'true'\no.",  # INST, OBJ
        b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
        b"\x80\x04\x8c\x06chumpy\x8c\tos.system\x93.",  # STACK_GLOBAL
        b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b"x.",  # BYTEARRAY8 of a terabyte
        b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b"x.",  # BINBYTES8 likewise
        b"\x80\x02]r\xff\xff\xff\x7f.",  # a memo index of two thousand million
        b"cnumpy\nndarray\n(I1000000000\ntR.",
        b"cnumpy\nndarray\n}(S'a'\nI1\nub.",  # the token called, changed
        b"ccopy_reg\n_reconstructor\n(cnumpy\nndarray\nc__builtin__\nobject\nNtR.",
        b"c_codecs\nencode\n}(S'__defaults__'\nNub.",  # BUILD on a function
        b"cchumpy\nCh\n}S'a'\nI1\nsb.",  # and on a class
        b"cnumpy\ndtype\n(S'V8'\ntR.",
        b"cnumpy\ndtype\n((lp0\n(S'a'\nS'O'\ntatR.",  # structured types
        b"",
        b".",
        b"garbage",
        b"\x80\x09.",
        pickle.dumps([1, 2]),
        pickle.dumps({"f": 1})[:-3],
    ],
)
def test_odd_programs_are_refused(tmp_path, program):
    copyreg.add_extension("os", "system", 1) if ("os", "system") not in copyreg._extension_registry else None
    try:
        with pytest.raises(HvrError, match="SMPL_NEUTRAL.pkl"):
            read_smpl_pickle(put(tmp_path, program))
    finally:
        copyreg.remove_extension("os", "system", 1)


def test_a_forged_chumpy_system_is_an_inert_record(tmp_path):
    trap = tmp_path / "trap"
    program = f"(dS'x'\ncchumpy.os\nsystem\n(S'mkdir {trap}'\ntRsS'f'\nI3\ns.".encode()
    got = read_smpl_pickle(put(tmp_path, program))
    assert not trap.exists() and got.keys() == {"f"}


def sized(shape, raw=b"12345678") -> bytes:
    """A float64 array that claims ``shape``."""
    text = "".join(f"I{n}\n" for n in shape)
    start = b"(dS'f'\ncnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n("
    kind = b"tcnumpy\ndtype\n(S'f8'\nI0\nI1\ntRI00\nS'"
    return start + text.encode() + kind + raw + b"'\ntbs."


@pytest.mark.parametrize("shape", [(2,), (10**12,), (-1, -1), (0,)])
def test_arrays_must_hold_what_they_claim(tmp_path, shape):
    with pytest.raises(HvrError, match="shape"):
        read_smpl_pickle(put(tmp_path, sized(shape)))
    assert read_smpl_pickle(put(tmp_path, sized((1,))))["f"].shape == (1,)


def broken(**state):
    matrix = sparse.csc_matrix(np.eye(3))
    matrix.__dict__.update(state)
    return matrix


@pytest.mark.parametrize(
    "matrix",
    [
        broken(_shape=(10**6, 10**6)),
        broken(indices=np.array([0, 1, 99])),
        broken(indices=np.array([0, 1, -1])),
        broken(indptr=np.array([0, 5, 2, 3])),
        broken(indptr=np.array([0, 1, 2])),
        broken(data=np.ones(2)),
    ],
)
def test_sparse_indices_are_checked(tmp_path, matrix):
    with pytest.raises(HvrError, match="J_regressor"):
        read_smpl_pickle(put(tmp_path, pickle.dumps({"J_regressor": matrix}, 2)))


def test_lists_and_expressions_that_would_explode(tmp_path, chumpy):
    bomb = ["x"]
    for _ in range(60):
        bomb = [bomb, bomb]
    with pytest.raises(HvrError, match="f cannot be read"):
        read_smpl_pickle(put(tmp_path, pickle.dumps({"f": bomb}, 2)))
    tower = np.eye(2)
    for _ in range(60):
        tower = record(chumpy.MatVecMult, mtx=tower, vec=tower)
    with pytest.raises(HvrError, match="nested too deeply"):
        read_smpl_pickle(put(tmp_path, pickle.dumps({"f": tower}, 2)))
    assert "note" not in read_smpl_pickle(put(tmp_path, pickle.dumps({"note": bomb, "f": 1}, 2)))


def test_a_file_too_large_or_missing(tmp_path, monkeypatch):
    monkeypatch.setattr("hvr_nb.store.smpl_arrays.MAX_FILE", 100)
    with pytest.raises(HvrError, match="bytes"):
        read_smpl_pickle(put(tmp_path, pickle.dumps({"f": np.zeros(100)})))
    with pytest.raises(HvrError, match="0 bytes"):
        read_smpl_pickle(tmp_path / "nothing.pkl")


def test_npz_members_go_through_the_same_table(tmp_path):
    path, trap = tmp_path / "SMPL_NEUTRAL.npz", tmp_path / "trap"
    regressor = sparse.csc_matrix(np.eye(3))
    np.savez(path, f=np.arange(3), J_regressor=np.array(regressor, object), bs_type=np.array("lbs"))
    got = read_smpl_npz(path)
    np.testing.assert_array_equal(got["J_regressor"], np.eye(3))
    assert got["f"].tolist() == [0, 1, 2] and got["bs_type"] == "lbs"
    np.savez(path, f=np.array(Call(os.mkdir, str(trap)), object))
    with pytest.raises(HvrError, match="mkdir"):
        read_smpl_npz(path)
    assert not trap.exists()


def as_licensed(model, path, chumpy) -> None:
    """The open body in the dress of an official file: chumpy arrays, sparse regressor, protocol 2."""
    plain = path.with_suffix(".plain")
    export_smpl_pickle(model, plain)
    content = pickle.loads(plain.read_bytes())  # our own file of a moment ago
    plain.unlink()
    content["shapedirs"] = record(chumpy.Ch, x=content["shapedirs"])
    content["v_template"] = record(chumpy.Ch, x=content["v_template"] + np.array([0, 0.1, 0]))
    content["J_regressor"] = sparse.csc_matrix(content["J_regressor"])
    del content["vt"], content["ft"]
    stream = io.BytesIO()
    pickle.dump(content, stream, protocol=2)
    path.write_bytes(stream.getvalue())


def test_a_licensed_file_takes_the_place_of_the_open_body(tmp_path, monkeypatch, chumpy):
    open_body = load_body_model(OPEN_BODY)
    monkeypatch.setattr("hvr_nb.body.model.MODELS", tmp_path)
    assert load_body_model().hash == open_body.hash
    as_licensed(open_body, tmp_path / "SMPL_NEUTRAL.pkl", chumpy)
    model = load_body_model()
    assert model.name == "SMPL_NEUTRAL.pkl" and model.hash != open_body.hash and model.uv is None
    np.testing.assert_allclose(model.v_template, open_body.v_template.numpy() + [0, 0.1, 0], atol=1e-6)
    np.testing.assert_array_equal(model.posedirs, open_body.posedirs)
    np.testing.assert_allclose(model.body25, open_body.body25, atol=1e-7)
