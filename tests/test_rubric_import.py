"""`judge rubric import` and `export` on the command line: files, what is said, exit codes, hostile input."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner
from formats_kit import AUTORUBRIC, HEALTHBENCH, PAPERBENCH, RAR, RUBRIC, VERIFIERS
from hypothesis import given
from hypothesis import strategies as st

from judge.axis import Criteria
from judge.cli import cli
from judge.cli.rubric_export import export
from judge.cli.rubric_import import import_
from judge.formats import FORMATS
from judge.rubric import load_rubric
from judge.strict_yaml import parse_yaml


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rubric(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(cli, ["rubric", *words], catch_exceptions=False)
    return done.exit_code, done.stdout, done.stderr


def put(name: str, *documents: Any) -> str:
    text = "\n".join(one if isinstance(one, str) else json.dumps(one) for one in documents)
    Path(name).write_text(text, encoding="utf-8")
    return name


def test_the_options_name_every_format() -> None:
    named = {option.name: option.type for command in (import_, export) for option in command.params}
    assert list(getattr(named["named"], "choices", ())) == [one for one in FORMATS if FORMATS[one].write]
    froms = next(option.type for option in import_.params if option.name == "named")
    assert list(getattr(froms, "choices", ())) == list(FORMATS)


def test_one_rubric_goes_to_standard_output_or_a_file() -> None:
    put("paper.json", PAPERBENCH)
    code, text, said = rubric("import", "paper.json")
    assert (code, said) == (0, "")
    assert rubric("import", "paper.json", "--out", "made/p.yaml") == (
        0,
        "",
        "Written to made/p.yaml. To look at it:\n  judge rubric lint made/p.yaml\n",
    )
    assert Path("made/p.yaml").read_text() == text
    assert load_rubric("made/p.yaml").name == "paper"


def test_rows_go_to_a_folder_and_two_of_a_name_stay_apart() -> None:
    others = [{**HEALTHBENCH, "prompt_id": "00aa-11bb-2"}, {**HEALTHBENCH, "prompt_id": "x/../y"}]
    put("rows.jsonl", others[0], HEALTHBENCH, {**HEALTHBENCH, "canary": "another"}, others[1])
    code, _, said = rubric("import", "rows.jsonl", "--out", "made")
    assert (code, said.splitlines()[0]) == (0, "Written to made: 4 rubrics. To look at them:")
    assert sorted(path.name for path in Path("made").iterdir()) == [
        f"{name}.yaml" for name in ("00aa-11bb-2", "00aa-11bb-3", "00aa-11bb", "x-..-y")
    ]
    assert load_rubric("made/00aa-11bb-3.yaml").meta["canary"] == "another"


def test_rows_without_a_name_have_that_of_the_file_and_their_number() -> None:
    assert rubric("import", put("rar test.jsonl", RAR, RAR), "--out", "made")[0] == 0
    names = {path.stem: load_rubric(path).name for path in Path("made").iterdir()}
    assert names == {"rar-test-1": "rar-test-1", "rar-test-2": "rar-test-2"}


@pytest.mark.parametrize("out", [(), ("--out", "one.yaml")])
def test_several_rubrics_need_a_folder(out: tuple[str, ...]) -> None:
    code, text, said = rubric("import", put("rows.jsonl", RAR, RAR), *out)
    assert (code, text) == (2, "")
    assert said.startswith("rows.jsonl holds 2 rubrics, and ") and said.endswith("Give --out a folder.\n")
    assert not Path("one.yaml").exists()


def test_rows_may_be_packed_or_a_table_or_a_list() -> None:
    Path("rows.jsonl.gz").write_bytes(gzip.compress(json.dumps(RAR).encode()))
    pl.DataFrame([RAR]).write_parquet("rows.parquet")
    put("rows.json", [RAR])
    texts = {rubric("import", name)[1] for name in ("rows.jsonl.gz", "rows.parquet", "rows.json")}
    assert len(texts) == 1 and "name: rows\n" in texts.pop()


def test_nothing_that_is_there_is_written_over() -> None:
    put("rows.jsonl", HEALTHBENCH, {**HEALTHBENCH, "prompt_id": "b"})
    Path("made").mkdir()
    put("made/b.yaml", "mine")
    code, _, said = rubric("import", "rows.jsonl", "--out", "made")
    assert (code, said) == (2, "made/b.yaml is there already, and is not written over. Choose another --out.\n")
    assert [path.name for path in Path("made").iterdir()] == ["b.yaml"]


def test_what_is_lost_is_told() -> None:
    code, _, said = rubric("import", put("a.json", AUTORUBRIC), "--out", "a.yaml")
    assert code == 0
    assert [line for line in said.splitlines() if "lost" in line] == [
        "a.yaml: lost: weight 5.0 of 'tone': it has levels, so it is an axis of its own, and axes count alike",
        "a.yaml: lost: items (1 to grade): they are traces, for judge score",
        "a.yaml: lost: options of 'length', which are no even steps from 0 to 1: kept in its meta, and not asked",
    ]


def test_what_cannot_be_used_is_written_for_lint_to_name() -> None:
    tree = {**PAPERBENCH, "sub_tasks": [PAPERBENCH["sub_tasks"][1], PAPERBENCH["sub_tasks"][1]]}
    code, _, said = rubric("import", put("paper.json", tree), "--out", "p.yaml")
    assert code == 1
    assert "p.yaml:10:7: axes.tree.criteria: two criteria have the id '2'; ids must be unique." in said
    assert "1 of 1 cannot be used as written; judge rubric lint says all that is wrong.\n" in said
    code, found, _ = rubric("lint", "p.yaml")
    assert code == 1 and "p.yaml:19:17: error duplicate-id: the id '2' stands here and on line 14" in found


def test_a_wrong_type_is_kept_too() -> None:
    code, _, said = rubric("import", put("r.json", [{"weight": "5", "requirement": "x"}]), "--out", "r.yaml")
    assert (code, 'points: "5"' in Path("r.yaml").read_text()) == (1, True)
    assert "r.yaml:11:17: axes.criteria.criteria.0.points: Input should be a valid number. It is '5'." in said


def test_a_named_format_goes_before_what_is_found_out() -> None:
    put("r.json", RUBRIC)
    assert "points: 5.5" in rubric("import", "r.json", "--from", "autorubric")[1]
    code, _, said = rubric("import", "r.json", "--from", "paperbench")
    assert (code, said.startswith("r.json: is not of the format paperbench, which is a tree of `id`, ")) == (2, True)


def test_the_refusal_of_an_unknown_one_names_those_that_are_known() -> None:
    code, text, said = rubric("import", put("rows.jsonl", HEALTHBENCH, {"question": "q"}), "--out", "made")
    assert (code, text, Path("made").exists()) == (2, "", False)
    assert said.startswith("rows.jsonl, line 2: holds no rubric of a known format. Known are healthbench: ")
    assert all(f" {named}: {one.about}" in said for named, one in FORMATS.items())
    listed = rubric("import", put("rows.json", [RAR, 7]), "--out", "made")[2]
    assert listed.startswith("rows.json, item 2: holds no rubric")


def deep(levels: int) -> str:
    return '{"requirements": "x", "sub_tasks": [' * levels + "]}" * levels


HOSTILE = {
    "empty.json": ("", "ends in the middle of a JSON value"),
    "empty.jsonl": ("", "holds nothing"),
    "empty.yaml": ("", "holds no rubric of a known format"),
    "nothing.json": ("[]", "holds no rubric of a known format"),
    "twice.json": ('[{"weight": 1, "weight": 2, "requirement": "x"}]', "has the key 'weight' twice"),
    "nan.json": ('[{"weight": NaN, "requirement": "x"}]', "has NaN"),
    "large.json": ('[{"weight": 1e999, "requirement": "x"}]', "not finite"),
    "rows.json": (
        "{}\n{}",
        "If it has a row in each line, call it .jsonl",
    ),
    "half.jsonl": ('{"prompt": [', "line 1"),
    "deep.json": (deep(60), "is nested more than 80 deep"),
    "deeper.json": ("[" * 200_000, "nested too deeply"),
    "deep.yaml": ("[" * 5000 + "]" * 5000, "nested too deeply"),
    "deep.toml": (f"a = {'[' * 5000}{']' * 5000}", "nested too deeply"),
    "alias.yaml": ("- &a {weight: 1, requirement: x}\n- *a\n", "aliases (*name) are not allowed"),
    "tag.yaml": ("- !!python/object/apply:os.system ['true']\n", "tags (!name) are not allowed"),
    "no.toml": ("[[criteria", "is no TOML"),
    "date.toml": ("criteria = [{name = 'a', text = 'b', since = 2001-01-01}]", "has a date or a time"),
    "inf.toml": ("criteria = [{name = 'a', text = 'b', weight = inf}]", "has Infinity"),
    "latin.json": (b'["\xe9"]', "cannot be read"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_in_words(name: str) -> None:
    content, message = HOSTILE[name]
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    code, text, said = rubric("import", name)
    assert (code, text) == (2, "")
    assert message in said and said.startswith(name)


def test_the_deepest_tree_that_is_read_is_written() -> None:
    """40 levels are read, of which 32 can be used."""
    code, text, said = rubric("import", put("deep.json", deep(39)))
    assert code == 1 and text.count("- text: x") == 39 and "more than 32 levels" in said


def test_a_text_cannot_leave_its_place_in_the_yaml() -> None:
    """Nor a key, nor what a terminal takes for a command."""
    text = 'x"\n      - id: evil\n        text: "\x1b[2J\x07 {{ 7*7 }} \u202e'
    document = [{"weight": 1, "requirement": text, "a: b\n- c": {"\x1b[2J": "\x00"}}]
    code, written, _ = rubric("import", put("r.json", document))
    (one,) = _criteria(written)
    assert (code, one.text, one.meta) == (0, text, {"a: b\n- c": {"\x1b[2J": "\x00"}})
    assert "\x1b" not in written and "\x00" not in written and "\u202e" not in written


def _criteria(text: str) -> Any:
    axis = load_rubric(put("again.yaml", text)).axes["criteria"]
    assert isinstance(axis, Criteria)
    return axis.criteria


def test_too_large_a_document_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("judge.formats.given._LARGEST", 10)
    assert rubric("import", put("r.json", RUBRIC))[2].startswith("r.json: has more than 10 bytes.")


# Export.


@pytest.mark.parametrize(
    ("named", "document", "suffix"),
    [
        ("healthbench", HEALTHBENCH, ".jsonl"),
        ("rar", RAR, ".jsonl"),
        ("paperbench", PAPERBENCH, ".json"),
        ("rubric", RUBRIC, ".json"),
        ("rubric", RUBRIC, ".yaml"),
        ("autorubric", AUTORUBRIC, ".yml"),
    ],
)
def test_out_and_in_again(named: str, document: Any, suffix: str) -> None:
    assert rubric("import", put("made.json", document), "--out", "first.yaml")[0] == 0
    Path("there").mkdir()
    assert rubric("export", "first.yaml", "--to", named, "--out", f"there/made{suffix}", "--strict") == (0, "", "")
    assert rubric("import", f"there/made{suffix}", "--from", named, "--out", "second.yaml")[0] == 0
    assert load_rubric("first.yaml") == load_rubric("second.yaml")


def test_what_an_export_loses_is_told_and_strict_writes_nothing() -> None:
    assert rubric("import", put("made.json", RUBRIC), "--out", "r.yaml")[0] == 0
    put("r.yaml", Path("r.yaml").read_text().replace("points: 5.5", "points: 5.5\n        gate: true"))
    code, text, said = rubric("export", "r.yaml", "--to", "rubric")
    assert (code, json.loads(text)) == (0, RUBRIC)
    assert said == "lost: name made\nlost: axis.criteria.gate True\n".replace("made", "'made'")
    there = rubric("export", "r.yaml", "--to", "rubric", "--out", "made.json")
    assert there[0] == 2 and there[2].startswith("made.json is there already")
    strict = rubric("export", "r.yaml", "--to", "rubric", "--strict", "--out", "other.json")
    assert strict == (
        1,
        "",
        "lost: name 'made'\nlost: axis.criteria.gate True\nNothing is written, as --strict has it.\n",
    )
    assert not Path("other.json").exists()


TWO = """\
name: two
version: "1"
description: d
axes:
  a: {kind: criteria, description: d, criteria: [{id: x, text: t}]}
  b: {kind: criteria, description: d, criteria: [{id: y, text: u}]}
