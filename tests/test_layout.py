"""The layout is a promise: files are the flow, folders are the edges, and starting up costs next to nothing."""

import ast
import doctest
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import judge

PACKAGE = Path(judge.__file__).parent
FOLDERS = re.findall(r"^    (\w+)/", judge.__doc__, re.MULTILINE)
EDGES = re.findall(r"^    (\w+)/ +\S", judge.__doc__, re.MULTILINE)


def drawn():
    """The modules of the flow, top to bottom: `record`, `traces.source`, ..."""
    folder = ""
    for line in judge.__doc__.splitlines():
        if found := re.match(r"    (\w+)/$", line):
            folder = found[1]
        elif found := re.match(r"(    |      )(\w+)\.py +\S", line):
            yield found[2] if found[1] == "    " else f"{folder}.{found[2]}"


MAP = list(drawn())
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in PACKAGE.rglob("*.py")
    if not path.stem.startswith("__") and path.relative_to(PACKAGE).parts[0] not in EDGES
}
SOURCES = sorted(PACKAGE.rglob("*.py"))

# A format has one home; JSON and tables are spoken everywhere.
FORMATS = {
    "orjson": None,
    "msgspec": None,
    "polars": None,
    "yaml": "strict_yaml",
    "jinja2": "template",
    "PIL": "image",
    "uvloop": "loop",
}
EVERYWHERE = {"pydantic", "judge", *sys.stdlib_module_names}
# The modules that know implementations by name. They may import them, inside functions only: a run loads no more
# than it uses.
CONNECTED = {
    "connect": ("judge.backends", "judge.calls"),
    "usable": ("judge.backends",),
    "paid": ("judge.calls",),
}


def imports(path):
    """Every module that a file imports, also inside functions, and whether it does so when it is imported."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {
        id(node)
        for parent in ast.walk(tree)
        if isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(parent)
    }
    typing = {
        id(node)
        for parent in ast.walk(tree)
        if isinstance(parent, ast.If) and "TYPE_CHECKING" in ast.unparse(parent.test)
        for node in ast.walk(parent)
    }
    for node in ast.walk(tree):
        at_once = id(node) not in inside | typing
        if isinstance(node, ast.Import):
            yield from ((alias.name, at_once) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            # `from judge import loop` names a module; so does `from judge.calls import cached`.
            yield from ((_module(node.module, alias.name), at_once) for alias in node.names)


def _module(package, name):
    parts = [*package.split(".")[1:], name]
    inside = PACKAGE.joinpath(*parts)
    is_module = package.split(".")[0] == "judge" and (inside.with_suffix(".py").exists() or inside.is_dir())
    return f"{package}.{name}" if is_module else package


def test_the_map_lists_the_files_that_are_there():
    assert sorted(MAP) == sorted(MODULES)
    assert len(MAP) == len(set(MAP))


def test_the_map_lists_the_folders_that_are_there():
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert sorted(FOLDERS) == sorted(folders)


@pytest.mark.parametrize("name", MAP)
def test_a_flow_module_imports_only_what_is_above_it(name):
    above = {f"judge.{other}" for other in MAP[: MAP.index(name)]}
    for imported, at_once in imports(MODULES[name]):
        if imported.split(".")[0] != "judge" or imported in above:
            continue
        assert imported.startswith(CONNECTED.get(name, ())), f"{name} imports {imported}"
        assert not at_once, f"{name} loads {imported} before it is used"


@pytest.mark.parametrize("name", MAP)
def test_a_flow_module_knows_no_vendor(name):
    for imported, _ in imports(MODULES[name]):
        root = imported.split(".")[0]
        allowed = root in EVERYWHERE or FORMATS.get(root, "") in (None, name) or name.split(".")[0] in homes(root)
        assert allowed, f"{name} imports {imported}"


VENDORS = {
    "litellm": "backends",
    "vllm": "backends",
    "instructor": "backends",
    "tenacity": "calls",
    "diskcache": "calls",
    "snowballstemmer": "backends",
    "zstandard": "traces",
    "fastapi": "serve",
    "starlette": ("label", "serve", "web"),
    "uvicorn": ("serve", "web"),
    "prometheus_client": "serve",
    "numpy": "statistics",
    "matplotlib": "report",
    "click": "cli",
    "rich": "cli",
    "trl": None,
    "verl": None,
}


def homes(vendor):
    """The folders that may import it."""
    home = VENDORS.get(vendor)
    return home if isinstance(home, tuple) else (home,)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_vendor_stays_in_its_folder(path):
    folder = path.relative_to(PACKAGE).parts[0]
    for imported, _ in imports(path):
        root = imported.split(".")[0]
        assert root not in VENDORS or folder in homes(root), f"{path} imports {imported}"
        assert root != "aiohttp" or folder in ("backends", "cli", "testing"), f"{path} imports aiohttp"


@pytest.mark.parametrize("path", [path for path in SOURCES if "testing" in path.parts], ids=lambda path: path.name)
def test_the_scripted_judge_is_a_peer_of_what_it_tests(path):
    assert all(name.startswith("judge.testing") for name, _ in imports(path) if name.split(".")[0] == "judge")


def test_nothing_is_named_for_being_left_over():
    names = {path.stem for path in SOURCES} | {path.parent.name for path in SOURCES}
    assert not names & {"utils", "util", "common", "helpers", "helper", "base", "misc", "core", "manager"}


def test_public_names_are_there():
    assert {"Judge", "Rubric"} <= set(judge.__all__)
    for name in judge.__all__:
        assert getattr(judge, name).__doc__
        assert name in dir(judge)
    with pytest.raises(AttributeError, match="module 'judge' has no attribute 'Nope'"):
        _ = judge.Nope


def module_name(path):
    return ".".join(["judge", *path.relative_to(PACKAGE).with_suffix("").parts])


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_what_a_module_offers_is_there(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    defined = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    if "__all__" in defined and path.stem not in ("__init__", "__main__"):
        module = import_module(module_name(path))
        assert [name for name in module.__all__ if not hasattr(module, name)] == []


WITH_EXAMPLES = [path for path in SOURCES if ">>> " in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_examples_in_docstrings_run(path):
    result = doctest.testmod(import_module(module_name(path).removesuffix(".__init__")))
    assert result.attempted > 0
    assert result.failed == 0


def test_the_door_has_an_example():
    assert PACKAGE / "client.py" in WITH_EXAMPLES


def loaded(code):
    """Top-level modules that a fresh interpreter has loaded after this code."""
    code += "\nimport sys; print('\\n'.join(sys.modules), file=sys.__stderr__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    return set(done.stderr.split())


HEAVY = {
    "polars",
    "pydantic",
    "aiohttp",
    "httptools",
    "orjson",
    "yaml",
    "jinja2",
    "rich",
    "diskcache",
    "tenacity",
    "asyncio",
    "numpy",
    "matplotlib",
}


def command(*words):
    return f"""
