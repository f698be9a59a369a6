"""Images: bounded before they are decoded, turned upright, drawn anew without anything but pixels."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import random
import subprocess
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from image_kit import BLUE, GREEN, RED, RULES, WHITE, bomb, build, corners, decode, encode, source
from PIL import Image as PilImage
from PIL import ImageChops, ImageStat, PngImagePlugin

from judge.errors import ConfigError, RecordError
from judge.image import MAX_PIXELS, PNG_BYTES, ImageRules, build_image, encode_picture

REAL = Path(__file__).parents[2] / "shared" / "data" / "vqa_rad" / "images"
EXAMPLES = Path(__file__).parents[1] / "examples" / "images"
SECRET = "canary-7f3a"


def refused(data: bytes, code: str, match: str) -> str:
    with pytest.raises(RecordError, match=match) as caught:
        build_image(source(data, "image[2]"), RULES)
    assert (caught.value.code, caught.value.field) == (code, "image[2]")
    return str(caught.value)


def noise(width: int, height: int, mode: str = "RGB") -> PilImage.Image:
    dice = random.Random(7)
    return PilImage.frombytes(mode, (width, height), dice.randbytes(width * height * len(mode)))


# --- what is read ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_format_without_loss_keeps_every_pixel(form: str) -> None:
    image = build(encode(corners(), form, **({"lossless": True} if form == "WEBP" else {})))
    assert (image.media_type, image.width, image.height) == ("image/png", 48, 32)
    assert decode(image).tobytes() == corners().tobytes()


def test_a_photograph_stays_a_jpeg() -> None:
    image = build(encode(corners(), "JPEG", quality=95))
    assert image.media_type == "image/jpeg"
    # Quality 90 without subsampling: the middle of a flat quarter is off by a few of 255 at most.
    near(decode(image).getpixel((12, 8)), RED, 4)


def near(found: object, wanted: tuple[int, ...], off: int) -> None:
    assert isinstance(found, tuple)
    assert all(abs(one - other) <= off for one, other in zip(found, wanted, strict=True)), (found, wanted)


def test_what_would_be_a_long_png_is_sent_as_jpeg() -> None:
    # 700 × 700 × 3 bytes of noise are 1.47 MB and do not compress.
    loud = encode(noise(700, 700))
    assert len(loud) > PNG_BYTES
    assert build(loud).media_type == "image/jpeg"


def test_the_form_goes_by_the_bytes() -> None:
    image = build(encode(noise(8, 8, "L"), "TIFF", compression="tiff_deflate"))
    assert decode(image).tobytes() == noise(8, 8, "L").tobytes()


def test_what_is_said_of_an_image() -> None:
    image = build(encode(corners()))
    assert image.digest == hashlib.sha256(image.data).hexdigest()
    assert image.data_url == f"data:image/png;base64,{base64.b64encode(image.data).decode()}"
    assert "data=" not in repr(image) and len(repr(image)) < 200
    assert "data=" not in repr(source(b"x" * 999))


@pytest.mark.parametrize(("size", "tokens"), [((1, 1), 1), ((30, 25), 1), ((30, 26), 2), ((1000, 750), 1000)])
def test_tokens_are_estimated_by_the_area(size: tuple[int, int], tokens: int) -> None:
    # width × height / 750, rounded up: 750 / 750 = 1, 780 / 750 = 1.04.
    assert build(encode(PilImage.new("L", size))).tokens == tokens


def test_the_same_source_gives_the_same_bytes_in_every_process() -> None:
    data = encode(noise(300, 200), "JPEG")
    script = "import sys; sys.path.insert(0, sys.argv[1]); from image_kit import build; import sys; "
    script += "print(build(sys.stdin.buffer.read()).digest)"
    command = [sys.executable, "-c", script, str(Path(__file__).parent)]
    done = subprocess.run(command, input=data, capture_output=True, timeout=30, check=True)
    assert done.stdout.decode().strip() == build(data).digest == build(data).digest


def test_threads_do_not_disturb_each_other_or_the_warnings_of_the_process() -> None:
    before = list(warnings.filters)
    data = [encode(noise(60 + n, 40), "PNG") for n in range(8)]
    alone = [build(one).digest for one in data]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # as if on many cores
    try:
        with ThreadPoolExecutor(8) as pool:
            assert [image.digest for image in pool.map(build, data * 20)] == alone * 20
    finally:
        sys.setswitchinterval(interval)
    assert warnings.filters == before


def test_importing_the_module_does_not_load_pillow() -> None:
    script = "import judge.images.source, sys; sys.exit('PIL' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], timeout=30, check=True)


# --- size -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "shrunk"),
    [
        ((3136, 1568), (1568, 784)),
        ((1000, 4000), (392, 1568)),
        ((1568, 1569), (1567, 1568)),  # 1568 × 1568 / 1569 = 1567.0006
        ((1568, 1568), (1568, 1568)),
        ((20, 10), (20, 10)),
        ((8000, 1), (1568, 1)),  # 0.2 pixels high: at least one
    ],
)
def test_the_longer_side_is_capped_and_nothing_enlarged(size: tuple[int, int], shrunk: tuple[int, int]) -> None:
    image = build(encode(PilImage.new("L", size, 128)))
    assert (image.width, image.height) == shrunk == decode(image).size
    assert decode(image).getextrema() == (128, 128)


@pytest.mark.parametrize("mode", ["1", "P", "L", "RGB"])
def test_shrinking_averages_also_where_a_pixel_is_an_index(mode: str) -> None:
    # Stripes of 1 pixel become grey; taking the nearest pixel would leave black or white.
    stripes = PilImage.new("L", (200, 200))
    stripes.putdata([255 * (x % 2) for _ in range(200) for x in range(200)])
    image = build(encode(stripes.convert(mode)), ImageRules(max_side=50))
    value = decode(image).convert("L").getpixel((25, 25))
    assert isinstance(value, int) and 100 < value < 155


@pytest.mark.parametrize("side", [0, 15, 16_385, -1])
def test_a_side_out_of_range_is_refused(side: int) -> None:
    with pytest.raises(ConfigError, match=f"is {side} pixels, must be 16 to 16384"):
        ImageRules(max_side=side)


# --- modes ----------------------------------------------------------------------------------------------------------


def test_one_bit() -> None:
    picture = PilImage.new("1", (10, 4))
    picture.putpixel((3, 2), 1)
    drawn = decode(build(encode(picture)))
    assert (drawn.mode, drawn.getpixel((3, 2)), drawn.getpixel((0, 0))) == ("L", 255, 0)


def test_a_palette_with_a_transparent_colour_lies_on_white() -> None:
    picture = PilImage.new("P", (4, 1))
    picture.putpalette([*RED, *GREEN, *BLUE, 0, 0, 0])
    picture.putdata([0, 1, 2, 3])
    for form in ("PNG", "GIF"):
        drawn = decode(build(encode(picture, form, transparency=3)))
        assert [drawn.getpixel((x, 0)) for x in range(4)] == [RED, GREEN, BLUE, WHITE], form


def test_a_palette_with_an_alpha_a_colour() -> None:
    picture = PilImage.new("P", (2, 1))
    picture.putpalette([*RED, *RED])
    picture.putdata([0, 1])
    drawn = decode(build(encode(picture, transparency=bytes([255, 0]))))
    assert [drawn.getpixel((x, 0)) for x in range(2)] == [RED, WHITE]


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_half_transparent_black_on_white_is_grey(mode: str) -> None:
    picture = PilImage.new(mode, (3, 1), (0, 128) if mode == "LA" else (0, 0, 0, 128))
    value = decode(build(encode(picture))).convert("L").getpixel((1, 0))
    assert value == 127  # 255 × (1 − 128 / 255)


def test_a_grey_and_a_colour_that_stand_for_transparent() -> None:
    assert decode(build(encode(PilImage.new("L", (2, 2), 9), transparency=9))).convert("L").getpixel((0, 0)) == 255
    assert decode(build(encode(PilImage.new("RGB", (2, 2), RED), transparency=RED))).getpixel((0, 0)) == WHITE


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_cmyk(form: str) -> None:
    # No cyan, full magenta and yellow, no black: red.
    drawn = decode(build(encode(PilImage.new("CMYK", (16, 16), (0, 255, 255, 0)), form)))
    assert drawn.mode == "RGB"
    near(drawn.getpixel((8, 8)), RED, 3)


def greys(values: list[int]) -> PilImage.Image:
    return PilImage.frombytes("I;16", (len(values), 1), b"".join(value.to_bytes(2, "little") for value in values))


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        ([0, 257, 32896, 65535], [0, 1, 128, 255]),  # the full range: v / 257
        ([0, 1024, 2048, 4095], [0, 64, 128, 255]),  # 12 bits of 16: 255 × 1024 / 4095 = 63.8
        ([30000, 30100, 30200], [0, 128, 255]),  # far from zero: 127.5 goes to the even 128
        ([700, 700], [2, 2]),  # 700 / 256 = 2.7
        ([65535, 65535], [255, 255]),
    ],
)
def test_sixteen_bits_are_stretched_to_eight(form: str, values: list[int], drawn: list[int]) -> None:
    found = decode(build(encode(greys(values), form)))
    assert found.mode == "L"
    assert [found.getpixel((x, 0)) for x in range(len(values))] == drawn


def test_sixteen_bits_the_other_way_round() -> None:
    picture = PilImage.frombytes("I;16B", (3, 1), bytes([0, 0, 8, 0, 16, 0]))
    found = decode(build(encode(picture, "TIFF")))
    assert [found.getpixel((x, 0)) for x in range(3)] == [0, 128, 255]


@pytest.mark.parametrize("mode", ["I", "F"])
def test_thirty_two_bits_need_somebody_who_knows_the_window(mode: str) -> None:
    assert "Choose a window" in refused(
        encode(PilImage.new(mode, (4, 4)), "TIFF"), "image_unreadable", "has 32 bits a pixel"
    )


# --- upright --------------------------------------------------------------------------------------------------------

# Where red, green, blue and white come to lie (upper left, upper right, lower left, lower right), by the standard:
# orientation 6 means that row 0 is the right side, so that red, at the start of row 0, goes to the upper right.
TURNED = {
    1: (RED, GREEN, BLUE, WHITE),
    2: (GREEN, RED, WHITE, BLUE),
    3: (WHITE, BLUE, GREEN, RED),
    4: (BLUE, WHITE, RED, GREEN),
    5: (RED, BLUE, GREEN, WHITE),
    6: (BLUE, RED, WHITE, GREEN),
    7: (WHITE, GREEN, BLUE, RED),
    8: (GREEN, WHITE, RED, BLUE),
}


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", TURNED)
def test_it_is_turned_as_its_exif_says(form: str, orientation: int) -> None:
    how: dict[str, object] = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}.get(form, {})
    exif = PilImage.Exif()
    exif[0x0112] = orientation
    for rules in (RULES, ImageRules(max_side=24)):
        image = build(encode(corners(), form, exif=exif, **how), rules)
        wide, high = (image.width, image.height) if orientation < 5 else (image.height, image.width)
        assert wide * 32 == high * 48 and max(wide, high) == min(48, rules.max_side)
        places = [(x, y) for y in (0.25, 0.75) for x in (0.25, 0.75)]
        drawn = decode(image)
        for (x, y), colour in zip(places, TURNED[orientation], strict=True):
            near(drawn.getpixel((int(x * image.width), int(y * image.height))), colour, 6)


def test_broken_metadata_does_not_spoil_an_image() -> None:
    # An IFD that says it has 9,999 entries and ends.
    broken = b"Exif\0\0II*\0\x08\0\0\0" + (9999).to_bytes(2, "little") + b"\x12\x01\x03\0"
    assert decode(build(encode(corners(), "PNG", exif=broken))).tobytes() == corners().tobytes()
    assert build(encode(corners(), "JPEG", exif=broken)).width == 48


# --- nothing but pixels ---------------------------------------------------------------------------------------------


def with_text() -> bytes:
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", SECRET)
    text.add_text("Packed", SECRET, zip=True)
    text.add_itxt("XML:com.adobe.xmp", f"<x>{SECRET}</x>")
    exif = PilImage.Exif()
    exif[0x010E] = SECRET  # ImageDescription
    return encode(corners(), "PNG", pnginfo=text, exif=exif, icc_profile=SECRET.encode())


def with_segments(form: str, **how: object) -> bytes:
    exif = PilImage.Exif()
    exif[0x010E] = SECRET
    exif[0x0112] = 6
    return encode(corners(), form, exif=exif, xmp=SECRET.encode(), icc_profile=SECRET.encode(), **how)


CANARIES: dict[str, Callable[[], bytes]] = {
    "png": with_text,
    "png and a file behind it": lambda: encode(corners()) + SECRET.encode(),
    "jpeg": lambda: with_segments("JPEG", comment=SECRET),
    "jpeg and a file behind it": lambda: encode(corners(), "JPEG") + SECRET.encode(),
    "webp": lambda: with_segments("WEBP"),
    "tiff": lambda: with_segments("TIFF", description=SECRET, software=SECRET),
    "gif": lambda: encode(corners(), "GIF", comment=SECRET),
}


@pytest.mark.parametrize("name", CANARIES)
def test_metadata_stays_here(name: str) -> None:
    data = CANARIES[name]()
    assert SECRET.encode() in data
    image = build(data)
    assert SECRET.encode() not in image.data
    assert not {"exif", "xmp", "icc_profile", "comment", "transparency"} & set(decode(image).info)
    if image.media_type == "image/png":  # nor packed: there are no other chunks
        assert {name for name in (b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"iCCP", b"tIME") if name in image.data} == set()


# --- what is refused ------------------------------------------------------------------------------------------------


def test_truncated() -> None:
    for form in ("PNG", "JPEG", "WEBP", "BMP", "TIFF"):
        whole = encode(noise(64, 64), form)
        for kept in (len(whole) // 2, len(whole) * 9 // 10):
            refused(whole[:kept], "image_unreadable", "cannot be decoded|bytes of something else")


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"password: hunter2", "is 17 bytes of something else, not an image that is read: PNG, JPEG, WEBP, GIF"),
        (b"\0" * 128 + b"DICM" + b"\0" * 99, "is a DICOM file; export it as PNG"),
        (b"%PDF-1.7 ...", "is a PDF"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is SVG, XML or HTML"),
        (b"\0\0\0 ftypheic\0\0\0\0", "is HEIC, AVIF or a video"),
        (gzip.compress(b"nifti", mtime=0), "is gzip"),
        (encode(PilImage.new("RGB", (4, 4)), "ICO"), "bytes of something else"),
        (encode(PilImage.new("RGB", (4, 4)), "PPM"), "bytes of something else"),
        (encode(PilImage.new("RGB", (4, 4)), "EPS"), "bytes of something else"),
        (b"\x89PNG\r\n\x1a\n", "is 8 bytes of something else|cannot be decoded"),
    ],
    ids=["text", "dicom", "pdf", "svg", "heic", "gzip", "ico", "ppm", "eps", "a mark alone"],
)
def test_what_is_no_image(data: bytes, match: str) -> None:
    assert "hunter2" not in refused(data, "image_unreadable", match)


@pytest.mark.parametrize("form", ["PNG", "GIF", "WEBP", "TIFF"])
def test_several_frames_or_pages_are_not_cut_to_one_in_silence(form: str) -> None:
    frames = [PilImage.new("RGB", (8, 8), colour) for colour in (RED, GREEN, BLUE)]
    data = encode(frames[0], form, save_all=True, append_images=frames[1:])
    assert "as a list of images" in refused(data, "image_unreadable", "has several frames or pages; one is read")


def test_of_a_camera_s_jpeg_with_previews_the_first_is_taken() -> None:
    data = encode(corners(), "MPO", save_all=True, append_images=[PilImage.new("RGB", (9, 9))])
    image = build(data)
    assert (image.media_type, image.width, image.height) == ("image/jpeg", 48, 32)


def test_too_many_pixels_by_the_header() -> None:
    refused(bomb(8001, 8000), "image_too_many_pixels", r"has 8,001 × 8,000 pixels; at most 64,000,000 are read")
    assert MAX_PIXELS == 8000 * 8000


def test_the_most_pixels_allowed() -> None:
    assert build(bomb(64_000, 1000)).width == 1568


GROWTH = """
import re, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from image_kit import build, corners, encode
from judge.errors import RecordError
data = sys.stdin.buffer.read()
for form in ("PNG", "JPEG", "WEBP", "GIF", "TIFF"):
    build(encode(corners(), form))
