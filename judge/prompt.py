"""Probes -> Request: the messages and the reply schema of one call.

Order: system, images, question, reference, trace, then what differs between the calls of one record, so that a server's
prefix cache serves everything but the last lines.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import orjson
from msgspec import Struct, structs
from pydantic import JsonValue

from judge.axis import AskedKind
from judge.image import Image
from judge.once import once
from judge.probe import MAX_UNITS_PER_CALL, AskedUnit, Probes
from judge.request_key import request_key
from judge.rubric import Rubric
from judge.template import Templates
from judge.variation import WORDED_KINDS
from judge.view import images_of, record_values

__all__ = [
    "CHARS_A_TOKEN",
    "JudgeModel",
    "Prompt",
    "Request",
    "closed_object",
    "one_line",
    "quoted",
    "reply_schema",
    "unit_name",
]

_KEY_VERSION = 1  # raise it when a reply that is stored under an old key must not be used any more
CHARS_A_TOKEN = 4
_SHORT = 160  # characters of what a leaf is a part of: it is told with every leaf, and not what is judged
_TEMPLATES = ("system", "record", "units", "complaint")
_OF_TASK = ("system", "units")
"""Of each kind; claims of a trace are asked about by `claim_prompt.py`, and two traces by `pairs/prompt.py`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeModel:
    """Who is asked: the model's name at its server, and how it samples.

    Args:
        name: As the user names it, such as `hosted_vllm/Qwen3-32B`.
        api_base: The server's address; part of the identity, as two servers may serve two models under one name.
        params: Sampling and other request parameters, sent as they are.
        code: Version of a judge that is code, and package and version of a backend that is not ours; else empty.
    """

    name: str
    api_base: str | None = None
    params: Mapping[str, JsonValue] = field(default_factory=dict)
    code: Mapping[str, JsonValue] = field(default_factory=dict)


class Request(Struct, frozen=True, kw_only=True, dict=True):
    """One call: everything that changes the answer, and nothing else.

    Attributes:
        system: The system message.
        shared: The user text that all calls of a record have in common; ends with the trace.
        asked: The user text that differs: the units.
        complaint: What was wrong with the reply before; empty on a first ask.
        schema: JSON Schema of the reply, as text; the same for the same number of units. Empty with `labels`.
        labels: Of a one-token probe: the reply is one of these, and comes with their probabilities.
        sample: Index of the repeat, from 0.
        ask: 0 for the first ask, 1 and 2 for the re-asks of an unusable reply.
        probes: What `asked` was rendered from; the embedded baseline reads it in place of the text.
        images: Shown before the user text, in this order.
        plain: Nothing holds the reply to the schema: the one before lost itself in the white space that this allows.
        reused: Other calls of the record have the same system, images, shared text and schema; set only where the
            provider has to be told to keep them, which costs something.
    """

    model: JudgeModel
    system: str
    shared: str
    asked: str
    schema: str
    sample: int
    probes: Probes
    complaint: str = ""
    ask: int = 0
    images: tuple[Image, ...] = ()
    labels: tuple[str, ...] = ()
    plain: bool = False
    reused: bool = False

    @property
    def user(self) -> str:
        """The user message."""
        return self.shared + self.asked + self.complaint

    @property
    def guessed_tokens(self) -> float:
        """Prompt tokens by length alone, above 0; the one place where all that a request sends is counted."""
        characters = len(self.system) + len(self.user) + len(self.schema)
        return characters / CHARS_A_TOKEN + sum(image.tokens for image in self.images)

    @once
    def key(self) -> str:
        """64 hex digits over the whole request: model, server, images, messages, schema, sampling, sample."""
        model, images = self.model, [image.digest for image in self.images]
        parts: list[object] = [self.sample, *([images] if images else [])]
        parts += [model.code] * bool(model.code)
        parts += [list(self.labels)] * bool(self.labels)
        parts += ["plain"] * self.plain
        named = (_KEY_VERSION, model.name, model.api_base, model.params)
        return request_key(named, self.system, (self.shared, self.asked + self.complaint), self.schema, parts)

    @once
    def call_id(self) -> str:
        """Names this ask in the tables and the journal; a re-ask with the same messages is another call."""
        return f"{self.key[:24]}-{self.ask}"

    @property
    def params(self) -> dict[str, JsonValue]:
        """Request parameters; repeats of a judgement differ by their seed."""
        params = dict(self.model.params)
        seed = params.get("seed")
        if self.sample or seed is not None:
            params["seed"] = (seed if isinstance(seed, int) else 0) + self.sample
        return params


