"""trace -> does it say anything at all?

A policy trained against a judge learns "master keys": traces such as `:`, `Solution` or `Thought process:`
that make a judge say yes though nothing was said. They are known without a model, so they cost no call. The
gate is lenient on purpose: a trace is without content only when *nothing* is left of it once markup,
punctuation, numbering and openers are taken away. `A`, `12 mg`, `no` and a bare `Certainly.` are left.

Source: "One Token to Fool LLM-as-a-Judge", arXiv 2507.08794, whose keys are in the lists below with their
like in other languages.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Final

__all__ = ["has_content"]

# Each is gated alone: the headings that announce what then does not come. One line or more a language.
_LABELS: Final = """
    thought process|thinking process|reasoning process|thought|thoughts|reasoning|rationale|explanation
    analysis|conclusion|summary|solution|answer|response|final answer|final solution|final response
    final conclusion|correct answer|the answer|the solution|the final answer|the correct answer|my answer
    the answer is|the solution is|the final answer is|the correct answer is|the answer is as follows
    detailed solution|step by step solution|the step by step solution|a step by step solution
    思考过程|思维过程|思考|思路|解题思路|解题过程|解题步骤|解题|解答过程|解答|解析|解|最终答案|正确答案
    答案|答案是|答案为|答|回答|分析过程|分析|推理过程|推理|解释|说明|结论|总结
    思考過程|解題思路|解題過程|解題|最終答案|正確答案
    思考プロセス|思考|かいせつ|解説|回答|解答|答え|答えは|こたえ|最終回答|最終的な答え|解法|解決策|考え方
    推論過程|推論|分析|説明|結論|まとめ|もちろんです 回答|もちろんです 答え
    사고 과정|생각 과정|풀이 과정|풀이|해설|해결책|해결 방법|해답|정답|정답은|답|답은|답변|답변은|최종 답
    최종 답변|최종 답은|추론 과정|추론|분석|설명|결론|요약|물론입니다 답변|물론입니다 정답
    proceso de pensamiento|proceso de razonamiento|pensamiento|razonamiento|respuesta|la respuesta
    respuesta final|la respuesta final|respuesta correcta|la respuesta es|solución|la solución|explicación
    análisis|conclusión|resumen
    processus de pensée|processus de réflexion|processus de raisonnement|réflexion|raisonnement|réponse
    la réponse|réponse finale|la réponse finale|la réponse est|la solution|explication|analyse|résumé
    denkprozess|gedankengang|gedankenprozess|denkvorgang|überlegung|überlegungen|begründung|antwort
    die antwort|endgültige antwort|die endgültige antwort|die antwort ist|die antwort lautet|lösung
    die lösung|lösungsweg|erklärung|fazit|schlussfolgerung|zusammenfassung
    processo de pensamento|processo de raciocínio|pensamento|raciocínio|resposta|a resposta|resposta final
    a resposta final|resposta correta|a resposta é|solução|a solução|explicação|análise|conclusão|resumo
    процесс мышления|ход мыслей|ход мышления|ход рассуждений|ход решения|размышления|рассуждение
    рассуждения|ответ|окончательный ответ|итоговый ответ|правильный ответ|решение|объяснение|пояснение
    анализ|вывод|заключение
    عملية التفكير|خطوات التفكير|التفكير|الاستدلال|الإجابة|الاجابة|إجابة|الجواب|جواب|الإجابة النهائية
    الجواب النهائي|الإجابة الصحيحة|الإجابة هي|الحل|الحل النهائي|الشرح|التفسير|التحليل|الخلاصة|الاستنتاج
    विचार प्रक्रिया|सोचने की प्रक्रिया|सोच प्रक्रिया|उत्तर|उत्तर है|जवाब|जवाब है|अंतिम उत्तर|अंतिम जवाब|सही उत्तर
    समाधान|व्याख्या|स्पष्टीकरण|विश्लेषण|निष्कर्ष|सारांश
    processo di pensiero|ragionamento|risposta|la risposta|risposta finale|la risposta è|soluzione
    la soluzione|spiegazione|analisi|conclusione
"""

# Gated before a label only: "Here is" the solution.
_HERE: Final = """
    here is|here s|here are|below is|this is|the following is|以下是|下面是|这是|以下は|こちらが|다음은|여기
    aquí está|aquí tienes|a continuación|voici|hier ist|aqui está|a seguir|вот|إليك|إليكم|فيما يلي|यहाँ|यहां|ecco
