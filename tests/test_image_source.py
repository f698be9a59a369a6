"""What a record points at: every form is read or refused in words, and nothing else is opened, resolved or asked."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import types
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from image_kit import RED, build, corners, decode, encode
from PIL import Image as PilImage
from tls_kit import BODY, Host, serve, trusting

from judge.errors import RecordError
from judge.image import ImageRules, build_image
from judge.images import source as image_source
from judge.images.fetch import fetch
from judge.images.source import MAX_BYTES, MAX_IMAGES, MAX_RECORD_BYTES, read_images

PNG = encode(corners())
CODED = base64.b64encode(PNG).decode()
URL = f"data:image/png;base64,{CODED}"


@pytest.fixture
def rules(tmp_path: Path) -> ImageRules:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "ct.png").write_bytes(PNG)
    (tmp_path / "root" / "a:b.png").write_bytes(PNG)
    return ImageRules(root=tmp_path / "root")


def refused(value: object, rules: ImageRules, code: str, match: str, field: str = "image") -> str:
    with pytest.raises(RecordError, match=match) as caught:
        read_images(value, rules)
    assert (caught.value.code, caught.value.field) == (code, field)
    assert caught.value.hint
    assert len(str(caught.value)) < 400
    return str(caught.value)


FORMS: dict[str, object] = {
    "path": "ct.png",
    "path with a colon": "./a:b.png",
    "data URL": URL,
    "data URL of another type": URL.replace("png", "jpg"),  # the bytes decide
    "data URL in capitals": URL.replace("data:image/png;base64", "DATA:Image/PNG;BASE64"),
    "data URL with parameters": URL.replace(";", ";charset=utf-8;name=ct.png;"),
    "data URL in lines": URL[:40] + "\r\n " + URL[40:] + "\n",
    "data URL with spaces around": f"\n {URL} \n",
    "data URL percent-encoded": URL.partition(",")[0] + "," + quote(CODED, safe=""),
    "bytes": PNG,
    "bytearray": bytearray(PNG),
    "memoryview": memoryview(PNG),
    "Parquet": {"bytes": PNG, "path": "../elsewhere.png"},  # the path is only a name where there are bytes
    "Parquet as JSON": {"bytes": CODED, "path": None},
    "Parquet, path only": {"bytes": None, "path": "ct.png"},
    "path only": {"path": "ct.png"},
    "OpenAI part": {"type": "image_url", "image_url": {"url": URL, "detail": "low"}},
    "OpenAI part of a response": {"type": "input_image", "image_url": URL},
    "url": {"url": URL},
    "read-only mapping": types.MappingProxyType({"url": URL}),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_bytes(rules: ImageRules, form: str) -> None:
    (source,) = read_images(FORMS[form], rules)
    assert source.data == PNG
    assert source.digest == hashlib.sha256(PNG).hexdigest()
    assert source.field == "image"


def test_a_pil_image(rules: ImageRules) -> None:
    (source,) = read_images(corners(), rules)
    assert decode(build(source.data)).tobytes() == corners().tobytes()
    refused(PilImage.new("F", (2, 2)), rules, "image_unreadable", "has 32 bits")


@pytest.mark.parametrize("value", [None, [], ()])
def test_no_image(rules: ImageRules, value: object) -> None:
    assert read_images(value, rules) == ()


def test_a_list_keeps_its_order_and_its_repeats(rules: ImageRules) -> None:
    other = encode(PilImage.new("RGB", (4, 4), RED))
    sources = read_images(["ct.png", other, {"url": URL}], rules)
    assert [source.data for source in sources] == [PNG, other, PNG]
    assert [source.field for source in sources] == ["image[0]", "image[1]", "image[2]"]
    assert read_images(["ct.png"], rules)[0].field == "image[0]"


def test_the_place_of_a_fault_is_said_when_it_is_decoded_too(rules: ImageRules) -> None:
    (_, source) = read_images([PNG, b"text"], rules)
    with pytest.raises(RecordError, match=r"^record, image\[1\]: is 4 bytes of something else"):
        build_image(source, rules)


@pytest.mark.parametrize(
    ("value", "match"),
    [
        (1, "is 1"),
        (True, "is True"),
        (0.5, "is 0.5"),
        ("", "is an empty string"),
        (" \n", "is an empty string"),
        ({}, r"is an object with \[\] and no image in it"),
        ({"file": "a.png"}, r"is an object with \['file'\]"),
        ({"bytes": None, "path": None}, r"is an object with \['bytes', 'path'\] and no image"),
        ({"bytes": 1, "path": "ct.png"}, "no image in it"),
        ({"image_url": {"url": None}}, "no image in it"),
        ({"image_url": None}, "no image in it"),
        ({f"k{n}": n for n in range(9999)}, "no image in it"),
        (object(), "is <object object at"),
    ],
)
def test_what_is_not_understood(rules: ImageRules, value: object, match: str) -> None:
    assert 'Give a path, a data URL (data:image/png;base64,…), {"bytes"' in refused(
        value, rules, "image_not_understood", match
    )


@pytest.mark.parametrize("value", [None, [], ["ct.png"], 7])
def test_what_is_not_understood_in_a_list(rules: ImageRules, value: object) -> None:
    refused(["ct.png", value], rules, "image_not_understood", r"image\[1\]: is ", "image[1]")


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("data:image/png;base64,!!!!", "is not base64 of 4 characters"),
        ("data:image/png;base64,abc", "is not base64 of 3 characters: Incorrect padding"),
        ("data:image/png;base64,ab==cd==", "is not base64 of 8 characters"),
        (
            "data:image/png;base64,é" + "A" * 90_000,
            "is not base64 of 90,001 characters: it has characters",
        ),
        (URL.replace("+", "-").replace("/", "_").replace("image_", "image/") + "-", "is not base64"),
        (f"data:;base64,{CODED}", "is a data URL of the type '', must be of image/…"),
        (f"data:text/plain;base64,{CODED}", "is a data URL of the type 'text/plain', must be of image/…"),
        (f"data:application/pdf;base64,{CODED}", "'application/pdf', must be of image/…"),
        (f"data:image/png,{CODED}", "is a data URL of 'image/png' that is not in base64"),
        ("data:image/svg+xml;utf8,<svg/>", r"is a data URL of 'image/svg\+xml' that is not in base64"),
        ("data:", "is a data URL of the type ''"),
        ("data:" + "x" * 9999, "is a data URL of the type 'xxx"),
    ],
)
def test_a_data_url_that_is_not_one(rules: ImageRules, url: str, match: str) -> None:
    assert CODED[:50] not in refused(url, rules, "image_not_understood", match)


@pytest.mark.parametrize("value", ["data:image/png;base64,", b"", {"bytes": b""}, {"bytes": ""}, "empty.png"])
def test_no_bytes(rules: ImageRules, tmp_path: Path, value: object) -> None:
    (tmp_path / "root" / "empty.png").touch()
    refused(value, rules, "image_unreadable", "has 0 bytes")


def test_too_many(rules: ImageRules) -> None:
    assert len(read_images([PNG] * MAX_IMAGES, rules)) == 16
    refused([PNG] * 17, rules, "image_too_many", "has 17 images; at most 16 are read")
    refused(["/etc/passwd"] * 1_000_000, rules, "image_too_many", "has 1,000,000 images")


def test_too_large(rules: ImageRules, tmp_path: Path) -> None:
    large = bytes(MAX_BYTES + 1)
    with (tmp_path / "root" / "large.png").open("wb") as file:
        file.truncate(MAX_BYTES + 1)  # of no blocks
    too_large = r"at most 33,554,432 are read"
    for value in (large, {"bytes": large}, "large.png", "data:image/png;base64," + "A" * 200_000_000):
        refused(value, rules, "image_too_large", too_large)
    # It is no base64, and nobody has looked: it is too long to be copied.
    refused({"bytes": "!" * 50_000_000}, rules, "image_too_large", too_large)
    assert read_images(large[:-1], rules)[0].data == large[:-1]
    longest = base64.b64encode(large[:-1]).decode()
    assert len(read_images({"bytes": longest}, rules)[0].data) == MAX_BYTES


def test_too_large_together(rules: ImageRules) -> None:
    half = bytes(MAX_BYTES)
    assert MAX_RECORD_BYTES == 2 * MAX_BYTES
    assert len(read_images([half, half], rules)) == 2
    refused([half, half, b"1"], rules, "image_too_large", "has images of 67,108,865 bytes; at most 67,108,864 are read")


# --- paths ----------------------------------------------------------------------------------------------------------


def test_a_path_needs_a_root(rules: ImageRules) -> None:
    for value in ("ct.png", {"path": "ct.png"}, "/etc/passwd"):
        assert "--image-root" in refused(
            value, ImageRules(), "image_path_outside_root", "there is no folder that paths"
        )
    assert read_images(URL, ImageRules())


OUTSIDE = (
    "../../etc/passwd", "/etc/passwd", "file:///etc/passwd", "FILE:/etc/passwd", " file:///etc/passwd",
    "\\\\server\\a.png", "C:\\a.png", "a\0.png", "a" * 5000, CODED * 40,
)  # fmt: skip


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: path[:20].replace("\0", "NUL"))
def test_a_path_outside(rules: ImageRules, path: str) -> None:
    for value in (path, {"bytes": None, "path": path}, {"url": path}):
        refused(value, rules, "image_path_outside_root", "is ")


def test_a_path_to_nothing(rules: ImageRules) -> None:
    refused(["ct.png", "mr.png"], rules, "image_not_found", "is 'mr.png'; there is no such file", "image[1]")


# --- addresses ------------------------------------------------------------------------------------------------------

ADDRESSES = (
    "https://example.org/a.png?token=secret", "http://169.254.169.254/latest/meta-data", "http://127.0.0.1:80/",
    "http://[::ffff:127.0.0.1]/", "http://2130706433/", "ftp://example.org/a.png", "s3://bucket/secret.png",
    "gs://bucket/a.png", "HTTPS://example.org/", " https://example.org/", "blob:https://example.org/1", "javascript:1",
    "https://[broken",
)  # fmt: skip


@pytest.mark.parametrize("url", ADDRESSES)
def test_addresses_are_not_fetched_unless_allowed(rules: ImageRules, url: str) -> None:
    for value in (url, {"url": url}, {"type": "image_url", "image_url": {"url": url}}, {"path": url}):
        said = refused(value, rules, "image_url_disabled", "is an address, .* and addresses are not fetched")
        assert "secret" not in said and "--allow-image-urls" in said


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "ftp://a.example/a.png", "s3://bucket/secret.png", "case:1.png"])
def test_only_https_is_ever_fetched(rules: ImageRules, url: str) -> None:
    allowing = ImageRules(root=rules.root, allow_urls=True)
    assert "secret" not in refused(url, allowing, "image_url_refused", "and only https is fetched")


WATCHED = """
import json, os, sys
from pathlib import Path
from judge.errors import RecordError
from judge.image import ImageRules
from judge.images.source import read_images
seen = []
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.__new__", "open"):
        seen.append(f"{event} {arguments}")
