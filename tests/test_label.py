"""`judge label` as a person runs it: in a process of its own, with an address to open and a summary at the end."""

import http.client
import json
import re
import signal
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner
from label_kit import read_rows, record, write_traces
from run_kit import finish, start_judge

from judge.cli import cli, needed
from judge.label.labels import open_labels

ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/[\w-]{43}/")


def start(traces, out, *more, rater="ann", **options):
    """The process, the page's address, and what was printed up to it."""
    process = start_judge("label", traces, "--out", out, "--rater", rater, *more, **options)
    said = ""
    while not (found := ADDRESS.search(said)):
        line = process.stderr.readline().decode()
        assert line, f"{said} {finish(process)}"
        said += line
    return process, found[0], said


def put(address, place, **label):
    target = urlsplit(address)
    connection = http.client.HTTPConnection(target.hostname, target.port, timeout=10)
    connection.request("PUT", f"{target.path}{place}", json.dumps(label))
    assert connection.getresponse().status == 200
    connection.close()


def end(process, number=signal.SIGINT):
    process.send_signal(number)
    return finish(process)


def test_a_signal_ends_it_and_the_same_command_goes_on(tmp_path):
    traces, out = write_traces(tmp_path / "traces.jsonl", record("r1")), tmp_path / "labels.jsonl"
    addresses = set()
    for unit, number in enumerate((signal.SIGINT, signal.SIGTERM, signal.SIGHUP)):
        process, address, said = start(traces, out)
        assert f"3 units of 1 records; {unit} have a label of ann." in said
        put(address, f"records/0/labels/{unit}", presence=0)
        code, rest = end(process, number)
        left = unit < 2
        assert code == (75 if left else 0)
        again = f"To go on: judge label {traces} --out {out} --rater ann\n" if left else ""
        assert rest == f"\n{unit + 1} of 3 units have a label of ann in {out}.\n{again}"
        addresses.add(address.rsplit("/", 2)[1])
    assert [row["unit_id"] for row in read_rows(out)] == ["P1", "P2", "R1"]
    assert len(addresses) == 3


def test_left_out_records_are_listed_and_end_with_3(tmp_path):
    broken = ["{broken"] * 22
    traces, out = write_traces(tmp_path / "traces.jsonl", *broken, record("r23")), tmp_path / "labels.jsonl"
    process, address, said = start(traces, out, "--quiet")
    listed = said.splitlines()
    assert len([line for line in listed if line.startswith("Left out: line ")]) == 20
    assert listed[20:] == ["Left out: 2 more; the page lists all of them.", address]  # quiet: nothing else
    for unit in range(3):
        put(address, f"records/0/labels/{unit}", presence=0)
    assert end(process) == (3, "")


def test_json_tells_all_in_one_object_and_traces_may_come_through_a_pipe(tmp_path):
    out = tmp_path / "labels.jsonl"
    process = start_judge("label", "-", "--out", out, "--rater", "ann", "--json", "--quiet", stdin=subprocess.PIPE)
    process.stdin.write(f"{json.dumps(record('r1'))}\n{{broken\n".encode())
    process.stdin.close()
    process.stdin = None
    assert process.stderr.readline().startswith(b"Left out: line 2: ")
    put(process.stderr.readline().decode().strip(), "records/0/labels/1", presence=1, correctness=0)
    code, printed = end(process)
    told = json.loads(printed)
    (skipped,) = told.pop("skipped")
    assert skipped["line"] == 2
    assert skipped["message"].startswith("line 2: ")
    assert told == {
        "schema": "judge.label/1",
        "exit_code": 75,
        "rater": "ann",
        "rubric": "pkr@1.0",
        "records": 1,
        "units": 3,
        "labelled": 1,
        "out": str(out),
    }
    assert code == 75


