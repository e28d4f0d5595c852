"""What a batch says while it runs, how it stands from files alone, and what is to be tried again."""

import json
import os
import subprocess
import sys
import threading

import pytest
from tiny_notebooks import execute_here, video_file, write_notebook

from hvr_nb.batch import run_videos
from hvr_nb.batch.events import EVENTS, EventLog, here, read_events
from hvr_nb.batch.status import batch_state, state_table
from hvr_nb.cli.main import main
from hvr_nb.types import HvrError

CELL = """
from pathlib import Path
here = Path(clip)
here.mkdir(exist_ok=True, parents=True)
note = here / "tries"
note.write_text(note.read_text() + "x" if note.exists() else "x")
text = Path(video).read_text()
assert text != "broken", "broken film"
assert text != "unlucky" or len(note.read_text()) > 1, "bad luck"
(here / "times").write_text(str(times))
"""


@pytest.fixture
def notebooks(tmp_path, monkeypatch):
    """One stage, run in this process: fails on broken films, and once on unlucky ones."""
    execute_here(monkeypatch)
    asked = 'video: str = ""  # file\nclip: str = "x"  # clip\ntimes: int = 1  # times\nnote: str = ""  # any'
    write_notebook(tmp_path / "notebooks" / "00_video.ipynb", asked, CELL)
    return tmp_path / "notebooks"


def films(tmp_path, *texts):
    return [video_file(tmp_path / f"v{k:02d}.mp4", text) for k, text in enumerate(texts)]


def test_a_video_that_failed_is_tried_again_by_threads_too(tmp_path, notebooks):
    runs = run_videos(
        films(tmp_path, "unlucky", "fine", "broken"), tmp_path / "clips", notebooks_dir=notebooks, retries=1
    )
    assert [run.status for run in runs] == ["done", "done", "failed"]
    assert [(run.clip / "tries").read_text() for run in runs] == ["xx", "x", "xx"]
    state = batch_state(tmp_path / "clips")
    assert (state.ended, state.failed, state.over) == (3, 1, True)
    assert [(v.status, v.tries) for v in state.videos] == [("done", 2), ("done", 1), ("failed", 2)]


def test_kernels_share_the_cores_out(tmp_path, monkeypatch):
    """A real kernel: one of two videos at a time on eight cores has four threads."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)))
    cell = "import os\nassert os.environ['OMP_NUM_THREADS'] == '4', os.environ.get('OMP_NUM_THREADS')"
    write_notebook(tmp_path / "notebooks" / "00_video.ipynb", 'video: str = ""\nclip: str = ""', cell)
    runs = run_videos(
        films(tmp_path, "a"), tmp_path / "clips", notebooks_dir=tmp_path / "notebooks", workers=2
    )
    assert [run.error for run in runs] == [""]
    assert "OMP_NUM_THREADS" not in os.environ


def test_a_second_call_does_only_what_failed(tmp_path, notebooks, capsys):
    texts = ["broken" if k in (4, 7, 9) else str(k) for k in range(10)]
    videos = films(tmp_path, *texts)
    where = ["--clips", str(tmp_path / "clips"), "--notebooks", str(notebooks)]
    assert main(["batch", *map(str, videos), *where, "--workers", "3", "-p", "times", "2"]) == 1
    out = capsys.readouterr().out
    assert out.count("AssertionError: broken film") == 3 and "to try again: 3 videos" in out
    assert main(["batch", "--status", str(tmp_path / "clips")]) == 0
    out = capsys.readouterr().out
    assert out.count("AssertionError: broken film") == 3 and "7 done, 3 failed; over" in out
    videos[4].write_text("mended")
    again = tmp_path / "clips" / "again.csv"
    assert main(["batch", str(again), *where]) == 1
    tries = [(tmp_path / "clips" / f"v{k:02d}" / "tries").read_text() for k in range(10)]
    assert tries == ["xx" if k in (4, 7, 9) else "x" for k in range(10)]
    assert (tmp_path / "clips" / "v04" / "times").read_text() == "2"  # it has the parameters it had
    for k in (7, 9):
        videos[k].write_text("mended")
    assert main(["batch", str(again), *where]) == 0
    assert not again.exists() and batch_state(tmp_path / "clips").again == []


def test_the_page_over_all_clips_grows_while_the_batch_runs(tmp_path, notebooks, monkeypatch):
    """The second film waits until the page tells of the first, which failed."""
    page = tmp_path / "clips" / "clips.html"
    wait = f"""
