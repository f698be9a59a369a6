"""What is shipped: the wheel holds all that is needed, and the lock says exactly what is installed."""

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
# `name==version ; marker \` and then one or more `    --hash=sha256:…`
LOCKED = re.findall(
    r"^([A-Za-z0-9._-]+)(?:\[.*?\])?==([^ ;\\]+)[^\n]*\\\n((?:    --hash=[^\n]+\n?)+)", LOCK, re.MULTILINE
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_is_the_package_with_its_page_rubrics_and_prompts(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "judge").rglob("*.py")}
    page = {f"judge/label/{name}" for name in ("page.html", "page.css", "page.js", "passage.js")}
    formats = {str(path.relative_to(ROOT)) for path in (ROOT / "judge" / "recordings").glob("*.yaml")}
    scripts = ("nodes.js", "whole.js", "filters.js", "record.js", "verdicts.js", "page.js")
    page |= {f"judge/report/{name}" for name in ("page.html", "page.css", *scripts)}
    shipped = {
        f"judge/{folder}/{path.relative_to(ROOT / folder)}"
        for folder in ("rubrics", "prompts")
        for path in files(folder)
    }
    shipped.add("judge/redteam/traces.jsonl")
    assert shipped and formats
    assert {name for name in names if ".dist-info/" not in name} == sources | page | formats | shipped | {
        "judge/py.typed"
    }
    assert any(name.endswith("licenses/LICENSE") for name in names)


def files(folder):
    return [path for path in (ROOT / folder).rglob("*") if path.is_file()]


def test_an_unpacked_wheel_works_without_the_checkout(wheel, tmp_path):
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    code = (
        f"import sys; sys.path.insert(0, {str(site)!r})\n"
        "import judge.resource\n"
        "from judge import Judge\n"
        f"assert judge.resource.__file__.startswith({str(site)!r})\n"
        "unit = {'unit_id': '1', 'claim': 'The heart is enlarged.'}\n"
        "run = Judge('lexical').score([{'trace': 'The heart is enlarged.', 'units': {'perception': [unit]}}])\n"
        "print(run.scores['trace_score'].to_list(), judge.resource.resource_path('rubrics'))\n"
    )
    # -I: neither the working directory nor the environment adds a path; the editable install stays behind `site`.
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == f"[1.0] {site / 'judge' / 'rubrics'}\n", done.stderr


def test_every_locked_requirement_has_a_hash_and_no_address():
    requirements = [line for line in LOCK.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(LOCKED) == len(requirements) > 50
    assert not re.search(r"https?:|file:|--index|--find-links|@ ", LOCK)


def test_the_lock_has_every_dependency_of_the_project():
    extras = PROJECT["optional-dependencies"]
    locked_extras = set(extras) - {"all", "vllm"}  # vLLM has an environment of its own
    wanted = PROJECT["dependencies"] + [one for name in sorted(locked_extras) for one in extras[name]]
    locked = {name.lower() for name, _, _ in LOCKED}
    assert {re.match(r"[A-Za-z0-9_-]+", requirement)[0].lower() for requirement in wanted} <= locked
    assert extras["all"] == ["rationale-judge[remote,fast,report,serve]"]


def test_trojaned_releases_are_neither_locked_nor_allowed():
    assert {name: number for name, number, _ in LOCKED}["litellm"] not in ("1.82.7", "1.82.8")
    assert any("!=1.82.7" in line and "!=1.82.8" in line for line in PROJECT["optional-dependencies"]["remote"])


def test_what_is_installed_is_what_is_locked():
    for name, locked, _ in LOCKED:
        if name in ("aiohttp", "polars", "pydantic", "litellm", "instructor", "openai", "diskcache", "tenacity"):
            assert version(name) == locked


def test_the_changelog_knows_the_version():
    assert f"## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
