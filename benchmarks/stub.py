"""A server of chat completions that does nothing: one stored answer, as fast or as late as told, in its own process.

    python -m benchmarks.stub [--latency 0.3] [--units 3]

It prints its address, and ends when its standard input does. Latencies are log-normal around the given mean, sigma 0.5,
the same sequence at every start. Answers are whole and valid: what is measured is the client.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import sys
from typing import cast

import uvloop

QUOTE = "the left base is opaque"
_SIGMA = 0.5
_SEED = 0


def answer(units: int) -> bytes:
    """A stored HTTP response: every unit raised and right, with a quote that stands in every trace."""
    unit = {"evidence": QUOTE, "reason": "The trace says so outright.", "presence": 2, "correctness": 1}
    text = json.dumps({f"u{number}": unit for number in range(1, units + 1)})
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 640, "completion_tokens": 40 * units, "total_tokens": 640 + 40 * units}
    body = json.dumps(
        {"id": "c", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}
    ).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body


_MODELS = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 21\r\n\r\n{"data":[{"id":"m"}]}'


class Stub(asyncio.Protocol):
    """One connection: counts bytes of a request's body, then answers; what it serves it says at once, as vLLM does."""

    def __init__(self, response: bytes, latency: float, draw: random.Random) -> None:
        self._response = response
        self._draw = draw
        # The mean of a log-normal is exp(mu + sigma^2 / 2).
        self._mu = math.log(latency) - _SIGMA**2 / 2 if latency else None
        self._received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._request_end()) is not None:
            listing = self._received.startswith(b"GET ")
            del self._received[:end]
            self._transport.write(_MODELS) if listing else self._answer()

    def _request_end(self) -> int | None:
        head = self._received.find(b"\r\n\r\n")
        if head < 0:
            return None
        headers = bytes(self._received[:head]).lower()
        _, _, rest = headers.partition(b"content-length:")
        end = head + 4 + int(rest.partition(b"\r\n")[0] or 0)
        return end if len(self._received) >= end else None

    def _answer(self) -> None:
        if self._mu is None:
            self._transport.write(self._response)
            return
        wait = self._draw.lognormvariate(self._mu, _SIGMA)
        asyncio.get_running_loop().call_later(wait, self._late)

    def _late(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(self._response)


async def serve(response: bytes, latency: float) -> None:
    draw, loop = random.Random(_SEED), asyncio.get_running_loop()
    server = await loop.create_server(lambda: Stub(response, latency, draw), "127.0.0.1", 0, backlog=4096)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--units", type=int, default=3)
    options = parser.parse_args()
    uvloop.run(serve(answer(options.units), options.latency))


if __name__ == "__main__":
    main()
