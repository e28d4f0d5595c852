"""The order of the house: floors, names, sizes, docstrings, thin notebooks, equal pins."""

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path

import nbformat
import pytest
import yaml

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "hvr_nb"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
MODULES = sorted(PACKAGE.rglob("*.py"))
HEADINGS = ["Goal", "Parameters", "Load", "Do", "Look", "Check", "Save & next", "Exercises"]
# docs/house.md: (floor, wing, caption, verbs) a row
MAP = [
    (int(floor), wing.rstrip("/").removesuffix(".py"), caption, re.findall(r"`(\w+)`", verbs))
    for floor, wing, caption, verbs in re.findall(
        r"^\| (\d+) \| `([\w/.]+)` \| (.+?) \| ?(.*?) ?\|$", (ROOT / "docs" / "house.md").read_text(), re.M
    )
]
FLOOR = {wing: floor for floor, wing, _, _ in MAP}
# optional modules, imported where they are used, and their distributions
OPTIONAL = {
    "distributed": "distributed",  # the extra cluster
    "h5py": "h5py",  # the extra people-snapshot
    "submitit": "submitit",  # the extra cluster
    "pytorch3d": "pytorch3d",  # graphics cards, from conda
    "tinycudann": "tiny-cuda-nn",  # graphics cards, from conda
}
CONDA_ONLY = {"pytorch3d", "tiny-cuda-nn"}  # not on the package index; environment.yml has them
# declared, though no line imports them
RUN_BY_NAME = {
    "jsonschema": "nbformat's, whose later versions are slow to load",
    "jupyterlab": "make lab",
    "axe-playwright-python": "tests/browser, where it is installed",
    "playwright": "tests/browser, where it is installed",
    "pytest-xdist": "a plugin of pytest: pytest -n",
    "ruff": "make lint and test_ruff",
}
CHECKS = ("doubt_unless", "mask_doubts")  # verbs of a notebook's Check
# what only one wing may import
HOMES = {
    "k3d": "viewing",
    "ipywidgets": "viewing",
    "papermill": "batch",
    "ai_edge_litert": "keypoints",
    "av": "store",
    "distributed": "batch",
    "submitit": "batch",
}


def floor_of(module: str) -> int:
    """Floor of "hvr_nb.<wing>[.x]", 1 at the bottom."""
    wing = module.split(".")[0]
    assert wing in FLOOR, f"hvr_nb/{wing} stands on no floor; add it to the table of docs/house.md"
    return FLOOR[wing]


def imports_of(path: Path) -> set[str]:
    """Modules of hvr_nb that a file imports, without the leading "hvr_nb."."""
    out = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "hvr_nb":
            parent = node.module.split(".")[1:]
            for alias in node.names:
                inner = PACKAGE.joinpath(*parent, alias.name)
                is_module = inner.is_dir() or inner.with_suffix(".py").exists()
                out.add(".".join([*parent, alias.name] if is_module else parent))
        elif isinstance(node, ast.Import):
            out |= {a.name.removeprefix("hvr_nb.") for a in node.names if a.name.startswith("hvr_nb.")}
    return out - {""}


def test_the_map_shows_the_house():
    """docs/house.md names every wing with its caption and its verbs."""
    wings = {p.parent.name for p in PACKAGE.glob("*/__init__.py")}
    files = {p.stem for p in PACKAGE.glob("*.py")} - {"__init__"}
    assert set(FLOOR) == wings | files
    for _, wing, caption, verbs in MAP:
        home = PACKAGE / wing / "__init__.py" if wing in wings else PACKAGE / f"{wing}.py"
        doc = ast.get_docstring(ast.parse(home.read_text()))
        assert caption == doc.splitlines()[0], f"{wing}: run python -m scripts.assets.house_map"
        offered = re.findall(r"^- ``(\w+)``", doc, re.M)
        assert verbs == offered, f"{wing}: run python -m scripts.assets.house_map"


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("__init__.py")), ids=lambda p: str(p.parent.relative_to(ROOT))
)
def test_a_wing_describes_what_it_offers(path):
    """The names of ``from hvr_nb.wing import ...`` are listed in the wing's docstring, and they exist."""
    if path.parent == PACKAGE or PACKAGE / "methods" in path.parents:
        return
    module = importlib.import_module(".".join(path.parent.relative_to(ROOT).parts))
    listed = re.findall(r"^- ``(\w+)``", module.__doc__, re.M)
    assert sorted(listed) == sorted(getattr(module, "__all__", [])), path
    modules = {p.stem for p in path.parent.glob("*.py")}
    assert not modules & set(listed), f"a verb bears the name of its module: {modules & set(listed)}"
    for name in listed:
        assert getattr(module, name) is not None


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_wings_import_only_from_lower_floors(path):
    module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    if module == "__init__":
        return
    wing = module.split(".")[0]
    for target in imports_of(path):
        if target.split(".")[0] != wing:
            lower = floor_of(target) < floor_of(module)
            assert lower, f"{module} (floor {floor_of(module)}) imports {target} (floor {floor_of(target)})"
        elif wing == "methods" and module.count(".") > 1:
            method = target.split(".")[1]
            assert method[0] == "_" or method == module.split(".")[1], (
                f"{module} imports another method, {target}"
            )


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_modules_stay_small(path):
    assert len(path.read_text().splitlines()) <= 400, (
        f"{path.name} is over 400 lines; is there a second job in it?"
    )


