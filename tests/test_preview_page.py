"""The page of a preview: its parts, joined, are what is sent, whatever calls have in common."""

from __future__ import annotations

from dataclasses import replace

from msgspec import structs
from run_kit import make_record

from judge.cli.preview_page import ANY_SERVER, page
from judge.preview import preview
from judge.record import build_record
from judge.rubric import load_rubric
from judge.settings import Settings

SETTINGS = Settings(judge=ANY_SERVER, rubric=load_rubric("pkr"))


def test_what_calls_do_not_have_in_common_is_written_out() -> None:
    """As of axes that see parts of a record: whatever differs from the first call is shown, byte for byte."""
    record = build_record(make_record(1, units=3), number=1)
    found = preview(record, SETTINGS)
    first, second, third = found.calls
    blind = replace(second, request=structs.replace(second.request, shared="Without the reference.\n\n"))
    told = replace(third, request=structs.replace(third.request, system="Another judge."))
    changed = replace(found, calls=(first, blind, told))
    _, one, two, three = "\n".join(page(changed, SETTINGS)).split("===== how")[0].split("===== call ")
    assert (
        f"----- system\n{first.request.system}\n" in one and f"----- user, beginning\n{first.request.shared}\n" in one
    )
    assert "----- system: as of call 1\n" in two and "----- user, beginning\nWithout the reference.\n\n\n" in two
    assert "----- system\nAnother judge.\n" in three and "----- user, beginning: as of call 1\n" in three
    assert "images" not in one + two + three


def test_one_call_has_nothing_in_common_with_others() -> None:
    shown = "\n".join(page(preview(build_record(make_record(1), number=1), SETTINGS), SETTINGS))
    assert "----- system\n" in shown and "the same in every call" not in shown
    assert "the other axes" not in shown
