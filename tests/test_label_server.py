"""The page as a server: who may ask, what may be asked, and what is written."""

import base64
import http.client
import json

import pytest
from image_kit import corners, encode
from label_kit import TOKEN, TRACE, record, serving, unit, write_traces

from judge.errors import ConfigError
from judge.label import server as served
from judge.label.labels import open_labels
from judge.web.server import listen

WHOLE = {"presence": 2, "correctness": 1, "evidence": None}
HOSTILE = "<img src=x onerror=alert(1)></script><script>alert(1)</script>{{7*7}}"


@pytest.fixture
def page(tmp_path):
    with serving(tmp_path, record("r1"), record("r2", model="n")) as served:
        yield served


# ---- who may ask


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/page.js",
        "/tasks",
        "/records/0",
        f"/{TOKEN[:-1]}/",
        f"/{TOKEN}x/tasks",
        f"/{TOKEN.upper()}/",
        f"//{TOKEN}/",
        f"/?{TOKEN}",
        f"/tasks?token={TOKEN}",
        "/%ff/",
    ],
)
def test_without_the_token_nothing_is_told(page, target):
    answer = page.raw("GET", target)
    assert answer.status == 403
    assert answer.content == b"Forbidden: use the address that judge label printed.\n"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "", "[::1]:{port}"]
)
def test_a_foreign_host_is_refused_even_with_the_token(page, host):
    assert page.ask("GET", "tasks", Host=host.format(port=page.port)).status == 403


def test_the_names_of_this_machine_are_ours(page):
    for host in ("127.0.0.1", "localhost"):
        assert page.ask("GET", "tasks", Host=f"{host}:{page.port}").status == 200


def test_two_hosts_are_none(page):
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=10)
    connection.putrequest("GET", f"/{TOKEN}/tasks")
    connection.putheader("Host", "evil.example")
    connection.endheaders()
    assert connection.getresponse().status in (400, 403)
    connection.close()


def test_another_site_cannot_write_even_with_the_token(page):
    put = ("PUT", "records/0/labels/0", WHOLE)
    for origin in ("https://evil.example", "null", f"http://127.0.0.1:{page.port}1", f"https://127.0.0.1:{page.port}"):
        assert page.ask(*put, Origin=origin).status == 403
    assert page.rows() == []
    assert page.ask(*put, Origin=f"http://127.0.0.1:{page.port}").status == 200


