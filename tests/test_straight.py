"""Our own HTTP/1.1: every form that a response may take, every way that it may break, connections kept or not."""

from __future__ import annotations

import asyncio
import gzip
import re
import zlib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, closing, suppress
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from judge.backends.exchange import Outbox, Response
from judge.backends.server import Server
from judge.backends.straight import Straight
from judge.errors import TransientError
from judge.loop import new_event_loop

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Who: me\r\n\r\nhi"
HANG_UP = None


@asynccontextmanager
async def serving(*answers: Iterable[bytes | None]) -> AsyncIterator[tuple[str, list[tuple[int, str, bytes]]]]:
    """The n-th request gets the pieces of the n-th answer, each in a packet of its own; HANG_UP closes.

    Yields the address, and of each request: on which connection, its head, its body.
    """
    heard: list[tuple[int, str, bytes]] = []
    connections = 0
    handlers: list[asyncio.Task[None] | None] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        handlers.append(asyncio.current_task())
        which = connections
        with suppress(OSError, RuntimeError, asyncio.IncompleteReadError), closing(writer):  # uvloop: a closed handler
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
                heard.append((which, head, await reader.readexactly(int(length[1]) if length else 0)))
                for piece in answers[len(heard) - 1]:
                    if piece is HANG_UP:
                        return
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.002)

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", heard
        await asyncio.gather(*[one for one in handlers if one])


def ask(*answers: Iterable[bytes | None], pause_s: float = 0.01) -> tuple[list[Response | Exception], list[int]]:
    """One request after the other, as many as there are answers: what came of each, and on which connection."""

    async def main() -> tuple[list[Response | Exception], list[int]]:
        async with serving(*answers) as (base, heard):
            straight = Straight(Server(model="m", api_base=base))
            outcomes: list[Response | Exception] = []
            for number in range(len(answers)):
                try:
                    outcomes.append(await straight.send("POST", "/x", b"%d" % number))
                except TransientError as exc:
                    outcomes.append(exc)
                await asyncio.sleep(pause_s)
            await straight.aclose()
            return outcomes, [which for which, *_ in heard]

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(asyncio.wait_for(main(), 10))


def only(*pieces: bytes | None) -> Response | Exception:
    return ask(pieces)[0][0]


def body(*pieces: bytes | None) -> bytes:
    response = only(*pieces)
    assert isinstance(response, Response), response
    return response.body


def failure(*pieces: bytes | None) -> tuple[str, str]:
    error = only(*pieces)
    assert isinstance(error, TransientError), error
    return error.code, error.message


def head(**headers: str) -> bytes:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode()


def test_a_request_is_what_a_server_expects() -> None:
    async def main() -> tuple[int, str, bytes]:
        async with serving([OK]) as (base, heard):
            server = Server(model="m", api_base=base, api_key="k" * 9, headers={"accept": "text/x", "X-Team": "a"})
            straight = Straight(server)
            assert await straight.send("POST", "/x", b"{}") == Response(
                200, {"content-length": "2", "x-who": "me"}, b"hi"
            )
            await straight.aclose()
            return heard[0]

    _, said, sent = asyncio.run(main())
    line, *headers = said.rstrip().split("\r\n")
    assert (line, sent) == ("POST /v1/x HTTP/1.1", b"{}")
    named = dict(one.split(": ", 1) for one in headers)
    assert len(headers) == len({name.lower() for name in named})
    assert named.pop("Host").startswith("127.0.0.1:")
    assert named == {
        "Content-Type": "application/json", "Accept-Encoding": "identity", "accept": "text/x", "X-Team": "a",
        "Authorization": f"Bearer {'k' * 9}", "Content-Length": "2",
    }  # fmt: skip


def test_one_after_the_other_goes_over_one_connection() -> None:
    outcomes, connections = ask([OK], [OK], [OK])
    assert [one.body for one in outcomes if isinstance(one, Response)] == [b"hi"] * 3
    assert connections == [1, 1, 1]


def test_those_at_once_have_a_connection_each_and_leave_it_to_the_next() -> None:
    async def main() -> list[int]:
        async with serving(*[[b"", b"", OK]] * 9) as (base, heard):
            straight = Straight(Server(model="m", api_base=base))
            for many in (3, 3, 3):
                await asyncio.gather(*[straight.send("POST", "/x") for _ in range(many)])
            await straight.aclose()
            return [which for which, *_ in heard]

    assert sorted(asyncio.run(main())) == [1, 1, 1, 2, 2, 2, 3, 3, 3]


