"""Addresses: only public hosts over https, by the address that was checked, within bytes and time."""

from __future__ import annotations

import errno
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import ip_address

import pytest
from tls_kit import BODY, Host, certificate, serve, trusting

from judge.errors import RecordError
from judge.images.fetch import MAX_REDIRECTS, fetch, is_public, shown_url


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with serve() as server:
        yield server


def get(url: str, *, max_bytes: int = 100_000, timeout_s: float = 10.0) -> bytes:
    """With the rules for addresses off and the server's authority trusted: all else is as in a run."""
    return fetch(url, max_bytes=max_bytes, timeout_s=timeout_s, is_allowed=lambda _: True, context=trusting())


def refused(url: str, code: str, match: str, **how: float) -> RecordError:
    with pytest.raises(RecordError, match=match) as caught:
        get(url, **how)  # type: ignore[arg-type]
    assert caught.value.code == code
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.0.1",
        "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1",
        "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
        "168.63.129.16",
        "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:db8::1", "2002:7f00:1::1", "2002:101:101::1", "3fff::1", "fc00::1", "fd00:ec2::254", "fe80::1",
        "fe80::1%eth0", "fec0::1", "ff02::1", "5f00::1",
    ],
)  # fmt: skip
def test_inside_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "93.184.216.34",
        "172.32.0.1",
        "100.128.0.1",
        "2606:4700:4700::1111",
        "::ffff:1.1.1.1",
        "64:ff9b::101:101",
    ],
)
def test_outside_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "name",
    ["localhost", "127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0", "[::1]", "[::ffff:127.0.0.1]"],
)
def test_loopback_under_any_name_is_refused_without_a_connection(host: Host, name: str) -> None:
    before = host.hits
    with pytest.raises(RecordError, match="is not on a public address") as caught:
        fetch(host.url("/whole", name), max_bytes=100, timeout_s=5, context=trusting())
    assert caught.value.code == "image_url_refused"
    assert host.hits == before


def test_the_count_would_see_a_connection(host: Host) -> None:
    before = host.hits
    assert get(host.url("/whole")) == BODY
    assert host.hits == before + 1


