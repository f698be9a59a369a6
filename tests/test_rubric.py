"""A rubric file is read strictly: whatever is wrong is refused at load, with file, line and column."""

import json
import re
import sys
import time
from pathlib import Path

import pytest

from judge.errors import RubricError
from judge.rubric import Rubric, as_name, load_rubric, rubric_schema

ROOT = Path(__file__).parents[1]
GOOD = """\
name: r
version: "1"
description: What it scores.
guidelines: How to judge.
axes:
  seen:
    kind: checklist
    description: What is seen.
    importance: {default: 1, core: 2.5, minor: 0}
  known:
    kind: checklist
    description: What is known.
"""


def _with(old: str, new: str) -> str:
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


def _weight(written: str) -> str:
    return _with("2.5", written)


def _axis(name: str) -> str:
    return _with("  seen:", f"  {name}:")


def _bomb(levels: int = 9) -> str:
    """Nine lines of nine aliases each: 9⁹ strings, were they followed."""
    lines = ['a0: &a0 ["x", "x", "x", "x", "x", "x", "x", "x", "x"]']
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines)


# Name -> text, where it is wrong (line:column, by hand), what the message says.
WRONG = {
    # YAML itself
    "tab": (_with("  seen:", "\tseen:"), "6:1", "cannot start any token"),
    "bad indent": (GOOD + "   more: 1\n", "13:4", "expected <block end>"),
    "unclosed quote": (_with('"1"', '"1'), "13:1", "found unexpected end of stream"),
    "unclosed list": (GOOD + "x: [a\n", "14:1", "expected ',' or ']'"),
    "colon in a text": (_with("How to judge.", "a: b"), "4:14", "mapping values are not allowed here"),
    "control character": (_with("How to judge.", "a\ab"), "4:14", r"the character '\x07' is not allowed"),
    "NUL": ("\0" + GOOD, "1:1", r"the character '\x00' is not allowed"),
    "unknown escape": (_with('"1"', r'"\q"'), "2:12", "unknown escape character"),
    "escape of no character": (_with('"1"', r'"\U00110000"'), "2:13", "is of no character"),
    "escape beyond C": (_with('"1"', r'"\UFFFFFFFF"'), "2:13", "is of no character"),
    "half a pair": (_with("How to judge.", r'"\uD800"'), "4:13", "half of a surrogate pair"),
    "two documents": (GOOD + "---\n" + GOOD, "13:1", "another document"),
    "too deep": ("[" * 5_000, "1:1", "nested too deeply"),
    "empty": ("", "1:1", "the file: Input should be a valid dictionary"),
    "only a comment": ("# nothing\n", "1:1", "the file: Input should be"),
    "a text": ("rubric", "1:1", "the file: Input should be"),
    "a list": ("- name: r\n", "1:1", "the file: Input should be"),
    # what YAML can do and a rubric must not
    "duplicate key": (GOOD + "name: s\n", "13:1", "the key 'name' stands here and on line 1"),
    "duplicate key, quoted": (GOOD + '"name": s\n', "13:1", "the key 'name' stands here and on line 1"),
    "duplicate axis": (_axis("known"), "10:3", "the key 'known' stands here and on line 6"),
    "duplicate in one line": (_weight("2, core: 3"), "9:39", "the key 'core' stands here and on line 9"),
    "alias": (_with("How to judge.", "&g x\nmore: *g"), "5:7", "aliases (*name) are not allowed"),
    "alias as key": (_with("How to judge.", "&g x\n*g : 1"), "5:1", "aliases (*name) are not allowed"),
    "recursive alias": ("&a [*a]", "1:5", "aliases (*name) are not allowed"),
    "unknown alias": ("a: *b", "1:4", "aliases (*name) are not allowed"),
    "alias bomb": (_bomb(), "2:10", "aliases (*name) are not allowed"),
    "merge key": (_with("  known:\n", "  known:\n    <<: {kind: checklist}\n"), "11:5", "<< is not allowed"),
    "list as key": ("? [a]\n: 1\n", "1:3", "a key must be text"),
    "mapping as key": ("{{a: b}: c}", "1:2", "a key must be text"),
    **{
        f"tag {tag}": (_with('"1"', f"{tag} {value}"), "2:10", "tags (!name) are not allowed")
        for tag, value in {
            "!!python/object/apply:os.system": '["true"]',
            "!!python/name:os.system": "x",
            "!!python/object/new:str": "[x]",
            "!!python/module:os": "x",
            "!!binary": "aGk=",
            "!!str": "1",
            "!!int": '"1"',
            "!!set": "{a}",
            "!!omap": "[a: 1]",
            "!mine": "x",
            "!": "x",
            "!<tag:yaml.org,2002:str>": "x",
        }.items()
    },
    # text that YAML turns into something else
    **{
        f"{word} for a text": (_with('"1"', word), "2:10", f'If it is text, write it in quotes: "{word}"')
        for word in ("no", "No", "off", "yes", "on", "true", "1", "1.0", "-3", "~", "null")
    },
    "nothing for a text": (_with(' "1"', ""), "2:9", "version: Input should be a valid string. It is None."),
    **{
        f"{word} for a text": (_with('"1"', word), "2:10", "must be a plain decimal one, or stand in quotes")
        for word in ("12:30", "010", "0x10", "0b1", "1_000", ".nan", ".inf", "-.INF", "12:30:00.5", "1" * 19)
    },
    **{
        f"{word} for a text": (_with('"1"', word), "2:10", "must stand in quotes: no field is a date")
        for word in ("2026-01-31", "2026-01-31T10:00:00Z", "2026-99-99")
    },
    "= for a text": (_with('"1"', "="), "2:10", "could not determine a constructor"),
    "list for a text": (_with('"1"', "[a]"), "2:10", "version: Input should be a valid string. It is ['a']."),
    **{
        f"{word} as a key": (_axis(word), "6:3", "a key must be text; words such as no, numbers and ~ need quotes")
        for word in ("no", "on", "1", "1.5", "~", "2026-01-31", "12:30")
    },
    # weights
    **{
        f"weight {word}": (_weight(word), "9:36", "must be a plain decimal one")
        for word in ("010", "12:30", "0x10", ".nan", ".inf", "-.inf", "1_0", "1" * 19, "1" + "0" * 400, "1" * 5_000)
    },
    **{
        f"weight {word}": (_weight(word), "9:36", "axes.seen.importance.core: Input should be a valid number")
        for word in ("1e3", "~", "yes", '"2"', "[1]", "{}", "many")
    },
    "weight negative": (_weight("-1"), "9:17", "the weight of 'core' is -1.0; it must be finite and at least 0"),
    "weight overflow": (_weight("1.0e+999"), "9:17", "the weight of 'core' is inf; it must be finite"),
    "no default": (_with("default: 1, ", ""), "9:17", "the weight `default` is missing"),
    "no weights": (_with("{default: 1, core: 2.5, minor: 0}", "{}"), "9:17", "the weight `default` is missing"),
    "weights a list": (_with("{default: 1, core: 2.5, minor: 0}", "[1]"), "9:17", "axes.seen.importance"),
    # axes
    **{
        f"axis {name}": (_axis(name), "6:3", f"the axis name '{name}' is taken; columns such as `{name}_score` exist")
        for name in ("trace", "answer", "units", "overall")
    },
    **{
        f"axis {name}": (_axis(name), "6:3", "must be lower-case letters, digits and underscores")
        for name in ("Seen", "se-en", "se en", "se.en", "größe", "_", '""', '"1a"', '"a\\n"', "ｓeen")
    },
    "axes empty": ("name: r\nversion: v\ndescription: d\naxes: {}\n", "4:7", "axes: "),
    "axes null": ("name: r\nversion: v\ndescription: d\naxes:\n", "4:6", "axes: "),
    "axes a list": ("name: r\nversion: v\ndescription: d\naxes: [a]\n", "4:7", "axes: "),
    "axes missing": ("name: r\nversion: v\ndescription: d\n", "1:1", "axes: Field required"),
    "axis null": (GOOD + "  third:\n", "13:9", "axes.third: "),
    "unknown kind": (
        GOOD + "  t: {kind: checklst, description: d}\n",
        "13:13",
        "axes.t.kind: must be one of: checklist, criteria, scale, faithfulness, preference. It is 'checklst'",
    ),
    "kind missing": (GOOD + "  third: {description: d}\n", "13:10", "axes.third.kind: Field required"),
    "description missing": (GOOD + "  third: {kind: checklist}\n", "13:10", "axes.third.description: Field required"),
    "description empty": (_with("What is known.", '""'), "12:18", "axes.known.description: "),
    "unknown field": (_with("guidelines", "guideline"), "4:12", "guideline: Extra inputs are not permitted"),
    "unknown field of an axis": (
        GOOD + "    weight: 2\n",
        "13:13",
        "axes.known.weight: Extra inputs are not permitted",
    ),
    "name missing": (_with("name: r\n", ""), "1:1", "name: Field required"),
    "name with a space": (_with("name: r", "name: a b"), "1:7", "name: String should match pattern"),
    "name that leaves its folder": (_with("name: r", "name: ../r"), "1:7", "name: String should match pattern"),
    "name with a line end": (_with("name: r", 'name: "r\\n"'), "1:7", "name: String should match pattern"),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "r.yaml"


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_rubric_is_refused_with_its_place(case: str, file: Path) -> None:
    text, place, says = WRONG[case]
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RubricError) as caught:
        load_rubric(file)
    assert str(caught.value).startswith(f"{file}:{place}: "), str(caught.value)
    assert says in str(caught.value), str(caught.value)
    assert caught.value.hint, str(caught.value)
    assert len(str(caught.value)) < len(str(file)) + 400


