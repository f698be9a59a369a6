"""The catalogue of bad input (IN-01 to IN-26): a bad line is one clear failure, and costs no line around it.

Bad lines stand between good ones in one file, so that a whole group of faults is one run.
"""

import asyncio
import gzip
import json
import math
import os
import re
import subprocess
import sys
import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from run_kit import traces_of

from judge.axis import Checklist
from judge.errors import InputError, RecordError
from judge.record import Record, parse_record
from judge.rubric import Rubric, load_rubric
from judge.run import Progress, RunReport, score_file
from judge.settings import Settings

LEXICAL = Settings(judge="lexical", rubric=load_rubric("pkr"))
CLAIM = "The left lung is clear."


def _record(name: str = "bad", **fields: object) -> dict:
    units = {"perception": [{"unit_id": "P1", "claim": CLAIM}]}
    return {"id": name, "question": "Which side?", "units": units, "trace": "The left lung is clear.", **fields}


def _line(name: str = "bad", **fields: object) -> bytes:
    return json.dumps(_record(name, **fields), ensure_ascii=False).encode()


def _units(*units: dict) -> bytes:
    return _line(units={"perception": [*units]})


def _renamed(field: str, name: str | None) -> bytes:
    record = _record()
    value = record.pop(field)
    return json.dumps(record if name is None else {**record, name: value}).encode()


def _nested(depth: int) -> object:
    return json.loads("[" * depth + "]" * depth)


GOOD = _line("good")
ONE = {"unit_id": "a", "claim": "x"}


@dataclass(frozen=True)
class Bad:
    """One bad line: what kind of failure it must be, and words that its message must hold."""

    name: str
    line: bytes
    error: str
    says: str = ""
    stage: str = "read"
    record_id: str | None = None


@dataclass(frozen=True)
class Scored:
    """What a run left."""

    report: RunReport
    progress: Progress
    scores: pl.DataFrame
    verdicts: pl.DataFrame
    failures: list[dict]


def _score(source: bytes, out: Path, settings: Settings = LEXICAL) -> Scored:
    progress = Progress()
    report = asyncio.run(score_file(traces_of(source, out), out, settings, progress=progress))
    assert report.finished
    assert report.read == report.scored + report.failed
    failures = [json.loads(line) for line in (out / "failures.jsonl").read_bytes().splitlines()]
    scores, verdicts = (pl.read_parquet(out / f"{name}.parquet") for name in ("scores", "verdicts"))
    return Scored(report, progress, scores, verdicts, failures)


def _check(cases: list[Bad], out: Path, settings: Settings = LEXICAL) -> Scored:
    """Good, bad, good, bad, …, good: lines 1, 3, 5 … are good."""
    source = b"\n".join([line for case in cases for line in (GOOD, case.line)] + [GOOD])
    run = _score(source, out, settings)
    assert (run.report.read, run.report.failed) == (2 * len(cases) + 1, len(cases))
    kept = run.scores.filter(pl.col("failure").is_null())
    assert kept["line"].to_list() == list(range(1, 2 * len(cases) + 2, 2))
    assert kept["trace_score"].unique().len() == 1
    wrong = [
        (case.name, failure)
        for number, case, failure in zip(range(2, 9**9, 2), cases, run.failures, strict=False)
        if not _fits(case, number, failure)
    ]
    assert wrong == []
    assert len(run.failures) == len(cases)
    return run


def _fits(case: Bad, number: int, failure: dict) -> bool:
    text = re.search(case.says, failure["message"])
    found = (failure["line"], failure["stage"], failure["error"], failure["record_id"])
    clear = failure["message"].startswith(f"line {number}") and len(failure["message"]) < 400
    held = failure.get("raw") == case.line.strip(b" \t\r\n").decode(errors="backslashreplace") or case.stage == "record"
    return found == (number, case.stage, case.error, case.record_id) and clear and held and bool(text)


# --- lines cut, glued and shuffled -----------------------------------------------------------------------------------

