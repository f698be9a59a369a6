"""What trainers have of prompts and completions becomes rows: text, messages, images, columns."""

from __future__ import annotations

import asyncio
from io import BytesIO

import pytest
from PIL import Image
from reward_kit import UNITS

from judge import Judge
from judge.record import build_record
from judge.rewards.rows import rows_of
from judge.rewards.text import question_of, without_prompt, without_special_tokens

CLAIM = UNITS["perception"][0]["claim"]
USER = {"role": "user", "content": "Which lobe?"}


def rows(prompts=("Which lobe?",), completions=("The left.",), **columns):
    return rows_of(prompts, completions, columns)


def test_plain_text():
    assert rows(units=[UNITS]) == [{"question": "Which lobe?", "units": UNITS, "trace": "The left."}]


def test_messages():
    said = [
        {"role": "assistant", "content": "", "reasoning_content": "I look.", "tool_calls": [{"id": "1"}]},
        {"role": "tool", "content": "A left one."},
        {"role": "assistant", "content": [{"type": "text", "text": "The left."}]},
    ]
    (row,) = rows([[{"role": "system", "content": "Be brief."}, USER]], [said])
    assert (row["question"], row["trace"]) == ("Which lobe?", said)
    assert build_record(row).trace == "I look.\n\nA left one.\n\nThe left."


@pytest.mark.parametrize(
    ("prompt", "question"),
    [
        ("Which lobe?<|im_end|>\n", "Which lobe?"),
        ("  ", None),
        (None, None),
        ([], None),
        ([USER], "Which lobe?"),
        ([{"role": "developer", "content": "Be brief."}, USER], "Which lobe?"),
        # ms-swift's messages end with what is judged; a prompt of TRL may end with what the answer begins with.
        ([USER, {"role": "assistant", "content": "The left."}], "Which lobe?"),
        (
            [USER, {"role": "assistant", "content": "Of what?"}, {"role": "user", "content": "The lung."}],
            "user: Which lobe?\n\nassistant: Of what?\n\nuser: The lung.",
        ),
        ([{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Which?"}]}], "Which?"),
        ([{"role": "assistant", "content": "Nobody asked."}], None),
        (7, None),
    ],
)
def test_what_was_asked(prompt, question):
    assert question_of(prompt) == question
    assert rows([prompt])[0].get("question") == question


def test_a_question_of_the_data_set_goes_first():
    assert rows(question=["Where?"])[0]["question"] == "Where?"
    assert rows(question=[None])[0]["question"] == "Which lobe?"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The left.<|im_end|>", "The left."),
        ("The left.<|im_end|>\n<|endoftext|><|endoftext|>", "The left."),
        ("The left.</s>", "The left."),
        ("The left.<｜end▁of▁sentence｜>", "The left."),
        ("a <|im_end|> b", "a <|im_end|> b"),  # the candidate's own words
        ("The answer is <answer>", "The answer is <answer>"),
    ],
)
def test_special_tokens_at_the_end(text, expected):
    assert without_special_tokens(text) == expected
    assert rows(completions=[text])[0]["trace"] == expected


def test_a_completion_of_which_only_the_whole_is_given():
    assert without_prompt("Which lobe? The left.", "Which lobe?") == " The left."
    assert without_prompt("The left.", "Which lobe?") is None


def test_columns_are_of_one_completion_each():
    first, second = rows(["a", "b"], ["c", "d"], id=["1", "2"], topic=("x", "y"), source="web", few=[1])
    assert (first["id"], first["topic"], second["id"], second["topic"]) == ("1", "x", "2", "y")
    assert not {"source", "few"} & first.keys()


def test_what_a_trainer_adds_is_no_column():
    added = {"completion_ids": [[1, 2]], "prompt_ids": [[1]], "environments": [object()], "log_extra": print}
    assert rows(**added, trainer_state=object()) == [{"question": "Which lobe?", "trace": "The left."}]


def test_what_cannot_be_json_is_passed_over():
    """A data set may hold sounds and pictures beside what is judged; they must not fail every sample."""
    odd = {"sound": [object()], "picture": [Image.new("L", (2, 2))], "raw": [b"\xff"], "nested": [{"x": [object()]}]}
    (row,) = rows(**odd, fine=[{"x": [1, 2.5, "y", None, True]}], none=[None])
    assert row == {"question": "Which lobe?", "trace": "The left.", "fine": {"x": [1, 2.5, "y", None, True]}}


@pytest.mark.parametrize(
    ("prompt", "columns", "claims"),
    [
        ([USER], {"rubrics": [{"criterion": "Names the side.", "points": -5, "tags": []}]}, ["Names the side."]),
        (
            "Which lobe?",
            {
                "reference_answer": "The left.",
                "rubric": [{"title": "Side", "description": "Names it.", "weight": 5}],
            },
            ["Names it."],
        ),
        ("Which lobe?", {"answer": "The left.", "perception": UNITS["perception"], "knowledge": []}, [CLAIM]),
    ],
    ids=["HealthBench", "Rubrics as Rewards", "OpenMedReason"],
)
def test_columns_of_known_data_sets(prompt, columns, claims):
    given = rows([prompt], **{name: [value] for name, value in columns.items()})
    (record,) = asyncio.run(Judge("lexical").arecords(given))
    assert [unit.claim for units in record.units.values() for unit in units] == claims
    assert record.question == "Which lobe?"


def red(size=(4, 4)):
    return Image.new("RGB", size, "red")


@pytest.mark.parametrize(
    ("columns", "count"),
    [
        ({"image": [red()]}, 1),
        ({"images": [[red(), red((8, 8))]]}, 2),
        ({"images": [[]]}, 0),
        ({"images": [None]}, 0),
        ({"image": [None], "images": [[red()]]}, 1),
        ({"images": [[{"bytes": None, "path": None}]]}, None),
    ],
)
def test_images(columns, count):
    row = {**rows(**columns)[0], "units": UNITS}
    judge = Judge("hosted_vllm/any", api_base="http://127.0.0.1:9/v1")
    (record,) = asyncio.run(judge.arecords([row]))
    if count is None:
        assert record.code == "invalid_record" or "image" in str(record)
    else:
        assert len(record.images) == count


def test_an_image_keeps_its_pixels():
    image = Image.effect_noise((16, 16), 40).convert("RGB")
    (written,) = rows(images=[[image]])[0]["image"]
    assert Image.open(BytesIO(written["bytes"])).tobytes() == image.tobytes()


def test_as_many_prompts_as_completions():
    with pytest.raises(ValueError, match="zip"):
        rows(["a"], ["b", "c"])