@pytest.mark.parametrize(
    ("text", "to_do"),
    [
        (GOOD + "    weigth: {default: 1}\n", "Leave it away; there are: description, view, kind, importance."),
        (_with("guidelines", "guideline"), "Did you mean `guidelines`?"),
        (_with("importance", "importnce"), "Did you mean `importance`?"),
        (GOOD + "  c: {kind: criteria, description: d, criteria: [{id: a, txt: t}]}\n", "Add it."),
        (
            GOOD + "  s: {kind: scale, description: d, levels: [{level: 1, anchr: t, anchor: u}]}\n",
            "Did you mean `anchor`?",
        ),
        (_with("core: 2", "core: -1"), "Write a number such as 2 or 0.5."),
    ],
)
def test_what_to_do_about_it_is_said(text: str, to_do: str, file: Path) -> None:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RubricError) as caught:
        load_rubric(file)
    assert caught.value.hint == to_do


def test_an_alias_bomb_ends_at_once(file: Path) -> None:
    file.write_text(_bomb(30))
    begun = time.process_time()
    with pytest.raises(RubricError, match="aliases"):
        load_rubric(file)
    assert time.process_time() - begun < 0.1


def test_a_tag_runs_nothing(file: Path) -> None:
    file.write_text("!!python/object/apply:os.system ['true']")
    seen: list[str] = []
    watching = True

    def hook(event: str, _: object) -> None:
        if watching:
            seen.append(event)

    sys.addaudithook(hook)
    with pytest.raises(RubricError, match="tags"):
        load_rubric(file)
    watching = False  # a hook cannot be taken away
    assert "open" in seen
    assert not [event for event in seen if event.startswith(("os.system", "subprocess", "exec", "import"))]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_right_rubric(end: str, mark: str, file: Path) -> None:
    file.write_bytes((mark + GOOD.replace("\n", end)).encode())
    rubric = load_rubric(str(file))
    assert (rubric.name, rubric.version, rubric.guidelines, list(rubric.axes)) == (
        *("r", "1", "How to judge."),
        ["seen", "known"],
    )
    seen, known = rubric.axes.values()
    # `default` is for units without an importance; without the mapping every unit weighs 1, whatever it is called.
    assert [seen.weight(name) for name in (None, "default", "core", "minor")] == [1, 1, 2.5, 0]
    assert [known.weight(name) for name in (None, "core", "anything")] == [1, 1, 1]
    with pytest.raises(KeyError):
        seen.weight("Core")


