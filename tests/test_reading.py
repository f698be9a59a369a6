"""Images on their way from a record to a judge: what is sent, what is refused, and what a record is known by."""

from __future__ import annotations

import asyncio
import base64
import http.server
import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from image_kit import bomb, build, corners, encode
from PIL import Image as PilImage
from run_kit import NAME, RUBRIC, environment, make_record, read_failures, run_judge, score, settings_for, to_lines

from judge import Judge
from judge.errors import ConfigError, RecordError
from judge.image import ImageRules
from judge.run import score_file
from judge.settings import Settings
from judge.testing import Ask, Server, obedient
from judge.traces.reading import Reader, Traces
from judge.traces.references import open_references

PNG = encode(corners())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.png").write_bytes(PNG)
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def record_with(image: Any, number: int = 1) -> dict[str, Any]:
    return {**make_record(number), "image": image}


def read(fields: dict[str, Any], root: Path | None = None, **rules: Any) -> Any:
    return asyncio.run(Reader(images=ImageRules(root=root, **rules)).record(json.dumps(fields).encode(), 1))


def ask(root: Path, out: Path, images: list[Any], server: Server, **changes: Any) -> list[dict[str, Any]]:
    """Failures of a run over a record for each of these images."""
    path = root / "traces.jsonl"
    path.write_bytes(to_lines(record_with(image, number) for number, image in enumerate(images, start=1)))
    settings = settings_for(server, **changes)
    images_from = settings.image_rules(root=root, allow_urls=False)
    asyncio.run(score_file(Traces(path=str(path), images=images_from), out, settings))
    return read_failures(out)


def listening(heard: list[Ask], **behaviour: Any) -> Server:
    def script(asked: Ask) -> Any:
        heard.append(asked)
        return obedient(asked)

    return Server(script=script, **behaviour)


# What is sent.


@pytest.mark.parametrize("judge", [NAME, f"litellm/{NAME}"])
def test_images_are_sent_before_the_text_as_data(judge: str, root: Path, out: Path) -> None:
    """Through both HTTP backends; as the image module made them, so without what the file says beside the pixels."""
    heard: list[Ask] = []
    inline = "data:image/png;base64," + base64.b64encode(encode(PilImage.new("RGB", (8, 8), "red"))).decode()
    with listening(heard) as server:
        assert ask(root, out, [["a.png", inline], None], server, judge=judge) == []
    first, second = sorted(heard, key=lambda asked: -len(asked.images))
    assert first.images == (build(PNG).data_url, build(encode(PilImage.new("RGB", (8, 8), "red"))).data_url)
    content = first.body["messages"][-1]["content"]  # type: ignore[index]
    assert [part["type"] for part in content] == ["image_url", "image_url", "text"]
    assert content[2]["text"].startswith("# Image\n\nThe 2 images above belong to the question.\n\n# Question")
    assert second.images == ()
    assert isinstance(second.body["messages"][-1]["content"], str)  # type: ignore[index]


def test_one_image_is_named_as_one(root: Path, out: Path) -> None:
    heard: list[Ask] = []
    with listening(heard) as server:
        ask(root, out, ["a.png"], server)
    text = heard[0].body["messages"][-1]["content"][1]["text"]  # type: ignore[index]
    assert text.startswith("# Image\n\nThe image above belongs to the question.\n\n# Question")


def test_the_cap_is_kept_and_makes_another_judge(root: Path, out: Path) -> None:
    (root / "large.png").write_bytes(encode(PilImage.new("RGB", (400, 100), "blue")))
    heard: list[Ask] = []
    with listening(heard) as server:
        ask(root, out, ["large.png"], server, image_max_side=64)
        one, other = (settings_for(server, image_max_side=side).labels.judge for side in (64, 65))
    data = base64.b64decode(heard[0].images[0].partition(",")[2])
    assert PilImage.open(io.BytesIO(data)).size == (64, 16)
    assert one != other


