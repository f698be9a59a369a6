"""The lexical judge: what it sees, what it must not claim to see, and the agreement that its benchmark states."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from time import perf_counter
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_kit import RUBRIC, make_record

from judge import Judge
from judge.backend import Reply
from judge.backends import lexical
from judge.backends.lexical import Lexical
from judge.backends.lexical.judging import Opinion, judge_claim, read_trace
from judge.backends.lexical.overlap import measure_overlap
from judge.backends.lexical.parameters import Parameters
from judge.backends.lexical.text import MAX_SENTENCE, read_abbreviations, read_words
from judge.probe import build_probes
from judge.prompt import JudgeModel, Prompt
from judge.record import build_record
from judge.verdict import EvidenceRule

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"

# Two vocabularies that share no term and no root of four letters.
CLAIM_WORDS = st.sampled_from(
    ["kidney", "lesion", "enhances", "avidly", "arterial", "phase", "cyst", "septa", "3", "12", "mm"]
)
OTHER_WORDS = st.sampled_from(["weather", "sunshine", "umbrella", "picnic", "guitar", "orchestra", "violin"])


def sentences_of(words: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(words, min_size=1, max_size=9).map(lambda chosen: f"The {' '.join(chosen)}.")


def judge(claim: str, trace: str, question: str = "") -> Opinion:
    return judge_claim(claim, read_trace(trace), question=question)


# Presence


def test_a_claim_in_other_grammar_is_raised_and_an_unrelated_one_is_not() -> None:
    trace = "The scan was read twice. Cysts in both kidneys are seen, all of them simple. Follow-up is not needed."
    raised = judge("Simple renal cysts are seen in both kidneys.", trace)
    assert (raised.presence, raised.correctness) == (2, 1)
    assert raised.evidence == "Cysts in both kidneys are seen, all of them simple."
    missing = judge("Aspirin thins blood.", trace)
    assert (missing.presence, missing.correctness, missing.evidence) == (0, None, "")


@pytest.mark.parametrize("rule", ["required", "flag", "none"])
def test_it_answers_with_evidence_and_without(rule: EvidenceRule) -> None:
    units = {"knowledge": [{"unit_id": "K", "claim": "The heart is enlarged."}]}
    with Judge("lexical", evidence=rule) as judging:
        run = judging.score([{"trace": "The heart is enlarged.", "units": units}])
    assert run.scores["trace_score"].to_list() == [1.0]
    assert run.verdicts["evidence"].to_list() == [None if rule == "none" else "The heart is enlarged."]


def test_similarity_is_the_formula() -> None:
    # Terms: tumor 1, spread 1, bone 1, 2019 (a number) 2; total 5. The best sentence has tumor and bone (2),
    # its neighbour has 2019 (2 · beside 0.5 = 1), nobody has spread: coverage 3 / 5. Of the pairs tumor-spread,
    # spread-bone and bone-2019 none has both ends in the best sentence: phrases 0.
    parameters = Parameters(number_weight=2.0, beside_credit=0.5, trace_credit=0.3, phrase_share=0.2)
    trace = read_trace("The tumour left the bone intact. It was 2019.")
    overlap = measure_overlap("The tumour spread to bone in 2019.", trace, parameters)
    assert overlap.similarity == pytest.approx(0.8 * 3 / 5)
    assert (overlap.found, overlap.asked, overlap.sentences[0]) == (2, 4, 0)


def test_words_of_the_question_count_little() -> None:
    # Terms: lexapro (asked: 0.2) and insomnia; the trace has the first. Coverage 0.2 / 1.2 instead of 1 / 2.
    parameters = Parameters(question_weight=0.2, phrase_share=0.0)
    trace, claim = read_trace("Lexapro is popular."), "Lexapro: insomnia."
    assert measure_overlap(claim, trace, parameters).similarity == pytest.approx(1 / 2)
    asked = measure_overlap(claim, trace, parameters, question="What is Lexapro?")
    assert asked.similarity == pytest.approx(0.2 / 1.2)


def test_an_abbreviation_stands_for_its_words_both_ways() -> None:
    assert read_abbreviations("Optical coherence tomography (OCT) shows fluid.") == {
        "oct": ("optic", "coher", "tomographi")
    }
    explained = "Optical coherence tomography (OCT) was done. OCT shows drusen."
    assert judge("Optical coherence tomography shows drusen.", explained).evidence == "OCT shows drusen."
    assert judge("Magnetic resonance imaging shows oedema.", "MRI shows edema.").presence == 2
    assert judge("The patient has HTN and hypertension.", "She has high blood pressure.").presence >= 1


def test_numbers_are_one_however_they_are_written() -> None:
    assert [word.term for word in read_words("2,200 mL, three milligrams")] == ["2200", "millilit", "3", "milligram"]


def test_an_entry_of_a_list_is_read_with_the_line_above_it() -> None:
    # Term weights: adverse 1, metformin 1, list entry 1 each. Without the line above, an entry has 1 of 3.
    listed = "Adverse reactions to metformin:\n- bloating\n- flatulence\n- acidosis"
    assert judge("Metformin's adverse reactions: acidosis.", listed).presence >= 1
    assert judge("Metformin's adverse reactions: acidosis.", "1. bloating\n2. acidosis").presence < 2


def test_tags_are_no_words_and_offsets_are_those_of_the_trace() -> None:
    trace = "<think>The answer is a <b>think</b> piece.\nMeniscal tear seen</think><answer>C</answer>"
    assert [word.form for word in read_words("<think>knee</think><answer>C</answer>")] == ["knee", "c"]
    assert judge("A meniscal tear is seen.", trace).evidence == "Meniscal tear seen"


def test_an_entry_is_quoted_where_it_stands_without_its_number() -> None:
    listed = "Findings:\n  12) osteophytes of the spine\n  13) Baker's cyst of the knee"
    assert judge("A Baker's cyst of the knee is seen.", listed).evidence == "Baker's cyst of the knee"


def test_a_sentence_without_end_is_cut_where_the_claim_stands() -> None:
    # 160 words of five letters: the claim's words lie beyond the first 400 code points and must be in the quote.
    opinion = judge("An aortic dissection is seen.", "other " * 120 + "aortic dissection " + "other " * 40)
    assert "aortic dissection" in opinion.evidence
    assert len(opinion.evidence) <= MAX_SENTENCE


def test_a_title_ends_no_sentence() -> None:
    assert judge("Dr. Baker found a meningioma.", "Yes. Dr. Baker found it. Done.").evidence == "Dr. Baker found it."


def test_the_sentence_with_most_of_the_claim_is_the_best_of_many() -> None:
    trace = "Gout is old. Gout is new. Gout is here. Gout is there. Gout is back. Colchicine relieves acute gout."
    assert judge("Colchicine relieves acute gout.", trace).evidence == "Colchicine relieves acute gout."


# Correctness


@pytest.mark.parametrize(
    ("claim", "trace", "correctness", "words"),
    [
        ("The mass is in the left kidney.", "A mass is seen in the right kidney.", -1, '"left" against "right"'),
        ("Serum potassium is increased.", "Serum potassium is decreased here.", -1, '"increased" against "decreased"'),
        ("The patient has hyperkalemia and acidosis.", "The patient has hypokalemia and acidosis.", -1, "hyperkal"),
        ("There is a pleural effusion.", "There is no pleural effusion.", -1, '"effus" against "not effus"'),
        ("The fracture is not displaced.", "The fracture is displaced.", -1, '"not displac" against "displac"'),
        ("The dose is 5 mg daily.", "The dose is 10 mg daily.", -1, '"5 milligram" against "10 milligram"'),
        (
            "A bone biopsy culture grew Salmonella.",
            "A bone biopsy culture grew Streptococcus.",
            0,
            '"salmonella" against "streptococcus"',
        ),
    ],
)
def test_a_conflict_is_found_and_named(claim: str, trace: str, correctness: int, words: str) -> None:
    opinion = judge(claim, trace)
    assert opinion.presence >= 1
    assert opinion.correctness == correctness
    assert words in opinion.reason


@pytest.mark.parametrize(
    ("claim", "trace"),
    [
        ("The mass is in the left kidney.", "The left kidney has a mass; the right kidney is normal."),
        ("There is no pleural effusion.", "No pleural effusion is present."),
        ("The dose is 5 mg daily.", "After 10 mg on day one, the dose is 5 mg daily."),
        ("The effusion is large.", "Not only an effusion is seen, it is large."),
    ],
)
def test_a_statement_that_agrees_is_no_conflict(claim: str, trace: str) -> None:
    assert judge(claim, trace).correctness == 1


def test_a_trace_that_contradicts_itself_is_wrong() -> None:
    affirming = "The tumour is in the left lobe."
    assert judge("The tumour is in the left lobe.", affirming).correctness == 1
    both = judge("The tumour is in the left lobe.", affirming + " So the tumour is in the right lobe.")
    assert (both.correctness, both.evidence) == (-1, "So the tumour is in the right lobe.")


# Properties


@given(st.text(max_size=80), st.text(max_size=600), st.text(max_size=60))
def test_any_text_gives_a_lawful_opinion(claim: str, trace: str, question: str) -> None:
    opinion = judge(claim, trace, question)
    assert opinion == judge(claim, trace, question)
    assert opinion.evidence in trace
    assert len(opinion.evidence) <= MAX_SENTENCE
    assert 0.0 <= opinion.similarity <= 1.0
    assert opinion.presence in (0, 1, 2)
    assert (opinion.correctness is None) == (opinion.presence == 0)
    assert (opinion.evidence == "") == (opinion.presence == 0)
    assert "\n" not in opinion.reason


@given(
    st.lists(sentences_of(OTHER_WORDS), max_size=4),
    sentences_of(CLAIM_WORDS),
    st.lists(sentences_of(OTHER_WORDS), max_size=4),
)
def test_a_claim_that_is_there_word_for_word_is_clearly_raised(before: list[str], claim: str, after: list[str]) -> None:
    opinion = judge(claim, " ".join([*before, claim, *after]))
    assert (opinion.presence, opinion.correctness, opinion.evidence) == (2, 1, claim)


@given(sentences_of(CLAIM_WORDS), sentences_of(CLAIM_WORDS), st.lists(sentences_of(OTHER_WORDS), max_size=5))
def test_unrelated_sentences_change_nothing(claim: str, trace: str, unrelated: list[str]) -> None:
    assert judge(claim, " ".join([trace, *unrelated])) == judge(claim, trace)


@given(sentences_of(CLAIM_WORDS), st.lists(sentences_of(OTHER_WORDS), max_size=5))
def test_only_unrelated_sentences_raise_nothing(claim: str, unrelated: list[str]) -> None:
    assert judge(claim, " ".join(unrelated)).similarity == 0.0


@pytest.mark.parametrize("unit", ["a", ".", " ", "\n", "<a", "(AB) ", "1,", "a'", ". ", "😀é", "- a\n", "word, "])
def test_a_hostile_trace_takes_well_under_a_second(unit: str) -> None:
    start = perf_counter()
    opinion = judge("The word is a cyst of 12 mm.", unit * (100_000 // len(unit)))
    assert perf_counter() - start < 2.0  # measured at 0.3 s at most: a quadratic step takes minutes
    assert len(opinion.evidence) <= MAX_SENTENCE


def test_threads_agree() -> None:
    words = [f"unheard{number}ing of syndrome number {number}s" for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(read_words, words * 4))
    assert together == [read_words(text) for text in words * 4]


# The backend


def test_a_long_trace_does_not_hold_up_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signals, progress and other calls are served while a trace of a megabyte is read, and it is read once."""
    read = []
    monkeypatch.setattr(lexical, "_read_trace", lru_cache(lambda text: read.append(1) or read_trace(text)))
    record = {**make_record(1, units=3), "trace": "The liver is enlarged in the late phase. " * 25_000}
    prompt = Prompt(RUBRIC)
    requests = prompt.build_requests(
        build_probes(build_record(record, number=1), RUBRIC, "axis"), JudgeModel(name="lexical")
    )
    late = []

    async def tick() -> None:
        while True:
            begun = perf_counter()
            await asyncio.sleep(0.005)
            late.append(perf_counter() - begun)

    async def main() -> tuple[list[Reply], float]:
        ticking, backend, begun = asyncio.ensure_future(tick()), Lexical(), perf_counter()
        replies = await asyncio.gather(*map(backend.complete, requests))
        ticking.cancel()
        return replies, perf_counter() - begun

    replies, took = asyncio.run(main())
    assert [reply.text for reply in replies] == [asyncio.run(Lexical().complete(request)).text for request in requests]
    assert len(requests) == 3
    assert len(read) == 1
    assert len(late) > 5
    assert max(late) < took / 2