def test_ctrl_c_while_the_traces_are_read_writes_nothing(tmp_path):
    out = tmp_path / "labels.jsonl"
    process = start_judge("label", "-", "--out", out, "--rater", "ann", stdin=subprocess.PIPE)
    assert process.stderr.readline() == "Reading - …\n".encode()
    code, said = end(process)
    assert (code, said) == (75, "Stopped before the page was there; nothing was written.\n")
    assert not out.exists()


def test_a_changed_record_is_told_of(tmp_path):
    traces, out = write_traces(tmp_path / "traces.jsonl", record("r1")), tmp_path / "labels.jsonl"
    old = {"record_id": "r1", "model": "m", "axis": "perception", "unit_id": "P1", "rater": "ann", "presence": 0}
    out.write_text(json.dumps({**old, "record_key": "another"}) + "\n")
    process, _, said = start(traces, out)
    assert "3 units of 1 records; 0 have a label of ann." in said
    assert "1 earlier labels are of records or axes that have changed since; their units are asked anew." in said
    assert end(process)[0] == 75


def test_a_second_rater_waits_for_the_first(tmp_path):
    traces, out = write_traces(tmp_path / "traces.jsonl", record("r1")), tmp_path / "labels.jsonl"
    with open_labels(out, "ben"):
        code, said = invoke(traces, "--out", out, "--rater", "ann")
    assert code == 2
    assert "is in use by another judge label. Wait for it, or give another --out." in said


def invoke(*words):
    shown = CliRunner().invoke(cli, ["label", *map(str, words)], catch_exceptions=False)
    return shown.exit_code, shown.output


def test_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(needed, "find_spec", lambda name: None)
    traces = write_traces(tmp_path / "traces.jsonl", record())
    code, said = invoke(traces, "--out", tmp_path / "labels.jsonl", "--rater", "ann")
    assert code == 2
    assert said == (
        "judge label needs starlette and uvicorn, which are not here. pip install 'rationale-judge[serve]'\n"
    )
    assert not (tmp_path / "labels.jsonl").exists()


@pytest.mark.parametrize("rater", ["", " ", "ann ", "a\nb", "\u202eann", "x" * 101])
def test_a_rater_has_a_name(tmp_path, rater):
    traces = write_traces(tmp_path / "traces.jsonl", record())
    code, said = invoke(traces, "--out", tmp_path / "labels.jsonl", "--rater", rater)
    assert code == 2
    assert "is no name of 1 to 100 characters" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--rubric", "none-such"), "no built-in rubric is called 'none-such'"),
        (("--port", "70000"), "70000 is not in the range 0<=x<=65535"),
        (("--image-max-side", "1"), "the longer side of an image is 1 pixels"),
        (("--map", "trace"), "is not of the form FIELD=NAME"),
    ],
)
def test_wrong_usage_is_said_before_anything_is_written(tmp_path, words, message):
    traces = write_traces(tmp_path / "traces.jsonl", record())
    code, said = invoke(traces, "--out", tmp_path / "labels.jsonl", "--rater", "ann", *words)
    assert code == 2
    assert message in said
    assert not (tmp_path / "labels.jsonl").exists()


def test_nothing_to_label_is_an_error(tmp_path):
    traces = write_traces(tmp_path / "traces.jsonl", record(units={}))
    code, said = invoke(traces, "--out", tmp_path / "labels.jsonl", "--rater", "ann")
    assert code == 2
    assert "Left out: line 1, units: has no unit" in said
    assert f"{traces} holds no record that can be labelled." in said
    assert not (tmp_path / "labels.jsonl").exists()


def test_the_traces_are_never_written_over(tmp_path):
    traces = write_traces(tmp_path / "traces.jsonl", record())
    before = traces.read_bytes()
    code, said = invoke(traces, "--out", traces, "--rater", "ann")
    assert code == 2
    assert "line 1: is no label" in said
    assert traces.read_bytes() == before


def test_help_loads_neither_server_nor_reader():
    code = (
        "import sys; sys.argv = ['judge', 'label', '--help']\n"
        "from judge.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: print(*{'starlette', 'uvicorn', 'polars', 'PIL'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\n\n")
