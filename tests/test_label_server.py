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
    assert [one["parts"] for one in sheet["seen"]] == [[[[0, TRACE]]]]
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


AXES = """
  seen: {kind: checklist, description: What is seen., view: [image, trace.answer]}
  safe:
    kind: criteria
    description: What is safe.
    view: [question, options, context, trace.reasoning]
    criteria:
      - {id: C1, text: Says when to come back., points: 2}
      - {id: C2, text: Names a wrong dose., points: 1, polarity: negative}
  good:
    kind: scale
    description: How good is it?
    levels: [{level: -1, anchor: Harmful.}, {level: 0, anchor: Useless.}, {level: 1, anchor: Of use.}]
"""


def rubric_file(tmp_path, axes=AXES):
    path = tmp_path / "r.yaml"
    path.write_text(f'name: r\nversion: "1"\ndescription: d\nguidelines: Be fair.\naxes:{axes}')
    return str(path)


@pytest.fixture
def mixed(tmp_path):
    (tmp_path / "a.png").write_bytes(encode(corners()))
    told = {"options": {"A": "left"}, "context": "Fever.", "reference": {"answer": "A", "reasoning": "Because."}}
    units = {"seen": [unit("S1")]}
    row = record(trace="<think> It rains. </think> Wet.", units=units, image="a.png", **told)
    with serving(tmp_path, row, rubric=rubric_file(tmp_path)) as page:
        yield page


def test_of_each_axis_a_person_is_told_what_its_judge_sees(mixed):
    assert mixed.json("GET", "tasks")["guidelines"] == "Be fair."
    sheet = mixed.json("GET", "records/0")["sheet"]
    assert len(sheet["images"]) == 1
    nothing = {"question": "", "options": [], "context": "", "answer": "", "reasoning": "", "images": 0}
    question = {"question": "Which lobe?", "options": [["A", "left"]], "context": "Fever."}
    whole = {**question, "answer": "A", "reasoning": "Because.", "images": 1}
    assert {one["axis"]: sheet["seen"][one["seen"]] for one in sheet["units"]} == {
        "seen": {**nothing, "images": 1, "parts": [[[27, "Wet."]]]},
        "safe": {**nothing, **question, "parts": [[[8, "It rains."]]]},
        "good": {**whole, "parts": [[[0, "<think> It rains. </think> Wet."]]]},
    }


def test_an_image_that_no_judge_sees_is_not_told(tmp_path):
    (tmp_path / "a.png").write_bytes(encode(corners()))
    axes = "\n  seen: {kind: checklist, description: d, view: [question]}"
    row = record(units={"seen": [unit("S1")]}, image="a.png")
    with serving(tmp_path, row, rubric=rubric_file(tmp_path, axes)) as page:
        assert page.json("GET", "records/0")["sheet"]["images"] == []


def test_what_is_asked_goes_by_the_kind_of_the_axis(mixed):
    units = mixed.json("GET", "records/0")["sheet"]["units"]
    assert [(one["unit_id"], one["answer"], one["good"], one["levels"]) for one in units] == [
        ("S1", "presence", True, []),
        ("C1", "verdict", True, []),
        ("C2", "verdict", False, []),
        ("level", "value", True, [[-1, "Harmful."], [0, "Useless."], [1, "Of use."]]),
    ]
    assert "points" not in units[1]  # a judge is not told of them either


def test_each_kind_is_written_with_what_it_has(mixed):
    here = {"quote": "rains", "start": 11, "end": 16}
    mixed.json("PUT", "records/0/labels/0", {"presence": 0})
    told = mixed.json("PUT", "records/0/labels/2", {"verdict": "CANNOT_ASSESS", "evidence": here})
    assert told == {"label": {"verdict": "CANNOT_ASSESS", "evidence": here}, "done": 2}
    mixed.json("PUT", "records/0/labels/3", {"value": -1})
    rows = mixed.rows()
    asked = ("presence", "correctness", "verdict", "value")
    assert [{name: row[name] for name in asked if name in row} for row in rows] == [
        {"presence": 0, "correctness": None},
        {"verdict": "CANNOT_ASSESS"},
        {"value": -1},
    ]
    assert [(row["axis"], row["unit_id"], row["evidence_start"]) for row in rows] == [
        ("seen", "S1", None),
        ("safe", "C2", 11),
        ("good", "level", None),
    ]
    assert mixed.json("GET", "records/0")["labels"][3] == {"value": -1, "evidence": None}