# The end of it holds all that a cut can fall into: words, numbers, escapes, characters of 2 to 4 bytes, nesting.
TORN = (
    _line(
        "torn",
        meta={"a": "é → 🫁", "b": [True, False, None, -1.5e-3, 12], "c": {"d": {"e": '\\ " \n \u2028'}}, "f": "x" * 40},
    ).replace(b'"a"', b'"a\\u00e9\\ud83e\\udec1"')
    + b" " * 3
)


def test_a_line_torn_at_any_byte(tmp_path: Path) -> None:
    """IN-01. The three blanks after the brace are no part of the record, so 297 of 300 cuts tear it."""
    assert len(TORN) > 301
    cuts = [Bad(f"cut {n}", TORN[:-n], "json_truncated", "line .*ends in the middle of a") for n in range(4, 301)]
    _check(cuts, tmp_path)
    assert all(parse_record(TORN[:-n]).id == "torn" for n in (1, 2, 3))


@pytest.mark.parametrize("cut", [4, 40, 300])
def test_a_torn_last_line_has_no_line_end(cut: int, tmp_path: Path) -> None:
    """IN-01, as a killed writer leaves it."""
    run = _score(GOOD + b"\n" + TORN[:-cut], tmp_path)
    assert (run.report.scored, run.report.failed) == (1, 1)
    assert (run.failures[0]["line"], run.failures[0]["error"]) == (2, "json_truncated")


