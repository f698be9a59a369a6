"""A rubric's name or path -> Findings."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from judge.lint.finding import Finding, Remark, in_order
from judge.lint.pair import list_questions, remark_on_place
from judge.lint.polarity import remark_on_polarity
from judge.lint.source import Source, read_source
from judge.lint.statement import Statement, list_statements, texts, without_meta
from judge.lint.structure import check_format, check_ids, check_texts, check_yaml
from judge.lint.template import remark_on_template
from judge.lint.weights import check_weights
from judge.lint.wording import remark_on_wording

__all__ = ["lint_rubric", "remark_on_statement"]


def lint_rubric(name_or_path: str) -> list[Finding]:
    """All that is found in one rubric, in the order of its file.

    Args:
        name_or_path: As of `load_rubric`.

    Raises:
        RubricError: There is no such rubric, or it cannot be read.
    """
    source = read_source(name_or_path)
    findings = [*check_yaml(source), *(_check(source) if source.document is not None else ())]
    errors = [finding for finding in findings if finding.severity == "error"]
    refused = [found for found in check_format(source) if not any(source.covers(found, error) for error in errors)]
    return in_order([*findings, *refused])


def remark_on_statement(statement: Statement) -> Iterator[Remark]:
    """What its words and its polarity give reason to."""
    return chain(remark_on_wording(statement), remark_on_polarity(statement))


def _check(source: Source) -> Iterator[Finding]:
    value = without_meta(source.document.value) if source.document is not None else None
    yield from check_texts(source, value)
    yield from check_ids(source, value)
    yield from check_weights(source, value)
    for field, text in texts(value):
        for remark in remark_on_template(text):
            yield source.at_words(field, text, remark)
    for field, text in list_questions(value):
        for remark in remark_on_place(text):
            yield source.at_words(field, text, remark)
    for statement in list_statements(value):
        for remark in remark_on_statement(statement):
            yield source.at_words(statement.field, statement.text, remark)