@pytest.mark.parametrize(
    ("written", "weight"), [("0", 0), (".5", 0.5), ("2.", 2), ("+3", 3), ("1.5e+3", 1500), ("9", 9)]
)
def test_plain_numbers_are_weights(written: str, weight: float, file: Path) -> None:
    file.write_text(_weight(written))
    found = load_rubric(file).axes["seen"].weight("core")
    assert (found, type(found)) == (weight, float)


def test_the_fingerprint_is_of_the_meaning(file: Path) -> None:
    def fingerprint(text: str) -> str:
        file.write_text(text)
        return load_rubric(file).fingerprint

    first = fingerprint(GOOD)
    assert re.fullmatch("[0-9a-f]{12}", first)
    same = [
        "# a comment\n\n" + GOOD + "\n",
        _with('name: r\nversion: "1"', "version: '1'\nname:   r"),
        _weight("2.50"),
        _with("core: 2.5, minor: 0", "minor: 0.0, core: 2.5"),
    ]
    assert {fingerprint(text) for text in same} == {first}
    seen, known = GOOD.index("  seen:"), GOOD.index("  known:")
    others = [
        _with("name: r", "name: s"),
        _with('"1"', '"2"'),
        _with("What it scores.", "What it scores!"),
        _with("How to judge.", "How to judge?"),
        _with("What is seen.", "What is seen!"),
        _axis("sight"),
        _weight("2.6"),
        _with("core: 2.5", "main: 2.5"),
        GOOD[:known],
        GOOD[:seen] + GOOD[known:] + GOOD[seen:known],  # the order of the axes is the order of a prompt
    ]
    assert len({first, *map(fingerprint, others)}) == 1 + len(others)


