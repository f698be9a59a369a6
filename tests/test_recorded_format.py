"""The declaration of a format: what it may say, and what is said where it cannot be used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from judge.errors import ConfigError
from judge.recordings.declared import format_names, load_format
from judge.recordings.form import Form, Numbers
from judge.recordings.recording import Each, Human, Join, RecordedFormat, Split

PAGE = (Path(__file__).parents[1] / "docs" / "replay.md").read_text(encoding="utf-8")
GOOD = """\
name: own
about: The last sentence says which is better.
kind: preference
record: "{id}"
judge: "{judge}"
model_a: left
model_b: right
raw: "{reply}"
labels: {"1": first, "2": second}
forms:
  - {at: end, text: "Better is {label}."}
"""


def refusal(text: str, tmp_path: Path) -> str:
    path = tmp_path / "own.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load_format(str(path))
    return str(refused.value).removeprefix(f"{path}:")


@pytest.mark.parametrize("name", format_names())
def test_a_built_in_has_the_name_of_its_file_and_a_place_in_the_docs(name: str) -> None:
    assert load_format(name).name == name
    assert f"`{name}`" in PAGE


@pytest.mark.parametrize("part", [RecordedFormat, Form, Numbers, Join, Split, Each, Human])
def test_every_field_is_explained(part: type[RecordedFormat]) -> None:
    for field in part.model_fields:
        assert re.search(rf"^\| `{field}` \|", PAGE, re.MULTILINE), field


def test_the_declaration_in_the_docs_can_be_used(tmp_path: Path) -> None:
    declarations = re.findall(r"```yaml\n(name: .*?)```", PAGE, re.DOTALL)
    assert len(declarations) >= 3
    for number, text in enumerate(declarations):
        path = tmp_path / f"{number}.yaml"
        path.write_text(text, encoding="utf-8")
        assert load_format(str(path)).forms


def test_the_good_one_is_good(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(GOOD, encoding="utf-8")
    declared = load_format(str(tmp_path / "own.yaml"))
    assert (declared.orders, declared.raw, declared.cut) == (2, ("{reply}",), ("length", "max_tokens"))


def test_a_name_that_is_none_is_told_the_others() -> None:
    with pytest.raises(
        ConfigError, match=r"--format 'llmbarr' is no built-in format; there are: amel, .*llmbar, .*\.yaml"
    ):
        load_format("llmbarr")


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match=r"/nowhere\.yaml: cannot be read"):
        load_format("/nowhere.yaml")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "kind: preference",
            "kind: prefer",
            r"3:7: kind: .*'preference', 'scores', 'criteria' or 'scale'.*Write one of",
        ),
        ("judge: ", "jugde: ", r"judge: Field required\. Add it\."),
        ("raw:", "when: {}\nrawr:", r"raw: Field required"),
        (
            "forms:",
            "zzz: 1\nforms:",
            r"10:6: zzz: Extra inputs are not permitted\. Leave it away; there are: name, ",
        ),
        ("{at: end", "{att: 1, at: end", r"11:11: forms\.0\.att: .*Did you mean `at`\?"),
        ("model_b: right\n", "", r"1:1: the file: `kind: preference` needs `model_b`\. Add `model_b:`\."),
        ('"{id}"', '"{id or item}"', r"4:9: record: \{id or item\} is no path of a field\. Write it such as \{id\}"),
        ('"{id}"', '"{id"', r"4:9: record: '\{id' has a brace that stands alone"),
        ("{label}.", "{labels}.", r"forms\.0\.text: \{labels\} is no slot; there are: \{label\}, \{number\}"),
        ("{label}.", "one.", r"forms\.0: 'Better is one\.' must have a slot that says what it means, or else `means`"),
        ("{label}.", "{number}.", r"a form has a number, and there are no `numbers`\. Add `numbers:`"),
        ('{"1": first, "2": second}', "{}", r"a form has \{label\}, and there are no `labels`"),
        (
            '"1": first',
            '"1": MET',
            r"a label means MET, and of `kind: preference` it may mean: first, second, tie, A, B",
        ),
        ('"1": first', "1: first", r"9:10: a key must be text"),
        ("{at: end", "{after: [x], at: end", r"forms\.0: `after` says nothing of a form `at: end`\. Leave it away, or"),
        ("{at: end", "{at: json", r"forms\.0: 'Better is \{label\}\.' is no path of a key and what it holds"),
        ('raw: "{reply}"', 'raw: ["{one}", "{two}"]', r"two texts in `raw` are of `kind: scores` only"),
        ("kind: preference", "kind: scores", r"`kind: scores` needs `numbers`"),
        (
            "kind: preference",
            "numbers: {lowest: 1, highest: 9}\nkind: scores\n",
            r"a label means first, and of `kind: scores` it may mean: nothing, as it has numbers",
        ),
        ("forms:", "people: [{rater: r, value: '{v}', labels: {x: MET}}]\nforms:", r"a label means MET"),
        ("forms:", "numbers: {lowest: 5, highest: 1}\nforms:", r"10:10: numbers: `lowest` must be below `highest`"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_what_to_do(old: str, new: str, expected: str, tmp_path: Path) -> None:
    assert re.search(expected, refusal(GOOD.replace(old, new, 1), tmp_path)), refusal(
        GOOD.replace(old, new, 1), tmp_path
    )


def test_a_scale_ends_in_whole_numbers(tmp_path: Path) -> None:
    text = (
        "name: s\nabout: x\nkind: scale\nrecord: '{id}'\njudge: j\nmodel: m\naxis: quality\nraw: '{r}'\n"
        "numbers: {lowest: 0.5, highest: 3, step: 0.5}\nforms: [{at: whole, text: '{number}'}]\n"
    )
    assert "the ends of a scale must be whole numbers" in refusal(text, tmp_path)
    people = "people: [{rater: r, value: '{v}', labels: {x: A}}]\n"
    assert "labels of people are read for pairs only" in refusal(people + text.replace("0.5, h", "1, h"), tmp_path)
    assert "whose forms hold {number}" in refusal(
        text.replace("0.5, h", "1, h").replace("'{number}'", "'{first} {second}'"), tmp_path
    )
