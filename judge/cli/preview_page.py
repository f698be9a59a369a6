"""Preview -> the page that `judge rubric preview` prints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter

from judge.image import Image
from judge.preview import Preview, PreviewedCall
from judge.prompt import Request
from judge.settings import Settings

__all__ = ["ANY_SERVER", "page"]

ANY_SERVER = "hosted_vllm/MODEL"
"""Stands for any server of the OpenAI kind, where no judge is named that reads messages."""
_RULE = 5 * "="


def page(found: Preview, settings: Settings) -> Iterator[str]:
    """The lines of the page: what it is about, every call, and how the verdicts would be scored.

    What calls have in common, byte for byte, is written out once; their parts, joined, are what is sent.

    Args:
        found: Of `judge.preview.preview`.
        settings: That it was made with.
    """
    yield from _summary(found, settings)
    for number, call in enumerate(found.calls, start=1):
        yield from _call_lines(found, number, call)
    yield f"\n{_RULE} how it would be scored"
    for example in found.examples:
        yield f"\n{example.said}"
        yield from (f"  {line}" for line in example.lines)
        yield from ["  (the other axes as above)"] * (len(example.scores.axes) > 1 and example is not found.examples[0])


def _summary(found: Preview, settings: Settings) -> Iterator[str]:
    rubric, record = settings.rubric, found.record
    units = len(found.examples[0].verdicts)
    yield f"rubric    {rubric.name}@{rubric.version}, fingerprint {rubric.fingerprint}"
    yield f"record    {', '.join([record.id, f'line {record.line}', *([record.model] if record.model else [])])}"
    asked = "by probes" if settings.probe else f"granularity {settings.granularity}"
    yield f"asked     {asked}, evidence {settings.evidence}"
    if not found.calls:
        yield f"calls     none for {units} units: the trace says nothing, so no unit is raised and the score is 0"
        return
    most = " where every unit is raised" if any(call.if_raised for call in found.calls) else ""
    most += ", with a claim a sentence" if any(call.guessed for call in found.calls) else ""
    yield f"calls     {len(found.calls)} for {units} units{most}"
    yield f"tokens    about {found.prompt_tokens:,} in (by length), {found.completion_tokens:,} out (assumed){most}"
    yield f"price     {_price(found, settings)}"


def _price(found: Preview, settings: Settings) -> str:
    if found.cost_usd is not None:
        return f"about ${found.cost_usd:.2g} for this record"
    named = "" if settings.judge == ANY_SERVER else f" of {settings.judge}"
    return f"not known{named}; name a --judge, or give USD a million tokens with --price IN,OUT"


def _call_lines(found: Preview, number: int, call: PreviewedCall) -> Iterator[str]:
    request = call.request
    units = ", ".join(f"{asked.unit.unit_id} ({asked.axis})" for asked in request.probes.asked)
    only = ", only where it is raised" if call.if_raised else ""
    only += ", every sentence in place of the claims, which nobody knows yet" if call.guessed else ""
    yield f"\n{_RULE} call {number} of {len(found.calls)}: {units}{only}; about {call.prompt_tokens:,} tokens in"
    for name, part in _COMMON.items():
        yield from _common(name, [part(each.request) for each in found.calls], number)
    yield f"----- user, rest\n{request.asked}"
    if request.labels:
        yield f"----- reply: one token, of {', '.join(request.labels)}"
    elif number > 1 and request.schema == found.calls[0].request.schema:
        yield "----- reply schema: as of call 1"
    else:
        yield f"----- reply schema\n{request.schema}"


def _common(name: str, texts: Sequence[str], number: int) -> Iterator[str]:
    """One part of a call, unless the first call had the same."""
    text, alike = texts[number - 1], len(set(texts)) == 1
    if number > 1 and text == texts[0]:
        yield from [] if alike else [f"----- {name}: as of call 1"]
    elif text or not alike:
        yield f"----- {name}{', the same in every call' * (alike and len(texts) > 1)}\n{text}"


def _images(request: Request) -> str:
    return "\n".join(map(_image, request.images))


def _image(image: Image) -> str:
    size = f"{image.width} × {image.height} pixels, {len(image.data):,} bytes"
    return f"{image.media_type}, {size}, about {image.tokens:,} tokens"


_COMMON: dict[str, Callable[[Request], str]] = {
    "system": attrgetter("system"),
    "images": _images,
    "user, beginning": attrgetter("shared"),
}
