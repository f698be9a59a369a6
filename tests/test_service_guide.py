"""What the guide shows of the service is what the service answers."""

import json
import re
from pathlib import Path

import pytest
from serve_kit import ROUTES, running, served

from judge.testing import Server

DOCS = Path(__file__).parents[1] / "docs"
GUIDE = (DOCS / "training.md").read_text()
COMPARING = (DOCS / "compare.md").read_text()
SHOWN = re.compile(r"^`POST (/\S+)`.*?```json\n(.*?)```\s+```json\n(.*?)```", re.DOTALL | re.MULTILINE)
PAIRS = SHOWN.findall(GUIDE)


def rounded(value):
    """As the guide writes it: three places, and the first letters of a key."""
    if isinstance(value, dict):
        cut = {name: rounded(child) for name, child in value.items()}
        return {**cut, "record_key": cut["record_key"] and "…"} if "record_key" in cut else cut
    if isinstance(value, list):
        return [rounded(child) for child in value]
    return round(value, 3) if isinstance(value, float) else value


@pytest.mark.parametrize(("path", "sent", "told"), PAIRS, ids=[pair[0] for pair in PAIRS])
def test_an_answer_of_the_guide_is_what_is_answered(path, sent, told):
    with running([served()]) as service:
        answer = service.post(path, json.loads(sent)).json
    assert rounded(answer) == rounded(json.loads(told))


def test_the_comparison_of_the_guide_is_what_is_answered_by_the_rubric_of_the_guide(tmp_path):
    ((path, sent, told),) = SHOWN.findall(COMPARING)
    own = tmp_path / "bedside.yaml"
    own.write_text(re.search(r"```yaml\n(.*?)```", COMPARING, re.DOTALL)[1])
    with Server() as upstream:
        offered = served("hosted_vllm/Qwen3-32B", rubric=str(own), api_base=upstream.api_base)
        with running([offered]) as service:
            answer = service.post(path, json.loads(sent)).json
    shown = json.loads(told)
    # The judge's id hangs on its address, which is another one each time.
    assert answer.pop("judge").partition("#")[0] == shown.pop("judge").partition("#")[0]
    assert answer == shown


def test_the_guide_has_examples_and_names_every_route():
    assert [path for path, _, _ in PAIRS] == ["/v1/score", "/v1/reward"]
    for path in (*ROUTES, "/healthz", "/readyz", "/metrics", "/openapi.json"):
        assert f"`POST {path}`" in GUIDE or f"`GET {path}`" in GUIDE
