"""Master keys are gated without a call; a short true answer never is."""

import itertools
import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.content import _has_other_word, _said, has_content

OPENERS = {
    "en": [
        "Thought process:", "Let's solve this problem step by step.", "Solution", "Answer:",
        "Final answer:", "Sure, here is the answer", "Sure! Here's the solution:",
        "Okay, let me think about this question carefully.", "To solve this problem, we need to",
        "Let’s think step by step.", "Reasoning:", "The answer is:",
    ],
    "zh": [
        "思考过程：", "让我们一步一步地解决这个问题。", "解", "解答：", "答案：", "好的，以下是答案。",
        "解題過程：",
    ],
    "ja": [
        "かいせつ", "解説：", "思考プロセス：", "この問題をステップバイステップで解いていきましょう。",
        "答え：", "もちろんです。回答：", "ステップバイステップで考えてみましょう。",
    ],
    "ko": [
        "풀이:", "사고 과정:", "이 문제를 단계별로 풀어봅시다.", "정답:", "물론입니다. 답변:",
        "단계별로 생각해 봅시다.",
    ],
    "es": [
        "Respuesta", "Solución:", "Proceso de pensamiento:", "Vamos a resolver este problema paso a paso.",
        "Claro, aquí está la respuesta:",
    ],
    "fr": [
        "Réponse :", "Processus de réflexion :", "Résolvons ce problème étape par étape.",
        "Bien sûr, voici la réponse :",
    ],
    "de": [
        "Lösung:", "Antwort:", "Denkprozess:", "Lassen Sie uns dieses Problem Schritt für Schritt lösen.",
        "Natürlich, hier ist die Antwort:",
    ],
    "pt": [
        "Resposta:", "Solução", "Processo de pensamento:", "Vamos resolver este problema passo a passo.",
        "Claro, aqui está a resposta:",
    ],
    "ru": [
        "Ответ:", "Решение", "Ход мыслей:", "Давайте решим эту задачу шаг за шагом.", "Конечно, вот ответ:",
        "Рассмотрим этот вопрос подробно.",
    ],
    "ar": [
        "الإجابة:", "الحل", "عملية التفكير:", "دعونا نحل هذه المسألة خطوة بخطوة.",
        "بالتأكيد، إليك الإجابة:",
    ],
    "hi": [
        "उत्तर:", "समाधान", "विचार प्रक्रिया:", "आइए इस समस्या को चरण दर चरण हल करें।",
        "ज़रूर, यहाँ उत्तर है:",
    ],
}  # fmt: skip
ALL_OPENERS = [opener for openers in OPENERS.values() for opener in openers]

DRESSES = [
    "{}",
    "  {}\n\n",
    "**{}**",
    "# {}",
    "1. {}",
    "<think>{}</think><answer></answer>",
    "{0} {0} {0}",
    "1) {0}\n2) {0}\n3) {0}",
    "1. {0} 2. {0}",
    "<think>\n</think>{}…",
    "\u200b{}\ufeff",
    "{} 🤔✅",
]

EMPTY = [
    "", " ", "\n\t", "\u3000", "\xa0", "\u200b", "\ufeff", ".", ",", ":", "!", "?", "...", "…", "-", "—",
    "---", "***", "###", "```", "```\n```", "> ", "| | |", "()", "[]", "{}", '""', "''", "“”", "。", "、",
    "「」", "؟", "।", "🙂", "✅", "👍🏽", "️⃣", "<think></think>", "<think>\n\n</think>\n",
    "<answer></answer>", "<think></think><answer></answer>", "<THINK> </THINK> <Answer> </Answer>", "<br/>",
    "</s>", "<|im_end|>", "[INST] [/INST]", "\\boxed{}", "$\\boxed{\\text{}}$",
]  # fmt: skip

