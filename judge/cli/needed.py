"""What a command needs of the extra `serve`, and whether it is here."""

from __future__ import annotations

from importlib.util import find_spec

from judge.errors import ConfigError

__all__ = ["require_serve"]


def require_serve(command: str, *packages: str) -> None:
    """Refuse to begin without them.

    Raises:
        ConfigError: Some are not installed; says which, and how they come here.
    """
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        message = f"{command} needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not here."
        raise ConfigError(message, hint="pip install 'rationale-judge[serve]'")
