"""Run directories -> Together: the scores of their models side by side, all by one rubric and one judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from judge.errors import ConfigError
from judge.preference import OVERALL
from judge.runs.directory import read_run

__all__ = ["Together", "note_unfinished", "put_together", "refuse_other_rubrics"]

_ONE_TRACE = ("record_id", "model", "judge")
_ALIKE = ("min_coverage", "samples")
"""What does not make another judge or rubric, and may move scores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """Scores that can be held against each other.

    Attributes:
        scores: As `prefer_by_score` takes them.
        models: In the order of the runs.
        rubric: Name and version; `rubric_fp` its fingerprint.
        judges: Ids of the judges that all runs have.
        notes: What a reader should know.
    """

    scores: pl.DataFrame
    models: tuple[str, ...]
    rubric: str
    rubric_fp: str
    judges: tuple[str, ...]
    notes: tuple[str, ...]


def put_together(runs: Sequence[Path]) -> Together:
    """Read the scores of runs of one rubric by the same judge.

    A model is called as `model` says, else by the name of its run's folder. Two runs that score the same records under
    one name, as two checkpoints of a model do, are told apart by their folders: `m (first)`, `m (second)`.

    Args:
        runs: Folders that `judge score` wrote, at least one.

    Raises:
        ConfigError: One cannot be read, they have other rubrics or judges, all is of one model, or a model has several
            traces with one id.
    """
    told = [read_run(run) for run in runs]
    rubric, rubric_fp = _one_rubric(runs, told)
    frames = _named_apart(runs, [_read(run) for run in runs])
    judges = _shared_judges(runs, frames)
    scores = pl.concat(frames).filter(pl.col("judge").is_in(judges))
    _refuse_repeated(scores)
    models = tuple(scores["model"].unique(maintain_order=True))
    if len(models) < 2:
        where = " and ".join(map(str, runs))
        hint = "Name the run of another model too, or score traces whose `model` says whose they are."
        raise ConfigError(f"{where}: all scores are of one model, {models[0] if models else 'none'!r}.", hint=hint)
    left_out = {str(judge) for frame in frames for judge in frame["judge"]} - set(judges)
    notes = (*_unlike(runs, told), *(f"{judge} did not judge all runs, and is left out." for judge in sorted(left_out)))
    return Together(scores=scores, models=models, rubric=rubric, rubric_fp=rubric_fp, judges=tuple(judges), notes=notes)


def refuse_other_rubrics(runs: Sequence[Path], told: Sequence[Mapping[str, object]]) -> tuple[str, str] | None:
    """Name and fingerprint of the one rubric of all runs; None where no run names one.

    Args:
        runs: Their folders.
        told: What the `run.json` of each says.

    Raises:
        ConfigError: There are several.
    """
    named = [(run, rubric) for run, content in zip(runs, told, strict=True) if (rubric := _rubric(content))]
    if len({fingerprint for _, (_, fingerprint) in named}) > 1:
        each = "; ".join(f"{run} by {name} ({fingerprint})" for run, (name, fingerprint) in named)
        hint = "Use one rubric for all; `judge rubric diff` says what another version moves."
        raise ConfigError(f"the runs are of different rubrics: {each}.", hint=hint)
    return named[0][1] if named else None


def note_unfinished(runs: Sequence[Path], told: Sequence[Mapping[str, object]]) -> list[str]:
    """A note for each run that has not come to its end, by what its `run.json` says."""
    states = (content.get("status", "finished") for content in told)
    unfinished = [run for run, status in zip(runs, states, strict=True) if status != "finished"]
    return [f"{run} is not finished; the command that made it goes on with it." for run in unfinished]


def _rubric(told: Mapping[str, object]) -> tuple[str, str] | None:
    fingerprints = told.get("fingerprints")
    if not isinstance(fingerprints, dict) or not fingerprints.get("rubric"):
        return None
    return str(told.get("rubric")), str(fingerprints["rubric"])


def _one_rubric(runs: Sequence[Path], told: Sequence[Mapping[str, object]]) -> tuple[str, str]:
    for run, content in zip(runs, told, strict=True):
        if _rubric(content) is None:
            raise ConfigError(f"{run / 'run.json'} names no rubric.", hint="Give a folder that `judge score` wrote.")
    found = refuse_other_rubrics(runs, told)
    assert found is not None
    return found


