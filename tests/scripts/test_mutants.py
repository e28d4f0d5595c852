"""The mutation probe: which changes it makes of a source, and that it tells caught ones from others."""

import pytest

from scripts.bench.mutants.changes import changes
from scripts.bench.mutants.run import killed, reach

SOURCE = '''"""Two functions 1 + 1."""
from numba import njit
LIMIT = -3  # é < 4


@njit(cache=True)
def clipped(x: int = 0, *, low: float = 1.5) -> int:
    """Not 2 < 3."""
    if x is None or not x:
        raise ValueError(f"{x + 1} is bad" + "!")
    x += 2 ** LIMIT
    return x if flag else low <= x < (  # 1 + 1
        x @ low)
'''


def test_operators_comparisons_constants_and_conditions_are_changed():
    found = [(c.line, c.old, c.new) for place in changes(SOURCE) for c in place]
    assert found == [
        (3, "3", "4"),
        (7, "0", "1"),
        (7, "1.5", "2.5"),
        (9, "is", "is not"),
        (9, "or", "and"),
        (9, "not ", ""),
        (11, "+=", "-="),
        (11, "2", "3"),
        (11, "**", "*"),
        (12, "flag", "(not (flag))"),
        (12, "<=", "<"),
        (12, "<=", ">="),
        (12, "<", "<="),
        (12, "<", ">"),
        (13, "@", "*"),
    ]
    for place in changes(SOURCE):
        for change in place:
            compile(change.applied(SOURCE), "x", "exec")
    assert "if x is not None or not x:" in changes(SOURCE)[3][0].applied(SOURCE)
    assert {(c.first, c.last) for place in changes(SOURCE)[8:] for c in place} == {(11, 11), (12, 13)}


def test_what_can_only_raise_and_the_unknown_length_of_reshape_are_left_alone():
    source = "for a, b in zip(x[1:], y.reshape(-1, 3).sum(-1), strict=True):\n    assert a == 4\n"
    assert [c.old for place in changes(source) for c in place] == ["1", "3", "1"]


@pytest.fixture
def tree(tmp_path):
    """A package of one function with a test that knows its value at 3 only."""
    wing, tests = tmp_path / "hvr_nb" / "wing", tmp_path / "tests" / "wing"
    wing.mkdir(parents=True)
    tests.mkdir(parents=True)
    (wing / "__init__.py").touch()
    (wing.parent / "__init__.py").touch()
    (wing / "work.py").write_text("def double(x):\n    return 2 * x if x > 1 else x - 1\n")
    (tests / "test_work.py").write_text(
        "from hvr_nb.wing.work import double\n\n\ndef test_double():\n    assert double(3) == 6\n\n\n"
        "def test_nothing():\n    pass\n"
    )
    return tmp_path


@pytest.mark.slow
def test_tests_that_run_a_line_are_found_and_notice_what_they_check(tree):
    found = reach(tree, "wing")
    places = changes((tree / "hvr_nb/wing/work.py").read_text())
    tests = found.tests("hvr_nb/wing/work.py", places[0][0])
    assert tests == ["tests/wing/test_work.py::test_double"]
    noticed = {
        (c.old, c.new): killed(tree, "hvr_nb/wing/work.py", c, tests, 1.0) for place in places for c in place
    }
    assert noticed == {
        ("2", "3"): True,
        ("*", "/"): True,
        (">", ">="): False,
        (">", "<"): True,
        ("1", "2"): False,
        ("-", "+"): False,
    }
