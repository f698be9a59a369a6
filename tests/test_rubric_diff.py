"""`judge rubric diff`: what is asked, how often, and what is said to have moved."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result
from run_kit import finish, run_judge, start_judge

from judge.cli import cli
from judge.testing import Server
from judge.testing.claims import answer_claims

RECORDS = 6
FIRST = {"id": "c1", "text": "Names a dose.", "points": 5}
SECOND = {"id": "c2", "text": "Names a fever.", "points": 3}
TEXTS = ("Take a dose.", "A fever.", "A dose for the fever.", "Nothing of note.", "A fever of 39.", "One dose.")


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith(("JUDGE_", "OPENAI_", "HOSTED_VLLM_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    lines = [json.dumps({"id": f"r{n}", "trace": text}) for n, text in enumerate(TEXTS, start=1)]
    Path("traces.jsonl").write_text("\n".join(lines), encoding="utf-8")


def version(name: str, *criteria: Mapping[str, Any], **changes: Any) -> str:
    axis = {"kind": "criteria", "description": "What is said.", "criteria": list(criteria or (FIRST, SECOND))}
    body = {"name": "own", "version": name, "description": "d", "axes": {"safety": axis}, **changes}
    path = Path(f"{name}.yaml")
    path.write_text(json.dumps(body), encoding="utf-8")  # YAML too
    return str(path)


def by_words(ask: Any) -> Mapping[str, object]:
    """A criterion holds where its last word is in the trace."""
    return {unit.name: said(unit.claim.strip(".").split()[-1] in ask.trace) for unit in ask.units}


def said(met: bool) -> dict[str, object]:
    return {"evidence": None, "reason": f"{met} it is.", "verdict": "MET" if met else "UNMET"}


def diff(*words: object, server: Server | None = None, cache: str = "none") -> Result:
    asked = ("--judge", "hosted_vllm/any", "--api-base", server.api_base, "--cache", cache) if server else ()
    retries = ("--max-retries", "0") if server else ()
    given = ["rubric", "diff", *map(str, (*words, *asked, *retries))]
    return CliRunner().invoke(cli, given, catch_exceptions=False, env={"COLUMNS": "120"})


def judged(*words: object, server: Server, code: int = 0) -> dict[str, Any]:
    done = diff(*words, "--json", server=server)
    assert done.exit_code == code, done.output
    told = json.loads(done.stdout)
    assert told["schema"] == "judge.rubric.diff/1"
    return dict(told["judged"])


def test_points_alone_are_asked_of_nobody() -> None:
    """r1 and r6 name a dose alone, 5 of 8 points and then 1 of 4; r2 and r5 a fever, 3 of 8 and then of 4."""
    old, new = version("1"), version("2", {**FIRST, "points": 1}, SECOND)
    with Server(script=by_words) as server:
        told = judged(old, new, "traces.jsonl", "--out", "d", server=server)
        assert server.ledger.requests == RECORDS
    assert (told["calls"], told["shared"], told["paid"]) == (6, 6, [6, 0])
    assert told["verdicts"] == [] and told["counts"]["both"] == 12
    score = told["scores"][0]
    assert (score["measure"], score["n"], score["moved"]) == ("trace_score", 6, 4)
    assert score["old"] == pytest.approx((0.625 * 2 + 0.375 * 2 + 1 + 0) / 6)
    assert score["new"] == pytest.approx((0.25 * 2 + 0.75 * 2 + 1 + 0) / 6)
    assert score["mean"] == pytest.approx(score["new"] - score["old"])
    assert score["low"] < score["mean"] < score["high"] and score["interval"] == "bootstrap"
    # All moves are of one size; then they are in the order of the input.
    assert [(one["line"], one["old"], one["new"]) for one in told["records"]] == [
        (1, 0.625, 0.25),
        (2, 0.375, 0.75),
        (5, 0.375, 0.75),
        (6, 0.625, 0.25),
    ]


def test_of_criteria_asked_alone_only_the_changed_one_is_asked_anew() -> None:
    old, new = version("1"), version("2", FIRST, {**SECOND, "text": "Says 39."})
    with Server(script=by_words) as server:
        told = judged(old, new, "traces.jsonl", "--out", "d", "--granularity", "unit", server=server)
        assert server.ledger.requests == 2 * RECORDS + RECORDS
    assert (told["calls"], told["shared"], told["paid"]) == (12, 6, [12, 6])
    assert told["counts"] == {"both": 12, "moved": 2, "one": 0, "unchanged": 6, "again": 0, "noise": 0}
    moved = told["verdicts"]
    assert [(one["record_id"], one["unit_id"], one["old"], one["new"]) for one in moved] == [
        ("r2", "c2", "MET", "UNMET"),
        ("r3", "c2", "MET", "UNMET"),
    ]
    assert moved[0] | {"claim": "Says 39.", "old_reason": "True it is.", "new_reason": "False it is."} == moved[0]
    assert not any(one["noise"] for one in moved)


def test_what_shares_a_call_is_asked_again_and_what_moves_there_is_noise() -> None:
    """This judge is swayed: beside "Says 39." it finds a dose nowhere."""

    def swayed(ask: Any) -> Mapping[str, object]:
        beside = any("39" in unit.claim for unit in ask.units)
        return {
            unit.name: said(False) if beside and "dose" in unit.claim else by_words(ask)[unit.name]  # type: ignore[misc]
            for unit in ask.units
        }

    old, new = version("1"), version("2", FIRST, {**SECOND, "text": "Says 39."})
    with Server(script=swayed) as server:
        told = judged(old, new, "traces.jsonl", "--out", "d", server=server)
        assert server.ledger.requests == 2 * RECORDS
        assert told["counts"] == {"both": 12, "moved": 5, "one": 0, "unchanged": 6, "again": 6, "noise": 3}
        assert [(one["record_id"], one["unit_id"], one["noise"]) for one in told["verdicts"]] == [
            ("r2", "c2", False),
            ("r3", "c2", False),
            ("r1", "c1", True),
            ("r3", "c1", True),
            ("r6", "c1", True),
        ]
        shown = diff(old, new, "traces.jsonl", "--out", "d", server=server).stdout
    assert "Asked anew: safety (c2). What shares a call with these is asked again too" in shown
    assert "5 of 12 verdicts moved, 3 of them noise. 6 were asked again although nothing changed for them" in shown
    assert "3 of these moved, the judge's noise." in shown
    assert "(noise) False it is." in shown


def test_a_rubric_twice_is_asked_once() -> None:
    old = version("1")
    with Server(script=by_words) as server:
        told = judged(old, old, "traces.jsonl", "--out", "d", server=server)
        assert server.ledger.requests == RECORDS
        done = diff(old, old, "traces.jsonl", "--out", "d", "--exit-code", server=server)
        assert server.ledger.requests == RECORDS
    assert told["paid"] == [6, 0] and told["counts"]["moved"] == 0
    assert done.exit_code == 0
    assert "They mean the same." in done.stdout and "0 of 12 verdicts moved." in done.stdout
    assert "trace_score" not in done.stdout


def test_a_third_version_finds_what_two_have_paid_for() -> None:
    """What was asked for the second and not for the first, too: --out is the memory, and not one run."""
    third = {**SECOND, "text": "Says 39."}
    versions = version("1"), version("2", FIRST, third), version("3", {**FIRST, "gate": True}, third)
    with Server(script=by_words) as server:
        judged(*versions[:2], "traces.jsonl", "--out", "d", server=server)
        assert server.ledger.requests == 2 * RECORDS
        told = judged(versions[0], versions[2], "traces.jsonl", "--out", "d", server=server)
        assert server.ledger.requests == 2 * RECORDS
    assert (told["calls"], told["shared"], told["paid"]) == (6, 0, [6, 0])


def test_the_shared_store_is_used_as_ever() -> None:
    old, new = version("1"), version("2", FIRST, {**SECOND, "text": "Says 39."})
    with Server(script=by_words) as server:
        assert diff(old, new, "traces.jsonl", "--out", "d", server=server, cache="store").exit_code == 0
        assert diff(old, new, "traces.jsonl", "--out", "e", server=server, cache="store").exit_code == 0
        assert server.ledger.requests == 2 * RECORDS


def test_an_earlier_run_is_used_and_stays_as_it_is() -> None:
    old, new = version("1"), version("2", {**FIRST, "points": 1}, SECOND)
    with Server(script=by_words) as server:
        where = ("--judge", "hosted_vllm/any", "--api-base", server.api_base, "--cache", "none")
        made = ["score", "traces.jsonl", "--out", "first", "--rubric", old, *where, "--limit", "4", "--quiet"]
        assert CliRunner().invoke(cli, made, catch_exceptions=False).exit_code == 0
        held = {path.name: path.read_bytes() for path in Path("first").glob("*.parquet")}
        told = judged(old, new, "traces.jsonl", "--out", "d", "--run", "first", server=server)
        assert server.ledger.requests == RECORDS
        assert told["paid"] == [2, 0]
        assert held == {path.name: path.read_bytes() for path in Path("first").glob("*.parquet")}
        other = diff(old, new, "traces.jsonl", "--out", "e", "--run", "first", "--granularity", "unit", server=server)
        none = diff(old, new, "traces.jsonl", "--out", "e", "--run", ".", server=server)
        Path("first/journal.sqlite").rename("away.sqlite")
        empty = diff(old, new, "traces.jsonl", "--out", "e", "--run", "first", server=server)
        assert server.ledger.requests == RECORDS
    assert (other.exit_code, none.exit_code, empty.exit_code) == (2, 2, 2)
    assert "first holds no replies: it has no journal.sqlite." in empty.stderr
    assert "first is of hosted_vllm/any#" in other.stderr and "no run: it has no run.json" in none.stderr


def test_an_unusable_reply_is_not_asked_for_again_either() -> None:
    """The store keeps none, but the journal of the old run does: an equal request ends in an equal way."""
    old, new = version("1"), version("2", {**FIRST, "points": 1}, SECOND)

    def script(ask: Any) -> str | Mapping[str, object]:
        return "Well." if "of note" in ask.trace else by_words(ask)

    with Server(script=script) as server:
        told = judged(old, new, "traces.jsonl", "--out", "d", server=server, code=3)
        assert server.ledger.requests == RECORDS + 2  # two re-asks
        judged(old, old, "traces.jsonl", "--out", "e", server=server, code=3)
        assert server.ledger.requests == 2 * (RECORDS + 2)
    assert told["one_sided"] == [] and told["counts"]["both"] == 10 and told["counts"]["one"] == 0


def test_what_failed_is_asked_again_by_the_same_command_and_once_for_both() -> None:
    old, new = version("1"), version("2", {**FIRST, "points": 1}, SECOND)
    down = [True]
    with Server(script=failing(lambda ask: down[0] and "of note" in ask.trace)) as server:
        judged(old, new, "traces.jsonl", "--out", "d", server=server, code=3)
        down[0] = False
        told = judged(old, new, "traces.jsonl", "--out", "d", server=server)
        assert server.ledger.requests == RECORDS + 2 + 1
    assert told["counts"]["both"] == 12 and told["shared"] == told["calls"]


def failing(when: Callable[[Any], bool]) -> Callable[[Any], str | Mapping[str, object]]:
    return lambda ask: "Well." if when(ask) else by_words(ask)


@pytest.mark.parametrize("side", ["old", "new"])
def test_what_failed_has_not_moved(side: str) -> None:
    """r3 meets everything: were a failure a 0, it would have moved by 1."""
    words = {"old": "fever", "new": "39"}[side]
    old, new = version("1"), version("2", FIRST, {**SECOND, "text": "Says 39."})
    script = failing(lambda ask: "dose for" in ask.trace and any(words in unit.claim for unit in ask.units))
    with Server(script=script) as server:
        told = judged(old, new, "traces.jsonl", "--out", "d", server=server, code=3)
        shown = diff(old, new, "traces.jsonl", "--out", "e", server=server).stdout
    (one,) = told["one_sided"]
    other = "new" if side == "old" else "old"
    assert (one["record_id"], one[side], one[other]) == ("r3", "not_json", None)
    score = told["scores"][0]
    assert (score["n"], score[f"only_{other}"], score[f"only_{side}"]) == (5, 1, 0)
    assert "r3" not in {row["record_id"] for row in (*told["records"], *told["verdicts"])}
    assert (told["counts"]["both"], told["counts"]["one"]) == (10, 2)
    assert f"the {side} version  not_json" in shown
    assert "2 more are missing under one version, which is no move." in shown


def test_a_judge_that_cannot_tell_has_not_moved_either() -> None:
    def unsure(ask: Any) -> Mapping[str, object]:
        gone = {"evidence": None, "reason": "Who knows.", "verdict": "CANNOT_ASSESS"}
        return {unit.name: gone if "39" in unit.claim else by_words(ask)[unit.name] for unit in ask.units}

    old, new = version("1"), version("2", FIRST, {**SECOND, "text": "Says 39."})
    with Server(script=unsure) as server:
        told = judged(old, new, "traces.jsonl", "--out", "d", server=server, code=3)
    assert told["counts"] | {"both": 6, "moved": 0, "one": 6} == told["counts"]
    assert told["records"] == [] and len(told["one_sided"]) == 6


def test_new_names_are_no_moves() -> None:
    """An axis and a criterion under new names: the same verdicts, held against each other."""
    old = version("1")
    axis = {"kind": "criteria", "description": "What is said.", "criteria": [{**FIRST, "id": "dose"}, SECOND]}
    new = version("2", axes={"safe": axis})
    with Server(script=by_words) as server:
        told = judged(old, new, "traces.jsonl", "--out", "d", server=server)
    assert told["counts"] == {"both": 12, "moved": 0, "one": 0, "unchanged": 0, "again": 0, "noise": 0}
    assert [one["measure"] for one in told["scores"]] == ["trace_score", "safe_score"]


def test_what_only_one_version_asks_is_no_move() -> None:
    old, new = version("1"), version("2", FIRST, SECOND, {"id": "c3", "text": "Says 39."})
    with Server(script=by_words) as server:
        told = judged(old, new, "traces.jsonl", "--out", "d", "--granularity", "unit", server=server)
        assert server.ledger.requests == 3 * RECORDS
    assert told["counts"] | {"both": 12, "moved": 0, "one": 0, "again": 0} == told["counts"]


def test_claims_are_the_same_by_what_they_say_and_not_by_their_number() -> None:
    """Under the new version the first sentence is no claim any more: what was c2 is c1."""
    line = {"id": "r1", "context": "A fever of 39.", "trace": "It is gout. A fever of 39."}
    Path("traces.jsonl").write_text(json.dumps(line), encoding="utf-8")

    def script(ask: Any) -> Mapping[str, object]:
        told = answer_claims(ask)
        assert told is not None
        if "claims" in told and "Findings" in str(ask.body):
            return {"claims": told["claims"][1:]}  # type: ignore[index]
        return told

    old, new = (version(name, axes={"truth": {"kind": "faithfulness", "description": text}})
                for name, text in (("1", "All."), ("2", "Findings.")))  # fmt: skip
    with Server(script=script) as server:
        told = judged(old, new, "traces.jsonl", "--out", "d", server=server)
    assert told["verdicts"] == []
    assert told["counts"] | {"both": 1, "moved": 0, "one": 0} == told["counts"]
    moved = {one["measure"]: (one["old"], one["new"]) for one in told["scores"]}
    assert moved == {"trace_score": (0.5, 1.0), "truth_score": (0.5, 1.0)}


@pytest.mark.parametrize("kind", ["preference", "criteria"])
def test_a_preference_has_no_score_that_could_move(kind: str) -> None:
    safety = {"kind": "criteria", "description": "What is said.", "criteria": [FIRST, SECOND]}
    taste = {"kind": "preference", "description": "Reads better."}
    old = version("1", axes={"safety": safety, "taste": taste})
    new = version("2", axes={"safety": safety, "taste": {**safety} if kind == "criteria" else taste})
    with Server(script=by_words) as server:
        told = judged(old, new, "traces.jsonl", "--out", "d", server=server)
    assert [one["measure"] for one in told["scores"]] == ["trace_score", "safety_score"]


def checklist(name: str, description: str) -> str:
    return version(name, axes={"seen": {"kind": "checklist", "description": description}})


def test_units_of_records_and_their_words() -> None:
    """What a checklist finds has two numbers, of which one where the unit is not raised."""
    units = {"seen": [{"unit_id": "S1", "claim": "A fever."}]}
    lines = [json.dumps({"id": f"r{n}", "units": units, "trace": text}) for n, text in enumerate(TEXTS[:2], start=1)]
    Path("traces.jsonl").write_text("\n".join(lines), encoding="utf-8")

    def script(ask: Any) -> Mapping[str, object]:
        raised = "fever" in ask.trace
        wrong = "now" in str(ask.body)
        return {"u1": {"evidence": "fever" if raised else None, "reason": "r", "presence": 2 * raised}
                | {"correctness": (-1 if wrong else 1) if raised else None}}  # fmt: skip

    with Server(script=script) as server:
        told = judged(checklist("1", "Seen."), checklist("2", "Seen now."), "traces.jsonl", "--out", "d", server=server)
    (one,) = told["verdicts"]
    assert (one["record_id"], one["old"], one["new"]) == (
        "r2",
        "presence 2, correctness 1",
        "presence 2, correctness -1",
    )
    assert told["counts"]["both"] == 2


def test_an_exit_code_for_ci() -> None:
    old, moved = version("1"), version("2", {**FIRST, "points": 1}, SECOND)
    renamed = version("3")
    assert diff(old, moved).exit_code == 0
    assert diff(old, moved, "--exit-code").exit_code == 1
    assert diff(old, old, "--exit-code").exit_code == 0
    assert diff(old, "nowhere.yaml").exit_code == 2
    with Server(script=by_words) as server:
        assert diff(old, moved, "traces.jsonl", "--out", "d", "--exit-code", server=server).exit_code == 1
        assert diff(old, renamed, "traces.jsonl", "--out", "d", "--exit-code", server=server).exit_code == 0


def test_wrong_usage_is_refused_before_anything_is_asked() -> None:
    old, new = version("1"), version("2", FIRST)
    with Server(script=by_words) as server:
        for words, told in (
            ((old, new, "traces.jsonl"), "TRACES need --out DIR"),
            ((old, new, "--limit", "3"), "--limit is about TRACES, and none are given."),
            (("nowhere.yaml", new, "traces.jsonl", "--out", "d"), "nowhere.yaml: cannot be read"),
            ((old, "nowhere.yaml", "traces.jsonl", "--out", "d"), "nowhere.yaml: cannot be read"),
        ):
            done = diff(*words, server=None if "--limit" in words else server)
            assert (done.exit_code, done.stdout) == (2, "") and told in done.stderr
        os.mkfifo("pipe")
        done = diff(old, new, "pipe", "--out", "d", server=server)
        assert done.exit_code == 2 and "pipe is no file, and it is read once for each version." in done.stderr
        assert server.ledger.requests == 0
    assert diff(old, new, "traces.jsonl", "--out", "d").exit_code == 2  # the baseline judges checklists only


def command(old: str, new: str, server: Server, *more: object) -> Sequence[object]:
    where = ("--judge", "hosted_vllm/any", "--api-base", server.api_base, "--cache", "none", "--out", "d")
    return ("rubric", "diff", old, new, "traces.jsonl", *where, "--granularity", "unit", *more)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("after", [3, 14])  # of 12 requests of the old version and 6 of the new one
def test_stopped_at_any_time_it_goes_on_and_pays_for_nothing_twice(number: signal.Signals, after: int) -> None:
    old, new = version("1"), version("2", FIRST, {**SECOND, "text": "Says 39."})
    with Server(script=by_words, latency_ms=100) as server:
        words = command(old, new, server, "--concurrency", 1)
        process = start_judge(*words)
        while server.ledger.requests < after:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        code, shown = finish(process)
        if number == signal.SIGINT:
            assert code == 75 and "To resume: judge rubric diff 1.yaml 2.yaml traces.jsonl" in shown
        before = server.ledger.requests
        assert before < 18
        code, shown = run_judge(*words, "--json")
        assert code == 0, shown
        told = json.loads(shown[shown.index("{") :])["judged"]
        # Killed, the one call under way is lost.
        assert server.ledger.requests <= 18 + (number == signal.SIGKILL)
        assert told["counts"]["moved"] == 2 and told["shared"] == 6
        straight = judged(old, new, "traces.jsonl", "--out", "e", "--granularity", "unit", server=server)
    assert {key: told[key] for key in ("scores", "verdicts", "records", "counts")} == {
        key: straight[key] for key in ("scores", "verdicts", "records", "counts")
    }


def test_a_budget_is_for_both_versions() -> None:
    """Words are tokens of the scripted judge; what a call may cost at most is far more than what it does."""
    old, new = version("1"), version("2", FIRST, {**SECOND, "text": "Says 39."})
    points = version("3", {**FIRST, "points": 1}, SECOND)
    with Server(script=by_words) as server:
        priced = ("--price", "1,1", "--param", "max_tokens=300", "--concurrency", "1")
        spent = json.loads(diff(old, old, "traces.jsonl", "--out", "c", *priced, "--json", server=server).stdout)
        cost = json.loads(next(iter(Path("c").glob("own-*/run.json"))).read_bytes())["spent"]["cost_usd"]
        assert spent["judged"]["paid"] == [6, 0]
        budget = ("--budget", f"{cost + 0.002:.9f}")
        done = diff(old, new, "traces.jsonl", "--out", "d", *priced, *budget, server=server)
        asked = server.ledger.requests
        assert done.exit_code == 75 and "the budget of" in done.stderr
        assert RECORDS * 2 < asked < RECORDS * 3
        assert f" {RECORDS * 3 - asked} records left." in done.stderr
        assert f"of the budget of ${cost + 0.002:g} are left for the new version." in done.stderr
        # What costs nothing needs no money.
        free = ("--budget", f"{cost:.9f}")
        done = diff(old, points, "traces.jsonl", "--out", "c", *priced, *free, server=server)
        assert (done.exit_code, server.ledger.requests) == (0, asked)


def test_the_tables_say_the_same_as_a_run_of_each_version() -> None:
    old, new = version("1"), version("2", {**FIRST, "points": 1}, SECOND)
    with Server(script=by_words) as server:
        told = judged(old, new, "traces.jsonl", "--out", "d", server=server)
        where = ("--judge", "hosted_vllm/any", "--api-base", server.api_base, "--cache", "none", "--quiet")
        for path, run in zip((old, new), told["runs"], strict=True):
            out = f"by-itself-{path}"
            made = ["score", "traces.jsonl", "--out", out, "--rubric", path, *where]
            assert CliRunner().invoke(cli, made, catch_exceptions=False).exit_code == 0
            for table in ("scores", "verdicts"):
                mine, other = (pl.read_parquet(Path(folder) / f"{table}.parquet") for folder in (run, out))
                assert mine.equals(other, null_equal=True)


def test_what_is_printed_is_short_where_nothing_moves() -> None:
    old, new = version("1"), version("2", {**FIRST, "id": "dose"}, SECOND)
    with Server(script=by_words) as server:
        shown = diff(old, new, "traces.jsonl", "--out", "d", server=server).stdout.splitlines()
    assert shown[0].startswith("own 1 (") and " -> own 2 (" in shown[0]
    assert [line.split() for line in shown[2:5]] == [
        ["where", "what", "old", "new", "effect"],
        ["~", "rubric", "version", "1", "2", "nothing"],
        ["~", "safety.dose", "id", "c1", "dose", "nothing"],
    ]
    paid = "paid for: 6 under the old version, 0 under the new one"
    assert shown[6:] == [
        "Nothing has to be asked anew, and nothing counts otherwise.",
        "",
        f"6 calls under the new version, 6 of them the same under the old one; {paid}",
        "0 of 12 verdicts moved.",
        "",
        shown[-1],
    ]
    assert shown[-1].startswith("Runs: d/own-")
