"""gzip and Zstandard: no complete line is lost to a cut, and nothing grows beyond all measure."""

import gzip
import io
import json
import random
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
import zstandard

from judge.errors import InputError, RecordError
from judge.traces import compressed
from judge.traces.row import Row
from judge.traces.source import open_source, read_stream

DICE = random.Random(0)
LINES = [json.dumps({"id": f"r{n}", "trace": f"{DICE.getrandbits(120):030x}"}).encode() for n in range(300)]
WHOLE = b"\n".join([*LINES, b""])


def zstd(content: bytes) -> bytes:
    """A frame of many blocks, as only whole blocks can be read of one that is cut."""
    packer = zstandard.ZstdCompressor(write_checksum=True).compressobj()
    parts = [
        packer.compress(content[at : at + 400]) + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        for at in range(0, len(content), 400)
    ]
    return b"".join([*parts, packer.flush()])


PACKED = {
    "gzip": gzip.compress(WHOLE),
    "gzip, two members": gzip.compress(WHOLE[:5000]) + gzip.compress(WHOLE[5000:]),
    "zstd": zstd(WHOLE),
    "zstd, two frames": zstd(WHOLE[:5000]) + zstd(WHOLE[5000:]),
}


def readable(packed: bytes) -> bytes:
    """What the libraries themselves get out of a cut stream; written without ours."""
    is_gzip, out = packed[:2] == b"\x1f\x8b", b""
    while packed:
        decoder = zlib.decompressobj(31) if is_gzip else zstandard.ZstdDecompressor().decompressobj()
        out += decoder.decompress(packed)
        packed = decoder.unused_data
    return out


def rows(packed: bytes) -> list[Row]:
    return list(read_stream(io.BytesIO(packed)))


def split(packed: bytes) -> tuple[list[bytes], list[RecordError]]:
    """Lines, and the errors, which come after all of them and have the next number."""
    found = rows(packed)
    assert [number for number, _ in found] == list(range(1, len(found) + 1))
    errors = [row for _, row in found if isinstance(row, RecordError)]
    assert [row for _, row in found[len(found) - len(errors) :]] == errors
    assert [error.line for error in errors] == [number for number, row in found if isinstance(row, RecordError)]
    return [row for _, row in found if isinstance(row, bytes)], errors