import time
from pathlib import Path
page = Path({str(page)!r})
assert Path(video).read_text() == "second", "not this one"
while not (page.exists() and "not this one" in page.read_text()):
    time.sleep(0.05)
"""
    write_notebook(notebooks / "00_video.ipynb", 'video: str = ""\nclip: str = ""', wait)
    videos = [str(path) for path in films(tmp_path, "first", "second")]
    assert main(["batch", *videos, "--clips", str(tmp_path / "clips"), "--notebooks", str(notebooks)]) == 1
    assert batch_state(tmp_path / "clips").videos[1].status == "done"


def test_how_a_batch_stands_while_it_runs_and_after_its_process_was_killed(tmp_path):
    folder = tmp_path / "clips"
    log = EventLog.begin(folder, ["00_video", "02_masks"])
    log.add_all("queued", [{"clip": name, "video": f"/{name}.mp4", "given": {}} for name in "abcd"])
    for name in "abc":
        log.add("began", clip=name, **here())
    log.add("stage", clip="a", stage="00_video", seconds=1.0, skipped=False)
    log.add("ended", clip="b", status="failed", seconds=2.0, notebook="00_video", error="no person")
    state = batch_state(folder)
    assert [v.status for v in state.videos] == ["running", "failed", "running", "queued"]
    assert not state.over and 0 < state.share < 1 and [v.clip for v in state.again] == ["b"]
    table = state_table(state)
    assert "no person" in table and "1 failed, 1 queued, 2 running" in table and "% of the work done" in table

    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    log.add("began", clip="c", **(here() | {"process": gone.pid}))
    assert batch_state(folder).videos[2].status == "stopped"
    text = (folder / EVENTS).read_text().replace(f'"process": {os.getpid()}', f'"process": {gone.pid}')
    (folder / EVENTS).write_text(text)
    state = batch_state(folder)
    assert state.over and [v.clip for v in state.again] == ["a", "b", "c", "d"]
    with pytest.raises(HvrError, match="has no events.jsonl of a batch"):
        batch_state(tmp_path)


def test_lines_of_many_writers_are_whole_and_broken_ones_passed_over(tmp_path):
    log = EventLog.begin(tmp_path, [])

    def write(k: int) -> None:
        for n in range(10):
            log.add("stage", clip=str(k), stage=str(n), seconds=0, skipped=False)

    threads = [threading.Thread(target=write, args=(k,)) for k in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    with open(tmp_path / EVENTS, "ab") as file:
        for rubbish in (
            b"[" * 100_000,
            b"\xff\xfe",
            b"3",
            b'{"event": 3}',
            b'{"event": "x", "batch": "y"}',
            b'{"event": "queued", "batch": "y", "time": 1}',
            b'{"event": "ended", "batch": "b", "time": 1e999}',
            b'{"time": 1, "ev',
        ):
            file.write(rubbish + b"\n" * (not rubbish.endswith(b"ev")))
    log.add("over")
    events, place = read_events(tmp_path)
    assert len(events) == 42 and events[-1]["event"] == "over"
    assert place == (tmp_path / EVENTS).stat().st_size
    assert all(json.loads(json.dumps(event)) == event for event in events)


def test_a_disk_that_takes_no_events_does_not_stop_the_videos(tmp_path, notebooks, monkeypatch):
    real = EventLog.add_all

    def full(self, event, contents):
        if event not in ("batch", "queued"):
            raise HvrError("the disk is full")
        real(self, event, contents)

    monkeypatch.setattr(EventLog, "add_all", full)
    runs = run_videos(films(tmp_path, "a", "b"), tmp_path / "clips", notebooks_dir=notebooks)
    assert [run.status for run in runs] == ["done", "done"]


def test_batch_without_videos_says_what_to_give(capsys):
    assert main(["batch"]) == 1
    assert "give videos, or a list of them" in capsys.readouterr().err


def test_words_from_files_do_not_steer_the_terminal(tmp_path):
    log = EventLog.begin(tmp_path, [])
    log.add_all("queued", [{"clip": "a", "video": "/a.mp4", "given": {}}])
    log.add("ended", clip="a", status="failed", seconds=1.0, error="\x1b[2J\x1b]0;title\x07gone\r\nnext")
    table = state_table(batch_state(tmp_path))
    assert "\x1b" not in table and "\r" not in table and "gone" in table and len(table.splitlines()) == 3
