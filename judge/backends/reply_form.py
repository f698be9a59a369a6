"""What holds a reply to its schema: the `response_format` of a request, and how one server knows it.

{"type": "json_schema", "json_schema": {"name": "verdicts", "schema": {"type": "object", …}, "strict": true}}
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import orjson
from pydantic import JsonValue

from judge.prompt import Request

__all__ = ["MOST_CHARACTERS", "ReplyForm", "bounded_schema", "schema_for"]

MOST_CHARACTERS: Final = 400
"""Of each string of a reply that is asked for again. 16 units with both strings as long as that still end before our
usual limit of 4,096 tokens, at 4 characters a token."""
_NO_SCHEMAS = ("response_format", "json_schema", "structured", "guided", "grammar")
_NO_BOUNDS = (*_NO_SCHEMAS, "maxlength", "max_length", "schema")


class ReplyForm:
    """How one server is asked to hold a reply to its schema, as far as its refusals have taught it.

    Args:
        bounds: It may be a vLLM, whose grammars can bound a string. OpenAI's strict mode refuses the keyword.
    """

    def __init__(self, *, bounds: bool) -> None:
        self._bounds = bounds
        self._schemas = True

    def fields(self, request: Request) -> Mapping[str, object]:
        """What a request has besides its messages and parameters; empty where nothing holds its reply."""
        if not self._schemas or request.plain:
            return {}
        return {"response_format": _response_format(schema_for(request, bounds=self._bounds))}

    def adapt(self, said: str, sent: Mapping[str, Any]) -> str:
        """Learn from a refusal.

        Args:
            said: The server's words, in lower case.
            sent: The body that it refused.

        Returns:
            What is done differently from now on, in words for the end of a run; empty where nothing is.
        """
        form = sent.get("response_format")
        bounded = b'"maxLength":' in orjson.dumps(form)
        if bounded and any(word in said for word in _NO_BOUNDS):
            found, self._bounds = self._bounds, False  # another call may have found it out
            return "refused bounds on strings; asked with the plain schema instead." if found else ""
        if form and self._schemas and any(word in said for word in _NO_SCHEMAS):
            self._schemas = False
            return "refused response_format json_schema; asked for JSON in the text instead."
        return ""


def schema_for(request: Request, *, bounds: bool) -> str:
    """The JSON Schema to send: with bounds on its strings where the same question is asked again.

    A reply that was cut at the token limit is asked for again in the same words. If the model had lost itself in a
    string, it would do so again; a bound makes it go on to the next key. First asks have none: in xGrammar (0.2.8, of
    vLLM 0.32) a bounded string holds no escape, so that a reason ends at its first quotation mark, and may hold a
    raw tab, which is no JSON; and a schema takes seconds to compile in place of milliseconds. `pattern` has no escapes
    either, and takes 25 ms a token.
    """
    again = request.ask > 0 and not request.complaint
    return bounded_schema(request.schema) if bounds and again else request.schema


@lru_cache(maxsize=64)
def bounded_schema(schema: str) -> str:
    """The schema with a bound on every string; for the writer only, as a longer one is read all the same."""
    return orjson.dumps(_bounded(orjson.loads(schema))).decode()


def _bounded(value: JsonValue) -> JsonValue:
    if isinstance(value, list):
        return [_bounded(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    within = {key: _bounded(inner) for key, inner in value.items()}
    return {**within, "maxLength": MOST_CHARACTERS} if within.get("type") == "string" else within


@lru_cache(maxsize=64)
def _response_format(schema: str) -> orjson.Fragment:
    """There are as many schemas as numbers of units, and a call takes less time than to write one."""
    form = {"name": "verdicts", "schema": orjson.Fragment(schema), "strict": True}
    return orjson.Fragment(orjson.dumps({"type": "json_schema", "json_schema": form}))