def test_the_library_sends_images_too(root: Path) -> None:
    heard: list[Ask] = []
    with listening(heard) as server:
        judge = Judge(NAME, api_base=server.api_base, image_root=root)
        given = ["a.png", {"bytes": PNG, "path": None}, corners()]
        run = judge.score([record_with(image, number) for number, image in enumerate(given)])
        assert run.failures.is_empty()
        assert {asked.images for asked in heard} == {(build(PNG).data_url,)}
        refused = Judge(NAME, api_base=server.api_base).score([record_with("a.png")])
        assert refused.failures["error"].to_list() == ["image_path_outside_root"]
        judge.close()


# What a record is known by.


def test_a_record_is_known_by_what_its_images_hold(root: Path) -> None:
    (root / "b.png").write_bytes(PNG)
    (root / "c.png").write_bytes(encode(PilImage.new("RGB", (48, 32), "red")))
    without_id = {name: value for name, value in record_with(None).items() if name != "id"}
    a, b, c, inline = (
        read({**without_id, "image": image}, root)
        for image in ("a.png", "b.png", "c.png", {"bytes": base64.b64encode(PNG).decode(), "path": "x"})
    )
    assert (a.key, a.id) == (b.key, b.id) == (inline.key, inline.id)
    assert a.key != c.key and a.id != c.id


def test_another_picture_under_the_same_name_is_asked_anew(root: Path, out: Path, tmp_path: Path) -> None:
    with Server() as server:
        for _ in range(2):
            ask(root, out, ["a.png"], server, cache=tmp_path / "store")
        assert server.ledger.requests == 1
        (root / "a.png").write_bytes(encode(PilImage.new("RGB", (48, 32), "red")))
        ask(root, out, ["a.png"], server, cache=tmp_path / "store")
        assert server.ledger.requests == 2


# What is refused.


def test_a_bad_image_is_one_failure_and_no_call(root: Path, out: Path) -> None:
    (root / "torn.png").write_bytes(PNG[:60])
    (root / "bomb.png").write_bytes(bomb(20_000, 20_000))
    images = ["a.png", "torn.png", "bomb.png", "gone.png", ["a.png", "data:image/png;base64,!"], {"path": 3}, "a.png"]
    with Server() as server:
        failures = ask(root, out, images, server)
        assert server.ledger.requests == 2
    assert [row["line"] for row in failures] == [2, 3, 4, 5, 6]
    errors = [row["error"] for row in failures]
    assert errors[:3] == ["image_unreadable", "image_too_many_pixels", "image_not_found"]
    assert all(error.startswith("image_") for error in errors)
    assert [row["record_id"] for row in failures] == ["r2", "r3", "r4", "r5", "r6"]
    assert failures[3]["message"].startswith("line 5, image[1]:")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_model_that_sees_no_images_stops_the_run_before_anything_is_paid(workers: int, root: Path, out: Path) -> None:
    traces = root / "traces.jsonl"
    traces.write_bytes(to_lines(record_with("a.png", number) for number in range(1, 80)))
    with Server(blind=True, model="any") as server:
        words = ("--judge", NAME, "--api-base", server.api_base, "--cache", "none", "--workers", workers)
        code, said = run_judge("score", traces, "--out", out, *words)
        assert (server.ledger.requests, server.ledger.paid) == (1, 0)
    assert code == 2, said
    assert "any is not a multimodal model" in said
    assert "Use a judge that sees images, or remove them from the records." in said


