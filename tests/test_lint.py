"""Each broken rubric is found broken, at its line and column, and by a rule that says what to do."""

import os
from pathlib import Path

import pytest
import yaml
from lint_kit import CHECKLIST, GOOD, changed, lint_text, places, rules

from judge.errors import RubricError
from judge.lint.rubric_file import lint_rubric
from judge.lint.source import Source

FEVER = "Names the fever."
DRUG = "Recommends aspirin to a child."

# Name -> text, rule, where (line:column, counted by hand in the rubric of lint_kit).
BROKEN = {
    # errors: YAML
    "unclosed quote": (changed('"1"', '"1'), "yaml-syntax", "23:1"),
    "tab": (changed("  seen:", "\tseen:"), "yaml-syntax", "19:1"),
    "duplicate key": (GOOD + "name: again\n", "yaml-duplicate", "23:1"),
    "duplicate axis": (changed("  seen:", "  flags:"), "yaml-duplicate", "19:3"),
    "alias": (changed("description: Red flags.", "description: *d"), "yaml-alias", "8:18"),
    "tag": (changed('"1"', "!!str 1"), "yaml-tag", "2:10"),
    "no as a key": (changed("core: 2", "no: 2"), "yaml-key", "22:30"),
    "merge key": (changed("    scoring: weighted", "    <<: {scoring: weighted}"), "yaml-key", "9:5"),
    "number as a key": (changed("core: 2", "1: 2"), "yaml-key", "22:30"),
    "a time for points": (changed("points: 5", "points: 12:30"), "yaml-value", "14:17"),
    "octal points": (changed("points: 5", "points: 010"), "yaml-value", "14:17"),
    "a date for a version": (changed('"1"', "2026-01-31"), "yaml-value", "2:10"),
    "no for an id": (changed("id: fever", "id: no"), "yaml-value", "11:13"),
    "yes for a text": (changed(FEVER, "yes"), "yaml-value", "12:15"),
    "a number for a version": (changed('"1"', "1.0"), "yaml-value", "2:10"),
    # errors: the format
    "field without a meaning": (CHECKLIST + "    weigth: 2\n", "format", "10:13"),
    "axis of a taken name": (changed("  seen:", "  trace:", text=CHECKLIST), "format", "6:3"),
    "duplicate id": (changed("id: drug", "id: fever"), "duplicate-id", "15:13"),
    "duplicate id in a tree": (
        changed("points: -4", "points: -4\n        children: [{id: fever, text: T., points: 1}]"),
        "duplicate-id",
        "19:25",
    ),
    # errors: weights
    "negative weight": (changed("core: 2", "core: -2"), "weight-value", "22:36"),
    "endless weight": (changed("core: 2", "core: 1.0e+999"), "weight-value", "22:36"),
    "endless points": (changed("points: 5", "points: 1.0e+999"), "weight-value", "14:17"),
    "weights of zero": (changed("{default: 1, core: 2}", "{default: 0, core: 0.0}"), "weight-zero", "22:17"),
    "points of zero": (
        GOOD.replace("points: 5", "points: 0").replace("points: -4", "points: 0"),
        "weight-zero",
        "11:7",
    ),
    "no positive points": (
        changed("weighted", "healthbench").replace("points: 5", "points: -5").replace("positive", "negative"),
        "weight-zero",
        "11:7",
    ),
    "negative points, MET good": (changed("points: 5", "points: -5"), "sign-polarity", "14:17"),
    "positive points, MET bad": (changed("points: -4", "points: 4"), "sign-polarity", "18:17"),
    # errors: templates
    "unknown variable": (changed(FEVER, '"Names {{ finding }}."'), "template-variable", "12:25"),
    "way out of a sandbox": (
        changed("guidelines: Judge what is written.", "guidelines: |\n  Judge.\n  And {{ x.__class__ }} too."),
        "template-escape",
        "6:7",
    ),
    # warnings
    "comment of a template": (changed(FEVER, '"{# Names #} the fever."'), "template-text", "12:16"),
    "two verbs": (changed(FEVER, "Names the fever and recommends rest."), "compound", "12:31"),
    "two sentences": (changed(FEVER, "Names the fever. It gives its course."), "compound", "12:30"),
    "semicolon": (changed(FEVER, "Names the fever; its course."), "compound", "12:30"),
    "a negation that is good": (changed(FEVER, "Does not name a fever."), "unclear-polarity", "12:15"),
    "pitfall of no polarity": (
        changed("polarity: positive\n        points: 5", "importance: Pitfall"),
        "unclear-polarity",
        "12:15",
    ),
    "a fault that is good": (changed(FEVER, "Fails to name the fever."), "sign-wording", "12:15"),
    "a merit that is bad": (changed(DRUG, "Avoids aspirin in a child."), "sign-wording", "16:15"),
    "vague": (changed(FEVER, "Names the fever in adequate detail."), "vague-word", "12:34"),
    "vague level": (
        GOOD + "  depth:\n    kind: scale\n    levels:\n      - {level: 1, anchor: Good reasoning.}\n",
        "vague-word",
        "26:28",
    ),
    "a trace by its place": (
        GOOD + "  better:\n    kind: preference\n    description: Prefer trace A where both are short.\n",
        "pair-place",
        "25:25",
    ),
    "telling the judge": (changed(FEVER, "Give 5 points if fever is named."), "judge-instruction", "12:15"),
}