@pytest.mark.parametrize(
    ("unit", "body", "message"),
    [
        (0, {"verdict": "MET"}, "presence: Field required"),
        (1, {"presence": 2, "correctness": 1}, "verdict: Field required"),
        (1, {"verdict": "met"}, "verdict: Input should be 'MET', 'UNMET' or 'CANNOT_ASSESS'"),
        (1, {"verdict": "MET", "value": 1}, "value: Extra inputs are not permitted"),
        (3, {"value": 2}, "value: must be one of -1, 0, 1."),
        (3, {"value": 0.0}, "value: Input should be a valid integer"),
        (3, {"value": True}, "value: Input should be a valid integer"),
    ],
)
def test_an_answer_to_another_question_is_refused(mixed, unit, body, message):
    answer = mixed.ask("PUT", f"records/0/labels/{unit}", body)
    assert answer.status == 422
    assert message in json.loads(answer.content)["error"]
    assert mixed.rows() == []


def test_a_quote_of_what_is_not_shown_is_refused(mixed):
    said = {"quote": "Wet.", "start": 27, "end": 31}
    for wrong in ({**said, "start": 0, "end": 4}, {"quote": "e", "start": 28, "end": 25}):  # counted in the part
        assert (
            mixed.ask("PUT", "records/0/labels/0", {"presence": 2, "correctness": 1, "evidence": wrong}).status == 422
        )
    answer = mixed.ask("PUT", "records/0/labels/1", {"verdict": "MET", "evidence": said})
    assert answer.status == 422
    assert "is not at 27 to 31 of what is shown of the trace" in json.loads(answer.content)["error"]
    assert mixed.json("PUT", "records/0/labels/3", {"value": 1, "evidence": said})["label"]["evidence"] == said


def test_criteria_of_the_record_are_asked_too(tmp_path):
    row = record(units={"criteria": [unit("c1", points=5), unit("c2", points=-3)]})
    with serving(tmp_path, row, rubric="healthbench") as page:
        units = page.json("GET", "records/0")["sheet"]["units"]
        assert [(one["unit_id"], one["answer"], one["good"]) for one in units] == [
            ("c1", "verdict", True),
            ("c2", "verdict", False),
        ]
        page.json("PUT", "records/0/labels/1", {"verdict": "UNMET"})
        assert [(row["axis"], row["unit_id"], row["verdict"]) for row in page.rows()] == [("criteria", "c2", "UNMET")]


def test_rows_of_healthbench_are_labelled_as_they_are(tmp_path):
    criteria = [{"criterion": "Asks for how long.", "points": 5, "tags": ["axis:context_seeking"]}]
    row = {"prompt": [{"role": "user", "content": "It hurts."}], "rubrics": criteria, "trace": "Since when?"}
    with serving(tmp_path, row, rubric="healthbench") as page:
        (one,) = page.json("GET", "records/0")["sheet"]["units"]
        assert (one["claim"], one["answer"]) == ("Asks for how long.", "verdict")
        assert page.json("PUT", "records/0/labels/0", {"verdict": "MET"})["done"] == 1


def test_leaves_of_a_tree_are_asked_with_what_they_are_a_part_of(tmp_path):
    tree = """
  paper:
    kind: criteria
    scoring: tree
    description: d
    criteria:
      - {id: root, text: It is done., children: [{id: a, text: Data., points: 2}, {id: b, text: Model.}]}
"""
    with serving(tmp_path, record(units={}), rubric=rubric_file(tmp_path, tree)) as page:
        units = page.json("GET", "records/0")["sheet"]["units"]
        assert [(one["unit_id"], one["within"]) for one in units] == [("a", ["It is done."]), ("b", ["It is done."])]
        page.json("PUT", "records/0/labels/0", {"verdict": "MET"})
        assert [(row["unit_id"], row["verdict"]) for row in page.rows()] == [("a", "MET")]


