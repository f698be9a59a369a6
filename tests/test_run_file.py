"""`--config judge.yaml`: what it may hold, who wins, and where it says what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import click
import polars as pl
import pytest
import yaml
from click.testing import CliRunner

from judge.cli import cli
from judge.cli.options import option, scoring_options
from judge.cli.run_file import COMMAND_LINE_ONLY
from judge.cli.score import score
from judge.testing import Server

ROOT = Path(__file__).parents[1]
RECORD = {
    "id": "r1",
    "trace": "I see a fracture in the left wrist.",
    "units": {"perception": [{"unit_id": "P1", "claim": "The fracture is in the left wrist."}]},
}
KEY = "sk-canary-4711-canary"


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith(("JUDGE_", "OPENAI_", "HOSTED_VLLM_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "files").mkdir()
    lines = [json.dumps({**RECORD, "id": f"r{n}", "trace": f"Case {n}. {RECORD['trace']}"}) for n in range(9)]
    (tmp_path / "files" / "t.jsonl").write_text("\n".join(lines))


def write(text, name="files/judge.yaml"):
    Path(name).write_text(text, encoding="utf-8")
    return name


def judge(*words):
    return CliRunner().invoke(cli, ["score", *map(str, words)], catch_exceptions=False)


def refused(text):
    """What is said against a run file, after its name; nothing is written."""
    shown = judge("--config", write(text))
    assert shown.exit_code == 2, shown.output
    assert not Path("files/out").exists()
    return shown.stderr.split("Error: files/judge.yaml:", 1)[1].strip()


@contextmanager
def listening():
    """A server that refuses everybody, and the headers that it was sent."""
    heard = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            heard.append(self.headers)
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_error(401)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1", heard
        server.shutdown()
        thread.join()


def settings_of(out="files/out"):
    return json.loads((Path(out) / "run.json").read_bytes())


def test_the_file_alone_is_enough_and_its_paths_are_from_where_it_is():
    shown = judge("--config", write("traces: t.jsonl\nout: out\nlimit: 4\nquiet: true\n"))
    assert (shown.exit_code, shown.output) == (0, "")
    assert len(pl.read_parquet("files/out/scores.parquet")) == 4


def test_the_example_file(tmp_path):
    shown = judge("--config", ROOT / "examples" / "judge.yaml", "--out", tmp_path / "run")
    assert shown.exit_code == 0
    assert "15 records read = 15 scored + 0 failed" in shown.stdout
    assert settings_of(tmp_path / "run")["settings"]["concurrency"] == 16


def test_the_command_line_wins_over_the_environment_over_the_file_over_the_default(monkeypatch):
    file = write("traces: t.jsonl\nout: out\nconcurrency: 2\ntimeout: 5\nmax-retries: 1\n")
    monkeypatch.setenv("JUDGE_CONCURRENCY", "3")
    monkeypatch.setenv("JUDGE_TIMEOUT", "6")
    assert judge("--config", file, "--concurrency", 4).exit_code == 0
    told = settings_of()["settings"]
    assert (told["concurrency"], told["timeout_s"], told["max_retries"]) == (4, 6.0, 1)
    assert judge("--out", "plain", "files/t.jsonl").exit_code == 0
    assert settings_of("plain")["settings"]["max_retries"] == 4


def test_the_environment_can_name_the_file(monkeypatch):
    monkeypatch.setenv("JUDGE_CONFIG", write("traces: t.jsonl\nout: out\n"))
    assert judge().exit_code == 0
    assert len(pl.read_parquet("files/out/scores.parquet")) == 9


def test_another_input_on_the_command_line():
    write(json.dumps(RECORD) + "\n", name="one.jsonl")
    assert judge("one.jsonl", "--config", write("traces: t.jsonl\nout: out\n")).exit_code == 0
    assert settings_of()["input"] == "one.jsonl"


def test_values_reach_the_judge_as_they_are_written():
    with Server(script="obedient") as server:
        file = write(f"""
traces: t.jsonl
out: out
cache: store
judge: hosted_vllm/m
api-base: {server.api_base}
param:
  temperature: 0.7
  seed: 3
  stop: ["10", "no"]
  user: "12"
