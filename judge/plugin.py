"""A judge's name -> the package that answers to it: the entry point group `judge.backends`.

In the `pyproject.toml` of another package:

    [project.entry-points."judge.backends"]
    echo = "judge_echo:open_backend"

and `--judge echo/MODEL` asks what `judge_echo.open_backend` opens; see `docs/backends.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, entry_points

from judge.errors import ConfigError

__all__ = ["GROUP", "Plugin", "find_plugin", "list_plugins"]

GROUP = "judge.backends"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """What a package registered; nothing of it is imported yet.

    Attributes:
        name: The provider in `PROVIDER/MODEL`.
        package, version: Of the package that registered it.
        entry: Where its factory is.
    """

    name: str
    package: str
    version: str
    entry: EntryPoint

    @property
    def source(self) -> str:
        """For messages: `judge-echo 0.1.0 (judge_echo:open_backend)`."""
        return f"{self.package} {self.version} ({self.entry.value})"


def list_plugins() -> list[Plugin]:
    """All that are installed here, by name; two packages may want one name."""
    found = [_read(entry) for entry in entry_points(group=GROUP)]
    return sorted(found, key=lambda plugin: (plugin.name, plugin.package))


def find_plugin(name: str) -> Plugin | None:
    """The plugin of this name, if a package registers it.

    Raises:
        ConfigError: More than one does.
    """
    found = [_read(entry) for entry in entry_points(group=GROUP, name=name)]
    if len(found) > 1:
        sources = " and ".join(sorted(plugin.source for plugin in found))
        raise ConfigError(f"the judge {name!r} is registered twice: by {sources}.", hint="Uninstall one of them.")
    return found[0] if found else None


def _read(entry: EntryPoint) -> Plugin:
    package = entry.dist
    assert package is not None  # only an entry point that is made by hand has none
    name, version = _told(package, "Name") or "a package", _told(package, "Version") or "unknown"
    return Plugin(name=entry.name, package=name, version=version, entry=entry)


def _told(package: Distribution, field: str) -> str:
    """A field of the metadata of others, which may lack it: None from the standard library, an error from its backport.

    The backport `importlib_metadata` answers for the standard library as soon as any package imports it.
    """
    try:
        return package.metadata[field] or ""
    except KeyError:
        return ""
