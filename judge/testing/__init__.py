"""A judge on loopback that follows a script, misbehaves on request, and keeps a ledger: test your pipeline.

    with judge.testing.Server(script="sloppy", seed=0, faults=0.2) as server:
        run_my_pipeline(api_base=server.api_base)
    assert server.ledger.requests == server.ledger.necessary()

or as a process: `python -m judge.testing --script sloppy --faults 0.2`. It imports nothing else of judge, so
that it is a peer of what it tests and not a part of it.

    request body  -> ask.py        what is asked                 units.py: of which kind
    Ask           -> scripts.py    what the judge writes         opinions.py: what it thinks, by kind and overlap.py
    a probe       -> probes.py     how likely each token is
    a draft       -> drafts.py     units of a reference
    two traces    -> preferences.py  which is better
    attempt       -> faults.py     what goes wrong               misbehave.py: how
    Answer        -> wire.py       bytes, in good manners or bad
    everything    -> ledger.py     what was asked, paid, delivered
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from judge.testing.ask import Ask as Ask
    from judge.testing.behaviour import Behaviour as Behaviour
    from judge.testing.faults import KINDS as KINDS
    from judge.testing.faults import PROBE as PROBE
    from judge.testing.faults import QUICK as QUICK
    from judge.testing.faults import REPLY as REPLY
    from judge.testing.faults import RETRYABLE as RETRYABLE
    from judge.testing.faults import SLOW as SLOW
    from judge.testing.ledger import Ledger as Ledger
    from judge.testing.ledger import LedgerRow as LedgerRow
    from judge.testing.noisy import Noisy as Noisy
    from judge.testing.scripts import Script as Script
    from judge.testing.scripts import Sloppy as Sloppy
    from judge.testing.scripts import biased as biased
    from judge.testing.scripts import gullible as gullible
    from judge.testing.scripts import obedient as obedient
    from judge.testing.scripts import stubborn as stubborn
    from judge.testing.scripts import undecided as undecided
    from judge.testing.server import Server as Server
    from judge.testing.units import AskedUnit as AskedUnit

# Lazy: aiohttp takes 0.4 s to import, and `python -m judge.testing --help` needs none of it.
_HOMES = {
    "ask": ("Ask",),
    "behaviour": ("Behaviour",),
    "faults": ("KINDS", "PROBE", "QUICK", "REPLY", "RETRYABLE", "SLOW"),
    "ledger": ("Ledger", "LedgerRow"),
    "noisy": ("Noisy",),
    "scripts": ("Script", "Sloppy", "biased", "gullible", "obedient", "stubborn", "undecided"),
    "server": ("Server",),
    "units": ("AskedUnit",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}
__all__ = sorted(_HOME_OF)  # noqa: PLE0605 - the table above is the list


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