"""

# Gated before one of the two others only: alone, "Sure." answers a question.
_YES: Final = """
    sure|sure thing|certainly|of course|absolutely|ok|okay|alright|all right|well|hmm|so|now|great question
    good question|i d be happy to help|i would be happy to help|i can help with that|首先|好的|当然|當然|当然可以
    もちろん|もちろんです|わかりました|承知しました|では|それでは|まず|물론|물론입니다|물론이죠|네|좋습니다|알겠습니다
    먼저|우선|그럼|claro|claro que sí|por supuesto|desde luego|de acuerdo|entonces|bien sûr|certainement
    d accord|très bien|alors|natürlich|sicher|sicherlich|selbstverständlich|gerne|also|zunächst|com certeza
    certamente|é claro|então|конечно|разумеется|хорошо|итак|сначала|بالتأكيد|بالطبع|طبعا|حسنا|أولا
    ज़रूर|जरूर|बेशक|ठीक है|अच्छा|सबसे पहले|certamente|certo
"""

# Gated alone: "Let's", and with it the `_DEEDS` that follow it.
_STARTS: Final = """
    let s|lets|let us|let me|to solve|to answer|to begin|to start|to address|to analyze|to analyse|we need to
    i need to|i will think|i will solve|i will analyze|we will solve|we will analyze|i ll think|i ll solve
    i ll analyze|first let s|让我们|让我来|让我|讓我們|讓我|我们来|我们需要|我来|この問題を|問題を|이 문제를|문제를
    vamos a|vamos|primero vamos|resolvamos|pensemos|analicemos|veamos|résolvons|réfléchissons|pensons
    analysons|voyons|commençons|nous allons|je vais|lassen sie uns|lass uns|lasst uns|primeiro vamos
    давайте|давай|دعنا|دعونا|لنحل|لنفكر|لنبدأ|आइए|चलिए|चलो|risolviamo
    рассмотрим|проанализируем|подумаем|решим|разберём|разберем|ステップバイステップで考えてみましょう
    ステップバイステップで考えましょう|ステップバイステップで解いてみましょう|段階的に考えてみましょう|順番に考えてみましょう
    단계별로 생각해 봅시다|단계별로 생각해봅시다|단계별로 풀어봅시다|단계별로 풀어 봅시다|차근차근 생각해 봅시다
"""
_DEEDS: Final = """
    solve|think|think about|see|look at|analyze|analyse|examine|consider|break down|break|work through
    go through|walk through|approach|tackle|address|answer this|answer it|answer the question|start|begin
    this|that|it|the|problem|question|case|image|task|and|by|through|down|with|carefully|step by step
    one step at a time|first|together|in detail|logically|systematically|thoroughly
    一步一步地|一步一步来|一步一步來|一步一步|一步步地|一步步|逐步地|逐步|思考一下
    思考|想一想|解决|解決|分析|回答|看看|看一下|这个问题|這個問題|这道题|该问题|此问题|问题|仔细地|仔细
    ステップバイステップで|ステップ・バイ・ステップで|ステップごとに|一歩ずつ|段階的に|順番に|解いていきましょう
    解きましょう|解いてみましょう|考えてみましょう|考えましょう|考えていきましょう|見ていきましょう|단계별로|단계적으로|차근차근
    하나씩|한 단계씩|풀어봅시다|풀어 봅시다|풀어보겠습니다|풀어 보겠습니다|해결해 봅시다|해결해봅시다|해결해 보겠습니다
    생각해 봅시다|생각해봅시다|생각해 보겠습니다|살펴보겠습니다|resolver|pensar|analizar|sobre|este problema
    esta pregunta|el problema|la pregunta|paso a paso|cuidadosamente|en detalle|résoudre|réfléchir|analyser
    ce problème|cette question|le problème|la question|étape par étape|pas à pas|attentivement|en détail
    dieses problem|diese frage|diese aufgabe|das problem|die frage|die aufgabe|schritt für schritt|lösen
    überlegen|denken|nachdenken|analysieren|betrachten|über|sorgfältig|im detail|lá|analisar|esta questão
    esta pergunta|esse problema|essa questão|o problema|a questão|a pergunta|passo a passo|em detalhe
    em detalhes|решим|решать|подумаем|рассмотрим|разберем|разберём|проанализируем|эту задачу|эту проблему
    этот вопрос|задачу|над|шаг за шагом|пошагово|по шагам|внимательно|подробно|نحل|نفكر|نبدأ|في|هذه المسألة
    هذه المشكلة|هذا السؤال|المسألة|المشكلة|السؤال|خطوة بخطوة|خطوة خطوة|بعناية|हम|इस समस्या को|इस समस्या
    इस प्रश्न को|इस प्रश्न|इस सवाल को|कदम दर कदम|चरण दर चरण|चरणबद्ध तरीके से|हल करें|हल करते हैं|सोचें|सोचते हैं
    के बारे में|ध्यान से|questo problema|passo dopo passo
