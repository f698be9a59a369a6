"""trace -> does it say anything at all?

A policy trained against a judge learns "master keys": traces such as `:`, `Solution` or `Thought process:`
that make a judge say yes though nothing was said. They are known without a model, so they cost no call. The
gate is lenient on purpose: a trace is without content only when *nothing* is left of it once markup,
punctuation, numbering and openers are taken away. `A`, `12 mg` and `no` are left.

Source: "One Token to Fool LLM-as-a-Judge", arXiv 2507.08794, whose keys are in the lists below with their
like in other languages.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Final

__all__ = ["has_content"]

# Whole openers and the pieces that they are made of; a trace made of these alone announces and never states.
# A piece that could be an answer ("a", "right", "first", "no") stands only inside a longer one.
_OPENERS: Final = {
    "en": """
        thought process|thinking process|thought|thoughts|thinking|think|solution|solutions|answer
        answers|response|final answer|final solution|final response|final conclusion|reasoning|reason
        rationale|explanation|analysis|conclusion|summary|introduction|overview|background|approach
        assistant|output|result|results|ok|okay|sure|certainly|of course|absolutely|great question
        good question|happy to help|i would be happy to help|i d be happy to help|i can help with that
        well|hmm|alright|all right|so|then|first of all|to begin|to begin with|to start|to start with
        as follows|let s begin|let us begin|let s start|let us start|let s see|let me see|let s|let us
        let me|lets|we need to|we have to|we must|we can|we will|we should|we ll|i need to|i have to
        i must|i can|i will|i should|i ll|i am going to|i m going to|we are going to|going to
        in order to|for us|give me|about it|solve it|do it|now let|to answer|to solve|to think
        to address|to analyze|to analyse|solve|solving|analyze|analyse|analyzing|examine|consider
        look at|go through|walk through|work through|break down|break it down|break this down|address
        tackle|approach this|step by step|step|steps|step \\d{1,2}|one step at a time|carefully
        systematically|logically|thoroughly|in detail|together|here is|here are|here s|here|below is
        below|following|the following|this is|is|are|it is|about|this|that|the|these|my|our|your|you
        for you|problem|question|task|case|image|image and question|of the|to the|for the|in the
        for this|of this|to this|with this|given|based on|and|detailed|the detailed|correct answer
        correct solution|the final|provide|give|we start|start|begin|i think|i believe|therefore|thus
        hence
    """,
    "zh": """
        思考过程|思考|思路|思维过程|解题思路|解题过程|解题步骤|解题|解答|解答过程|解析|解|答案|答案是
        答案为|答|最终答案|正确答案|回答|分析|分析过程|推理|推理过程|解释|说明|结论|总结|综上所述|综上
        因此|所以|首先|好的|当然|当然可以|让我们|我们|让我|我来|来|需要|一步一步地|一步一步|一步步地
        一步步|逐步地|逐步|步骤|第一步|第二步|第三步|第四步|第五步|第\\d{1,2}步|步骤\\d{1,2}|思考一下
        想一想|解决|解决这个问题|这个问题|这道题|这个|该问题|此问题|问题|题目|仔细|仔细地|看看|看一下
        一下|以下是|如下|下面是|这是|的|地|吧|您的|你的|最终|详细|思考過程|解題思路|解題過程|解題
        最終答案|正確答案|讓我們|讓我|一步一步來|解決這個問題|這個問題|問題|題目|當然|詳細
    """,
    "ja": """
        思考プロセス|思考過程|思考|かいせつ|解説|回答|解答|答え|こたえ|答|最終回答|最終的な答え|解法
        解決策|考え方|推論|推論過程|分析|説明|結論|まとめ|もちろん|もちろんです|はい、もちろん
        わかりました|承知しました|では|それでは|まず|この問題を|この問題|問題を|問題|質問
        ステップバイステップで|ステップ・バイ・ステップで|ステップごとに|一歩ずつ|一つずつ|段階的に
        順番に|ステップ\\d{1,2}|ステップ|手順|解いていきましょう|解きましょう|解いてみましょう
        考えてみましょう|考えましょう|考えていきましょう|見ていきましょう|以下は|以下の通りです|以下
        こちらが|こちらは|答えは|回答は|は|です|を|の
    """,
    "ko": """
        사고 과정|생각 과정|생각|풀이|풀이 과정|해설|해결책|해결 방법|해답|정답|정답은|답|답은|답변
        답변은|최종 답|최종 답변|최종 답은|최종|추론|추론 과정|분석|설명|결론|요약|물론|물론입니다
        물론이죠|네 물론입니다|좋습니다|알겠습니다|먼저|우선|자|그럼|이 문제를|이 문제|문제를|문제|질문
        단계별로|단계적으로|차근차근|하나씩|한 단계씩|단계|\\d{1,2}단계|풀어봅시다|풀어 봅시다
        풀어보겠습니다|풀어 보겠습니다|해결해 봅시다|해결해봅시다|해결해 보겠습니다|생각해 봅시다
        생각해봅시다|생각해 보겠습니다|살펴보겠습니다|다음은|다음과 같습니다|여기|입니다
    """,
    "es": """
        proceso de pensamiento|proceso de razonamiento|pensamiento|pensando|razonamiento|respuesta
        la respuesta|respuesta final|la respuesta final|respuesta correcta|solución|la solución
        explicación|análisis|conclusión|resumen|claro|claro que sí|por supuesto|desde luego|de acuerdo
        entonces|primero vamos|vamos a|vamos|resolvamos|resolver|pensemos|pensar|analicemos|analizar
        veamos|este problema|esta pregunta|el problema|la pregunta|problema|pregunta|paso a paso|paso
        paso \\d{1,2}|aquí está|aquí tienes|aquí|a continuación|es|la siguiente|es la siguiente
        cuidadosamente|en detalle|sobre
    """,
    "fr": """
        processus de pensée|processus de réflexion|processus de raisonnement|réflexion|pensée
        raisonnement|réponse|la réponse|réponse finale|la réponse finale|solution|la solution
        explication|analyse|conclusion|résumé|bien sûr|certainement|d accord|très bien|alors
        tout d abord|résolvons|résoudre|réfléchissons|réfléchir|pensons|analysons|analyser|voyons
        nous allons|je vais|ce problème|cette question|le problème|la question|problème|question
        étape par étape|pas à pas|étape|étape \\d{1,2}|voici|voici la|ci dessous|est|est la suivante
        attentivement|en détail|commençons
    """,
    "de": """
        denkprozess|gedankengang|gedankenprozess|denkvorgang|überlegung|überlegungen|nachdenken
        begründung|antwort|die antwort|endgültige antwort|die endgültige antwort|lösung|die lösung
        lösungsweg|erklärung|analyse|fazit|schlussfolgerung|zusammenfassung|ergebnis|natürlich|sicher
        sicherlich|selbstverständlich|gerne|also|zuerst einmal|zunächst|lassen sie uns|lass uns
        lasst uns|wir|dieses problem|diese frage|diese aufgabe|das problem|die frage|die aufgabe|problem
        frage|aufgabe|schritt für schritt|schritt|schritt \\d{1,2}|lösen|gehen wir|überlegen|denken
        analysieren|hier ist|hier|ist|lautet|lautet wie folgt|wie folgt|sorgfältig|im detail|über
        betrachten
    """,
    "pt": """
        processo de pensamento|processo de raciocínio|pensamento|pensando|raciocínio|resposta|a resposta
        resposta final|a resposta final|resposta correta|solução|a solução|explicação|análise|conclusão
        resumo|claro|com certeza|certamente|é claro|então|primeiro vamos|vamos|vamos lá|resolver|pensar
        analisar|ver|este problema|esta questão|esta pergunta|esse problema|essa questão|o problema
        a questão|a pergunta|problema|questão|pergunta|passo a passo|passo|passo \\d{1,2}|aqui está|aqui
        a seguir|a resposta é|cuidadosamente|em detalhe|em detalhes|sobre
    """,
    "ru": """
        процесс мышления|ход мыслей|ход мышления|ход рассуждений|ход решения|размышление|размышления
        рассуждение|рассуждения|мысли|ответ|окончательный ответ|итоговый ответ|правильный ответ|решение
        объяснение|пояснение|анализ|вывод|заключение|итог|конечно|разумеется|хорошо|итак|сначала|давайте
        давай|мы|решим|решать|подумаем|рассмотрим|разберем|разберём|проанализируем|эту задачу
        эту проблему|этот вопрос|задачу|задача|вопрос|проблему|шаг за шагом|пошагово|по шагам|шаг
        шаг \\d{1,2}|вот|вот ответ|вот решение|следующее|следующий|внимательно|подробно|над
    """,
    "ar": """
        عملية التفكير|عملية التفكير هذه|خطوات التفكير|التفكير|تفكير|التفكير المنطقي|الاستدلال|الإجابة
        الاجابة|إجابة|الجواب|جواب|الإجابة النهائية|الجواب النهائي|الإجابة الصحيحة|الحل|حل|الحل النهائي
        الشرح|شرح|التفسير|تفسير|التحليل|تحليل|الخلاصة|الاستنتاج|بالتأكيد|بالطبع|طبعا|حسنا|أولا|دعنا
        دعونا|لنحل|نحل|لنفكر|نفكر|لنبدأ|هذه المسألة|هذه المشكلة|هذا السؤال|المسألة|المشكلة|السؤال
        خطوة بخطوة|خطوة خطوة|خطوة|الخطوة|الخطوة \\d{1,2}|إليك|إليكم|فيما يلي|هي|هو|كالتالي|في|بعناية
    """,
    "hi": """
        विचार प्रक्रिया|सोचने की प्रक्रिया|सोच प्रक्रिया|सोच|विचार|तर्क|उत्तर|जवाब|अंतिम उत्तर
        अंतिम जवाब|सही उत्तर|समाधान|हल|व्याख्या|स्पष्टीकरण|विश्लेषण|निष्कर्ष|सारांश|ज़रूर|जरूर|बेशक
        ठीक है|अच्छा|सबसे पहले|आइए|चलिए|चलो|हम|इस समस्या को|इस समस्या|इस प्रश्न को|इस प्रश्न|इस सवाल को
        समस्या|प्रश्न|सवाल|कदम दर कदम|चरण दर चरण|चरणबद्ध तरीके से|चरण|चरण \\d{1,2}|कदम|हल करें
        हल करते हैं|सोचें|सोचते हैं|यहाँ|यहाँ उत्तर है|यहां|यह रहा|यह|है|निम्नलिखित|के बारे में|ध्यान से
    """,
    "it": """
        processo di pensiero|ragionamento|risposta|la risposta|risposta finale|soluzione|la soluzione
        spiegazione|analisi|conclusione|certamente|risolviamo|questo problema|passo dopo passo|ecco
        ecco la
    """,
}

_COUNT: Final = "\\d{1,2}"
_MARKUP: Final = re.compile(r"</?[^\W\d][\w-]{0,30} ?/?>|<\|\w{1,30}\|>|\[/?inst\]|\\(?:boxed|text)\b")
_NUMBERING: Final = re.compile(r"(?<!\w)(\d{1,2})[.):、]\s{0,4}(?=[*_`#\"'(]{0,3}\d{0,2}[^\W\d])")
# Combining accents and variation selectors; not the vowel signs of Indic scripts, which make other words.
_ACCENTS: Final = re.compile("[\u0300-\u036f\u20d0-\u20ff\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_UNSPACED_END: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]$")
_GAPS: Final = re.compile(r"[\W_]+")


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
    bare = _bare(trace)
    opening = _announcement().match(bare)
    return any(map(str.isalnum, bare[opening.end() :] if opening else bare))


def _bare(trace: str) -> str:
    """The trace's letters and digits in one case, one space between words; no markup, accents, numbering."""
    text = _MARKUP.sub(" ", unicodedata.normalize("NFKC", trace).casefold())
    return " ".join(_letters(_without_numbering(text)).split())


def _letters(text: str) -> str:
    if text.isascii():
        return _GAPS.sub(" ", text)
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


def _pattern(opener: str) -> str:
    """One opener as it looks in bare text; one that ends in a spaced script must end at the end of a word."""
    words, count, rest = opener.partition(_COUNT)
    pattern = _bare(words) + (" " if words.endswith(" ") else "") + count + _bare(rest)
    return pattern if _UNSPACED_END.search(pattern) else pattern + r"(?!\w)"


@cache
def _announcement() -> re.Pattern[str]:
    """Any number of openers, the longest first; possessive and atomic, so that nothing is tried twice."""
    openers = {
        opener.strip() for block in _OPENERS.values() for line in block.split("\n") for opener in line.split("|")
    }
    patterns = sorted({_pattern(opener) for opener in openers if opener}, key=lambda text: (-len(text), text))
    return re.compile(rf"(?:(?>{'|'.join(patterns)}) ?)*+")
