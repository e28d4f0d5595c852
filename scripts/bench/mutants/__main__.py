"""How many small faults do a wing's own tests notice?  python -m scripts.bench.mutants [wings]

Operators, comparisons, constants and conditions of a wing's modules are changed one at a time (a seeded
sample), in a copy of the tree, and the tests in ``tests/<wing>`` that run the line are run on each. A change
that no test notices is printed with its place. Changes that change nothing are listed, with the reason, in
``equal.toml`` and not drawn. The last line is the share noticed, per cent, a wing.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import random
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from hvr_nb.store.places import ROOT
from scripts.bench.mutants.changes import Change, changes
from scripts.bench.mutants.run import copy_tree, killed, reach

WINGS = ("geometry", "body", "fit", "masks", "keypoints", "lift", "store", "formats")
EQUAL = Path(__file__).with_name("equal.toml")
READY = ("numpy", "scipy.optimize", "scipy.spatial", "scipy.sparse.linalg", "scipy.ndimage", "cv2", "numba",
         "torch", "trimesh", "skimage.measure", "smplx", "pymatting", "tqdm")  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A change of one module, and how its lines read before and after."""

    module: str  # e.g. "hvr_nb/geometry/camera.py"
    change: Change
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.module}:{self.change.line}  {self.change.old} -> {self.change.new}  | {self.before}"


def mutants(wing: str, number: int, seed: int, *, only: str = "") -> list[Mutant]:
    """A seeded sample of a wing's changes (all where ``number`` is 0), without those known to be equal.

    A larger sample begins with the smaller one.
    """
    equal = {(e["file"], e["line"], e["becomes"]) for e in tomllib.loads(EQUAL.read_text())["equal"]}
    places = []
    for path in sorted((ROOT / "hvr_nb" / wing).rglob("*.py")):
        source, module = path.read_text(), str(path.relative_to(ROOT))
        if only not in module:
            continue
        for alternatives in changes(source):
            line = alternatives[0].line - 1
            before, rows = source.splitlines()[line].strip(), []
            for change in alternatives:
                after = change.applied(source).splitlines()[line].strip()
                if (module, before, after) not in equal:
                    rows.append(Mutant(module, change, before, after))
            places += [rows] if rows else []
    draw = random.Random(f"{seed} {wing}")
    draw.shuffle(places)
    return [draw.choice(rows) for rows in places][: number or None]


def _prepare() -> None:
    """In a worker: a copy of the tree, and the libraries that tests import."""
    global copy, scratch
    scratch = tempfile.TemporaryDirectory(prefix="mutants-")
    copy = copy_tree(Path(scratch.name))
    for name in READY:
        importlib.import_module(name)


def _judge(task: tuple) -> tuple[Mutant, bool]:
    mutant, tests, seconds = task
    return mutant, killed(copy, mutant.module, mutant.change, tests, seconds)


def main() -> None:
    """Draw, change, test, report."""
    parser = argparse.ArgumentParser(prog="python -m scripts.bench.mutants", description=__doc__)
    parser.add_argument("wings", nargs="*", help=" ".join(WINGS))
    parser.add_argument("--number", type=int, default=40, help="changes a wing (default 40; 0: all)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--workers", type=int, default=2, help="copies tested at a time")
    parser.add_argument("--only", default="", help="modules whose path contains this")
    options = parser.parse_args()
    shares = {}
    with multiprocessing.get_context("fork").Pool(options.workers, _prepare) as pool:
        for wing in options.wings or WINGS:
            with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
                found = reach(copy_tree(Path(folder)), wing)
            drawn = mutants(wing, options.number, options.seed, only=options.only)
            tasks = []
            for mutant in drawn:
                tests = found.tests(mutant.module, mutant.change) or [f"tests/{wing}"]
                tasks.append(
                    (
                        mutant,
                        tests,
                        sum(found.seconds.get(t, 0) for t in tests) or sum(found.seconds.values()),
                    )
                )
            survivors = []
            for mutant, dead in pool.imap_unordered(_judge, tasks):
                if not dead:
                    survivors.append(mutant)
                    print(f"survived  {mutant}", flush=True)
            shares[wing] = 100 * (1 - len(survivors) / max(len(drawn), 1))
            print(f"{wing}: {len(drawn) - len(survivors)} of {len(drawn)} noticed\n", flush=True)
    print(" ".join(f"{wing}={share:.0f}" for wing, share in shares.items()))


if __name__ == "__main__":
    main()
