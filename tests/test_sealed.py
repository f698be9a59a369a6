"""A stored reply comes back as it was, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.backend import Reply
from judge.journal.sealed import DamagedError, dump_reply, is_sealed, load_reply

REPLY = Reply(text='{"u1": "ünï\u2028\\""}', model="m", prompt_tokens=7, cost_usd=0.25)


@given(st.text(), st.text(st.characters(codec="utf-8")))
def test_any_text_survives(name: str, text: str) -> None:
    name = name.encode("utf-8", "replace").decode()
    reply = Reply(text=text)
    assert load_reply(name, dump_reply(name, reply)) == reply


@given(st.data())
def test_no_changed_byte_is_believed(data: st.DataObject) -> None:
    sealed = dump_reply("a-0", REPLY)
    at = data.draw(st.integers(0, len(sealed) - 1))
    flipped = sealed[:at] + bytes([sealed[at] ^ data.draw(st.integers(1, 255))]) + sealed[at + 1 :]
    for damaged in (flipped, sealed[:at], b"", None, "text", 5):
        with pytest.raises(DamagedError, match="was changed after it was written"):
            load_reply("a-0", damaged)
    with pytest.raises(DamagedError):
        load_reply("b-0", sealed)
    assert is_sealed(b"a-0", sealed)
    assert not is_sealed(b"b-0", sealed)
