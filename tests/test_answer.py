"""The answer that a trace gives: the first level that states one decides, and two different ones are none."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.answer import answer_correct, extract_answer, reference_answer
from judge.plain import unwrap

OPTIONS = {"A": "Asthma", "B": "COPD", "C": "Pneumonia", "D": "E. coli infection", "E": "Hepatitis B"}
YES_NO = {"A": "Yes", "B": "No"}
DOSES = {"1": "15 mg", "2": "20 mg"}
NESTED = {"A": "Pneumonia", "B": "Bacterial pneumonia"}


@pytest.mark.parametrize(
    ("inside", "answer"),
    [
        ("C", "C"),
        (" c ", "C"),
        ("(C)", "C"),
        ("c)", "C"),
        ("**C**", "C"),
        ("Ｃ．", "C"),
        ("C. Pneumonia", "C"),
        ("(C) Pneumonia", "C"),
        ("C - Pneumonia", "C"),
        ("C: because of the fever", "C"),
        ("C. Lobar consolidation", "C"),  # the letter, and a text that names no other option
        ("Pneumonia", "C"),
        ("pneumonia.", "C"),
        ("It is pneumonia", "C"),
        ("Option C", "C"),
        ("The answer is C", "C"),
        ("\\boxed{C}", "C"),
        ("$\\boxed{\\text{C}}$", "C"),
        ("E. coli infection", "D"),
        ("E. coli", None),  # a species, not option E
        ("hepatitis B", "E"),  # the whole text before any letter in it
        ("A or B", None),
        ("A, B", None),
        ("A/B", None),
        ("A and C", None),
        ("C, (c)", "C"),
        ("C. Asthma", None),
        ("asthma or pneumonia", None),
        ("sarcoidosis", None),
        ("F", None),
    ],
)
def test_a_tag_becomes_an_option(inside: str, answer: str | None) -> None:
    assert extract_answer(f"<answer>{inside}</answer>", OPTIONS) == answer
    assert extract_answer(f"The answer is B. <answer>B</answer> No: <ANSWER>{inside}</ANSWER> B.", OPTIONS) == answer


@pytest.mark.parametrize(
    ("trace", "options", "answer"),
    [
        # boxes
        (r"so \boxed{C}", OPTIONS, "C"),
        (r"first \boxed{A}, then \boxed{C}", OPTIONS, "C"),
        (r"\boxed{\textbf{(C)}\ \text{Pneumonia}}", OPTIONS, "C"),
        (r"\boxed{inf}", None, "inf"),
        (r"\boxed{\frac{1}{2}}", None, r"\frac{1}{2}"),
        (r"\boxed{12\%}", None, "12%"),
        (r"\boxed{C", OPTIONS, None),
        (r"\boxed{C} <answer>A</answer>", OPTIONS, "A"),
        # an empty tag states nothing
        ("<answer></answer> The answer is C", OPTIONS, "C"),
        (r"<answer> </answer> \boxed{C}", OPTIONS, "C"),
        # an open last tag runs to the end
        ("<answer>C", OPTIONS, "C"),
        ("<think>a</think><answer>C", OPTIONS, "C"),
        ("<answer>B</answer> wait <answer>C", OPTIONS, "C"),
        ("<answer>B</answer> wait <ANSWER>12 mg", None, "12 mg"),
        # option texts after a cue
        ("The correct answer is pneumonia. COPD and asthma would show wheeze.", OPTIONS, "C"),
        ("The correct answer is the **pneumonia**. Asthma would not.", OPTIONS, "C"),
        ("The answer is bacterial pneumonia. Pneumonia alone is vague.", NESTED, "B"),
        ("Final answer:\nPneumonia\nAsthma would wheeze.", OPTIONS, "C"),
        ("The answer is asthma or pneumonia.", OPTIONS, None),
        ("The answer is asthma. No, the answer is pneumonia.", OPTIONS, None),
        ("The answer is not pneumonia, it is asthma.", OPTIONS, "A"),
        ("So the answer is yes.", YES_NO, "A"),
        ("Answer: No, because the lungs are clear.", YES_NO, "B"),
        ("So the answer is no longer clear.", YES_NO, None),
        ("The answer is 15mg. 20 mg would be toxic.", DOSES, "1"),
        ("The answer is yes, since it is red.", {"Yes": "Yes", "No": "No"}, "Yes"),
        ("This is asthma.", {"Asthma": "Asthma", "COPD": "COPD"}, "Asthma"),
        ("Answer: 2", {"1": "2", "2": "1"}, "2"),
        # other cues
        ("Answer C", OPTIONS, "C"),
        ("**Answer** (C)", OPTIONS, "C"),
        ("Answer - C", OPTIONS, "C"),
        ("Answer – C", OPTIONS, "C"),
        ("Fever.\n#### C", OPTIONS, "C"),
        ("选C", OPTIONS, "C"),
        ("答案选C。", OPTIONS, "C"),
        ("不选A，选C。", OPTIONS, "C"),
        ("答案是C吧", OPTIONS, "C"),
        ("정답은 C입니다.", OPTIONS, "C"),
        ("答えはCです。", OPTIONS, "C"),
        ("I cannot answer A patient", OPTIONS, None),
        ("Answer A is wrong. Answer C fits.", OPTIONS, "C"),
        ("Fever.\n\nC. Pulmonary embolism", None, "C"),
        # statements
        ("The answer is (C).", OPTIONS, "C"),
        ("the answer is c", OPTIONS, "C"),
        ("final answer: C", OPTIONS, "C"),
        ("**Final Answer:** C", OPTIONS, "C"),
        ("**Final Answer**\n\nC", OPTIONS, "C"),
        ("Answer: **C**, since ...", OPTIONS, "C"),
        ("The correct answer is therefore option (c).", OPTIONS, "C"),
        ("The best option is C", OPTIONS, "C"),
        ("I choose option B.", OPTIONS, "B"),
        ("A is the correct answer", OPTIONS, "A"),
        ("答案是C。", OPTIONS, "C"),
        ("Die Antwort ist C.", OPTIONS, "C"),
        ("The answer is A because of the wheeze", OPTIONS, "A"),
        ("The answer is A or B", OPTIONS, None),
        ("The answer is B. No, the answer is C.", OPTIONS, None),
        ("The answer is C. Again: the answer is C.", OPTIONS, "C"),
        ("<think>Perhaps the answer is B.</think>The answer is C.", OPTIONS, "C"),
        ("<think>The answer is C.</think>\n", OPTIONS, "C"),
        ("The answer is C", None, "C"),
        ("The answer is C", {}, "C"),
        # the last line
        ("Fever and cough.\nC.", OPTIONS, "C"),
        ("Fever and cough.\n\n**C. Pneumonia**\n", OPTIONS, "C"),
        ("It is clear.\nYes.", YES_NO, "A"),
        ("A. Asthma\nB. COPD\nC. Pneumonia", OPTIONS, None),
        ("Fever.\nB", None, "B"),
        # options named
        ("Option B", OPTIONS, "B"),
        ("Option B fits best.", OPTIONS, "B"),
        ("Option A is wrong. Option C fits.", OPTIONS, "C"),
        ("Option A fits. Option C fits.", OPTIONS, None),
        # option texts
        ("This is pneumonia, not asthma.", OPTIONS, "C"),
        ("This is asthma or pneumonia.", OPTIONS, None),
        ("A bacterial pneumonia is seen here", NESTED, "B"),
        ("There is no evidence in favour.", YES_NO, None),
        ("One would give 20mg today.", DOSES, "2"),
        # no answer at all
        ("A patient with fever.", OPTIONS, None),
        ("The answer is A patient with fever", OPTIONS, None),
        ("I think so", {"I": "fibrosis", "J": "oedema"}, None),
        ("The answer is I think unclear", {"I": "fibrosis", "J": "oedema"}, None),
        ("The answer is B-cell lymphoma", OPTIONS, None),
        ("The answer is E. coli", OPTIONS, None),
        ("The answer is vitamin C", OPTIONS, None),
        ("Is the answer B?", OPTIONS, None),
        ("The answer is not B", OPTIONS, None),
        ("Answer: 2 mg", {"1": "x-ray", "2": "scan"}, None),
        ("Answer: 2", {"1": "x-ray", "2": "scan"}, "2"),
        ("Answer: 2.5", {"1": "x-ray", "2": "scan"}, None),
        ("", OPTIONS, None),
        ("", None, None),
        ("12 mg", None, None),
        ("<answer>12 mg</answer>", None, "12 mg"),
        ("<answer>A or B</answer>", None, None),
        ("<answer>C</answer>", {"c": "Pneumonia"}, "c"),
    ],
)
def test_the_deciding_level(trace: str, options: dict[str, str] | None, answer: str | None) -> None:
    assert extract_answer(trace, options) == answer


@pytest.mark.parametrize(
    ("answer", "reference", "options", "correct"),
    [
        ("C", None, OPTIONS, None),
        ("C", " . ", OPTIONS, None),
        (None, None, None, None),
        (None, "C", OPTIONS, False),
        # a letter's text without options
        ("C. Pulmonary embolism", "C", None, True),
        ("C", "C. Pulmonary embolism", None, True),
        ("(C) Pulmonary embolism", "C", None, True),
        ("C) Pulmonary embolism", "c", None, True),
        ("**C:** Pulmonary embolism", "C", None, True),
        ("C. Pulmonary embolism", "B", None, False),
        ("C. Pulmonary embolism", "C. Pneumonia", None, True),
        ("C. Pneumonia", "A. Pneumonia", None, False),
        ("C. Pulmonary embolism", "pulmonary embolism", None, True),
        ("E. coli", "E", None, False),
        ("E. coli", "e. coli", None, True),
        ("I.V. fluids", "I", None, False),
        ("A: true, B: false", "A", None, False),
        ("A: true, B: false", "A: true, B: true", None, False),
        ("C", "C", OPTIONS, True),
        ("C", "Pneumonia", OPTIONS, True),
        ("C", "c. pneumonia", OPTIONS, True),
        ("A", "C", OPTIONS, False),
        ("C", "an infection", OPTIONS, False),
        ("12mg", "12 mg", None, True),
        ("12 MG.", "12 mg", None, True),
        ("0.50", ".5", None, True),
        ("1,000", "1000", None, True),
        ("1,000.0 mL", "1000ml", None, True),
        ("1,00", "100", None, False),
        ("5", "5.0", None, True),
        ("007", "7", None, True),
        ("-2", "2", None, False),
        ("\u22122", "-2", None, True),
        ("½", "1/2", None, True),
        ("5%", "5 %", None, True),
        ("5%", "5", None, False),
        ("1.5", "15", None, False),
        ("inf", "inf", None, True),
        ("inf", "nan", None, False),
        ("1e999", "inf", None, False),
        ("1" * 5000, "1" * 5000, None, True),
        ("1" * 5000, "1" * 4999 + "2", None, False),
        ("B12", "B012", None, False),
        ("“Left  lung”", "left lung", None, True),
        ("ｌｅｆｔ", "left", None, True),
        ("left", "right", None, False),
        (r"\text{left}", "left", None, True),
        ("K+", "K", None, False),
    ],
)
def test_correctness(
    answer: str | None, reference: str | None, options: dict[str, str] | None, correct: bool | None
) -> None:
    assert answer_correct(answer, reference, options) is correct


@pytest.mark.parametrize(
    ("answer", "reasoning", "options", "expected"),
    [
        ("C", "<answer>A</answer>", OPTIONS, "C"),
        ("Pneumonia", None, OPTIONS, "C"),
        ("something else", None, OPTIONS, "something else"),
        (" 12 mg ", None, None, "12 mg"),
        (None, "<think>x</think><answer>C</answer>", OPTIONS, "C"),
        ("", r"so \boxed{12 mg}", None, "12 mg"),
        (None, "The answer is C", OPTIONS, None),  # prose of a reference argues; only its tags state
        (None, None, OPTIONS, None),
        ("A or B", None, None, "A or B"),
    ],
)
def test_reference(
    answer: str | None, reasoning: str | None, options: dict[str, str] | None, expected: str | None
) -> None:
    assert reference_answer(answer, reasoning, options) == expected


@settings(max_examples=200)
@given(st.text(max_size=80), st.sampled_from([None, OPTIONS, YES_NO, DOSES]))
def test_any_text_gives_a_key_or_none(trace: str, options: dict[str, str] | None) -> None:
    for text in (trace, f"<answer>{trace}</answer>", rf"\boxed{{{trace}}}"):
        answer = extract_answer(text, options)
        assert answer is None or options is None or answer in options


HOSTILE = {
    "nested": "\\text{" * 1000 + "a" + "}" * 1000,
    "deeply nested": "\\text{" * 16_000 + "a" + "}" * 16_000,
    "open tags": "<answer>" * 12_500,
    "open boxes": "\\boxed{" * 10_000,
    "closed boxes": "\\boxed{" * 10_000 + "}" * 10_000,
    "wrappers in a box": "\\boxed{" + "\\text{" * 10_000 + "}" * 10_001,
    "braces": "\\" + "{" * 50_000 + "}" * 50_000,
    "closing first": "\\}" + "}" * 50_000 + "\\text{" * 10_000,
    "noughts": "\0" * 100_000,
    "lone surrogates": "\ud800\udfff" * 50_000,
    "backslashes": "\\" * 100_000,
    "cues": "the answer is pneumonia " * 4_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("options", [None, OPTIONS, YES_NO])
def test_no_text_raises_or_takes_long(text: str, options: dict[str, str] | None) -> None:
    began = time.process_time()
    for trace in (text, f"<answer>{text}"):
        extract_answer(trace, options)
        reference_answer(trace, trace, options)
        answer_correct(trace, trace, options)
    assert time.process_time() - began < 9.0


def test_wrappers_go_however_deep() -> None:
    began = time.process_time()
    assert unwrap("\\text{" * 16_000 + "a" + "}" * 16_000) == "a"
    assert unwrap(r"\text{\frac{1}{2}} {x} \mathrm{y") == r"\frac{1}{2} {x} \mathrm{y"
    assert time.process_time() - began < 0.5


@settings(max_examples=200)
@given(
    st.lists(
        st.sampled_from(["<answer>", "</answer>", "\\boxed{", "\\text{", "{", "}", "\\", "C", ". ", "\0", "\ud800"]),
        max_size=40,
    ),
    st.sampled_from([None, OPTIONS, YES_NO]),
)
def test_any_row_of_marks_is_read(marks: list[str], options: dict[str, str] | None) -> None:
    text = "".join(marks)
    answer = reference_answer(text, text, options)
    assert answer_correct(extract_answer(text, options), answer, options) in (True, False, None)


@settings(max_examples=100)
@given(st.text(max_size=60), st.sampled_from(sorted(OPTIONS)), st.sampled_from(["{}", "({})", "{}.", "**{}**"]))
def test_a_closing_tag_decides_whatever_came_before(before: str, key: str, form: str) -> None:
    trace = f"{before}<answer>{form.format(key)}</answer>"
    assert extract_answer(trace, OPTIONS) == key
    assert answer_correct(extract_answer(trace, OPTIONS), OPTIONS[key], OPTIONS) is True


@settings(max_examples=200)
@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=0, max_value=10**7))
def test_numbers_are_compared_as_decimals(number: object) -> None:
    """`1,234.500` with and without its commas and closing noughts; another last digit is another number."""
    text = f"{number:,.3f}"
    assert answer_correct(text, text.replace(",", ""), None)
    assert answer_correct(text, text.rstrip("0"), None)
    assert not answer_correct(text, f"{text}1", None)


@pytest.mark.parametrize(
    "piece",
    [
        "<answer>",
        "</answer>",
        "\\boxed{",
        "\\text{",
        "answer: ",
        "answer is",
        "A ",
        "A or ",
        "C.\n",
        "1",
        "option A ",
        "((",
        " ",
    ],
)
def test_a_long_trace_takes_no_time(piece: str) -> None:
    long = piece * (100_000 // len(piece))
    began = time.process_time()
    extract_answer(long, OPTIONS)
    extract_answer(f"<answer>{long}</answer>", None)
    answer_correct(long, long, OPTIONS)
    assert time.process_time() - began < 3.0