def _read(run: Path) -> pl.DataFrame:
    """The scores of a run, a row per axis."""
    try:
        scores = pl.read_parquet(run / "scores.parquet")
        asked = _asked(run)
    except (OSError, pl.exceptions.PolarsError) as exc:
        hint = "Run the command again that made it: it writes the tables anew."
        raise ConfigError(f"{run} cannot be read: {exc}.", hint=hint) from exc
    axes = [name.removesuffix("_coverage") for name in scores.columns if name.endswith("_coverage")]
    columns = {axis: f"{axis}_score" for axis in axes if f"{axis}_score" in scores.columns} | {OVERALL: "trace_score"}
    long = pl.concat([_of_axis(scores, axis, column) for axis, column in columns.items()])
    joined = long.join(asked, on=[*_ONE_TRACE, "axis"], how="left", nulls_equal=True, maintain_order="left")
    return joined.select(
        *("record_id", pl.col("model").fill_null(run.resolve().name), "judge", "axis", "score"),
        pl.coalesce("unit_failure", "failure").alias("failure"),
        "asked",
    )


def _of_axis(scores: pl.DataFrame, axis: str, column: str) -> pl.DataFrame:
    return scores.select(*_ONE_TRACE, pl.lit(axis).alias("axis"), pl.col(column).alias("score"), "failure")


def _asked(run: Path) -> pl.DataFrame:
    """What each trace was asked about, as one number an axis, and the first failure there.

    Claims of faithfulness are the trace's own: of them it is only known that they were asked about.
    """
    own = pl.col("kind") == "faithfulness"
    unit = pl.struct("axis", pl.when(~own).then("unit_id"), pl.when(~own).then("claim")).hash().alias("unit")
    verdicts = pl.scan_parquet(run / "verdicts.parquet").select(*_ONE_TRACE, "axis", unit, "failure")
    # Of an id with several traces none can be told from the other; such runs are refused.
    each = pl.col("unit").unique().sort().implode().hash().alias("asked")
    told = (each, pl.col("failure").drop_nulls().first().alias("unit_failure"))
    axes = verdicts.group_by(*_ONE_TRACE, "axis").agg(*told)
    whole = verdicts.group_by(*_ONE_TRACE).agg(pl.lit(OVERALL).alias("axis"), *told)
    found = [frame.select(*_ONE_TRACE, "axis", "asked", "unit_failure") for frame in (axes, whole)]
    return pl.concat(found).collect()


def _named_apart(runs: Sequence[Path], frames: Sequence[pl.DataFrame]) -> list[pl.DataFrame]:
    """Models that several runs have on the same records, called after their folders too."""
    places = _places(runs)
    traces = [frame.select("record_id", "model").unique() for frame in frames]
    named = []
    for at, frame in enumerate(frames):
        others = [other for place, other in enumerate(traces) if place != at]
        twice = {str(name) for other in others for name in traces[at].join(other, on=["record_id", "model"])["model"]}
        placed = pl.format("{} ({})", "model", pl.lit(places[at]))
        named.append(frame.with_columns(pl.when(pl.col("model").is_in(twice)).then(placed).otherwise("model")))
    return named


def _places(runs: Sequence[Path]) -> list[str]:
    """The name of each folder, or its path where two have one name."""
    names = [run.resolve().name for run in runs]
    return [name if names.count(name) == 1 else str(run) for name, run in zip(names, runs, strict=True)]


def _shared_judges(runs: Sequence[Path], frames: Sequence[pl.DataFrame]) -> list[str]:
    judges = [frame["judge"].unique(maintain_order=True).to_list() for frame in frames]
    shared = [judge for judge in judges[0] if all(judge in others for others in judges)]
    if not shared:
        each = "; ".join(f"{run} by {', '.join(mine) or 'nobody'}" for run, mine in zip(runs, judges, strict=True))
        hint = "Score all traces with one judge: scores of two judges say nothing of each other."
        raise ConfigError(f"the runs were scored by different judges: {each}.", hint=hint)
    return shared


def _refuse_repeated(scores: pl.DataFrame) -> None:
    repeated = scores.filter(pl.struct(*_ONE_TRACE, "axis").is_duplicated())
    if len(repeated):
        record, model = repeated.select("record_id", "model").row(0)
        hint = "Give each trace its own id, or another `model`; a comparison needs one trace of each model."
        raise ConfigError(f"the model {model!r} has several traces of the record {record!r}.", hint=hint)


def _unlike(runs: Sequence[Path], told: Sequence[Mapping[str, object]]) -> list[str]:
    """What may make scores differ that is neither judge nor rubric."""
    notes = note_unfinished(runs, told)
    identities = [identity for content in told if isinstance(identity := content.get("identity"), dict)]
    for name in _ALIKE:
        values = dict.fromkeys(str(identity[name]) for identity in identities if name in identity)
        if len(values) > 1:
            notes.append(f"the runs have other {name}: {', '.join(values)}.")
    return notes
