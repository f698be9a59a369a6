"""What trainers have -> rows: questions out of chat templates, completions out of queries, fields out of labels."""

import math
import threading

import pytest
from trainer_kit import PROMPT, QUESTION, RIGHT, UNITS, named

from judge.errors import ConfigError, RewardError
from judge.rewards.failing import FailureRule
from judge.rewards.options import build_rewarder, kept_rewarder
from judge.rewards.parts import numbers_of, parts_of
from judge.rewards.rows import fields_of, plain, row_of
from judge.rewards.text import question_of, without_prompt

POLICIES = ("constant", "raise")
TEMPLATES = {
    "chatml": PROMPT,
    "llama": "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe short.<|eot_id|>"
    f"<|start_header_id|>user<|end_header_id|>\n\n{QUESTION}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
    "gemma": f"<bos><start_of_turn>user\n{QUESTION}<end_of_turn>\n<start_of_turn>model\n",
    "mistral": f"<s>[INST] {QUESTION} [/INST]",
    "deepseek": f"<｜begin▁of▁sentence｜>Be short.<｜User｜>{QUESTION}<｜Assistant｜><think>\n",
    "none": f"{QUESTION}\n",
}


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_question_of_a_template(template):
    assert question_of(TEMPLATES[template]) == QUESTION


def test_several_turns():
    said = "<|im_start|>assistant\nOn the left.<|im_end|>\n<|im_start|>user\nSure?\nLook again.<|im_end|>\n"
    assert question_of(PROMPT + said) == f"{QUESTION}\n\nSure?\nLook again."


@pytest.mark.parametrize(
    ("query", "prompt"),
    [
        (PROMPT + RIGHT, PROMPT),
        (f"<|begin_of_text|>{PROMPT}{RIGHT}", PROMPT),
        (PROMPT[8:] + RIGHT, PROMPT),
        (
            PROMPT.replace("Where", "<|image_pad|><|image_pad|>Where") + RIGHT,
            PROMPT.replace("Where", "<|image_pad|>Where"),
        ),
        (PROMPT + RIGHT, f" {PROMPT}"),
        (RIGHT, ""),
    ],
    ids=["as it is", "a token before it", "shortened", "an image widened", "a blank lost", "no prompt"],
)
def test_a_completion_of_a_query(query, prompt):
    assert without_prompt(query, prompt) == RIGHT


def test_a_completion_that_repeats_the_prompt_hides_nothing():
    """Cut at its last place, the wrong answer before it would not be judged."""
    completion = f"It is the right wrist. {PROMPT}{RIGHT}"
    assert without_prompt(PROMPT + completion, PROMPT) == completion
    assert without_prompt(PROMPT[8:] + completion, PROMPT) == completion


@pytest.mark.parametrize("prompt", ["Another question altogether?", "short"])
def test_a_query_without_its_prompt(prompt):
    assert without_prompt(RIGHT, prompt) is None


@pytest.mark.parametrize(
    ("label", "known", "fields"),
    [
        ("left", {"reference": {"answer": None, "reasoning": "Seen."}}, {"answer": "left", "reasoning": "Seen."}),
        ("left", {"reference": {"answer": "right"}}, {"answer": "right"}),
        (0, {}, {"answer": "0"}),
        (True, {}, {"answer": "True"}),
        ("", {"reference": None}, None),
        ("left", {"reference": "text"}, "text"),
        ({"reference": {"answer": "left"}}, {"reference": {"answer": "right"}}, {"answer": "right"}),
    ],
)
def test_the_reference_of_a_label(label, known, fields):
    assert fields_of(label, known).get("reference") == fields


@pytest.mark.parametrize("own", [{"perception": [], "answer": "A"}, {"reference_answer": "A", "rubric": [1]}])
def test_a_data_set_that_says_itself_what_is_right(own):
    found = fields_of("B", own)
    assert "reference" not in found or not own.get("perception")
    assert found["answer" if "answer" in own else "reference_answer"] == "A"


def test_a_row_of_openmedreason_keeps_its_shape():
    """Its units are in columns of their own, which a reference of ours beside them would hide."""
    columns = {"question": QUESTION, "answer": "left", "knowledge": [], "rationale": [], **UNITS}
    row = row_of(None, RIGHT, fields_of("left", columns))
    assert build_rewarder("lexical").rewards([row]).values == [1.0]


class Table:
    """What numpy's arrays and scalars have, and all that is read of them."""

    def __init__(self, value):
        self._value = value

    def tolist(self):
        return self._value


def test_plain():
    given = {"units": Table([{"unit_id": Table("P1")}]), "pair": ("a", b"b"), "n": Table(3), "none": None}
    assert plain(given) == {"units": [{"unit_id": "P1"}], "pair": ["a", b"b"], "n": 3, "none": None}


def batch_of(*traces, **options):
    return build_rewarder("lexical", **options).rewards([{"trace": trace, "units": UNITS} for trace in traces])


def test_parts_add_up_where_a_dead_band_moves_a_reward():
    """1 and 0 are no further apart than 2, so both get 0.5: the first loses 0.5 and the second wins as much."""
    batch = batch_of(RIGHT, "Nothing.", dead_band=2.0)
    assert numbers_of(batch) == [0.5, 0.5]
    assert [parts["part/settled"] for parts in parts_of(batch)] == [-0.5, 0.5]
    assert [math.fsum(value for name, value in each.items() if "/" in name) for each in parts_of(batch)] == [0.5, 0.5]


def test_a_rewarder_is_made_once_for_its_options():
    """In threads too, and whether the options are a dict or what a configuration library has for one."""
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(kept_rewarder({"judge": "lexical"}, policies=POLICIES)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(map(id, found))) == 1
    assert kept_rewarder({"judge": "lexical", "deadline_s": None}, policies=POLICIES) is not found[0]
    assert kept_rewarder({"judge": "lexical"}, policies=("raise",)).rule.on_failure == "raise"


def test_a_rewarder_is_made_once_for_its_file(monkeypatch, tmp_path):
    named(monkeypatch, tmp_path)
    first = kept_rewarder({}, policies=POLICIES)
    assert kept_rewarder({}, policies=POLICIES) is first and first.rule.on_failure == "constant"
    (other := tmp_path / "other").mkdir()
    named(monkeypatch, other, on_failure="raise", constant=0.25)
    second = kept_rewarder({}, policies=POLICIES)
    assert second.rule == FailureRule(on_failure="raise", constant=0.25)


def test_options_without_a_judge():
    with pytest.raises(ConfigError, match="name no judge"):
        kept_rewarder({"rubric": "pkr"}, policies=POLICIES)


def test_null_has_no_number():
    with pytest.raises(RewardError, match="1 of 2 rewards are null"):
        numbers_of(
            build_rewarder("lexical", on_failure="none").rewards([{"trace": RIGHT, "units": UNITS}, {"trace": ""}])
        )


def test_what_comes_one_at_a_time_is_looked_at_together(caplog):
    """64 completions of which 32 say nothing, and one reward that is far from the others: one warning, and no more."""
    rewarder = build_rewarder("lexical", max_failure_rate=1.0)
    for place in range(63):
        metrics = rewarder.rewards([{"trace": "" if place % 2 else f"{RIGHT} {place}", "units": UNITS}]).metrics
        assert metrics["judge/contentless"] == metrics["judge/jump"] == 0.0
    assert not caplog.records
    metrics = rewarder.rewards([{"trace": "", "units": UNITS}]).metrics
    assert metrics["judge/contentless"] == 0.5
    assert [record.message for record in caplog.records] == ["50% of the completions say nothing (judge/contentless)"]
