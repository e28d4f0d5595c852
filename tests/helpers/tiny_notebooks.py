"""Notebooks of a few lines, for the batch runner."""

from pathlib import Path

import nbformat

from hvr_nb.batch import notebook
from hvr_nb.batch.parameters import read_parameters


def write_notebook(path: Path, parameters: str, *cells: str) -> Path:
    first = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
    nb = nbformat.v4.new_notebook(cells=[first, *map(nbformat.v4.new_code_cell, cells)])
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nb, path)
    return path


def video_file(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def ran(stages):
    return [s.stage for s in stages if not s.skipped]


def execute_here(monkeypatch):
    """Notebooks run in this process, without a kernel."""

    def execute(path, out, _cwd, params, _timeout):
        names = {name: p.default for name, p in read_parameters(path).items()} | params
        book = nbformat.read(path, 4)
        for cell in book.cells[1:]:
            exec(cell.source, names)
        nbformat.write(book, out)

    monkeypatch.setattr(notebook, "_execute", execute)
