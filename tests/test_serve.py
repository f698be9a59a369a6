"""The service's routes: what clients get, in the order of what they sent, and what they can choose among."""

import json
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from serve_kit import RIGHT, ROUTES, UNITS, WRONG, record, running, served

from judge.reward import RewardShape
from judge.rewards.failing import FailureRule
from judge.serve.room import Room
from judge.testing import Server

NOTHING = "There is nothing to be seen."
CONSTANT = FailureRule(on_failure="constant", constant=0.25, max_failure_rate=1.0)


@pytest.fixture(scope="module")
def lexical():
    with running([served(rule=CONSTANT)]) as service:
        yield service


@pytest.fixture
def upstream():
    with Server() as server:
        yield server


def paid(server, **options):
    return served("hosted_vllm/any", api_base=server.api_base, **options)


def verify_body(text, **fields):
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}
    asked = {"input": [{"role": "user", "content": "What does the X-ray show?"}]}
    return {"responses_create_params": asked, "response": {"output": [said]}, "units": UNITS, **fields}


# ---- scores


def test_scores_come_in_the_order_of_the_records(lexical):
    records = [record(RIGHT, id="a"), record(WRONG, id="b"), record("I see nothing.", id="c")]
    told = lexical.post("/v1/score", {"records": records}).json
    assert [(score["record_id"], score["trace_score"]) for score in told["scores"]] == [
        ("a", 1.0),
        ("b", 0.0),
        ("c", 0.0),
    ]
    assert told["rubric"] == "pkr@1.0" and told["judge"].startswith("lexical#")
    assert told["scores"][1]["axes"]["perception"]["grounding"] == 0.5  # 2 of 3 words: partly raised
    assert told["scores"][1]["axes"]["perception"]["correctness"] == 0.0
    assert "verdicts" not in told["scores"][0]


def test_verdicts_are_told_where_they_are_asked_for(lexical):
    told = lexical.post("/v1/score", {"records": [record()], "verdicts": True}).json
    (verdict,) = told["scores"][0]["verdicts"]
    assert (verdict["unit_id"], verdict["presence"], verdict["correctness"], verdict["evidence"]) == ("P1", 2, 1, RIGHT)


def test_a_bad_record_is_null_with_a_reason_and_the_others_are_scored(lexical):
    told = lexical.post("/v1/score", {"records": [{"question": "?"}, record()]}).json["scores"]
    assert told[0]["trace_score"] is None and told[0]["failure"] == "missing"
    assert "trace" in told[0]["failures"][0]["message"]
    assert told[1]["trace_score"] == 1.0


def test_a_judge_that_is_down_is_null_with_a_reason_and_tells_no_address(upstream):
    upstream.always = 500
    with running([paid(upstream, max_retries=0)]) as service:
        answer = service.post("/v1/score", {"records": [record(id=str(number)) for number in range(5)]})
    assert answer.status == 200
    assert {score["trace_score"] for score in answer.json["scores"]} == {None}
    assert {score["failure"] for score in answer.json["scores"]} <= {"provider_down", "http_500", "server_error"}
    assert b"127.0.0.1" not in answer.content and b"http" not in answer.content.replace(b"http_500", b"")


def test_what_is_not_done_at_the_deadline_is_a_timeout_and_the_rest_is_there(upstream):
    upstream.always = "black_hole"
    with running([paid(upstream, deadline_s=0.5)]) as service:
        told = service.post("/v1/score", {"records": [record(), {"x": 1}, record("...", id="empty")]}).json["scores"]
    assert [score["failure"] for score in told] == ["timeout", "missing", None]
    assert told[2]["trace_score"] == 0.0  # says nothing: no call


# ---- what clients can choose


