"""Half-written files: never read as results, removed by the next run, flushed before they are renamed."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from small_clips import frames, make, some_masks, whole

from hvr_nb.store import atomic_files
from hvr_nb.store.atomic_files import atomic, atomic_folder, is_running, sweep
from hvr_nb.store.clip import Clip
from hvr_nb.store.files import results, write_json
from hvr_nb.types import HvrError

KILLED = """
import os, signal, sys
from pathlib import Path
from hvr_nb.store.atomic_files import atomic, atomic_folder
folder = Path(sys.argv[1])
numbers, masks = folder / "metrics" / "05_train.json", folder / "masks"
with atomic(numbers) as partial, atomic_folder(masks, ours={"a.png"}) as other:
    partial.write_text("")
    (other / "a.png").write_text("new")
    if sys.argv[2] == "between":  # the old folder set aside, the new one not yet in its place
        real = os.replace
        def once(a, b):
            real(a, b)
            os.kill(os.getpid(), signal.SIGKILL)
        os.replace = once
    else:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def killed_while_writing(folder, when: str) -> list[str]:
    """What a killed run leaves in a folder."""
    out = subprocess.run([sys.executable, "-c", KILLED, str(folder), when])
    assert out.returncode == -9
    return [str(p.relative_to(folder)) for p in folder.rglob(".*")]


def test_a_half_written_metrics_file_is_no_metrics_file(tmp_path):
    clip = make(tmp_path)
    clip.record("03_body", pixels=3)
    assert killed_while_writing(tmp_path, "writing")
    assert list(clip.metrics) == ["03_body"]
    (tmp_path / "metrics" / ".06_render.partial.json").write_text("")  # whatever its name
    assert list(clip.metrics) == ["03_body"]


def test_the_next_run_sweeps_what_a_killed_one_left(tmp_path):
    clip = make(tmp_path)
    assert len(killed_while_writing(tmp_path, "writing")) >= 2
    clip.record("03_body", pixels=3)
    assert not [p for p in tmp_path.rglob(".*") if "partial" in p.name]


def test_a_folder_that_was_set_aside_is_put_back(tmp_path):
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "a.png").write_text("old")
    killed_while_writing(tmp_path, "between")
    assert not (tmp_path / "masks").exists()
    sweep(tmp_path)
    assert (tmp_path / "masks" / "a.png").read_text() == "old"
    assert not list(tmp_path.rglob(".masks*"))


