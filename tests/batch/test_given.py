"""Values of a notebook that runs by hand or by plain papermill: names, types, words, and the clip."""

import gc
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from tiny_notebooks import write_notebook

from hvr_nb.batch.given import check_cells
from hvr_nb.batch.parameters import check_parameters, declared, read_parameters
from hvr_nb.store.places import CLIPS, NOTEBOOKS
from hvr_nb.types import HvrError

CELL = """clip: str = "../data/clips/demo"  # clip folder
quality: str = "best"  # "quick" or "best" refinement
device: str = "auto"  # "cpu", "cuda" or "auto"
method: str = "nvr"  # "nvr": a field; "selfrecon": a mesh
iters: int = 0  # steps"""


def injected(**values) -> str:
    """The cell that papermill puts below the parameters."""
    return "# Parameters\n" + "\n".join(f"{name} = {value!r}" for name, value in values.items())


def test_defaults_in_the_notebooks_own_folder_are_fine():
    check_cells(["", CELL, "from hvr_nb import check_values"], NOTEBOOKS)
    check_cells([CELL.replace("../data/clips/demo", "/elsewhere/me")], NOTEBOOKS)
    check_cells(["x = 1"], NOTEBOOKS)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"clip": "c", "itres": 3}, "no parameter 'itres'; did you mean 'iters'"),
        ({"clip": "c", "iters": "many"}, "'iters' is int"),
        ({"clip": "c", "quality": "bets"}, "cannot be 'bets'; did you mean 'best'"),
        ({"iters": 30}, "iters but no clip.*demo would be written"),
    ],
)
def test_what_papermill_was_given_is_checked(given, words):
    with pytest.raises(HvrError, match=words):
        check_cells(["", CELL, injected(**given), "check_values()"], NOTEBOOKS)
    check_cells(["", CELL, injected(clip="c", iters=3), "check_values()"], NOTEBOOKS)


def test_a_word_typed_by_hand_is_checked_too():
    with pytest.raises(HvrError, match="'device' cannot be 'gpu'"):
        check_cells([CELL, CELL.replace('"auto"  #', '"gpu"  #')], NOTEBOOKS)


def test_the_default_clip_is_not_written_from_another_folder(tmp_path):
    with pytest.raises(HvrError, match=f"run the notebook in its own folder.*{CLIPS / 'demo'}"):
        check_cells([CELL], tmp_path)


def test_the_words_of_a_comment_are_the_choices(tmp_path):
    notebook = write_notebook(tmp_path / "02_x.ipynb", CELL)
    found = {name: one.choices for name, one in read_parameters(notebook).items()}
    assert found == {
        "clip": (),
        "quality": ("quick", "best"),
        "device": ("cpu", "cuda", "auto"),
        "method": (),
        "iters": (),
    }
    assert check_parameters(notebook, {"quality": "quick"}) == {"quality": "quick"}
    with pytest.raises(HvrError, match="02_x: parameter 'quality' cannot be 'bets'"):
        check_parameters(notebook, {"quality": "bets"})
    real = read_parameters(NOTEBOOKS / "00_video.ipynb")
    assert real["outfit"].choices == ("trousers", "shorts", "skirt") and real["video"].choices == ()


def test_the_numbers_of_a_comment_are_the_limits(tmp_path):
    source = (
        "a: int = 3  # times (1 to 64)\nb: float = 0.0  # share; 0: all (0 or more)\nc: int = 0  # any (of 3)"
    )
    book = write_notebook(tmp_path / "05_x.ipynb", source)
    assert check_parameters(book, {"a": 64, "b": 1e9, "c": -5}) == {"a": 64, "b": 1e9, "c": -5}
    for name, value, limits in (("a", 0, "1 to 64"), ("a", 65, "1 to 64"), ("b", -0.1, "0 or more")):
        with pytest.raises(HvrError, match=f"05_x: parameter '{name}' is {value}; it must be {limits}"):
            check_parameters(book, {name: value})


WRONG = {
    "05_train": {
        "rays": -5,
        "checkpoint_every": -1,
        "seed": 2**64,
        "iters": -1,
        "image_scale": 1.5,
        "device": "gpu",
    },
    "06_render": {"views": 0, "motion_frames": 0, "mesh_resolution": 5000},
    "07_visualize": {"player_side": 0, "gallery": -1},
    "00_video": {"stride": 0, "fps": -1.0, "frames": 0, "size": 10**9, "seed": -1},
}


@pytest.mark.parametrize(("book", "name"), [(book, name) for book in WRONG for name in WRONG[book]])
def test_numbers_that_make_no_sense_are_refused_before_anything_runs(book, name):
    with pytest.raises(HvrError, match=f"{book}: parameter '{name}' "):
        check_parameters(NOTEBOOKS / f"{book}.ipynb", {name: WRONG[book][name]})


def test_several_threads_read_parameters_at_once():
    """Python 3.11's parser raises SystemError where threads change while it works."""
    source = "\n".join(f"a{k}: int = {k}  # a number" for k in range(60))
    threshold = gc.get_threshold()

    def elsewhere(*_):
        time.sleep(0)

    gc.callbacks.append(elsewhere)
    gc.set_threshold(50)
    try:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: declared("00_video", source), range(400)))
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(elsewhere)
    assert all(len(parameters) == 60 for parameters in found)