def test_clients_choose_among_what_is_served_and_nothing_else(upstream):
    first = paid(upstream, rubric="pkr")
    with running([first, paid(upstream, rubric="pkr-free", beside=first.judge)]) as service:
        ask = {"records": [record()]}
        assert service.post("/v1/score", ask).json["rubric"].startswith("pkr@")
        assert service.post("/v1/score", {**ask, "rubric": "pkr-free"}).json["rubric"].startswith("pkr-free@")
        assert service.post("/v1/score", {**ask, "judge": "hosted_vllm/any"}).status == 200
        for names in (
            {"rubric": "rar"},
            {"rubric": "/etc/passwd"},
            {"judge": "lexical"},
            {"rubric": "pkr", "judge": ""},
        ):
            answer = service.post("/v1/score", {**ask, **names})
            assert (answer.status, answer.error["code"]) == (404, "not_served")
            assert answer.error["hint"] == "There are: pkr by hosted_vllm/any, pkr-free by hosted_vllm/any."
        for path in ROUTES[2:]:
            assert service.post(f"{path}?rubric=rar", {}).status in (404, 422)


@pytest.mark.parametrize("name", ["api_base", "model", "params", "cache", "image_root", "deadline_s"])
def test_there_is_no_field_for_an_address_a_model_or_a_path(lexical, name):
    answer = lexical.post("/v1/score", {"records": [record()], name: "http://127.0.0.1:1/v1"})
    assert (answer.status, answer.error["code"]) == (422, "invalid_body")
    assert name in answer.error["message"]


@pytest.mark.parametrize(
    ("image", "why"),
    [
        ("/etc/hostname", "image_path_outside_root"),
        ("https://example.org/a.png", "image_url_disabled"),
        ("file:///etc/hostname", "image_path_outside_root"),
        ({"bytes": None, "path": "/etc/hostname"}, "image_path_outside_root"),
    ],
)
def test_an_image_is_never_opened_by_its_name(upstream, image, why):
    with running([paid(upstream)]) as service:
        told = service.post("/v1/score", {"records": [record(image=image)]}).json["scores"][0]
    assert (told["trace_score"], told["failure"]) == (None, why)
    assert upstream.ledger.requests == 0


def test_rubrics_of_one_judge_share_its_rate(upstream):
    """One request a minute for both rubrics together: the second call finds no room before the deadline."""
    first = paid(upstream, rpm=1, deadline_s=1.0, granularity="trace")
    offered = [first, paid(upstream, rubric="pkr-free", rpm=1, deadline_s=1.0, granularity="trace", beside=first.judge)]
    with running(offered) as service:
        done = [
            service.post("/v1/score", {"records": [record(id=str(number))], "rubric": rubric}).json["scores"][0][
                "failure"
            ]
            for number, rubric in enumerate(["pkr", "pkr-free", "pkr"])
        ]
    assert done == [None, "timeout", "timeout"]
    assert upstream.ledger.requests == 1


# ---- rewards


def test_rewards_have_contributions_that_add_up(lexical):
    told = lexical.post("/v1/reward", {"records": [record(), record(WRONG, id="b"), {"x": 1}]}).json
    assert told["rewards"] == [1.0, 0.0, 0.25]
    assert told["statuses"] == ["ok", "ok", "failed"] and told["reasons"] == [None, None, "missing"]
    for reward, parts in list(zip(told["rewards"], told["contributions"], strict=True))[:2]:
        assert math.isclose(math.fsum(parts.values()), reward)
    assert told["metrics"]["judge/failed"] == pytest.approx(1 / 3)


def test_a_failure_is_the_mean_of_its_group():
    with running([served(rule=FailureRule(on_failure="group_mean", max_failure_rate=1.0))]) as service:
        bad = {"question": "?"}
        sent = {"records": [record(), record(WRONG), bad, record(id="r2"), bad], "groups": [0, 0, 0, "b", "b"]}
        assert service.post("/v1/reward", sent).json["rewards"] == [1.0, 0.0, 0.5, 1.0, 1.0]


def test_the_shape_is_that_of_the_reward():
    shape = RewardShape(weights={"perception": 1.0, "answer": 3.0})
    with running([served(shape=shape)]) as service:
        sent = record(f"{RIGHT} <answer>B</answer>", options={"A": "x", "B": "y"}, reference={"answer": "A"})
        assert service.post("/v1/reward", {"records": [sent]}).json["rewards"] == [0.25]