root, values = Path(sys.argv[1]), json.loads(sys.stdin.read())
read_images("ct.png", ImageRules(root=root))  # everything is imported now
sys.addaudithook(watch)
for value in values:
    try:
        read_images(value, ImageRules(root=root))
    except RecordError as exc:
        assert exc.code in ("image_url_disabled", "image_path_outside_root"), exc
print(json.dumps(seen))
"""


def seen(rules: ImageRules, values: list[Any]) -> list[str]:
    """What this process opens, resolves and connects to."""
    command = [sys.executable, "-c", WATCHED, str(rules.root)]
    done = subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, timeout=30, check=True)
    return json.loads(done.stdout)


def test_what_is_refused_is_not_opened_and_not_resolved(rules: ImageRules) -> None:
    assert seen(rules, [*ADDRESSES, *OUTSIDE]) == []
    assert any("ct.png" in line for line in seen(rules, ["ct.png"]))  # it would be seen


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with serve() as server:
        yield server


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "2130706433", "[::ffff:127.0.0.1]"])
def test_loopback_is_refused_where_addresses_are_allowed(rules: ImageRules, host: Host, name: str) -> None:
    allowing = ImageRules(root=rules.root, allow_urls=True)
    refused(host.url("/whole", name), allowing, "image_url_refused", "is not on a public address")
    assert host.hits == 0


def test_an_address_is_fetched_where_it_is_allowed(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    # The real fetch, with the rule for addresses off: the only host here is this one.
    nearby = partial(fetch, is_allowed=lambda _: True, context=trusting())
    monkeypatch.setattr(image_source, "fetch", nearby)
    sources = read_images([host.url("/whole"), {"url": f" {host.url('/whole')}\n"}], ImageRules(allow_urls=True))
    assert [source.data for source in sources] == [BODY, BODY]
    refused(["ct.png"], ImageRules(allow_urls=True), "image_path_outside_root", "no folder", "image[0]")
    refused([host.url("/missing")], ImageRules(allow_urls=True), "image_url_failed", "status 404", "image[0]")
