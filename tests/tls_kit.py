"""A real https server on loopback for `localhost`, with an authority of its own, that counts what reaches it."""

from __future__ import annotations

import atexit
import gzip
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import mkdtemp
from threading import Thread
from typing import Any

BODY = bytes(range(256)) * 40  # 10,240 bytes


@cache
def certificate() -> Path:
    """A PEM file of key and certificate, made once a process. Whoever can fetch over https on Debian has openssl."""
    folder = Path(mkdtemp(prefix="judge-tls-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    pem = folder / "server.pem"
    command = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-subj", "/CN=judge test", "-addext", "subjectAltName=DNS:localhost",
        "-addext", "keyUsage=critical,digitalSignature,keyCertSign",
        "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    pem.write_bytes((folder / "key.pem").read_bytes() + (folder / "cert.pem").read_bytes())
    return pem


def trusting() -> ssl.SSLContext:
    """What a client needs to trust the server, and nobody else."""
    return ssl.create_default_context(cafile=str(certificate()))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def do_GET(self) -> None:
        self.server.seen.append((self.path, dict(self.headers)))
        with suppress(OSError):  # the client may have had enough
            getattr(self, f"_{self.path.strip('/').partition('?')[0]}")()
        self.close_connection = True

    def _answer(self, status: int = 200, body: bytes = BODY, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _whole(self) -> None:
        self._answer(Set_Cookie="a=b")

    def _redirect(self) -> None:
        self._answer(302, b"", Location=self.path.partition("?")[2], Set_Cookie="a=b")

    def _lost(self) -> None:
        self._answer(302, b"")

    def _around(self) -> None:
        left = int(self.path.partition("?")[2])
        self._answer(307, b"", Location=f"/around?{left - 1}" if left > 1 else "/whole")

    def _missing(self) -> None:
        self._answer(404)

    def _packed(self) -> None:
        self._answer(body=gzip.compress(BODY), Content_Encoding="gzip")

    def _short(self) -> None:
        self._answer(Content_Length=str(len(BODY) + 5))

    def _nothing(self) -> None:
        self._answer(body=b"", Content_Length="7")

    def _claims(self) -> None:
        self._answer(body=b"", Content_Length="999999999")

    def _unending(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            self.wfile.write(BODY)
            self.server.sent += len(BODY)

    def _chunked(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in (BODY[:7], BODY[7:], b""):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))

    def _chunk(self) -> None:
        """One chunk of a size that is as given, and then bytes without an end."""
        head = f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{self.path.partition('?')[2]}\r\n"
        self.wfile.write(head.encode())
        while True:
            self.wfile.write(BODY)
            self.server.sent += len(BODY)

    def _drip(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        self._slowly()

    def _drip_head(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        self._slowly()

    def _slowly(self) -> None:
        for _ in range(200):
            self.wfile.write(b"x")
            time.sleep(0.05)

    def _hang_up(self) -> None:
        pass

    def _nonsense(self) -> None:
        self.wfile.write(b"SSH-2.0-secret\r\n\r\n")

    def log_message(self, *_: Any) -> None:
        pass


@dataclass
class Host:
    """`url("/whole")` is `https://localhost:PORT/whole`; `hits` counts connections, `seen` holds requests."""

    port: int
    server: Any = field(repr=False)

    def url(self, path: str, host: str = "localhost") -> str:
        return f"https://{host}:{self.port}{path}"

    @property
    def hits(self) -> int:
        return self.server.hits

    @property
    def seen(self) -> list[tuple[str, dict[str, str]]]:
        return self.server.seen

    @property
    def sent(self) -> int:
        return self.server.sent


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    hits = sent = 0

    def __init__(self, address: str) -> None:
        super().__init__((address, 0), _Handler)
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate())

    def get_request(self) -> tuple[Any, Any]:
        sock, address = self.socket.accept()
        self.hits += 1
        return sock, address

    def finish_request(self, request: Any, client_address: Any) -> None:
        with suppress(OSError), self.context.wrap_socket(request, server_side=True) as secure:
            super().finish_request(secure, client_address)


@contextmanager
def serve(address: str = "127.0.0.1") -> Iterator[Host]:
    server = _Server(address)
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield Host(port=server.server_address[1], server=server)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
