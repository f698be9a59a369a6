"""The data sets of the lexical benchmark -> claims, traces, and what people said of them.

    kqa           {"id": "…", "question": "…", "trace": "…", "units": {"knowledge": [{"unit_id": "K1", "claim": "…"}]}}
                  with three physicians' labels a unit; nothing is ever fitted on it
    realsumm_scu  the same shape: summaries and reference content units, three (sometimes four) workers' labels
    medec         clinical notes with one wrong sentence and its correction
    scifact_rte   scientific claims and evidence that supports or refutes them

medec and scifact_rte are cut in halves by the parity of their ids: even rows fit, odd rows are for evaluation.
"""

import json
import re
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from judge.backends.lexical.judging import ReadTrace, read_trace
from judge.backends.lexical.overlap import read_terms

DEFAULT_DATA = Path("../shared/data")
FITTING, EVALUATION = 0, 1  # parity of the ids of a half
TOPIC_SHARE = 0.3  # a term of at least this share of an article's claims is its topic
FOREIGN = 0.34  # claims that share more of their terms than this may be about the same thing

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A claim, a trace, the people's answer (raised? or: contradicted?), the share of raters who said yes."""

    group: str
    claim: str
    trace: ReadTrace
    question: str
    answer: bool
    share: float = 0.0
    kind: str = ""


def find_data(data: Path, *names: str) -> Path:
    """Return the data folder, or leave with exit code 2 and a line that says what is missing."""
    missing = [name for name in names if not (data / name).is_dir()]
    if missing:
        print(f"no {', '.join(missing)} under {str(data)!r}: name the data folder with --data DIR", file=sys.stderr)
        raise SystemExit(2)
    return data


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def read_ratings(folder: Path) -> dict[tuple[str, str, str], list[Row]]:
    """Return the labels of a set by (record id, model, unit id); the model is empty where labels name none."""
    ratings: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for label in read_rows(folder / "labels.jsonl"):
        ratings[label["record_id"], label.get("model", ""), label["unit_id"]].append(label)
    return ratings


@cache
def read_kqa(data: Path) -> list[Case]:
    """Return the 171 claims of kqa with their record's own question."""
    return _labelled(data / "kqa", {})


@cache
def read_realsumm(data: Path) -> list[Case]:
    """Return the claims of realsumm_scu whose workers are not evenly split.

    Its question is "Summarise the article." for all. What a real question does (to name the topic that every claim is
    about) is done here by the words that stand in many claims of the article.
    """
    topics: dict[str, str] = {}
    for row in read_rows(data / "realsumm_scu" / "records.jsonl"):
        claims = [unit["claim"] for units in row["units"].values() for unit in units]
        counts = Counter(term for claim in claims for term in read_terms(claim).terms)
        topics[row["id"]] = " ".join(sorted(t for t, n in counts.items() if n >= max(2, TOPIC_SHARE * len(claims))))
    return _labelled(data / "realsumm_scu", topics)


@cache
def read_scifact(data: Path, half: int) -> list[Case]:
    """Return claims against their evidence; the answer is whether the evidence refutes the claim."""
    return [
        Case(group=row["claim"], claim=row["claim"], trace=read_trace(row["evidence"]), question="",
             answer=row["label"] == "not_entailment")
        for row in _half(read_rows(data / "scifact_rte" / "claims.jsonl"), half, "id")
    ]  # fmt: skip


@cache
def read_scifact_presence(data: Path, half: int) -> list[Case]:
    """Return claims against their own evidence (raised) and the closest evidence of an unrelated claim (not)."""
    own = [
        Case(group=case.group, claim=case.claim, trace=case.trace, question="", answer=True)
        for case in read_scifact(data, half)
    ]
    return own + [
        Case(group=case.group, claim=case.claim, trace=_closest_foreign(case, own), question="", answer=False)
        for case in own
    ]


@cache
def read_medec(data: Path, half: int) -> list[Case]:
    """Return the corrected sentence against three versions of its note.

    The note with the error sentence contradicts it; that with the corrected sentence, and that with neither, do not.
    """
    cases = []
    for row in _half(read_rows(data / "medec" / "validation_ms.jsonl"), half, "Text ID"):
        note = re.sub(r"(?m)^\d+ ", "", row["Sentences"])
        wrong, right = row["Error Sentence"].strip(), row["Corrected Sentence"].strip()
        if row["Error Flag"] != "1" or wrong not in note:
            continue
        for kind, text in (
            ("wrong", note),
            ("right", note.replace(wrong, right)),
            ("left out", note.replace(wrong, "")),
        ):
            cases.append(
                Case(group=row["Text ID"], claim=right, trace=read_trace(text), question="",
                     answer=kind == "wrong", kind=kind)
            )  # fmt: skip
    return cases


def word_overlap(case: Case) -> float:
    """Return the share of the claim's words, stems and synonyms aside, that stand in the trace: the plain baseline."""
    words = set(re.findall(r"\w+", case.claim.lower()))
    return len(words & set(re.findall(r"\w+", case.trace.text.lower()))) / max(1, len(words))


def _labelled(folder: Path, questions: dict[str, str]) -> list[Case]:
    ratings, cases = read_ratings(folder), []
    for row in read_rows(folder / "records.jsonl"):
        trace = read_trace(row["trace"])
        for unit in (unit for units in row["units"].values() for unit in units):
            labels = ratings.get((row["id"], row["model"], unit["unit_id"])) or ratings[row["id"], "", unit["unit_id"]]
            share = sum(label["presence"] > 0 for label in labels) / len(labels)
            if share != 0.5:
                question: str = questions.get(row["id"]) or row["question"]
                cases.append(
                    Case(group=row["id"], claim=unit["claim"], trace=trace, question=question,
                         answer=share > 0.5, share=share)
                )  # fmt: skip
    return cases


def _half(rows: list[Row], half: int, key: str) -> list[Row]:
    return [row for row in rows if int(row[key].rsplit("-", 1)[-1]) % 2 == half]


def _closest_foreign(case: Case, cases: list[Case]) -> ReadTrace:
    """Return the trace with most of the claim's terms, among those of claims about something else."""
    terms = set(read_terms(case.claim).terms)
    foreign = [other for other in cases if len(terms & set(read_terms(other.claim).terms)) < FOREIGN * len(terms)]
    return max(foreign, key=lambda other: (len(terms & other.trace.places.keys()), other.claim)).trace
