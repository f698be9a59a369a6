"""`judge serve` as a user runs it: in a process of its own, until a signal; and what it refuses to begin with."""

import http.client
import json
import re
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from click.testing import CliRunner
from run_kit import finish, start_judge
from serve_kit import RIGHT, UNITS, WRONG, record, settled

from judge.cli import cli, needed
from judge.rubric import locate_rubric
from judge.testing import Server

ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)$", re.MULTILINE)
TOKEN = "a-word-that-nobody-guesses"
REMOTE = ("--judge", "hosted_vllm/any", "--api-base", "http://127.0.0.1:1/v1")
PAIR = {"a": {**record(), "reference": {"reasoning": RIGHT}}, "b": {"trace": WRONG}}


def start(*words, **options):
    """The process, its port, and what was printed up to the address."""
    process = start_judge("serve", "--port", "0", *words, **options)
    said = ""
    while not (found := ADDRESS.search(said)):
        line = process.stderr.readline().decode()
        assert line, f"{said} {finish(process)}"
        said += line
    return process, int(found[1]), said


def ask(port, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    content = None if body is None else json.dumps(body)
    connection.request(
        "GET" if body is None else "POST", path, content, {"Content-Type": "application/json", **headers}
    )
    answer = connection.getresponse()
    told = answer.status, answer.read()
    connection.close()
    return told


def end(process, number=signal.SIGTERM):
    process.send_signal(number)
    return finish(process)


def run(*words, **env):
    return CliRunner().invoke(cli, ["serve", *words], env=env)


# ---- it serves


def test_it_serves_several_rubrics_until_a_signal(tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text(locate_rubric("pkr").read_text().replace("name: pkr", "name: ours", 1))
    process, port, said = start("--rubric", "pkr", "--rubric", str(own))
    assert "Serving pkr@1.0 judged by lexical#" in said and "Serving ours@1.0 judged by lexical#" in said
    assert "Without a token" in said
    for rubric in ("pkr", "ours"):
        status, content = ask(port, "/v1/score", {"records": [record()], "rubric": rubric})
        assert (status, json.loads(content)["scores"][0]["trace_score"]) == (200, 1.0)
    assert end(process, signal.SIGINT) == (0, "")


def test_it_scores_and_compares_with_one_judge(tmp_path):
    with Server() as upstream:
        words = ("--judge", "hosted_vllm/any", "--api-base", upstream.api_base, "--cache", "none")
        process, port, said = start(*words, "--rubric", "pkr", "--rubric", "pkr-preference")
        assert "Serving pkr@1.0 judged by" in said and "Serving pkr-preference@1.0 judged by" in said
        status, content = ask(port, "/v1/compare", {"pairs": [PAIR]})
        (told,) = json.loads(content)["comparisons"]
        assert (status, {row["outcome"] for row in told["preferences"]}) == (200, {"A"})
        assert json.loads(ask(port, "/v1/score", {"records": [record()]})[1])["scores"][0]["trace_score"] == 1.0
        assert end(process) == (0, "")


def test_a_service_that_only_compares_is_ready_and_says_nothing_of_rewards():
    with Server() as upstream:
        words = ("--judge", "hosted_vllm/any", "--api-base", upstream.api_base, "--cache", "none")
        process, port, said = start(*words, "--rubric", "pkr-preference")
        assert said.startswith("Serving pkr-preference@1.0 judged by") and "/v1/reward" not in said
        assert ask(port, "/readyz")[0] == 200
        assert ask(port, "/v1/reward", {"records": [record()]})[0] == 404
        assert end(process) == (0, "")


def test_the_file_of_a_reward_says_judge_rubric_shape_and_rule(tmp_path):
    reward = tmp_path / "reward.yaml"
    reward.write_text(
        "judge: lexical\nrubric: pkr\nweights: {perception: 1, answer: 1}\non_failure: constant\nconstant: 0.125\n"
    )
    process, port, said = start("--reward", str(reward))
    assert "cannot do" not in said
    sent = record("I see a fracture in the left wrist. <answer>B</answer>", reference={"answer": "A"})
    sent["options"] = {"A": "x", "B": "y"}
    assert json.loads(ask(port, "/v1/reward", {"records": [sent, {"x": 1}]})[1])["rewards"] == [0.5, 0.125]
    assert json.loads(ask(port, "/v1/reward/slime", {"prompt": "a", "response": "b", "label": "c"})[1]) == 0.125
    assert end(process)[0] == 0


def test_a_token_comes_from_a_file_or_the_environment(tmp_path):
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    file.chmod(0o600)
    process, port, said = start("--token-file", str(file))
    assert TOKEN not in said and "Without a token" not in said
    assert ask(port, "/metrics")[0] == 401
    assert ask(port, "/metrics", Authorization=f"Bearer {TOKEN}")[0] == 200
    end(process)
    process, port, _ = start("--quiet", env={"JUDGE_SERVE_TOKEN": TOKEN})
    assert ask(port, "/metrics")[0] == 401
    assert ask(port, "/metrics", Authorization=f"Bearer {TOKEN}")[0] == 200
    end(process)


def test_the_log_has_every_request_and_no_token():
    process, port, _ = start("--log-level", "info", env={"JUDGE_SERVE_TOKEN": TOKEN})
    ask(port, f"/v1/a%0Ab?token={TOKEN}", Authorization=f"Bearer {TOKEN}", **{"X-Request-Id": "step-7"})
    code, said = end(process)
    assert code == 0 and "step-7 GET /v1/a%0Ab 404" in said and TOKEN not in said


# ---- it ends


def test_on_a_signal_those_who_are_in_are_answered_and_nobody_else():
    with Server(latency_ms=4000) as upstream, ThreadPoolExecutor(8) as pool:
        process, port, _ = start("--judge", "hosted_vllm/any", "--api-base", upstream.api_base, "--cache", "none")
        assert ask(port, "/readyz")[0] == 200
        bodies = [{"records": [record(id=f"r{number}", question=f"{number}?")]} for number in range(8)]
        under_way = [pool.submit(ask, port, "/v1/reward", body) for body in bodies]
        assert settled(lambda: upstream.ledger.requests >= 9)
        process.send_signal(signal.SIGTERM)
        assert settled(lambda: ask(port, "/readyz")[0] == 503)
        status, content = ask(port, "/v1/reward", bodies[0])
        assert (status, json.loads(content)["error"]["code"]) == (503, "ending")
        assert ask(port, "/healthz")[0] == 200
        for answer in under_way:
            status, content = answer.result()
            assert (status, json.loads(content)["rewards"]) == (200, [1.0])
        assert finish(process) == (0, "")


def test_comparisons_under_way_are_answered_at_the_end():
    with Server(latency_ms=2000) as upstream, ThreadPoolExecutor(4) as pool:
        words = ("--judge", "hosted_vllm/any", "--api-base", upstream.api_base, "--cache", "none")
        process, port, _ = start(*words, "--rubric", "pkr-preference", "--granularity", "trace")
        pairs = [{**PAIR, "a": {**PAIR["a"], "id": f"r{number}", "question": f"{number}?"}} for number in range(4)]
        under_way = [pool.submit(ask, port, "/v1/compare", {"pairs": [pair]}) for pair in pairs]
        assert settled(lambda: upstream.ledger.requests >= 4)
        process.send_signal(signal.SIGTERM)
        assert settled(lambda: ask(port, "/v1/compare", {"pairs": pairs})[0] == 503)
        for number, answer in enumerate(under_way):
            status, content = answer.result()
            (told,) = json.loads(content)["comparisons"]
            assert (status, told["record_id"], told["failure"]) == (200, f"r{number}", None)
        assert finish(process) == (0, "")


def test_a_body_that_is_still_coming_is_waited_for():
    process, port, _ = start()
    body = json.dumps({"records": [record()]}).encode()
    head = (
        f"POST /v1/score HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(f"{head}\r\n\r\n".encode() + body[:10])
        assert settled(lambda: b"judge_requests_under_way 2.0" in ask(port, "/metrics")[1])
        process.send_signal(signal.SIGTERM)
        time.sleep(1.5)
        client.sendall(body[10:])
        assert client.recv(65536).startswith(b"HTTP/1.1 200")
    assert finish(process) == (0, "")


@pytest.mark.parametrize("how", ["a second signal", "the deadline"])
def test_who_cannot_be_answered_makes_it_75(how):
    with Server(always="black_hole") as upstream:
        deadline = "60" if how == "a second signal" else "1"
        judge = ("--judge", "hosted_vllm/any", "--api-base", upstream.api_base, "--cache", "none")
        process, port, _ = start(*judge, "--deadline", deadline)
        with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
            body = json.dumps({"records": [record()]}).encode()
            head = "POST /v1/score HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json"
            # One record that the judge never answers; or a body that never ends.
            sent = body if how == "a second signal" else body[:10]
            client.sendall(f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + sent)
            assert settled(lambda: b"judge_requests_under_way 2.0" in ask(port, "/metrics")[1])
            process.send_signal(signal.SIGTERM)
            if how == "a second signal":
                time.sleep(0.3)
                process.send_signal(signal.SIGTERM)
            assert finish(process)[0] == 75


def test_clients_that_keep_asking_lose_nothing():
    """Every answer is a reward or says that the service is ending; a connection may be gone only after that."""
    process, port, _ = start()
    statuses, lost = [], []

    def keep_asking(worker):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for number in range(10_000):
            body = json.dumps({"records": [record(id=f"{worker}-{number}", units=UNITS)]})
            connection.request("POST", "/v1/reward", body, {"Content-Type": "application/json"})
            try:
                statuses.append(connection.getresponse().status)
            except (http.client.HTTPException, OSError) as exc:
                lost.append(exc)
                return
            if statuses[-1] != 200:
                return
            connection.close()

    workers = [threading.Thread(target=keep_asking, args=(worker,)) for worker in range(8)]
    for worker in workers:
        worker.start()
    assert settled(lambda: len(statuses) > 50)
    assert end(process) == (0, "")
    for worker in workers:
        worker.join(30)
    assert lost == [] and {*statuses} == {200, 503}
    assert statuses.count(503) == 8


# ---- it refuses to begin


def test_another_address_than_loopback_needs_a_token_and_a_name():
    refused = run("--host", "0.0.0.0", "--port", "0")
    assert refused.exit_code == 2
    assert "--host 0.0.0.0 is open to other machines, and there is no token." in refused.output
    refused = run("--host", "0.0.0.0", "--port", "0", JUDGE_SERVE_TOKEN=TOKEN)
    assert refused.exit_code == 2
    assert "Say what clients call it: --allow-host" in refused.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--token-file", "/nowhere/token"), "--token-file: /nowhere/token cannot be read"),
        (("--rubric", "nope"), "nope"),
        (("--rubric", "pkr", "--rubric", "pkr"), "two rubrics are called 'pkr' for lexical"),
        (("--rubric", "pkr-preference"), "lexical compares words with units, and cannot say which of two traces"),
        (("--rubric", "pkr", "--rubric", "pkr-preference"), "Name a judge that reads"),
        (
            (*REMOTE, "--probe", "--rubric", "pkr-preference"),
            "two traces are compared in words, not by probes. Leave --probe out.",
        ),
        (("--host", "not an address", "--port", "0"), "--host not an address: is no address of this machine."),
        (("--judge", "hosted_vllm/any"), "api"),
        (("--api-base", "http://127.0.0.1:1/v1"), "lexical has no use for --api-base"),
        (("--queue", "0"), "--queue"),
        (("--deadline", "0"), "--deadline"),
        (("--image-root", "/"), "No such option"),
        (("--allow-image-urls",), "No such option"),
        (("--token", TOKEN), "No such option"),
    ],
)
def test_what_cannot_be_served_is_refused_before_it_listens(words, said):
    refused = run(*words)
    assert refused.exit_code == 2 and said in refused.output, refused.output


def test_a_short_token_is_refused_and_not_shown():
    refused = run(JUDGE_SERVE_TOKEN="short-secret")
    assert refused.exit_code == 2
    assert "JUDGE_SERVE_TOKEN: the token is shorter than 16 characters" in refused.output
    assert "short-secret" not in refused.output


def test_a_port_that_is_taken_is_refused():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = run("--port", str(taken.getsockname()[1]))
    assert refused.exit_code == 2 and "Address already in use" in refused.output


def test_a_reward_that_cannot_be_read_is_refused(tmp_path):
    reward = tmp_path / "reward.yaml"
    reward.write_text("judge: lexical\nweights: {nope: 1}\n")
    refused = run("--reward", str(reward))
    assert refused.exit_code == 2 and "weights names 'nope'" in refused.output


def test_without_the_extra_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(needed, "find_spec", lambda name: None)
    refused = run()
    assert refused.exit_code == 2 and "pip install 'rationale-judge[serve]'" in refused.output
