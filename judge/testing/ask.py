"""A chat-completion body -> Ask: what the judge is asked, read back out of the request.

The last user text of a request looks like this (`contract.md` section 7):

    <trace-0f3a9c0b12de>
    The ECG shows ST elevation in V1 to V4.
    </trace-0f3a9c0b12de>
    u1 (perception): "ST elevation in the anterior leads"
    u2 (knowledge): "Anterior ST elevation means an LAD occlusion"   <- of this and other kinds: units.py
    Your previous reply could not be used: u2 is missing.       <- only in a re-ask

or, of one unit, ends with a question that one digit answers, or a quote:

    u1 (perception): "ST elevation in the anterior leads"
    Question of presence: does the trace raise this unit? …     <- or of correctness, evidence; of a scale: of level
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256

from judge.testing.units import AskedUnit, read_units

_OPENING = re.compile(r"<trace-([0-9a-f]{12})>\n")
_SECTION = re.compile(r"^# (Question|Options|Context|Reference)\n\n(.*?)(?=^# \w+\n\n|\Z)", re.MULTILINE | re.DOTALL)
_COMPLAINT = re.compile(r"^Your previous reply could not be used", re.MULTILINE)
_QUESTION = re.compile(r"^Question of (presence|correctness|evidence|level):", re.MULTILINE)
_FIRST, _NEXT = "# Trace A\n\n", "\n\n# Trace B\n\n"
_UNIT_NAME = re.compile(r"u\d+")


# No slots: `key` is computed once, and only where a ledger or a script wants it.
@dataclass(frozen=True, kw_only=True)
class Ask:
    """What one request asks of the judge.

    Args:
        trace: The text in the trace fence, "" when the request has none.
        second: The text in the fence after it, where two traces are compared; else "".
        shown: What stands before it, by heading: `Question`, `Options`, `Context`, `Reference`, where they are there.
        units: In asking order: the names of the reply schema where it has any, else those of the text.
        question: `presence`, `correctness` or `evidence` where one thing is asked of one unit, `level` of one scale,
            else "". All but `evidence` are probes: the answer is one of the digits that are listed.
        complaint: What a re-ask says was wrong with the last reply, "" in a first ask.
        images: Addresses of the images of all messages, in order; ours are data URLs.
        with_evidence: Whether the reply schema has a field for a quote (true when there is no schema).
        body: The whole request, for scripts that answer something else than units.
    """

    trace: str
    units: tuple[AskedUnit, ...]
    complaint: str
    with_evidence: bool
    images: tuple[str, ...]
    body: Mapping[str, object]
    question: str = ""
    second: str = ""
    shown: Mapping[str, str] = field(default_factory=dict)

    @property
    def probed(self) -> bool:
        """Whether one digit answers it."""
        return self.question in ("presence", "correctness", "level")

    @cached_property
    def key(self) -> str:
        """16 hex digits for this trace, claims and question, the same in a first ask and in its re-asks."""
        more = [self.question] * bool(self.question) + [self.second] * bool(self.second)
        told = json.dumps([self.trace, [unit.claim for unit in self.units], *more])
        return sha256(told.encode()).hexdigest()[:16]


def parse_ask(body: Mapping[str, object]) -> Ask:
    """Read what a chat-completion body asks. A body of another shape gives an Ask without units."""
    before, trace, after = _parted(last_user_text(body))
    second = ""
    if after.startswith(_NEXT):
        _, second, after = _parted(after)
        before = before.removesuffix(_FIRST)
    complaint = _COMPLAINT.search(after)
    end = complaint.start() if complaint else len(after)
    schemas, questions = _unit_schemas(body), _QUESTION.findall(after, 0, end)
    return Ask(
        trace=trace,
        second=second,
        shown={heading: text.strip() for heading, text in _SECTION.findall(before)},
        units=read_units(after[:end], schemas),
        complaint=after[end:],
        images=image_urls(body),
        question=questions[-1] if questions else "",
        with_evidence=all({"evidence", "source"} & properties.keys() for properties in schemas.values()),
        body=body,
    )


def last_user_text(body: Mapping[str, object]) -> str:
    """The text of the last user message; text parts are joined by a line break, images left out."""
    for message in reversed(as_list(body.get("messages"))):
        if lookup(message, "role") == "user":
            return message_text(message)
    return ""


def image_urls(body: Mapping[str, object]) -> tuple[str, ...]:
    """The address of every image part, in order."""
    parts = (part for message in as_list(body.get("messages")) for part in as_list(lookup(message, "content")))
    urls = (lookup(part, "image_url", "url") for part in parts)
    return tuple(url for url in urls if isinstance(url, str))


def message_text(message: object) -> str:
    """The text of one message, whether its content is a string or a list of parts."""
    content = lookup(message, "content")
    if isinstance(content, str):
        return content
    texts = (lookup(part, "text") for part in as_list(content))
    return "\n".join(text for text in texts if isinstance(text, str))


def lookup(node: object, *path: str) -> object:
    """The value under nested keys, or None where the path ends early."""
    for key in path:
        if not isinstance(node, Mapping):
            return None
        node = node.get(key)
    return node


def as_list(node: object) -> list[object]:
    """The node if it is a list, else an empty list."""
    return node if isinstance(node, list) else []


def _parted(text: str) -> tuple[str, str, str]:
    """What comes before the fence, the trace, what comes after. Only a tag that hashes what it encloses is a fence."""
    for opening in _OPENING.finditer(text):
        start, closing = opening.end(), f"\n</trace-{opening[1]}>"
        # An empty trace: the line break after the opening tag is not the one before the closing tag.
        end = text.find(closing, start)
        if end >= 0 and sha256(text[start:end].encode()).hexdigest()[:12] == opening[1]:
            return text[: opening.start()], text[start:end], text[end + len(closing) :]
    return "", "", text


def _unit_schemas(body: Mapping[str, object]) -> dict[str, Mapping[str, object]]:
    """The properties of each `uN` of the reply schema, in its order."""
    schema = lookup(body, "response_format", "json_schema", "schema")
    properties = lookup(schema, "properties")
    if not isinstance(properties, Mapping):
        return {}
    return {name: _properties(schema, node) for name, node in properties.items() if _UNIT_NAME.fullmatch(name)}


def _properties(schema: object, node: object) -> Mapping[str, object]:
    """The properties of a node, behind a `$ref` into `$defs` too, as pydantic writes them."""
    reference = lookup(node, "$ref")
    if isinstance(reference, str):
        node = lookup(schema, *reference.removeprefix("#/").split("/"))
    properties = lookup(node, "properties")
    return properties if isinstance(properties, Mapping) else {}
