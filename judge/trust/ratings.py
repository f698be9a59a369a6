"""What judges and people say of the same units -> one long frame of ratings.

| record_id | model | axis      | unit_id | probe    | rater       | value |
| r1        | m     | knowledge | K1      | presence | lexical#8f2 | 2     |
| r1        | m     | knowledge | K1      | presence | ann         | 0     |
| r1        | m     | knowledge | K1      | outcome  | ann         | absent|

The unit of a preference is `MODEL_A vs MODEL_B`, and its model is null.

A null value is an answer that was asked for and failed; a row that is not there was not asked for, as the correctness
of what was not raised. Whoever made a label, the value is from one space of words (`judge.trust.space`).

Of several samples the first counts: it is what asking once gives, whatever the number of samples.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import polars as pl

from judge.errors import ConfigError

__all__ = ["RATINGS", "label_ratings", "run_ratings", "run_records", "with_units"]

RATINGS: Final[dict[str, Any]] = dict.fromkeys(
    ("record_id", "model", "axis", "unit_id", "probe", "rater", "value"), pl.String
)
"""Column -> dtype of a frame of ratings."""
_PLACE: Final = ("record_id", "model", "axis", "unit_id", "rater")
_OF_KIND: Final = {
    "checklist": ("presence", "raised", "correctness", "outcome"),
    "criteria": ("verdict",),
    "scale": ("value",),
    "rating": ("value",),
    "score": ("value",),
    "preference": ("preference",),
}
"""Kind of what is asked -> its probes. `raised` and `outcome` are presence and correctness in other words."""
_JUDGED: Final = pl.col("failure").is_null()


def run_ratings(run: Path, *, scores: Collection[str] = ()) -> pl.DataFrame:
    """What the judges of a run directory said: columns `RATINGS`.

    Args:
        run: The directory.
        scores: Columns of its `scores.parquet` that are taken too, as probe `value` with their name as the axis.

    Raises:
        ConfigError: It is no run directory, or one of its tables is damaged.
    """
    with _reading(run):
        parts = [read(path) for name, read in _TABLES.items() if (path := run / name).exists()]
        if scores and (path := run / "scores.parquet").exists():
            parts.append(_scores(path, scores))
    if not parts:
        hint = "Give the --out directory of `judge score` or `judge compare`."
        raise ConfigError(f"{run} is no run directory: it has none of {', '.join(_TABLES)}.", hint=hint)
    return pl.concat([_unfolded(part) for part in parts])


@contextmanager
def _reading(run: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pl.exceptions.PolarsError) as exc:
        said = (str(exc).splitlines() or [type(exc).__name__])[0]
        raise ConfigError(
            f"a table of {run} cannot be read: {said}.", hint="Run the command that made it again."
        ) from exc


def run_records(run: Path) -> pl.DataFrame:
    """The records of a run: `record_id, model, record_key`, a row a trace; none of a run of preferences only."""
    path = run / "scores.parquet"
    columns = ("record_id", "model", "record_key")
    if not path.exists():
        return pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
    with _reading(run):  # a panel has a row a judge
        return pl.scan_parquet(path).select("line", *columns).unique(maintain_order=True).drop("line").collect()


def label_ratings(labels: pl.DataFrame) -> pl.DataFrame:
    """What people said: labels in columns `judge.trust.labels.LABELS` -> columns `RATINGS`."""
    return _unfolded(with_units(labels))


def with_units(labels: pl.DataFrame) -> pl.DataFrame:
    """Labels with the `kind` of what they answer, its first `probe`, and a preference's pair as `unit_id`."""
    pair = pl.col("model_a").is_not_null()
    named = labels.with_columns(kind=_LABEL_KIND, unit_id=pl.when(pair).then(_PAIR).otherwise("unit_id"))
    first = {kind: probes[0] for kind, probes in _OF_KIND.items()}
    return named.with_columns(probe=pl.col("kind").replace_strict(first, return_dtype=pl.String))