"""


def test_one_axis_is_written() -> None:
    put("two.yaml", TWO)
    code, text, said = rubric("export", "two.yaml", "--to", "rubric")
    assert (code, text) == (2, "")
    assert said == "two: the axes a, b have criteria, and one is written. Give --axis NAME.\n"
    code, text, said = rubric("export", "two.yaml", "--to", "rubric", "--axis", "b")
    assert (code, json.loads(text)) == (0, [{"id": "y", "weight": 1, "requirement": "u"}])
    assert "lost: axes.a.criteria.text 't'\n" in said and "axis.criteria" not in said
    assert rubric("export", "two.yaml", "--to", "rubric", "--axis", "c")[2] == (
        "--axis 'c' is no axis with criteria; there is: a, b.\n"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("pkr",), "pkr: no axis has criteria. Only criteria that stand in a rubric are exported"),
        (("nope",), "no built-in rubric is called 'nope'"),
        (
            ("two.yaml", "--out", "x.txt"),
            "--out x.txt: rubric is written to a file that ends in .json or .yaml or .yml.",
        ),
    ],
)
def test_what_cannot_be_exported(words: tuple[str, ...], said: str) -> None:
    put("two.yaml", TWO)
    code, text, told = rubric("export", *words, "--to", "rubric")
    assert (code, text, told.startswith(said)) == (2, "", True)


def test_verifiers_is_read_only() -> None:
    put("v.toml", VERIFIERS)
    assert "Triage" in rubric("import", "v.toml")[1]
    assert CliRunner().invoke(cli, ["rubric", "export", "pkr", "--to", "verifiers"]).exit_code == 2


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-2, 2) | st.sampled_from(["", "Pitfall Criteria: "]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["criteria", "id", "a"]), inner),
    max_leaves=4,
)
SEEDS = [HEALTHBENCH, RAR, PAPERBENCH, RUBRIC, AUTORUBRIC, {"criteria": [{"name": "a", "text": "b", "choices": ["c"]}]}]


def spoilt(value: Any, draw: st.DrawFn) -> Any:
    """The same with one part of it something else."""
    inner = list(value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ())
    if not inner or draw(st.integers(0, 3)) == 0:
        return draw(JSON)
    at, child = draw(st.sampled_from(inner))
    changed = {**dict(inner), at: spoilt(child, draw)}
    return changed if isinstance(value, dict) else list(changed.values())


@pytest.mark.parametrize("items", [5, None, "x", {}])
def test_what_is_called_items_and_holds_none_is_kept(items: Any) -> None:
    code, text, said = rubric("import", put("a.json", {**AUTORUBRIC, "items": items}))
    assert (code, parse_yaml(text).value["meta"]["items"], "to grade" in said) == (0, items, False)


@given(st.data())
def test_whatever_stands_in_a_document_it_is_written_or_refused_in_words(data: st.DataObject) -> None:
    document = spoilt(data.draw(st.sampled_from(SEEDS)), data.draw)
    Path("r.json").write_text(json.dumps(document))
    code, text, said = rubric("import", "r.json")
    assert (code, bool(text)) in ((0, True), (1, True), (2, False))
    assert code == 0 or said.startswith("r.json") or ".yaml:" in said
