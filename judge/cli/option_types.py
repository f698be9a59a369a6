"""Forms of options that click does not know: `k=v`, `NAME=SOURCE`, `FIELD=NAME` and `NUMBER=LEAST`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pydantic import JsonValue

__all__ = ["Header", "Least", "OfOneJudge", "Parameter", "Rename"]


class Parameter(click.ParamType["tuple[str, JsonValue]"]):
    """`k=v`; the value is JSON where it can be read as JSON, else text."""

    name = "k=v"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, JsonValue]:
        from judge.strict_json import StrictJsonError, parse_json

        key, separator, text = value.partition("=")
        if not separator or not key:
            self.fail(f"{value!r} is not of the form k=v, such as temperature=0.7", param, ctx)
        try:
            return key, parse_json(text)
        except StrictJsonError:
            return key, text

    def pair(self, key: str, value: JsonValue) -> str:
        """The words of `key: value` in a run file, so that text which looks like a number stays text."""
        import orjson

        return f"{key}={orjson.dumps(value).decode()}"


class Header(click.ParamType["tuple[str, str]"]):
    """`NAME=env:VARIABLE` or `NAME=file:PATH`."""

    name = "NAME=SOURCE"
    sources = ("env:", "file:")

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        name, _, source = value.partition("=")
        if not (name and source.startswith(self.sources)):  # not repeated: it may be the value itself
            self.fail("a header is NAME=env:VARIABLE or NAME=file:PATH; its value is never written here", param, ctx)
        return name, source


class OfOneJudge(click.ParamType["str | dict[str, Any]"]):
    """A judge's name; in a run file also what is given for this judge alone, by the names of options.

    judge:
      - lexical
      - {judge: hosted_vllm/Qwen3-32B, api-base: "http://127.0.0.1:8000/v1", param: {temperature: 0.7}}
    """

    name = "NAME"
    options = (
        *("judge", "api-base", "param", "engine-arg", "concurrency", "rpm", "tpm", "timeout", "max-retries", "price"),
        *("key-file", "header"),
    )
    """Those that one judge of a panel may have for itself."""

    def convert(
        self, value: str | dict[str, Any], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | dict[str, Any]:
        return value


class Rename(click.ParamType[str]):
    """`target=source`, as `judge.traces.mapping` reads it."""

    name = "FIELD=NAME"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if "=" not in value:
            self.fail(f"{value!r} is not of the form FIELD=NAME, such as trace=response", param, ctx)
        return value


class Least(click.ParamType["tuple[str, float]"]):
    """`NAME=NUMBER`: what a number must reach."""

    name = "NAME=NUMBER"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:
        name, separator, text = value.partition("=")
        try:
            least = float(text)
        except ValueError:
            least = math.nan
        if not (name and separator and math.isfinite(least)):
            self.fail(f"{value!r} is not of the form NAME=NUMBER, such as kappa=0.6", param, ctx)
        return name, least