def test_no_import_cycles():
    graph = {}
    for path in MODULES:
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if name:
            graph[name] = imports_of(path)
    done, path = set(), []

    def visit(name):
        if name in done:
            return
        assert name not in path, " -> ".join([*path, name])
        path.append(name)
        for target in graph.get(name, ()):
            if target != name:
                visit(target)
        path.pop()
        done.add(name)

    for name in graph:
        visit(name)


def test_third_parties_stay_in_their_wing():
    for path in MODULES:
        wing = path.relative_to(PACKAGE).with_suffix("").parts[0]
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in (n.split(".")[0] for n in names):
                assert HOMES.get(name, wing) == wing, f"{path.name} imports {name}"


def test_no_public_name_twice():
    """Classes and functions are found by name alone; methods repeat only the names of the contract."""
    homes = {}
    for path in MODULES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_":
                homes.setdefault(node.name, []).append(path.relative_to(PACKAGE).as_posix())
    contract = {"reconstruct", "load", "Options"}
    twice = {name: where for name, where in homes.items() if len(where) > 1 and name not in contract}
    assert not twice, twice
    assert not set(FLOOR) & set(homes), f"a verb bears a wing's name: {set(FLOOR) & set(homes)}"


def test_import_is_light():
    code = "import sys, hvr_nb; print(sorted({'torch', 'cv2', 'k3d', 'numba'} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert out.stdout.strip() == "[]", out.stdout + out.stderr


def test_public_names_exist():
    import hvr_nb

    for name in hvr_nb.__all__:
        assert getattr(hvr_nb, name).__doc__, f"{name} has no docstring"


def test_ruff():
    for command in (["check"], ["format", "--check"]):
        out = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "hvr_nb", "tests", "scripts"],
            capture_output=True,
            text=True,
            cwd=ROOT,
        )
        assert out.returncode == 0, out.stdout + out.stderr


def test_the_formatter_is_held_back_for_tables_only():
    """Tables of constants are read by columns; everything else has one form."""
    folders = [ROOT / name for name in ("hvr_nb", "tests", "scripts")]
    skipped = [
        text.count("# fmt: " + "skip")
        for folder in folders
        for text in map(Path.read_text, folder.rglob("*.py"))
    ]
    assert sum(skipped) <= 80


def shapes_in(text: str, arguments: set[str]) -> list[str]:
    """The shapes in a docstring: (T, 3), (..., 2), (len(which), V); words count if they are arguments."""
    words = "|".join([r"[a-z]\b", *arguments])
    size = rf"(?:\.\.\.|\d+|[A-Z]\w*|len\(\w+\)|{words})"
    entry = rf"{size}(?: ?[-+*/]+ ?{size})*"
    return re.findall(rf"\((?:\.\.\.|{entry}(?:, {entry})+|{entry},)\)", text)


def test_what_counts_as_a_shape():
    for shape in (
        "(T, 3)",
        "(..., 3)",
        "(...)",
        "(N,)",
        "(len(which), V, 3)",
        "(P, side * side, 3)",
        "(n, n + 1)",
    ):
        assert shapes_in(f"Points {shape} in metres", {"side"}), shape
    for prose in (
        "(rows, columns)",
        "(fast motion)",
        "(uint8)",
        "(0)",
        "()",
        "(T poses)",
        "(any shape, uint8)",
    ):
        assert not shapes_in(f"Points {prose} in metres", {"side"}), prose