class Prompt:
    """The templates of one rubric, ready to render.

    Args:
        rubric: Gives guidelines and axis descriptions.
        evidence: Whether the judge is asked for quotes.
        wording: Of what it is told about its task and about the units: see `variation.py`.

    Raises:
        PromptError: A template is missing or wrong.
    """

    def __init__(self, rubric: Rubric, *, evidence: bool = True, wording: int = 0) -> None:
        self.rubric = rubric
        self.evidence = evidence
        self._wording = wording
        self._templates = Templates("checklist", _TEMPLATES)
        self._of_kind: Mapping[AskedKind, Templates] = {
            kind: Templates(kind, _OF_TASK, wording=wording) for kind in rubric.kinds if kind in WORDED_KINDS
        }
        given = {"evidence": evidence, "guidelines": rubric.guidelines.strip()}
        self._descriptions = {axis: one_line(body.description) for axis, body in rubric.axes.items()}
        self.system: Mapping[AskedKind, str] = {
            kind: templates.render("system", **given) for kind, templates in self._of_kind.items()
        }

    @property
    def fingerprint(self) -> str:
        """12 hex digits over all that the judge is told, the record and the rubric's own texts aside."""
        body = [self._templates.sources, self.evidence, MAX_UNITS_PER_CALL, reply_schema(1, evidence=self.evidence)]
        for kind in self._of_kind:
            if kind != "checklist" or self._wording:  # which judges of before have by themselves
                levelled = kind in ("scale", "rating")
                form = scale_schema(((0, 1),), evidence=self.evidence) if levelled else None
                form = form or reply_schema(1, evidence=self.evidence, kind=kind)
                body += [self._of_kind[kind].sources, form]
        return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]

    def build_requests(
        self, groups: Sequence[Probes], model: JudgeModel, *, samples: int = 1, first_sample: int = 0
    ) -> list[Request]:
        """One request for each group of one record and each sample; groups vary slowest.

        Raises:
            PromptError: The templates cannot render this record.
        """
        record, views = groups[0].record, dict.fromkeys([probes.view for probes in groups])
        shared = {view: self._templates.render("record", **record_values(record, view)) for view in views}
        requests: list[Request] = []
        for probes in groups:
            first = self._request(probes, model, shared[probes.view], first_sample)
            others = range(first_sample + 1, first_sample + samples)
            requests += [first, *[structs.replace(first, sample=sample) for sample in others]]
        return requests

    def _request(self, probes: Probes, model: JudgeModel, shared: str, sample: int) -> Request:
        return Request(
            model=model,
            system=self.system[probes.kind],
            shared=shared,
            asked=self._render_units(probes),
            schema=self._schema(probes),
            sample=sample,
            probes=probes,
            images=images_of(probes.record, probes.view),
        )

    def complain(self, request: Request, faults: Sequence[str]) -> Request:
        """The same request with a complaint; it quotes nothing of the reply, which may carry instructions."""
        return structs.replace(request, complaint=self._templates.render("complaint", faults=list(faults)))

    def _schema(self, probes: Probes) -> str:
        if probes.asked[0].levels:
            levels = tuple(tuple(unit.levels) for unit in probes.asked)
            return scale_schema(levels, evidence=self.evidence)
        return reply_schema(len(probes.asked), evidence=self.evidence, kind=probes.kind)

    def _render_units(self, probes: Probes) -> str:
        kind, axes = probes.kind, dict.fromkeys([unit.axis for unit in probes.asked])
        values = _VALUES[kind]
        units = [values(index, unit) for index, unit in enumerate(probes.asked)]
        descriptions = [(axis, self._descriptions[axis]) for axis in axes]
        return self._of_kind[kind].render("units", axes=descriptions, units=units)


def unit_name(index: int) -> str:
    """`u1`, `u2`, … for the unit at this place (from 0) of a call; the judge never sees the user's own ids."""
    return f"u{index + 1}"