CHUNKED = head(Transfer_Encoding="chunked") + b"3\r\nabc\r\n1;x=y\r\nd\r\n0\r\nX-Trailer: z\r\n\r\n"


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(cuts=st.lists(st.integers(1, 90), max_size=4), form=st.sampled_from([OK, CHUNKED]))
def test_a_response_may_come_in_any_pieces(cuts: list[int], form: bytes) -> None:
    places = sorted({0, *cuts, len(form)})
    assert body(*[form[a:b] for a, b in pairwise(places)]) == (b"hi" if form is OK else b"abcd")


def test_a_response_without_a_length_ends_with_its_connection() -> None:
    outcomes, connections = ask([head(), b"all ", b"of it", HANG_UP], [OK])
    assert [one.body for one in outcomes if isinstance(one, Response)] == [b"all of it", b"hi"]
    assert connections == [1, 2]


def test_a_1xx_is_not_the_response() -> None:
    assert body(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK) == b"hi"


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("GZIP", gzip.compress)]
)
def test_what_is_compressed_unasked_is_read(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    packed = pack(b"hello")
    assert body(head(Content_Length=str(len(packed)), Content_Encoding=encoding) + packed) == b"hello"


@pytest.mark.parametrize(
    ("pieces", "code", "said"),
    [
        ([HANG_UP], "connection", "the connection broke (closed by the server)"),
        ([b"HTTP/1.1 200 OK\r\nContent-Le", HANG_UP], "connection", "the connection broke"),
        ([head(Content_Length="9") + b"half", HANG_UP], "connection", "the connection broke"),
        ([head(Transfer_Encoding="chunked") + b"9\r\nhalf", HANG_UP], "connection", "the connection broke"),
        ([b"HTTP/1.1 100 Continue\r\n\r\n", HANG_UP], "connection", "the connection broke"),
        ([b"SSH-2.0-secret\r\n\r\n"], "bad_response", "not HTTP"),
        ([b"HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"], "bad_response", "it changes the protocol"),
        ([head(Content_Length="no") + b"x"], "bad_response", "not HTTP"),
        ([head(Transfer_Encoding="chunked") + b"zz\r\n"], "bad_response", "not HTTP"),
        ([b"HTTP/1.1 200 OK\r\n"] + [b"X: " + b"y" * 16000 + b"\r\n"] * 9, "bad_response", "more than"),
        ([head(Content_Length="4", Content_Encoding="gzip") + b"nope"], "bad_response", "is not gzip"),
        ([head(Content_Length="4", Content_Encoding="br") + b"nope"], "bad_response", "compressed as 'br'"),
    ],
)  # fmt: skip
def test_what_breaks_is_one_error_and_the_next_request_is_well(
    pieces: list[bytes | None], code: str, said: str
) -> None:
    outcomes, connections = ask(pieces, [OK])
    assert isinstance(outcomes[0], TransientError)
    assert outcomes[0].code == code
    assert said in outcomes[0].message
    assert isinstance(outcomes[1], Response)
    if "gzip" not in said and "br" not in said:
        assert connections == [1, 2]


def test_half_of_a_compressed_body_is_no_reply() -> None:
    packed = gzip.compress(b"hello")[:-9]
    code, said = failure(head(Content_Length=str(len(packed)), Content_Encoding="gzip") + packed)
    assert (code, "is cut" in said) == ("bad_response", True)


@pytest.mark.parametrize("form", ["endless", "chunked", "bomb"])
def test_16_mib_are_enough(form: str) -> None:
    piece = b" " * 2**20
    if form == "bomb":
        packed = gzip.compress(piece * 40)
        answer = [head(Content_Length=str(len(packed)), Content_Encoding="gzip") + packed]
    elif form == "chunked":
        answer = [head(Transfer_Encoding="chunked"), *[b"100000\r\n" + piece + b"\r\n"] * 20]
    else:
        answer = [head(), *[piece] * 20]
    assert failure(*answer) == ("bad_response", "the server sent more than 16 MiB.")


@pytest.mark.parametrize("extra", [OK, b"x", b"HTTP/1.1 408 Timeout\r\nConnection: close\r\n\r\n"])
@pytest.mark.parametrize("apart", [True, False])
def test_what_comes_unasked_is_no_answer_to_the_next(extra: bytes, apart: bool) -> None:
    first = [OK, extra] if apart else [OK + extra]
    outcomes, connections = ask(first, [OK.replace(b"hi", b"ho")], pause_s=0.05)
    assert isinstance(outcomes[1], Response)
    assert outcomes[1].body == b"ho"
    assert connections == [1, 2]


@pytest.mark.parametrize(
    "first", [[OK, HANG_UP], [OK.replace(b"X-Who: me", b"Connection: close")], [OK.replace(b"HTTP/1.1", b"HTTP/1.0")]]
)
def test_a_connection_that_ends_is_not_used_again(first: list[bytes | None]) -> None:
    outcomes, connections = ask(first, [OK])
    assert [type(one) for one in outcomes] == [Response, Response]
    assert connections == [1, 2]


def test_a_connection_that_was_long_idle_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("judge.backends.straight._KEPT_S", 0.005)
    assert ask([OK], [OK], pause_s=0.05)[1] == [1, 2]


def test_a_request_that_is_given_up_takes_its_connection_along() -> None:
    """Its late answer would be the answer to another request."""

    async def main() -> tuple[bytes, list[int]]:
        late = [b"", *[b""] * 20, OK.replace(b"hi", b"no")]
        async with serving(late, [OK]) as (base, heard):
            straight = Straight(Server(model="m", api_base=base))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await straight.send("POST", "/x")
            response = await straight.send("POST", "/x")
            await straight.aclose()
            return response.body, [which for which, *_ in heard]

    assert asyncio.run(main()) == (b"hi", [1, 2])


def test_a_connection_that_is_closed_before_its_turn_keeps_no_other_request_back() -> None:
    """What is sent within one turn of the loop goes out in the next, when one of the connections may be gone."""

    async def main() -> list[str]:
        async with serving([OK]) as (base, heard):
            loop, address = asyncio.get_running_loop(), ("127.0.0.1", int(base.split(":")[2].removesuffix("/v1")))
            (gone, _), (kept, _) = [await loop.create_connection(asyncio.Protocol, *address) for _ in range(2)]
            gone.abort()
            await asyncio.sleep(0.01)
            outbox = Outbox()
            for transport, path in ((gone, "/1"), (kept, "/2")):
                outbox.put(transport, f"GET {path} HTTP/1.1\r\n\r\n".encode())
            await asyncio.sleep(0.05)
            kept.close()
        return [head.split()[1] for _, head, _ in heard]

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        assert runner.run(main()) == ["/2"]


def test_closing_leaves_no_connection() -> None:
    async def main() -> int:
        async with serving(*[[b"", OK]] * 5) as (base, _):
            straight = Straight(Server(model="m", api_base=base))
            await asyncio.gather(*[straight.send("POST", "/x") for _ in range(5)])
            await straight.aclose()
            await asyncio.sleep(0.01)
            return len(straight._open) + len(straight._idle)

    assert asyncio.run(main()) == 0


def test_closing_ends_what_is_under_way() -> None:
    async def main() -> str:
        async with serving([b""]) as (base, heard):
            straight = Straight(Server(model="m", api_base=base))
            asking = asyncio.ensure_future(straight.send("POST", "/x"))
            await asyncio.sleep(0.05)
            assert len(heard) == 1
            await straight.aclose()
            with pytest.raises(TransientError) as caught:
                await asking
            return str(caught.value)

    assert "the connection broke (closed here)" in asyncio.run(asyncio.wait_for(main(), 10))


@pytest.mark.parametrize(
    ("base", "host"),
    [
        ("http://[::1]:8000/v1", "[::1]:8000"),
        ("http://judge.example/v1", "judge.example"),
        ("https://judge.example:443/v1", "judge.example"),
        ("https://jüdge.example:8443/v1", "xn--jdge-0ra.example:8443"),
    ],
)
def test_the_host_header(base: str, host: str) -> None:
    assert f"Host: {host}\r\n" in Straight(Server(model="m", api_base=base))._headers
