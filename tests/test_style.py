"""The order of the house: layers, sizes, docstrings, thin notebooks, equal pins."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "hvr_nb"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MODULES = sorted(PACKAGE.rglob("*.py"))
HEADINGS = ["Goal", "Parameters", "Load", "Do", "Look", "Check", "Save & next", "Exercises"]
# A module imports only from lower layers, or from its own layer where that is listed as a chain.
LAYERS = {
    0: {"types"},
    1: {"geometry", "mesh", "raster", "video", "safe_pickle", "files", "threads"},
    2: {"clip", "body_model", "skinning", "nearest", "rays", "fields", "fields_tcnn", "volrend", "losses", "light",
        "metrics", "perceptual", "pose_metrics", "joint_sets", "surface_quality"},
    3: {"keypoints", "blazepose", "cleanup", "tracking", "identity", "place", "floor", "bones", "root_way",
        "lift", "people3d", "masks", "temporal", "crf", "matting", "parsing", "body_parts", "colour_model", "labels",
        "schp", "fit", "fit_init", "fit_bones", "fit_still", "fit_terms", "kinematics", "landmarks", "normal",
        "pose_prior", "silhouette", "avatar_files", "binding", "canonical", "carving", "dress", "mask_distance",
        "harmonic", "loose", "turning", "warp", "warp_torch", "unwrap", "texture_views", "texture_align",
        "texture_bake"},
    4: {"train"},
    5: {"methods", "formats"},
    6: {"subject", "viewing", "pictures", "plots", "shading", "skeletons", "pose_video", "pose_files", "report",
        "batch", "render", "coverage", "evaluate", "motion", "export", "export_frames", "inputs", "level",
        "slices"},
    7: {"cli", "cli_formats", "cli_pose3d", "demo", "__main__"},
}  # fmt: skip


def layer_of(module: str) -> int:
    """Layer of "hvr_nb.<module>[.x]"."""
    name = module.split(".")[0]
    found = [layer for layer, names in LAYERS.items() if name in names]
    assert found, f"hvr_nb/{module} stands in no layer; add it to tests/test_style.py"
    return found[0]


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


@pytest.mark.parametrize("path", [m for m in MODULES if m.name != "__init__.py"],
                         ids=lambda p: str(p.relative_to(PACKAGE)))  # fmt: skip
def test_modules_import_downwards_and_stay_small(path):
    module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    own = layer_of(module)
    for target in imports_of(path):
        assert layer_of(target) <= own, f"{module} (layer {own}) imports {target} from a higher layer"
        top, target_top = module.split(".")[0], target.split(".")[0]
        if top == "methods":
            same = target.split(".")[:2] == module.split(".")[:2]
            assert target_top != "methods" or same, f"{module} imports another method, {target}"
        assert target_top not in ("viewing", "batch") or top in ("viewing", "batch", "report", "cli", "demo")
    assert len(path.read_text().splitlines()) <= 400, f"{path.name} is over 400 lines"


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


def test_third_party_stays_in_its_module():
    """k3d and ipywidgets only in viewing, papermill only in batch, the detector only in its modules."""
    homes = {"k3d": "viewing", "ipywidgets": "viewing", "papermill": "batch", "ai_edge_litert": "blazepose",
             "av": "video"}  # fmt: skip
    for path in MODULES:
        module = path.relative_to(PACKAGE).with_suffix("").parts[0]
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in (n.split(".")[0] for n in names):
                assert homes.get(name, module) == module, f"{path.name} imports {name}"


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
        out = subprocess.run([sys.executable, "-m", "ruff", *command, "hvr_nb", "tests", "scripts"],
                             capture_output=True, text=True, cwd=ROOT)  # fmt: skip
        assert out.returncode == 0, out.stdout + out.stderr


def test_array_arguments_have_shapes():
    """Public functions that take or return arrays state a shape such as (T, 3) in the docstring."""
    missing = []
    for path in MODULES:
        for node in ast.parse(path.read_text()).body:
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
                continue
            notes = ast.unparse(node.args) + (ast.unparse(node.returns) if node.returns else "")
            if re.search(r"ndarray|Tensor", notes) and not re.search(
                r"\(.*?\)", ast.get_docstring(node) or ""
            ):
                missing.append(f"{path.relative_to(PACKAGE)}:{node.name}")
    assert not missing, missing


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebooks_are_thin(path):
    nb = nbformat.read(path, 4)
    nbformat.validate(nb)
    assert path.stat().st_size < 15_000
    text = "\n".join(c.source for c in nb.cells if c.cell_type == "markdown")
    assert re.findall(r"^## (.+)$", text, re.M) == HEADINGS
    tagged = [c for c in nb.cells if "parameters" in c.metadata.get("tags", [])]
    assert len(tagged) == 1, "one parameters cell"
    for line in tagged[0].source.splitlines():
        assert re.match(r"^\w+: (str|int|float|bool|list\[float\]) = .+  # .+", line), line
    for cell in nb.cells:
        if cell.cell_type != "code":
            continue
        assert not cell.outputs and cell.execution_count is None, "committed without outputs"
        tree = ast.parse(cell.source)
        kinds = (ast.FunctionDef, ast.ClassDef, ast.Lambda)
        assert not any(isinstance(n, kinds) for n in ast.walk(tree)), cell.source
        if cell is not tagged[0]:
            assert len(cell.source.splitlines()) <= 8, cell.source
    assert any(isinstance(n, ast.Assert) for c in nb.cells if c.cell_type == "code"
               for n in ast.walk(ast.parse(c.source))), "Check asserts something"  # fmt: skip
    assert re.search(r"\bshow\(|\bslider\(", nbformat.writes(nb)), "a notebook shows its result"


def test_eight_notebooks():
    assert [p.stem for p in NOTEBOOKS] == [
        "00_video", "01_keypoints", "02_masks", "03_body", "04_canonical", "05_train", "06_render",
        "07_visualize",
    ]  # fmt: skip


def test_pins_are_the_same_everywhere_and_explained():
    text = (ROOT / "environment.yml").read_text()
    conda = yaml.safe_load(text)["dependencies"]
    pip = set(next(d["pip"] for d in conda if isinstance(d, dict)))
    project = set(re.findall(r'^  "([\w-]+==[\w.]+)",$', (ROOT / "pyproject.toml").read_text(), re.M))
    project |= set(re.findall(r'"((?:pytest|ruff)==[\w.]+)"', (ROOT / "pyproject.toml").read_text()))
    torch = {p for p in project if p.startswith("torch==")}  # conda brings its own build
    assert pip == project - torch
    for line in text.splitlines():
        if re.match(r"\s+- [\w-]+==?[\w.]+", line) and "python=" not in line:
            assert "#" in line, f"no reason beside {line.strip()}"


def test_no_absolute_paths_or_registry_hosts():
    bad = re.compile(r"(/home/\w+|/root/|/work/|/Users/\w+|C:\\\\|https?://(pypi|files\.pythonhosted))")
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    for name in files:
        path = ROOT / name
        if path.suffix in (".py", ".md", ".yml", ".toml", ".ipynb", "") and path.name != "test_style.py":
            found = bad.search(path.read_text(errors="ignore"))
            assert not found, f"{name}: {found.group(0)}"