BROKEN = [
    Bad(
        "IN-02 newline deleted",
        _line("a") + _line("b"),
        "json_invalid",
        "second JSON value.*Are two records on one line",
    ),
    Bad("IN-02 torn, next glued", _line("a")[:-30] + _line("b"), "json_invalid", "is not JSON: .* at character"),
    Bad("IN-07 lone CR", _line("a") + b"\r" + _line("b"), "json_invalid", "Are two records on one line"),
    Bad("IN-04 BOM in the middle", b"\xef\xbb\xbf" + _line("a"), "bom_inside", "byte-order mark"),
    Bad("IN-04 two BOMs", b"\xef\xbb\xbf" * 2 + _line("a"), "bom_inside", "byte-order mark"),
    Bad("IN-05 one line of UTF-16", _line("a").decode().encode("utf-16-be"), "json_invalid", "is not JSON"),
    Bad("IN-05 one line of Latin-1", '{"trace": "à droite"}'.encode("latin-1"), "not_utf8", r"byte 11 \(b'\\xe0'\)"),
    Bad("IN-06 overlong", _line(trace="x\0x").replace(b"\\u0000", b"\xc0\x80"), "not_utf8", r"b'\\xc0'"),
    Bad("IN-06 surrogate in UTF-8", _line().replace(b"Which", b"\xed\xa0\x80"), "not_utf8", r"b'\\xed'"),
    Bad("IN-06 beyond Unicode", _line().replace(b"Which", b"\xf4\x90\x80\x80"), "not_utf8", r"b'\\xf4'"),
    *(
        Bad(
            f"IN-09 lone surrogate in {place}",
            json.dumps(value).encode(),
            "lone_surrogate",
            f"line .*{where}: has half",
        )
        for place, value, where in [
            ("id", _record("\ud800"), "id"),
            ("trace", _record(trace="a\udfffb"), "trace"),
            ("question", _record(question="\udc00\ud800"), "question"),
            ("meta", _record(meta={"a": [{"b": "\ud800"}]}), r"meta\.a\[0\]\.b"),
            ("a key", _record(meta={"\ud800": 1}), "meta"),
            ("claim", _record(units={"perception": [{"unit_id": "a", "claim": "\ud83d"}]}), r"perception\[0\]\.claim"),
        ]
    ),
    Bad("IN-09 duplicate key of a surrogate", rb'{"\ud800": 1, "\ud800": 2}', "duplicate_key", "twice"),
    *(
        Bad(f"IN-12 depth {name} {depth}", opening * depth, "too_deep", "nested too deeply")
        for name, opening in (("list", b"["), ("object", b'{"a":'))
        for depth in (2_000, 100_000)
    ),
    Bad("IN-12 depth, closed", b'{"trace":' + b"[" * 50_000 + b"]" * 50_000 + b"}", "too_deep", "nested too deeply"),
    *(
        Bad(
            f"IN-12 depth 400 in {place}",
            _line(**{place: _nested(400)}),
            "invalid_record",
            "Recursion limit",
            record_id="bad",
        )
        for place in ("meta", "more", "image", "units")
    ),
    Bad(
        "IN-12 depth 400 in trace",
        _line(trace=_nested(400)),
        "wrong_type",
        r"trace\[0\]: is .*must be an object",
        record_id="bad",
    ),
    Bad("IN-13 5,000 digits", _line().replace(b'"bad"', b"9" * 5000), "number_too_large", "of 5000 digits; 18 fit"),
    Bad("IN-13 19 digits in meta", _line(meta={"n": 10**18}), "number_too_large", "of 19 digits; 18 fit"),
    *(
        Bad(f"IN-14 {word}", _line(meta={"n": 0}).replace(b'"n": 0', b'"n": ' + word), "non_finite", word.decode())
        for word in (b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999")
    ),
    Bad("IN-15 duplicate id", _line()[:-1] + b', "id": "c"}', "duplicate_key", "line .*, id: has the key 'id' twice"),
    Bad("IN-15 duplicate key inside", _line(meta={"x": 0}).replace(b'"x"', b'"y":1,"y"'), "duplicate_key", "'y' twice"),
    *(
        Bad(f"not an object: {line!r}", line, code, says)
        for line, code, says in [
            (b"[]", "invalid_record", r"is \[\] \(list\), must be a JSON object"),
            (b'"id"', "invalid_record", r"is 'id' \(str\), must be a JSON object"),
            (b"null", "invalid_record", r"is None \(NoneType\), must be a JSON object"),
            (b"1", "invalid_record", r"is 1 \(int\), must be a JSON object"),
            (b"id,trace", "json_invalid", "is not JSON"),
            (b"\0", "json_invalid", "is not JSON"),
            (b"\f", "json_invalid", "is not JSON"),  # blank to Python and not to JSON
            (b"{}", "missing", "trace: is missing or null. Give the candidate's text, or a list of chat messages"),
        ]
    ),
]


def test_broken_lines(tmp_path: Path) -> None:
    assert len({case.name for case in BROKEN}) == len(BROKEN)
    _check(BROKEN, tmp_path)


FIELDS = [
    # IN-18 wrong types, IN-19 unknown and misspelled fields, and what a rubric cannot ask
    Bad("trace missing", _renamed("trace", None), "missing", "trace: is missing or null"),
    Bad("trace null", _line(trace=None), "missing", "trace: is missing or null"),
    Bad("trace misspelled", _renamed("trace", "tracee"), "missing", "Did you mean this by 'tracee'"),
    Bad("trace a number", _line(trace=5), "wrong_type", r"trace: is 5 \(int\), must be a string"),
    Bad("trace an object", _line(trace={"text": "x"}), "wrong_type", "trace: is .*must be a string"),
    Bad("trace of numbers", _line(trace=["x"]), "wrong_type", r"trace\[0\]: is 'x' \(str\), must be an object"),
    Bad("question a list", _line(question=["x"]), "wrong_type", "question: is .*must be a string"),
    Bad("units a list", _line(units=[{"unit_id": "a"}]), "wrong_type", "units: is .*must be an object"),
    Bad(
        "units of an axis an object",
        _line(units={"perception": {"unit_id": "a"}}),
        "wrong_type",
        "perception: is .*must be a list",
    ),
    Bad(
        "unit a text",
        _line(units={"perception": [CLAIM]}),
        "wrong_type",
        r"units.perception\[0\]: is .*must be an object",
    ),
    Bad("claim missing", _units({"unit_id": "a"}), "missing", r"units.perception\[0\].claim: is missing"),
    Bad("claim misspelled", _units({"unit_id": "a", "claims": "x"}), "missing", "Did you mean this by 'claims'"),
    Bad(
        "claim empty",
        _units({"unit_id": "a", "claim": ""}),
        "wrong_type",
        "claim: is '' .*must be a string that is not empty",
    ),
    Bad("unit_id missing", _units({"claim": "x"}), "missing", r"units.perception\[0\].unit_id: is missing"),
    Bad(
        "unit ids twice",
        _line(units={"perception": [ONE], "knowledge": [ONE]}),
        "duplicate_unit",
        r"units.knowledge\[0\].unit_id: is 'a', .*must be unique",
    ),
    Bad("meta a text", _line(meta="x"), "wrong_type", "meta: is 'x' .*must be an object"),
    Bad("answer a number", _line(reference={"answer": 3}), "wrong_type", "reference.answer: is 3 .*must be a string"),
]
FIELDS = [replace(case, record_id="bad") for case in FIELDS] + [
    Bad("id 7.0", _line().replace(b'"bad"', b"7.0"), "wrong_type", r"id: is 7\.0 \(float\), must be a string or"),
    Bad("id empty", _line(""), "wrong_type", "id: is '' .*must be a string that is not empty", record_id=""),
]
UNASKABLE = [
    Bad("no units", _line(units={}), "no_units", "units: has no unit for the rubric 'pkr'. Give at least one:"),
    Bad("units misspelled", _renamed("units", "unit"), "no_units", "units: has no unit"),
    Bad("no units on any axis", _line(units={"perception": [], "rationale": []}), "no_units", "units: has no unit"),
    Bad(
        "unknown axis",
        _line(units={"perceptions": []}),
        "unknown_axis",
        "units.perceptions: is not an axis of the rubric 'pkr'; its axes are: perception, knowledge, rationale",
    ),
]
UNASKABLE = [replace(case, stage="record", record_id="bad") for case in UNASKABLE]


def test_wrong_fields(tmp_path: Path) -> None:
    _check(FIELDS + UNASKABLE, tmp_path)


def test_an_importance_that_the_rubric_lacks(tmp_path: Path) -> None:
    axis = Checklist(kind="checklist", description="d", importance={"default": 1, "core": 2})
    rubric = Rubric(name="w", version="1", description="d", axes={"perception": axis})
    units = {"perception": [{"unit_id": "a", "claim": "x", "importance": "Core"}]}
    says = r"units.perception\[0\].importance: is 'Core'; the rubric 'w' lists: default, core"
    case = Bad("importance", _line(units=units), "unknown_importance", says, stage="record", record_id="bad")
    _check([case], tmp_path, replace(LEXICAL, rubric=rubric))


# --- every byte ------------------------------------------------------------------------------------------------------


def test_every_byte_in_a_string(tmp_path: Path) -> None:
    """IN-06, IN-10. Between two ASCII letters a byte above 127 is never UTF-8, and one below 32 is never JSON.

    The quote ends the string, the backslash makes an unknown escape of the `|` after it, and the line feed makes two
    lines, so it has a test of its own; the other 94 + DEL are plain text.
    """
    line = _line(trace="left|lung")
    lines = {byte: line.replace(b"|", bytes([byte]) + b"|") for byte in range(256) if byte != 0x0A}
    cases = [
        Bad(f"byte {byte:#04x}", lines[byte], "json_invalid", "Invalid control character at")
        for byte in range(32)
        if byte != 0x0A
    ]
    cases += [Bad("quote", lines[0x22], "json_invalid", "Expecting ',' delimiter")]
    cases += [Bad("backslash", lines[0x5C], "json_invalid", "escape at character")]
    at = line.index(b"|")
    cases += [
        Bad(f"byte {byte:#04x}", lines[byte], "not_utf8", rf"byte {at} \(b'\\x{byte:02x}'\) is not UTF-8")
        for byte in range(128, 256)
    ]
    run = _check(cases, tmp_path / "bad")
    assert run.report.failed == 31 + 2 + 128
    plain = {byte: lines[byte] for byte in range(32, 128) if byte not in (0x22, 0x5C)}
    assert _score(b"\n".join(plain.values()), tmp_path / "good").report.scored == 94
    assert all(parse_record(line).trace == f"left{chr(byte)}|lung" for byte, line in plain.items())
    # The shown line is text whatever its bytes are.
    assert r"left\xff|lung" in run.failures[-1]["raw"]


def test_a_line_feed_in_a_string_makes_two_bad_lines(tmp_path: Path) -> None:
    run = _score(GOOD + b"\n" + _line(trace="left|lung").replace(b"|", b"\n") + b"\n" + GOOD, tmp_path)
    assert (run.report.read, run.report.scored) == (4, 2)
    assert [(row["line"], row["error"]) for row in run.failures] == [(2, "json_truncated"), (3, "json_invalid")]


# --- odd, and right --------------------------------------------------------------------------------------------------

LINE_ENDS = "\u2028\u2029\u0085\v\f\x1c\x1d\x1e\r\n"
ODD = [
    *LINE_ENDS,  # IN-08
    *(chr(code) for code in range(32)),  # IN-10: escaped in JSON, text to us
    *"\x7f\x80\x9f\u00ad\u200b\u200e\u202a\u202e\u2066\u2069\u2060\ufeff\ufffd\ufffe\uffff\U000e0001\U000e0041\U0010ffff",
    *("e\u0301", "é", "ﬁ", "fi", "K", "K", "{{7*7}}", "</trace>", "<|im_end|>", '"', "\\", "[bold]", "=1+1", "'", "␀"),
]


def test_odd_characters_are_text(tmp_path: Path) -> None:
    """IN-08, IN-10, IN-17: one record each, unchanged; ids that only look the same stay different."""
    records = [
        _record(f"a{odd}b", trace=f"left{odd}lung", units={"perception": [{"unit_id": f"u{odd}", "claim": f"c{odd}d"}]})
        for odd in ODD
    ]
    sources = [b"\n".join(json.dumps(r, ensure_ascii=escaped).encode() for r in records) for escaped in (True, False)]
    runs = [_score(source, tmp_path / str(n)) for n, source in enumerate(sources)]
    for run in runs:
        assert (run.report.read, run.report.failed) == (len(ODD), 0)
        assert run.scores["record_id"].to_list() == [record["id"] for record in records]
        assert run.verdicts["claim"].to_list() == [f"c{odd}d" for odd in ODD]
        assert run.verdicts["unit_id"].to_list() == [f"u{odd}" for odd in ODD]
    assert runs[0].scores.equals(runs[1].scores)
    assert [parse_record(line).trace for line in sources[1].split(b"\n")] == [f"left{odd}lung" for odd in ODD]


def test_the_same_records_however_lines_end(tmp_path: Path) -> None:
    """IN-03, IN-04, IN-07. Numbers are of the lines in the file, blank ones too; keys do not hang on them."""
    lines = [_line(f"r{n}", trace=f"The left lung {n}") for n in range(3)]
    forms = {
        "lf": (b"\n".join(lines) + b"\n", [1, 2, 3]),
        "no end": (b"\n".join(lines), [1, 2, 3]),
        "crlf": (b"\r\n".join(lines) + b"\r\n", [1, 2, 3]),
        "bom": (b"\xef\xbb\xbf" + b"\n".join(lines), [1, 2, 3]),
        "blank": (b"\n \t\r\n" + b"\n\n  ".join(lines) + b"  \n\r\n\n \n", [3, 5, 7]),
        "bom, blank": (b"\xef\xbb\xbf\n" + b"\n".join(lines), [2, 3, 4]),
    }
    keys = set()
    for name, (source, numbers) in forms.items():
        run = _score(source, tmp_path / name)
        assert (run.report.read, run.report.scored, run.scores["line"].to_list()) == (3, 3, numbers), name
        keys.add(tuple(run.scores["record_key"]))
    assert len(keys) == 1


def test_ids_may_repeat(tmp_path: Path) -> None:
    """IN-16, contract §3: the same id may come with several models and several times."""
    lines = [_line("r"), _line("r"), _line("r", model="m"), _line("r", trace="The right lung."), GOOD]
    run = _score(b"\n".join(lines), tmp_path)
    assert (run.report.scored, run.scores["record_id"].to_list()) == (5, ["r"] * 4 + ["good"])
    assert run.scores["record_key"].n_unique() == 4


def test_traces_of_all_sizes(tmp_path: Path) -> None:
    """IN-20. A trace without content is presence 0, so score 0, and costs no call; contract §3."""
    empty = ["", " \n\t", "…", "Thought process:", []]
    traces = [*empty, "A", "left lung " * 100_000, [{"content": f"Step {n}: clear."} for n in range(5_000)]]
    run = _score(b"\n".join(_line(f"r{n}", trace=trace) for n, trace in enumerate(traces)), tmp_path)
    assert run.report.scored == len(traces)
    assert run.scores["trace_score"].to_list()[: len(empty)] == [0.0] * len(empty)
    reasons = run.verdicts["reason"].to_list()
    assert ["no_content" in (reason or "") for reason in reasons] == [True] * len(empty) + [False] * 3
    assert run.progress.calls == 3


def test_a_field_may_appear_late(tmp_path: Path) -> None:
    """IN-26. The schema of a table is ours, never guessed from the first rows; 501 records are two blocks."""
    late = {"perception": [{"unit_id": "P1", "claim": CLAIM, "importance": "core"}]}
    run = _score((GOOD + b"\n") * 501 + _line("late", units=late, model="m", fresh={"deep": [1]}), tmp_path)
    assert run.report.scored == 502
    assert run.verdicts["importance"].to_list() == [None] * 501 + ["core"]
    assert run.scores["model"].to_list() == [None] * 501 + ["m"]
    assert parse_record(_line(fresh={"deep": [1]})).meta == {"fresh": {"deep": [1]}}


@pytest.mark.parametrize("size", [999, 1_000, 1_001, 5_000])
def test_a_line_over_the_limit(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """IN-11 with a small limit. The limit counts the line end, so a line of 1,000 bytes and its end is over it."""
    monkeypatch.setattr("judge.traces.jsonl.MAX_LINE_BYTES", 1_000)
    line = _line(trace="")
    long = _line(trace="x" * (size - len(line)))
    assert len(long) == size
    run = _score(b"\n".join([GOOD, long, GOOD, long, long, GOOD]), tmp_path)
    failed = [2, 4, 5] if size > 999 else []
    assert [(row["line"], row["error"]) for row in run.failures] == [(n, "record_too_large") for n in failed]
    assert (run.report.read, run.report.failed) == (6, len(failed))
    assert all("is longer than" in row["message"] and "raw" not in row for row in run.failures)


# --- resume ----------------------------------------------------------------------------------------------------------

KEPT = [_line(f"r{n}", trace=f"The left lung is clear, {n}.") for n in range(6)]
OTHER = _line("other", trace="No effusion.")
EDITS = {
    # name: the new file, and how many rows of the old one hold at their line
    "nothing": (KEPT, 6),
    "changed": ([*KEPT[:2], OTHER, *KEPT[3:]], 5),
    "inserted": ([*KEPT[:2], OTHER, *KEPT[2:]], 2),
    "removed": ([*KEPT[:2], *KEPT[3:]], 2),
    "reordered": ([KEPT[1], KEPT[0], *KEPT[2:]], 4),
    "appended": ([*KEPT, OTHER], 6),
    "cut short": (KEPT[:4], 4),
    "broken": ([*KEPT[:2], b"{", *KEPT[3:]], 5),
    "repaired": (KEPT, 6),
}


def test_a_resume_after_an_edit_is_a_fresh_run(tmp_path: Path) -> None:
    """IN-25. Only what changed is asked; no row of an old line survives."""
    for name, (lines, kept) in EDITS.items():
        _score(b"\n".join([*KEPT, b"{"] if name == "repaired" else KEPT), tmp_path / name)
        resumed = _score(b"\n".join(lines), tmp_path / name)
        fresh = _score(b"\n".join(lines), tmp_path / f"{name}, fresh")
        assert resumed.scores.equals(fresh.scores), name
        assert resumed.verdicts.equals(fresh.verdicts), name
        assert resumed.failures == fresh.failures, name
        assert (resumed.progress.kept, resumed.progress.read) == (kept, len(lines)), name


# --- anything at all -------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELD_NAMES = st.sampled_from([*Record.__struct_fields__, "trce", "x"])


def _mutated(line: bytes, at: int, what: bytes, width: int) -> bytes:
    return line[:at] + what + line[at + width :]


ANY_LINE = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda fields: json.dumps({**_record(), **fields}).encode(), st.dictionaries(FIELD_NAMES, JSON, max_size=3)
    ),
    st.builds(_mutated, st.just(GOOD), st.integers(0, len(GOOD)), st.binary(max_size=4), st.integers(0, 4)),
).map(lambda line: line.replace(b"\n", b" "))


