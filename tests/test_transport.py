"""How a server is reached: proxies and TLS, over real connections on loopback."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import orjson
import pytest
from run_kit import Heard, arguments_for, completion, http, make_record, make_request, run_judge, scripted, to_lines

from judge.backends.openai_compatible import OpenAICompatible
from judge.backends.server import Server
from judge.backends.session import open_session
from judge.backends.transport import proxy_for
from judge.errors import FatalError, TransientError

ROOT = Path(__file__).parents[1]
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
KEY = "sk-canary-4711"


@pytest.fixture
def no_proxies(monkeypatch):
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


async def ask(base, key=None):
    server = Server(model="m", api_base=base, api_key=key)
    async with open_session(server) as session:
        return await OpenAICompatible(server, session).complete(make_request())


# Proxies (NP-20)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.8.9.10", "localhost", "judge.localhost", "[::1]"],
)
def test_no_proxy_for_a_server_on_this_machine(no_proxies, monkeypatch, host):
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:3128")
    assert proxy_for(f"http://{host}:8000/v1") is None


def test_a_proxy_is_for_its_scheme_and_not_for_hosts_that_are_left_out(no_proxies, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")
    monkeypatch.setenv("NO_PROXY", "inside.example,.lab.example")
    assert proxy_for("https://judge.example/v1") == "http://proxy.invalid:3128"
    assert proxy_for("http://judge.example/v1") is None
    assert proxy_for("https://inside.example:8443/v1") is None
    assert proxy_for("https://gpu.lab.example/v1") is None


def test_a_proxy_that_is_not_there_is_named_as_what_is_wrong(no_proxies, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with pytest.raises(TransientError, match=r"^cannot reach the proxy of the environment for http://judge.invalid/v1"):
        asyncio.run(ask("http://judge.invalid/v1"))


def test_a_run_asks_loopback_straight_although_a_proxy_is_set(no_proxies, tmp_path):
    """The trap would answer everything; it hears nothing."""

    async def main() -> tuple[list[Heard], list[Heard], int]:
        verdict = {"evidence": None, "reason": "r", "presence": 0, "correctness": None}
        reply = http(200, completion(orjson.dumps({"u1": verdict}).decode()))
        async with scripted(lambda *_: reply) as (base, heard), scripted(lambda *_: reply) as (trap, trapped):
            traces = tmp_path / "t.jsonl"
            traces.write_bytes(to_lines([make_record(1)]))
            env = {"PYTHONPATH": str(ROOT), "HTTP_PROXY": trap, "http_proxy": trap, "ALL_PROXY": trap}
            code, _ = await asyncio.to_thread(
                run_judge, *arguments_for(traces, tmp_path / "run", base), env=env, timeout_s=30
            )
            return heard, trapped, code

    heard, trapped, code = asyncio.run(main())
    assert (len(heard), len(trapped), code) == (1, 0, 0)


def test_a_password_of_netrc_is_not_sent_and_breaks_nothing(no_proxies, monkeypatch, tmp_path):
    """A server that is not loopback by its name: with `trust_env`, aiohttp would refuse to send key and password."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine judge.invalid login me password canary-netrc\n")
    monkeypatch.setenv("NETRC", str(netrc))

    async def main(key):
        async with scripted(lambda *_: http(200, completion("hello"))) as (proxy, heard):
            monkeypatch.setenv("HTTP_PROXY", proxy)
            return (await ask("http://judge.invalid/v1", key)).text, heard[0].head

    text, head = asyncio.run(main(KEY))
    assert text == "hello"
    assert f"Authorization: Bearer {KEY}" in head
    assert "Authorization" not in asyncio.run(main(None))[1]


# TLS (NP-21)


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=30)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A CA and what it signed, `own` aside; each NAME.pem has its key in NAME.key."""
    folder = tmp_path_factory.mktemp("tls")
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl(folder, "req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=ca")
    here = ("-addext", "subjectAltName=IP:127.0.0.1")
    own = ("-keyout", "own.key", "-out", "own.pem", "-days", "2", "-subj", "/CN=own")
    openssl(folder, "req", "-x509", *new_key, *own, *here)
    for name, days, place in (
        ("good", "2", "IP:127.0.0.1"),
        ("expired", "-1", "IP:127.0.0.1"),
        ("elsewhere", "2", "DNS:judge.example"),
    ):
        (folder / "ext").write_text(f"subjectAltName={place}")
        openssl(folder, "req", *new_key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", days, "-extfile", "ext")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", *signing, "-out", f"{name}.pem")
    return folder


class Judge(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append(self.path)
        verdict = {"evidence": None, "reason": "r", "presence": 0, "correctness": None}
        body = orjson.dumps(completion(orjson.dumps({"u1": verdict}).decode()))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Quiet(ThreadingHTTPServer):
    def __init__(self, context):
        self.heard = []
        super().__init__(("127.0.0.1", 0), Judge)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True)

    def handle_error(self, *_):  # a handshake that the client broke off
        pass


@contextmanager
def serving(pem):
    """Address, and what was heard; over plain HTTP where there is no certificate."""
    context = None
    if pem is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem, pem.with_suffix(".key"))
    with Quiet(context) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"https://127.0.0.1:{server.server_port}/v1", server.heard
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("name", "said", "hint"),
    [
        ("own", "self-signed certificate", "name the file of its CA in SSL_CERT_FILE"),
        ("expired", "certificate has expired", "Renew it at the server"),
        ("elsewhere", "IP address mismatch", "Use the name that stands in the certificate as --api-base"),
    ],
)
def test_a_certificate_that_is_not_valid_is_2_with_clear_words(no_proxies, certificates, tmp_path, name, said, hint):
    code, shown, heard = run_over_tls(certificates, name, tmp_path)
    assert code == 2
    assert "its TLS certificate is not valid (" in shown and said in shown and hint in shown
    assert "Traceback" not in shown
    assert heard == []  # nothing was sent to it, not even after a retry


def test_a_certificate_of_a_ca_that_is_named_is_trusted(no_proxies, certificates, tmp_path):
    code, shown, heard = run_over_tls(certificates, "good", tmp_path)
    assert code == 0, shown
    assert heard == ["/v1/chat/completions"]


def run_over_tls(certificates, name, tmp_path):
    traces = tmp_path / "t.jsonl"
    traces.write_bytes(to_lines([make_record(1)]))
    with serving(certificates / f"{name}.pem") as (base, heard):
        env = {"PYTHONPATH": str(ROOT), "SSL_CERT_FILE": str(certificates / "ca.pem")}
        code, shown = run_judge(*arguments_for(traces, tmp_path / "run", base), env=env)
    return code, shown, heard


def test_https_where_the_server_speaks_http():
    with serving(None) as (base, heard), pytest.raises(FatalError) as caught:
        asyncio.run(ask(base))
    assert caught.value.code == "tls"
    assert "no TLS connection (" in str(caught.value) and "begins with http://" in str(caught.value)
    assert heard == []


def test_nobody_at_home():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        base = f"https://127.0.0.1:{taken.getsockname()[1]}/v1"
        with pytest.raises(TransientError, match=r"^cannot reach https://127.0.0.1:\d+/v1 \(.+\)\. Is the server"):
            asyncio.run(ask(base))