@pytest.mark.parametrize("judge", ["openai/o3-mini", "deepseek/any"])
def test_a_judge_that_is_known_to_be_blind_is_refused_unasked(
    judge: str, root: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one by litellm's map; the other because litellm would leave the image out of the request without a word."""
    monkeypatch.setenv("DEEPSEEK_API_KEY", "k" * 20)
    with Server() as server:
        with pytest.raises(ConfigError, match=f"the records have images, and {judge} reads texts only"):
            ask(root, out, ["a.png"], server, judge=judge)
        assert server.ledger.requests == 0
        failures = ask(root, out, [None, "a.png", None], server, judge=judge)
        assert [(row["line"], row["error"]) for row in failures] == [(2, "image_not_seen")]
        assert server.ledger.requests == 2


def test_the_baseline_opens_no_image(root: Path, out: Path) -> None:
    settings = Settings(judge="lexical", rubric=RUBRIC)
    assert settings.image_rules(root=root, allow_urls=True) is None
    report = score([record_with("nowhere/at/all.png")], out, "", judge="lexical", api_base=None)
    assert (report.read, report.scored) == (1, 1)


@pytest.fixture
def trap() -> Iterator[tuple[str, list[str]]]:
    """A server on loopback that nobody may be led to, and what it was asked."""
    hits: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hits.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}", hits
    server.shutdown()
    server.server_close()
    thread.join()


OUTSIDE = """
import os, sys
sys.modules["uvloop"] = None  # it connects without telling Python's audit
root, log = {root!r}, {log!r}
seen = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
def watch(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        path = os.fsdecode(arguments[0])
        if "secret.png" in path or "passwd" in path or path.startswith("/proc/"):
            os.write(seen, (path + "\\n").encode())
    elif event in ("socket.connect", "socket.getaddrinfo"):
        os.write(seen, f"{{event}} {{arguments}}\\n".encode())
sys.addaudithook(watch)
"""


@pytest.mark.parametrize("urls", [False, True])
def test_no_record_leads_us_or_the_judge_astray(
    urls: bool, root: Path, out: Path, tmp_path: Path, trap: tuple[str, list[str]]
) -> None:
    """Through the whole command: nothing outside the root is opened, no private host is asked, no address is sent."""
    (tmp_path / "secret.png").write_bytes(PNG)
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    (root / "up").symlink_to(tmp_path)
    host, hits = trap
    port = host.partition(":")[2]
    paths = ["../secret.png", str(tmp_path / "secret.png"), "/etc/passwd", "link.png", "up/secret.png"]
    paths += [f"file://{tmp_path}/secret.png", "//server/secret.png", "a\0secret.png", "x/../../secret.png"]
    hosts = [host, f"[::ffff:127.0.0.1]:{port}", f"2130706433:{port}", f"0x7f.1:{port}", "169.254.169.254", "10.0.0.1"]
    hosts += [f"localhost:{port}", "[::1]", "0.0.0.0", "192.168.1.1", "100.64.0.1", "metadata.google.internal.invalid"]
    addresses = [f"{scheme}://{host}/canary" for host in hosts for scheme in ("https", "http")]
    images = [*paths, *addresses, *({"url": address} for address in addresses), "ftp://127.0.0.1/canary", "a.png"]
    traces, log, heard = root / "traces.jsonl", tmp_path / "seen.log", tmp_path / "ledger"
    traces.write_bytes(to_lines(record_with(image, number) for number, image in enumerate(images, start=1)))
    bodies: list[Ask] = []
    with listening(bodies) as server:
        words = ("--judge", NAME, "--api-base", server.api_base, "--cache", "none", "--quiet")
        more = ["--allow-image-urls"] if urls else []
        watched = OUTSIDE.format(root=str(root), log=str(log))
        code, said = run_judge(
            "score", traces, "--out", out, *words, *more, script=watched, env=environment(), timeout_s=120
        )
        asked = server.ledger.requests
        port_of_judge = server.api_base.split(":")[2].partition("/")[0]
    assert code == 3, said
    failures = read_failures(out)
    assert len(failures) == len(images) - 1
    assert all(row["error"].startswith("image_") for row in failures)
    assert asked == 1
    assert bodies[0].images == (build(PNG).data_url,)
    assert "canary" not in json.dumps(bodies[0].body)
    assert hits == []
    opened = [line for line in log.read_text().splitlines() if not line.startswith("socket.")]
    assert opened == []
    connected = [line for line in log.read_text().splitlines() if line.startswith("socket.connect")]
    assert connected  # the watch works
    assert all(f"'127.0.0.1', {port_of_judge}" in line for line in connected)
    assert not heard.exists()