def test_array_arguments_have_shapes():
    """Public functions that take or return arrays state a shape such as (T, 3) or (...) in the docstring."""
    missing = []
    for path in MODULES:
        for node in ast.parse(path.read_text()).body:
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
                continue
            notes = ast.unparse(node.args) + (ast.unparse(node.returns) if node.returns else "")
            arguments = {a.arg for a in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]}
            if re.search(r"ndarray|Tensor", notes) and not shapes_in(
                ast.get_docstring(node) or "", arguments
            ):
                missing.append(f"{path.relative_to(PACKAGE)}:{node.name}")
    assert not missing, missing


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebooks_are_thin(path):
    nb = nbformat.read(path, 4)
    nbformat.validate(nb)
    assert path.stat().st_size < 15_000
    text = "\n".join(c.source for c in nb.cells if c.cell_type == "markdown")
    assert len(text.split()) >= 400, "a lesson explains itself"
    assert "$$" in text, "the formulas that carry it"
    assert re.search(r"\]\(https?://", text), "papers to read"
    assert "**Look inside.**" in text and f'show_example("{path.stem}")' in [c.source for c in nb.cells]
    assert re.findall(r"^## (.+)$", text, re.M) == HEADINGS
    tagged = [c for c in nb.cells if "parameters" in c.metadata.get("tags", [])]
    assert len(tagged) == 1, "one parameters cell"
    for line in tagged[0].source.splitlines():
        assert re.match(r"^\w+: (str|int|float|bool|list\[float\]) = .+  # .+", line), line
    for cell in nb.cells:
        assert max(map(len, cell.source.splitlines())) <= 100, cell.source
        if cell.cell_type != "code":
            continue
        assert not cell.outputs and cell.execution_count is None, "committed without outputs"
        tree = ast.parse(cell.source)
        kinds = (ast.FunctionDef, ast.ClassDef, ast.Lambda)
        assert not any(isinstance(n, kinds) for n in ast.walk(tree)), cell.source
        if cell is not tagged[0]:
            assert len(cell.source.splitlines()) <= 8, cell.source
    assert any(
        isinstance(n, ast.Assert) or getattr(getattr(n, "func", None), "id", "") in CHECKS
        for c in nb.cells
        if c.cell_type == "code"
        for n in ast.walk(ast.parse(c.source))
    ), "Check asserts something"
    assert re.search(r"\bshow\(|\bslider\(", nbformat.writes(nb)), "a notebook shows its result"


def test_eight_notebooks():
    assert [p.stem for p in NOTEBOOKS] == [
        "00_video",
        "01_keypoints",
        "02_masks",
        "03_body",
        "04_canonical",
        "05_train",
        "06_render",
        "07_visualize",
    ]


def test_pins_are_the_same_everywhere_and_explained():
    text = (ROOT / "environment.yml").read_text()
    conda = yaml.safe_load(text)["dependencies"]
    pip = set(next(d["pip"] for d in conda if isinstance(d, dict)))
    project = {f"{name}=={pin}" for name, pin in pins("dependencies", "test").items()}
    torch = {p for p in project if p.startswith("torch==")}  # conda brings its own build
    assert pip == project - torch
    for line in text.splitlines():
        if re.match(r"\s+- [\w-]+==?[\w.]+", line) and "python=" not in line:
            assert "#" in line, f"no reason beside {line.strip()}"