@settings(max_examples=1000)
@given(ANY_LINE)
def test_any_line_is_a_record_or_one_clear_failure(line: bytes) -> None:
    """IN-18. Anything but a RecordError would rise and end the run."""
    try:
        record = parse_record(line, number=7)
    except RecordError as error:
        shown = str(error)
    else:
        assert record.line == 7
        return
    assert shown.startswith("line 7")
    assert shown.encode()


@settings(max_examples=10)
@given(lines=st.lists(ANY_LINE, min_size=20, max_size=60))
def test_any_file_is_scored_around_its_bad_lines(lines: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> None:
    filled = [line for line in lines if line.strip(b" \t\r")]
    run = _score(GOOD + b"\n" + b"\n".join([*lines, GOOD]), tmp_path_factory.mktemp("any"))
    assert run.report.read == len(filled) + 2
    scored = run.scores.filter(pl.col("failure").is_null())["line"].to_list()
    assert {1, len(lines) + 2} <= set(scored)
    failed = [row["line"] for row in run.failures]
    assert sorted({*scored, *failed}) == sorted(
        [1, *(n for n, line in enumerate(lines, 2) if line in filled), len(lines) + 2]
    )
    assert not {*scored} & {*failed}


# --- whole files, through the command --------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_a_file_in_another_encoding_stops_at_once(encoding: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="UTF-16 or UTF-32, not UTF-8"):
        _score(GOOD.decode().encode(encoding), tmp_path)


def _judge(*arguments: str, out: Path, source: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "judge", "score", *arguments, "--out", str(out)]
    clean = {key: value for key, value in os.environ.items() if not key.startswith("JUDGE_")}
    done = subprocess.run(command, input=source, capture_output=True, timeout=60, check=False, env=clean)
    assert b"Traceback" not in done.stdout + done.stderr, done.stderr.decode()
    return done


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "holds no records"),
        (b"\xef\xbb\xbf\n \r\n\n", "holds no records"),
        (GOOD.decode().encode("utf-16"), "is UTF-16 or UTF-32, not UTF-8. Convert it: iconv -f UTF-16 -t UTF-8"),
        (None, "does not exist"),
        ("directory", "is a directory"),
    ],
    ids=["empty", "blank", "utf-16", "missing", "directory"],
)
def test_an_input_that_is_none_is_wrong_usage(content: bytes | str | None, says: str, tmp_path: Path) -> None:
    """IN-05, IN-21: exit code 2 and one sentence."""
    path = tmp_path / "traces.jsonl"
    if content == "directory":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    done = _judge(str(path), out=tmp_path / "run")
    assert done.returncode == 2
    assert says in done.stderr.decode()


