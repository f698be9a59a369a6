"""Draws the two pictures beside it: schemas of what two records of `../traces.jsonl` describe, of no real patient.

    python examples/images/draw.py [FOLDER]

`chest.png`: tension pneumothorax on the left (right in the picture, as films are read), with the trachea and the heart
displaced to the right. `ecg.png`: inferior infarction with ST elevation in II, III, aVF and V4R.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont

SIZE = (360, 400)  # of the film, pixels
MM = 6  # pixels of a millimetre of the ECG: 0.04 s, 0.1 mV
LEADS = {"I": -2.0, "aVL": -3.0, "II": 2.0, "aVF": 3.0, "III": 4.0, "V4R": 1.5}
"""Lead -> millimetres by which its ST segment is raised."""

# Time in mm, height in mm and width in mm of the waves of one beat: P, Q, R, S, T.
WAVES = ((3.0, 1.2, 0.9), (7.0, -1.0, 0.3), (7.8, 7.0, 0.35), (8.6, -1.5, 0.3), (16.0, 2.5, 1.7))
BEAT = 25.9  # mm between beats at 25 mm/s: 58 a minute


def film() -> Image.Image:
    picture = Image.new("L", SIZE, 12)
    draw = ImageDraw.Draw(picture)
    draw.polygon([(20, 400), (34, 120), (110, 62), (150, 40), (210, 40), (250, 62), (326, 120), (340, 400)], fill=120)
    draw.polygon([(48, 330), (52, 160), (104, 92), (150, 84), (152, 320)], fill=48)  # the right lung, clear
    draw.polygon([(206, 360), (204, 84), (250, 88), (302, 160), (312, 360)], fill=16)  # air where a lung was
    draw.polygon([(206, 300), (206, 130), (232, 150), (244, 220), (234, 290)], fill=80)  # the collapsed lung
    draw.polygon([(48, 330), (70, 296), (112, 284), (152, 296), (176, 330), (176, 400), (44, 400)], fill=165)  # domed
    draw.rectangle([196, 356, 316, 400], fill=165)  # the left half of the diaphragm, flat and low
    draw.rectangle([176, 40, 200, 400], fill=170)  # the spine
    draw.ellipse([92, 196, 204, 316], fill=195)  # the heart, displaced
    draw.line([(186, 20), (182, 70), (152, 120), (148, 150)], fill=40, width=13)  # the trachea, displaced
    draw.line([(148, 150), (122, 178)], fill=52, width=8)
    draw.line([(148, 150), (190, 174)], fill=52, width=8)
    picture = picture.filter(ImageFilter.GaussianBlur(3))
    draw = ImageDraw.Draw(picture)
    for rib in range(8):  # the back halves, falling to the side
        y = 78 + 32 * rib
        half = 74 + 5 * rib
        draw.arc([188 - 2 * half, y, 188, y + 70], 250, 330, fill=150, width=4)
        draw.arc([188, y, 188 + 2 * half, y + 70], 210, 290, fill=130, width=4)
    picture = picture.filter(ImageFilter.GaussianBlur(1))
    draw = ImageDraw.Draw(picture)
    draw.line([(208, 128), (234, 150), (246, 220), (236, 292)], fill=225, width=2)  # the line of the pleura
    draw.text((330, 14), "L", fill=240, font=ImageFont.load_default(24))
    return picture.quantize(32)


def ecg() -> Image.Image:
    wide, high = 52 * MM, 24 * MM
    picture = Image.new("RGB", (2 * wide + 1, 3 * high + 1), "white")
    draw = ImageDraw.Draw(picture)
    for step, colour in ((MM, "#fbe3e3"), (5 * MM, "#f0a8a8")):
        for x in range(0, picture.width, step):
            draw.line([(x, 0), (x, picture.height)], fill=colour)
        for y in range(0, picture.height, step):
            draw.line([(0, y), (picture.width, y)], fill=colour)
    for place, (lead, raised) in enumerate(LEADS.items()):
        left, middle = place % 2 * wide, place // 2 * high + 14 * MM
        draw.line(list(curve(left, middle, wide, raised)), fill="black", width=2, joint="curve")
        draw.text((left + 5, middle - 13 * MM), lead, fill="black", font=ImageFont.load_default(20))
    return picture.quantize(8)


def curve(left: int, middle: int, wide: int, raised: float) -> Iterator[tuple[float, float]]:
    for x in range(4 * MM, wide):
        at = (x / MM) % BEAT
        waves = sum(height * math.exp(-(((at - time) / width) ** 2)) for time, height, width in WAVES)
        # The ST segment begins where QRS ends (9 mm) and goes over into the T wave.
        segment = raised / (1 + math.exp(-(at - 8.8) / 0.15)) / (1 + math.exp((at - 17.5) / 0.6))
        yield left + x, middle - MM * (waves + segment)


def main(folder: Path) -> None:
    """Write both as PNG."""
    film().save(folder / "chest.png", optimize=True)
    ecg().save(folder / "ecg.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
