"""Probes of a record: in which order they go out, what is asked again, and what becomes of a unit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from judge.asking import Asker
from judge.backend import Reply
from judge.errors import FatalError, TransientError
from judge.outcome import Outcome
from judge.probe_prompt import ProbePrompt
from judge.probing import Probed
from judge.prompt import JudgeModel, Request
from judge.record import Record, build_record
from judge.rubric import load_rubric

PROMPT = ProbePrompt(load_rubric("pkr"))
TRACE = "The left base is opaque. The heart is enlarged."
CLAIMS = ("a", "b", "c")
Told = Reply | Exception


def kind(request: Request) -> str:
    """`presence a`, `correctness a`, `evidence a`."""
    question = request.asked.rpartition("Question of ")[2].partition(":")[0]
    return f"{question} {request.probes.asked[0].unit.claim}"


def likely(*probabilities: float, text: str | None = None) -> Reply:
    shares = dict(zip("012", probabilities, strict=True))
    said = max(shares, key=lambda label: shares[label]) if text is None else text
    return Reply(text=said, finish_reason="length", probabilities=shares)


def quote(text: str) -> Reply:
    return Reply(text=f'{{"evidence": "{text}"}}', finish_reason="stop")


RAISED, ABSENT, RIGHT = likely(0.1, 0.1, 0.8), likely(0.8, 0.1, 0.1), likely(0.05, 0.05, 0.9)
USUAL: Mapping[str, Told] = {"presence": RAISED, "correctness": RIGHT, "evidence": quote("heart is enlarged")}


class Scripted:
    """Answers by kind of request, else as usual; a list is told ask by ask. Remembers what was under way when."""

    def __init__(self, told: Mapping[str, Told | list[Told]] | None = None) -> None:
        self._told = told or {}
        self.requests: list[Request] = []
        self.kept: list[Request] = []
        self.events: list[str] = []

    async def complete(self, request: Request) -> Reply:
        name = kind(request)
        self.requests.append(request)
        self.events.append(f"> {name}")
        for _ in range(3):
            await asyncio.sleep(0)
        self.events.append(f"< {name}")
        told = self._told.get(name, USUAL[name.split()[0]])
        answer = told[min(request.ask, len(told) - 1)] if isinstance(told, list) else told
        if isinstance(answer, Exception):
            raise answer
        return answer

    def keep(self, request: Request, _: Reply) -> None:
        self.kept.append(request)


def make_record(*claims: str, trace: str = TRACE) -> Record:
    units = [{"unit_id": claim.upper(), "claim": claim} for claim in claims or CLAIMS]
    return build_record({"id": "r", "trace": trace, "units": {"knowledge": units}}, number=7)


def judge(backend: Scripted, record: Record | None = None, **options: Any) -> Outcome:
    coverage = options.pop("min_coverage", 1.0)
    way = Probed(prompt=PROMPT, model=JudgeModel(name="scripted"), **options)
    asker = Asker(way, backend, keep=backend.keep, min_coverage=coverage)
    return asyncio.run(asker.judge(record or make_record()))


def asked(backend: Scripted) -> list[str]:
    return [kind(request) for request in backend.requests]


# Order


def test_the_first_probe_goes_out_alone_and_all_others_together_when_it_has_come_back() -> None:
    backend = Scripted({"presence b": ABSENT})
    judge(backend)
    assert backend.events[:2] == ["> presence a", "< presence a"]
    # Then its own correctness probe and the presence probes of all other units, at the same time.
    assert backend.events[2:5] == ["> correctness a", "> presence b", "> presence c"]
    # And that of c follows its presence probe at once; b is not raised.
    assert asked(backend) == ["presence a", "correctness a", "presence b", "presence c", "correctness c"]


def test_a_first_probe_that_fails_holds_nobody_up() -> None:
    backend = Scripted({"presence a": TransientError("down.", code="timeout")})
    outcome = judge(backend, min_coverage=0.5)
    assert asked(backend)[1:3] == ["presence b", "presence c"]
    assert [verdict.failure for verdict in outcome.verdicts] == ["timeout", None, None]
    assert [(row.stage, row.error, row.unit_ids) for row in outcome.failures] == [("ask", "timeout", ("A",))]


def test_one_fatal_error_ends_all() -> None:
    backend = Scripted({"presence a": FatalError("no key.", code="auth")})
    with pytest.raises(FatalError):
        judge(backend)
    assert asked(backend) == ["presence a"]


# Values


def test_numbers_by_hand() -> None:
    told = {
        "presence a": likely(0.05, 0.15, 0.80),  # 0.875
        "correctness a": likely(0.1, 0.2, 0.7),
        "presence b": likely(0.1, 0.6, 0.3),  # 0.6
        "correctness b": likely(0.6, 0.2, 0.2),
        "presence c": likely(0.7, 0.2, 0.1),  # 0.2
    }
    outcome = judge(Scripted(told))
    found = [(v.presence, v.correctness, v.p_present, v.p_correct) for v in outcome.verdicts]
    assert [row[:2] for row in found] == [(2, 1), (1, -1), (0, None)]
    assert [row[2] for row in found] == pytest.approx([0.875, 0.6, 0.2])
    assert [row[3] for row in found[:2]] == pytest.approx([0.7, 0.2])
    assert found[2][3] is None
    assert all((v.evidence, v.evidence_found, v.reason) == (None, None, None) for v in outcome.verdicts)
    # (0.875 + 0.6 + 0.2)/3 and (0.7 + 0.2)/2.
    assert outcome.scores is not None
    axis = outcome.scores.axes["knowledge"]
    assert (axis.grounding, axis.correctness) == (pytest.approx(1.675 / 3), pytest.approx(0.45))
    assert outcome.scores.score == pytest.approx(1.675 / 3 * 0.45)
    assert outcome.failures == ()


def test_a_verdict_names_its_presence_probe_and_every_call_is_told_of() -> None:
    backend = Scripted({"presence b": ABSENT})
    outcome = judge(backend)
    by_kind = {kind(request): request.call_id for request in backend.requests}
    assert [v.call_id for v in outcome.verdicts] == [by_kind[f"presence {claim}"] for claim in CLAIMS]
    # Conversation by conversation, in the order of the units.
    names = ["presence a", "correctness a", "presence b", "presence c", "correctness c"]
    assert [call.call_id for call in outcome.calls] == [by_kind[name] for name in names]
    assert backend.kept == backend.requests


def test_a_trace_without_content_is_absent_without_a_call() -> None:
    backend = Scripted()
    outcome = judge(backend, make_record(trace="..."), samples=2)
    assert backend.requests == []
    assert [(v.presence, v.p_present, v.p_correct, v.reason) for v in outcome.verdicts] == [
        (0, 0.0, None, "no_content")
    ] * 6
    assert outcome.scores is not None
    assert (outcome.scores.score, outcome.scores.grounding) == (0.0, 0.0)


def test_samples_are_asked_by_seed() -> None:
    backend = Scripted()
    outcome = judge(backend, make_record("a"), samples=2)
    assert sorted((kind(one), one.sample) for one in backend.requests) == [
        *(("correctness a", 0), ("correctness a", 1)),
        *(("presence a", 0), ("presence a", 1)),
    ]
    assert [verdict.sample for verdict in outcome.verdicts] == [0, 1]
    assert outcome.scores is not None
    assert outcome.scores.samples == 2


# What is asked again

WORD, LITTLE = likely(0.3, 0.3, 0.4, text="The"), likely(0.1, 0.1, 0.2, text="2")
EMPTY = likely(0.3, 0.3, 0.4, text="")
NO_NUMBER = Reply(text="2", finish_reason="length", probabilities={})


@pytest.mark.parametrize(
    ("told", "failures", "complains"),
    [
        (WORD, ["off_menu"] * 3, True),
        (EMPTY, ["empty"] * 3, False),
        (NO_NUMBER, ["bad_logprobs"] * 3, False),
        (LITTLE, ["low_probability"], False),
        (Reply(text="", finish_reason="content_filter"), ["refusal"], False),
    ],
)
@pytest.mark.parametrize("probe", ["presence", "correctness"])
def test_an_unusable_reply_fails_its_unit_after_the_re_asks(
    told: Reply, failures: list[str], complains: bool, probe: str
) -> None:
    backend = Scripted({f"{probe} a": told})
    outcome = judge(backend, make_record("a", "b"))
    asks = [request for request in backend.requests if kind(request) == f"{probe} a"]
    assert [request.ask for request in asks] == list(range(len(failures)))
    assert [bool(request.complaint) for request in asks[1:]] == [complains] * (len(failures) - 1)
    assert all("it must be one digit: 0, 1, 2" in request.complaint for request in asks[1:] if complains)
    failed, other = outcome.verdicts
    # There is no verdict; what was measured before stays.
    measured = (None, None) if probe == "presence" else (pytest.approx(0.85), None)
    assert (failed.presence, failed.correctness, failed.failure) == (None, None, failures[0])
    assert (failed.p_present, failed.p_correct) == measured
    assert (other.presence, other.failure) == (2, None)
    of_probe = [call.failure for call in outcome.calls if call.call_id in {one.call_id for one in asks}]
    assert of_probe == failures
    assert not any(request in backend.kept for request in asks)
    assert [(row.stage, row.error, row.unit_ids) for row in outcome.failures] == [("reply", failures[0], ("A",))]
    assert outcome.scores is not None
    assert (outcome.scores.score, outcome.scores.axes["knowledge"].coverage) == (None, 0.5)


def test_a_re_ask_that_helps() -> None:
    backend = Scripted({"presence a": [WORD, EMPTY, RAISED]})
    outcome = judge(backend, make_record("a"))
    presence = [request for request in backend.requests if kind(request) == "presence a"]
    # The complaint stays while the reply is empty.
    assert [bool(request.complaint) for request in presence] == [False, True, True]
    assert outcome.failures == ()
    assert outcome.verdicts[0].call_id == presence[-1].call_id
    # What comes next says nothing of it.
    assert backend.requests[-1].complaint == ""
    assert backend.requests[-1].ask == 0


# Quotes


def test_a_quote_is_asked_of_raised_units_only_beside_their_correctness() -> None:
    backend = Scripted({"presence b": ABSENT})
    outcome = judge(backend, make_record("a", "b"), evidence="required")
    assert sorted(asked(backend)) == ["correctness a", "evidence a", "presence a", "presence b"]
    assert backend.events.index("> evidence a") < backend.events.index("< correctness a")
    raised, absent = outcome.verdicts
    assert (raised.evidence, raised.evidence_start, raised.evidence_found) == ("heart is enlarged", 29, "exact")
    assert (absent.evidence, absent.evidence_found) == (None, None)
    assert outcome.failures == ()


@pytest.mark.parametrize(
    ("told", "asks", "failure", "said"),
    [
        (quote("no such words"), 3, "evidence_not_found", "evidence is not a passage of the trace"),
        (quote(""), 3, "evidence_missing", "evidence is not a passage of the trace"),
        (Reply(text='{"evidence": null}'), 3, "off_menu", "it must have one key, evidence"),
        (Reply(text='{"evidence": "a", "x": 1}'), 3, "off_menu", "it must have one key, evidence"),
        (Reply(text="The heart."), 3, "not_json", ""),
        (Reply(text='{"evidence": "The', finish_reason="length"), 3, "truncated", ""),
        (Reply(text="", finish_reason="refusal"), 1, "refusal", ""),
    ],
)
def test_a_unit_without_its_quote_fails(told: Reply, asks: int, failure: str, said: str) -> None:
    backend = Scripted({"evidence a": told})
    outcome = judge(backend, make_record("a"), evidence="required")
    quotes = [request for request in backend.requests if kind(request) == "evidence a"]
    assert len(quotes) == asks
    assert all((said in request.complaint) == bool(said) or not said for request in quotes[1:])
    (verdict,) = outcome.verdicts
    assert (verdict.presence, verdict.correctness, verdict.failure) == (None, None, failure)
    assert (verdict.p_present, verdict.p_correct) == (pytest.approx(0.85), pytest.approx(0.9))
    assert [row.error for row in outcome.failures] == [failure]


def test_flag_marks_a_quote_that_is_not_there_and_asks_once() -> None:
    backend = Scripted({"evidence a": quote("no such words")})
    outcome = judge(backend, make_record("a"), evidence="flag")
    assert len(backend.requests) == 3
    (verdict,) = outcome.verdicts
    assert (verdict.presence, verdict.evidence, verdict.evidence_found) == (2, "no such words", "no")
    assert outcome.failure is None


def test_of_two_failures_of_a_unit_one_is_told() -> None:
    backend = Scripted({"correctness a": LITTLE, "evidence a": quote("no such words")})
    outcome = judge(backend, make_record("a"), evidence="required")
    assert [(row.error, "0.4" in row.message or "40%" in row.message) for row in outcome.failures] == [
        ("low_probability", True)
    ]
    assert outcome.verdicts[0].failure == "low_probability"


def test_a_complaint_holds_nothing_of_the_reply() -> None:
    for name, told in (("presence a", likely(0.3, 0.3, 0.4, text="CANARY")), ("evidence a", quote("CANARY"))):
        backend = Scripted({name: told})
        judge(backend, make_record("a"), evidence="required")
        assert any(request.complaint for request in backend.requests)
        assert not any("CANARY" in request.user + request.system for request in backend.requests)


READERS: list[Callable[[Request], object]] = [lambda request: request.system, lambda request: request.shared]


@pytest.mark.parametrize("read", READERS)
def test_all_that_goes_out_for_a_record_begins_alike(read: Callable[[Request], object]) -> None:
    backend = Scripted()
    judge(backend, evidence="required")
    assert len(backend.requests) == 9
    assert len({read(request) for request in backend.requests}) == 1