def test_the_rubric_that_the_others_are_made_of_is_fine(tmp_path: Path) -> None:
    assert rules(lint_text(GOOD, tmp_path)) == set()
    assert lint_text(CHECKLIST, tmp_path) == []


def test_there_are_at_least_thirty() -> None:
    assert len(BROKEN) >= 30


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_rubric_is_found_broken(case: str, tmp_path: Path) -> None:
    text, rule, place = BROKEN[case]
    findings = lint_text(text, tmp_path)
    assert (rule, place) in places(findings), [str(finding) for finding in findings]
    assert rules(findings) <= {rule}
    assert all(finding.what and finding.to_do for finding in findings)


def test_one_fault_does_not_hide_the_next(tmp_path: Path) -> None:
    text = changed('"1"', "1.0") + "name: again\n"
    text = text.replace("id: drug", "id: fever").replace("core: 2", "core: -2").replace("points: 5", "points: 010")
    text = text.replace("Red flags.", "*r").replace(FEVER, "Give 5 points if fever is named.")
    found = lint_text(text, tmp_path)
    assert places([finding for finding in found if finding.rule != "format"]) == {
        ("yaml-value", "2:10"),
        ("yaml-alias", "8:18"),
        ("judge-instruction", "12:15"),
        ("yaml-value", "14:17"),
        ("duplicate-id", "15:13"),
        ("weight-value", "22:36"),
        ("yaml-duplicate", "23:1"),
    }
    assert [(finding.line, finding.column) for finding in found] == sorted((one.line, one.column) for one in found)


def test_points_of_a_tree_are_weights_and_say_nothing_of_good_and_bad(tmp_path: Path) -> None:
    text = changed("points: -4", "points: 4")
    assert "sign-polarity" in rules(lint_text(text, tmp_path))
    assert lint_text(changed("weighted", "tree", text=text), tmp_path) == []
    below = changed("points: 4", "points: -4", text=changed("weighted", "tree", text=text))
    (found,) = lint_text(below, tmp_path)
    assert (found.rule, found.line) == ("format", 7) and "'drug' has -4 points; in a tree," in found.what


@pytest.mark.parametrize("weight", ["-1", "1.0e+999"])
def test_what_the_format_refuses_for_the_same_reason_is_said_once(weight: str, tmp_path: Path) -> None:
    text = changed("core: 2", f"core: {weight}", text=CHECKLIST)
    assert [finding.rule for finding in lint_text(text, tmp_path)] == ["weight-value"]


