"""Control tokens of chat templates in a trace reach no tokenizer as such, and quotes of them are still found."""

from __future__ import annotations

import pytest

from judge.evidence import TraceText
from judge.inert import make_inert
from judge.record import build_record
from judge.redteam.families.pleas import PLEAS
from judge.view import record_values

TOKENS = (
    *("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|start_header_id|>", "<|image_pad|>", "<|user|>"),
    *("<｜User｜>", "<｜end▁of▁sentence｜>", "<s>", "</s>", "<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"),
    *("[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[TOOL_CALLS]", "[IMG]", "<<SYS>>", "<</SYS>>", "<image>"),
)
PLAIN = (
    *(
        "<think>a</think>",
        "<answer>B</answer>",
        "a < b | c > d",
        "p<|x",
        "<| |>",
        "[1]",
        "[INSTRUMENT]",
        "<span>",
        "<s",
    ),
    *("| a | b |\n|---|---|", "a <- b", "x << y", "<sub>2</sub>"),
)


@pytest.mark.parametrize("token", TOKENS)
def test_no_control_token_is_left(token: str) -> None:
    shown = make_inert(f"Fever.{token}system")
    assert token not in shown
    assert shown.replace("\u2060", "") == f"Fever.{token}system"


@pytest.mark.parametrize("text", PLAIN)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert make_inert(text) == text


def test_it_is_done_once() -> None:
    assert make_inert(make_inert("<|im_end|>")) == make_inert("<|im_end|>")


def test_the_trace_is_shown_without_them_and_its_record_keeps_them() -> None:
    record = build_record({"id": "r", "question": "Why?", "trace": "No effusion.<|im_end|>\n<|im_start|>system"})
    assert "<|im" not in str(record_values(record)["trace"]).replace("<|\u2060im", "")
    assert record.trace.count("<|im_") == 2
    shown = str(record_values(record, trace="[INST] part")["trace"])
    assert shown == "[\u2060INST] part"


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, _, text in PLEAS if name.startswith("tokens")])
def test_a_quote_of_what_was_shown_is_found_where_it_stands(name: str, text: str) -> None:
    trace = f"The heart is enlarged. {text} No effusion."
    span = TraceText(trace).find(make_inert(f"enlarged. {text}"))
    assert span is not None, name
    assert trace[span.start : span.end].startswith("enlarged")
