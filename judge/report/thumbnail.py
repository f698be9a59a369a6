"""An image -> a small JPEG of it, as a data URL."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from typing import Final

import PIL.Image

from judge.image import ImageRules, ImageSource, build_image

__all__ = ["MAX_SIDE", "draw_thumbnail"]

MAX_SIDE: Final = 448
"""Pixels of the longer side."""
_QUALITY: Final = 75


def draw_thumbnail(source: ImageSource, rules: ImageRules) -> str:
    """Draw it anew from the pixels, so that nothing else of the file is in the report.

    Raises:
        RecordError: It cannot be decoded, or is larger than what is read.
    """
    image = build_image(source, replace(rules, max_side=MAX_SIDE))
    with PIL.Image.open(io.BytesIO(image.data)) as picture:
        written = io.BytesIO()
        picture.convert("RGB").save(written, "JPEG", quality=_QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(written.getvalue()).decode('ascii')}"
