"""Copies of the notebooks: made once, refreshed while untouched, kept when somebody changed them."""

import pytest

from hvr_nb.cli.workbook import copy_notebooks
from hvr_nb.types import HvrError


@pytest.fixture
def notebooks(tmp_path):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for name in ("00_a.ipynb", "01_b.ipynb"):
        (folder / name).write_text(f"{name} as it is")
    return folder


def test_copies_are_made_and_refreshed_while_untouched(notebooks, tmp_path):
    copies = tmp_path / "workbook"
    assert copy_notebooks(copies, notebooks) == []
    assert (copies / "00_a.ipynb").read_text() == "00_a.ipynb as it is"
    (notebooks / "00_a.ipynb").write_text("a newer one")
    assert copy_notebooks(copies, notebooks) == []
    assert (copies / "00_a.ipynb").read_text() == "a newer one"


def test_what_somebody_changed_is_kept_and_said(notebooks, tmp_path):
    copies = tmp_path / "workbook"
    copy_notebooks(copies, notebooks)
    (copies / "01_b.ipynb").write_text("my answers")
    assert copy_notebooks(copies, notebooks) == [], "the notebook is the same as when it was copied"
    (notebooks / "01_b.ipynb").write_text("a newer one")
    assert copy_notebooks(copies, notebooks) == ["01_b.ipynb"]
    assert (copies / "01_b.ipynb").read_text() == "my answers"
    assert (notebooks / "01_b.ipynb").read_text() == "a newer one", "nothing flows back"


def test_a_file_in_the_way_is_named(notebooks, tmp_path):
    (tmp_path / "workbook").write_text("a file")
    with pytest.raises(HvrError, match="workbook"):
        copy_notebooks(tmp_path / "workbook", notebooks)
