"""What labels have shown of a judge: a file of one judge and one rubric, and the check that it is meant for a run.

{"judge": "hosted_vllm/m#1f2e", "rubric": "pkr@1.0", "prompt_fp": "9c46…", "rubric_fp": "9440…",
 "raters": ["ann", "ben"], "records": 23,
 "axes": {"knowledge": {"kind": "checklist", "probes": {"raised": {"n": 171,
   "sensitivity": {"value": 0.91, "low": 0.84, "high": 0.96, "n": 110}, "specificity": {…},
   "map": {"at": [0.0, 0.5, 1.0], "to": [0.06, 0.41, 0.88]}, "error": 0.19, "error_mapped": 0.12, "why": null}}}}}

`sensitivity` is the share of what people say holds that the judge says holds too, `specificity` the share of what they
say does not hold that the judge denies. `map` turns what the judge says into what people say, on average.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

import orjson
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from judge.errors import ConfigError
from judge.runs.directory import write_atomically
from judge.statistics.isotonic import Steps
from judge.strict_json import StrictJsonError, parse_json
from judge.table import Labels

__all__ = [
    "MEANS",
    "AxisCalibration",
    "Calibration",
    "Map",
    "ProbeCalibration",
    "Rate",
    "read_calibration",
    "refuse_other",
]

Probe: TypeAlias = Literal["raised", "right", "met", "level"]
MEANS: Final[Mapping[Probe, str]] = {"raised": "is raised", "right": "is right", "met": "is met", "level": "level"}
"""Probe -> what people say, in words."""
Share: TypeAlias = Annotated[FiniteFloat, Field(ge=0, le=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rate(_Part):
    """A share in [0, 1] with its 95 % interval over records, and of how many it is; None where it is of none."""

    value: Share | None
    low: Share | None = None
    high: Share | None = None
    n: int = Field(ge=0)


class Map(_Part):
    """A function that never falls: straight lines between points, level beyond the first and the last."""

    at: tuple[FiniteFloat, ...] = Field(min_length=1)
    to: tuple[FiniteFloat, ...]

    @model_validator(mode="after")
    def _rises(self) -> Map:
        if len(self.at) != len(self.to):
            raise ValueError("`at` and `to` must have as many numbers")
        if list(self.at) != sorted(set(self.at)) or list(self.to) != sorted(self.to):
            raise ValueError("`at` must rise, and `to` must not fall")
        return self

    @property
    def steps(self) -> Steps:
        return Steps(at=self.at, to=self.to)


class ProbeCalibration(_Part):
    """One thing that is asked.

    Attributes:
        n: Answers of the judge that people have labelled too.
        sensitivity, specificity: None of a scale, which has no two sides.
        map: None where labels are too few for one; `why` says so.
        error: Mean squared distance between what the judge says and what people say, before a map.
        error_mapped: The same after one that was fitted to other records (five folds).
    """

    n: int = Field(ge=0)
    sensitivity: Rate | None = None
    specificity: Rate | None = None
    map: Map | None = None
    error: FiniteFloat | None = None
    error_mapped: FiniteFloat | None = None
    why: str | None = None


class AxisCalibration(_Part):
    """One axis: `raised` and `right` of a checklist, `met` of criteria, `level` of a scale."""

    kind: Literal["checklist", "criteria", "scale"]
    probes: Mapping[Probe, ProbeCalibration]


class Calibration(_Part):
    """One judge under one rubric, as labels have shown it.

    Attributes:
        judge: The judge id, which goes by model, prompt and sampling.
        rubric: Name and version, for people.
        raters: Whose labels.
        records: How many of them have labels.
    """

    judge: str
    rubric: str
    prompt_fp: str
    rubric_fp: str
    raters: tuple[str, ...]
    records: int = Field(ge=0)
    axes: Mapping[str, AxisCalibration]

    @property
    def asked(self) -> Iterator[tuple[str, ProbeCalibration]]:
        """Every probe of every axis, called as people read it: `knowledge is raised`."""
        for axis, known in self.axes.items():
            for probe, one in known.probes.items():
                yield f"{axis} {MEANS[probe]}", one

    def write(self, path: Path) -> None:
        """Replace a file by this.

        Raises:
            OSError: It cannot be written; it is as it was.
        """
        body = orjson.dumps(self.model_dump(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        write_atomically(path, lambda file: file.write(body))


def read_calibration(path: Path) -> Calibration:
    """The calibration in a file.

    Raises:
        ConfigError: It cannot be read, or is none.
    """
    hint = "`judge calibrate RUN LABELS --out FILE` writes one."
    try:
        return Calibration.model_validate(parse_json(path.read_bytes()))
    except OSError as exc:
        raise ConfigError(f"{path}: {exc.strerror}.", hint=hint) from exc
    except StrictJsonError as exc:
        raise ConfigError(f"{path} is no calibration: {exc}.", hint=hint) from exc
    except ValidationError as exc:
        first = exc.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise ConfigError(f"{path} is no calibration: {where}: {first['msg']}.", hint=hint) from exc


def refuse_other(calibration: Calibration, labels: Labels, path: Path) -> None:
    """Raise where a calibration is of another judge, prompt or rubric: what it knows would not hold.

    Raises:
        ConfigError: It is; names both.
    """
    of_run = {"judge": labels.judge, "prompt_fp": labels.prompt_fp, "rubric_fp": labels.rubric_fp}
    for name, here in of_run.items():
        if (there := getattr(calibration, name)) != here:
            what = {"judge": "judge", "prompt_fp": "prompt", "rubric_fp": "rubric"}[name]
            message = f"{path} is of another {what}: {there} of {calibration.rubric}, and this run has {here}."
            hint = "Label some of this run's records, and calibrate anew; or leave --calibration out."
            raise ConfigError(message, hint=hint)
