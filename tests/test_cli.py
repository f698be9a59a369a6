"""What a user of the command line meets: help, output, exit codes, odd environments."""

import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
import tomllib
from fcntl import ioctl
from importlib.util import find_spec
from pathlib import Path

import click
import polars as pl
import pytest
from click.testing import CliRunner

from judge.backends.litellm_setup import import_litellm
from judge.calls import store
from judge.cli import cli
from judge.cli.options import cache_folder
from judge.errors import CacheError, ConfigError
from judge.run import RunReport
from judge.testing import Server

ROOT = Path(__file__).parents[1]
TRACES = str(ROOT / "examples" / "traces.jsonl")
UNITS = {"perception": [{"unit_id": "P1", "claim": "The fracture is in the left wrist."}]}
GOOD = {"id": "r1", "model": "m", "trace": "I see a fracture in the left wrist.", "units": UNITS}
JSON_KEYS = [
    *("schema", "finished", "exit_code", "judge", "rubric", "counts", "units", "spent", "cost_usd", "cautions"),
    *("differences", "notes", "summary", "calibrated", "blind_check", "out"),
]
COSTS = ("input_cost_per_token", "cache_read_input_token_cost", "output_cost_per_token")
SUMMARY_KEYS = ["model", "judge", "measure", "mean", "low", "high", "interval", "n", "n_failed"]


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith(("JUDGE_", "OPENAI_", "HOSTED_VLLM_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("JUDGE_CACHE", str(tmp_path / "store"))
    monkeypatch.setattr(sys, "argv", ["judge", "score", "given.jsonl", "--overwrite", "--out", "some where"])


@pytest.fixture
def out(tmp_path):
    return tmp_path / "run"


def judge(*words, stdin=None):
    return CliRunner().invoke(cli, [str(word) for word in words], input=stdin, catch_exceptions=False)


def process(*words, **settings):
    command = [sys.executable, "-m", "judge", *map(str, words)]
    return subprocess.run(command, capture_output=True, timeout=60, check=False, **{"cwd": ROOT, **settings})


def lines_file(path, *records):
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")
    return path


def in_terminal(*words, columns, **environment):
    """Output of both streams on a pseudo-terminal, and the exit status."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(environment, TERM="xterm-256color")
        os.unsetenv("COLUMNS")  # readline, which pytest imports, sets it where os.environ does not see it
        time.sleep(0.05)  # until the size is set
        os.execv(sys.executable, [sys.executable, "-m", "judge", *map(str, words)])
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    shown = bytearray()
    try:
        while read := os.read(terminal, 65536):
            shown += read
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(terminal)
    return shown.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


# Help


def test_help_names_every_command_and_an_example():
    shown = judge("--help")
    assert shown.exit_code == 0
    assert "judge score examples/traces.jsonl --out runs/first" in shown.output
    assert "hosted_vllm/Qwen3-32B --api-base http://127.0.0.1:8000/v1" in shown.output
    assert all(re.search(rf"^  {name} +\w", shown.output, re.MULTILINE) for name in ("score", "cache", "doctor"))


def test_help_of_score_teaches_with_an_example_and_the_exit_codes():
    shown = judge("score", "-h").output
    assert "judge score examples/traces.jsonl --out runs/first" in shown
    assert re.findall(r"^    (\d+)  +(.*)$", shown, re.MULTILINE) == [
        ("0", "all scored"),
        ("2", "wrong usage, input or configuration, found before anything was paid"),
        ("3", "finished, some records failed: failures.jsonl says why"),
        ("75", "stopped early; the same command resumes"),
    ]


def every_command(command=cli, words=()):
    """The words of all commands: `()`, `("score",)`, …, `("cache", "ls")`, …"""
    yield words
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from every_command(command.get_command(context, name), (*words, name))


@pytest.mark.parametrize("words", list(every_command()), ids=lambda words: " ".join(words) or "judge")
def test_help_fits_eighty_columns(words):
    shown = judge(*words, "--help").output
    assert max(len(line) for line in shown.splitlines()) <= 80
    assert "judge cache" in shown or words[:1] != ("cache",)


def test_version_is_the_one_in_pyproject():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert judge("--version").output.split()[-1] == version


def test_an_unknown_command_is_wrong_usage():
    shown = judge("scor")
    assert shown.exit_code == 2
    assert "scor" in shown.stderr


# A run of the examples


def test_the_first_line_says_baseline_and_how_to_name_a_judge(out):
    first = judge("score", TRACES, "--out", out).stderr.splitlines()[0]
    assert "lexical" in first and "baseline" in first
    assert "--judge hosted_vllm/MODEL --api-base URL" in first and "--judge openai/MODEL" in first


def test_the_table_has_models_axes_numbers_intervals_counts_and_files(out):
    shown = judge("score", TRACES, "--out", out)
    assert shown.exit_code == 0
    assert all(model in shown.stdout for model in ("atlas-7b", "birch-13b", "cedar-70b"))
    rows = re.findall(
        r"(perception|knowledge|rationale|trace)((?: +\d\.\d\d [01]?\.\d\d–[01]?\.\d\d){3}) +(?:\d/)?5\b", shown.stdout
    )
    assert [axis for axis, _ in rows] == ["perception", "knowledge", "rationale", "trace"] * 3
    assert "15 records read = 15 scored + 0 failed" in shown.stdout
    assert f"Written to {out}: scores.parquet, verdicts.parquet, calls.parquet, run.json\n" in shown.stdout
    for word in ("grounding", "correctness", "score"):  # the words are explained
        assert re.search(rf"^{word} +\w", shown.stdout, re.MULTILINE)


def test_the_table_says_what_the_tables_say(out):
    shown = judge("score", TRACES, "--out", out).stdout
    scores = pl.read_parquet(out / "scores.parquet").filter(model="cedar-70b")
    grounding, score = scores["trace_grounding"].mean(), scores["trace_score"].mean()
    block = shown[shown.index("cedar-70b") :]
    row = re.search(r"^ +trace +(\d\.\d\d) \S+ +\d\.\d\d \S+ +(\d\.\d\d) ", block, re.MULTILINE)
    assert row is not None
    assert row.groups() == (f"{grounding:.2f}", f"{score:.2f}")
    assert "Final answers of cedar-70b: 100% right, 100% gave one (n = 5)" in shown


def test_the_best_model_comes_first(out):
    shown = judge("score", TRACES, "--out", out).stdout
    means = [float(row) for row in re.findall(r"^ +trace .* (\d\.\d\d) \S+ +(?:\d/)?5 +0$", shown, re.MULTILINE)]
    assert len(means) == 3
    assert means == sorted(means, reverse=True)


def test_json_is_one_object_with_fixed_keys_and_nothing_else(out):
    shown = judge("score", TRACES, "--out", out, "--json")
    (line,) = shown.stdout.splitlines()
    told = json.loads(line)
    assert list(told) == JSON_KEYS
    assert told["counts"] == {"read": 15, "scored": 15, "failed": 0}
    assert told["finished"] is True and told["spent"] is None and told["out"] == str(out)
    assert all(list(row) == SUMMARY_KEYS for row in told["summary"])
    assert len(told["summary"]) == 3 * 14  # models × (3 axes × 3 + trace × 3 + 2 of answers)


def test_json_of_a_server_has_the_same_keys(out):
    with Server() as server:
        shown = judge(
            "score", TRACES, "--out", out, "--judge", "hosted_vllm/m", "--api-base", server.api_base, "--json"
        )
    told = json.loads(shown.stdout)
    assert list(told) == JSON_KEYS
    assert set(told["spent"]) == {
        *("replies", "attempts", "prompt_tokens", "completion_tokens", "cached_tokens", "cost_usd")
    }
    assert told["spent"]["replies"] == server.ledger.requests


def test_quiet_prints_nothing(out):
    shown = judge("score", TRACES, "--out", out, "--quiet")
    assert (shown.exit_code, shown.output) == (0, "")
    assert (out / "scores.parquet").exists()


def test_quiet_json_prints_json_only(out):
    shown = judge("score", TRACES, "--out", out, "--quiet", "--json")
    assert json.loads(shown.stdout)["finished"] is True
    assert shown.stderr == ""


def test_quiet_says_why_it_refuses(out):
    assert "nope" in judge("score", TRACES, "--out", out, "--quiet", "--judge", "nope").stderr


def test_standard_input(out):
    command = [sys.executable, "-m", "judge", "score", "-", "--out", str(out)]
    shown = subprocess.run(command, input=Path(TRACES).read_bytes(), capture_output=True, timeout=60, check=False)
    assert shown.returncode == 0
    assert b"15 records read = 15 scored" in shown.stdout


def test_a_signal_ends_the_wait_for_a_silent_standard_input(out):
    """The writer pauses: the record it gave is scored, and SIGTERM is heard although the next line never comes."""
    command = [sys.executable, "-m", "judge", "score", "-", "--out", str(out)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(Path(TRACES).read_bytes().splitlines(keepends=True)[0])
    process.stdin.flush()
    wait_until((out / "run.json").exists)
    time.sleep(0.5)
    process.terminate()
    stdout, stderr = process.stdout.read(), process.stderr.read()  # ends with the process; its input stays open
    assert process.wait(30) == 75
    assert b"1 records read = 1 scored + 0 failed" in stdout
    assert b"To resume: judge score -" in stderr
    assert b"Fatal" not in stderr
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()


def test_a_closed_standard_input(out):
    shown = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m judge score - --out {out} <&-"],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert shown.returncode == 2
    assert b"standard input is closed" in shown.stderr


def wait_until(holds):
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_limit(out):
    shown = judge("score", TRACES, "--out", out, "--limit", 4)
    assert shown.exit_code == 0
    assert "4 records read = 4 scored + 0 failed" in shown.stdout


def test_a_second_run_asks_nothing_again(out):
    with Server() as server:
        words = ("score", TRACES, "--out", out, "--judge", "hosted_vllm/m", "--api-base", server.api_base)
        assert judge(*words).exit_code == 0
        asked = server.ledger.requests
        shown = judge(*words, "--cache", "none")
    assert shown.exit_code == 0
    assert asked == server.ledger.requests > 0
    assert "15 records read = 15 scored" in shown.stdout


def test_models_that_are_not_named(tmp_path, out):
    record = {key: value for key, value in GOOD.items() if key != "model"}
    shown = judge("score", lines_file(tmp_path / "t.jsonl", record), "--out", out)
    assert re.search(r"^\(no model\) +perception +1.00 +1.00 +1.00 +1", shown.stdout, re.MULTILINE)  # one: no interval
    assert "knowledge" not in shown.stdout  # no record has such units


# Exit codes


def test_failed_records_are_exit_code_3_and_say_where_the_reasons_are(tmp_path, out):
    traces = lines_file(tmp_path / "t.jsonl", GOOD, {"id": "r2", "units": UNITS})
    for words in ((), ("--json",)):
        shown = judge("score", traces, "--out", out, *words)
        assert shown.exit_code == 3
        assert f"1 failed; {out}/failures.jsonl says why. The first: line 2, trace: is missing" in shown.stderr
    assert judge("score", traces, "--out", out, "--quiet").output == ""
    assert "2 records read = 1 scored + 1 failed" in judge("score", traces, "--out", out).stdout


def test_a_record_of_no_weight_fails_and_says_why(tmp_path, out):
    rubric = tmp_path / "r.yaml"
    axes = {"perception": {"kind": "checklist", "description": "d", "importance": {"default": 0}}}
    rubric.write_text(json.dumps({"name": "r", "version": "1", "description": "d", "axes": axes}))
    shown = judge("score", lines_file(tmp_path / "t.jsonl", GOOD), "--out", out, "--rubric", rubric)
    assert shown.exit_code == 3
    assert "all units weigh 0" in shown.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--judge", "nope"),
            "there are: lexical, hosted_vllm/MODEL, openai/MODEL, vllm/MODEL, and PROVIDER/MODEL of litellm.",
        ),
        (("--judge", "hosted_vllm/"), "no judge is called 'hosted_vllm/'"),
        (("--judge", "hosted_vllm/m"), "needs the address of its server. Add --api-base"),
        (("--judge", "hosted_vllm/m", "--api-base", "127.0.0.1:8000"), "is not an address like http://"),
        (("--judge", "openai/m"), "needs a key. Set OPENAI_API_KEY"),
        (
            ("--rubric", "nope"),
            "no built-in rubric is called 'nope'; there are: faithfulness, healthbench, pkr,",
        ),
        (("--rubric", "./nope.yaml"), "nope.yaml: cannot be read"),
        (("--param", "temperature"), "'temperature' is not of the form k=v, such as temperature=0.7"),
        (("--param", "=1"), "is not of the form k=v"),
        (("--param", "model=x"), "the parameter 'model' is set by judge"),
        (("--param", "stream=true"), "the parameter 'stream' is set by judge"),
        (("--samples", "0"), "samples is 0; it must be at least 1"),
        (("--samples", "many"), "'many' is not a valid integer"),
        (("--min-coverage", "1.01"), "min_coverage is 1.01; it must be between 0 and 1"),
        (("--min-coverage", "-0.1"), "min_coverage is -0.1"),
        (("--min-coverage", "nan"), "min_coverage is nan"),
        (("--concurrency", "0"), "concurrency is 0; it must be between 1 and 10,000"),
        (("--concurrency", "10001"), "concurrency is 10001"),
        (("--timeout", "0"), "timeout is 0.0; it must be a number of seconds above 0"),
        (("--timeout", "inf"), "timeout is inf"),
        (("--timeout", "nan"), "timeout is nan"),
        (("--max-retries", "-1"), "max_retries is -1; it must be 0 or more"),
        (("--seed", "-1"), "-1 is not in the range"),
        (("--seed", "99999999999999999999"), "is not in the range"),
        (("--limit", "0"), "0 is not in the range"),
        (("--granularity", "word"), "'word' is not one of 'trace', 'axis', 'unit'"),
        (("--evidence", "maybe"), "'maybe' is not one of"),
        (("--nope",), "No such option"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_writes_nothing(out, words, said):
    shown = judge("score", TRACES, "--out", out, *words)
    assert shown.exit_code == 2
    assert said in shown.stderr
    assert shown.stdout == ""
    assert not out.exists()


def test_no_such_input(out):
    shown = judge("score", "no/such.jsonl", "--out", out)
    assert shown.exit_code == 2
    assert "no/such.jsonl" in shown.stderr


def test_no_out():
    shown = judge("score", TRACES)
    assert shown.exit_code == 2
    assert "--out" in shown.stderr


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    shown = judge("score", TRACES, "--out", tmp_path / "file" / "run")
    assert shown.exit_code == 2
    assert "Give a folder that can be written to." in shown.stderr


@pytest.mark.parametrize("name", ["-", "empty.jsonl"])
def test_no_records(tmp_path, out, name):
    (tmp_path / "empty.jsonl").write_text("\n\n")
    shown = judge("score", name if name == "-" else tmp_path / name, "--out", out, stdin="")
    assert shown.exit_code == 2
    assert f"{'standard input' if name == '-' else tmp_path / name} holds no records." in shown.stderr


def test_another_judge_on_the_same_folder_is_refused(out):
    judge("score", TRACES, "--out", out)
    with Server() as server:
        words = ("score", TRACES, "--out", out, "--judge", "hosted_vllm/m", "--api-base", server.api_base)
        shown = judge(*words)
        assert shown.exit_code == 2
        assert "holds a run of another judge or rubric: judge was 'lexical' and is 'hosted_vllm/m'" in shown.stderr
        assert judge(*words, "--overwrite").exit_code == 0


REMOTE = pytest.mark.skipif(
    not all(map(find_spec, ("litellm", "instructor"))), reason="needs pip install 'rationale-judge[remote]'"
)


@REMOTE
@pytest.mark.parametrize("model", ["deepseek/deepseek-chat", "deepseek/one-that-has-no-price"])
def test_another_provider_gives_the_same_scores_and_its_price(tmp_path, out, monkeypatch, model):
    monkeypatch.setenv("DEEPSEEK_API_KEY", "sk-canary-4711")
    for name, folder in ((model, out), ("hosted_vllm/m", tmp_path / "other")):
        with Server(script="obedient") as server:
            words = ("--judge", name, "--api-base", server.api_base, "--limit", 3, "--json")
            shown = judge("score", TRACES, "--out", folder, *words)
        assert shown.exit_code == 0, shown.output
        assert server.ledger.requests == 6
    ours, theirs = (pl.read_parquet(folder / "scores.parquet") for folder in (out, tmp_path / "other"))
    assert ours.drop("judge").equals(theirs.drop("judge"))
    calls = pl.read_parquet(out / "calls.parquet")
    price = import_litellm().model_cost.get(model)
    if price is None:
        assert calls["cost_usd"].to_list() == [None] * 6
    else:
        fresh, cached, said = (price[kind] for kind in COSTS)
        expected = (calls["prompt_tokens"] - calls["cached_tokens"]) * fresh + calls["cached_tokens"] * cached
        assert (calls["cost_usd"] - expected - calls["completion_tokens"] * said).abs().max() < 1e-12
    for path in out.rglob("*"):
        assert path.is_dir() or b"canary-4711" not in path.read_bytes()


@REMOTE
@pytest.mark.filterwarnings("ignore::UserWarning")  # litellm's own, of pydantic models of its own
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nonsense/m", "litellm knows no provider for 'nonsense/m'."),
        ("anthropic/claude-x", "ANTHROPIC_API_KEY"),
        ("openai_like/m", "litellm offers no chat completions there."),
    ],
)
def test_a_provider_that_cannot_be_asked_is_2_and_nothing_is_sent(out, monkeypatch, name, said):
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    with Server() as server:
        shown = judge("score", TRACES, "--out", out, "--judge", name, "--api-base", server.api_base)
    assert shown.exit_code == 2
    assert said in shown.stderr
    assert server.ledger.requests == 0


def test_a_provider_without_the_extra_says_how_to_get_it(out, monkeypatch):
    monkeypatch.setitem(sys.modules, "litellm", None)
    shown = judge("score", TRACES, "--out", out, "--judge", "anthropic/claude-x")
    assert shown.exit_code == 2
    assert "pip install 'rationale-judge[remote]'" in shown.stderr
    assert not out.exists()


def test_a_wrong_key_is_found_with_one_call(out, monkeypatch):
    monkeypatch.setenv("HOSTED_VLLM_API_KEY", "sk-wrong-secret")
    with Server(api_key="right") as server:
        shown = judge("score", TRACES, "--out", out, "--judge", "hosted_vllm/m", "--api-base", server.api_base)
    assert shown.exit_code == 2
    assert "401" in shown.stderr and "Is the right API key in the environment, or in --key-file?" in shown.stderr
    assert "sk-wrong-secret" not in shown.output
    assert server.ledger.requests == 1


def test_a_model_that_is_not_served(out):
    with Server(model="other") as server:
        shown = judge("score", TRACES, "--out", out, "--judge", "hosted_vllm/m", "--api-base", server.api_base)
    assert shown.exit_code == 2
    assert "Does the server serve 'm'?" in shown.stderr


def test_a_server_that_is_down_is_75_with_the_command_that_resumes(out):
    words = ("--judge", "hosted_vllm/m", "--api-base", "http://127.0.0.1:1/v1", "--max-retries", 0)
    shown = judge("score", TRACES, "--out", out, *words)
    assert shown.exit_code == 75
    assert "the provider is down" in shown.stderr
    # What is done would be thrown away by the flag --overwrite of the first command.
    assert shown.stderr.rstrip().endswith("To resume: judge score given.jsonl --out 'some where'")


def test_a_store_that_cannot_be_used_is_wrong_configuration(tmp_path, out):
    (tmp_path / "file").write_text("")
    with Server() as server:
        words = ("--judge", "hosted_vllm/m", "--api-base", server.api_base, "--cache", tmp_path / "file" / "store")
        shown = judge("score", TRACES, "--out", out, *words)
    assert shown.exit_code == 2
    assert "Give another --cache DIR, or --cache none." in shown.stderr


def stopped_by(error, monkeypatch, out):
    async def score_file(*args, progress, **settings):
        progress.calls += 1
        raise error

    monkeypatch.setattr("judge.cli.scoring.score_file", score_file)
    return judge("score", TRACES, "--out", out)


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), CacheError("the journal is gone."), OSError(28, "No space left")]
)
def test_what_stops_a_run_that_has_begun_is_75(monkeypatch, out, error):
    shown = stopped_by(error, monkeypatch, out)
    assert shown.exit_code == 75
    assert "Stopped early; what is done is kept. To resume: judge score" in shown.stderr


def test_a_fault_of_ours_is_not_hidden(monkeypatch, out):
    with pytest.raises(PermissionError):
        stopped_by(PermissionError(13, "no"), monkeypatch, out)


def interrupted(out, server, *signals, **settings):
    words = ["score", TRACES, "--out", str(out), "--judge", "hosted_vllm/m", "--api-base", server.api_base]
    command = [sys.executable, "-m", "judge", *words, "--concurrency", "2", "--cache", "none"]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **settings)
    until(lambda: server.ledger.requests >= 3, 20)
    for number in signals:
        child.send_signal(number)
        time.sleep(0.3)
    return child, *child.communicate(timeout=30)


def until(holds, limit_s):
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_an_interrupt_ends_in_order_and_the_command_it_names_resumes(out):
    with Server(latency_ms=300) as server:
        child, shown, told = interrupted(out, server, signal.SIGINT)
        assert child.returncode == 75
        assert "Stopping: finishing the calls under way." in told
        assert "Traceback" not in told
        read, scored = re.search(r"(\d+) records read = (\d+) scored \+ 0 failed", shown).groups()
        assert 0 < int(read) == int(scored) < 15
        server.latency_ms = 0
        words = told.rpartition("To resume: judge ")[2].split()
        resumed = process(*words)
    assert resumed.returncode == 0
    assert b"15 records read = 15 scored" in resumed.stdout


def test_a_second_signal_ends_at_once(out):
    with Server(latency_ms=20_000) as server:
        server.latency_ms = 0.0
        words = (
            "score",
            TRACES,
            "--out",
            out,
            "--judge",
            "hosted_vllm/m",
            "--api-base",
            server.api_base,
            "--limit",
            "1",
        )
        assert judge(*words).exit_code == 0
        server.latency_ms = 20_000
        begun = time.monotonic()
        asked = server.ledger.requests
        command = [sys.executable, "-m", "judge", *map(str, words[:-2]), "--cache", "none"]
        child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        until(lambda: server.ledger.requests > asked or time.monotonic() > begun + 3, 10)
        for _ in range(2):
            child.send_signal(signal.SIGTERM)
            time.sleep(0.3)
        _, told = child.communicate(timeout=10)
    assert child.returncode == 75
    assert "Traceback" not in told
    assert time.monotonic() - begun < 12


def test_an_ignored_hangup_stays_ignored(out):
    with Server(latency_ms=100) as server:
        ignore = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731 - as nohup does
        child, _, told = interrupted(out, server, signal.SIGHUP, preexec_fn=ignore)
    assert child.returncode == 0
    assert "Stopping" not in told


# The environment


def test_environment_variables_set_options(monkeypatch, out):
    monkeypatch.setenv("JUDGE_OUT", str(out))
    monkeypatch.setenv("JUDGE_LIMIT", "2")
    monkeypatch.setenv("JUDGE_JSON", "1")
    monkeypatch.setenv("JUDGE_PARAM", "temperature=0.5 top_p=0.9")
    assert json.loads(judge("score", TRACES).stdout)["counts"]["read"] == 2
    assert json.loads((out / "run.json").read_text())["identity"]["params"]["top_p"] == 0.9
    assert json.loads(judge("score", TRACES, "--limit", 3).stdout)["counts"]["read"] == 3  # the command line wins


@pytest.mark.parametrize("name", ["JUDGE_JUDGE", "JUDGE_RUBRIC", "JUDGE_CONCURRENCY", "JUDGE_MAX_RETRIES"])
def test_a_wrong_environment_variable_is_wrong_usage(monkeypatch, out, name):
    monkeypatch.setenv(name, "-7")
    assert judge("score", TRACES, "--out", out).exit_code == 2


def test_samples_at_temperature_0_are_pointed_out(out):
    assert "--param temperature=0.7" in judge("score", TRACES, "--out", out, "--samples", 2).stderr


def test_parameters_are_json_where_they_can_be():
    (option,) = [option for option in cli.get_command(None, "score").params if option.name == "params"]
    convert = lambda text: option.type.convert(text, None, None)  # noqa: E731
    assert convert("temperature=0.7") == ("temperature", 0.7)
    assert convert('stop=["a=b"]') == ("stop", ["a=b"])
    assert convert("reasoning_effort=low") == ("reasoning_effort", "low")
    assert convert("user=") == ("user", "")


def test_the_store(monkeypatch, tmp_path):
    assert cache_folder("none") is None
    assert cache_folder("~/x") == Path.home() / "x"
    assert cache_folder(None) == tmp_path / "store"

    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("JUDGE_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(store.Path, "home", homeless)
    with pytest.raises(ConfigError, match="Give another --cache DIR, or --cache none"):
        cache_folder(None)


def test_the_baseline_needs_no_home(monkeypatch, out):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("JUDGE_CACHE")
    monkeypatch.setattr(store.Path, "home", homeless)
    assert judge("score", TRACES, "--out", out).exit_code == 0


@pytest.mark.parametrize("encoding", [None, "ascii", "latin-1"])
def test_a_bare_environment_in_an_odd_folder(tmp_path, encoding):
    folder = tmp_path / "a folder with ünïcode ✓"
    folder.mkdir()
    lines_file(folder / "traces of m.jsonl", {**GOOD, "model": "naïve ✓"})
    environment = {"LANG": "C", "PATH": os.environ["PATH"]} | ({"PYTHONIOENCODING": encoding} if encoding else {})
    done = process("score", "traces of m.jsonl", "--out", "the run ✓", cwd=folder, env=environment)
    assert done.returncode == 0, done.stderr
    assert b"1 records read = 1 scored + 0 failed" in done.stdout
    assert (folder / "the run ✓" / "scores.parquet").exists()
    if encoding is None:
        assert "naïve ✓" in done.stdout.decode()


@pytest.mark.parametrize("words", [(), ("--json",)])
@pytest.mark.parametrize("both", [False, True])
def test_a_closed_pipe_gives_no_traceback_and_the_run_goes_on(out, words, both):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "judge", "score", TRACES, "--out", str(out), *words]
    to = {"stdout": writer, "stderr": writer if both else subprocess.PIPE}
    child = subprocess.Popen(command, cwd=ROOT, text=True, **to)
    os.close(writer)
    _, told = child.communicate(timeout=60)
    assert child.returncode == 0
    assert both or ("Traceback" not in told and "BrokenPipe" not in told)
    assert pl.read_parquet(out / "scores.parquet").height == 15


def test_head(out):
    command = f"'{sys.executable}' -m judge score '{TRACES}' --out '{out}' | head -2"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert len(done.stdout.splitlines()) == 2
    assert len(done.stderr.splitlines()) == 1  # the baseline's notice


def test_closed_streams(out):
    command = f"'{sys.executable}' -m judge score '{TRACES}' --out '{out}' --json >&- 2>&-"
    assert subprocess.run(["bash", "-c", command], cwd=ROOT, timeout=60, check=False).returncode == 0


# What is shown of text from outside


HARMFUL = ["\x1b[2J\x1b[31mred", "[red]m[/red]", "[/nope]", "a\u202eb", "a\rb\nc", "\u2028", "a" * 200]


@pytest.mark.parametrize("name", HARMFUL)
def test_a_harmful_model_name_is_shown_harmless(tmp_path, out, name):
    record = {**GOOD, "model": name, "reference": {"answer": "A"}}
    shown = judge("score", lines_file(tmp_path / "t.jsonl", record), "--out", out)
    assert shown.exit_code == 0
    assert not set("\x1b\u202e\r\u2028") & set(shown.stdout)
    kept = re.sub("[\x1b\u202e\r\n\u2028]", "\ufffd", name)
    assert f"Final answers of {kept}: 0% right" in shown.stdout
    assert re.search(rf"^{re.escape(kept[:5])}.* perception ", shown.stdout, re.MULTILINE)
    told = json.loads(judge("score", tmp_path / "t.jsonl", "--out", out, "--json").stdout)
    assert told["summary"][0]["model"] == name


def test_a_servers_words_are_shown_harmless(out):
    with Server(model="only\x1b[31m[red]") as server:
        words = ("--judge", "hosted_vllm/m\x1b[2J[bold]", "--api-base", server.api_base)
        shown = judge("score", TRACES, "--out", out, *words)
    assert shown.exit_code == 2
    assert "\x1b" not in shown.output
    assert "[bold]" in shown.stderr


@pytest.mark.parametrize("columns", [80, 120])
def test_a_terminal_shows_progress_and_a_table_that_fits(out, columns):
    with Server(latency_ms=150) as server:
        words = ("--judge", "hosted_vllm/m", "--api-base", server.api_base, "--concurrency", 8)
        shown, status = in_terminal("score", TRACES, "--out", out, *words, columns=columns)
    assert status == 0
    progress, _, rest = shown.partition("means with")
    assert re.search(r"\d+/15.* records, 0 failed, \d+ calls/s", progress)
    assert "left" in progress
    assert "\x1b[1m" in rest  # bold
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", rest).splitlines()
    table = lines[: next(number for number, line in enumerate(lines) if line.startswith("grounding "))]
    assert max(map(len, table)) <= columns
    assert ("●" in rest) == (columns == 120)  # pictures, where a line has room for them
    assert sum("perception" in line for line in table) == 3


def test_a_long_name_folds_beside_its_axes(tmp_path, out):
    units = {**GOOD["units"], "knowledge": [{"unit_id": "K1", "claim": "Bones break."}]}
    record = {**GOOD, "model": "Qwen/Qwen2.5-VL-72B-Instruct-AWQ", "units": units}
    records = (record, {**record, "trace": "A fracture.", "id": "r2"})
    shown, _ = in_terminal("score", lines_file(tmp_path / "t.jsonl", *records), "--out", out, columns=80, NO_COLOR="1")
    lines = shown.splitlines()
    first = next(number for number, line in enumerate(lines) if "Qwen/" in line)
    assert "perception" in lines[first] and "knowledge" in lines[first + 1]
    assert max(len(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line)) for line in lines[first - 1 : first + 2]) <= 80


def test_no_color(out):
    shown, _ = in_terminal("score", TRACES, "--out", out, columns=80, NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*(3[0-7]|38;5;\d+)m", shown)


def test_no_terminal_no_control_sequences(out):
    done = process("score", TRACES, "--out", out)
    assert b"\x1b" not in done.stdout + done.stderr


def test_a_run_without_records_that_was_stopped_is_no_empty_input(out, monkeypatch):
    async def nothing(*args, **settings):
        counts = dict.fromkeys(("read", "scored", "failed", "units_asked", "units_judged"), 0)
        return RunReport(finished=False, spent={}, notes=(), **counts)

    judge("score", TRACES, "--out", out)
    monkeypatch.setattr("judge.cli.scoring.score_file", nothing)
    assert judge("score", TRACES, "--out", out).exit_code == 75


def test_notes_are_shown(out):
    with Server(reject_response_format=True) as server:
        words = ("--judge", "hosted_vllm/m", "--api-base", server.api_base)
        shown = judge("score", TRACES, "--out", out, *words)
    assert f"Note: {server.api_base} refused response_format json_schema" in shown.stdout
    assert re.search(
        r"\d+ calls paid for \([\d,]+ \+ [\d,]+ tokens, price unknown; --price IN,OUT gives one\), "
        r"0 answered without a new one",
        shown.stdout,
    )
