"""Lists of videos: what they may say, and every fault named with its row before anything runs."""

import pytest
from tiny_notebooks import execute_here, video_file, write_notebook

from hvr_nb.cli.main import main
from hvr_nb.cli.video_list import ListedVideo, read_video_list, write_video_list
from hvr_nb.types import HvrError


@pytest.fixture
def notebooks(tmp_path):
    asked = 'video: str = ""  # file\nclip: str = ""  # clip\nstride: int = 1  # every\nstrict: bool = False'
    keeps = "from pathlib import Path\nPath(clip).mkdir(exist_ok=True)\n"
    write_notebook(
        tmp_path / "nb" / "00_video.ipynb", asked, keeps + "Path(clip, 'a').write_text(str(stride))"
    )
    write_notebook(
        tmp_path / "nb" / "02_masks.ipynb",
        'clip: str = ""  # clip\nband: float = 1.0  # px\nlens: list[float] = []\nmasks_from: str = ""',
        keeps + "Path(clip, 'b').write_text(f'{band} {lens} {Path(masks_from).is_absolute()}')",
    )
    for name in ("a", "b", "c"):
        video_file(tmp_path / "films" / f"{name}.mp4", name)
    return tmp_path / "nb"


def test_a_list_gives_every_video_its_clip_and_parameters(tmp_path, notebooks, monkeypatch):
    execute_here(monkeypatch)
    (tmp_path / "given").mkdir()
    (tmp_path / "videos.csv").write_text(
        "path, clip, stride, 02_masks.band, lens, masks_from\n"
        "# the first film\n"
        'films/a.mp4, anna, 3, 2.5, "[0.1, 2]", given\n'
        "\n"
        "films/b.mp4,,,,,\n"
    )
    (tmp_path / "more.toml").write_text(
        '[[video]]\npath = "films/c.mp4"\nclip = "carl"\nstride = 5\nlens = [1]\n"02_masks.band" = 2\n'
    )
    lists = [str(tmp_path / name) for name in ("videos.csv", "more.toml")]
    where = ["--clips", str(tmp_path / "clips"), "--notebooks", str(notebooks)]
    assert main(["batch", *lists, *where, "-p", "stride", "7"]) == 0
    kept = {
        p.relative_to(tmp_path / "clips").as_posix(): p.read_text() for p in tmp_path.glob("clips/*/[ab]")
    }
    assert kept == {
        "anna/a": "3",
        "anna/b": "2.5 [0.1, 2] True",
        "b/a": "7",
        "b/b": "1.0 [] False",
        "carl/a": "5",
        "carl/b": "2.0 [1] False",
    }


ROWS = {
    "films/d.mp4": "row 2: .*d.mp4 does not exist",
    "films/a.mp4,x/y": "row 2: 'x/y' cannot be the name of a clip",
    "films/a.mp4,..": "row 2: '..' cannot be the name of a clip",
    "films/a.mp4,one\nfilms/b.mp4,one": "row 3: the clip 'one' is that of row 2",
    "films/a.mp4,b\nfilms/b.mp4": "row 3: the clip 'b' is that of row 2",
    "films/a.mp4,one,many": "row 2: 00_video: parameter 'stride' is int, but got 'many'",
    "films/a.mp4,one,1,yes,x": "row 2: 5 cells for 4 columns",
    "films/a.mp4,one,1,maybe": "row 2: 00_video: parameter 'strict' is bool",
    ",one": "row 2: it has no path",
    "": "lists no videos",
}


@pytest.mark.parametrize("rows", ROWS)
def test_faults_of_rows_are_named_and_nothing_is_run(tmp_path, notebooks, rows, capsys):
    path = tmp_path / "videos.csv"
    path.write_text(f"path,clip,stride,00_video.strict\n{rows}\n")
    with pytest.raises(HvrError, match=ROWS[rows]):
        read_video_list(path, notebooks)
    where = ["--clips", str(tmp_path / "clips"), "--notebooks", str(notebooks)]
    assert main(["batch", str(path), *where]) == 1
    assert not (tmp_path / "clips").exists() and "Traceback" not in capsys.readouterr().err


TEXTS = {
    "videos.csv": {
        "clip\nx": "one is 'path'",
        "path,path\na,b": "each once",
        "path,strid\nfilms/a.mp4,2": "row 2: no notebook has a parameter 'strid'; did you mean 'stride'",
        "path,07_x.stride\nfilms/a.mp4,2": "row 2: there is no notebook '07_x'",
        "path,00_video.clip\nfilms/a.mp4,x": "row 2: no such column: '00_video.clip'",
        "path,video\nfilms/a.mp4,x": "row 2: no such column: 'video'",
        'path\n"films/a.mp4': "line 2: unexpected end of data",
        "": "lists no videos",
    },
    "videos.toml": {
        "video = 3": r"must hold a table \[\[video\]\]",
        "[[video]]\n[other]": r"must hold a table \[\[video\]\]",
        "[[video]]\npath = 3": "row 1: it has no path",
        '[[video]]\npath = "films/a.mp4"\nstride = 2.5': "row 1: 00_video: parameter 'stride' is int",
        '[[video]]\npath = "films/a.mp4"\n[video.02_masks]\nbandd = 1': "02_masks has no parameter 'bandd'",
        '[[video]]\npath = "films/a.mp4"\nclip = 3': "row 1: '3' cannot be the name of a clip",
        "[[video": "cannot be read as a list of videos",
    },
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name in TEXTS for text in TEXTS[name]])
def test_faults_of_lists_are_named(tmp_path, notebooks, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(HvrError, match=TEXTS[name][text]):
        read_video_list(tmp_path / name, notebooks)


def test_all_faults_are_told_at_once(tmp_path, notebooks):
    rows = "\n".join(f"gone{k}.mp4" for k in range(30))
    (tmp_path / "videos.csv").write_text(f"path\nfilms/a.mp4\n{rows}\n")
    with pytest.raises(HvrError, match="30 rows are wrong, nothing was run\n") as caught:
        read_video_list(tmp_path / "videos.csv", notebooks)
    assert str(caught.value).count("does not exist") == 20 and "... and 10 more" in str(caught.value)


def test_what_is_written_is_read_again_and_lists_of_people_are_kept(tmp_path, notebooks):
    given = {"": {"stride": 3}, "02_masks": {"lens": [0.5, 2.0], "band": 2.0}, "00_video": {"strict": True}}
    videos = [
        ListedVideo(tmp_path / "films" / "a.mp4", "x, y", given),
        ListedVideo(tmp_path / "films" / "b.mp4"),
    ]
    path = write_video_list(tmp_path / "again.csv", videos)
    assert read_video_list(path, notebooks) == videos
    assert write_video_list(path, []) is None and not path.exists()
    path.write_text("path\nfilms/a.mp4\n")
    with pytest.raises(HvrError, match="was not written by a batch"):
        write_video_list(path, videos)
    assert path.read_text() == "path\nfilms/a.mp4\n"
