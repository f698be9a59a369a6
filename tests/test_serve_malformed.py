"""A hundred kinds of malformed request, and hundreds made from the schema: refused in words, and never a 5xx."""

import json
import logging

import pytest
from serve_kit import JSON, ROUTES, record, running, served, settled

from benchmarks.generated import bodies
from judge.serve.app import build_routes
from judge.testing import Server


@pytest.fixture(scope="module")
def service():
    """Every route of it has something to answer with."""
    with Server() as upstream:
        comparing = served("hosted_vllm/any", rubric="pkr-preference", api_base=upstream.api_base)
        with running([served(), comparing]) as running_service:
            yield running_service


GOOD = json.dumps({"records": [record()]}).encode()


def http(first="POST /v1/score HTTP/1.1", *headers, body=GOOD, length=True, host="Host: localhost", kind=JSON):
    lines = [first, *([host] if host else []), *([f"Content-Type: {kind}"] if kind else []), *headers]
    lines += [f"Content-Length: {len(body)}"] if length else []
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def body(content, kind=JSON):
    return http(body=content if isinstance(content, bytes) else json.dumps(content).encode(), kind=kind)


def to(path, content):
    return http(f"POST {path} HTTP/1.1", body=json.dumps(content).encode())


ONE = record()
NOT_HTTP = {
    "garbage": b"\x00\x01\x02\x03 what\r\n\r\n",
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no version": b"POST /v1/score\r\n\r\n",
    "a version of the future": http("POST /v1/score HTTP/9.9"),
    "a method that is none": http("PO ST /v1/score HTTP/1.1"),
    "a method of another protocol": http("SUMMON /v1/score HTTP/1.1"),
    "a header without a colon": http("POST /v1/score HTTP/1.1", "Nonsense"),
    "a header's name with a blank": http("POST /v1/score HTTP/1.1", "A b: c"),
    "a header's value with a zero byte": http("POST /v1/score HTTP/1.1", "X-A: a\0b"),
    "a header that is folded": http("POST /v1/score HTTP/1.1", "X-A: a\r\n b: c\r\n\x01"),
    "a negative length": http("POST /v1/score HTTP/1.1", "Content-Length: -1", length=False),
    "a length of letters": http("POST /v1/score HTTP/1.1", "Content-Length: ten", length=False),
    "a length that is too large a number": http("POST /v1/score HTTP/1.1", f"Content-Length: {10**30}", length=False),
    "two lengths": http("POST /v1/score HTTP/1.1", "Content-Length: 3"),
    "a length and pieces": http("POST /v1/score HTTP/1.1", "Transfer-Encoding: chunked"),
    "a piece whose size is no number": http(
        "POST /v1/score HTTP/1.1", "Transfer-Encoding: chunked", body=b"zz\r\nab\r\n0\r\n\r\n", length=False
    ),
    "a piece that is longer than it says": http(
        "POST /v1/score HTTP/1.1", "Transfer-Encoding: chunked", body=b"1\r\nabc\r\n0\r\n\r\n", length=False
    ),
    "an encoding that is not known": http("POST /v1/score HTTP/1.1", "Transfer-Encoding: gzip", length=False),
    "an address with a blank": http("POST /v1/sc ore HTTP/1.1"),
    "an address that is none": http("POST v1score HTTP/1.1"),
    "CONNECT": http("CONNECT example.org:443 HTTP/1.1", body=b""),
    "a head of 40 kB in one header": http("POST /v1/score HTTP/1.1", f"X-A: {'a' * 40_000}"),
    "a head of 40 kB in many headers": http("POST /v1/score HTTP/1.1", *(f"X-{n}: {'a' * 90}" for n in range(420))),
    "an address of 40 kB": http(f"POST /{'a' * 40_000} HTTP/1.1"),
}
NOT_OURS = {
    "no Host": http(host=None),
    "two Hosts": http("POST /v1/score HTTP/1.1", "Host: localhost"),
    "a foreign Host": http(host="Host: evil.example"),
    "a foreign Host with our port": http(host="Host: evil.example:8080"),
    "a Host that begins like ours": http(host="Host: localhost.evil.example"),
    "a Host that ends like ours": http(host="Host: evil-localhost"),
    "an empty Host": http(host="Host: "),
    "a Host with a path": http(host="Host: localhost/x"),
    "an unknown address": http("POST /v1/nothing HTTP/1.1"),
    "the root": http("GET / HTTP/1.1"),
    "a slash too many": http("POST /v1/score/ HTTP/1.1"),
    "two slashes": http("POST //v1/score HTTP/1.1"),
    "a way up": http("GET /../../etc/passwd HTTP/1.1"),
    "a way up that is hidden": http("GET /v1/%2e%2e/%2e%2e/etc/passwd HTTP/1.1"),
    "an address that is no text": http("GET /%ff%fe HTTP/1.1"),
    "an address with a zero byte": http("GET /%00 HTTP/1.1"),
    "an address with a line's end": http("GET /%0d%0aX-A:%20b HTTP/1.1"),
    "documentation that is not there": http("GET /docs HTTP/1.1"),
    "GET where POST is meant": http("GET /v1/score HTTP/1.1"),
    "PUT": http("PUT /v1/score HTTP/1.1"),
    "DELETE": http("DELETE /v1/score HTTP/1.1"),
    "OPTIONS, as a browser asks": http("OPTIONS /v1/score HTTP/1.1", "Origin: https://evil.example", body=b""),
    "TRACE": http("TRACE /v1/score HTTP/1.1", body=b""),
    "POST where GET is meant": http("POST /healthz HTTP/1.1"),
    "GET where comparisons are meant": http("GET /v1/compare HTTP/1.1"),
}
NOT_JSON = {
    "no type": http(kind=None),
    "a form": http(kind="application/x-www-form-urlencoded"),
    "plain text, as another site may send": http(kind="text/plain"),
    "a type that begins like JSON": http(kind="application/jsonp"),
    "parts": http(kind="multipart/form-data; boundary=x"),
    "a type that is none": http(kind=";;;"),
    "nothing": body(b""),
    "half": body(b'{"records": ['),
    "two values": body(b"{} {}"),
    "prose": body(b"please score this"),
    "single quotes": body(b"{'records': []}"),
    "a comma at the end": body(b'{"records": [],}'),
    "a comment": body(b'{"records": [] /* none */}'),
    "NaN": body(b'{"records": [{"trace": NaN}]}'),
    "Infinity": body(b'{"records": [{"trace": Infinity}]}'),
    "a number beyond all": body(b'{"records": [{"trace": 1e999}]}'),
    "a whole number of 30 digits": body(b'{"records": [{"trace": 1' + b"0" * 29 + b"}]}"),
    "a key twice": body(b'{"records": [], "records": []}'),
    "half of a pair": body(b'{"records": [{"trace": "\\ud800"}]}'),
    "bytes that are no text": body(b'{"records": [{"trace": "\xff"}]}'),
    "UTF-16": body('{"records": []}'.encode("utf-16")),
    "a mark of order": body(b"\xef\xbb\xbf" + GOOD),
    "gzip": body(b"\x1f\x8b\x08" + bytes(40)),
    "a thousand brackets": body(b'{"records": ' + b"[" * 900 + b"]" * 900 + b"}"),
    "a hundred thousand brackets": body(b"[" * 100_000),
    "three hundred levels": to("/verify", {"x": json.loads("[" * 300 + "]" * 300)}),
    "two megabytes": body(b'{"records": ["' + b"a" * 2_000_000 + b'"]}'),
    "two megabytes in pieces": http(
        "POST /v1/score HTTP/1.1",
        "Transfer-Encoding: chunked",
        body=(b"10000\r\n" + b"a" * 65536 + b"\r\n") * 32 + b"0\r\n\r\n",
        length=False,
    ),
    "a length of five gigabytes": http(
        "POST /v1/score HTTP/1.1", f"Content-Length: {5 * 2**30}", body=b"", length=False
    ),
}
NOT_MEANT = {
    **{f"{path} {json.dumps(value)}": to(path, value) for path in ROUTES for value in (None, [], "x", 7, {})},
    "no records": body({"records": []}),
    "records that are an object": body({"records": {}}),
    "records that are null": body({"records": None}),
    "a record that is text": body({"records": ["x"]}),
    "a record that is a list": body({"records": [[]]}),
    "a field too many": body({"records": [ONE], "api_base": "http://127.0.0.1:1"}),
    "a rubric that is a number": body({"records": [ONE], "rubric": 7}),
    "a rubric that is a path": body({"records": [ONE], "rubric": "../../etc/passwd"}),
    "a rubric that is not served": body({"records": [ONE], "rubric": "rar"}),
    "a judge that is not served": body({"records": [ONE], "judge": "openai/gpt-4o"}),
    "verdicts of letters": body({"records": [ONE], "verdicts": "maybe"}),
    "too many records": body({"records": [ONE] * 65}),
    "no pairs": to("/v1/compare", {"pairs": []}),
    "records where pairs are meant": http("POST /v1/compare HTTP/1.1"),
    "a pair of one": to("/v1/compare", {"pairs": [{"a": ONE}]}),
    "a pair of three": to("/v1/compare", {"pairs": [{"a": ONE, "b": ONE, "c": ONE}]}),
    "a pair that is a list": to("/v1/compare", {"pairs": [[ONE, ONE]]}),
    "a pair of null": to("/v1/compare", {"pairs": [{"a": ONE, "b": None}]}),
    "a pair of texts": to("/v1/compare", {"pairs": [{"a": "left", "b": "right"}]}),
    "a comparison with an address": to("/v1/compare", {"pairs": [{"a": ONE, "b": ONE}], "api_base": "http://x"}),
    "a comparison by a rubric that scores": to("/v1/compare", {"pairs": [{"a": ONE, "b": ONE}], "rubric": "pkr"}),
    "a comparison by a judge that cannot": to("/v1/compare", {"pairs": [{"a": ONE, "b": ONE}], "judge": "lexical"}),
    "too many pairs": to("/v1/compare", {"pairs": [{"a": ONE, "b": ONE}] * 33}),
    "a score by a rubric that compares": body({"records": [ONE], "rubric": "pkr-preference"}),
    "a reward by a rubric that compares": to("/v1/reward", {"records": [ONE], "rubric": "pkr-preference"}),
    "a query by a rubric that compares": to(
        "/v1/reward/openrlhf?rubric=pkr-preference", {"query": ["ab"], "prompts": ["a"], "labels": ["A"]}
    ),
    "too few groups": to("/v1/reward", {"records": [ONE, ONE], "groups": [1]}),
    "groups of lists": to("/v1/reward", {"records": [ONE], "groups": [[1]]}),
    "a reward of nothing": to("/v1/reward", {"records": [{}]}),
    "a query without its prompt": to("/v1/reward/openrlhf", {"query": ["a"], "prompts": [], "labels": []}),
    "a query that is text": to("/v1/reward/openrlhf", {"query": "a", "prompts": "a", "labels": "a"}),
    "labels that are null": to("/v1/reward/openrlhf", {"query": ["a"], "prompts": ["a"], "labels": None}),
    "no response": to("/v1/reward/slime", {"prompt": "a", "label": "b"}),
    "a response that is a number": to("/v1/reward/slime", {"prompt": "a", "response": 7}),
    "metadata that is text": to("/v1/reward/slime", {"prompt": "a", "response": "b", "metadata": "c"}),
    "a response that is text": to("/verify", {"responses_create_params": {}, "response": "x"}),
    "an output that is an object": to("/verify", {"responses_create_params": {}, "response": {"output": {}}}),
    "parameters that are a list": to("/verify", {"responses_create_params": [], "response": {}}),
    "an instance that is text": to(
        "/verify", {"responses_create_params": {}, "response": {"output": []}, "instance_config": "x"}
    ),
}
KINDS = {**NOT_HTTP, **NOT_OURS, **NOT_JSON, **NOT_MEANT}


def test_they_are_more_than_a_hundred():
    assert len(KINDS) > 100 and len({*KINDS.values()}) == len(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_malformed_request_is_refused_in_words(service, kind):
    said = service.raw(KINDS[kind])
    head, _, content = said.partition(b"\r\n\r\n")
    status = int(head.split(b" ")[1])
    assert 400 <= status < 500, said
    assert b"content-type: application/json" in head.lower()
    (told,) = json.loads(content).values()
    assert [*told] == ["code", "message", "hint"] and told["code"] and told["message"]
    for hidden in (b"Traceback", b".py", b"/tmp", b"/root", b"judge.serve", b"pydantic"):
        assert hidden not in content
    assert service.ask("GET", "/healthz").status == 200
    assert settled(lambda: service.service.door.inside == service.service.room.held == 0)


def test_bodies_made_from_the_schema_are_never_a_5xx(service, caplog):
    caplog.set_level(logging.CRITICAL, "judge.rewards")
    schema = build_routes(service.service).openapi()
    statuses = set()
    for path, content in bodies(schema, 500):
        answer = service.post(path, content)
        statuses.add(answer.status)
        assert answer.status < 500, (path, content, answer.content)
        assert answer.status == 200 or answer.error["message"]
    assert {200, 422} <= statuses
