"""Name of a built-in rubric or prompt -> its file, in an installed wheel or in a checkout."""

from __future__ import annotations

from pathlib import Path

__all__ = ["resource_path", "rubric_names"]

_PACKAGE = Path(__file__).resolve().parent


def resource_path(*parts: str) -> Path:
    """Path of a file or folder that ships with the package.

    Args:
        parts: Path parts below the package's data, such as `"rubrics", "pkr.yaml"`.

    Returns:
        The path inside the wheel if it is there, else the one in the checkout. It may not exist.
    """
    installed = _PACKAGE.joinpath(*parts)
    return installed if installed.exists() else _PACKAGE.parent.joinpath(*parts)


def rubric_names() -> list[str]:
    """Names of the built-in rubrics, in the order of the alphabet."""
    return sorted(file.stem for file in resource_path("rubrics").glob("*.yaml"))
