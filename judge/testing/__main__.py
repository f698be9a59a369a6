"""The server as a process of its own: `python -m judge.testing --script sloppy --faults 0.2`."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from judge.testing.faults import KINDS, RETRYABLE
from judge.testing.named import SCRIPT_NAMES

_EXAMPLE = """\
example:
  python -m judge.testing --script sloppy --seed 0 --faults 0.2 --ledger ledger.jsonl
  http://127.0.0.1:40721/v1                 <- the only line it prints: point your client there
  curl http://127.0.0.1:40721/ledger        <- what was asked, paid and delivered so far

It stops at --max-seconds, on SIGTERM or Ctrl-C, and with --stop-on-eof when its standard input closes.
"""


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to stop; 0 when stopped, 2 for a setting that makes no sense."""
    parser = _parser()
    settings = vars(parser.parse_args(arguments))
    max_seconds, stop_on_eof = settings.pop("max_seconds"), settings.pop("stop_on_eof")
    from judge.testing.server import Server  # aiohttp takes 0.4 s, which --help need not wait for

    try:
        server = Server(**settings).start()
    except (ValueError, ImportError, AttributeError, OSError) as exc:
        parser.error(str(exc))
    stop = _stop_signal(stop_on_eof=stop_on_eof)
    sys.stdout.write(f"{server.api_base}\n")
    sys.stdout.flush()
    stop.wait(max_seconds)
    server.stop()
    return 0


def _stop_signal(*, stop_on_eof: bool) -> threading.Event:
    """Set on SIGTERM, on Ctrl-C, and at the end of standard input where asked."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if stop_on_eof:
        threading.Thread(target=_await_eof, args=(stop,), daemon=True).start()
    return stop


def _await_eof(stop: threading.Event) -> None:
    # The raw file: a buffered reader would hold its lock in this thread while the interpreter shuts down.
    with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as raw:
        while raw.read(4096):
            pass
    stop.set()


def _kinds(text: str) -> tuple[str, ...]:
    return tuple(kind.strip() for kind in text.split(",") if kind.strip())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m judge.testing",
        description="An OpenAI-compatible judge on loopback that follows a script and misbehaves on request.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_judge(parser)
    _add_faults(parser)
    _add_limits(parser)
    _add_process(parser)
    return parser


def _add_judge(parser: argparse.ArgumentParser) -> None:
    scripts = ", ".join(SCRIPT_NAMES)
    parser.add_argument("--script", default="obedient", help=f"{scripts}, or your own as module:function (obedient)")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other faults (0)")
    parser.add_argument("--model", help="the only model served; others get 404 (every name is served)")
    parser.add_argument("--api-key", help="bearer key that /v1 asks for (none)")


def _add_faults(parser: argparse.ArgumentParser) -> None:
    known = ", ".join(KINDS)
    parser.add_argument("--faults", type=float, default=0.0, metavar="SHARE", help="share of faults, 0 to 1 (0)")
    parser.add_argument(
        "--kinds",
        type=_kinds,
        default=RETRYABLE,
        help=f"comma-separated, of: {known}; or statuses (all retryable)",
    )
    parser.add_argument("--always", metavar="KIND", help="one of the kinds, or a status, for every request")
    parser.add_argument("--only", default="", metavar="TEXT", help="--always for traces with this text (all)")
    parser.add_argument("--retry-after-s", type=float, default=1.0, help="what a 429 asks for (1)")
    parser.add_argument("--reject-response-format", action="store_true", help="refuse JSON schemas with 400")
    parser.add_argument("--max-top-logprobs", type=int, default=20, metavar="N", help="400 for more of them (20)")
    parser.add_argument(
        "--no-constraint", dest="constrains", action="store_false", help="ignore structured_outputs, as many servers do"
    )
    parser.add_argument(
        "--no-cached-tokens", dest="tells_cached", action="store_false", help="say nothing of the prefix cache in usage"
    )
    parser.add_argument("--blind", action="store_true", help="refuse images with 400")


def _add_limits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--latency-ms", type=float, default=0.0, help="mean time before an answer (0)")
    parser.add_argument("--latency-sigma", type=float, default=0.0, help="0: fixed; else log-normal, say 0.5 (0)")
    parser.add_argument("--rate-limit", type=float, metavar="PER_S", help="429 above this many requests a second")
    parser.add_argument("--max-model-len", type=int, metavar="TOKENS", help="400 for longer prompts (no limit)")


def _add_process(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (0)")
    parser.add_argument(
        "--ledger", dest="ledger_file", type=Path, metavar="FILE", help="append a JSON line per request"
    )
    parser.add_argument("--max-seconds", type=float, default=600.0, help="stop by itself after this long (600)")
    parser.add_argument("--stop-on-eof", action="store_true", help="stop when standard input closes")


if __name__ == "__main__":
    sys.exit(main())
