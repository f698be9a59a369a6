"""True short answers, in several languages: the gate against traces that say nothing must let each of them through."""

from __future__ import annotations

from typing import Final

__all__ = ["SHORT_ANSWERS"]

_LETTERS: Final = "A|B|C|D|E|F|a|b|c|(A)|(b)|C.|D)|[E]|Option B|I|II|III|IV|V|α|β|N|Y"
_NUMBERS: Final = (
    "0|1|2|7|12|42|100|1,000|0.5|.5|-2|−3|1/2|½|5%|37 %|98.6|10^6|1e-3|2:1|3+|4-6|< 5|> 90|≥ 3|~7|±2|T4|N1|M0|G2P1"
)
_UNITS: Final = (
    "12 mg|5 mg/kg|0.9 %|3 cm|7 mm|120/80|80 mmHg|38.5 °C|140 mmol/L|7.2 g/dL|60/min|24 h|2 weeks|500 ml|1 µg|"
    "10 IU|40 Hz|2 Gy|15 kPa|3 L|6 months|30 min|4 days|70 kg"
)
_SHORT: Final = (
    "yes|no|none|both|left|right|true|false|normal|absent|present|positive|negative|stable|benign|male|never|acute|"
    "mild|severe|up|down|low|high|more|fewer|neither|unchanged|possible|likely|correct|first|MI|PE|CT|US|IT|MS|AF|"
    "VT|COPD|H2O|K+|Na|Ca2+|CO2|ER+|HER2|LAD|S3|G6PD|BRCA1|IgA|TSH"
)
_DRUGS: Final = (
    "aspirin|Warfarin|heparin|insulin|metformin|naloxone|adrenaline|penicillin|vancomycin|digoxin|furosemide|"
    "amiodarone|ibuprofen|lithium|morphine|salbutamol|prednisolone|oxygen|fluids|surgery|rest|MRI|biopsy"
)
_FINDINGS: Final = (
    "asthma|Pneumonia|fever|gout|sepsis|measles|effusion|pneumothorax|appendicitis|migraine|stroke|anaemia|cyst|"
    "fracture|tamponade|oedema|shock|hernia|ascites|jaundice"
)
_OTHERS: Final = (
    "sí|no hay|izquierda|neumonía|oui|non|gauche|fièvre|ja|nein|links|Fieber|Lungenentzündung|да|нет|слева|пневмония|"
    "sim|não|esquerda|是|否|有|无|左|肺炎|发热|对|错|はい|いいえ|左側|肺炎です|네|아니요|왼쪽|폐렴|نعم|لا|يسار|हाँ|नहीं|बुखार|sinistra|febbre|"
    "links unten|à droite|12 мг|５ｍｇ|三"
)
SHORT_ANSWERS: Final = tuple(
    answer for block in (_LETTERS, _NUMBERS, _UNITS, _SHORT, _DRUGS, _FINDINGS, _OTHERS) for answer in block.split("|")
)
"""All different, at least 200."""
