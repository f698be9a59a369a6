"""`POST /v1/compare`: which of two records is better, in the order of the pairs and in terms of `a` and `b`."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from pair_kit import AXES, FLIPPED, RIGHT, WEAK, with_trace
from serve_kit import UNITS, record, running, served, settled

from judge import Judge
from judge.rubric import load_rubric
from judge.testing import Server

NAME = "hosted_vllm/any"
GOOD = {"a": with_trace(RIGHT), "b": with_trace(WEAK)}
TOLD = ["order_ab", "order_ba", "outcome"]


@pytest.fixture
def upstream():
    with Server() as server:
        yield server


def comparing(server, **options):
    return served(NAME, **{"rubric": "pkr-preference", "api_base": server.api_base, **options})


def ask(service, *pairs, **names):
    answer = service.post("/v1/compare", {"pairs": [*pairs], **names})
    assert answer.status == 200, answer.content
    return answer.json


def outcomes(told):
    return [[row["outcome"] for row in one["preferences"]] for one in told["comparisons"]]


def both_kinds():
    pkr = load_rubric("pkr")
    return pkr.model_copy(update={"axes": pkr.axes | {"better": load_rubric("pkr-preference").axes["rationale"]}})


# ---- what is answered


def test_it_says_what_the_library_says_in_the_order_of_the_pairs(upstream):
    pairs = [GOOD, {"a": with_trace(WEAK, id="r2"), "b": with_trace(RIGHT, id="r2")}]
    with running([comparing(upstream)]) as service:
        told = ask(service, *pairs)
    with Judge(NAME, rubric="pkr-preference", api_base=upstream.api_base, timeout_s=120.0) as judge:
        found = judge.compare([pair["a"] for pair in pairs], [pair["b"] for pair in pairs])
    assert told["rubric"] == "pkr-preference@1.0" and {told["judge"]} == {*found.preferences["judge"]}
    rows = [{"record_id": one["record_id"], **row} for one in told["comparisons"] for row in one["preferences"]]
    assert rows == found.preferences.select([*rows[0]]).to_dicts()
    assert outcomes(told) == [["A"] * 4, ["B"] * 4]
    assert [one["failures"] for one in told["comparisons"]] == [[], []]
    assert {row["evidence_ab"] for row in told["comparisons"][0]["preferences"]} == {RIGHT}


def test_swapping_a_and_b_flips_what_is_said_and_costs_nothing(upstream):
    traces = [RIGHT, WEAK, "The left base is opaque.", "...", "Fluid has gathered."]
    pairs = [{"a": with_trace(a), "b": with_trace(b)} for a in traces for b in traces]
    swapped = [{"a": pair["b"], "b": pair["a"]} for pair in pairs]
    upstream.latency_ms = 1000  # all of them are under way before the first is answered
    with running([comparing(upstream)], queue=200) as service:
        there, back = outcomes(ask(service, *pairs)), outcomes(ask(service, *swapped))
    assert back == [[FLIPPED[outcome] for outcome in rows] for rows in there]
    assert {"A", "B", "tie"} == {outcome for rows in there for outcome in rows}
    # Four traces say something: 4 × 3 ordered pairs of different ones are 12 orders to be shown, each on four axes.
    assert upstream.ledger.requests == 2 * 48


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("biased", ["A", "B", "inconsistent"]),  # whichever stands first: `a` with `a` first, and `b` with `b` first
        ("undecided", ["tie", "tie", "tie"]),
        ("obedient", ["A", "A", "A"]),
    ],
)
def test_who_judges_by_the_order_is_inconsistent(script, said):
    with Server(script=script) as server, running([comparing(server)]) as service:
        (told,) = ask(service, GOOD)["comparisons"]
    assert [[row[name] for name in TOLD] for row in told["preferences"]] == [said] * len(AXES)
    assert told["failure"] is None


def test_what_one_record_leaves_out_is_taken_from_the_other(upstream):
    question = {name: value for name, value in GOOD["a"].items() if name != "trace"}
    with running([comparing(upstream)]) as service:
        whole = ask(service, GOOD)["comparisons"]
        parts = [{"a": GOOD["a"], "b": {"trace": WEAK}}, {"a": {"trace": RIGHT}, "b": {**question, "trace": WEAK}}]
        asked = upstream.ledger.requests
        told = ask(service, *parts)["comparisons"]
    assert told == whole * 2 and told[0]["record_id"] == "r1"
    assert upstream.ledger.requests == 2 * asked  # each is asked what the whole one was, and the two of them once


def test_models_are_told_as_they_were_given_and_may_be_the_same(upstream):
    mine = {"a": with_trace(RIGHT, model="policy"), "b": with_trace(WEAK, model="policy")}
    with running([comparing(upstream)]) as service:
        told = ask(service, mine, GOOD)
    assert [(one["model_a"], one["model_b"]) for one in told["comparisons"]] == [("policy", "policy"), (None, None)]
    assert outcomes(told) == [["A"] * 4, ["A"] * 4]


def test_what_needs_no_judge_is_not_asked(upstream):
    pairs = [{"a": with_trace("..."), "b": with_trace(WEAK)}, {"a": with_trace(WEAK), "b": with_trace(WEAK)}]
    with running([comparing(upstream)]) as service:
        told = ask(service, *pairs)
    assert outcomes(told) == [["B"] * 4, ["tie"] * 4]
    reasons = [[row["reason"] for row in one["preferences"]] for one in told["comparisons"]]
    assert reasons == [["no_content"] * 4, ["equal_traces"] * 4]
    assert upstream.ledger.requests == 0


def test_equal_pairs_of_all_ranks_are_asked_about_once(upstream):
    upstream.latency_ms = 300
    with running([comparing(upstream, granularity="trace")]) as service, ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: ask(service, *[GOOD] * 4), range(4)))
    assert all(outcomes(told) == [["A"] * 4] * 4 for told in answers)
    assert upstream.ledger.requests == 2  # one in each order


# ---- what fails


def test_a_bad_record_is_null_with_a_reason_and_the_others_are_judged(upstream):
    pairs = [
        {"a": with_trace(RIGHT), "b": {"id": "r1"}},
        {"a": {"trace": 7}, "b": with_trace(WEAK)},
        {"a": with_trace(RIGHT), "b": with_trace(WEAK, question="Another?")},
        {"a": with_trace(RIGHT), "b": with_trace(WEAK, id="r2")},
        GOOD,
    ]
    with running([comparing(upstream)]) as service:
        told = ask(service, *pairs)["comparisons"]
    failed = [[(one["error"], one["record"], one["stage"]) for one in each["failures"]] for each in told]
    assert failed == [
        [("missing", "b", "read")],
        [("wrong_type", "a", "read")],
        [("other_question", None, "record")],
        [("other_question", None, "read")],
        [],
    ]
    for each in told[:4]:
        code = each["failures"][0]["error"]
        assert each["failure"] == code
        assert [row["axis"] for row in each["preferences"]] == AXES
        assert {row["failure"] for row in each["preferences"]} == {code}
        assert {row[name] for row in each["preferences"] for name in TOLD} == {None}
    assert told[0]["failures"][0]["message"].startswith("line 1, trace: is missing or null.")
    assert "question: is not that of line 3 of b" in told[2]["failures"][0]["message"]
    assert "is 'r1' in one record and 'r2' in the other" in told[3]["failures"][0]["message"]
    assert {row["outcome"] for row in told[4]["preferences"]} == {"A"}


@pytest.mark.parametrize("image", ["/etc/hostname", "https://example.org/a.png", "file:///etc/hostname"])
def test_an_image_is_never_opened_by_its_name(upstream, image):
    with running([comparing(upstream)]) as service:
        (told,) = ask(service, {"a": with_trace(RIGHT), "b": with_trace(WEAK, image=image)})["comparisons"]
    assert told["failure"] in ("image_path_outside_root", "image_url_disabled")
    assert {row["outcome"] for row in told["preferences"]} == {None}
    assert upstream.ledger.requests == 0


def test_a_judge_that_is_down_is_null_with_a_reason_and_tells_no_address(upstream):
    upstream.always = 500
    with running([comparing(upstream, max_retries=0)]) as service:
        answer = service.post("/v1/compare", {"pairs": [GOOD] * 5})
    assert answer.status == 200
    for each in answer.json["comparisons"]:
        assert {row["outcome"] for row in each["preferences"]} == {None}
        assert each["failure"] in ("provider_down", "http_500", "server_error")
        assert {failed["message"] for failed in each["failures"]} == {None}
    assert b"127.0.0.1" not in answer.content and b"http:" not in answer.content


def test_what_is_not_done_at_the_deadline_is_a_timeout_and_the_rest_is_there(upstream):
    upstream.always = "black_hole"
    decided = {"a": with_trace("..."), "b": with_trace(WEAK)}
    with running([comparing(upstream, deadline_s=0.5)]) as service:
        told = ask(service, GOOD, {"a": {"x": 1}, "b": {"x": 1}}, decided)["comparisons"]
    assert [one["failure"] for one in told] == ["timeout", "missing", None]
    assert [row["failure"] for row in told[0]["preferences"]] == ["timeout"] * 4
    assert told[0]["record_id"] == "r1" and told[0]["failures"][0]["message"] is None
    assert [row["outcome"] for row in told[2]["preferences"]] == ["B"] * 4


# ---- what clients can choose


def test_clients_choose_among_what_compares_and_nothing_else(upstream):
    first = comparing(upstream, rubric="pkr")
    with running([first, comparing(upstream, beside=first.judge)]) as service:
        assert ask(service, GOOD)["rubric"].startswith("pkr-preference@")
        assert ask(service, GOOD, rubric="pkr-preference", judge=NAME)["rubric"].startswith("pkr-preference@")
        for names in ({"rubric": "pkr"}, {"rubric": "/etc/passwd"}, {"judge": "lexical"}):
            answer = service.post("/v1/compare", {"pairs": [GOOD], **names})
            assert (answer.status, answer.error["code"]) == (404, "not_served")
            assert answer.error["message"].endswith("a rubric and judge of these names that compares traces.")
            assert answer.error["hint"] == f"There are: pkr-preference by {NAME}."
        answer = service.post("/v1/score", {"records": [record()], "rubric": "pkr-preference"})
        assert (answer.status, answer.error["hint"]) == (404, f"There are: pkr by {NAME}.")


def test_a_service_that_compares_nothing_says_how_to_start_one():
    with running([served()]) as service:
        answer = service.post("/v1/compare", {"pairs": [GOOD]})
        assert (answer.status, answer.error["code"]) == (404, "not_served")
        assert answer.error["message"].startswith("This service compares no traces")
        assert "--rubric pkr-preference" in answer.error["hint"]
        assert "/v1/compare" in service.ask("GET", "/openapi.json").json["paths"]


def test_a_service_that_only_compares_scores_nothing_and_is_ready(upstream):
    with running([comparing(upstream, max_retries=0)]) as service:
        assert service.ask("GET", "/readyz").json == {"status": "ready"}
        assert upstream.ledger.requests == 1
        for path in ("/v1/score", "/v1/reward"):
            answer = service.post(path, {"records": [record()]})
            assert (answer.status, answer.error["code"]) == (404, "not_served")
            assert answer.error["message"].startswith("This service scores no traces")
        service.service.readiness[NAME]._looked = (-1e9, None)
        upstream.always = 503
        assert service.ask("GET", "/readyz").status == 503


def test_a_comparison_that_succeeds_says_that_the_judge_is_there(upstream):
    with running([comparing(upstream)]) as service:
        ask(service, GOOD)
        asked = upstream.ledger.requests
        assert service.ask("GET", "/readyz").status == 200
        assert upstream.ledger.requests == asked


def test_one_rubric_may_score_and_compare(upstream):
    with running([comparing(upstream, rubric=both_kinds())]) as service:
        told = ask(service, GOOD)
        scores = service.post("/v1/score", {"records": [record()]}).json
    assert [row["axis"] for row in told["comparisons"][0]["preferences"]] == ["better", "overall"]
    assert scores["scores"][0]["trace_score"] == 1.0
    assert scores["rubric"] == told["rubric"] and scores["judge"] != told["judge"]


def test_who_cannot_compare_serves_the_scores_of_such_a_rubric():
    with running([served(rubric=both_kinds())]) as service:
        assert service.post("/v1/score", {"records": [record(units=UNITS)]}).json["scores"][0]["trace_score"] == 1.0
        assert service.post("/v1/compare", {"pairs": [GOOD]}).error["code"] == "not_served"


# ---- one queue, one rate, one budget


def test_scores_and_comparisons_share_one_rate(upstream):
    """One request a minute for both rubrics together: the comparison finds no room before the deadline."""
    options = {"rpm": 1, "deadline_s": 1.0, "granularity": "trace"}
    first = comparing(upstream, rubric="pkr", **options)
    with running([first, comparing(upstream, beside=first.judge, **options)]) as service:
        assert service.post("/v1/score", {"records": [record()]}).json["scores"][0]["failure"] is None
        assert ask(service, GOOD)["comparisons"][0]["failure"] == "timeout"
    assert upstream.ledger.requests == 1


def test_a_pair_is_two_records_of_the_queue(upstream):
    upstream.always = "black_hole"
    with running([comparing(upstream, deadline_s=3.0)], queue=4) as service, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, service, GOOD)
        assert settled(lambda: service.service.room.held == 2, within_s=1.0)
        answer = service.post("/v1/compare", {"pairs": [GOOD] * 2})
        assert (answer.status, answer.error["code"]) == (429, "queue_full")
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert waiting.result()["comparisons"][0]["failure"] == "timeout"
        assert service.service.room.held == 0
        answer = service.post("/v1/compare", {"pairs": [GOOD] * 3})
        assert (answer.status, answer.error["code"]) == (413, "too_many_records")
        assert answer.error["message"].startswith("These are 6 records")


def test_metrics_count_pairs_and_their_calls(upstream):
    with running([comparing(upstream, granularity="trace")]) as service:
        ask(service, GOOD, {"a": with_trace(RIGHT), "b": {}})
        for line, value in {
            'judge_requests_total{route="/v1/compare",status="200"}': 1,
            'judge_pairs_total{result="ok",rubric="pkr-preference"}': 1,
            'judge_pairs_total{result="missing",rubric="pkr-preference"}': 1,
            'judge_calls_total{stored="no"}': 2,
            "judge_queue_records": 0,
        }.items():
            assert service.metric(line) == value, line
        assert service.metric('judge_tokens_total{kind="prompt"}') > 0
