"""How large a report is, how long it takes to write, and how fast a browser opens and filters it.

    python benchmarks/report.py [RECORDS]                     one-unit records, 20,000 unless told otherwise
    python benchmarks/report.py --times 1334 FILE.jsonl       real ones, so many times

It scores the records with `lexical`, writes the report, and opens it in Chromium, which must be installed.
Targets: 20 MB, open in 3 s, a filter in 0.3 s.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import orjson
from million import repeat_records, score, write_records
from playwright.sync_api import Page, sync_playwright

RECORDS = 20_000
TARGETS = {"size MB": 20.0, "open s": 3.0, "filter s": 0.3}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu"]
# Until the page has drawn what came of it.
TIMED = """([id, value]) => new Promise((done) => {
  const field = document.getElementById(id), begun = performance.now();
  if (field.type === 'checkbox') field.checked = value; else field.value = value;
  field.dispatchEvent(new Event('input', { bubbles: true }));
  requestAnimationFrame(() => setTimeout(() => done((performance.now() - begun) / 1000)));
})"""
FILTERS = (
    ("search", "effusion"),
    ("search", "nothing of note in film 1"),
    ("search", ""),
    ("model", "willow-8b"),
    ("sort", "low"),
    ("from", "0.5"),
    ("axis", "perception"),
    ("failed", True),
    ("failed", False),
)


def write_report(run: Path, out: Path) -> tuple[float, dict[str, int]]:
    command = [sys.executable, "-m", "judge", "report", str(run), "--out", str(out), "--json"]
    begun = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begun, orjson.loads(done.stdout)


def open_page(page: Page, path: Path) -> float:
    begun = time.perf_counter()
    page.goto(path.as_uri())
    page.locator("#list a").first.wait_for()
    return time.perf_counter() - begun


def measure(path: Path) -> tuple[float, list[tuple[str, float]]]:
    """Seconds to open it, the median of five; and of each filter, the first time that it is set."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        opened = []
        for _ in range(5):
            page = browser.new_page()
            opened.append(open_page(page, path))
        # The last page was opened a moment ago: a search begins before anything is made ready for it.
        filters = [(f"{name} = {value!r}", page.evaluate(TIMED, [name, value])) for name, value in FILTERS]
        browser.close()
    return statistics.median(opened), filters


def main(records: int, source: Path | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        traces, run, out = Path(folder) / "traces.jsonl", Path(folder) / "run", Path(folder) / "report.html"
        if source is None:
            write_records(traces, records)
        else:
            records = repeat_records(traces, source, records)
        print(f"judge score: {score(traces, run)[0]:.1f} s for {records:,} records", flush=True)
        seconds, told = write_report(run, out)
        print(f"judge report: {seconds:.1f} s, {told['embedded']:,} of {told['records']:,} records embedded")
        opened, filters = measure(out)
        print(f"size     {told['size'] / 1e6:6.2f} MB   target {TARGETS['size MB']}")
        print(f"open     {opened:6.2f} s    target {TARGETS['open s']}")
        for name, taken in filters:
            print(f"filter   {taken:6.3f} s    target {TARGETS['filter s']}   {name}")


if __name__ == "__main__":
    given = sys.argv[1:]
    if given[:1] == ["--times"]:
        main(int(given[1]), Path(given[2]))
    else:
        main(int(given[0]) if given else RECORDS, None)
