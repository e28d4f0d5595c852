"""What a stranger meets first: README, Makefile, Dockerfile. They name only what is there."""

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z0-9-]+):.*##", MAKEFILE, re.M))


def test_links_lead_somewhere_and_pictures_have_words():
    for words, to in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", README):
        assert (ROOT / to).is_file() and len(words.split()) >= 8, to
    sections = {
        re.sub(r"[^\w -]", "", t).lower().replace(" ", "-") for t in re.findall(r"^#+ (.+)$", README, re.M)
    }
    for to in re.findall(r"[^!]\[[^\]]+\]\(([^)]+)\)", README):
        assert to[1:] in sections if to.startswith("#") else (ROOT / to).exists(), to
    for path in re.findall(r"`((?:docs|hvr_nb|scripts|notebooks)/[\w./-]+)`", README):
        assert (ROOT / path).exists(), path


def test_the_moving_picture_is_small_and_moves():
    from PIL import Image

    path = ROOT / "docs" / "images" / "demo.webp"
    assert "docs/images/demo.webp" in README and path.stat().st_size < 1_500_000
    with Image.open(path) as picture:
        assert picture.is_animated and picture.n_frames >= 12 and picture.width <= 1000


def test_every_make_target_that_is_named_exists_and_is_listed_by_help():
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", README, re.S))
    named = set(re.findall(r"\bmake ([a-z][a-z0-9-]+)", code))
    assert named <= TARGETS, named - TARGETS
    shown = subprocess.run(
        ["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert {line.split("\t")[0] for line in shown.splitlines()} == TARGETS
    phony = re.search(r"^\.PHONY:(.*)$", MAKEFILE.replace("\\\n", " "), re.M).group(1).split()
    assert TARGETS <= set(phony) | {"help"}


def test_run_and_batch_without_a_video_are_refused():
    for target in ("run", "batch", "pose3d"):
        done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode and "give " in done.stderr, target


def test_the_parameters_that_readme_names_exist():
    from hvr_nb.batch.parameters import read_parameters

    for stage, name in re.findall(r"\b(0\d_[a-z]+)\.([a-z_]+)\b", README):
        if name != "ipynb":
            assert name in read_parameters(ROOT / "notebooks" / f"{stage}.ipynb"), f"{stage}.{name}"


def instructions() -> list[tuple[str, str]]:
    """Keyword and rest of the Dockerfile's instructions, lines joined, comments left out."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.M).replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def test_the_dockerfile_keeps_the_rules():
    steps = instructions()
    known = {"FROM", "RUN", "COPY", "WORKDIR", "EXPOSE", "CMD"}
    assert {keyword for keyword, _ in steps} == known and steps[0][0] == "FROM" and steps[-1][0] == "CMD"
    image, tag = steps[0][1].split(":")
    requires = re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', (ROOT / "pyproject.toml").read_text())
    assert image == "python" and int(requires[1]) <= int(tag.split("-")[0].split(".")[1]) < int(requires[2])
    assert [keyword for keyword, _ in steps].count("CMD") == 1 and isinstance(json.loads(steps[-1][1]), list)
    for keyword, rest in steps:
        if keyword == "COPY":
            *sources, target = rest.split()
            assert all((ROOT / source).exists() for source in sources) and not target.startswith("/"), rest
        if "apt-get install" in rest:
            assert "apt-get update" in rest and "-y" in rest.split() and "rm -rf /var/lib/apt/lists" in rest
        elif keyword in ("RUN", "CMD"):
            targets = re.findall(r"\bmake ([a-z0-9-]+)", rest)
            assert targets and set(targets) <= TARGETS, rest


def test_what_is_copied_first_is_enough_to_install():
    steps = instructions()
    first = next(k for k, (keyword, rest) in enumerate(steps) if rest == "make env")
    early = {source for keyword, rest in steps[:first] if keyword == "COPY" for source in rest.split()[:-1]}
    project = (ROOT / "pyproject.toml").read_text()
    needed = {
        "Makefile",
        "pyproject.toml",
        re.search(r'^readme = "(.+)"', project, re.M)[1],
        "hvr_nb/__init__.py",
    }
    assert needed <= early
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".git", ".venv", "data"} <= set(ignored) and not early & set(ignored)


@pytest.mark.parametrize("name", ["demo_joints", "demo_body", "demo_pose", "demo_turntable", "demo_poses"])
def test_the_five_pictures_are_shown_and_small(name):
    assert f"docs/images/{name}.jpg" in README
    assert (ROOT / "docs" / "images" / f"{name}.jpg").stat().st_size < 120_000
