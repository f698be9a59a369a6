import math
import pickle
import re
from dataclasses import replace

import pytest

from judge.errors import ConfigError
from judge.rubric import load_rubric
from judge.settings import DEFAULT_PARAMS, Settings, package_version

PKR = load_rubric("pkr")
MODEL = "hosted_vllm/m"


def settings(**given):
    return Settings(**{"judge": MODEL, "rubric": PKR, "api_base": "http://127.0.0.1:8000/v1", **given})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("granularity", "word", "granularity is 'word'; it must be one of trace, axis, unit."),
        ("evidence", "maybe", "evidence is 'maybe'; it must be one of required, flag, none."),
        ("samples", 0, "samples is 0; it must be at least 1."),
        ("concurrency", 0, "concurrency is 0; it must be between 1 and 10,000."),
        ("concurrency", 10_001, "concurrency is 10001; it must be between 1 and 10,000."),
        ("rpm", 0, "rpm is 0; it must be at least 1."),
        ("tpm", -5, "tpm is -5; it must be at least 1."),
        ("max_retries", -1, "max_retries is -1; it must be 0 or more."),
        ("timeout_s", 0, "timeout is 0; it must be a number of seconds above 0."),
        ("timeout_s", math.inf, "timeout is inf"),
        ("timeout_s", math.nan, "timeout is nan"),
        ("min_coverage", 1.5, "min_coverage is 1.5; it must be between 0 and 1."),
        ("min_coverage", math.nan, "min_coverage is nan"),
        ("min_coverage", -0.1, "min_coverage is -0.1"),
        ("budget_usd", 0, "budget is 0; it must be a number of USD above 0."),
        ("budget_usd", math.inf, "budget is inf"),
        ("params", {"messages": []}, "the parameter 'messages' is set by judge: it says what is asked."),
    ],
)
def test_what_cannot_work_is_refused(name, value, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        settings(**{name: value})


def test_the_edges_of_ranges_are_inside():
    settings(samples=1, concurrency=1, max_retries=0, timeout_s=1e-9, min_coverage=0.0)
    settings(concurrency=10_000, rpm=1, tpm=1, min_coverage=1.0)


def test_parameters_are_laid_over_the_defaults():
    model = settings(params={"temperature": 0.7, "top_p": 0.9}).model
    assert model.params == {**DEFAULT_PARAMS, "temperature": 0.7, "top_p": 0.9}
    assert DEFAULT_PARAMS["temperature"] == 0


# What makes a judge another judge: everything that can move a verdict, and nothing else.
@pytest.mark.parametrize(
    ("change", "another"),
    [
        ({"judge": "hosted_vllm/other"}, True),
        ({"api_base": "http://127.0.0.1:8001/v1"}, True),
        ({"params": {"temperature": 0.5}}, True),
        ({"granularity": "unit"}, True),
        ({"evidence": "flag"}, True),
        ({"evidence": "none"}, True),
        ({"probe": True}, True),
        ({"granularity": "axis", "evidence": "required"}, False),
        ({"probe": False, "probe_evidence": False}, False),
        ({"api_base": "http://127.0.0.1:8000/v1/"}, False),
        ({"params": {"temperature": 0}}, False),
        ({"concurrency": 1}, False),
        ({"timeout_s": 1.0}, False),
        ({"max_retries": 0}, False),
        ({"rpm": 60, "tpm": 10_000}, False),
        ({"cache": "x"}, False),
    ],
)
def test_the_judge_id(change, another):
    assert (settings(**change).labels.judge != settings().labels.judge) is another
    assert (settings(**change).identity != settings().identity) is another


def test_what_is_left_open_hangs_on_how_units_are_asked_about():
    plain, probing, quoting = settings(), settings(probe=True), settings(probe_evidence=True)
    assert [(one.granularity, one.evidence, one.probe) for one in (plain, probing, quoting)] == [
        ("axis", "required", False),
        ("unit", "none", True),
        ("unit", "required", True),
    ]
    assert replace(probing, concurrency=2).identity == probing.identity  # as for a worker process
    assert replace(quoting, concurrency=2).identity == quoting.identity


def test_probes_are_judges_of_their_own_and_others_stay_who_they_were():
    ways = ({}, {"evidence": "none", "granularity": "unit"}, {"probe": True}, {"probe_evidence": True})
    assert len({settings(**way).labels.judge for way in ways}) == 4
    assert settings(probe_evidence=True, evidence="flag").labels.judge != settings(probe_evidence=True).labels.judge
    assert not {"probe", "probe_evidence"} & set(settings().identity)
    assert settings(probe=True).identity["probe"] is True
    # Whoever changes this changes every judge: run directories of before are refused.
    assert settings().labels.judge == "hosted_vllm/m#70c9e732"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"probe": True, "granularity": "axis"}, "granularity is 'axis'; a probe asks about one unit."),
        ({"probe": True, "evidence": "required"}, "evidence is 'required', and a probe gives none"),
        ({"probe_evidence": True, "evidence": "none"}, "probe_evidence asks for quotes, and evidence is 'none'."),
        ({"probe": True, "judge": "lexical"}, "lexical gives no probabilities, so it cannot be probed."),
        ({"probe": True, "params": {"logprobs": 3}}, "the parameter 'logprobs' is set by judge"),
        ({"probe": True, "rubric": load_rubric("rar")}, "only checklists and scales can be probed"),
        (
            {"probe_evidence": True, "rubric": load_rubric("prometheus")},
            "probe_evidence asks for quotes of raised units, and the rubric 'prometheus' has none. Use --probe.",
        ),
    ],
)
def test_what_does_not_go_with_probes(given, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        settings(**given)


@pytest.mark.parametrize("change", [{"samples": 2}, {"min_coverage": 0.5}])
def test_the_same_judge_asked_otherwise_is_another_run(change):
    assert settings(**change).labels.judge == settings().labels.judge
    assert settings(**change).identity != settings().identity


def test_the_baseline_is_the_same_wherever_servers_are():
    assert settings(judge="lexical").identity == settings(judge="lexical", api_base=None).identity
    assert settings(judge="lexical").identity["version"] == package_version()
    assert "version" not in settings().identity


def test_labels_name_judge_and_rubric():
    labels = settings().labels
    assert re.fullmatch(r"hosted_vllm/m#[0-9a-f]{8}", labels.judge)
    assert labels.rubric == "pkr@1.0"
    assert labels.axes == dict.fromkeys(("perception", "knowledge", "rationale"), "checklist")
    assert (labels.prompt_fp, labels.rubric_fp) == (settings().prompt.fingerprint, PKR.fingerprint)


def test_only_the_baseline_is_free():
    assert settings(judge="lexical").free
    assert not settings().free


def test_a_fresh_copy_pickles():
    used = settings(params={"top_p": 0.9})
    assert used.labels and used.prompt  # computed and kept, templates too
    copy = pickle.loads(pickle.dumps(replace(used)))
    assert copy.identity == used.identity
