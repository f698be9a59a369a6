"""What every client of the benchmark is given: records, and the bodies that asking about them sends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.stub import QUOTE

__all__ = ["AXES", "UNITS", "bodies", "write_records"]

AXES = ("perception", "knowledge", "rationale")
UNITS = 3  # of each axis: a call asks about so many
_FINDINGS = (
    "The film shows a rounded heart and clear upper zones. I see no fracture, and the lines lie where they should. "
)


def write_records(path: Path, records: int) -> None:
    """Records of three axes, so three calls each with the granularity `axis`; about 3 kB a prompt."""
    with path.open("w") as file:
        file.writelines(json.dumps(_record(number)) + "\n" for number in range(records))


def _record(number: int) -> dict[str, Any]:
    trace = f"Case {number}. {_FINDINGS * 4}What stands out is that {QUOTE}, so I think of an effusion."
    return {
        "id": f"r{number}",
        "model": "candidate",
        "question": "What does the film show?",
        "reference": {"answer": "An effusion.", "reasoning": "The left base is opaque and its angle is lost."},
        "units": {axis: [_unit(axis, index, number) for index in range(UNITS)] for axis in AXES},
        "trace": f"<think>{trace}</think><answer>An effusion.</answer>",
    }


def _unit(axis: str, index: int, number: int) -> dict[str, str]:
    return {"unit_id": f"{axis[0].upper()}{index}", "claim": f"In case {number} the left base is opaque ({index})."}


def bodies(path: Path, model: str) -> list[bytes]:
    """The bodies that `judge score` would send for these records, for a client that does nothing else."""
    from judge.asking import first_asks
    from judge.backends.openai_compatible import OpenAICompatible
    from judge.backends.server import find_server
    from judge.record import parse_record
    from judge.rubric import load_rubric
    from judge.settings import Settings

    settings = Settings(judge=model, rubric=load_rubric("pkr"), api_base="http://127.0.0.1:1/v1")
    server = find_server(settings.judge, settings.api_base, key_file=None, headers={})
    backend: Any = OpenAICompatible(server, None)  # type: ignore[arg-type]  # nothing is sent
    records = (parse_record(line, number=number) for number, line in enumerate(path.read_bytes().splitlines(), start=1))
    asks = (ask for record in records for ask in first_asks(record, settings.way, sees_images=True))
    return [backend.body(ask) for ask in asks]
