"""Quotes that an honest judge sends are found; fabricated ones never are."""

import json
import random
import re
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.evidence import FREE_CHARACTERS, Span, TraceText

TRACE = (
    "<think>The chest radiograph shows a **large right-sided pleural effusion** with blunting of the "
    "costophrenic angle. There is no pneumothorax, and the trachea is not deviated to the left.\nThe "
    "patient was asymptomatic until 3 days ago; temperature 38.5 °C, K 5.2 mmol/L, on 15 mg of "
    "prednisone since 2019.  Ejection fraction is ≥ 45 % and the tumour is ER-/PR+. It’s most likely "
    "“parapneumonic” – hence thoracentesis is recommended.\n\nThe cardiomediastinal silhouette is "
    "unchanged, the left lung remains clear.</think><answer>B</answer>"
)
TEXT = TraceText(TRACE)
MEDEC = Path(__file__).parents[2] / "shared/data/medec/validation_ms.jsonl"
QUICK = settings(max_examples=100)


@pytest.mark.parametrize(
    ("quote", "said", "found"),
    [
        ("no pneumothorax, and", "no pneumothorax, and", "exact"),
        ("NO PNEUMOTHORAX", "no pneumothorax", "normalised"),
        ("deviated to the left. The patient", "deviated to the left.\nThe patient", "normalised"),
        ("since 2019. Ejection", "since 2019.  Ejection", "normalised"),
        (
            'It\'s most likely "parapneumonic" - hence',
            "It’s most likely “parapneumonic” – hence",
            "normalised",
        ),
        ("'no pneumothorax...'", "no pneumothorax", "normalised"),
        (
            "…the trachea is not deviated to the left.…",
            "the trachea is not deviated to the left",
            "normalised",
        ),
        ("pneumo\u00adtho\u200brax", "pneumothorax", "normalised"),
        ("ｔｅｍｐｅｒａｔｕｒｅ 38.5 °C", "temperature 38.5 °C", "normalised"),
        ("large right-sided pleural effusion with", "large right-sided pleural effusion** with", "near"),
        ("a large, right sided pleural effusion", "a **large right-sided pleural effusion", "near"),
        # Nine words: one may lack a letter.
        (
            "The cardiomediastnal silhouette is unchanged, the left lung remains",
            "The cardiomediastinal silhouette is unchanged, the left lung remains",
            "near",
        ),
        # tumour -> tumors is two edits; tumor has five letters.
        ("Ejection fraction is ≥ 45 % and the tumors is", None, None),
        ("Ejection fraction is ≥ 45 % and the tumor is", None, None),
        ("It’s most likely “parapneumonic” – hence thoracentsis is recommended", "It’s most likely", "near"),
    ],
)
def test_honest_copies(quote: str, said: str | None, found: str | None) -> None:
    span = TEXT.find(quote)
    if said is None:
        assert span is None
    else:
        assert span is not None
        assert TRACE[span.start : span.end].startswith(said)
        assert span.found == found


@pytest.mark.parametrize(
    "quote",
    [
        "",
        " ",
        "...",
        "**",
        "\u200b",
        "The patient was symptomatic",
        "symptomatic until 3 days ago",  # a substring, of another word
        "5 mg of prednisone since",  # a substring, of another number
        "on 15 mg of prednisone since 201",
        "5 °C, K 5.2 mmol/L, on",
        "There is pneumothorax, and the trachea",
        "There is no no pneumothorax, and the trachea",
        "the trachea is deviated to the left",
        "the trachea is not deviated to the right",
        "temperature 39.5 °C, K 5.2 mmol/L",
        "K 52 mmol/L, on 15 mg",
        "Ejection fraction is ≤ 45 %",
        "Ejection fraction is 45 % and",
        "tumour is ER+/PR+",
        "tumour is ER/PR+. It’s most",
        "large right-sided pleural effusion ... the left lung remains clear",
        "There is no pneumothorax, the left lung remains clear",
        "pleural right-sided large effusion",
        "The heart is enlarged with pulmonary oedema",
    ],
)
def test_fabrications(quote: str) -> None:
    assert TEXT.find(quote) is None


