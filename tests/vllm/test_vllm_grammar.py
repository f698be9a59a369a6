"""What vLLM's grammars make of a schema with bounds on its strings; xGrammar alone, without a server."""

import json

import pytest

from judge.backends.reply_form import MOST_CHARACTERS, bounded_schema
from judge.prompt import reply_schema

xgrammar = pytest.importorskip("xgrammar")
pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("ignore")]  # an engine of another file may end meanwhile

END = 256
SCHEMA = reply_schema(16, evidence=True)


@pytest.fixture(scope="module")
def compiler():
    """Of a vocabulary in which every byte is a token."""
    tokens = [bytes([byte]) for byte in range(256)] + [b"</s>"]
    return xgrammar.GrammarCompiler(
        xgrammar.TokenizerInfo(tokens, vocab_type=xgrammar.VocabType.RAW, vocab_size=257, stop_token_ids=[END])
    )


def is_allowed(compiler, schema, text):
    matcher = xgrammar.GrammarMatcher(compiler.compile_json_schema(schema))
    return matcher.accept_string(text.encode()) and matcher.accept_token(END)


def written(evidence, reason):
    unit = {"evidence": evidence, "reason": reason, "presence": 1, "correctness": None}
    return json.dumps({f"u{place}": unit for place in range(1, 17)}, ensure_ascii=False)


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [(None, ""), ("The left base is opaque", "Says it."), ("µg – “é” 左", "😀"), ("x" * MOST_CHARACTERS,) * 2],
)
def test_short_strings_are_allowed_with_bounds_and_without(compiler, evidence, reason):
    text = written(evidence, reason)
    assert is_allowed(compiler, SCHEMA, text)
    assert is_allowed(compiler, bounded_schema(SCHEMA), text)


def test_a_bound_ends_a_string(compiler):
    text = written(None, "x" * (MOST_CHARACTERS + 1))
    assert is_allowed(compiler, SCHEMA, text)
    assert not is_allowed(compiler, bounded_schema(SCHEMA), text)


def test_why_first_asks_have_no_bounds(compiler):
    """Once this fails, they may have some."""
    quoting, tab = written('says "opaque"', "Yes."), written("a", "HERE").replace("HERE", "\t")
    assert is_allowed(compiler, SCHEMA, quoting)
    assert not is_allowed(compiler, bounded_schema(SCHEMA), quoting)
    assert not is_allowed(compiler, SCHEMA, tab)
    assert is_allowed(compiler, bounded_schema(SCHEMA), tab)
