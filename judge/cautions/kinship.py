"""Who judged × who was judged -> cautions: a judge that knows its own kind, or is not the one that was asked."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from judge.caution import Caution, RunTables, percent, some
from judge.cautions.family import families, same_model

__all__ = ["doubt_judge"]

_RENAMED = ("azure",)  # there a model goes by the name that its customer gave it


def doubt_judge(tables: RunTables, judge: str) -> list[Caution]:
    """What to doubt of the judge itself.

    Args:
        tables: Of a run.
        judge: As it was named: `hosted_vllm/Qwen/Qwen3-32B`.

    Returns:
        `self_judged`, else `same_family`; and `answered_by_other`.
    """
    answered = _answered_by(tables.calls)
    judged = tables.scores.select(pl.col("model").drop_nulls().unique().sort()).collect(engine="streaming")
    models = judged["model"].to_list()
    names = [judge, *(name for name in answered if not same_model(name, judge))]
    own = [model for model in models if any(same_model(model, name) for name in names)]
    kin = {model: shared for model in models if (shared := _shared(model, names))}
    found = _self_judged(judge, own) if own else _same_family(judge, kin) if kin else None
    return [caution for caution in (found, _other_answered(judge, answered)) if caution]


def _answered_by(calls: pl.LazyFrame) -> dict[str, int]:
    """Calls by the name of the model that answered, the most frequent first."""
    counted = calls.drop_nulls("answered_by").group_by("answered_by").len().sort("len", "answered_by", descending=True)
    return dict(counted.collect(engine="streaming").iter_rows())


def _shared(model: str, names: Sequence[str]) -> frozenset[str]:
    return families(model) & frozenset[str]().union(*map(families, names))


def _self_judged(judge: str, models: list[str]) -> Caution:
    message = f"{judge} judges its own traces ({some(models)}): a judge favours itself. Ask another model as well."
    return Caution(code="self_judged", message=message, numbers={"models": [*models]})


def _same_family(judge: str, kin: dict[str, frozenset[str]]) -> Caution:
    shared = sorted(frozenset[str]().union(*kin.values()))
    message = (
        f"{judge} judges models of its own family, {' and '.join(shared)} ({some([*kin])}): a judge may favour its "
        "kind. Compare with a judge of another family."
    )
    return Caution(code="same_family", message=message, numbers={"models": [*kin], "families": [*shared]})


def _other_answered(judge: str, answered: dict[str, int]) -> Caution | None:
    others = [name for name in answered if not same_model(name, judge)]
    if judge.partition("/")[0] in _RENAMED:
        others = []
    if len(answered) < 2 and not others:
        return None
    total = sum(answered.values())
    shares = [f"{name} ({percent(calls / total)})" for name, calls in answered.items()]
    message = f"{judge} was asked, and {some(shares)} of the calls answered: its scores may not be of one judge. "
    if len(answered) < 2:
        message = f"{judge} was asked, and {others[0]} answered. "
    message += "Name the model and its snapshot exactly."
    return Caution(code="answered_by_other", message=message, numbers={"asked": judge, "answered": {**answered}})