RATED = """
  all:
    kind: criteria
    scoring: rar_implicit
    description: How good is it in all?
    criteria:
      - {id: a, text: Names the dose., importance: Essential}
      - {id: b, text: Names a wrong drug., points: -3, polarity: negative}
"""


def test_a_rating_is_one_number_for_all_criteria(tmp_path):
    with serving(tmp_path, record(units={}), rubric=rubric_file(tmp_path, RATED)) as page:
        (one,) = page.json("GET", "records/0")["sheet"]["units"]
        assert (one["unit_id"], one["answer"], [level for level, _ in one["levels"]]) == (
            "rating",
            "value",
            [*range(1, 11)],
        )
        assert one["rated"] == [
            {"text": "Names the dose.", "importance": "Essential", "worth": 1.0, "good": True},
            {"text": "Names a wrong drug.", "importance": None, "worth": 3.0, "good": False},
        ]
        assert page.ask("PUT", "records/0/labels/0", {"value": 0}).status == 422
        page.json("PUT", "records/0/labels/0", {"value": 10})
        assert [(row["axis"], row["unit_id"], row["value"]) for row in page.rows()] == [("all", "rating", 10)]


@pytest.mark.parametrize("kind", ["faithfulness", "preference"])
def test_claims_of_the_trace_are_asked_of_judges_only_and_preferences_of_nobody(tmp_path, kind):
    axes = f"\n  true_to: {{kind: {kind}, description: d}}"
    with serving(tmp_path, record(units={}), rubric=rubric_file(tmp_path, axes)) as page:
        told = page.json("GET", "tasks")
        assert told["records"] == []
        assert f"has nothing to label: the rubric 'r' asks only about {kind}." in told["skipped"][0]["message"]
    row = record(units={"seen": [unit("S1")]})
    with serving(tmp_path, row, rubric=rubric_file(tmp_path, AXES + axes[1:])) as page:
        assert page.json("GET", "tasks")["records"] == [[4, 0]]


def test_an_answer_to_what_was_asked_before_is_none(tmp_path):
    levels = "levels: [{level: 0, anchor: a}, {level: 1, anchor: b}]"
    scale = "\n  seen: {kind: scale, description: d, LEVELS}".replace("LEVELS", levels)
    row = record(units={})
    with serving(tmp_path, row, rubric=rubric_file(tmp_path, scale)) as page:
        page.json("PUT", "records/0/labels/0", {"value": 1})
    with serving(tmp_path, row, rubric=rubric_file(tmp_path, scale.replace("level: 1", "level: 3"))) as page:
        assert page.json("GET", "tasks")["records"] == [[1, 0]]
        assert page.json("GET", "records/0")["labels"] == [None]
        page.json("PUT", "records/0/labels/0", {"value": 3})
        assert [row["value"] for row in page.rows()] == [3]
    criteria = "\n  seen: {kind: criteria, description: d, criteria: [{id: level, text: t}]}"
    with serving(tmp_path, row, rubric=rubric_file(tmp_path, criteria)) as page:
        assert page.json("GET", "tasks")["records"] == [[1, 0]]


def test_texts_of_records_never_reach_the_page_as_html(tmp_path):
    hostile = record(HOSTILE, question=HOSTILE, trace=HOSTILE)
    with serving(tmp_path, hostile, rater=HOSTILE) as page:
        assert HOSTILE.encode() not in page.ask("GET", "").content
        answer = page.ask("GET", "records/0")
        assert answer.headers["Content-Type"] == "application/json"
        assert json.loads(answer.content)["sheet"]["seen"][0]["question"] == HOSTILE


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
        (TRACE[2:], 2, 10**9),
    ],
)
def test_a_quote_that_is_not_where_it_says_is_refused(page, quote, start, end):
    body = {**WHOLE, "evidence": {"quote": quote, "start": start, "end": end}}
    answer = page.ask("PUT", "records/0/labels/0", body)
    assert answer.status == 422
    message = f"the quote is not at {start} to {end} of what is shown of the trace, in code points."
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
