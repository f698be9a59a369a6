"""What a record points at -> the bytes of its images.

"images/ct.png"    "data:image/png;base64,iVBOR…"    {"bytes": "iVBOR…", "path": "ct.png"}
{"type": "image_url", "image_url": {"url": "https://…"}}    [… several of these …]    null, where there is none
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import reprlib
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from judge.errors import RecordError
from judge.image import ImageRules, ImageSource, encode_picture
from judge.images.beneath import read_beneath
from judge.images.fetch import fetch, shown_url

__all__ = ["FETCH_TIMEOUT_S", "MAX_BYTES", "MAX_IMAGES", "MAX_RECORD_BYTES", "read_images"]

MAX_IMAGES: Final = 16
"""Images of one record."""

MAX_BYTES: Final = 32 * 1024 * 1024
"""The longest source of one image."""

MAX_RECORD_BYTES: Final = 64 * 1024 * 1024
"""The sources of one record together: they are held in memory."""

FETCH_TIMEOUT_S: Final = 30.0

# Two letters at least: one is a drive of Windows, and a path like any other that is not below the root.
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")
_SHOWN = reprlib.Repr()
_SHOWN.maxstring = _SHOWN.maxother = 60


def read_images(value: object, rules: ImageRules) -> tuple[ImageSource, ...]:
    """Read the source of every image of a record. Blocks on disk and, where allowed, network; fit for a thread.

    Args:
        value: The field: a path, a data URL, `{"bytes", "path"}` (bytes win), `{"url"}`, an OpenAI part, bytes, a PIL
            image, an https address where the rules allow it, or a list of those. None and an empty list are no image.
        rules: What may be read.

    Returns:
        One source an image, in the order given; empty where there is none.

    Raises:
        RecordError: Its field is `image`, or `image[2]` in a list; its line and id are for the caller to add.
    """
    listed = isinstance(value, list | tuple)
    values = list(value) if isinstance(value, list | tuple) else [value]
    if value is None or not values:
        return ()
    if len(values) > MAX_IMAGES:
        message = f"has {len(values):,} images; at most {MAX_IMAGES} are read."
        raise RecordError(message, field="image", code="image_too_many", hint="Give those that the question needs.")
    sources: list[ImageSource] = []
    for index, one in enumerate(values):
        sources.append(_source(one, rules, f"image[{index}]" if listed else "image"))
        _bound(sum(len(source.data) for source in sources), MAX_RECORD_BYTES, "image", "has images")
    return tuple(sources)


def _source(value: object, rules: ImageRules, field: str) -> ImageSource:
    try:
        data = _bytes(value, rules)
    except RecordError as exc:
        exc.field = field
        raise
    if not data:
        raise RecordError("has 0 bytes.", field=field, code="image_unreadable", hint="null means no image.")
    _bound(len(data), MAX_BYTES, field, "is an image")
    return ImageSource(data=data, digest=hashlib.sha256(data).hexdigest(), field=field)


def _bytes(value: object, rules: ImageRules) -> bytes:
    if isinstance(value, str):
        return _from_text(value, rules)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, Mapping):
        return _from_mapping(value, rules)
    if (drawn := encode_picture(value, rules)) is not None:
        return drawn
    raise _not_understood(f"is {_SHOWN.repr(value)}")


def _from_mapping(value: Mapping[object, object], rules: ImageRules) -> bytes:
    part = value.get("image_url", value)
    url = part.get("url") if isinstance(part, Mapping) else part
    if isinstance(url, str):
        return _from_text(url, rules)
    data, path = value.get("bytes"), value.get("path")
    if isinstance(data, str):
        return _from_base64(data)
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    if data is None and isinstance(path, str):
        return _from_text(path, rules)
    raise _not_understood(f"is an object with {_SHOWN.repr(sorted(map(str, value)))} and no image in it")


def _from_text(text: str, rules: ImageRules) -> bytes:
    scheme = _SCHEME.match(text.lstrip())
    if not text.strip():
        raise _not_understood("is an empty string")
    if scheme is None:
        return _from_path(text, rules)
    if scheme[1].lower() == "data":
        return _from_data_url(text.strip())
    return _from_url(text.strip(), scheme[1].lower(), rules)


def _from_path(path: str, rules: ImageRules) -> bytes:
    if rules.root is None:
        message = f"is the path {path[:60]!r}, and there is no folder that paths may point into."
        raise RecordError(message, code="image_path_outside_root", hint="Name it: --image-root FOLDER")
    return read_beneath(rules.root, path, max_bytes=MAX_BYTES)


def _from_url(url: str, scheme: str, rules: ImageRules) -> bytes:
    if scheme == "file":
        hint = "Give a path below --image-root."
        raise RecordError("is a file: address, which is not opened.", code="image_path_outside_root", hint=hint)
    if not rules.allow_urls:
        hint = "Give a path or a data URL, or allow https addresses: --allow-image-urls"
        message = f"is an address, {shown_url(url)!r}, and addresses are not fetched."
        raise RecordError(message, code="image_url_disabled", hint=hint)
    if scheme != "https":
        hint = "A path with a colon is written ./a:b.png"
        raise RecordError(f"is {scheme[:20]}:…, and only https is fetched.", code="image_url_refused", hint=hint)
    return fetch(url, max_bytes=MAX_BYTES, timeout_s=FETCH_TIMEOUT_S)


def _from_data_url(url: str) -> bytes:
    header, _, body = url.partition(",")
    media_type, *parameters = (part.strip().lower() for part in header[len("data:") :].split(";"))
    if not media_type.startswith("image/"):
        raise _not_understood(f"is a data URL of the type {media_type[:60]!r}, must be of image/…")
    if "base64" not in parameters:
        raise _not_understood(f"is a data URL of {media_type[:60]!r} that is not in base64")
    return _from_base64(body)


def _from_base64(text: str) -> bytes:
    _bound(len(text) * 3 // 4 - 2, MAX_BYTES, "", "is an image")  # before it is copied; up to 2 are padding
    try:
        return base64.b64decode("".join((unquote(text) if "%" in text else text).split()), validate=True)
    except ValueError as exc:
        why = str(exc) if isinstance(exc, binascii.Error) else "it has characters that are not ASCII"
        raise _not_understood(f"is not base64 of {len(text):,} characters: {why}") from exc


def _bound(found: int, allowed: int, field: str, what: str) -> None:
    if found > allowed:
        message = f"{what} of {found:,} bytes; at most {allowed:,} are read."
        raise RecordError(message, field=field, code="image_too_large", hint="Give smaller images.")


def _not_understood(found: str) -> RecordError:
    hint = 'Give a path, a data URL (data:image/png;base64,…), {"bytes": base64, "path": null}, or a list of those.'
    return RecordError(f"{found}.", code="image_not_understood", hint=hint)