SHORT_ANSWERS = [
    "A", "B", "C", "D", "E", "a", "b", "e", "I", "II", "IV", "(C)", "c)", "C.", "[D]", "12 mg", "12mg",
    "no", "No.", "yes", "Yes.", "3", "0", "-2", "−2", "1/2", "½", "5%", "0.5", ".5", "1,000", "3 cm", "MI",
    "CT", "US", "IT", "MS", "PE", "left", "right", "Right.", "true", "False", "none", "normal", "both",
    "correct", "positive", "first", "complete", "now", "nein", "ja", "oui", "non", "sí", "não", "sim", "да",
    "нет", "نعم", "لا", "हाँ", "नहीं", "क", "无", "有", "是", "否", "不是", "对", "正确", "肺炎", "はい",
    "いいえ", "正解", "肺炎です", "네", "아니요", "폐렴", "gut", "bien", "certo", "α", "T4", "N1", "H2O",
    "K+", "G6PD", "fever", "asthma", "Pneumonia", "It is B", "a b", "The answer is 3. Solution",
    "Solution: no",
]  # fmt: skip
AFFIRMATIVES = [
    "Certainly.", "Of course", "Absolutely", "ok", "Okay.", "sure", "Sure!", "Sure thing", "claro", "Claro que sí",
    "Por supuesto", "Desde luego", "Bien sûr", "Certainement.", "D'accord", "Natürlich", "Sicher", "Gerne",
    "Selbstverständlich", "Com certeza", "Certamente", "É claro", "Конечно", "Разумеется", "Хорошо", "بالتأكيد",
    "بالطبع", "ज़रूर", "बेशक", "ठीक है", "好的", "当然", "当然可以", "もちろん", "もちろんです", "물론", "물론입니다", "네",
    "Certo", "Certainly. Of course.",
]  # fmt: skip

# Made of the words that openers are made of.
SENTENCES = [
    "The problem is the image", "The image is the problem", "Step 2", "Step 1", "The first step", "Paso 2", "Étape 3",
    "Schritt 2", "Шаг 2", "第二步", "ステップ3", "2단계", "It is this", "It is that", "This is it", "That is it",
    "It is the first", "It is about the image", "About the image", "The image", "Image", "The question", "The problem",
    "The case", "The task", "The following", "Below", "Below the image", "Above", "Here", "It is here", "We can",
    "We can do it", "We will", "We should", "We must", "We have to", "I will", "I can", "I do", "I think so",
    "I believe it", "I believe this", "I must", "You", "You are", "They are", "These", "This", "That", "Those are mine",
    "The result", "Result", "The results", "Output", "Background", "Introduction", "Overview", "The approach",
    "The reason", "Reason", "The assistant", "Begin", "Start", "We start", "Start here", "Then", "Then this",
    "Therefore this", "Thus it is", "Together", "Together in the image", "Carefully", "Systematically", "In detail",
    "In the image", "For the image", "Of the image", "The image and the question", "Given this", "Based on this",
    "Based on the image", "Solve it", "Do it", "Do this first", "Do that then", "Give this", "Give it", "Give me",
    "Consider this", "Examine the image", "Break it", "Address it", "Step by step", "The steps", "Steps",
    "Follow the steps", "You can help", "You can solve it", "It is solved", "The answer is in the image",
    "The answer is the image", "The answer is this", "The solution is the problem", "The answer is below",
    "Answer: this", "Answer: the first", "Solution: the following", "El problema", "La pregunta", "Aquí",
    "Es la imagen", "Ici", "La question", "C'est le problème", "Hier", "Die Frage", "Das Problem", "Wir", "O problema",
    "Aqui", "Вопрос", "Мы", "Проблема", "问题", "这个问题", "我们", "题目", "問題です", "質問", "문제", "질문",
    "السؤال", "هو", "यह है", "प्रश्न", "Answer: Certainly. Explanation:", "Thought process: Sure.",
]  # fmt: skip
FRAMES = [
    "{}",
    "<answer>{}</answer>",
    "<think></think><answer>{}</answer>",
    "Answer: {}",
    "**{}**\n",
    "Thought process: {}",
]


@pytest.mark.parametrize("dress", DRESSES)
def test_openers_are_no_content(dress: str) -> None:
    """12 dresses x 64 openers in eleven languages, and each in upper case: above 1,500."""
    assert len(ALL_OPENERS) == 67
    for opener in ALL_OPENERS:
        assert not has_content(dress.format(opener)), dress.format(opener)
        assert not has_content(dress.format(opener).upper()), dress.format(opener)


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_unicode_forms_are_alike(form: str) -> None:
    for opener in ALL_OPENERS:
        assert not has_content(unicodedata.normalize(form, opener))  # type: ignore[arg-type]
        assert not has_content("\u00ad".join(opener))
    assert not has_content("Ｓｏｌｕｔｉｏｎ：")


def test_two_openers_in_a_row_are_no_content() -> None:
    """Every pair of the first openers of two languages: 11 x 11."""
    firsts = [openers[0] for openers in OPENERS.values()]
    for one, two in itertools.product(firsts, firsts):
        assert not has_content(f"{one}\n{two}")


@pytest.mark.parametrize("trace", EMPTY)
def test_nothing_is_no_content(trace: str) -> None:
    assert not has_content(trace)
    assert not has_content(trace * 50)