# The benchmark


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.lexical import evaluate

    return evaluate


def test_measures_equal_hand_counts(benchmark: ModuleType) -> None:
    from benchmarks.lexical import measures

    # 20 + 15 of 50 agree: p_o = 0.7; p_e = 0.5 · 0.6 + 0.5 · 0.4 = 0.5; κ = 0.4.
    table = measures.count([True] * 25 + [False] * 25, [True] * 20 + [False] * 5 + [True] * 10 + [False] * 15)
    assert measures.kappa(table) == pytest.approx(0.4)
    # F1 present 40 / 55, absent 30 / 45.
    assert measures.balanced_f1(table) == pytest.approx((40 / 55 + 30 / 45) / 2)
    assert measures.balanced_accuracy(table) == pytest.approx((20 / 25 + 15 / 25) / 2)
    assert measures.auc([True, True, False], [0.9, 0.3, 0.3]) == pytest.approx(0.75)
    # Pairs agree 1, 1 and 1/3: mean 7/9; labels 5/9 and 4/9: p_e = 41/81; κ = (63 − 41) / (81 − 41).
    assert measures.fleiss_kappa([[1, 1, 1], [0, 0, 0], [1, 1, 0]]) == pytest.approx(22 / 40)


def test_missing_data_is_exit_code_2(benchmark: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        benchmark.tasks.find_data(tmp_path, "kqa", "medec")
    assert left.value.code == 2
    assert "no kqa, medec under" in capsys.readouterr().err


def test_the_stated_agreement_is_what_comes_out(benchmark: ModuleType) -> None:
    if not (DATA / "kqa").is_dir():
        pytest.skip("no ../shared/data/kqa: the agreement with physicians cannot be recomputed")
    stated = json.loads(benchmark.RESULTS.read_text(encoding="utf-8"))["kqa_presence"]
    assert benchmark.kqa_presence(DATA) == stated