@pytest.mark.parametrize(
    ("trace", "quote", "start"),
    [
        ("normal, known, or", "or", None),  # neither in "normal", nor in "known", and a function word itself
        ("smith, mist, MI", "mi", 13),
        ("nothing abnormal", "no", None),
        ("A", "A", 0),
        ("12 mg", "12 mg", 0),
        ("112 mg, then 12 mg", "12 mg", 13),
        ("1.5 mg", "5 mg", None),
        ("1.5 mg", "1", None),
        ("grade 3.", "3.", 6),
        ("**MI**", "mi", 2),
        ("患者无发热", "无发热", 2),  # no blanks to bound a word by
        ("발열이 없다", "발열", 0),
        ("각", "가", None),  # half of one character
        ("cafe\u0301 au lait", "café", 0),
        ("café", "cafe", None),
    ],
)
def test_short_quotes_stand_between_boundaries(trace: str, quote: str, start: int | None) -> None:
    span = TraceText(trace).find(quote)
    assert (span and span.start) == start


@pytest.mark.parametrize(
    "quote", ["the", "THE", "is", "of", "a", "There is", "no", "not to", "'the'...", "it's", "don’t"]
)
def test_a_short_quote_of_function_words_shows_nothing(quote: str) -> None:
    """Such words stand everywhere: whoever quotes them for everything would be believed in everything."""
    trace = TraceText("There is no doubt that the heart of a man is large, so don’t say it's not to be seen. A fact.")
    assert trace.find(quote) is None
    assert trace.find("the heart") is not None


@pytest.mark.parametrize(
    ("trace", "quote"),
    [
        ("A", "A"),  # the trace says nothing else
        ("No.", "no"),
        ("**It is not.**", "it is not"),
        ("The answer is D, in short", "D"),
        ("The answer is B, in short", "B"),
        ("It was an MI, as 12 mg show", "MI"),
        ("It was an MI, as 12 mg show", "12"),
        ("There is no MI.", "no MI"),
        ("He has ALL and AS, not all as one", "ALL"),
        ("He has ALL and AS, not all as one", "as"),
        ("Il n'y a pas de fièvre", "pas de"),  # other languages have no such list
        ("患者无发热", "无"),
    ],
)
def test_a_short_quote_that_says_something_is_found(trace: str, quote: str) -> None:
    assert TraceText(trace).find(quote) is not None


@pytest.mark.parametrize(
    ("said", "quoted", "alike"),
    [
        ("diarrhoea", "diarrhea", True),
        ("leukaemia", "leukemia", True),
        ("opacities", "opacitis", True),
        ("consolidation", "consolidatoin", True),  # two neighbours swapped, thirteen letters
        ("consolidation", "consolidaxion", True),
        ("consolidation", "consoldatoin", False),  # two edits
        ("contusion", "confusion", False),
        ("dysphagia", "dysphasia", False),
        ("ureteral", "urethral", False),
        ("abduction", "adduction", False),
        ("intubation", "incubation", False),
        ("hypertension", "hypotension", False),
        ("typical", "atypical", False),
        ("decreased", "deceased", False),
        ("patient", "patent", False),
        ("insulin", "inulin", False),
        ("neural", "neutral", False),
        ("started", "stated", False),
        ("mortality", "morality", False),
        ("addition", "addiction", False),
        ("medication", "meditation", False),
        ("pressure", "presure", True),
        ("decrease", "decreased", True),
        ("contractility", "contracility", True),
        ("lungs", "lung", False),
        ("1234567890", "1234567890"[:-1], False),
    ],
)
def test_misspelt_words(said: str, quoted: str, alike: bool) -> None:
    frame = "On the whole we think that {} is seen here today"
    trace = TraceText("Well. " + frame.format(said) + ". So.")
    assert (trace.find(frame.format(quoted)) is not None) == alike


def test_typos_are_few() -> None:
    """Twenty words may hold two misspelt ones; nine may hold one; seven none."""
    words = [f"{name}opathology" for name in ("cardi", "neur", "hist", "angi", "oste", "arthr", "my", "nephr", "enter")]
    trace = TraceText(" ".join(words * 3))
    wrong = [word.replace("pathology", "pathlogy") for word in words]
    assert trace.find(" ".join([wrong[0], *words[1:]])) == Span(start=0, end=len(" ".join(words)), found="near")
    assert trace.find(" ".join([*wrong[:2], *words[2:]])) is None
    assert trace.find(" ".join([wrong[0], *words[1:7]])) is None
    assert trace.find(" ".join([*wrong[:2], *words[2:], *words, *words[:2]])) is not None
    assert trace.find(" ".join([*wrong[:3], *words[3:], *words, *words[:2]])) is None


