"""judge scores the reasoning of models: per trace and capability axis, with the quotes behind every number.

    record.py      a JSONL line            -> Record
    rubric.py      a YAML file             -> Rubric
    probe.py       Record × Rubric         -> Probes      what is asked, and at what granularity
    prompt.py      Probes                  -> Request     messages and schema
    backend.py     Request                 -> Reply       the contract: a Protocol with one method
    evidence.py    quote × trace           -> Span        exact, normalised, near, or none
    verdict.py     Reply                   -> Verdicts    parse, match to what was asked, verify
    answer.py      trace × reference       -> answer, right or not
    score.py       Verdicts                -> Scores      arithmetic only
    asking.py      Records                 -> Outcomes    ask, check, ask again
    table.py       Outcomes                -> Polars frames
    aggregate.py   Scores                  -> means, intervals
    journal.py     paid replies            -> disk, and back
    run.py         a trace file            -> a run directory
    client.py      class Judge: the library's door, sync and async

Names below are loaded when they are first used: `import judge` needs neither Polars nor pydantic.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from judge.aggregate import summarise
    from judge.client import Judge
    from judge.errors import JudgeError
    from judge.record import Record
    from judge.rubric import Rubric
    from judge.table import Run

__all__ = ["Judge", "JudgeError", "Record", "Rubric", "Run", "summarise"]

_HOMES = {
    "Judge": "client",
    "JudgeError": "errors",
    "Record": "record",
    "Rubric": "rubric",
    "Run": "table",
    "summarise": "aggregate",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'judge' has no attribute {name!r}")
    return getattr(import_module(f"judge.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
