"""Data, figures, template -> one HTML page that needs nothing else and asks nobody.

Whatever comes from outside is in data blocks, as JSON in which no tag can be written; the page's script shows it as
text nodes only. The policy in the page's head allows this one script and this one style, images as data, and no
connection.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterable, Sequence
from typing import Final

import orjson

from judge.report.figure import Figure
from judge.resource import resource_path

__all__ = ["build_page", "data_block", "to_json"]

_ESCAPES: Final = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}
_SCRIPTS: Final = ("nodes.js", "whole.js", "filters.js", "record.js", "verdicts.js", "page.js")
"""In the page they are one script."""
_PLACE: Final = re.compile(r"\{\{(\w+)\}\}")


def to_json(value: object) -> str:
    """JSON that can stand in a page: no `<`, so neither a tag nor the end of its block."""
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode().translate(_ESCAPES)


def data_block(name: str, content: str) -> str:
    """A block of data that no browser runs.

    Args:
        name: Its id.
        content: Of `to_json`.
    """
    return f'<script type="application/json" id="{name}">{content}</script>\n'


def build_page(title: str, figures: Sequence[Figure], blocks: Iterable[str]) -> bytes:
    """The whole page.

    Args:
        title: Of the window.
        figures: In order.
        blocks: Of `data_block`.
    """
    style, template = _read("page.css"), _read("page.html")
    script = "\n".join(_read(name) for name in _SCRIPTS)
    parts = {
        "title": html.escape(title),
        "policy": _policy(style, script),
        "style": style,
        "script": script,
        "figures": "\n".join(_figure(number, figure) for number, figure in enumerate(figures)),
        "blocks": "".join(blocks),
    }
    # In one pass: what is put in is not looked through again.
    return _PLACE.sub(lambda found: parts[found[1]], template).encode()


def _read(name: str) -> str:
    return resource_path("report", name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    own = "; ".join(f"{kind}-src '{_hash(text)}'" for kind, text in (("style", style), ("script", script)))
    return f"default-src 'none'; {own}; img-src data:; base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"


def _figure(number: int, figure: Figure) -> str:
    caption = f"<figcaption>{html.escape(figure.title)}</figcaption>"
    return f'<figure id="figure-{number}">{caption}<div class="drawing">{figure.svg}</div></figure>'