def test_a_rule_that_allows_no_reward_is_told_without_details(upstream):
    upstream.always = 500
    with running([paid(upstream, max_retries=0, rule=FailureRule(on_failure="raise"))]) as service:
        for path, body in {"/v1/reward": {"records": [record()]}, "/verify": verify_body(RIGHT)}.items():
            answer = service.post(path, body)
            assert (answer.status, answer.error["code"]) == (424, "no_reward")
            assert b"127.0.0.1" not in answer.content


def test_openrlhf_gets_a_number_for_each_sample_also_where_the_judge_is_down(upstream):
    prompt = "What does the X-ray show?\n"
    body = {
        "query": [f"{prompt}{RIGHT}</s>", f"{prompt}{NOTHING}<|im_end|>"],
        "prompts": [prompt, prompt],
        "labels": [{"units": UNITS}, json.dumps({"units": UNITS})],
    }
    rule = FailureRule(on_failure="group_mean", constant=0.4, max_failure_rate=1.0)
    with running([paid(upstream, rule=rule, max_retries=0)]) as service:
        told = service.post("/v1/reward/openrlhf", body).json
        assert told["rewards"] == told["scores"] == [1.0, 0.0]
        names = {*told["extra_logs"]}
        upstream.always = 500
        again = {**body, "query": [f"{prompt}{RIGHT} It is so.", f"{prompt}{NOTHING} It is so."]}
        answer = service.post("/v1/reward/openrlhf", again)
        assert (answer.status, answer.json["rewards"]) == (200, [0.4, 0.4])
        assert {*answer.json["extra_logs"]} == names
        assert all(type(number) is float for values in answer.json["extra_logs"].values() for number in values)


def test_slime_gets_a_number_or_what_its_key_names(lexical):
    body = {"prompt": "What does the X-ray show?", "response": RIGHT, "label": {"units": UNITS}}
    assert lexical.post("/v1/reward/slime", body).json == 1.0
    assert lexical.post("/v1/reward/slime?reward_key=judge", {**body, "response": WRONG}).json["judge"] == 0.0
    assert lexical.post("/v1/reward/slime", {**body, "label": "A"}).json == 0.25  # no units: the rule's constant


def test_nemo_gym_gets_its_body_back_with_a_reward(lexical):
    sent = verify_body(RIGHT, agent_ref={"name": "x"}, row=7)
    told = lexical.post("/verify", sent).json
    assert {name: told[name] for name in sent} == sent
    assert told["reward"] == 1.0 and math.isclose(sum(told["reward_components"].values()), 1.0)
    assert told["mask_sample"] is False
    failed = lexical.post("/verify", {**sent, "units": {}, "instance_config": {"keep": 1}}).json
    assert failed["mask_sample"] is True and failed["instance_config"] == {"keep": 1, "mask_sample": True}


# ---- one queue


def test_too_many_records_are_told_to_come_back(upstream):
    upstream.always = "black_hole"
    with running([paid(upstream, deadline_s=1.5)], queue=4) as service, ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(service.post, "/v1/score", {"records": [record(id=str(number)) for number in range(3)]})
        while service.service.room.held < 3:
            threading.Event().wait(0.01)
        for path, body in (("/v1/score", {"records": [record()] * 2}), ("/v1/reward", {"records": [record()] * 2})):
            answer = service.post(path, body)
            assert (answer.status, answer.error["code"]) == (429, "queue_full")
            assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert service.ask("GET", "/healthz").status == 200
        assert [score["failure"] for score in waiting.result().json["scores"]] == ["timeout"] * 3
        assert service.service.room.held == 0
        answer = service.post("/v1/score", {"records": [record()] * 5})
        assert (answer.status, answer.error["code"]) == (413, "too_many_records")
        assert "at most 4" in answer.error["message"]


def test_equal_records_of_all_ranks_are_one_call(upstream):
    upstream.latency_ms = 300
    with running([paid(upstream, granularity="trace")]) as service, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: service.post("/v1/reward", {"records": [record()] * 4}), range(8)))
    assert {tuple(answer.json["rewards"]) for answer in answers} == {(1.0,) * 4}
    assert upstream.ledger.requests == 1


# ---- state


