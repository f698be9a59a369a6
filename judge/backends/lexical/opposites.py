"""The word lists of conflict: what stands against what, what negates, and where a negation ends.

Written by hand, fitted on nothing, like those of `vocabulary.py`.
"""

from judge.backends.lexical.vocabulary import SAME_WORD, stems_of, words_of

# Between two semicolons stands one opposition: the words before the bar against the words after it.
_OPPOSITES = """
    left | right;
    proximal | distal;
    upper superior | inferior;
    anterior ventral | posterior dorsal;
    medial | lateral;
    unilateral | bilateral;
    increase higher high up elevated enhance promote induce activate stimulate gain
        | decrease reduce low down inhibit suppress attenuate impair loss deplete block;
    more greater | less fewer;
    positive | negative;
    present | absent;
    benign | malignant;
    acute | chronic;
    effective efficacious | ineffective useless;
    safe | unsafe dangerous harmful;
    normal | abnormal;
    possible | impossible;
    before | after;
    early earlier | late later;
    common frequent often | rare uncommon rarely seldom;
    better improve | worse worsen;
    start | stop;
    male | female;
    hard difficult | easy;
    always | never;
    contraindicated | indicated;
    avoid | recommend;
    allow permit | forbid prohibit;
    win won | lose lost;
    guilty | innocent;
    old older | young younger;
    short shorter | long longer;
    thin | thick;
    hot warm | cold;
    opaque hyperdense hyperintense | lucent hypodense hypointense
"""

NEGATIONS = words_of("""
    no not never without none nor neither cannot denies denied deny denying lack lacks lacking lacked absence
    unlikely fail fails failed hardly barely unable excludes excluded unrelated
""")

SCOPE_ENDS = words_of("but however although though except because while whereas unless which who and")


def _sides(block: str) -> dict[str, list[tuple[int, int]]]:
    sides: dict[str, list[tuple[int, int]]] = {}
    for number, line in enumerate(block.split(";")):
        for sign, words in zip((1, -1), line.split("|"), strict=True):
            for stem in stems_of(words):
                sides.setdefault(SAME_WORD.get(stem, stem), []).append((number, sign))
    return sides


# A term -> the sides that it takes, each (number of the opposition, +1 or -1).
SIDES = _sides(_OPPOSITES)
