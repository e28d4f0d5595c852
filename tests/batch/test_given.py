"""Values of a notebook that runs by hand or by plain papermill: names, types, words, and the clip."""

import pytest
from tiny_notebooks import write_notebook

from hvr_nb.batch.given import check_cells
from hvr_nb.batch.parameters import check_parameters, read_parameters
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
    assert found == {"clip": (), "quality": ("quick", "best"), "device": ("cpu", "cuda", "auto"),
                     "method": (), "iters": ()}  # fmt: skip
    assert check_parameters(notebook, {"quality": "quick"}) == {"quality": "quick"}
    with pytest.raises(HvrError, match="02_x: parameter 'quality' cannot be 'bets'"):
        check_parameters(notebook, {"quality": "bets"})
    real = read_parameters(NOTEBOOKS / "00_video.ipynb")
    assert real["outfit"].choices == ("trousers", "shorts", "skirt") and real["video"].choices == ()