def test_it_listens_on_loopback_only(page):
    with listen(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"
    with pytest.raises(ConfigError, match=rf"--port {page.port}: Address already in use\. Give another one"):
        listen(page.port)


@pytest.mark.parametrize(
    "path",
    [
        "../labels.jsonl",
        "..%2f..%2fetc/passwd",
        "%2e%2e/server.py",
        "server.py",
        "page.html",
        "/etc/passwd",
        "page.js/",
        "records/-1",
        "records/2",
        "records/0/labels/3",
        "records/x",
    ],
)
def test_there_is_nothing_but_the_page(page, path):
    assert page.ask("GET", path).status in (404, 405)
    assert page.ask("PUT", path, WHOLE).status in (404, 405)


def test_every_answer_has_the_policy(page):
    for path, kind in {
        "": "text/html",
        "page.css": "text/css",
        "page.js": "text/javascript",
        "tasks": "application/json",
    }.items():
        answer = page.ask("GET", path)
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith(kind)
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_names_no_address_outside(page):
    for path in ("", "page.css", "page.js", "passage.js"):
        content = page.ask("GET", path).content.decode()
        assert "http:" not in content and "https:" not in content and "//" not in content.replace("// ", "")
        assert "style=" not in content and "onclick" not in content  # the policy would drop them
        assert not any(word in content for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write"))


# ---- what is told


def test_a_record_is_told_as_a_person_may_see_it(page):
    told = page.json("GET", "tasks")
    assert told["records"] == [[3, 0], [3, 0]]
    assert (told["rater"], told["rubric"], told["out"], told["skipped"]) == ("ann", "pkr@1.0", "labels.jsonl", [])
    sheet = page.json("GET", "records/1")["sheet"]
    assert sheet["trace"] == TRACE
    assert [(one["axis"], one["unit_id"]) for one in sheet["units"]] == [
        ("perception", "P1"),
        ("perception", "P2"),
        ("rationale", "R1"),
    ]


def test_neither_a_judge_nor_a_model_is_told_of(tmp_path):
    told = {"model": "SECRET-MODEL", "meta": {"verdict": "SECRET-META"}, "score": "SECRET-SCORE"}
    with serving(tmp_path, record(**told)) as page:
        assert b"SECRET" not in page.ask("GET", "records/0").content
        assert b"SECRET" not in page.ask("GET", "tasks").content


def test_texts_of_records_never_reach_the_page_as_html(tmp_path):
    hostile = record(HOSTILE, question=HOSTILE, trace=HOSTILE)
    with serving(tmp_path, hostile, rater=HOSTILE) as page:
        assert HOSTILE.encode() not in page.ask("GET", "").content
        answer = page.ask("GET", "records/0")
        assert answer.headers["Content-Type"] == "application/json"
        assert json.loads(answer.content)["sheet"]["question"] == HOSTILE


def test_images_are_told_as_data_and_a_bad_one_leaves_its_record_out(tmp_path):
    (tmp_path / "a.png").write_bytes(encode(corners()))
    (tmp_path / "b.png").write_bytes(b"no image")
    outside = record("r3", image="../../etc/passwd")
    with serving(tmp_path, record("r1", image="a.png"), record("r2", image="b.png"), outside) as page:
        (image,) = page.json("GET", "records/0")["sheet"]["images"]
        kind, _, data = image.partition(",")
        assert kind == "data:image/png;base64"
        assert base64.b64decode(data).startswith(b"\x89PNG")
        told = page.json("GET", "tasks")
        assert told["records"] == [[3, 0]]
        assert [(one["line"], one["id"]) for one in told["skipped"]] == [(2, "r2"), (3, "r3")]
        assert told["skipped"][0]["message"].startswith("line 2, image: ")


def test_records_that_cannot_be_labelled_are_told_with_the_reason(tmp_path):
    rows = [
        record("r1"),
        "{broken",
        record("r1"),
        record("r1", model="n"),
        record("r5", units={}),
        record("r6", units={"style": [unit("S1")]}),
    ]
    with serving(tmp_path, *rows) as page:
        told = page.json("GET", "tasks")
    assert told["records"] == [[3, 0], [3, 0]]  # lines 1 and 4: one question, two models
    messages = {one["line"]: one["message"] for one in told["skipped"]}
    assert sorted(messages) == [2, 3, 5, 6]
    assert "line 3, id: is 'r1', as in line 1, and the model is the same too." in messages[3]
    assert "has no unit" in messages[5]
    assert "is not an axis of the rubric 'pkr'" in messages[6]


# ---- what is written


def test_a_label_is_written_as_the_contract_says(page):
    quote = {"quote": "The right base is opaque", "start": 2, "end": 26}
    answer = page.json("PUT", "records/1/labels/2", {**WHOLE, "evidence": quote})
    assert answer == {"label": {**WHOLE, "evidence": quote}, "done": 1}
    (row,) = page.rows()
    assert row.pop("record_key")
    assert row == {
        "record_id": "r2",
        "model": "n",
        "axis": "rationale",
        "unit_id": "R1",
        "rater": "ann",
        "presence": 2,
        "correctness": 1,
        "evidence": "The right base is opaque",
        "evidence_start": 2,
        "evidence_end": 26,
    }
    assert sorted(path.name for path in page.out.parent.iterdir()) == ["labels.jsonl", "traces.jsonl"]


# Of TRACE, in code points: 🫁 is 0 (two units of UTF-16), 右肺 are 28 and 29, 𝔠 is 34 (two again), \r\n are 40 and 41.
@pytest.mark.parametrize(
    ("quote", "start", "end"),
    [("🫁", 0, 1), ("🫁 The", 0, 5), ("右肺", 28, 30), ("𝔠lear", 34, 39), ("lear.\r\n<answer>", 35, 50)],
)
def test_offsets_are_code_points_of_the_trace(page, quote, start, end):
    assert TRACE[start:end] == quote  # what the test itself says
    body = {**WHOLE, "evidence": {"quote": quote, "start": start, "end": end}}
    page.json("PUT", "records/0/labels/0", body)
    (row,) = page.rows()
    assert TRACE[row["evidence_start"] : row["evidence_end"]] == row["evidence"] == quote


@pytest.mark.parametrize(
    ("quote", "start", "end"),
    [
        ("The", 3, 6),  # UTF-16 units
        ("The", 6, 9),  # bytes
        ("the", 2, 5),
        ("The", 2, 6),
        ("The", 5, 2),
        ("T", 2, 10**9),
    ],
)
def test_a_quote_that_is_not_where_it_says_is_refused(page, quote, start, end):
    body = {**WHOLE, "evidence": {"quote": quote, "start": start, "end": end}}
    answer = page.ask("PUT", "records/0/labels/0", body)
    assert answer.status == 422
    message = f"the quote is not at {start} to {end} of the trace, in code points."
    assert json.loads(answer.content) == {"error": message}
    assert page.rows() == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"presence": 3, "correctness": 1}, "presence: Input should be 0, 1 or 2"),
        ({"presence": "2", "correctness": 1}, "presence: Input should be 0, 1 or 2"),
        ({"presence": 1}, "correctness must be -1, 0 or 1 where presence is 1 or 2"),
        ({"presence": 1, "correctness": 2}, "correctness: Input should be -1, 0 or 1"),
        ({"correctness": 1}, "presence: Field required"),
        ({**WHOLE, "rater": "ben"}, "rater: Extra inputs are not permitted"),
        ({**WHOLE, "evidence": {"quote": "", "start": 0, "end": 1}}, "evidence.quote: String should have at least 1"),
        ([], "Input should be a valid dictionary"),
        (b"{", "is no label: "),
        (b'{"presence":0,"presence":2}', "is no label: "),
        (b'{"presence":0,"evidence":{"quote":"\\ud83e","start":0,"end":1}}', "is no label: "),
    ],
)
def test_what_is_no_label_is_refused(page, body, message):
    answer = page.ask("PUT", "records/0/labels/0", body)
    assert answer.status == 422
    assert message in json.loads(answer.content)["error"]
    assert page.rows() == []