def test_what_only_the_format_knows_is_said_beside_the_rest(tmp_path: Path) -> None:
    text = 'name: r\nversion: "1"\ndescription: D.\naxes:\n  trace: {kind: checklist, description: "{{ a }}"}\n'
    findings = lint_text(text, tmp_path)
    assert [(one.rule, one.line, one.column) for one in findings] == [("format", 5, 3), ("template-variable", 5, 45)]
    assert "the axis name 'trace' is taken" in findings[0].what


def bomb(levels: int) -> str:
    """Lines of nine aliases each: 9 to the power of `levels` texts, were they followed."""
    lines = ['a0: &a0 ["x", "x", "x", "x", "x", "x", "x", "x", "x"]']
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines)


def test_an_alias_bomb_is_never_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty levels stand for 9**30 texts. What is built of them is what is written: 30 keys, 30 lists, 270 entries."""
    built: list[yaml.Node] = []
    construct = yaml.SafeLoader.construct_object
    monkeypatch.setattr(
        yaml.SafeLoader,
        "construct_object",
        lambda loader, node, deep=False: (built.append(node), construct(loader, node, deep))[1],
    )
    source = Source(tmp_path / "bomb.yaml", bomb(30))
    assert len(built) == 1 + 2 * 30 + 9 * 30
    assert len(source.faults) == 9 * 29
    assert len({id(node) for node in built}) == len(built)
    findings = [one for one in lint_text(bomb(30), tmp_path) if one.rule == "yaml-alias"]
    assert (len(findings), findings[0].line, findings[0].column) == (9 * 29, 2, 10)


def test_of_a_tree_the_leaves_are_judged_and_worded(tmp_path: Path) -> None:
    children = "\n        children:\n          - {id: a, text: Is adequate., polarity: positive, points: 1}"
    text = changed(f"{FEVER}\n        polarity: positive\n        points: 5", f"Is adequate.{children}")
    assert {place for rule, place in places(lint_text(text, tmp_path)) if rule == "vague-word"} == {"14:30"}


def test_the_names_of_importances_are_the_authors(tmp_path: Path) -> None:
    assert lint_text(changed("core: 2", "text: 2, id: 3", text=CHECKLIST), tmp_path) == []


def test_a_built_in_rubric_by_its_name() -> None:
    assert lint_rubric("pkr") == []


def test_a_rubric_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RubricError, match=r"none\.yaml: cannot be read"):
        lint_rubric(str(tmp_path / "none.yaml"))
    with pytest.raises(RubricError, match="cannot be read"):
        lint_rubric(os.fspath(tmp_path))


@pytest.mark.parametrize("written", ["|\n          ", ">\n          ", ""])
def test_the_words_are_found_however_a_text_is_written(written: str, tmp_path: Path) -> None:
    """`adequate` is the third word of the text, which begins in column 15, or 11 of the next line."""
    text = changed(FEVER, f"{written}Names in adequate words the fever.")
    column = 11 if written else 15
    assert places(lint_text(text, tmp_path)) >= {("vague-word", f"{13 if written else 12}:{column + 9}")}


def test_a_word_within_another_word_is_not_mistaken_for_it(tmp_path: Path) -> None:
    text = changed(FEVER, "Names goodness\n          as such in good\n          style.")
    assert ("vague-word", "13:22") in places(lint_text(text, tmp_path))


def test_negative_points_have_the_polarity_that_their_sign_says(tmp_path: Path) -> None:
    assert lint_text(changed("polarity: negative\n        points: -4", "points: -4"), tmp_path) == []


def test_what_is_kept_beside_a_rubric_is_the_authors(tmp_path: Path) -> None:
    """No judge is shown it; but an axis, or an importance, may be called so."""
    beside = 'meta: {version: 1.0, text: "{{ x.__class__ }}", criteria: [{id: fever}]}'
    text = changed("guidelines:", f"{beside}\nguidelines:")
    text = changed(FEVER, f"{FEVER}\n        {beside}", text=text)
    assert lint_text(text, tmp_path) == []
    named = changed("  flags:", "  meta:", text=changed(FEVER, "Is adequate."))
    assert rules(lint_text(named, tmp_path)) == {"vague-word"}