def test_the_built_in_rubric() -> None:
    """Contract §2: `pkr` gives every unit weight 1."""
    pkr = Rubric.load("pkr")
    assert (pkr.name, list(pkr.axes)) == ("pkr", ["perception", "knowledge", "rationale"])
    assert {axis.weight(name) for axis in pkr.axes.values() for name in (None, "core", "supporting", "x")} == {1.0}


def test_rubrics_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(RubricError, match=r"no built-in rubric is called 'pkx'; there are: .*pkr.*\. Or give a file"):
        load_rubric("pkx")
    with pytest.raises(RubricError, match=r"none\.yaml: cannot be read: .*No such file"):
        load_rubric(str(tmp_path / "none.yaml"))
    with pytest.raises(RubricError, match=r"cannot be read: .*Is a directory"):
        load_rubric(tmp_path)
    (tmp_path / "r.yaml").write_bytes(GOOD.encode("utf-16"))
    with pytest.raises(RubricError, match=r"cannot be read: .*codec can't decode"):
        load_rubric(tmp_path / "r.yaml")


def test_editors_get_the_schema_of_what_is_read() -> None:
    written = json.loads((ROOT / "rubrics" / "schema.json").read_text())
    assert written == rubric_schema()
    assert set(written["$defs"]["Criteria"]["properties"]["scoring"]["enum"]) == {
        "weighted",
        "healthbench",
        "rar_explicit",
        "rar_implicit",
        "tree",
    }


@pytest.mark.parametrize("path", sorted((ROOT / "rubrics").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_built_in_rubric_is_documented_and_names_its_schema(path: Path) -> None:
    head = path.read_text(encoding="utf-8").partition("\nname: ")[0]
    assert head.startswith("# yaml-language-server: $schema=schema.json\n")
    for heading in ("What it asks", "Why it matters", "Example", "Known problems", "Source"):
        assert f"# {heading}: " in head, heading
    assert load_rubric(path.stem).name == path.stem


META = """\
name: r
version: "1"
description: d
meta: {question: "What is it?", tags: [a, 1, null]}
axes:
  a:
    kind: criteria
    description: d
    scoring: tree
    criteria:
      - {id: x, text: t, meta: {owner: me}, children: [{id: y, text: u, meta: {"no": true}}]}
"""


def test_what_is_kept_beside_a_rubric_is_neither_shown_nor_counted(file: Path) -> None:
    file.write_text(META)
    rubric = load_rubric(file)
    (root,) = rubric.axes["a"].criteria
    (leaf,) = rubric.axes["a"].units
    assert (rubric.meta, root.meta) == ({"question": "What is it?", "tags": ["a", 1, None]}, {"owner": "me"})
    assert (root.children[0].meta, leaf.meta) == ({"no": True}, {})
    file.write_text(re.sub(r"(^|, )meta: \{[^{}]*\}", "", META, flags=re.MULTILINE))
    assert load_rubric(file).fingerprint == rubric.fingerprint
    assert load_rubric(file) != rubric


@pytest.mark.parametrize(
    ("text", "name"),
    [("pkr", "pkr"), ("a/../b c", "a-..-b-c"), (".hidden_", "hidden"), ("Ä!", ""), ("x" * 300, "x" * 100)],
)
def test_a_text_as_a_name(text: str, name: str) -> None:
    assert as_name(text) == name
