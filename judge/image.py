"""The bytes of an image -> Image: bounded, turned, hashed.

What is sent to a judge is drawn anew from the pixels, in one of two formats, so that nothing else of the source goes
out: no EXIF, XMP, comment, text or colour profile (colours of a wide profile fade a little), and no file behind it.
"""

from __future__ import annotations

import base64
import hashlib
import io
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final

from judge.errors import ConfigError, RecordError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

__all__ = ["MAX_PIXELS", "Image", "ImageRules", "ImageSource", "build_image", "encode_picture"]

MAX_PIXELS: Final = 64_000_000
"""Read from the header, before anything is decoded."""

FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
"""What the bytes may be, whatever the name says."""

PNG_BYTES: Final = 1024 * 1024
"""The longest PNG that is sent; what would be longer is sent as JPEG."""

JPEG_QUALITY: Final = 90

_PIXELS_PER_TOKEN: Final = 750
_DEEP: Final = frozenset({"I;16", "I;16L", "I;16B", "I;16N"})
_TOO_DEEP: Final = frozenset({"I", "F"})
# Asked for most often by mistake; the first bytes, or where they stand.
_KNOWN: Final = (
    (128, b"DICM", "a DICOM file; export it as PNG"),
    (0, b"%PDF", "a PDF; export its page as PNG"),
    (0, b"<", "SVG, XML or HTML"),
    (4, b"ftyp", "HEIC, AVIF or a video"),
    (0, b"\x1f\x8b", "gzip"),
)
_quiet: Final = Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRules:
    """What images may be read, and how large they are sent.

    Args:
        root: The folder that paths must stay below; None refuses every path.
        allow_urls: Fetch https addresses of public hosts.
        max_side: Pixels of the longer side, 16 to 16,384; larger images are shrunk, smaller ones left as they are.
        shown: A record has its images with it; else they are only read, as its key goes by what they hold.

    Raises:
        ConfigError: `max_side` is out of range.
    """

    root: Path | None = None
    allow_urls: bool = False
    max_side: int = 1568
    shown: bool = True

    def __post_init__(self) -> None:
        if not 16 <= self.max_side <= 16_384:
            raise ConfigError(f"the longer side of an image is {self.max_side!r} pixels, must be 16 to 16384.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSource:
    """One image as it was found: its bytes, their SHA-256 in hex, and the field, such as `image[2]`."""

    data: bytes = field(repr=False)
    digest: str
    field: str = "image"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image as it is sent.

    Attributes:
        media_type: `image/png` or `image/jpeg`.
        width: Pixels.
        height: Pixels.
        digest: SHA-256 of `data` in hex.
    """

    media_type: str
    data: bytes = field(repr=False)
    width: int
    height: int
    digest: str

    @property
    def data_url(self) -> str:
        return f"data:{self.media_type};base64,{base64.b64encode(self.data).decode('ascii')}"

    @property
    def tokens(self) -> int:
        """About what it costs, at least 1: width × height / 750, rounded up. An estimate; providers differ.

        Source:
            Anthropic's documentation of vision.
        """
        return -(-self.width * self.height // _PIXELS_PER_TOKEN)


def build_image(source: ImageSource, rules: ImageRules) -> Image:
    """Decode an image and draw it anew, shrunk and turned upright. Slow (10 ms to seconds); fit for a thread.

    The same source and rules give the same bytes (under one version of Pillow). Transparent pixels become white. 16-bit
    greys are stretched from their darkest to their brightest value: scanners use 10 to 12 of the 16 bits. A photograph
    (JPEG) stays one, all else is PNG up to `PNG_BYTES`. Of a JPEG with several pictures the first is taken.

    Raises:
        RecordError: `image_too_many_pixels`; or `image_unreadable`: no image, cut off, animated or of several pages,
            or of 32 bits a pixel and channel.
    """
    with _explained(source.field):
        opened = _open(source.data)
        photograph = opened.format in ("JPEG", "MPO")
        picture = _drawn(opened, rules.max_side)
        media_type, data = _encoded(picture, photograph=photograph)
    digest = hashlib.sha256(data).hexdigest()
    return Image(media_type=media_type, data=data, width=picture.width, height=picture.height, digest=digest)


def encode_picture(value: object, rules: ImageRules) -> bytes | None:
    """A PIL image as PNG, drawn by the same rules; None for any other object.

    Raises:
        RecordError: As `build_image`, without a field.
    """
    pil = sys.modules.get("PIL.Image")  # without it, nobody can have made such an object
    if pil is None or not isinstance(value, pil.Image):
        return None
    with _explained(""):
        _refuse(value)
        return _png(_drawn(value, rules.max_side))


@contextmanager
def _explained(place: str) -> Iterator[None]:
    from PIL.Image import DecompressionBombError, DecompressionBombWarning

    try:
        yield
    except RecordError as exc:
        exc.field = place
        raise
    except (DecompressionBombError, DecompressionBombWarning) as exc:
        raise _too_many_pixels(f"more than {MAX_PIXELS:,} pixels", place) from exc
    except Exception as exc:  # hostile bytes make Pillow raise nearly anything
        message = f"cannot be decoded: {str(exc)[:60] or type(exc).__name__}."
        raise RecordError(message, field=place, code="image_unreadable", hint="Is the file whole?") from exc


@contextmanager
def _pillow_warnings() -> Iterator[None]:
    """A bomb is an error, and faults in metadata are nobody's concern, as it is dropped.

    Filters are the process's: so they touch Pillow only, one thread at a time, for what reads a header.
    """
    from PIL.Image import DecompressionBombWarning

    with _quiet, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.simplefilter("error", DecompressionBombWarning)
        yield


def _open(data: bytes) -> Picture:
    import PIL.Image

    try:
        with _pillow_warnings():
            opened = PIL.Image.open(io.BytesIO(data), formats=FORMATS)
            _refuse(opened)
    except PIL.UnidentifiedImageError as exc:
        message = f"is {_named(data)}, not an image that is read: {', '.join(FORMATS)}."
        raise RecordError(message, code="image_unreadable", hint="Its bytes count, not its name.") from exc
    return opened


def _named(data: bytes) -> str:
    """Never the bytes themselves: a path may point at a file of secrets."""
    guesses = (name for at, mark, name in _KNOWN if data[at : at + len(mark)] == mark)
    return next(guesses, f"{len(data):,} bytes of something else")


def _refuse(picture: Picture) -> None:
    """By the header, before a pixel is decoded."""
    if picture.width * picture.height > MAX_PIXELS:
        raise _too_many_pixels(f"{picture.width:,} × {picture.height:,} pixels")
    # The further pictures of a camera's JPEG are previews and depth.
    if getattr(picture, "is_animated", False) and picture.format != "MPO":
        hint = "Give those that matter as a list of images."
        raise RecordError("has several frames or pages; one is read.", code="image_unreadable", hint=hint)
    if picture.mode in _TOO_DEEP:
        hint = "Choose a window and export it with 8 or 16 bits."
        raise RecordError("has 32 bits a pixel and channel; 16 are read.", code="image_unreadable", hint=hint)


def _too_many_pixels(found: str, place: str = "") -> RecordError:
    message = f"has {found}; at most {MAX_PIXELS:,} are read."
    return RecordError(message, field=place, code="image_too_many_pixels", hint="Give a smaller image, or a crop.")


def _drawn(source: Picture, max_side: int) -> Picture:
    """L or RGB, upright, at most `max_side` long, and nothing but pixels."""
    from PIL import ImageOps
    from PIL.Image import Resampling

    source.load()  # a TIFF is turned by this, so its size is known only now
    picture = _plain(source).resize(_fitted(source.size, max_side), Resampling.LANCZOS)
    with _pillow_warnings():
        picture = ImageOps.exif_transpose(picture)
    picture = _on_white(picture)
    picture.info = {}
    return picture


def _fitted(size: tuple[int, int], max_side: int) -> tuple[int, int]:
    longer = max(size)
    width, height = (max(1, round(side * min(longer, max_side) / longer)) for side in size)
    return width, height


def _plain(picture: Picture) -> Picture:
    """8 bits a channel: L, RGB or RGBA. The same object where it is so already: a large one is not held twice."""
    if picture.mode in _DEEP:
        return _stretched(picture)
    opaque = "L" if picture.mode in ("1", "L") else "RGB"
    wanted = "RGBA" if picture.has_transparency_data else opaque
    return picture if picture.mode == wanted else picture.convert(wanted)


def _stretched(picture: Picture) -> Picture:
    """round(255 (v − low) / (high − low)); a picture of one value keeps its place between black and white."""
    wide = picture.convert("I")
    low, high = (int(end) for end in wide.getextrema())  # type: ignore[arg-type]
    if low == high:
        return wide.point([value >> 8 for value in range(65_536)], "L")
    table = [round(255 * (value - low) / (high - low)) for value in range(65_536)]
    return wide.point(table, "L")


def _on_white(picture: Picture) -> Picture:
    """As on paper: what a drawing leaves out is white there, and every provider fills it in otherwise."""
    import PIL.Image

    if picture.mode != "RGBA":
        return picture
    page = PIL.Image.new("RGBA", picture.size, "white")
    page.alpha_composite(picture)
    return page.convert("RGB")


def _encoded(picture: Picture, *, photograph: bool) -> tuple[str, bytes]:
    if not photograph and len(png := _png(picture)) <= PNG_BYTES:
        return "image/png", png
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=JPEG_QUALITY, subsampling=0)  # thin coloured lines stay sharp
    return "image/jpeg", written.getvalue()


def _png(picture: Picture) -> bytes:
    written = io.BytesIO()
    picture.save(written, "PNG")
    return written.getvalue()