def test_bad_lines_from_standard_input(tmp_path: Path) -> None:
    """IN-21 and the whole of the catalogue: exit code 3, and every good line scored."""
    cases = [*BROKEN, *FIELDS, *UNASKABLE]
    source = b"\n".join([line for case in cases for line in (GOOD, case.line)] + [GOOD])
    done = _judge("-", "--json", out=tmp_path / "run", source=source)
    assert done.returncode == 3, done.stderr.decode()
    assert json.loads(done.stdout)["counts"] == {
        "read": 2 * len(cases) + 1,
        "scored": len(cases) + 1,
        "failed": len(cases),
    }
    # Nothing from a line reaches the terminal raw: no control or direction character but line ends.
    shown = done.stderr.decode()
    assert [char for char in shown if unicodedata.category(char) in ("Cc", "Cf") and char != "\n"] == []


def test_good_lines_from_standard_input(tmp_path: Path) -> None:
    done = _judge("-", "--quiet", out=tmp_path / "run", source=GOOD + b"\n" + GOOD)
    assert done.returncode == 0, done.stderr.decode()


def test_a_named_pipe_is_read_as_a_stream(tmp_path: Path) -> None:
    """IN-21. A pipe can be opened and read once only."""
    pipe = tmp_path / "traces.jsonl"
    os.mkfifo(pipe)
    writer = subprocess.Popen([sys.executable, "-c", f"open({str(pipe)!r}, 'wb').write({GOOD!r})"])
    done = _judge(str(pipe), "--quiet", out=tmp_path / "run")
    assert writer.wait(timeout=30) == 0
    assert done.returncode == 0, done.stderr.decode()


