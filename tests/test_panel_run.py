"""`judge score` with several judges: whose rows there are, what is said of them, and what survives what."""

from __future__ import annotations

import base64
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from image_kit import corners, encode
from panel_kit import PANEL, check_panel, record, rows_of, saying, served, table, words, write
from run_kit import assert_same_tables, finish, make_records, run_judge, start_judge, to_lines

from judge.cli import cli
from judge.testing import Ask, Server, Sloppy, obedient

SMALL_BLOCKS = "import judge.runs.block; judge.runs.block.BLOCK_RECORDS = 10"


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith(("JUDGE_", "OPENAI_", "HOSTED_VLLM_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def judge(*given: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in given], catch_exceptions=False, env={"COLUMNS": "160"})


def harsh(ask: Ask) -> dict[str, object]:
    """As honest judges, but nothing is more than partly raised."""
    said = {name: dict(one) for name, one in obedient(ask).items()}  # type: ignore[call-overload]
    return {name: {**one, "presence": min(one["presence"], 1)} for name, one in said.items()}


def test_every_judge_has_rows_and_the_panel_its_own(tmp_path: Path) -> None:
    """Of r1: fog is 2 right by two of three, so 2 and right; ice is absent by two. Grounding ½, correctness 1: ½.

    Of r2: fog alone, 2 and right: 1. The judges: of r1 1, ½ · 1 = ½, and 0.
    """
    traces = write(tmp_path / "t.jsonl", [record(1, "fog", "ice"), record(2, "fog"), "{broken"])
    scripts = saying(fog=(2, 1), ice=(2, 1)), saying(fog=(2, 1)), saying()
    with served(*scripts) as servers:
        done = judge(*words(servers, traces, Path("out"), "--json"))
        assert [server.ledger.requests for server in servers] == [2, 2, 2]
    told = json.loads(done.stdout)
    assert (done.exit_code, told["schema"], told["finished"]) == (3, "judge.score.panel/1", True)
    assert told["counts"] == {"read": 3, "scored": 2, "failed": 1} == check_panel(Path("out"), 3)["counts"]
    scores = table(Path("out"), "scores")
    ids = [one["judge"] for one in told["judges"]]
    assert scores["judge"].to_list() == [*ids, told["judge"]] * 2
    assert scores["trace_score"].to_list() == [1.0, 0.5, 0.0, 0.5, 1.0, 1.0, 0.0, 1.0]
    assert scores.filter(PANEL)["judges"].to_list() == [3, 3]
    verdicts = table(Path("out"), "verdicts").filter(PANEL)
    assert verdicts["presence"].to_list() == [2, 0, 2] and verdicts["judges"].to_list() == [3, 3, 3]
    assert verdicts["agreement"].to_list() == pytest.approx([2 / 3] * 3)
    assert verdicts["reason"].to_list() == ["2 right, 1 absent", "2 absent, 1 right", "2 right, 1 absent"]
    # Each judge's failures, and the panel's: four rows on the line that nobody could read.
    assert [row["line"] for row in rows_of(Path("out"), "failures.jsonl")] == [3, 3, 3, 3]
    summary = {(row["judge"], row["measure"]): row for row in told["summary"]}
    assert (summary[told["judge"], "trace_score"]["mean"], summary[told["judge"], "trace_score"]["n"]) == (0.75, 2)
    assert summary[ids[1], "trace_score"]["mean"] == 0.75


def test_where_they_agree_is_told_and_what_to_look_at_is_listed(tmp_path: Path) -> None:
    """Per unit one pair of three agrees: 1/3. Outcomes right, right, absent twice and right, absent, absent once.

    n = 9, 5 right and 4 absent; D_o = 1/9 · 3 units · 4 unlike ordered pairs / 2 = 2/3; D_e = 2·5·4/(9·8) = 5/9;
    alpha = 1 - (2/3)/(5/9) = -0.2.
    """
    traces = write(tmp_path / "t.jsonl", [record(1, "fog", "ice"), record(2, "fog")])
    scripts = saying(fog=(2, 1), ice=(2, 1)), saying(fog=(2, 1)), saying()
    with served(*scripts) as servers:
        done = judge(*words(servers, traces, Path("out")))
    axis = json.loads(Path("out/run.json").read_bytes())["agreement"]["axes"][0]
    assert (axis["axis"], axis["units"], axis["records"]) == ("perception", 3, 2)
    assert axis["agreement"] == pytest.approx(1 / 3) and axis["alpha"] == pytest.approx(-0.2)
    assert "0.33 0.33–0.33  -0.20      3        2" in done.stdout.replace("−", "-")
    assert "For people to look at: 3 units (3 judged differently)" in done.stdout
    rows = rows_of(Path("out"), "doubtful.jsonl")
    assert [(row["record_id"], row["unit_id"], row["why"]) for row in rows] == [
        ("r1", "U1", "judges_differ"),
        ("r1", "U2", "judges_differ"),
        ("r2", "U1", "judges_differ"),
    ]
    assert rows[0]["outcomes"] == {"right": 2, "absent": 1} and rows[0]["agreement"] == pytest.approx(2 / 3)
    assert [(vote["presence"], vote.get("evidence"), vote["reason"]) for vote in rows[0]["votes"]] == [
        (2, "Seen", "r"),
        (2, "Seen", "r"),
        (0, None, "r"),
    ]


def test_an_even_split_is_no_number_and_comes_first(tmp_path: Path) -> None:
    """Two judges: ice is right and absent, a split; fog is 2 by both. Under the mean ice is p = 1, right."""
    traces = write(tmp_path / "t.jsonl", [record(1, "fog", "ice"), record(2, "fog")])
    with served(saying(fog=(2, 1), ice=(2, 1)), saying(fog=(2, 1))) as servers:
        done = judge(*words(servers, traces, Path("out")))
        assert done.exit_code == 3 and "Of 2 judges half may say one thing" in done.stderr
        check_panel(Path("out"), 2)
        own = table(Path("out"), "scores").filter(PANEL)
        assert own["trace_score"].to_list() == [None, 1.0] and own["failure"].to_list() == ["split", None]
        (failure,) = rows_of(Path("out"), "failures.jsonl")
        assert (failure["stage"], failure["error"], failure["unit_ids"]) == ("panel", "split", ["U2"])
        assert [(row["unit_id"], row["why"]) for row in rows_of(Path("out"), "doubtful.jsonl")] == [("U2", "split")]
        asked = [server.ledger.requests for server in servers]
        mean = judge(*words(servers, traces, Path("out"), "--reducer", "mean"))
        assert mean.exit_code == 0, mean.output
        assert [server.ledger.requests for server in servers] == asked, "another reducer asked somebody"
    # fog 1 · w, ice p_present ½: grounding ¾; both right where raised.
    own = table(Path("out"), "scores").filter(PANEL)
    assert own["trace_score"].to_list() == [0.75, 1.0] and own["judge"][0].startswith("panel:mean#")


def test_a_judge_that_is_refused_takes_no_rows_of_others(tmp_path: Path) -> None:
    traces = write(tmp_path / "t.jsonl", [record(1, "fog"), record(2, "fog")])
    with served(saying(fog=(2, 1)), saying(fog=(2, 1)), saying(fog=(2, 1))) as servers:
        servers[1].always = 401
        done = judge(*words(servers, traces, Path("out")))
        assert done.exit_code == 75 and "hosted_vllm/j2#" in done.stderr and "To resume:" in done.stderr
        told = check_panel(Path("out"), 3)
        assert [one["finished"] for one in told["judges"]] == [True, False, True] and told["status"] == "stopped"
        assert told["judges"][1]["error"] and not told["judges"][0]["error"]
        own = table(Path("out"), "scores").filter(PANEL)
        assert own["trace_score"].to_list() == [1.0, 1.0] and own["judges"].to_list() == [2, 2]
        asked = [servers[place].ledger.requests for place in (0, 2)]
        servers[1].always = None
        again = judge(*words(servers, traces, Path("out")))
        assert again.exit_code == 0, again.output
        assert [servers[place].ledger.requests for place in (0, 2)] == asked
        judge(*words(servers, traces, Path("fresh")))
    assert_same_tables(Path("out"), Path("fresh"))


def test_records_that_one_judge_fails_on_are_told_of(tmp_path: Path) -> None:
    """The others decide, and the exit code says that something is left to ask for again."""
    traces = write(tmp_path / "t.jsonl", [record(1, "fog"), record(2, "fog")])
    with served(saying(fog=(2, 1)), saying(fog=(2, 1)), "stubborn") as servers:
        done = judge(*words(servers, traces, Path("out")))
    assert done.exit_code == 3 and "hosted_vllm/j3#" in done.stdout and "failed on 2 of 2 records" in done.stdout
    assert check_panel(Path("out"), 3)["counts"] == {"read": 2, "scored": 2, "failed": 0}


def test_too_few_judges_leave_no_score(tmp_path: Path) -> None:
    """Two of three never answer in a usable way: 1 of 3 is fewer than 2, and enough where 1 is asked for."""
    traces = write(tmp_path / "t.jsonl", [record(1, "fog")])
    with served(saying(fog=(2, 1)), "stubborn", "stubborn") as servers:
        assert judge(*words(servers, traces, Path("out"))).exit_code == 3
        own = table(Path("out"), "scores").filter(PANEL)
        assert (own["failure"].item(), own["trace_score"].item(), own["judges"].item()) == ("few_judges", None, 1)
        assert check_panel(Path("out"), 3)["counts"]["failed"] == 1
        judge(*words(servers, traces, Path("out"), "--min-judges", 1))
    assert table(Path("out"), "scores").filter(PANEL)["trace_score"].item() == 1.0


def test_nobody_can_be_asked(tmp_path: Path) -> None:
    """As with one judge: a wrong key is found before anything is paid."""
    traces = write(tmp_path / "t.jsonl", [record(1, "fog")])
    with served(saying(), saying()) as servers:
        for server in servers:
            server.always = 401
        assert judge(*words(servers, traces, Path("out"))).exit_code == 2
    assert not table(Path("out"), "scores").height


def test_other_judges_are_refused_with_both_named(tmp_path: Path) -> None:
    traces = write(tmp_path / "t.jsonl", [record(1, "fog")])
    with served(saying(), saying(), saying()) as servers:
        judge(*words(servers[:2], traces, Path("out")))
        done = judge(*words(servers, traces, Path("out")))
        assert done.exit_code == 2 and "holds a run of a panel, of hosted_vllm/j1#" in done.stderr
        assert "asked are hosted_vllm/j1#" in done.stderr and "hosted_vllm/j3#" in done.stderr
        alone = judge("score", traces, "--out", "out")
        assert alone.exit_code == 2 and "of a panel" in alone.stderr and "lexical#" in alone.stderr
        judge("score", traces, "--out", "single")
        onto = judge(*words(servers[:2], traces, Path("single")))
        assert onto.exit_code == 2 and "a run of lexical" in onto.stderr
        assert judge(*words(servers, traces, Path("out"), "--overwrite")).exit_code == 0
    assert len(list(Path("out/judges").iterdir())) == 3


def test_the_order_of_judges_is_that_of_the_rows_only(tmp_path: Path) -> None:
    traces = write(tmp_path / "t.jsonl", [record(1, "fog", "ice"), record(2, "fog")])
    with served(saying(fog=(2, 1)), saying(ice=(1, -1)), saying(fog=(1, 1))) as servers:
        judge(*words(servers, traces, Path("out")))
        given = [str(word) for word in words(servers, traces, Path("turned"))]
        turned = [*given[:4], *given[6:10], *given[4:6], *given[12:16], *given[10:12], *given[16:]]
        judge(*turned)
        asked = [server.ledger.requests for server in servers]
        resumed = judge(*[Path("out") if word == "turned" else word for word in turned])
        assert resumed.exit_code == 3  # fog of r1 is 2, 0 and 1: a split
        assert [server.ledger.requests for server in servers] == asked
    one, other = (table(Path(out), "scores").filter(PANEL) for out in ("out", "turned"))
    assert one.equals(other, null_equal=True)


def test_lexical_may_be_a_member_and_takes_no_address(tmp_path: Path) -> None:
    traces = write(tmp_path / "t.jsonl", [record(1, "fog")])
    with served(saying(fog=(2, 1)), saying(fog=(2, 1))) as servers:
        given = words(servers, traces, Path("out"), "--judge", "lexical", "--price", "1,1", "--budget", "1")
        done = judge(*given)
        assert done.exit_code == 0, done.output
    assert table(Path("out"), "scores")["judge"].str.starts_with("lexical#").any()


def test_a_judge_that_reads_texts_judges_what_others_see(tmp_path: Path) -> None:
    picture = "data:image/png;base64," + base64.b64encode(encode(corners())).decode()
    traces = write(tmp_path / "t.jsonl", [record(1, "fog", image=picture)])
    shown: list[bool] = []

    def sees(ask: Ask) -> Any:
        shown.append("image_url" in json.dumps(ask.body))
        return saying(fog=(2, 1))(ask)

    with served(sees) as servers:
        done = judge(*words(servers, traces, Path("out"), "--judge", "lexical", "--reducer", "mean"))
        assert done.exit_code == 0, done.output
    scores = table(Path("out"), "scores")
    assert shown == [True] and scores["record_key"].n_unique() == 1
    assert scores.filter(PANEL)["judges"].item() == 2


def test_a_budget_is_for_all_together(tmp_path: Path) -> None:
    traces = tmp_path / "t.jsonl"
    traces.write_bytes(to_lines(make_records(40)))
    with served("obedient", "obedient") as servers:
        priced = "--price", "10,10", "--param", "max_tokens=300", "--concurrency", 2
        done = judge(*words(servers, traces, Path("out"), *priced, "--budget", "0.3"))
        assert done.exit_code == 75 and "the budget of $0.3 is reached" in done.stderr
        spent = json.loads(Path("out/run.json").read_bytes())["spent"]["cost_usd"]
        assert 0.1 < spent <= 0.3
        more = judge(*words(servers, traces, Path("out"), *priced, "--budget", "0.31"))
        assert more.exit_code == 75
        told = json.loads(Path("out/run.json").read_bytes())
        assert spent <= told["spent"]["cost_usd"] <= 0.31, "what earlier sessions spent was not counted"
        assert judge(*words(servers, traces, Path("out"), *priced, "--budget", "9")).exit_code == 0
        assert judge(*words(servers, traces, Path("fresh"), *priced)).exit_code == 0
    assert_same_tables(Path("out"), Path("fresh"))


def test_a_dry_run_sums_over_the_judges(tmp_path: Path) -> None:
    traces = write(tmp_path / "t.jsonl", [record(1, "fog"), record(2, "ice")])
    with served(saying(), saying()) as servers:
        given = words(servers, traces, Path("out"), "--judge", "lexical", "--price", "1,1", "--json")
        told = json.loads(judge(*given, "--dry-run").stdout)
        assert [server.ledger.requests for server in servers] == [0, 0] and not Path("out").exists()
        assert told["schema"] == "judge.estimate.panel/1" and (told["calls"], told["stored"]) == (4, 0)
        assert told["cost_usd"] == pytest.approx(sum(one["cost_usd"] for one in told["judges"][:2]))
        shown = judge(*[word for word in given if word != "--json"], "--dry-run").stdout
        assert "panel       all judges together" in shown and shown.count("records ") == 3
        judge(*given)
        assert json.loads(judge(*given, "--dry-run").stdout)["stored"] == 4


def test_cautions_are_each_judges_own(tmp_path: Path) -> None:
    """j1 judges traces of a model of its own name; j2 does not."""
    traces = write(tmp_path / "t.jsonl", [record(n, "fog", model="j1") for n in range(1, 4)])
    with served(saying(), saying()) as servers:
        done = judge(*words(servers, traces, Path("out"), "--json"))
        found = {(c["judge"].partition("#")[0], c["code"]) for c in json.loads(done.stdout)["cautions"]}
        assert ("hosted_vllm/j1", "self_judged") in found and ("hosted_vllm/j2", "self_judged") not in found
        shown = judge(*words(servers, traces, Path("out"))).stdout
    assert "judges its own traces" in shown and shown.count("Fewer than 30 scored records") == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_stopped_and_resumed_it_is_as_undisturbed(tmp_path: Path, number: signal.Signals) -> None:
    traces = tmp_path / "t.jsonl"
    rows: list[Any] = make_records(60, units=(1, 2, 3))
    traces.write_bytes(to_lines([*rows[:25], "{broken", *rows[25:]]))
    with served("obedient", Sloppy(seed=1), harsh) as servers:
        for server in servers:
            server.latency_ms = 15
        given = words(servers, traces, Path("out"), "--judge", "lexical", "--concurrency", 4)
        process = start_judge(*given, script=SMALL_BLOCKS, cwd=tmp_path)
        ends = time.monotonic() + 60
        while servers[0].ledger.requests < 40 and process.poll() is None and time.monotonic() < ends:
            time.sleep(0.005)
        process.send_signal(number)
        code, shown = finish(process)
        assert code == (75 if number == signal.SIGINT else -number), shown
        if number == signal.SIGINT:
            assert check_panel(Path("out"), 4)["status"] == "stopped"
        for server in servers:
            server.latency_ms = 0
        code, shown = run_judge(*given, script=SMALL_BLOCKS, cwd=tmp_path)
        assert code == 3, shown
        check_panel(Path("out"), 4)
        fresh = [Path("fresh") if word == Path("out") else word for word in given]
        assert run_judge(*fresh, script=SMALL_BLOCKS, cwd=tmp_path)[0] == 3
    assert_same_tables(Path("out"), Path("fresh"))
    assert Path("out/doubtful.jsonl").read_bytes() == Path("fresh/doubtful.jsonl").read_bytes()
    assert table(Path("out"), "scores").filter(PANEL).height == 60


def test_a_record_that_changed_is_judged_as_it_is_now(tmp_path: Path) -> None:
    """j1 is refused when r1 has changed: its row on the old r1 gives no vote on the new one."""
    traces = write(tmp_path / "t.jsonl", [record(1, "fog")])
    with served(saying(fog=(2, 1)), saying(fog=(2, 1)), saying(fog=(2, 1))) as servers:
        judge(*words(servers, traces, Path("out")))
        write(traces, [record(1, "fog", "ice")])
        servers[0].always = 401
        assert judge(*words(servers, traces, Path("out"))).exit_code == 75
    own = table(Path("out"), "scores").filter(PANEL)
    assert own["judges"].item() == 2
    assert table(Path("out"), "verdicts").filter(PANEL)["judges"].to_list() == [2, 2]


def test_what_is_said_before_anybody_is_asked(tmp_path: Path) -> None:
    traces = write(tmp_path / "t.jsonl", [record(1, "fog")])
    with served(saying(), saying()) as servers:
        for more, told in (
            (("--workers", 2), "--workers shares the work of one judge"),
            (("--min-judges", 3), "--min-judges is 3, and the panel has 2 judges"),
            (("--judge", "hosted_vllm/j1"), "--api-base is given 2 times, and 3 of the judges"),
            (("--api-base", "http://127.0.0.1:9/v1"), "--api-base is given 3 times, and 2 of the judges"),
            (("--judge", "nobody"), "no judge is called 'nobody'"),
        ):
            done = judge(*words(servers, traces, Path("out"), *more))
            assert done.exit_code == 2 and told in done.stderr, (more, done.stderr)
        assert not any(server.ledger.requests for server in servers)
        twice = ["score", traces, "--out", "out", "--judge", "lexical", "--judge", "lexical"]
        assert "more than once" in judge(*twice).stderr
    assert not Path("out/run.json").exists()


def test_samples_of_one_judge_that_differ_are_listed(tmp_path: Path) -> None:
    """Its answers hang on how often it was asked: right, absent, right."""
    traces = write(tmp_path / "t.jsonl", [record(1, "fog")])
    asked: list[int] = []

    def moody(ask: Ask) -> Any:
        asked.append(1)
        return saying(fog=(2, 1) if len(asked) != 2 else (0, None))(ask)

    with Server(script=moody) as server:
        given = words([server], traces, Path("out"), "--samples", 3, "--param", "temperature=1", "--concurrency", 1)
        assert judge(*given).exit_code == 0
    (row,) = rows_of(Path("out"), "doubtful.jsonl")
    assert (row["why"], row["outcomes"]) == ("samples_differ", {"right": 2, "absent": 1})
    assert [vote["sample"] for vote in row["votes"]] == [0, 1, 2]
    assert not Path("out/judges").exists()
    with Server(script=saying(fog=(2, 1))) as server:
        judge(*words([server], traces, Path("out"), "--overwrite"))
    assert not Path("out/doubtful.jsonl").exists()