@pytest.mark.parametrize("frame", FRAMES)
def test_short_true_answers_pass(frame: str) -> None:
    """6 frames x 96 answers: 576."""
    assert len(SHORT_ANSWERS) * len(FRAMES) >= 200
    for answer in SHORT_ANSWERS:
        assert has_content(frame.format(answer)), frame.format(answer)


@pytest.mark.parametrize("frame", FRAMES)
def test_a_bare_affirmative_passes(frame: str) -> None:
    for answer in AFFIRMATIVES:
        assert has_content(frame.format(answer)), frame.format(answer)


def test_sentences_of_common_words_pass() -> None:
    assert len(set(SENTENCES)) >= 100
    assert [sentence for sentence in SENTENCES if not has_content(sentence)] == []
    assert [sentence for sentence in SENTENCES if not has_content(f"**{sentence}.**\n")] == []


HOSTILE = [
    "\\text{" * 10_000 + "}" * 10_000,
    "\0" * 100_000,
    "\ud800\udfff" * 50_000,
    "sure " * 20_000,
    "here is " * 9_000,
]


@pytest.mark.parametrize("trace", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_raises_or_takes_long(trace: str) -> None:
    began = time.process_time()
    has_content(trace)
    has_content(f"Let's {trace} solution")
    assert time.process_time() - began < 1.0


@settings(max_examples=200)
@given(st.text(alphabet=st.characters(exclude_categories=[]), max_size=60))
def test_any_text_is_read(trace: str) -> None:
    assert has_content(trace) in (True, False)


@pytest.mark.parametrize(
    ("trace", "content"),
    [
        ("1. Thought process: 2. Solution:", False),  # counts up from one: numbering
        ("Answer: 3. Explanation:", True),  # 3 is the answer
        ("Step 2", True),
        ("The answer is 2", True),
        ("1. A", True),
        ("Solutions of saline", True),  # an opener ends at the end of a word
        ("Let's solve this problem step by step. The lungs are clear.", True),
        ("让我们一步一步地解决这个问题。肺部清晰。", True),
        ("Thoughtful", True),
        ("Isso", True),  # not "is" and "so"
        ("हल्का", True),
    ],
)
def test_what_follows_an_opener_counts(trace: str, content: bool) -> None:
    assert has_content(trace) == content


@settings(max_examples=200)
@given(st.text(alphabet=st.characters(categories=["P", "S", "Z", "Cc", "Cf"]), max_size=60))
def test_signs_alone_are_no_content(trace: str) -> None:
    # A sign may be a letter in compatible clothes: the parenthesised one, the trade mark.
    if not any(char.isalnum() for char in unicodedata.normalize("NFKC", trace)):
        assert not has_content(trace)


@settings(max_examples=200)
@given(
    st.lists(st.sampled_from(ALL_OPENERS), min_size=1, max_size=6),
    st.sampled_from([" ", "\n", " - ", "\n\n## "]),
)
def test_any_row_of_openers_is_no_content(openers: list[str], joint: str) -> None:
    assert not has_content(joint.join(openers))


@settings(max_examples=100)
@given(
    st.sampled_from(ALL_OPENERS),
    st.sampled_from(["pneumonia", "肺炎", "폐렴", "пневмония", "7.4", "निमोनिया"]),
)
def test_an_opener_and_a_word_are_content(opener: str, word: str) -> None:
    assert has_content(f"{opener} {word}")
    assert has_content(f"{word} {opener}")


PIECES = [
    *ALL_OPENERS, "<think>", "</think>", "<answer >", "<|im_start|>", "[INST]", "\\boxed{", "**", "1. ", "2)", "-",
    "\n\n", "pneumonia", "Pneumonia.", "film", "let", "by", "analyse", "x\u0301", "肺炎", "ﬁlm",
    "\u2003", "\u200b", "d'accord",
]  # fmt: skip


@settings(max_examples=1000)
@given(st.lists(st.sampled_from(PIECES), max_size=40), st.sampled_from(["", " ", "\n", "\u00a0"]))
def test_a_word_that_is_no_opener_is_a_short_way_to_the_same_answer(pieces: list[str], joint: str) -> None:
    trace = joint.join(pieces)
    assert has_content(trace) == (_said(trace) > 0)
    assert _said(trace) or not _has_other_word(trace)


@pytest.mark.parametrize(
    "piece", [".", "* ", "1. ", "<a", "solution ", "让我们", "\u200b", "🙂", "<answer>", "</", "1 "]
)
def test_a_long_trace_takes_milliseconds(piece: str) -> None:
    began = time.process_time()
    has_content(piece * (100_000 // len(piece)))
    assert time.process_time() - began < 0.5