def test_what_is_not_raised_has_neither_correctness_nor_evidence(page):
    body = {"presence": 0, "correctness": 1, "evidence": {"quote": "The", "start": 2, "end": 5}}
    answer = page.json("PUT", "records/0/labels/0", body)
    assert answer["label"] == {"presence": 0, "correctness": None, "evidence": None}
    assert [page.rows()[0][name] for name in ("correctness", "evidence", "evidence_start")] == [None, None, None]


def test_a_request_without_end_is_refused(page, monkeypatch):
    monkeypatch.setattr(served, "MAX_BODY_BYTES", 1000)
    answer = page.ask("PUT", "records/0/labels/0", b" " * 1001)
    assert answer.status == 413
    assert page.ask("PUT", "records/0/labels/0", json.dumps(WHOLE).encode().ljust(1000)).status == 200


def test_a_label_can_be_changed_and_taken_back(page):
    page.json("PUT", "records/0/labels/1", WHOLE)
    page.json("PUT", "records/0/labels/0", {"presence": 0})
    changed = page.json("PUT", "records/0/labels/1", {"presence": 1, "correctness": -1})
    assert changed["done"] == 2
    assert [(row["unit_id"], row["presence"]) for row in page.rows()] == [("P2", 1), ("P1", 0)]
    assert page.json("DELETE", "records/0/labels/1") == {"label": None, "done": 1}
    assert [row["unit_id"] for row in page.rows()] == ["P1"]
    assert page.json("DELETE", "records/0/labels/1")["done"] == 1


def test_it_goes_on_where_the_rater_stopped(tmp_path):
    rows = [record("r1"), record("r2")]
    with serving(tmp_path, *rows) as page:
        page.json("PUT", "records/0/labels/0", WHOLE)
        page.json("PUT", "records/1/labels/1", {"presence": 0})
    with serving(tmp_path, *rows, rater="ben") as page:
        assert page.json("GET", "tasks")["records"] == [[3, 0], [3, 0]]  # blind to other raters
        assert page.json("GET", "records/0")["labels"] == [None] * 3
        page.json("PUT", "records/0/labels/0", {"presence": 0})
    with serving(tmp_path, *rows) as page:
        assert page.json("GET", "tasks")["records"] == [[3, 1], [3, 1]]
        assert page.json("GET", "records/0")["labels"] == [WHOLE, None, None]
        assert [(row["rater"], row["record_id"], row["unit_id"]) for row in page.rows()] == [
            ("ann", "r1", "P1"),
            ("ann", "r2", "P2"),
            ("ben", "r1", "P1"),
        ]


def test_a_record_that_has_changed_is_labelled_anew(tmp_path):
    with serving(tmp_path, record("r1")) as page:
        page.json("PUT", "records/0/labels/0", WHOLE)
    with serving(tmp_path, record("r1", trace=f"{TRACE} more")) as page:
        assert page.json("GET", "tasks")["records"] == [[3, 0]]
        assert len(page.rows()) == 1  # kept until there is another one
        page.json("PUT", "records/0/labels/0", {"presence": 0})
        assert [row["presence"] for row in page.rows()] == [0]


def test_a_file_that_cannot_be_written_is_told_and_no_label_is_shown_as_saved(page):
    page.json("PUT", "records/0/labels/0", WHOLE)
    page.out.write_bytes(page.out.read_bytes() + b"\n")
    answer = page.ask("PUT", "records/0/labels/1", WHOLE)
    assert answer.status == 409
    assert "labels.jsonl was changed by another program." in json.loads(answer.content)["error"]
    assert page.json("GET", "records/0")["done"] == 1


def test_the_file_is_free_again_when_the_page_is_gone(tmp_path):
    with serving(tmp_path, record()):
        pass
    with open_labels(tmp_path / "labels.jsonl", "ben"):
        pass


def test_the_traces_are_not_taken_for_labels(tmp_path):
    traces = write_traces(tmp_path / "labels.jsonl", record())
    before = traces.read_bytes()
    with pytest.raises(ConfigError, match="line 1: is no label"), serving(tmp_path, record()):
        pass
    assert traces.read_bytes() == before