@pytest.mark.parametrize("name", PACKED)
def test_no_complete_line_is_lost_to_a_cut(name: str) -> None:
    """IN-22, at 200 places and at each of the last 40 bytes."""
    packed, lost = PACKED[name], 0
    ends = {len(gzip.compress(WHOLE[:5000])), len(zstd(WHOLE[:5000]))} if "two" in name else set()
    cuts = sorted({*range(5, len(packed), len(packed) // 200), *range(len(packed) - 40, len(packed))} - ends)
    assert len(cuts) > 200
    for cut in cuts:
        lines, errors = split(packed[:cut])
        complete = readable(packed[:cut]).count(b"\n")
        lost += complete - len(lines)
        assert lines == LINES[:complete], cut
        assert [error.code for error in errors] == ["archive_truncated"], cut
        assert "was cut off: it has no end. The lines before this one are whole." in str(errors[0])
    assert lost == 0
    assert split(packed) == (LINES, [])


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("rest", [b"x", b"garbage", b"\n{}", bytes(7) + b"x", b"\x1f"])
def test_what_follows_the_end_is_one_error(name: str, rest: bytes) -> None:
    lines, errors = split(PACKED[name] + rest)
    assert lines == LINES
    assert [error.code for error in errors] == ["archive_garbage"]


@pytest.mark.parametrize("name", PACKED)
def test_a_flipped_bit_loses_no_line_before_its_portion(name: str) -> None:
    """Every flip is found, as both have checksums; gzip's is at the end, so a line may be another until there."""
    packed = PACKED[name]
    for at in range(len(packed) // 2, len(packed), 97):
        found = rows(packed[:at] + bytes((packed[at] ^ 16,)) + packed[at + 1 :])
        errors = [row for _, row in found if isinstance(row, RecordError)]
        assert [row for _, row in found[-1:]] == errors
        assert errors[0].code in ("archive_damaged", "archive_garbage", "archive_truncated")
        assert [row for _, row in found[:100]] == LINES[:100]


@pytest.mark.parametrize(
    "content", [gzip.compress(WHOLE)[:2] + b"\xff" * 50, zstandard.compress(WHOLE)[:4] + b"\xff" * 50]
)
def test_what_is_damaged_from_the_start_is_no_input(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(content)
    with open_source(str(tmp_path / "a.jsonl")) as source, pytest.raises(InputError, match=r"a\.jsonl: .*is damaged"):
        list(source)


def test_a_frame_may_not_ask_for_any_amount_of_memory() -> None:
    """A window of 2 GiB, as `zstd --ultra --long=31` writes, would be held in memory."""
    settings = zstandard.ZstdCompressionParameters(window_log=28, enable_ldm=True)
    packer = zstandard.ZstdCompressor(compression_params=settings).compressobj()
    with pytest.raises(InputError, match="too much memory"):
        rows(packer.compress(WHOLE) + packer.flush())


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_a_bomb_ends_with_an_error_that_names_the_limit(pack: type[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """IN-23. Three lines of noise come out before; one of 10 kB of one letter shrinks to less than 1/900."""
    monkeypatch.setattr(compressed, "RATIO_FREE_BYTES", 2**20)
    noise, line = [DICE.randbytes(2000).hex().encode() for _ in range(3)], b"a" * 9_999
    packed = pack(b"\n".join([*noise, *[line] * 3000, noise[0]]))
    *before, (number, last) = rows(packed)
    assert last.code == "archive_bomb"
    assert last.line == number
    assert "after the first 1 MiB at most 500 bytes may come out of one" in str(last)
    assert [row for _, row in before] == [*noise, *[line] * (len(before) - 3)]
    assert len(before) < 3003


def test_what_repeats_itself_a_lot_is_no_bomb() -> None:
    """One reference under a thousand traces: 67 MB and 100:1 are still read whole."""
    reference = f"{DICE.getrandbits(2400):0600x}"
    lines = [
        json.dumps({"id": n, "reference": reference * 100, "trace": f"{DICE.getrandbits(512):0128x}"})
        for n in range(1200)
    ]
    content = "\n".join(lines).encode()
    packed = gzip.compress(content)
    assert len(content) > compressed.RATIO_FREE_BYTES
    assert len(content) / len(packed) > 90
    assert [row for _, row in rows(packed)] == [line.encode() for line in lines]


def test_memory_stays_flat_whatever_comes_out(tmp_path: Path) -> None:
    """A gigabyte of zeros in 32 KB of Zstandard, and 50 MB in 50 kB of gzip, in a process of our own."""
    begin = b'{"id": "a"}\n'
    packer = zstandard.ZstdCompressor(level=1).compressobj()
    (tmp_path / "a.zst").write_bytes(
        packer.compress(begin) + b"".join(packer.compress(bytes(2**20)) for _ in range(1024)) + packer.flush()
    )
    (tmp_path / "b.gz").write_bytes(gzip.compress(begin + bytes(50_000_000)))
    code = f"""
import re
from pathlib import Path
from judge.traces.source import open_source
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024
begun = peak()
for name in ("a.zst", "b.gz"):
    with open_source({str(tmp_path)!r} + "/" + name) as source:
        print([row if isinstance(row, bytes) and len(row) < 99 else getattr(row, "code", "long") for _, row in source])
print(peak() - begun)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    zst, gz, grown = done.stdout.splitlines()
    assert zst == "[b'{\"id\": \"a\"}', 'record_too_large', 'archive_bomb']"
    assert gz == "[b'{\"id\": \"a\"}', 'long']"  # 50 MB are under the free 64 MiB; that line is then no JSON
    assert int(grown) < 250
