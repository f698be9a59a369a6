"""Jinja in a rubric's text: no text is a template, and what would leave a sandbox is named as such."""

import pytest
from lint_kit import changed, lint_text, rules

from judge.lint.template import remark_on_template

ESCAPES = [
    "{{ ''.__class__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''['__class__'] }}",
    "{{ '__class__' }}",
    '{{ ""["__cla" ~ "ss__"] }}',
    r"{{ ''['\x5f\x5fclass\x5f\x5f'] }}",
    "{{ ''|attr('__class__') }}",
    r"{{ ''|attr('\x5f\x5fclass\x5f\x5f') }}",
    "{{ ''|attr(['_'*2, 'class', '_'*2]|join) }}",
    "{{ ''|attr('%c%cclass%c%c' % (95, 95, 95, 95)) }}",
    "{{ [question]|map(attribute='__class__')|list }}",
    "{{ [question]|map('attr', x)|list }}",
    "{{ [question]|groupby('__class__') }}",
    "{{ [question]|sum(attribute='__class__') }}",
    "{{ self.__init__.__globals__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "{{ cycler.__init__.__globals__.os }}",
    "{{ joiner.__init__ }}",
    "{{ namespace.__init__ }}",
    "{{ lipsum }}",
    "{{ dict(a=1) }}",
    "{{ range(10 ** 9)|list }}",
    "{{ config.items() }}",
    "{{ request.application.__globals__ }}",
    "{{ question.format_map(x) }}",
    "{{ question.gi_frame }}",
    "{{ question.cr_code }}",
    "{{ question.ag_frame }}",
    "{{ question.mro }}",
    "{{ 'a' * 10 ** 10 }}",
    "{{ '%9999999999d' % 1 }}",
    "{{ 10 ** 10 ** 10 }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}",
    "{% from 'os' import system %}",
    "{% extends question %}",
    "{% set x = ''.__class__ %}{{ x }}",
    "{% for c in ().__class__.__base__.__subclasses__() %}{% endfor %}",
    "{% if ''.__class__ %}{% endif %}",
    "{% macro m() %}{{ caller() }}{% endmacro %}",
    "{% filter attr('__class__') %}a{% endfilter %}",
    "{% call m() %}{% endcall %}",
    "{{ x[y] }}",
    "{{ ''.__class__ ",
    "{% for %}{{ ().__class__ }}",
    "{{ " + "(" * 20_000 + "}}",
    "{{ a" + "+a" * 20_000 + " }}",
    "{{ " + "9" * 5_000 + " }}",
    "{0.__class__.__init__.__globals__}",
    "{question.__class__}",
]


@pytest.mark.parametrize("text", ESCAPES, ids=range(len(ESCAPES)))
def test_an_escape_is_an_error_and_all_that_is_said(text: str) -> None:
    (remark,) = remark_on_template(f"Judge it.\n{text}")
    assert remark.rule == "template-escape"
    assert remark.end > remark.start >= len("Judge it.\n")


def test_there_are_at_least_thirty() -> None:
    assert len(set(ESCAPES)) >= 30


@pytest.mark.parametrize("field", ["Judge what is written.", "Red flags.", "Names the fever.", "What is seen."])
def test_it_is_one_in_every_text_of_a_rubric(field: str, tmp_path) -> None:
    assert rules(lint_text(changed(field, "'{{ a.__class__ }}'"), tmp_path)) == {"template-escape"}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Judge {{ question }}.", ["question"]),
        ("{{ question }} {{ trace|upper }} {{ question }}", ["question", "trace"]),
        ("{{ record.question }}", ["record"]),
        ("{% if image %}Look.{% endif %}", ["image"]),
        ("{{ options['A'] }}", ["options"]),
    ],
)
def test_a_variable_is_an_error_of_its_name(text: str, names: list[str]) -> None:
    remarks = list(remark_on_template(text))
    assert {(one.rule, text[one.start : one.end]) for one in remarks} == {("template-variable", name) for name in names}


@pytest.mark.parametrize("text", ["{# a note #}", "{{ 'a' }}", "A set such as {{1, 2}", "{% raw %}", "{{ 1 + 1 }}"])
def test_other_jinja_is_a_warning(text: str) -> None:
    (remark,) = remark_on_template(text)
    assert remark.rule == "template-text"


@pytest.mark.parametrize(
    "text", ["{a}", 'Reply as {"a": {"b": 1}}.', "50 % of {x}", "a __init__ method", "{ {", "100 %}"]
)
def test_braces_are_no_template(text: str) -> None:
    assert list(remark_on_template(text)) == []