def test_first_occurrence_is_taken() -> None:
    assert TraceText("the lung is clear; the lung is clear").find("the lung is clear") == Span(
        start=0, end=17, found="exact"
    )
    near = TraceText("the *lung* is clear; the *lung* is clear").find("the lung is clear")
    assert near == Span(start=0, end=19, found="near")


@QUICK
@given(st.text(max_size=120), st.data())
def test_a_piece_between_boundaries_is_exact(trace: str, data: st.DataObject) -> None:
    """Any piece of twelve characters and more that begins after a blank and ends before one."""
    trace = f"{trace} "
    starts = [0] + [at + 1 for at, char in enumerate(trace) if char == " "]
    start = data.draw(st.sampled_from(starts))
    end = data.draw(st.sampled_from([at for at, char in enumerate(trace) if char == " "]))
    quote = trace[start:end]
    span = TraceText(trace).find(quote)
    if any(char.isalnum() for char in quote):
        assert span is not None
        assert span.found == "exact"
        assert trace[span.start : span.end] == quote


@QUICK
@given(st.integers(0, len(TRACE)), st.integers(FREE_CHARACTERS + 8, 200))
def test_a_cut_end_is_found(start: int, length: int) -> None:
    """A long quote may stop inside a word; it may not begin inside one, nor part a number."""
    start = TRACE.rfind(" ", 0, start) + 1
    quote = TRACE[start : start + length]
    span = TEXT.find(quote)
    if len(quote) == length and not quote[-1].isdigit() and quote[-2:] not in ("8.", "5."):
        assert span is not None
        assert TRACE[span.start : span.end] == quote


@QUICK
@given(st.text(max_size=80), st.text(max_size=40))
def test_offsets_stay_within_the_trace(trace: str, quote: str) -> None:
    span = TraceText(trace).find(quote)
    if span is not None:
        assert 0 <= span.start < span.end <= len(trace)


@QUICK
@given(st.text(max_size=60), st.integers(0, 60), st.integers(0, 60))
def test_offsets_point_at_what_was_quoted(trace: str, start: int, end: int) -> None:
    """Whatever is found, the passage and the quote are the same letters and digits."""
    quote = trace[start:end].upper()
    span = TraceText(trace).find(quote)
    if span is not None and span.found != "near":
        assert _letters(trace[span.start : span.end]) == _letters(quote)


def _letters(text: str) -> str:
    flat = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return "".join(char for char in flat if char.isalnum())


SENTENCES = [sentence.strip() for sentence in TRACE.replace("\n", " ").split(". ") if len(sentence.split()) >= 8]
VARIANTS: list[Callable[[str], str]] = [
    str.upper,
    str.lower,
    str.title,
    lambda text: text.replace(" ", "\u00a0"),
    lambda text: text.replace(" ", "\n"),
    lambda text: text.replace(" ", "\u2003 "),
    lambda text: text.replace("-", "\u2011"),
    lambda text: text.replace("-", "\u2212"),
    lambda text: text.replace("’", "'"),
    lambda text: f"“{text}”",
    lambda text: f'"{text}..."',
    lambda text: f"{text}…",
    lambda text: text.replace("fi", "\ufb01"),
    lambda text: text.replace("a", "a\u200b"),
    lambda text: unicodedata.normalize("NFD", text),
    lambda text: "".join(chr(ord(char) + 0xFEE0) if "a" <= char <= "z" else char for char in text),
    lambda text: text.replace("*", ""),
    lambda text: text.replace(",", ""),
]


@pytest.mark.parametrize("variant", range(len(VARIANTS)))
def test_variants_of_an_honest_copy(variant: int) -> None:
    """18 variants x 6 sentences x 2 lengths: 216 quotes, all found."""
    assert len(SENTENCES) == 6
    for sentence in SENTENCES:
        for quote in (sentence, sentence.split(" ", 3)[3]):
            assert TEXT.find(VARIANTS[variant](quote)) is not None, quote


