"""Settings of several judges -> PanelRule: who is in a panel, and how their verdicts become one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from judge.digest import digest
from judge.errors import ConfigError
from judge.panel import REDUCERS, Reducer, usual_least
from judge.settings import Settings
from judge.table import Labels

__all__ = ["PANEL", "PanelRule", "build_rule"]

PANEL = "panel:"
"""What the judge id of a panel begins with; no judge's own does."""
_ALIKE = ("samples", "min_coverage", "probe", "probe_evidence", "evidence", "granularity")


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelRule:
    """Who is in a panel, and how their verdicts become one.

    Attributes:
        members: Each judge with the rubric, in the user's order.
        reducer: How verdicts become one.
        least: Judges that must have a verdict on a unit.
    """

    members: tuple[Settings, ...]
    reducer: Reducer
    least: int

    @property
    def judges(self) -> tuple[str, ...]:
        """The judge ids of the members, in their order."""
        return tuple(member.labels.judge for member in self.members)

    @property
    def identity(self) -> dict[str, JsonValue]:
        """What makes two panels the same; the order of their judges does not count."""
        return {"reducer": self.reducer, "min_judges": self.least, "judges": [*sorted(self.judges)]}

    @property
    def labels(self) -> Labels:
        """What the panel's own rows say: `panel:REDUCER#…` as judge, and the fingerprints that all members share."""
        own = self.members[0].labels
        prompts = {member.labels.prompt_fp for member in self.members}
        return Labels(
            judge=f"{PANEL}{self.reducer}#{digest(self.identity)[:8]}",
            rubric=own.rubric,
            prompt_fp=own.prompt_fp if len(prompts) == 1 else digest({"prompts": sorted(prompts)}),
            rubric_fp=own.rubric_fp,
            axes=own.axes,
        )


def build_rule(members: Sequence[Settings], reducer: Reducer = "majority", min_judges: int | None = None) -> PanelRule:
    """The rule of a panel.

    Args:
        members: At least two, each another judge, all with one rubric and asked in one way.
        reducer: How verdicts become one.
        min_judges: Judges that must have a verdict, from 1 to all; None for more than half.

    Raises:
        ConfigError: It is no panel, says which members or settings are to blame.
    """
    _refuse_few(members)
    _refuse_twins(members)
    _refuse_unlike(members)
    if reducer not in REDUCERS:
        raise ConfigError(f"the reducer is {reducer!r}; there are: {', '.join(REDUCERS)}.")
    least = usual_least(len(members)) if min_judges is None else min_judges
    if not 1 <= least <= len(members):
        message = f"--min-judges is {least}, and the panel has {len(members)} judges."
        raise ConfigError(message, hint=f"Give a number from 1 to {len(members)}.")
    return PanelRule(members=tuple(members), reducer=reducer, least=least)


def _refuse_few(members: Sequence[Settings]) -> None:
    if len(members) < 2:
        hint = "Name more judges; one judge several times is --samples N."
        raise ConfigError(f"a panel has two judges or more, and this one has {len(members)}.", hint=hint)


def _refuse_twins(members: Sequence[Settings]) -> None:
    names = [member.labels.judge for member in members]
    if twins := sorted({name for name in names if names.count(name) > 1}):
        message = f"the panel has {', '.join(twins)} more than once: the same model, asked in the same way."
        raise ConfigError(message, hint="Give one of them other parameters, or ask it once with --samples N.")


def _refuse_unlike(members: Sequence[Settings]) -> None:
    """One rubric and one way to ask: else their verdicts are on different things."""
    if len({member.rubric.fingerprint for member in members}) > 1:
        raise ConfigError("the judges of a panel have different rubrics.", hint="Give all of them the same one.")
    for name in _ALIKE:
        values = list(dict.fromkeys(getattr(member, name) for member in members))
        if len(values) > 1:
            told = ", ".join(map(repr, values))
            raise ConfigError(f"the judges of a panel differ in {name}: {told}.", hint="Give all of them the same.")
