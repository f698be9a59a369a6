"""What the tests of guides share: `console` blocks are run, and print what they show.

A line `…` stands for any lines.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from run_kit import environment

ROOT = Path(__file__).parents[1]


def blocks(guide: str) -> list[str]:
    """The `console` blocks of a page."""
    return re.findall(r"^```console\n(.*?)^```", guide, re.DOTALL | re.MULTILINE)


def commands(block: str) -> list[tuple[str, list[str]]]:
    """Each command of a block, and the lines under it."""
    parts = re.split(r"^\$ judge (.*)$", block, flags=re.MULTILINE)[1:]
    return [(command, said.strip("\n").splitlines()) for command, said in zip(parts[::2], parts[1::2], strict=True)]


def printed(command: str, folder: Path) -> list[str]:
    env = {name: value for name, value in environment().items() if name != "COLUMNS"}
    words = [sys.executable, "-m", "judge", *command.split()]
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)
    said = (done.stdout + done.stderr).replace(f"{ROOT}/", "")  # as a reader in the checkout sees it
    return [line.rstrip() for line in said.rstrip("\n").splitlines()]


def pattern(shown: list[str]) -> str:
    """Of the text that may be printed; what may differ between checkouts and versions of the package, too."""
    lines = ["(?:.*\n)*?" if line == "…" else f"{re.escape(line)}\n" for line in shown]
    return re.sub(r"lexical\\#[0-9a-f]{8}", r"lexical\\#[0-9a-f]{8}", "".join(lines))


def check(block: str, folder: Path) -> None:
    """Run the commands of a block in their order: a later one may need what an earlier one wrote."""
    for command, shown in commands(block):
        said = "".join(f"{line}\n" for line in printed(command, folder))
        assert re.fullmatch(pattern(shown), said), f"judge {command} prints:\n{said}"
