"""A text -> remarks: Jinja in it, escapes from the sandbox first.

Texts of a rubric are values in our prompts and never templates: nothing is filled in, and nothing runs. So a variable
is a mistake, and what would leave a sandbox has no business in a rubric that somebody sent. The text is parsed and
never rendered, nor are its constants worked out: `'a' * 10 ** 10` would take all memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from jinja2 import TemplateSyntaxError, nodes
from jinja2.sandbox import (
    UNSAFE_ASYNC_GENERATOR_ATTRIBUTES,
    UNSAFE_COROUTINE_ATTRIBUTES,
    UNSAFE_FUNCTION_ATTRIBUTES,
    UNSAFE_GENERATOR_ATTRIBUTES,
    UNSAFE_METHOD_ATTRIBUTES,
    ImmutableSandboxedEnvironment,
)

from judge.lint.finding import Remark

__all__ = ["remark_on_template"]

_MARK: Final = re.compile(r"\{[{%#]")
_DUNDER: Final = re.compile(r"__\w+__")
_FORMATTED: Final = re.compile(r"\{[^{}\n]{1,200}\}")  # `"{0.__class__}".format(…)`
_SAFE_FILTERS: Final = re.compile(
    "upper|lower|title|capitalize|trim|length|count|default|d|e|escape|first|last|int|float|round|string"
)
_UNSAFE_NAMES: Final = frozenset(
    {"mro"}
    | UNSAFE_FUNCTION_ATTRIBUTES
    | UNSAFE_METHOD_ATTRIBUTES
    | UNSAFE_GENERATOR_ATTRIBUTES
    | UNSAFE_COROUTINE_ATTRIBUTES
    | UNSAFE_ASYNC_GENERATOR_ATTRIBUTES
)
_OTHER_FILES: Final = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)
_GROWING: Final = (nodes.Pow, nodes.Mul, nodes.Mod)
_ENVIRONMENT: Final = ImmutableSandboxedEnvironment()
_PLAIN: Final = "write what the judge is to read; it may be a field of the record, which the judge sees anyway"


def remark_on_template(text: str) -> Iterator[Remark]:
    """An escape hides the rest: the text is not one to be mended."""
    if not _MARK.search(text):
        for found in _FORMATTED.finditer(text):
            if _DUNDER.search(found[0]):
                yield _escape(found.start(), found.end(), f"{found[0]} reaches into Python")
                return
        return
    try:
        yield from list(_remarks(text, _ENVIRONMENT.parse(text)))
    except TemplateSyntaxError as exc:
        yield _broken(text, exc)
    except (RecursionError, ValueError):  # Jinja reads a number of any length, and Python none of 4,300 digits
        yield _escape(*_mark(text, 1), "a template that is too large to be read")


def _remarks(text: str, tree: nodes.Template) -> Iterator[Remark]:
    escapes = [(node.lineno, why) for node in tree.find_all(nodes.Node) if (why := _danger(node))]
    for line, why in escapes[:1]:
        yield _escape(*_mark(text, line), why)
    if escapes:
        return
    unknown = {node.name: node.lineno for node in reversed([*tree.find_all(nodes.Name)])}
    for name, line in unknown.items():
        start, end = _mark(text, line, name)
        what = f"the variable {name!r} is unknown: a rubric's text is shown to the judge as it is"
        yield Remark(rule="template-variable", start=start, end=end, what=what, to_do=_PLAIN)
    if not unknown:
        start, end = _mark(text, 1)
        yield Remark(rule="template-text", start=start, end=end, what=_LITERAL, to_do=_PLAIN)


_LITERAL: Final = "this is written as a template, and is shown to the judge as it is"


def _broken(text: str, exc: TemplateSyntaxError) -> Remark:
    if found := _DUNDER.search(text):
        return _escape(found.start(), found.end(), f"{found[0]} in a template that is broken")
    start, end = _mark(text, exc.lineno)
    return Remark(rule="template-text", start=start, end=end, what=f"{_LITERAL} ({exc.message})", to_do=_PLAIN)


def _escape(start: int, end: int, why: str) -> Remark:
    to_do = "remove it, and ask where the rubric comes from"
    return Remark(
        rule="template-escape", start=start, end=end, what=f"{why}, which no text of a rubric needs", to_do=to_do
    )


def _danger(node: nodes.Node) -> str:
    """What a node could do outside of the sandbox; empty for what only shows a value."""
    match node:
        case nodes.Getattr(attr=name) if _is_internal(name):
            return f"the attribute {name!r}"
        case nodes.Getitem(arg=nodes.Const(value=name)) if isinstance(name, str) and _is_internal(name):
            return f"the item {name!r}"
        case nodes.Getitem(arg=arg) if not isinstance(arg, nodes.Const | nodes.Slice):
            return "an item whose name is worked out"
        case nodes.Const(value=str(words)) if "__" in words:
            return f"the name {words[:40]!r}"
        case nodes.Name(name=name) if name == "self" or name in _ENVIRONMENT.globals:
            return f"Jinja's own {name!r}"
        case nodes.Call():
            return "a call"
        case nodes.Filter(name=name) if not _SAFE_FILTERS.fullmatch(name):
            return f"the filter {name!r}"
        case _ if isinstance(node, _OTHER_FILES):
            return "another file"
        case _ if isinstance(node, _GROWING):
            return "arithmetic that can fill the memory"
    return ""


def _is_internal(name: str) -> bool:
    return name.startswith("_") or name.endswith("_") or name in _UNSAFE_NAMES


def _mark(text: str, line: int, name: str | None = None) -> tuple[int, int]:
    """Where a name, or else the first mark of Jinja, stands on a line of the text or after it."""
    start = sum(len(one) + 1 for one in text.split("\n")[: line - 1])
    pattern = _MARK if name is None else re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    found = pattern.search(text, start) or _MARK.search(text)
    assert found is not None  # else nothing would have been parsed
    return found.span()