def test_readyz_asks_the_judge_and_not_the_store(upstream, tmp_path):
    offered = [paid(upstream, cache=tmp_path / "store", max_retries=0)]
    with running(offered) as service:
        assert service.ask("GET", "/readyz").json == {"status": "ready"}
        assert service.ask("GET", "/readyz").status == 200
        assert upstream.ledger.requests == 1  # fresh: it is not asked for every look
        service.service.readiness["hosted_vllm/any"]._looked = (-1e9, None)
        upstream.always = 503
        time.sleep(0.5)  # the store is written a little later
        answer = service.ask("GET", "/readyz")
        assert (answer.status, answer.error["code"]) == (503, "judge_not_ready")
        assert b"127.0.0.1" not in answer.content
        assert upstream.ledger.requests == 2  # a stored reply would not have told
        assert service.ask("GET", "/healthz").json == {"status": "ok"}


def test_a_judgement_that_succeeds_says_that_the_judge_is_there(upstream):
    with running([paid(upstream)]) as service:
        service.post("/v1/score", {"records": [record()]})
        asked = upstream.ledger.requests
        assert service.ask("GET", "/readyz").status == 200
        assert upstream.ledger.requests == asked


def test_metrics_count_answers_records_and_calls(upstream):
    with running([paid(upstream, granularity="trace")]) as service:
        service.post("/v1/score", {"records": [record(), {"x": 1}]})
        service.post("/v1/reward", {"records": [record(NOTHING)]})
        service.post("/v1/nothing", {})
        service.post("/v1/score", {"records": []})
        metrics = service.ask("GET", "/metrics")
        assert metrics.headers["content-type"].startswith("text/plain; version=")
        for line, value in {
            'judge_requests_total{route="/v1/score",status="200"}': 1,
            'judge_requests_total{route="/v1/score",status="422"}': 1,
            'judge_requests_total{route="/v1/reward",status="200"}': 1,
            'judge_requests_total{route="",status="404"}': 1,
            'judge_records_total{result="ok",rubric="pkr"}': 2,
            'judge_records_total{result="missing",rubric="pkr"}': 1,
            'judge_calls_total{stored="no"}': 2,
            'judge_reward_batch{metric="reward"}': 0,
            "judge_queue_records": 0,
            "judge_queue_limit_records": 64,
        }.items():
            assert f"{line} {value:.1f}" in metrics.content.decode().splitlines(), line
        assert service.metric('judge_tokens_total{kind="prompt"}') > 0


def test_the_schema_has_every_route_with_an_example_that_works(upstream):
    offered = [served(), paid(upstream, rubric="pkr-preference")]
    with running(offered) as service:
        schema = service.ask("GET", "/openapi.json").json
        assert {path for path, route in schema["paths"].items() if "post" in route} == {*ROUTES}
        for path in ROUTES:
            body = schema["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
            (example,) = schema["components"]["schemas"][body["$ref"].rsplit("/", 1)[1]]["examples"]
            answer = service.post(path, example)
            assert answer.status == 200, (path, answer.content)
            told = json.dumps(answer.json)
            best = '"outcome": "A"' if path == "/v1/compare" else "1.0"
            assert best in told and "fracture in the left wrist." in json.dumps(example)


def test_a_client_gets_the_id_that_it_sends(lexical):
    assert lexical.ask("GET", "/healthz", X_Request_Id="step-7:rank.0").headers["x-request-id"] == "step-7:rank.0"
    for bad in ("a b", "x" * 65, "<script>"):
        made = lexical.ask("GET", "/healthz", X_Request_Id=bad).headers["x-request-id"]
        assert made != bad and len(made) == 16


def test_who_is_told_to_come_back_is_told_when(monkeypatch):
    now = 1000.0
    monkeypatch.setattr("judge.serve.room.time.monotonic", lambda: now)
    room = Room(100)
    assert room.retry_after_s() == 1  # nothing is known yet
    with room.taken(10):
        now += 5
    with room.taken(10):
        now += 5  # 20 records since the first of them was done, 5 s ago
    with room.taken(100):
        assert room.retry_after_s() == 25
        now += 26  # the first is more than half a minute ago
        assert room.retry_after_s() == 60
    assert room.held == 0
