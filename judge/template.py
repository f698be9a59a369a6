"""A template's name and values -> text. Whatever comes from a record is a value and never a template."""

from __future__ import annotations

from collections.abc import Sequence

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from judge.errors import PromptError
from judge.resource import resource_path

__all__ = ["Templates"]


class Templates:
    """Some templates of one folder of `prompts/`, ready to render.

    Args:
        folder: Such as `checklist`.
        names: Their files, without `.j2`.
        wording: 0 for these; 1, 2, … for the same in other words, of `prompts/wordings/`.

    Attributes:
        sources: The text of each.

    Raises:
        PromptError: A template is missing or wrong.
    """

    def __init__(self, folder: str, names: Sequence[str], *, wording: int = 0) -> None:
        folder = f"wordings/{wording}/{folder}" if wording else folder
        self._folder = folder
        self.sources = {name: _read(folder, name) for name in names}
        self._compiled = {name: _compile(folder, name, source) for name, source in self.sources.items()}

    def render(self, name: str, /, **values: object) -> str:
        """The text of a template with these values in it.

        Raises:
            PromptError: A value is missing.
        """
        template = self._compiled[name]
        try:  # as `Template.render` does, which copies the values twice more
            return "".join(template.root_render_func(template.new_context(values)))
        except TemplateError as exc:
            raise PromptError(f"prompts/{self._folder}/{name}.j2 cannot be rendered: {exc}.") from exc


def _read(folder: str, name: str) -> str:
    path = resource_path("prompts", folder, f"{name}.j2")
    try:
        return path.read_text(encoding="utf-8")
    except OSError as exc:
        raise PromptError(f"{path}: cannot be read: {exc}.") from exc


def _compile(folder: str, name: str, source: str) -> Template:
    # A trace is a value and never a template; the sandbox is for rubric authors' templates.
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    try:
        template = environment.from_string(source)
    except TemplateError as exc:
        raise PromptError(f"prompts/{folder}/{name}.j2 is not a template: {exc}.") from exc
    template.globals = dict(template.globals)  # jinja chains two, and copies the chain for every text
    return template