def test_an_error_of_an_image_says_which_line_and_record(root: Path) -> None:
    with pytest.raises(RecordError, match=r"^line 1, image: ") as caught:
        read(record_with("gone.png"), root)
    assert caught.value.record_id == "r1"


def test_scores_of_records_with_images_are_in_the_tables(root: Path, out: Path) -> None:
    with Server() as server:
        ask(root, out, ["a.png", "gone.png", None], server)
    assert pl.read_parquet(out / "scores.parquet")["line"].to_list() == [1, 3]


# References


def joined(row: dict[str, Any], *references: dict[str, Any], folder: Path) -> Any:
    path = folder / "r.jsonl"
    path.write_bytes(to_lines(references))
    with open_references(str(path)) as known:
        return asyncio.run(Reader(images=None, references=known).record(json.dumps(row).encode(), 7))


@pytest.mark.parametrize(
    ("own", "field", "says", "theirs"),
    [
        ({}, "units.p[0].claim", "is '' (str), must be a string that is not empty.", True),
        ({"units": {"p": []}}, "units.p[0].claim", "is '' (str), must be a string that is not empty.", True),
        ({"units": {"p": [{"unit_id": "a"}]}}, "units.p[0].claim", "is missing or null.", False),
        ({"units": {}, "question": 5}, "question", "is 5 (int), must be a string.", False),
        (
            {"units": {"p": [{"unit_id": 1, "claim": "c"}]}, "reference": {}},
            "reference.answer",
            "is 3 (int), must be a string.",
            True,
        ),
        (
            {"units": {"k": [{"unit_id": 1, "claim": "c"}]}, "reference": {"reasoning": "r"}},
            "reference.answer",
            "is 3 (int), must be a string.",
            True,
        ),
        (
            {"units": {"k": [{"unit_id": 1, "claim": "c"}]}, "reference": {"answer": 4}},
            "reference.answer",
            "is 4 (int), must be a string.",
            False,
        ),
    ],
)
def test_what_is_wrong_with_a_reference_is_said_to_be_there(
    own: dict[str, Any], field: str, says: str, theirs: bool, tmp_path: Path
) -> None:
    bad = {"id": "x1", "units": {"p": [{"unit_id": "P1", "claim": ""}]}, "reference": {"answer": 3}}
    with pytest.raises(RecordError) as caught:
        joined({"id": "x1", "trace": "t", "reference": {"answer": "A"}, **own}, {"id": "x0"}, bad, folder=tmp_path)
    place = f" It is from {tmp_path / 'r.jsonl'}, line 2." * theirs
    assert str(caught.value) == f"line 7, {field}: {says}{place}"


@pytest.mark.parametrize(("one", "other"), [(7, "7"), ("7", 7), (7, 7)])
def test_a_run_takes_whole_numbers_as_ids_in_both_files(one: object, other: object, tmp_path: Path, out: Path) -> None:
    unit = {"unit_id": 1, "claim": "The lung is clear."}
    (tmp_path / "r.jsonl").write_bytes(to_lines([{"id": other, "units": {"perception": [unit]}}]))
    (tmp_path / "t.jsonl").write_bytes(to_lines([{"id": one, "trace": "The lung is clear.", "units": {}}]))
    code, said = run_judge("score", tmp_path / "t.jsonl", "--out", out, "--references", tmp_path / "r.jsonl")
    assert code == 0, said
    verdicts = pl.read_parquet(out / "verdicts.parquet")
    assert verdicts.select("record_id", "unit_id", "presence").rows() == [("7", "1", 2)]
