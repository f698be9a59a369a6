"""Who may come in, and what bounds a client: token, Host, sizes, times, connections."""

import base64
import json
import socket
import time

import pytest
from serve_kit import record, running, served, settled

from judge.serve import connection, strict
from judge.testing import Server

TOKEN = "a-word-that-nobody-guesses-ü"
BODY = {"records": [record()]}


@pytest.fixture(scope="module")
def guarded():
    with running([served()], token=TOKEN) as service:
        yield service


def bearer(token, scheme="Bearer"):
    return {"Authorization": f"{scheme} {token}".encode().decode("latin-1")}


def basic(token, user="judge"):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{token}".encode()).decode()}


# ---- the token


@pytest.mark.parametrize("header", [bearer(TOKEN), bearer(TOKEN, "bearer"), basic(TOKEN), basic(TOKEN, user="")])
def test_who_knows_the_token_comes_in(guarded, header):
    assert guarded.post("/v1/score", BODY, **header).status == 200
    assert guarded.ask("GET", "/metrics", **header).status == 200


@pytest.mark.parametrize(
    "header",
    [
        {},
        bearer(""),
        bearer(TOKEN[:-1]),
        bearer(TOKEN + "x"),
        bearer(TOKEN.upper()),
        bearer("ü" * 40),
        {"Authorization": TOKEN.encode().decode("latin-1")},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic " + base64.b64encode(TOKEN.encode()).decode()},
        basic("wrong"),
        {"X_Token": "a"},
    ],
)
def test_without_the_token_nothing_is_told(guarded, header):
    for method, path in (
        ("POST", "/v1/score"),
        ("POST", "/v1/compare"),
        ("POST", "/verify"),
        ("GET", "/metrics"),
        ("GET", "/openapi.json"),
    ):
        answer = guarded.ask(method, path, BODY, **header)
        assert (answer.status, answer.error["code"]) == (401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert TOKEN.encode() not in answer.content


def test_an_address_that_is_not_there_is_told_to_those_who_know_the_token_only(guarded):
    assert guarded.ask("GET", "/nothing").status == 401
    assert guarded.ask("GET", "/nothing", **bearer(TOKEN)).status == 404


def test_two_tokens_are_none(guarded):
    twice = f"Authorization: Bearer {TOKEN}\r\n".encode() * 2
    said = guarded.raw(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n" + twice + b"\r\n")
    assert b" 401 " in said.split(b"\r\n", 1)[0]


def test_whether_it_is_alive_is_told_to_everybody(guarded):
    assert guarded.ask("GET", "/healthz").status == guarded.ask("GET", "/readyz").status == 200


# ---- the Host


def test_a_name_that_is_allowed_is_ours_with_any_port():
    with running([served()], hosts=("judge.example", "[::1]")) as service:
        for host in ("judge.example", "JUDGE.example:8080", "[::1]:9", "[::1]"):
            assert service.ask("GET", "/healthz", Host=host).status == 200
        for host in (
            "localhost",
            "judge.example.org",
            "judge.example:",
            "judge.example:123456",
            "[::1",
            "a@judge.example",
        ):
            answer = service.ask("GET", "/healthz", Host=host)
            assert (answer.status, answer.error["code"]) == (421, "unknown_host")
    with running([served()], hosts=("*",)) as service:
        assert service.ask("GET", "/healthz", Host="any.example").status == 200


# ---- sizes and times


def test_a_body_that_says_that_it_is_too_long_is_refused_before_it_comes():
    with running([served()], most_bytes=1000) as service:
        head = b"POST /v1/score HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        said = service.raw(head + b"Content-Length: 5000000000\r\n\r\n")
        assert b" 413 " in said.split(b"\r\n", 1)[0] and b"connection: close" in said.lower()
        assert b"body_too_large" in said and b"1,000 bytes" in said
        fits = json.dumps(BODY).encode().ljust(1000)
        assert service.post("/v1/score", fits).status == 200
        assert service.post("/v1/score", fits + b" ").status == 413


def test_a_body_that_comes_in_pieces_is_read_no_further_than_it_may():
    with running([served()], most_bytes=1000) as service:
        head = b"POST /v1/score HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        said = service.raw(head + b"Transfer-Encoding: chunked\r\n\r\n" + b"3e9\r\n" + b" " * 1001 + b"\r\n")  # no end
        assert b" 413 " in said.split(b"\r\n", 1)[0] and b"connection: close" in said.lower()


def test_a_refusal_reaches_a_client_that_is_still_sending():
    with running([served()], most_bytes=1000) as service:
        for answer in (service.post("/v1/score", b"a" * 30_000_000), service.post("/verify", b"a" * 30_000_000)):
            assert (answer.status, answer.error["code"]) == (413, "body_too_large")
        assert service.post("/nothing", b"a" * 3_000_000).status == 404
        assert settled(lambda: service.service.door.inside == 0)


def test_a_client_may_wait_until_it_is_told_to_go_on():
    with running([served()]) as service:
        body = json.dumps(BODY).encode()
        head = "POST /v1/score HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json"
        with socket.create_connection(("127.0.0.1", service.port), timeout=10) as client:
            client.sendall(f"{head}\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n".encode())
            assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.sendall(body)
            assert client.recv(65536).startswith(b"HTTP/1.1 200")


def test_a_body_that_is_too_slow_is_refused(monkeypatch):
    monkeypatch.setattr(strict, "BODY_S", 0.3)
    with running([served()]) as service:
        head = b"POST /v1/score HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        said = service.raw(head + b"Content-Length: 100\r\n\r\n{")
        assert b" 408 " in said.split(b"\r\n", 1)[0] and b"body_too_slow" in said
        assert settled(lambda: service.service.door.inside == 0)


@pytest.mark.parametrize("begun", [b"", b"GET /", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: "])
def test_a_head_that_is_too_slow_ends_its_connection(monkeypatch, begun):
    monkeypatch.setattr(connection, "HEAD_S", 0.5)
    with running([served()]) as service:
        assert b"head_too_slow" in _dripped(service, begun)


def test_the_head_of_a_second_request_is_timed_too(monkeypatch):
    monkeypatch.setattr(connection, "HEAD_S", 0.5)
    with running([served()]) as service:
        said = _dripped(service, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /healthz HTTP/1.1\r\nX-Slow: ")
        assert said.count(b"HTTP/1.1 200") == 1 and b"head_too_slow" in said


def test_a_request_that_takes_longer_than_a_head_may_is_not_ended(monkeypatch):
    monkeypatch.setattr(connection, "HEAD_S", 0.3)
    with (
        Server(latency_ms=900) as upstream,
        running([served("hosted_vllm/any", api_base=upstream.api_base)]) as service,
    ):
        assert service.post("/v1/score", BODY).json["scores"][0]["trace_score"] == 1.0


def _dripped(service, begun):
    """What is answered to a client that begins so and then sends a letter every tenth of a second."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=0.1) as client:
        client.sendall(begun)
        said, end = b"", time.monotonic() + 10
        while time.monotonic() < end:
            try:
                more = client.recv(65536)
            except TimeoutError:
                client.sendall(b"a" * bool(begun))
                continue
            except ConnectionError:
                return said
            if not more:
                return said
            said += more
    raise AssertionError("the connection is still there")


def test_connections_beyond_the_number_are_told_to_come_back():
    with running([served()], connections=3) as service:
        held = [socket.create_connection(("127.0.0.1", service.port), timeout=10) for _ in range(3)]
        assert settled(lambda: len(service.server.server_state.connections) == 3)
        with socket.create_connection(("127.0.0.1", service.port), timeout=10) as one_more:
            said = one_more.recv(65536)
        assert said.startswith(b"HTTP/1.1 429 ") and b"retry-after: 1" in said and b"too_many_connections" in said
        for client in held:
            client.close()
        assert settled(lambda: not service.server.server_state.connections)
        assert service.ask("GET", "/healthz").status == 200


# ---- what goes wrong here


def test_a_bug_of_ours_is_told_without_details_and_logged_with_them(monkeypatch, caplog):
    with running([served()]) as service:

        def broken(*_):
            raise RuntimeError("/secret/path")

        monkeypatch.setattr(service.service.offer, "find", broken)
        answer = service.post("/v1/score", BODY, X_Request_Id="step-7")
        assert (answer.status, answer.error["code"]) == (500, "internal")
        assert b"secret" not in answer.content
        assert settled(lambda: "/secret/path" in caplog.text) and "step-7" in caplog.text
        assert service.service.door.inside == 0
