"""Run directories -> ComparedRuns: preferences from their scores, or those that are in them already; kept on request.

preferences.parquet   a row per pair and axis
run.json              what they come from
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import orjson
import polars as pl
from pydantic import JsonValue

from judge.errors import ConfigError
from judge.preference import MARGIN, PREFERENCES
from judge.runs.claim import JUDGES, SOURCE
from judge.runs.directory import disk_errors, read_run, write_atomically
from judge.runs.story import tell_versions
from judge.runs.together import note_unfinished, put_together, refuse_other_rubrics
from judge.score_pairs import Unshared, find_unshared, prefer_by_score

__all__ = ["ComparedRuns", "Source", "compare_runs", "keep", "read_preferences"]

Source: TypeAlias = Literal["scores", "preferences"]
_NEEDED = ("record_id", "model_a", "model_b", "axis", "judge", "order_ab", "order_ba", "outcome", "failure")


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRuns:
    """Preferences, and where they come from.

    Attributes:
        preferences: Columns of `PREFERENCES`.
        source: `scores` where two scores of one judge were compared, `preferences` where a judge was asked before.
        margin: Scores that are no further apart are a tie; None of preferences, which have none.
        rubric: Name and version; `rubric_fp` its fingerprint. None where preferences tell of none.
        unshared: Pairs of models that do not have the same records.
        notes: What a reader should know.
    """

    preferences: pl.DataFrame
    source: Source
    runs: tuple[Path, ...]
    margin: float | None
    rubric: str | None
    rubric_fp: str | None
    unshared: tuple[Unshared, ...]
    notes: tuple[str, ...]

    @property
    def judges(self) -> list[str]:
        """Ids, in the order of appearance."""
        return self.preferences["judge"].unique(maintain_order=True).to_list()

    @property
    def failed(self) -> int:
        """Rows without an outcome."""
        return self.preferences["outcome"].null_count()


def compare_runs(runs: Sequence[Path], *, margin: float = MARGIN) -> ComparedRuns:
    """Read what runs say of models: nobody is asked anything.

    Args:
        runs: Folders of `judge score`, or folders of `judge compare`; at least one.
        margin: Scores that are no further apart are a tie; finite, at least 0.

    Raises:
        ConfigError: A folder is neither, they are of both kinds, or cannot be compared.
    """
    if not (math.isfinite(margin) and margin >= 0):
        raise ConfigError(f"--margin is {margin!r}; it must be a number of at least 0.")
    sources = {run: _source(run) for run in runs}
    if len(set(sources.values())) > 1:
        each = ", ".join(f"{run} holds {source}" for run, source in sources.items())
        raise ConfigError(f"scores and preferences are not compared: {each}.", hint="Give folders of one kind.")
    if _source(runs[0]) == "preferences":
        return _shown_again(runs)
    together = put_together(runs)
    return ComparedRuns(
        preferences=prefer_by_score(together.scores, together.models, margin=margin),
        source="scores",
        runs=tuple(runs),
        margin=margin,
        rubric=together.rubric,
        rubric_fp=together.rubric_fp,
        unshared=tuple(find_unshared(together.scores, together.models)),
        notes=together.notes,
    )


def _source(run: Path) -> Source:
    if (run / "scores.parquet").exists():
        return "scores"
    if (run / "preferences.parquet").exists():
        return "preferences"
    message = f"{run} holds neither scores.parquet nor preferences.parquet."
    raise ConfigError(message, hint="Give a folder that `judge score` or `judge compare` wrote.")


def _shown_again(runs: Sequence[Path]) -> ComparedRuns:
    told = [read_run(run) for run in runs]
    named = refuse_other_rubrics(runs, told)
    return ComparedRuns(
        preferences=pl.concat([read_preferences(run) for run in runs]),
        source="preferences",
        runs=tuple(runs),
        margin=None,
        rubric=named and named[0],
        rubric_fp=named and named[1],
        unshared=(),
        notes=tuple(note_unfinished(runs, told)),
    )


def read_preferences(run: Path) -> pl.DataFrame:
    """The preferences that a folder holds: columns of `PREFERENCES`.

    Raises:
        ConfigError: They cannot be read, or lack a column.
    """
    path = run / "preferences.parquet"
    try:
        frame = pl.read_parquet(path)
        missing = [name for name in _NEEDED if name not in frame.columns]
        if missing:
            raise ConfigError(f"{path} has no column {', '.join(missing)}.", hint="docs/compare.md lists them.")
        absent = [pl.lit(None).alias(name) for name in PREFERENCES if name not in frame.columns]
        return frame.with_columns(absent).select(list(PREFERENCES)).cast(pl.Schema(PREFERENCES))
    except (OSError, pl.exceptions.PolarsError) as exc:
        raise ConfigError(f"{path} cannot be read: {exc}.", hint="The command that made it writes it anew.") from exc


def keep(compared: ComparedRuns, out: Path) -> None:
    """Write a comparison of scores into a folder of its own; the same comparison may be written again.

    Raises:
        ConfigError: The folder holds something else, or cannot be made.
        CacheError: The disk is full or broken.
    """
    identity: dict[str, JsonValue] = {
        SOURCE: compared.source,
        "runs": [str(run.resolve()) for run in compared.runs],
        "rubric": compared.rubric_fp,
        JUDGES: [*compared.judges],
        "margin": compared.margin,
    }
    _claim(out, identity)
    body = orjson.dumps(_told(compared, identity), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    with disk_errors(out):
        write_atomically(out / "run.json", lambda file: file.write(body))  # first: it says whose the folder is
        write_atomically(out / "preferences.parquet", compared.preferences.write_parquet)


def _claim(out: Path, identity: dict[str, JsonValue]) -> None:
    """A folder with anything in it is another's, unless it is this comparison."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(f"--out {out}: {exc.strerror}.", hint="Give a folder that can be written to.") from exc
    held = read_run(out)
    then = held.get("identity")
    if not held and any(out.iterdir()):
        raise ConfigError(f"--out {out} holds files, and no comparison.", hint="Use another --out.")
    if not held or then == identity:
        return
    was = then if isinstance(then, dict) else {}
    changed = [name for name in identity if was.get(name) != identity[name]]
    differences = "; ".join(f"{name} was {was.get(name)!r} and is {identity[name]!r}" for name in changed)
    raise ConfigError(f"{out} holds another run: {differences}.", hint="Use another --out.")


def _told(compared: ComparedRuns, identity: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """`run.json`: nothing in it changes when the same is compared again."""
    rows = len(compared.preferences)
    return {
        "status": "finished",
        "runs": [str(run) for run in compared.runs],
        "judge": ", ".join(compared.judges),
        "rubric": compared.rubric,
        "fingerprints": {"rubric": compared.rubric_fp},
        "identity": identity,
        "counts": {"pairs": rows, "judged": rows - compared.failed, "failed": compared.failed},
        "notes": [*compared.notes],
        "versions": tell_versions(),
    }
