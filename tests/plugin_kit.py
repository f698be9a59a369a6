"""Packages of others: a folder that can be on the path, with the metadata that an installer would write."""

from __future__ import annotations

from pathlib import Path

GOOD = """
from judge.backend import Reply

def open_backend(model, *, api_base):
    return Backend()

class Backend:
    async def complete(self, request):
        return Reply(text="{}", model="plugged", finish_reason="stop", cost_usd=0.0)
"""


def install(site: Path, source: str = GOOD, *, name: str = "other", package: str = "judge-other", version: str = "1.2"):
    """Write a package of one module into a folder, as an installer does."""
    module = package.replace("-", "_")
    info = site / f"{module}-{version}.dist-info"
    info.mkdir(parents=True)
    (site / f"{module}.py").write_text(source, encoding="utf-8")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n", encoding="utf-8")
    entry = f"[judge.backends]\n{name} = {module}:open_backend\n"
    (info / "entry_points.txt").write_text(entry, encoding="utf-8")
    return module