_PAIR: Final = pl.concat_str("model_a", pl.lit(" vs "), "model_b")
_LABEL_KIND: Final = (
    pl.when(pl.col("model_a").is_not_null())
    .then(pl.lit("preference"))
    .when(pl.col("presence").is_not_null())
    .then(pl.lit("checklist"))
    .when(pl.col("verdict").is_not_null())
    .then(pl.lit("criteria"))
    .when(pl.col("unit_id").is_null())
    .then(pl.lit("score"))
    .otherwise(pl.lit("scale"))
)


def _verdicts(path: Path) -> pl.DataFrame:
    said = pl.when(_JUDGED).then(pl.col("presence", "correctness", "value"))
    # That it cannot be assessed is an answer, though no verdict.
    answered = _JUDGED | (pl.col("failure") == "cannot_assess")
    first = pl.scan_parquet(path).filter(pl.col("sample").fill_null(0) == 0, pl.col("kind") != "faithfulness")
    verdict = pl.when(answered).then("verdict").alias("verdict")
    return first.select("record_id", "model", "axis", "unit_id", "kind", said, verdict, rater="judge").collect()


def _preferences(path: Path) -> pl.DataFrame:
    return (
        pl.scan_parquet(path)
        .select(
            "record_id",
            "axis",
            model=pl.lit(None, pl.String),
            unit_id=_PAIR,
            rater="judge",
            kind=pl.lit("preference"),
            verdict=pl.col("outcome").cast(pl.String),
        )
        .collect()
    )


_TABLES: Final = {"verdicts.parquet": _verdicts, "preferences.parquet": _preferences}


def _scores(path: Path, names: Collection[str]) -> pl.DataFrame:
    table = pl.scan_parquet(path)
    there = [name for name, dtype in table.collect_schema().items() if name in names and dtype.is_numeric()]
    rows = table.select("record_id", "model", pl.col("judge").alias("rater"), pl.col(there).cast(pl.Float64))
    long = rows.unpivot(there, index=("record_id", "model", "rater"), variable_name="axis", value_name="value")
    return long.with_columns(unit_id=pl.lit(None, pl.String), kind=pl.lit("score")).collect()


def _unfolded(said: pl.DataFrame) -> pl.DataFrame:
    """A row a probe of each thing that was said: of kind, presence, correctness, verdict and value, as far as there."""
    parts = [
        said.filter(pl.col("kind") == kind).select(*_PLACE, probe=pl.lit(probe), value=_VALUES[probe])
        for kind, probes in _OF_KIND.items()
        for probe in probes
        if _has(said, kind)
    ]
    asked = (pl.col("probe") != "correctness") | pl.col("value").is_null() | (pl.col("value") != _NOT_ASKED)
    empty = pl.DataFrame(schema=RATINGS)
    return pl.concat([empty, *(part.select(list(RATINGS)) for part in parts)]).filter(asked)


def _has(said: pl.DataFrame, kind: str) -> bool:
    return bool((said["kind"] == kind).any())


_NOT_ASKED: Final = "not asked"
_RIGHT: Final = pl.col("correctness").replace_strict({-1: "wrong", 0: "unclear", 1: "right"}, return_dtype=pl.String)
_ABSENT: Final = pl.col("presence") == 0
_WHOLE: Final = pl.col("value") == pl.col("value").round()
_VALUES: Final[dict[str, pl.Expr]] = {
    "presence": pl.col("presence").cast(pl.String),
    "raised": pl.when(_ABSENT).then(pl.lit("not raised")).when(~_ABSENT).then(pl.lit("raised")),
    "correctness": pl.when(_ABSENT).then(pl.lit(_NOT_ASKED)).otherwise(pl.col("correctness").cast(pl.String)),
    "outcome": pl.when(_ABSENT).then(pl.lit("absent")).otherwise(_RIGHT),
    "verdict": pl.col("verdict"),
    "value": pl.when(_WHOLE)
    .then(pl.col("value").cast(pl.Int64, strict=False).cast(pl.String))
    .otherwise(pl.col("value").cast(pl.String)),
    "preference": pl.col("verdict"),
}