# --- other formats, through the command ------------------------------------------------------------------------------


def _failures(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "failures.jsonl").read_bytes().splitlines()]


def test_a_truncated_archive_loses_no_complete_line(tmp_path: Path) -> None:
    """IN-22: exit code 3; the whole file at the same place finishes the run and asks for nothing that was scored."""
    path, out = tmp_path / "traces.jsonl.gz", tmp_path / "run"
    whole = gzip.compress(b"".join(_line(f"r{n}", trace=f"The left lung is clear, {n}.") + b"\n" for n in range(40)))
    path.write_bytes(whole[:-9])
    done = _judge(str(path), "--json", out=out)
    assert done.returncode == 3, done.stderr.decode()
    counts = json.loads(done.stdout)["counts"]
    assert counts["failed"] == 1
    assert counts["scored"] >= 38
    (failure,) = _failures(out)
    assert (failure["error"], failure["line"], failure["stage"]) == ("archive_truncated", counts["read"], "read")
    path.write_bytes(whole)
    done = _judge(str(path), "--json", out=out)
    assert (done.returncode, json.loads(done.stdout)["counts"]) == (0, {"read": 40, "scored": 40, "failed": 0})


def test_a_table_is_scored_as_its_lines_are(tmp_path: Path) -> None:
    records = [{**_record(f"r{n}"), "meta": {"loss": 0.5 if n != 2 else math.nan}} for n in range(5)]
    pl.DataFrame(records).write_parquet(tmp_path / "t.parquet")
    done = _judge(str(tmp_path / "t.parquet"), out=tmp_path / "run")
    assert done.returncode == 3, done.stderr.decode()
    (failure,) = _failures(tmp_path / "run")
    assert (failure["line"], failure["error"], failure.get("raw")) == (3, "non_finite", None)
    lines = _score(b"\n".join(json.dumps(record).encode() for record in records), tmp_path / "lines")
    assert pl.read_parquet(tmp_path / "run" / "scores.parquet").equals(lines.scores)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("t.parquet", b"PAR1" + bytes(50), "is no whole Parquet file"),
        ("t.jsonl.gz", GOOD, "is no gzip file"),
        ("t.jsonl.gz", gzip.compress(b"", mtime=0), "holds no records"),
        ("t.jsonl", b"PK\x03\x04" + bytes(50), "is a ZIP archive"),
    ],
)
def test_what_cannot_be_opened_is_wrong_usage(name: str, content: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    done = _judge(str(tmp_path / name), out=tmp_path / "run")
    assert done.returncode == 2
    assert says in done.stderr.decode()
    assert not list((tmp_path / "run").glob("*.parquet"))
