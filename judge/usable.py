"""Settings -> whether this judge can be asked, and what it can see, found out before anything is read or paid."""

from __future__ import annotations

from dataclasses import dataclass

from judge.errors import ConfigError
from judge.judge_name import BASELINE, IN_PROCESS, INSTALL_REMOTE, OURS, SERVERS, litellm_model
from judge.plugin import list_plugins
from judge.price import find_facts
from judge.settings import Settings

__all__ = ["Sight", "find_sight", "refuse_blind", "refuse_unusable", "sees_images"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """Whether images reach a judge that sees.

    Attributes:
        sees: None where it is not known before the judge is shown one.
        why: How we know, in words that follow a colon.
    """

    sees: bool | None
    why: str


def refuse_unusable(settings: Settings) -> None:
    """Find out before anything is read or paid whether this judge can be asked.

    Raises:
        ConfigError: Unknown judge, no address, no key, a package that is not installed, a budget without a price.
    """
    if settings.engine_args and settings.engine_model is None:
        message = f"engine arguments are for {IN_PROCESS}/MODEL, and not for {settings.judge!r}."
        raise ConfigError(message, hint="Give them to the server: vllm serve MODEL --max-model-len N …")
    if settings.judge == BASELINE:
        return
    named = litellm_model(settings.judge)
    provider, _, model = (settings.judge if named is None else named).partition("/")
    if not (provider and model):
        names = ", ".join([BASELINE, *(f"{name}/MODEL" for name in (*SERVERS, IN_PROCESS, *_plugged()))])
        message = f"no judge is called {settings.judge!r}; there are: {names}, and PROVIDER/MODEL of litellm."
        raise ConfigError(message, hint=f"For the last: {INSTALL_REMOTE}. See: judge doctor")
    if settings.engine_model is not None:
        _refuse_unusable_engine(settings, settings.engine_model)
    elif named is None:
        from judge.backends.server import find_server

        find_server(settings.judge, settings.api_base, key_file=settings.key_file, headers=settings.headers)
    elif settings.plugin is not None:
        from judge.backends.plugged import open_plugin

        open_plugin(settings.plugin, settings.judge.partition("/")[2], api_base=settings.api_base)
    else:
        from judge.backends.litellm_setup import check_model, read_secrets

        check_model(named, api_base=settings.api_base, params=settings.model.params)
        read_secrets(settings.key_file, settings.headers)
    _refuse_budget(settings)


def sees_images(settings: Settings) -> bool:
    """Whether images reach a model that is not known to be blind."""
    return find_sight(settings).sees is not False


def refuse_blind(settings: Settings) -> None:
    """Raise where records with images cannot be judged; before anything is paid.

    Raises:
        ConfigError: The judge sees none.
    """
    if not sees_images(settings):
        message = f"the records have images, and {settings.judge} reads texts only."
        raise ConfigError(message, hint="Use a judge that sees images, or describe them in `context` and remove them.")


def find_sight(settings: Settings) -> Sight:
    """Find out, without asking anybody, whether images reach this judge and whether it sees them.

    Raises:
        ConfigError: As `refuse_unusable`.
    """
    known = find_facts(settings.judge).supports_vision
    if settings.free:
        return Sight(sees=False, why="it compares words")
    if known is False:
        return Sight(sees=False, why="litellm's map of models says so")
    named = litellm_model(settings.judge)
    if settings.engine_model is not None:
        from judge.backends.vllm_setup import reads_images

        sees = reads_images(settings.engine_model)
        return Sight(sees=sees, why="its configuration says so")
    if named is not None:
        return _beyond_us(settings, named, known=known)
    why = "litellm's map of models says so" if known else "its server says so when it gets the first one"
    return Sight(sees=known, why=why)


def _beyond_us(settings: Settings, named: str, *, known: bool | None) -> Sight:
    """Of a judge that is asked by code of others: a plugin, or litellm."""
    if settings.plugin is not None:
        from judge.backends.plugged import open_plugin

        opened = open_plugin(settings.plugin, settings.judge.partition("/")[2], api_base=settings.api_base)
        word = "says" if opened.sees_images else "does not say"
        return Sight(sees=opened.sees_images, why=f"{settings.plugin.source} {word} that it reads them")
    from judge.backends.litellm_vision import drops_images

    if drops_images(named, api_base=settings.api_base):
        return Sight(sees=False, why="litellm leaves them out of its requests there")
    return Sight(sees=known, why=f"litellm's map of models {'says so' if known else 'does not say'}")


def _refuse_unusable_engine(settings: Settings, model: str) -> None:
    for given, option in ((settings.api_base, "--api-base"), (settings.key_file, "--key-file")):
        if given is not None:
            message = f"{option} is for a server, and {settings.judge} runs in this process."
            raise ConfigError(message, hint=f"A server's model is --judge hosted_vllm/{model}")
    from judge.backends.vllm_setup import check_engine

    check_engine(model, engine_args=settings.engine_args, params=settings.model.params)


def _refuse_budget(settings: Settings) -> None:
    """A budget is kept by knowing before a call what it may cost."""
    if settings.budget_usd is None:
        return
    if settings.token_price is None:
        hint = "Give it in USD a million tokens: --price IN,OUT, or --price 0,0 where it costs nothing."
        raise ConfigError(f"a budget needs the price of {settings.judge!r}, which is not known.", hint=hint)
    limits = (settings.model.params.get(name) for name in ("max_tokens", "max_completion_tokens"))
    if not any(type(limit) is int and limit > 0 for limit in limits):  # some servers read -1 as no limit
        raise ConfigError("a budget needs max_tokens, else a reply may cost anything.", hint="--param max_tokens=4096")


def _plugged() -> list[str]:
    return sorted({plugin.name for plugin in list_plugins()} - OURS)
