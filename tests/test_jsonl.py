"""JSONL is cut at line feeds and nowhere else, and a line is never held beyond the limit."""

import io

import pytest

from judge.errors import InputError, RecordError
from judge.traces.jsonl import read_lines


def lines(source: bytes) -> list[tuple[int, bytes | RecordError]]:
    return list(read_lines(io.BytesIO(source)))


def test_blank_lines_count_and_are_skipped() -> None:
    source = b"\n  \t\n{}\r\n\r\n \r\n[]\n\n1"
    assert lines(source) == [(3, b"{}"), (6, b"[]"), (8, b"1")]


@pytest.mark.parametrize("ending", ["\u2028", "\u2029", "\u0085", "\v", "\f", "\x1c", "\r"])
def test_only_a_line_feed_ends_a_line(ending: str) -> None:
    line = f'{{"a": "x{ending}y"}}'.encode()
    assert lines(line + b"\n" + line) == [(1, line), (2, line)]


def test_a_byte_order_mark_is_taken_from_the_start_only() -> None:
    assert lines(b"\xef\xbb\xbf{}\n\xef\xbb\xbf{}") == [(1, b"{}"), (2, b"\xef\xbb\xbf{}")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_a_file_in_another_encoding_is_refused_whole(encoding: str) -> None:
    with pytest.raises(InputError, match=r"UTF-16 or UTF-32, not UTF-8\. Convert it: iconv"):
        lines('{"trace": "x"}\n'.encode(encoding))


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("ending", [b"", b"\n"])
def test_a_line_too_long_is_one_failure(monkeypatch: pytest.MonkeyPatch, bom: bytes, ending: bytes) -> None:
    """35 bytes and a limit of 10: four pieces, one line; those after it keep their numbers."""
    monkeypatch.setattr("judge.traces.jsonl.MAX_LINE_BYTES", 10)
    first, second = lines(bom + b"x" * 35 + b"\n" + b"y" * 35 + ending)
    assert [(number, line.code, line.line) for number, line in (first, second)] == [
        (1, "record_too_large", 1),
        (2, "record_too_large", 2),
    ]
    assert lines(bom + b"x" * 35 + b"\n{}\n")[1:] == [(2, b"{}")]


def test_a_line_is_never_held_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("judge.traces.jsonl.MAX_LINE_BYTES", 1000)
    asked = []

    class Watched(io.BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            asked.append(size)
            return super().readline(size)

    list(read_lines(Watched(b"x" * 1_000_000 + b"\n{}")))
    assert set(asked) == {1000}