evidence: none
min-coverage: .5
""")
        assert judge("--config", file).exit_code == 0
    identity = settings_of()["identity"]
    assert identity["params"] == {
        "max_tokens": 4096, "temperature": 0.7, "seed": 3, "stop": ["10", "no"], "user": "12",
    }  # fmt: skip
    assert (identity["evidence"], identity["min_coverage"]) == ("none", 0.5)
    assert settings_of()["settings"]["cache"] == "files/store"


def test_parameters_as_a_list_and_alone():
    for number, given in enumerate(("[temperature=0.7, user=me]", "temperature=0.7")):
        assert judge("--config", write(f"traces: t.jsonl\nout: out{number}\nparam: {given}\n")).exit_code == 0
        params = settings_of(f"files/out{number}")["identity"]["params"]
        assert params["temperature"] == 0.7
        assert params.get("user") == ("me" if number == 0 else None)


def test_a_rubric_is_a_name_or_a_file_beside():
    source = (ROOT / "rubrics" / "pkr.yaml").read_text(encoding="utf-8")
    write(source.replace("name: pkr", "name: mine"), name="files/mine.yaml")
    for number, (given, named) in enumerate([("pkr", "pkr@"), ("mine.yaml", "mine@")]):
        assert judge("--config", write(f"traces: t.jsonl\nout: out{number}\nrubric: {given}\n")).exit_code == 0
        assert settings_of(f"files/out{number}")["rubric"].startswith(named)


def test_home_and_whole_paths(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    file = write(f"traces: {tmp_path}/files/t.jsonl\nout: ~/home-out\n")
    assert judge("--config", file).exit_code == 0
    assert (tmp_path / "home-out" / "run.json").exists()


def test_standard_input_stays_standard_input():
    words = ["score", "--config", write('traces: "-"\nout: out\n')]
    command = [sys.executable, "-m", "judge", *words]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, input=json.dumps(RECORD).encode(), check=True, capture_output=True, timeout=60, env=env)
    assert settings_of()["input"] == "-"


def test_the_command_that_resumes_names_the_file(monkeypatch):
    file = write("traces: t.jsonl\nout: out\njudge: hosted_vllm/m\napi-base: http://127.0.0.1:1/v1\nmax-retries: 0\n")
    monkeypatch.setattr(sys, "argv", ["judge", "score", "--config", file, "--cache", "none"])
    shown = judge("--config", file, "--cache", "none")
    assert shown.exit_code == 75
    assert "To resume: judge score --config files/judge.yaml --cache none\n" in shown.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("judge: lexical\napi_base: x\n", "2:1: 'api_base' is no option of `cli score`; did you mean 'api-base'?"),
        ("Granularty: unit", "1:1: 'Granularty' is no option of `cli score`; did you mean 'granularity'?"),
        ("nothing-like-it: 1", "1:1: 'nothing-like-it' is no option of `cli score`; there are: out, traces, judge,"),
        ("overwrite: true", "1:1: a run file cannot hold 'overwrite': at every start it would throw away the run"),
        ("dry-run: true", "1:1: a run file cannot hold 'dry-run': it asks nobody; give it on the command line."),
        ("out: ~no-such-user-4711/x", "1:6: out: '~no-such-user-4711/x' is below no home folder: "),
        ("measure: many", "1:10: measure: 'many' is not a valid integer range."),  # of another command, and wrong
        ("config: other.yaml", "1:1: a run file cannot hold 'config': one file is all."),
        ("granularity: word", "1:14: granularity: 'word' is not one of 'trace', 'axis', 'unit'."),
        ("\nlimit: 0", "2:8: limit: 0 is not in the range x>=1."),
        ("limit: 2.5", "1:8: limit: '2.5' is not a valid integer"),
        ("timeout: soon", "1:10: timeout: 'soon' is not a valid float."),
        ("judge: no", '1:8: judge: is read as False; if it is text, write it in quotes: "no".'),
        ("quiet: 1", "1:8: quiet: is 1; it must be true or false."),
        ("quiet: 'yes'", "1:8: quiet: is 'yes'; it must be true or false."),
        ("out:", "1:5: out: has no value; give one, or leave the line out."),
        ("rubric: [a, b]", "1:9: rubric: takes one value here, and not a list or a mapping."),
        ("rubric: {a: b}", "1:9: rubric: takes one value here, and not a list or a mapping."),
        ("judge: [a, [b]]", "1:12: judge: takes one value here, and not a list or a mapping."),
        ("judge: {a: b}", "1:8: judge: names no judge; begin with `judge: NAME`."),
        ("judge: [{judge: [a]}]", "1:17: judge: takes one value here, and not a list or a mapping."),
        ("judge: [{judge: a, rubric: b}]", "1:28: judge: 'rubric' cannot be given for one judge alone; there are: "),
        ("judge: [{judge: a, rpm: x}]", "1:25: judge: 'x' is not a valid integer."),
        ("judge: [{judge: a, header: {X-Api-Key: sk}}]", "1:40: 'X-Api-Key' names a key, and a run file holds none"),
        ("judge: [{judge: a, api-base: sk-proj-0123456789abcdef}]", "1:30: the value looks like a key"),
        ("param: [{a: b}]", "1:9: param: takes one value here, and not a list or a mapping."),
        ("param: [temperature]", "1:8: param: 'temperature' is not of the form k=v, such as temperature=0.7."),
        ("traces: nope.jsonl", "1:9: traces: File 'files/nope.jsonl' does not exist."),
        ("out: t.jsonl", "1:6: out: Directory 'files/t.jsonl' is a file."),
        ("timeout: 12:30", "1:10: the number '12:30' must be a plain decimal one, or stand in quotes if it is text."),
        ("judge: a\njudge: b", "2:1: the key 'judge' stands here and on line 1."),
        ("a: &x 1\nb: *x", "2:4: aliases (*name) are not allowed."),
        ("- judge", "1:1: a run file is a mapping of options, such as `judge: lexical`."),
        ("", "1:1: a run file is a mapping of options, such as `judge: lexical`."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(text, said):
    assert refused(text).replace("judge score", "cli score").startswith(said)


def test_a_file_that_is_not_text():
    Path("files/judge.yaml").write_bytes(b"judge: \xff")
    shown = judge("--config", "files/judge.yaml")
    assert shown.exit_code == 2 and "files/judge.yaml: cannot be read: 'utf-8' codec" in shown.stderr


@pytest.mark.parametrize(
    ("text", "place", "wrong"),
    [
        (f"judge: openai/m\napi-key: {KEY}", "2:10", "'api-key' names a key"),
        ("OPENAI_API_KEY: not-like-one", "1:17", "'OPENAI_API_KEY' names a key"),
        ("param: {api_key: abc}", "1:18", "'api_key' names a key"),
        (f"judge: {KEY}", "1:8", "the value looks like a key"),
        (f"out: {KEY}", "1:6", "the value looks like a key"),
        ("param: ['user=Bearer abc/def+ghi']", "1:9", "the value looks like a key"),
        ("api-base: https://me:abcdefgh@judge.example/v1", "1:11", "the value looks like a key"),
        ("header: {X-Api-Key: abc}", "1:21", "'X-Api-Key' names a key"),
        ("header: {X-Team: Bearer abcdefgh}", "1:18", "the value looks like a key"),
        (f"header: {{X-Team: 'env:{KEY}'}}", "1:18", "the value looks like a key"),
        (f"header: [X-Api-Key={KEY}]", "1:10", "the value looks like a key"),
        (f"header: {{X-Team: 'file:{KEY}'}}", "1:18", "the value looks like a key"),
    ],
)
def test_a_key_is_refused_and_not_repeated(text, place, wrong):
    said = refused(text)
    assert said.startswith(f"{place}: {wrong}, and a run file holds none: it is shared. Put it into the environment")
    assert KEY not in said and "abc" not in said and "not-like-one" not in said


@pytest.mark.parametrize("listed", [False, True])
def test_where_a_headers_value_comes_from_is_no_key(listed, monkeypatch):
    """Paths from where the file is, as all of its paths; the value itself is in no file of the run."""
    monkeypatch.setenv("TEAM_KEY", "of-the-environment")
    monkeypatch.setenv("HOME", str(Path("files/home").absolute()))
    Path("files/home").mkdir()
    for name, value in (("files/sk-secret.txt", "of-a-file"), ("files/home/token", "of-home")):
        Path(name).write_text(value)
        Path(name).chmod(0o600)
    sources = {
        "X-Api-Key": "env:TEAM_KEY",
        "X-Secret": "file:./sk-secret.txt",
        "X-Token": "file:~/token",
        "X-Whole": f"file:{Path('files/sk-secret.txt').absolute()}",
    }
    given = [f"{name}={source}" for name, source in sources.items()] if listed else sources
    with listening() as (api_base, heard):
        told = {"traces": "t.jsonl", "out": "out", "cache": "none", "limit": 1, "header": given}
        told |= {"judge": "hosted_vllm/m", "api-base": api_base}
        shown = judge("--config", write(yaml.safe_dump(told)))
        assert "answered 401" in shown.stderr  # it was asked
    sent = {name: heard[0][name] for name in sources}
    assert sent == {
        "X-Api-Key": "of-the-environment", "X-Secret": "of-a-file", "X-Token": "of-home", "X-Whole": "of-a-file",
    }  # fmt: skip


def test_a_header_in_clear_is_refused():
    assert refused("header: {X-Team: blue}").startswith("1:9: header: a header is NAME=env:VARIABLE or NAME=file:PATH")
    assert "blue" not in refused("header: {X-Team: blue}")


def test_one_file_is_for_both_commands():
    """What the other command alone has is left out, as far as it is right."""
    text = "traces: t.jsonl\nout: out\nworkers: 2\nseed: 5\nquiet: true\nlog-level: debug\nmeasure: 1\npast: runs\n"
    Path("files/runs").mkdir()
    shown = CliRunner().invoke(cli, ["estimate", "--config", write(text)], catch_exceptions=False)
    assert shown.exit_code == 0, shown.output
    assert "records     9\n" in shown.stdout and not Path("files/out").exists()
    assert judge("--config", "files/judge.yaml").exit_code == 0
    assert len(pl.read_parquet("files/out/scores.parquet")) == 9


def test_what_no_command_knows_is_refused_with_the_nearest_name_of_any():
    shown = CliRunner().invoke(cli, ["estimate", "--config", write("traces: t.jsonl\nworker: 2\n")])
    assert shown.exit_code == 2
    assert "files/judge.yaml:2:1: 'worker' is no option of `cli estimate`; did you mean 'workers'?" in shown.stderr


def test_a_key_of_the_environment_is_refused_too(monkeypatch):
    monkeypatch.setenv("MY_LAB_TOKEN", "plain-looking-word")
    assert "looks like a key" in refused("judge: plain-looking-word")


def test_names_that_only_sound_like_keys_are_fine():
    Path("files/sk-learn-runs").mkdir()
    file = write("traces: t.jsonl\nout: sk-learn-runs/a\nparam: {max_tokens: 5}\n")
    assert judge("--config", file).exit_code == 0


def test_every_option_of_the_command_can_stand_in_the_file():
    """Written out from the command itself: one that is added is in here without being listed."""
    given = {}
    for param in score.params:
        name = max(param.opts, key=len).removeprefix("--")
        if name in COMMAND_LINE_ONLY:
            continue
        if isinstance(param.type, click.Choice):
            given[name] = param.type.choices[0]
        elif isinstance(param, click.Option) and param.is_flag:
            given[name] = True
        elif isinstance(param.default, int | float):
            given[name] = param.default
    given |= {"traces": "t.jsonl", "out": "out", "limit": 2, "cache": "none", "quiet": True}
    given |= {"probe": False, "probe-evidence": False}  # the baseline cannot be probed
    shown = judge("--config", write(yaml.safe_dump(given)))
    assert shown.exit_code == 0, shown.output
    assert {"granularity", "samples", "json", "seed"} <= set(given)


def test_another_command_has_its_own_options():
    """The names come from the command that runs."""

    @click.command()
    @scoring_options
    @option("--colour", type=click.Choice(["red", "blue"]))
    def paint(**given):
        click.echo(f"{given['colour']} {given['traces']} {given['concurrency']}")

    file = write("colour: red\ntraces: t.jsonl\nconcurrency: 7\n")
    assert CliRunner().invoke(paint, ["--config", file]).output == "red files/t.jsonl 7\n"
    shown = CliRunner().invoke(paint, ["--config", write("out: x\n")])
    assert shown.exit_code == 2 and "'out' is no option of `paint`" in shown.output
