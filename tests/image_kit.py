"""Images for tests, made in code."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from typing import Any

from PIL import Image as PilImage

from judge.image import Image, ImageRules, ImageSource, build_image

RULES = ImageRules()
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def encode(picture: PilImage.Image, form: str = "PNG", **how: Any) -> bytes:
    written = io.BytesIO()
    picture.save(written, form, **how)
    return written.getvalue()


def source(data: bytes, field: str = "image") -> ImageSource:
    return ImageSource(data=data, digest=hashlib.sha256(data).hexdigest(), field=field)


def build(data: bytes, rules: ImageRules = RULES) -> Image:
    return build_image(source(data), rules)


def decode(image: Image) -> PilImage.Image:
    picture = PilImage.open(io.BytesIO(image.data))
    picture.load()
    return picture


def corners() -> PilImage.Image:
    """48 × 32, a colour a quarter: red, green over blue, white."""
    picture = PilImage.new("RGB", (48, 32), WHITE)
    for colour, place in ((RED, (0, 0)), (GREEN, (24, 0)), (BLUE, (0, 16))):
        picture.paste(colour, (*place, place[0] + 24, place[1] + 16))
    return picture


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def bomb(width: int, height: int) -> bytes:
    """A whole and valid PNG, black, of one bit a pixel, made row by row."""
    packer = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")
