"""Which other packages answer to a judge's name."""

import pytest
from plugin_kit import install
from run_kit import RUBRIC

from judge.errors import ConfigError
from judge.plugin import find_plugin, list_plugins
from judge.settings import Settings


@pytest.fixture
def site(tmp_path, monkeypatch):
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


def test_nothing_is_registered_until_it_is_installed(site):
    assert find_plugin("other") is None
    install(site)
    plugin = find_plugin("other")
    assert plugin is not None
    assert (plugin.name, plugin.package, plugin.version) == ("other", "judge-other", "1.2")
    assert plugin.source == "judge-other 1.2 (judge_other:open_backend)"


def test_finding_imports_nothing(site):
    install(site, "raise SystemExit('imported')")
    assert find_plugin("other") is not None
    assert [plugin.name for plugin in list_plugins()] == ["other"]


def test_a_name_that_two_packages_want_is_refused(site):
    install(site)
    install(site, package="judge-else", version="3")
    said = r"the judge 'other' is registered twice: by judge-else 3 \(judge_else:open_backend\) and judge-other 1.2 "
    with pytest.raises(ConfigError, match=said):
        find_plugin("other")
    assert [plugin.package for plugin in list_plugins()] == ["judge-else", "judge-other"]


def test_metadata_without_a_version(site):
    module = install(site)
    (site / f"{module}-1.2.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: judge-other\n")
    plugin = find_plugin("other")
    assert plugin is not None and plugin.source.startswith("judge-other unknown (")


def test_another_version_is_another_judge_with_stored_replies_of_its_own(site):
    def settings():
        return Settings(judge="other/m", rubric=RUBRIC)

    without = settings()
    assert without.plugin is None and "package" not in without.identity
    module = install(site)
    first = settings()
    assert (first.identity["package"], first.identity["version"]) == ("judge-other", "1.2")
    assert first.model.code == {"package": "judge-other", "version": "1.2"}
    (site / f"{module}-1.2.dist-info" / "METADATA").write_text("Name: judge-other\nVersion: 1.3\n")
    second = settings()
    assert len({each.labels.judge for each in (without, first, second)}) == 3


@pytest.mark.parametrize("name", ["lexical", "openai", "hosted_vllm"])
def test_our_own_names_cannot_be_taken(site, name):
    install(site, name=name)
    assert Settings(judge=f"{name}/m", rubric=RUBRIC).plugin is None