"""

_MARKUP: Final = re.compile(r"</?[^\W\d][\w-]{0,30} ?/?>|<\|\w{1,30}\|>|\[/?inst\]|\\(?:boxed|text)\b")
# It begins with a digit, so that the engine need not look closer at anything else.
_NUMBERING: Final = re.compile(r"(\d(?<!\w\d)\d?)[.):、]\s{0,4}(?=[*_`#\"'(]{0,3}\d{0,2}[^\W\d])")
# Combining accents and variation selectors; not the vowel signs of Indic scripts, which make other words.
_ACCENTS: Final = re.compile("[\u0300-\u036f\u20d0-\u20ff\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_UNSPACED_END: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]$")
_ASCII_GAPS: Final = {code: " " for code in range(128) if not chr(code).isalnum()}
# A long trace is known by its beginning, as long as that says more than an opener or a tag that the cut left half.
_BEGINNING: Final = 160
_MOST_OF_A_CUT: Final = 100


def has_content(trace: str) -> bool:
    r"""Whether the trace says anything that could be right or wrong.

    Args:
        trace: the joined trace text, any length.

    Returns:
        False for an empty trace, one of punctuation, markdown, emoji or empty tags, and one of openers only
        (in eleven languages, in any case, numbered or repeated); True for everything else, `A` and `no`
        included.

    Source:
        arXiv 2507.08794. We gate known keys only: a key in other words costs one call.

    Examples:
        >>> has_content("<think>\n</think> **Thought process:**")
        False
        >>> has_content("(C)"), has_content("12 mg")
        (True, True)
    """
    beginning = trace[:_BEGINNING]
    return _has_other_word(beginning) or _said(beginning) > _MOST_OF_A_CUT or _said(trace) > 0


def _has_other_word(beginning: str) -> bool:
    """Whether it has a word of plain letters that stands in no opener: nearly all that is said in English does.

    What is joined to other characters may be markup, and the last word may be cut.
    """
    known = _opening_words()
    return any(word.isascii() and word.isalpha() and word.lower() not in known for word in beginning.split()[:-1])


def _said(text: str) -> int:
    """Letters and digits after the openers."""
    bare = _bare(text)
    opening = _announcement().match(bare)
    said = bare[opening.end() :] if opening else bare
    return len(said) - said.count(" ") if said.isascii() else sum(map(str.isalnum, said))


def _bare(trace: str) -> str:
    """The trace's letters and digits in one case, one space between words; no markup, accents, numbering."""
    text = _MARKUP.sub(" ", unicodedata.normalize("NFKC", trace).casefold())
    return " ".join(_letters(_without_numbering(text)).split())


def _letters(text: str) -> str:
    if text.isascii():
        return text.translate(_ASCII_GAPS)
    return "".join(map(_letter, unicodedata.normalize("NFKD", text)))


@cache
def _letter(char: str) -> str:
    """A letter, digit or vowel sign as it is; nothing for accents and the invisible; else a gap."""
    category = unicodedata.category(char)
    if category == "Cf" or _ACCENTS.match(char):
        return ""
    return char if category[0] in "LNM" else " "


def _without_numbering(text: str) -> str:
    """Drop the numbers that count from 1 before words: `1. Solution`, but not `Answer: 3. Solution`."""
    due = 1

    def drop(match: re.Match[str]) -> str:
        nonlocal due
        if int(match[1]) != due:
            return match[0]
        due += 1
        return " "

    return _NUMBERING.sub(drop, text)


def _phrases(block: str) -> set[str]:
    return {_bare(phrase) for line in block.splitlines() for phrase in line.split("|")} - {""}


def _any_of(phrases: set[str]) -> str:
    """One of them, the longest first; one that ends in a spaced script must end at the end of a word."""
    longest = sorted(phrases, key=len, reverse=True)
    ends = (phrase if _UNSPACED_END.search(phrase) else rf"{phrase}(?!\w)" for phrase in longest)
    return rf"(?>(?:{'|'.join(ends)}) ?)"


@cache
def _opening_words() -> frozenset[str]:
    blocks = (_LABELS, _HERE, _YES, _STARTS, _DEEDS)
    return frozenset(word for block in blocks for phrase in _phrases(block) for word in phrase.split())


@cache
def _announcement() -> re.Pattern[str]:
    """Any number of openers; possessive and atomic, so that nothing is tried twice."""
    labels, deeds = _phrases(_LABELS), _phrases(_DEEDS)
    longer = {label for label in labels - deeds if label.startswith(tuple(deeds))}
    label, deed = _any_of(labels), f"(?!{_any_of(longer)}){_any_of(deeds)}"  # "the answer is" before "the"
    here, yes, start = (_any_of(_phrases(block)) for block in (_HERE, _YES, _STARTS))
    return re.compile(rf"(?>{label}|{yes}*+(?:{start}(?:{deed})*+|{here}{label}))*+")
