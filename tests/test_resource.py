import pytest

from judge import resource
from judge.resource import resource_path, rubric_names


def test_a_checkout_has_its_rubrics_and_prompts():
    assert resource_path("rubrics", "pkr.yaml").is_file()
    assert any(resource_path("prompts").rglob("*.j2"))


def test_what_is_not_there_is_a_path_all_the_same():
    assert not resource_path("rubrics", "nope.yaml").exists()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package folder inside a checkout, each with a file of the same name."""
    folder = tmp_path / "judge"
    for place in (folder, tmp_path):
        (place / "rubrics").mkdir(parents=True)
        (place / "rubrics" / "both.yaml").write_text("")
    (tmp_path / "rubrics" / "checkout.yaml").write_text("")
    monkeypatch.setattr(resource, "_PACKAGE", folder)
    return folder


def test_what_is_installed_comes_first(package):
    assert resource_path("rubrics", "both.yaml") == package / "rubrics" / "both.yaml"


def test_the_checkout_fills_in(package):
    assert resource_path("rubrics", "checkout.yaml") == package.parent / "rubrics" / "checkout.yaml"


def test_the_names_of_rubrics_are_those_of_files_beside_each_other(package):
    (package / "rubrics" / "new").mkdir()
    (package / "rubrics" / "new" / "checklist.yaml").write_text("")
    (package / "rubrics" / "both.cases.jsonl").write_text("")
    (package / "rubrics" / "a.yaml").write_text("")
    assert rubric_names() == ["a", "both"]