def test_one_address_inside_spoils_a_host(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def both(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("1.1.1.1", host.port)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", host.port)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    before = host.hits
    with pytest.raises(RecordError, match=r"https://two\.example is not on a public address"):
        fetch("https://two.example/", max_bytes=100, timeout_s=5)
    assert host.hits == before


def test_a_name_is_looked_up_once_and_the_checked_address_connected_to(host: Host) -> None:
    # A name that answers differently the second time (rebinding) has no second time. In a process of its own, as an
    # audit hook cannot be taken away.
    script = f"""
import ssl, sys
from judge.images.fetch import fetch
checked = []
def watch(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        print("look-up", arguments[0])
    elif event == "socket.connect":
        print("connect", arguments[1][0], arguments[1][0] in checked)
sys.addaudithook(watch)
def allow(address):
    checked.append(str(address))
    return True
context = ssl.create_default_context(cafile={str(certificate())!r})
got = fetch({host.url("/whole")!r}, max_bytes=99999, timeout_s=9, is_allowed=allow, context=context)
assert len(got) == {len(BODY)}
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    seen = done.stdout.splitlines()
    assert [line for line in seen if line.startswith("look-up")] == ["look-up localhost"]
    connects = [line for line in seen if line.startswith("connect")]
    assert connects[-1] == "connect 127.0.0.1 True"
    assert all(line.endswith("True") for line in connects)


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("http://localhost/a", "http://localhost is not https"),
        ("file:///etc/passwd", "file:// is not https"),
        ("localhost/a", "is not https"),
        ("https://me:secret@localhost/a", "https://localhost carries a name or a password"),
        ("https://@localhost/a", "carries a name or a password"),
        ("https:///a", "has no host name"),
        ("https://münchen.example/a", "has no host name in ASCII"),
        ("https://local host/a", "has no host name"),
        ("https://local\\host/a", "has no host name"),
        ("https://[fe80::1%25lo]/a", "has no host name"),
        ("https://localhost:99999/a", "is not a URL that can be read"),
        ("https://[::1/a", "a URL is not a URL that can be read"),
    ],
)
def test_what_is_no_plain_https_address_is_refused(url: str, match: str) -> None:
    assert "secret" not in str(refused(url, "image_url_refused", match))


def test_the_request_has_no_more_than_it_needs(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing listens there
    assert get(host.url("/redirect?/whole")) == BODY
    path, headers = host.seen[-1]
    assert path == "/whole"
    assert headers["Host"] == f"localhost:{host.port}"
    assert headers["Accept-Encoding"] == "identity"
    assert not {"Cookie", "Authorization", "Referer"} & set(headers)


def test_a_path_is_quoted_once(host: Host) -> None:
    assert get(host.url("/whole?ä b%20c&d=1#part")) == BODY
    assert host.seen[-1][0] == "/whole?%C3%A4%20b%20c&d=1"


def test_the_certificate_must_be_trusted_and_be_the_host_s(host: Host) -> None:
    refused(host.url("/whole", "127.0.0.1"), "image_url_failed", "certificate that is not trusted: IP address mismatch")
    with pytest.raises(RecordError, match="certificate that is not trusted: self-signed"):
        fetch(host.url("/whole"), max_bytes=100, timeout_s=5, is_allowed=lambda _: True)


def test_three_redirects_and_no_more(host: Host) -> None:
    assert get(host.url(f"/around?{MAX_REDIRECTS}")) == BODY
    refused(host.url(f"/around?{MAX_REDIRECTS + 1}"), "image_url_refused", "is behind more than 3 redirects")
    refused(host.url("/lost"), "image_url_failed", "answered with status 302")


@pytest.mark.parametrize(
    ("target", "match"),
    [
        ("http://localhost/", "http://localhost is not https"),
        ("file:///etc/passwd", "is not https"),
        ("https://a:b@localhost/", "carries a name or a password"),
    ],
)
def test_a_redirect_is_held_to_the_same_rules(host: Host, target: str, match: str) -> None:
    refused(host.url(f"/redirect?{target}"), "image_url_refused", match)


def test_a_redirect_to_the_inside_is_refused(host: Host) -> None:
    """The first address is allowed here, as a public one would be; the second stands for a service of the machine."""
    with serve("127.0.0.2") as inside:
        target = inside.url("/whole", "127.0.0.2")
        with pytest.raises(RecordError, match=r"https://127\.0\.0\.2 is not on a public address"):
            fetch(
                host.url(f"/redirect?{target}"),
                max_bytes=100,
                timeout_s=5,
                is_allowed=lambda address: str(address) in ("127.0.0.1", "::1"),
                context=trusting(),
            )
        assert inside.hits == 0
        refused(target, "image_url_failed", "IP address mismatch")
        assert inside.hits == 1  # it would have been seen


def test_no_more_bytes_than_allowed(host: Host) -> None:
    assert get(host.url("/whole"), max_bytes=len(BODY)) == BODY
    too_large = "https://localhost sends more than"
    refused(host.url("/whole"), "image_too_large", too_large, max_bytes=len(BODY) - 1)
    refused(host.url("/claims"), "image_too_large", too_large)
    refused(host.url("/unending"), "image_too_large", too_large, max_bytes=200_000)
    # What was under way when we hung up fits the buffers of two sockets.
    assert host.sent < 20_000_000


@pytest.mark.parametrize("path", ["/drip", "/drip_head"])
def test_a_server_that_drips_does_not_outlast_the_deadline(host: Host, path: str) -> None:
    # A byte every 0.05 s, 200 times: no single read is slow, and without the deadline it would be read to its end.
    refused(host.url(path), "image_url_failed", "was not read to its end in 0.3 s", timeout_s=0.3)


def test_a_host_that_says_nothing_does_not_outlast_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        refused(f"https://127.0.0.1:{port}/", "image_url_failed", "was not read to its end in 0.2 s", timeout_s=0.2)


def test_an_address_that_is_silent_leaves_time_for_the_next(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    with ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0)).getsockname()
        for _ in range(4):  # more than wait there: the next is neither taken nor refused
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full)
        places = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", at) for at in (full, ("127.0.0.1", host.port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: places)
        assert get(host.url("/whole"), timeout_s=1.0) == BODY


def test_a_look_up_does_not_outlast_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(3) or [])
    refused("https://slow.example/", "image_url_failed", "was not read to its end in 0.2 s", timeout_s=0.2)


@pytest.mark.parametrize(
    ("path", "match"),
    [
        ("/missing", "answered with status 404"),
        ("/packed", r"is sent compressed \('gzip'\)"),
        ("/short", "ended 5 bytes early"),
        ("/nothing", "ended 7 bytes early"),
        ("/nonsense", "could not be read: BadStatusLine"),
        ("/hang_up", "could not be read: RemoteDisconnected"),
    ],
)
def test_what_goes_wrong_on_the_way_is_said(host: Host, path: str, match: str) -> None:
    failed = refused(host.url(f"{path}?token=secret"), "image_url_failed", match)
    assert "secret" not in str(failed)
    assert re.match(r"record: https://localhost ", str(failed))


def test_chunks_are_joined(host: Host) -> None:
    assert get(host.url("/chunked")) == BODY


@pytest.mark.parametrize(
    ("size", "code", "match"),
    [
        ("-1", "image_url_failed", "could not be read: a chunk of the body has an impossible size"),
        ("-5", "image_url_failed", "could not be read: a chunk of the body has an impossible size"),
        ("-" + "f" * 40, "image_url_failed", "could not be read: a chunk of the body has an impossible size"),
        ("f" * 40, "image_too_large", "sends more than 20,000 bytes"),
        ("f" * 40_000, "image_too_large", "sends more than 20,000 bytes"),
        ("x", "image_url_failed", "could not be read: "),
        ("", "image_url_failed", "could not be read: "),
        ("5", "image_url_failed", "could not be read: "),
    ],
)
def test_a_chunk_may_claim_any_size(host: Host, size: str, code: str, match: str) -> None:
    """-1 would be all that comes, past the limit."""
    before = host.sent
    failed = refused(host.url(f"/chunk?{size}"), code, match, max_bytes=20_000)
    assert str(failed).startswith("record: https://localhost ")
    assert host.sent - before < 20_000_000


def test_a_host_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    refused(f"https://127.0.0.1:{port}/", "image_url_failed", os.strerror(errno.ECONNREFUSED))
    refused("https://a..example/", "image_url_failed", "the host name is malformed|could not be read")


def test_a_name_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    refused("https://nobody.example/", "image_url_failed", "could not be read: Name or service not known")


def test_a_shown_address_has_no_path_and_no_name() -> None:
    assert shown_url("https://me:pw@Host.example:8443/path?token=secret") == "https://host.example"
    assert shown_url("https://" + "a" * 500) == "https://" + "a" * 52