def pins(*groups: str) -> dict[str, str]:
    """Distribution -> version of the dependencies of pyproject.toml; "dependencies" or an extra's name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lists = project["optional-dependencies"] | {"dependencies": project["dependencies"]}
    return dict(line.split("==") for group in groups or lists for line in lists[group])


def third_parties() -> dict[str, set[str]]:
    """Module -> files that import it, anywhere in a function too, of all that is not ours or Python's own."""
    sources = {
        path: path.read_text()
        for folder in ("hvr_nb", "scripts", "tests")
        for path in (ROOT / folder).rglob("*.py")
    }
    for path in NOTEBOOKS:
        cells = nbformat.read(path, 4).cells
        sources[path] = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    ours = {"hvr_nb", "scripts", *(path.stem for path in (ROOT / "tests/helpers").glob("*.py"))}
    found = {}
    for path, source in sources.items():
        for node in ast.walk(ast.parse(source)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            for name in {name.split(".")[0] for name in names} - ours - sys.stdlib_module_names:
                found.setdefault(name, set()).add(path.relative_to(ROOT).as_posix())
    return found


def test_what_is_imported_is_declared_and_what_is_declared_is_imported():
    """By distribution: the module ``cv2`` is what ``opencv-python`` declares."""
    named = packages_distributions()
    named |= {module: [name] for module, name in OPTIONAL.items() if module not in named}
    declared = {re.sub(r"[-_.]+", "-", name).lower() for name in pins()}
    imported = {}
    for module, files in third_parties().items():
        assert module in named, f"{module} is imported in {sorted(files)} and not installed"
        imported[re.sub(r"[-_.]+", "-", named[module][0]).lower()] = files
    missing = {name: sorted(files) for name, files in imported.items() if name not in declared | CONDA_ONLY}
    assert not missing, f"imported, but not in pyproject.toml: {missing}"
    unused = declared - set(imported) - set(RUN_BY_NAME)
    assert not unused, f"in pyproject.toml, but imported nowhere: {unused}"
    assert not set(RUN_BY_NAME) & set(imported) and set(RUN_BY_NAME) <= declared, "RUN_BY_NAME is out of date"


@pytest.mark.parametrize("name", [name for name in pins() if name != "torch"])
def test_pins_are_the_versions_that_are_tested(name):
    """Of torch there are several builds of a version; an extra need not be installed."""
    try:
        found = version(name)
    except PackageNotFoundError:
        assert name not in pins("dependencies", "test")
        return
    assert found == pins()[name]


def test_no_absolute_paths_or_registry_hosts():
    bad = re.compile(r"(/home/\w+|/root/|/work/|/Users/\w+|C:\\\\|https?://(pypi|files\.pythonhosted))")
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    for name in files:
        path = ROOT / name
        if path.suffix in (".py", ".md", ".yml", ".toml", ".ipynb", "") and path.name != "test_house.py":
            found = bad.search(path.read_text(errors="ignore"))
            assert not found, f"{name}: {found.group(0)}"


# "docs/fit.md, 2 and 7", or "fit.md, 5" within docs/: a page and its numbered sections
CITATION = re.compile(r"(?<![\w/-])(docs/)?(\w+)\.md(?:,? (\d+(?:\.\d+)?(?:(?:,| to| and) \d+(?:\.\d+)?)*))?")


def faults_of_citations(text: str, *, within_docs: bool = False) -> list[str]:
    """Citations in a text whose page, numbered section or titled decision does not exist."""
    text, faults = re.sub(r"\s+(?:# )?", " ", text), []
    faults += re.findall(r"specs/\w+\.md|DESIGN\s+section", text)
    for match in CITATION.finditer(text):
        folder, name, sections = match.groups()
        pages = [ROOT / "docs" / f"{name}.md"] + [ROOT / f"{name}.md"] * (not folder)
        page = next((p for p in pages if p.exists()), None)
        if page is None and (folder or within_docs):
            faults.append(match.group(0))
        elif page and (folder or within_docs) and sections:
            there = re.findall(r"^## (\d+)\. |\*\*(\d+\.\d+) ", page.read_text(), re.M)
            there = {number for pair in there for number in pair if number}
            faults += [match.group(0)] * (not set(re.findall(r"\d+(?:\.\d+)?", sections)) <= there)
    titles = (ROOT / "docs" / "decisions.md").read_text()
    for title in re.findall(r"decisions\.md, \"([^\"]+)\"", text):
        faults += [title] * (f"### {title}\n" not in titles)
    return faults


def test_citations_exist():
    """The pages cited are in the repository and have the sections named."""
    files = subprocess.run(
        ["git", "ls-files", "hvr_nb", "scripts", "tests", "notebooks", "docs", "README.md", "Makefile"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    ).stdout.split()
    for name in files:
        path = ROOT / name
        if path.suffix in (".py", ".md", ".ipynb", "") and path.name != "test_house.py" and path.exists():
            faults = faults_of_citations(path.read_text(), within_docs=name.startswith("docs/"))
            assert not faults, f"{name} cites {faults}"


@pytest.mark.parametrize(
    "text",
    [
        "see specs/body.md 2",
        "DESIGN section 7",
        "docs/nowhere.md",
        "docs/fit.md, 99",
        "docs/decisions.md 18",
        "docs/fit.md, 1 and\n99",
        'docs/decisions.md, "No such title"',
    ],
)
def test_wrong_citations_are_found(text):
    assert faults_of_citations(text)
    assert not faults_of_citations('docs/fit.md, 1 to 3; docs/decisions.md, "Waiting threads sleep"')
