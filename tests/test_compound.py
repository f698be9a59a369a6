"""What shows that a statement says two things, and what does not."""

from __future__ import annotations

from typing import Any

import pytest

from judge.compound import find_second


def second(text: str, what: Any) -> str | None:
    """The words that begin the second thing."""
    found = find_second(text, what)
    return None if found is None else text[found.start : found.end].strip()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Names the fever and recommends rest.", "and recommends"),
        ("Names the fever, and also states its cause", ", and also states"),
        ("Names the fever or the cough but does not name the rash", "but does not"),
        ("Explains why the drug is stopped and/or suggests another", "and/or suggests"),
        ("Identifies the fracture as well as classifies it", "as well as classifies"),
        ("Names the fever. Gives its course.", "."),
        ("Names the fever; gives its course", ";"),
        ("Names fever, cough, and rash", "Names fever, cough, and"),
        ("Names the fever and firmly recommends rest", "and firmly recommends"),
        ("Names the fever and doesn't name the rash", "and doesn't"),
        ("States that it is viral and that rest helps", "and that"),
        ("Says that rest is needed and they should drink", "and they should"),
        ("Names the family and recommends rest", "and recommends"),
    ],
)
def test_a_criterion_that_asks_two_things(text: str, words: str) -> None:
    assert second(text, "criterion") == words


@pytest.mark.parametrize(
    "text",
    [
        "Names the signs and symptoms of sepsis.",
        "States that 3.5 mg is given twice a day.",
        "Names a side effect, e.g. nausea, vomiting, and diarrhoea.",
        "Names a side effect such as nausea, vomiting, and diarrhoea.",
        "Names nausea, vomiting, or diarrhoea.",
        "Names a side effect (nausea, vomiting; and names one more. It is rare).",
        'Quotes "rest; and drink. Then sleep" from the leaflet.',
        "Names E. coli as the cause.",
        "Recommends a CT vs. MRI decision. ",
        "Names the combination of pain, fever, and vomiting.",
        "Says what to do if there is pain, fever, and vomiting.",
        "Recommends an X-ray in 24 h. For example, of the chest",
        "Clearly and urgently recommends rest.",
        "Names the fever and the rash that is seen.",
    ],
)
def test_a_criterion_that_asks_one_thing(text: str) -> None:
    assert second(text, "criterion") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Aspirin thins the blood and is taken daily.", "and is"),
        ("Aspirin thins the blood and reduces fever.", "and reduces"),
        ("Aspirin thins the blood. It is taken daily.", "."),
        ("The lung is dark and the heart is small.", "and the heart is"),
        ("The trachea is displaced while the left lung is dark.", "while the left lung is"),
        ("The lung is dark; the heart is small.", ";"),
        ("Herbs have side effects and interact with drugs.", "and interact"),
        ("Bananas are sweet and help to replace what is lost.", "and help"),
        ("Bananas are sweet and shouldn’t be eaten daily.", "and shouldn’t"),
        ("Antihistamines are old and frequently cause sleep.", "and frequently cause"),
        ("The lung is dark, as well as the pleura.", None),
        ("The pressure lies between 5 and 10 mmHg.", None),
        ("The gland is soft, as Dr. Lee said.", None),
        ("The band of the islands is dark.", None),
        ("The effect of the drug and the side effects may be stronger.", None),
        ("Stress is treated with rest and help.", None),
        ("The course of pain and fever.", None),
        ("Aspirin and ibuprofen are used in pain and fever.", None),
    ],
)
def test_claims_are_compound_by_their_own_verbs(text: str, words: str | None) -> None:
    assert second(text, "claim") == words