@lru_cache(maxsize=4 * MAX_UNITS_PER_CALL)
def reply_schema(units: int, *, evidence: bool, kind: AskedKind = "checklist") -> str:
    """JSON Schema of a reply to this many units of one kind, as text.

    Evidence and reason come before the verdict: a model that commits first explains what it committed to.
    """
    quote = "source" if kind == "faithfulness" else "evidence"
    return _schema_of([_VERDICT_SCHEMAS[kind]] * units, quote=quote if evidence else None)


@lru_cache
def scale_schema(levels: tuple[tuple[int, ...], ...], *, evidence: bool) -> str:
    """JSON Schema of a reply to scales with these levels, as text."""
    values: list[dict[str, JsonValue]] = [{"value": {"type": "integer", "enum": list(of_one)}} for of_one in levels]
    return _schema_of(values, quote="evidence" if evidence else None)


def _schema_of(verdicts: Sequence[dict[str, JsonValue]], *, quote: str | None) -> str:
    before: dict[str, JsonValue] = {quote: _nullable({"type": "string"})} if quote else {}
    before["reason"] = {"type": "string"}
    units = {unit_name(index): closed_object({**before, **verdict}) for index, verdict in enumerate(verdicts)}
    return orjson.dumps(closed_object(units)).decode()


def closed_object(properties: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """JSON Schema of an object with these keys and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def _nullable(schema: dict[str, JsonValue]) -> dict[str, JsonValue]:
    return {"anyOf": [schema, {"type": "null"}]}


_VERDICT_SCHEMAS: Mapping[AskedKind, dict[str, JsonValue]] = {
    "checklist": {
        "presence": {"type": "integer", "enum": [0, 1, 2]},
        "correctness": _nullable({"type": "integer", "enum": [-1, 0, 1]}),
    },
    "criteria": {"verdict": {"type": "string", "enum": ["MET", "UNMET", "CANNOT_ASSESS"]}},
    "faithfulness": {"verdict": {"type": "string", "enum": ["SUPPORTED", "CONTRADICTED", "NOT_FOUND"]}},
    "preference": {"preferred": {"type": "string", "enum": ["A", "B", "tie"]}},
}


def _unit_values(index: int, asked: AskedUnit) -> tuple[str, ...]:
    """Name, axis, claim, and the two questions: a tuple, as the sandbox looks twice at every attribute."""
    unit = asked.unit
    presence, correctness = unit.presence_question, unit.correctness_question  # few units have any
    questions = one_line(presence) if presence else "", one_line(correctness) if correctness else ""
    return unit_name(index), asked.axis, quoted(unit.claim), *questions


def _criterion_values(index: int, asked: AskedUnit) -> tuple[object, ...]:
    """Name, axis, text, whether it is good that it holds, and what it is a part of; nothing of what it is worth."""
    within = " > ".join(quoted(_short(one_line(text))) for text in asked.within)
    return unit_name(index), asked.axis, quoted(asked.unit.claim), asked.polarity == "positive", within


def _rating_values(index: int, asked: AskedUnit) -> tuple[object, ...]:
    """Name, axis, description, and of each criterion: text, importance, size of its points, and whether it is good."""
    criteria = [
        (quoted(one.unit.claim), one_line(one.unit.importance or ""), f"{one.weight:g}", one.polarity == "positive")
        for one in asked.criteria
    ]
    return unit_name(index), asked.axis, one_line(asked.unit.claim), criteria


def _scale_values(index: int, asked: AskedUnit) -> tuple[object, ...]:
    """Name, axis, description, and the levels with their anchors."""
    levels = [(level, one_line(anchor)) for level, anchor in asked.levels.items()]
    return unit_name(index), asked.axis, one_line(asked.unit.claim), levels


_VALUES: Mapping[AskedKind, Callable[[int, AskedUnit], tuple[object, ...]]] = {
    "checklist": _unit_values,
    "criteria": _criterion_values,
    "scale": _scale_values,
    "rating": _rating_values,
}


def quoted(claim: str) -> str:
    """A claim as a JSON string: it is one line, and cannot look like the next unit."""
    return orjson.dumps(claim).decode()


def _short(text: str) -> str:
    return text if len(text) <= _SHORT else f"{text[:_SHORT].rsplit(' ', 1)[0]} …"


def one_line(text: str) -> str:
    """The text without line breaks, so that it cannot look like a line of ours."""
    return " ".join(text.split()) if text else text