def peak():
    # Not `ru_maxrss`, which begins with the peak of the process that started this one.
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024
before = peak()
try:
    build(data)
except RecordError as exc:
    print(exc.code, peak() - before)
else:
    print("read", peak() - before)
"""


def growth(data: bytes) -> tuple[str, int]:
    """The failure's code, and MiB by which the peak of a process grew."""
    command = [sys.executable, "-c", GROWTH, str(Path(__file__).parent)]
    done = subprocess.run(command, input=data, capture_output=True, timeout=60, check=True)
    code, grown = done.stdout.split()
    return code.decode(), int(grown)


def huge_webp() -> bytes:
    """A canvas of 16,383 × 16,383: its decoder sets aside 2 GiB when it is made."""
    exif = PilImage.Exif()
    exif[0x0112] = 6
    small = encode(PilImage.new("RGBA", (2, 2)), "WEBP", lossless=True, exif=exif)
    assert small[12:16] == b"VP8X"
    side = (16_382).to_bytes(3, "little")
    return small[:24] + side + side + small[30:]


def huge_tiff() -> bytes:
    return encode(PilImage.new("1", (12_000, 12_000)), "TIFF", compression="group4")


def many_frames() -> bytes:
    """A GIF of 20,000 frames of 2,000 × 2,000: 240 GB of pixels in less than 1 MB."""
    gif = encode(PilImage.new("P", (2000, 2000)), "GIF")
    start = gif.index(b",")  # the one frame that it has
    frame = b",\0\0\0\0\x01\0\x01\0\0\x02\x02\x4c\x01\0"  # 1 × 1
    return gif[:start] + b"".join([gif[start:-1], frame * 20_000, b";"])