import sys
sys.argv = ["judge", *{words!r}]
from judge.__main__ import main
try:
    main()
except SystemExit as exc:
    assert not exc.code, exc.code
"""


RUBRIC_COMMANDS = ("new", "import", "show", "lint", "preview", "draft", "test", "diff", "export")


@pytest.mark.parametrize(
    "code",
    [
        "import judge",
        "import judge, judge.cli; dir(judge)",
        command("--help"),
        command("--version"),
        command("score", "--help"),
        command("compare", "--help"),
        command("doctor", "--help"),
        command("agree", "--help"),
        command("label", "--help"),
        command("replay", "--help"),
        command("serve", "--help"),
        command("redteam", "--help"),
        command("noise", "--help"),
        command("report", "--help"),
        command("cache", "--help"),
        command("cache", "prune", "--help"),
        command("rubric", "--help"),
        *(command("rubric", name, "--help") for name in RUBRIC_COMMANDS),
    ],
    ids=[
        *(
            "import",
            "dir",
            "help",
            "version",
            "score help",
            "compare help",
            "doctor help",
            "agree help",
            "label help",
            "replay help",
            "serve help",
            "redteam help",
            "noise help",
            "report help",
            "cache help",
            "prune help",
            "rubric help",
        ),
        *(f"rubric {name} help" for name in RUBRIC_COMMANDS),
    ],
)
def test_starting_up_loads_nothing_heavy(code):
    names = loaded(code)
    assert "judge" in names
    assert not names & HEAVY


def test_the_baseline_loads_no_client_of_a_server():
    code = "from judge import Judge; Judge('lexical').score([])"
    assert not loaded(code) & {"aiohttp", "diskcache", "tenacity", "litellm", "judge.backends.openai_compatible"}


# An audit hook sees every connection and every process of the interpreter, also those of libraries.
WATCHED = """
import os, sys
def watch(event, arguments):
    if event in ("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn"):
        os.write(3, f"{event} {arguments}\\n".encode())
    elif event in ("socket.connect", "socket.sendto", "socket.bind"):
        address = arguments[1]
        if not (isinstance(address, tuple) and address[0] in ("127.0.0.1", "::1")):
            os.write(3, f"{event} {address}\\n".encode())
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        os.write(3, f"{event} {arguments}\\n".encode())
sys.addaudithook(watch)
"""


def watched(code, tmp_path):
    """What of this code would be seen from outside."""
    log = tmp_path / "seen.log"
    script = tmp_path / "script.py"
    script.write_text(WATCHED + code)
    arguments = ["bash", "-c", f"'{sys.executable}' '{script}' 3>'{log}'"]
    subprocess.run(arguments, cwd=PACKAGE.parent, capture_output=True, text=True, timeout=60, check=True)
    return log.read_text()


@pytest.mark.parametrize("code", ["import judge", command("--help")], ids=["import", "help"])
def test_starting_up_connects_to_nothing_and_starts_nothing(code, tmp_path):
    assert watched(code, tmp_path) == ""


def test_a_run_of_the_baseline_connects_to_nothing_and_starts_nothing(tmp_path):
    run = command("score", "examples/traces.jsonl", "--out", str(tmp_path / "run"))
    assert watched(run, tmp_path) == ""
    assert (tmp_path / "run" / "scores.parquet").exists()


def test_the_watch_would_see_it(tmp_path):
    code = """
import socket, subprocess
subprocess.run(["true"])
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s: s.connect(("192.0.2.1", 9))
"""
    seen = watched(code, tmp_path)
    assert "subprocess.Popen" in seen and "192.0.2.1" in seen