def test_only_abandoned_files_of_our_own_are_swept(tmp_path):
    gone = subprocess.Popen(["true"])
    gone.wait()
    here, mine, theirs = atomic_files._MACHINE, os.getpid(), gone.pid
    kept = [
        f".x.{here}-{mine}-0.partial.json",  # is being written
        f".x.0badcafe-{theirs}-0.partial.json",  # another machine's, an hour old
        ".notes",
        ".x.partial.json",
        "x.1.partial.json",
        f".x.{theirs}.json",
        ".x.abc-1-0.partial.json",
    ]
    swept = [
        f".x.{here}-{theirs}-0.partial.json",
        f".x.{theirs}.partial.json",
        f".x.{here}-{theirs}-7.partial",
    ]
    for name in [*kept, *swept, ".old.0badcafe-1-0.partial.npz"]:
        (tmp_path / name).write_text("")
    os.utime(tmp_path / kept[1], (time.time() - 3600,) * 2)
    os.utime(tmp_path / ".old.0badcafe-1-0.partial.npz", (time.time() - 3e5,) * 2)
    sweep(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(kept)


def test_a_sweep_follows_no_links(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    name = ".x.0badcafe-1-0.partial.json"
    (tmp_path / "b" / name).write_text("")
    os.utime(tmp_path / "b" / name, (0, 0))
    (tmp_path / "a" / "link").symlink_to(tmp_path / "b")
    sweep(tmp_path / "a")
    assert (tmp_path / "b" / name).exists()


def test_results_are_finished_files(tmp_path):
    for name in ("b.json", "a.json", ".c.json", "d.txt"):
        (tmp_path / name).write_text("")
    (tmp_path / "e.json").mkdir()
    (tmp_path / ".half").mkdir()
    (tmp_path / ".half" / "f.json").write_text("")
    assert [p.name for p in results(tmp_path, "*.json")] == ["a.json", "b.json"]
    assert [p.name for p in results(tmp_path, "**/*.json")] == ["a.json", "b.json"]
    assert results(tmp_path / "nothing", "*") == []


def test_which_processes_run():
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert is_running(os.getpid()) and is_running(1)
    assert not is_running(gone.pid) and not is_running(10**30)


@pytest.fixture
def calls(monkeypatch):
    """Order in which paths are flushed and renamed."""
    said, flush, replace = [], atomic_files._flush, os.replace
    monkeypatch.setattr(atomic_files, "_flush", lambda p: (said.append(("flush", p.name)), flush(p)))
    monkeypatch.setattr(os, "replace", lambda a, b: (said.append(("rename", b.name)), replace(a, b)))
    return said


def test_content_is_flushed_before_the_name_and_the_name_after_it(tmp_path, calls):
    write_json(tmp_path / "x.json", {})
    kinds = [kind for kind, _ in calls]
    assert kinds == ["flush", "rename", "flush"]
    assert "partial" in calls[0][1] and calls[2][1] == tmp_path.name


def test_a_folder_is_flushed_once_and_whole(tmp_path, calls):
    with atomic_folder(tmp_path / "x", ours=set()) as folder:
        for k in range(3):
            write_json(folder / "in" / f"{k}.json", {})
    flushed = [name for kind, name in calls if kind == "flush"]
    assert flushed[:3] == ["0.json", "1.json", "2.json"] or sorted(flushed[:3]) == [
        "0.json",
        "1.json",
        "2.json",
    ]
    assert flushed[3] == "in" and flushed[-1] == tmp_path.name and len(flushed) == 6
    assert calls.index(("rename", "x")) > calls.index(("flush", "in"))


def test_two_writers_of_one_file_have_places_of_their_own(tmp_path):
    with atomic(tmp_path / "x.npz") as a, atomic(tmp_path / "x.npz") as b:
        assert a != b and a.suffix == b.suffix == ".npz"
        a.write_text("a")
        b.write_text("b")
    assert (tmp_path / "x.npz").read_text() == "a" and len(list(tmp_path.iterdir())) == 1


def test_a_zero_length_index_is_made_again_from_the_same_frames(tmp_path):
    clip = make(tmp_path)
    clip.path("frames").write_bytes(b"")
    (tmp_path / "frames" / "000001.png").write_bytes(b"")
    np.testing.assert_array_equal(make(tmp_path).frames, frames())


@pytest.mark.parametrize("index", [b"", b"{", None])
def test_what_is_not_the_same_survives_a_lost_index(tmp_path, index):
    clip = make(tmp_path)
    if index is None:
        clip.path("frames").unlink()
    else:
        clip.path("frames").write_bytes(index)
    with pytest.raises(HvrError, match="000000.png was not written by this project and would be lost"):
        make(tmp_path, seed=3)
    (tmp_path / "frames" / "000000.png").write_bytes(b"holiday")
    with pytest.raises(HvrError, match="000000.png was not written by this project and would be lost"):
        make(tmp_path)
    assert (tmp_path / "frames" / "000000.png").read_bytes() == b"holiday"


def test_cut_masks_are_made_again_and_retouched_ones_are_not(tmp_path):
    clip = whole(tmp_path)
    cut = tmp_path / "masks" / "alpha" / "000001.png"
    cut.write_bytes(cut.read_bytes()[:40])
    with pytest.raises(HvrError, match="000001.png is missing or damaged; run 02_masks again"):
        _ = clip.masks
    clip.save("masks", some_masks())
    np.testing.assert_array_equal(clip.masks.alpha, some_masks().alpha)
    cut.unlink()
    clip.save("masks", some_masks())
    cut.write_bytes((tmp_path / "masks" / "alpha" / "000002.png").read_bytes())  # somebody's work
    (tmp_path / "masks" / "labels" / "000000.png").write_bytes(b"")
    with pytest.raises(HvrError, match="edited by hand"):
        clip.save("masks", some_masks())


def test_masks_of_an_earlier_version_are_read_and_kept(tmp_path):
    clip = whole(tmp_path)
    meta = json.loads(clip.path("masks").read_text())
    del meta["files"]
    clip.path("masks").write_text(json.dumps(meta))
    np.testing.assert_array_equal(Clip.open(tmp_path).masks.alpha, some_masks().alpha)
    (tmp_path / "masks" / "alpha" / "000001.png").write_bytes(b"cut")  # cut, or edited: not known
    with pytest.raises(HvrError, match="edited by hand"):
        clip.save("masks", some_masks())


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_text("{")])
def test_masks_without_their_manifest_are_made_again(tmp_path, damage):
    clip = whole(tmp_path)
    damage(clip.path("masks"))
    (tmp_path / "masks" / "alpha" / "000001.png").write_bytes(b"\x89PNG cut")
    (tmp_path / "masks" / "labels" / "000002.png").unlink()
    clip.save("masks", some_masks())
    np.testing.assert_array_equal(Clip.open(tmp_path).masks.labels, some_masks().labels)


def test_masks_without_their_manifest_are_kept_where_they_may_be_somebodys_work(tmp_path):
    clip = whole(tmp_path)
    clip.path("masks").unlink()
    mine = tmp_path / "masks" / "alpha" / "000001.png"
    mine.write_bytes((tmp_path / "masks" / "alpha" / "000002.png").read_bytes())
    before = mine.read_bytes()
    with pytest.raises(HvrError, match="000001.png may have been edited by hand; move the folder"):
        clip.save("masks", some_masks())
    assert mine.read_bytes() == before
    clip = whole(tmp_path / "b")
    clip.path("masks").unlink()
    note = tmp_path / "b" / "masks" / "note.txt"
    note.write_text("mine")
    with pytest.raises(HvrError, match="note.txt was not written by this project"):
        clip.save("masks", some_masks())
    assert note.read_text() == "mine"


def test_leftovers_of_a_clock_that_was_ahead_are_swept(tmp_path):
    left = tmp_path / ".05_train.0badcafe-1-0.partial.json"
    left.write_text("")
    os.utime(left, (time.time() + 400 * 86400,) * 2)
    sweep(tmp_path)
    assert not left.exists()


def test_a_file_larger_than_the_disk_takes_is_named(tmp_path):
    """As on FAT, which has no file of 4 GiB, or under ``ulimit -f``."""
    code = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\n"
    code += "from hvr_nb.store.files import write_json\nfrom hvr_nb.types import HvrError\n"
    code += "try:\n write_json(sys.argv[1], {'a': 'x' * 100})\nexcept HvrError as error:\n print(error)"
    out = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.json")], capture_output=True, text=True
    )
    assert "a.json was not written: the disk or a limit" in out.stdout, out.stderr
    assert not list(tmp_path.iterdir())
