"""Kill, starve and feed rubbish to the package:  python -m scripts.bench.torture [N]

N runs of a small chain are killed at random file operations, run again and compared with one that was never
disturbed; then disks are full, closed, moved and wrongly clocked; then 40 N damaged or hostile files and
parameters are read, each in a process with limits on time and memory. What goes wrong is printed, and its
input kept. The last line counts: kills; equal, of as many chains; leftovers of kills; inputs; raw errors;
hangs; inputs that took too much memory.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections import Counter
from pathlib import Path

from tqdm import tqdm

from scripts.bench.torture.child import HANG, KILLED, MEMORY, RAW, in_child
from scripts.bench.torture.files import make_targets
from scripts.bench.torture.fuzz import MEMORY as MOST
from scripts.bench.torture.fuzz import SECONDS, damaged, try_input, weird_parameter
from scripts.bench.torture.kills import Chain, hardships, kill_and_resume

INPUTS = 40  # for each run that is killed
BAD = (RAW, HANG, MEMORY, KILLED)


def torture_kills(folder: Path, number: int, rng: random.Random) -> dict[str, int]:
    """Kills and hardships: the counts, after printing the faults."""
    chain, count = Chain(folder), Counter(kills=0, runs=0, equal=0, leftovers=0)
    for k in tqdm(range(number), desc="killed runs", unit="run", leave=False):
        kills, faults = kill_and_resume(chain, rng, k)
        count += Counter(
            kills=kills, runs=1, equal=not faults, leftovers=sum("left over" in f for f in faults)
        )
        for fault in faults:
            print(fault)
    for name, faults in hardships(chain):
        count += Counter(runs=1, equal=not faults, leftovers=sum("left over" in f for f in faults))
        for fault in faults:
            print(f"{name}: {fault}")
    return count


def torture_readers(folder: Path, number: int, rng: random.Random, keep: Path) -> dict[str, int]:
    """Bad inputs: the counts, after printing what went wrong; those inputs are kept."""
    targets, count = make_targets(folder), Counter(inputs=0)
    for k in tqdm(range(number), desc="inputs", unit="input", leave=False):
        if k % (len(targets) + 1) == len(targets):
            name, read = weird_parameter(rng)
            ending, data = in_child(read, seconds=SECONDS, memory=MOST), name.encode()
        else:
            target = targets[k % (len(targets) + 1)]
            name, data = target.name, damaged(target.file.read_bytes(), rng)
            ending = try_input(target, data)
        how = RAW if ending.how == KILLED else ending.how  # a crash is the rawest of errors
        count += Counter({"inputs": 1, how: 1})
        if ending.how in BAD:
            keep.mkdir(parents=True, exist_ok=True)
            (keep / f"{k}_{name.split()[0].replace('/', '_')}").write_bytes(data)
            print(f"input {k}, {name}: {ending.how}: {ending.said[:200]} {ending.where}")
    return count


def main(arguments: list[str] | None = None) -> str:
    """Run it; the last line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("number", type=int, nargs="?", default=20, help="runs to kill; a second each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path("data/torture"), help="folder for inputs that hurt")
    args = parser.parse_args(arguments)
    rng, began = random.Random(args.seed), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        top.chmod(0o755)  # another user looks in
        (top / "chain").mkdir()
        killed = torture_kills(top / "chain", args.number, rng)
        read = torture_readers(top / "files", INPUTS * args.number, rng, args.keep)
    print(f"{time.monotonic() - began:.0f} s; named {read['named']}, survived {read['done']}")
    line = (
        f"kills={killed['kills']} equal={killed['equal']}/{killed['runs']} leftovers={killed['leftovers']} "
        f"inputs={read['inputs']} raw={read[RAW]} hangs={read[HANG]} over_memory={read[MEMORY]}"
    )
    print(line)
    return line


if __name__ == "__main__":
    main()