WORDS = ["haemorrhage", "right", "mild", "fracture", "absent", "chronic", "anterior", "7", "never", "benign"]


def fabricate(rng: random.Random, kind: str) -> str:
    """One sentence of the trace, turned into something that it does not say."""
    words = [word for word in rng.choice(SENTENCES).split() if any(map(str.isalnum, word))]
    at = rng.randrange(1, len(words) - 1)
    if kind == "swap":
        words[at] = rng.choice(WORDS)
    elif kind == "add":
        words.insert(at, rng.choice(["not", "no", "never", "without"]))
    elif kind == "drop":
        del words[at]
    elif kind == "shuffle":
        words[at - 1 : at + 2] = words[at + 1], words[at], words[at - 1]
    elif kind == "stitch":
        other = rng.choice([sentence for sentence in SENTENCES if words[1] not in sentence]).split()
        words = words[: at + 1] + rng.choice([[], ["..."], ["…"]]) + other[-3:]
    return " ".join(words)


@pytest.mark.parametrize("kind", ["swap", "add", "drop", "shuffle", "stitch"])
def test_generated_fabrications_are_refused(kind: str) -> None:
    """5 kinds x 80: 400 fabrications, none found."""
    rng = random.Random(kind)
    for _ in range(80):
        quote = fabricate(rng, kind)
        assert TEXT.find(quote) is None, quote


def test_changed_numbers_are_refused() -> None:
    """Every digit of the trace, each of its nine changes, in a quote of the forty characters around it."""
    digits = [at for at, char in enumerate(TRACE) if char.isdigit()]
    for at in digits:
        start = TRACE.rfind(" ", 0, at - 20) + 1
        for digit in set("0123456789") - {TRACE[at]}:
            assert TEXT.find(TRACE[start:at] + digit + TRACE[at + 1 : at + 20]) is None
    assert len(digits) * 9 >= 100


@pytest.mark.parametrize(
    ("trace", "quote"),
    [
        ("b" + "a" * 100_000, "a" * 5_000),
        ("a " * 50_000, "a " * 2_500 + "b"),
        ("11 " * 33_000, "1 " + "11 " * 1_600 + "1"),
        ("½" * 100_000, "1⁄2" * 1_600),
        ("know normal " * 8_000, "no"),
        (" ".join(f"word{'abcdefgh'[at % 8]} {at}" for at in range(9_000)), "worda 0 wordc " * 350),
    ],
)
def test_no_trace_takes_long(trace: str, quote: str) -> None:
    began = time.process_time()  # of this process: other work on the machine is no fault of the code
    TraceText(trace).find(quote)
    assert time.process_time() - began < 1.0


def test_many_places_late_in_a_long_trace_take_no_longer() -> None:
    """They are counted from the last one on: 500 counts of 5 MB each took 2.5 s."""
    trace = TraceText("a b c " * 800_000 + "one two three four five six, seven eight! " * 600)
    trace.find("something that is made ready once")
    quote = "one two three four five six seven nine ten eleven"
    began = time.perf_counter()
    assert trace.find(quote) is None
    assert trace.find("x " * 8 + "one two three four five six seven eight") is None
    assert time.perf_counter() - began < 0.5


def test_clinical_corrections_are_not_in_the_note() -> None:
    """MEDEC: 319 notes with one wrong sentence. It holds what was written, not the correction."""
    if not MEDEC.exists():
        pytest.skip(f"{MEDEC} is not here")
    rows = [json.loads(line) for line in MEDEC.read_text(encoding="utf-8").splitlines()]
    wrong = [row for row in rows if row["Error Flag"] == "1"]
    texts = [re.sub(r"^\d+ ", "", row["Sentences"], flags=re.MULTILINE) for row in wrong]
    notes = [TraceText(text) for text in texts]
    said = zip(wrong, notes, strict=True)
    missed = [row["Text ID"] for row, note in said if not note.find(row["Error Sentence"])]
    assert len(wrong) == 319
    assert not missed
    for row, note in zip(wrong, notes, strict=True):
        assert note.find(row["Corrected Sentence"]) is None, row["Text ID"]
