"""Documents of other tools and data sets, written to their published shapes, which tests share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from judge.formats import FORMATS
from judge.formats.yaml_text import yaml_text
from judge.rubric import Rubric, parse_rubric

HEALTHBENCH: Final[dict[str, Any]] = {
    "example_tags": ["theme:emergency_referrals", "physician_agreed_category:emergent"],
    "ideal_completions_data": None,
    "prompt": [{"content": "My child is hot.\nWhat now?", "role": "user"}],
    "prompt_id": "00aa-11bb",
    "rubrics": [
        {"criterion": "Asks how old the child is.", "points": 7, "tags": ["level:example", "axis:completeness"]},
        {"criterion": "Recommends aspirin.", "points": -8, "tags": ["level:example", "axis:accuracy"]},
        {"criterion": "Names what to watch:\n- breathing\n- drinking", "points": 2, "tags": []},
    ],
    "canary": "made-up:row",
}
RAR: Final[dict[str, Any]] = {
    "question": "Which lobe is it?",
    "reference_answer": "The right lower lobe.",
    "question_source": "made up",
    "rubric": [
        {"title": "Names it", "description": "Essential Criteria: Names the right lower lobe.", "weight": 5},
        {"title": "Signs", "description": "Important Criteria: Names the opacity.", "weight": 4},
        {"title": "Brief", "description": "Optional Criteria: Takes one paragraph.", "weight": 1},
        {"title": "Side", "description": "Pitfall Criteria: Does not mention the side.", "weight": -1},
        {"title": "Bare", "description": "Names a next step.", "weight": 2},
    ],
    "rubric_list": [
        "Essential Criteria: Names the right lower lobe.",
        "Important Criteria: Names the opacity.",
        "Optional Criteria: Takes one paragraph.",
        "Pitfall Criteria: Does not mention the side.",
        "Names a next step.",
    ],
    "rubric_count": 5,
}
PAPERBENCH: Final[dict[str, Any]] = {
    "id": "40ff-root",
    "requirements": "The paper is reproduced.",
    "weight": 1,
    "sub_tasks": [
        {
            "id": "9ad7-data",
            "requirements": "The data are ready.",
            "weight": 2,
            "sub_tasks": [
                {
                    "id": "1a",
                    "requirements": "The data are loaded.",
                    "weight": 1,
                    "sub_tasks": [],
                    "task_category": "Code Development",
                    "finegrained_task_category": "Dataset and Model Acquisition",
                },
                {
                    "id": "1b",
                    "requirements": "The split is that of section 3.",
                    "weight": 3,
                    "sub_tasks": [],
                    "task_category": "Code Execution",
                    "result": "Pass",
                },
            ],
            "task_category": None,
        },
        {
            "id": "2",
            "requirements": "Table 2 is matched.",
            "weight": 0,
            "sub_tasks": [],
            "task_category": "Result Analysis",
        },
    ],
    "task_category": None,
}
RUBRIC: Final[list[dict[str, Any]]] = [
    {"weight": 5.5, "requirement": "Names the fever."},
    {"weight": -2, "requirement": "Recommends aspirin."},
]
SECTIONS: Final[dict[str, Any]] = {
    "rubric": {
        "id": "triage-1",
        "sections": [
            {
                "id": "s1",
                "title": "History",
                "criteria": [{"id": "age", "weight": 15, "requirement": "Asks the age."}],
            },
            {"criteria": [{"weight": 8, "requirement": "States the dose as mg."}]},
        ],
    }
}
AUTORUBRIC: Final[dict[str, Any]] = {
    "name": "triage",
    "prompt": "What should the parents do?",
    "rubric": {
        "guidelines": "Judge what is written.",
        "criteria": [
            {"name": "fever", "weight": 10.0, "requirement": "Names the fever."},
            {"name": None, "requirement": "Gives a reason."},
            {
                "name": "tone",
                "weight": 5.0,
                "requirement": "How kind is it?",
                "scale_type": "ordinal",
                "options": [
                    {"label": "Rude", "value": 0.0, "na": False},
                    {"label": "Kind", "value": 1.0, "na": False},
                    {"label": "Neither", "value": 0.5, "na": False},
                ],
            },
            {
                "name": "length",
                "weight": 1.0,
                "requirement": "How long is it?",
                "scale_type": "nominal",
                "options": [
                    {"label": "Too long", "value": 0.0, "na": False},
                    {"label": "Right", "value": 1.0, "na": False},
                ],
            },
        ],
    },
    "items": [{"submission": "It is warm.", "description": "short", "ground_truth": None}],
}
VERIFIERS: Final = """\
title = "Triage"

[[criteria]]
name = "fever"
text = "The response names the fever."
weight = 3.0

[[criteria]]
name = "polite"
text = "The response is polite."

[[criteria]]
name = "Depth of it"
text = "How thorough is it?"
choices = ["none", "partial", "good"]
"""
DOCUMENTS: Final[dict[str, list[Any]]] = {
    "healthbench": [HEALTHBENCH],
    "rar": [RAR],
    "paperbench": [PAPERBENCH],
    "rubric": [RUBRIC, SECTIONS, {"sections": [{"criteria": RUBRIC}]}, {"rubric": RUBRIC, "owner": {"team": 7}}],
    "autorubric": [AUTORUBRIC, AUTORUBRIC["rubric"], AUTORUBRIC["rubric"]["criteria"], [{"requirement": "Is short."}]],
}


def text(named: str, document: Any) -> str:
    """As `judge rubric import` writes it."""
    return yaml_text(FORMATS[named].read(document, "made").rubric)


def read(named: str, document: Any) -> Rubric:
    """The same, loaded."""
    return parse_rubric(text(named, document), Path("made.yaml"))


def write(named: str, rubric: Rubric) -> Any:
    """As other tools read it: through JSON."""
    write = FORMATS[named].write
    assert write is not None
    axis = next(axis for axis in rubric.axes.values() if axis.kind == "criteria")
    return json.loads(json.dumps(write(rubric, axis)))