def much_text() -> bytes:
    """A PNG with 60 MB of packed text before its pixels."""
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "a" * 60_000_000, zip=True)
    return encode(PilImage.new("L", (4, 4)), "PNG", pnginfo=text)


BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "144 Mpx": (lambda: bomb(12_000, 12_000), "image_too_many_pixels"),
    "400 Mpx": (lambda: bomb(20_000, 20_000), "image_too_many_pixels"),
    "tiff": (
        lambda: encode(PilImage.new("1", (12_000, 12_000)), "TIFF", compression="group4"),
        "image_too_many_pixels",
    ),
    "webp": (huge_webp, "image_too_many_pixels"),
    "gif": (many_frames, "image_unreadable"),
    "text": (much_text, "image_unreadable"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_before_it_goes_off(name: str) -> None:
    make, code = BOMBS[name]
    data = make()
    assert len(data) < 1_000_000
    found, grown = growth(data)
    assert found.startswith(code)
    assert grown < 50


def test_the_measure_would_see_it() -> None:
    # 7,900 × 7,900 of 1 bit is a byte a pixel in memory: 60 MiB.
    assert growth(bomb(7900, 7900))[1] > 50


# --- PIL images -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I;16"])
def test_a_pil_image_is_drawn_by_the_same_rules(mode: str) -> None:
    picture = (
        PilImage.new("I;16", (100, 50), 4000) if mode == "I;16" else PilImage.new("RGB", (100, 50), BLUE).convert(mode)
    )
    data = encode_picture(picture, ImageRules(max_side=20))
    assert data is not None
    image = build(data)
    assert (image.width, image.height) == (20, 10)


@pytest.mark.parametrize("side", [20, 100])
def test_a_pil_image_is_left_as_it_is(side: int) -> None:
    picture = corners().resize((100, 50))
    picture.info = {"comment": SECRET}
    before = picture.tobytes()
    encode_picture(picture, ImageRules(max_side=side))
    assert (picture.size, picture.info, picture.tobytes()) == ((100, 50), {"comment": SECRET}, before)


def test_a_pil_image_is_turned_and_its_metadata_dropped() -> None:
    exif = PilImage.Exif()
    exif[0x0112] = 6
    exif[0x010E] = SECRET
    with PilImage.open(io.BytesIO(encode(corners(), "JPEG", exif=exif))) as opened:
        data = encode_picture(opened, RULES)
    assert data is not None and SECRET.encode() not in data
    assert decode(build(data)).size == (32, 48)


@pytest.mark.parametrize(
    ("picture", "code"),
    [
        (PilImage.new("F", (4, 4)), "image_unreadable"),
        (PilImage.new("1", (8001, 8000)), "image_too_many_pixels"),
        (PilImage.open(io.BytesIO(encode(noise(40, 40), "JPEG")[:900])), "image_unreadable"),
    ],
)
def test_a_pil_image_is_refused_by_the_same_rules(picture: PilImage.Image, code: str) -> None:
    with pytest.raises(RecordError) as caught:
        encode_picture(picture, RULES)
    assert caught.value.code == code


@pytest.mark.parametrize("value", [None, 1, "a", object(), b"x"])
def test_another_object_is_no_pil_image(value: object) -> None:
    assert encode_picture(value, RULES) is None


# --- real ones ------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not REAL.is_dir(), reason="the images of VQA-RAD are not on this machine (../shared/data/vqa_rad)")
def test_real_images_of_radiology() -> None:
    paths = sorted(REAL.iterdir())
    assert len(paths) >= 20
    for path in paths:
        image = build(path.read_bytes(), ImageRules(max_side=512))
        with PilImage.open(path) as original:
            assert max(image.width, image.height) == min(512, max(original.size))
            thumb = original.convert("RGB").resize((8, 8), PilImage.Resampling.BOX)
        drawn = decode(image).convert("RGB").resize((8, 8), PilImage.Resampling.BOX)
        off = [abs(one - other) for one, other in zip(drawn.tobytes(), thumb.tobytes(), strict=True)]
        assert max(off) < 12, path.name  # of 255: the same picture, and the same way up


def test_the_examples_are_small_and_drawn_by_their_script(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(EXAMPLES / "draw.py"), str(tmp_path)], timeout=30, check=True)
    paths = sorted(EXAMPLES.glob("*.png"))
    assert [path.name for path in paths] == ["chest.png", "ecg.png"]
    for path in paths:
        assert path.stat().st_size < 15_000
        image = build(path.read_bytes())
        assert image.media_type == "image/png" and len(image.data) < 40_000
        # Of 255: another version of Pillow may draw an edge otherwise, and no more.
        difference = ImageChops.difference(decode(image), decode(build((tmp_path / path.name).read_bytes())))
        assert max(ImageStat.Stat(difference).mean) < 1
