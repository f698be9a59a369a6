"""How long `judge --help` takes, beside an interpreter that does nothing.

    python benchmarks/startup.py [ROUNDS]

The commands take turns, so that a busy moment of the machine hits all alike; medians. Target: help within 8 times
`python -c pass`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

TARGET = 8.0
ROUNDS = 21


def commands() -> dict[str, list[str]]:
    """What is timed; the first is what the others are compared with."""
    timed = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "python -c 'import judge'": [sys.executable, "-c", "import judge"],
        "python -m judge --help": [sys.executable, "-m", "judge", "--help"],
        "python -m judge score --help": [sys.executable, "-m", "judge", "score", "--help"],
    }
    script = shutil.which("judge", path=str(Path(sys.executable).parent))
    return timed | ({"judge --help": [script, "--help"]} if script else {})


def seconds(command: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun


def measure(rounds: int) -> dict[str, float]:
    """Median seconds of each command."""
    timed = commands()
    for command in timed.values():  # fills the caches of the disk and of compiled modules
        seconds(command)
    taken: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(rounds):
        for name, command in timed.items():
            taken[name].append(seconds(command))
    return {name: median(times) for name, times in taken.items()}


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    medians = measure(rounds)
    nothing = next(iter(medians.values()))
    print(f"{'command':<30}  median ms  ratio   ({rounds} rounds)")
    for name, taken in medians.items():
        print(f"{name:<30}  {taken * 1000:9.1f}  {taken / nothing:5.2f}")
    slowest = max(taken / nothing for name, taken in medians.items() if name.endswith("--help"))
    print(f"help within {TARGET:g} times: {'yes' if slowest <= TARGET else 'no'} ({slowest:.2f})")


if __name__ == "__main__":
    main()
