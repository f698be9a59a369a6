"""What of this machine is reported, and the command that mends it."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from judge.cli import machine
from judge.cli.machine import check_machine


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("JUDGE_CACHE", str(tmp_path / "store"))


def checks(api_base=None):
    return {check.name: check for check in check_machine(api_base)}


def test_a_store_that_everybody_can_write(tmp_path):
    store = tmp_path / "store"
    store.mkdir(mode=0o700)
    assert (checks()["shared store"].fine, checks()["shared store"].found) == (True, f"{store} (mode 700)")
    store.chmod(0o777)
    found = checks()["shared store"]
    assert (found.fine, found.found) == (None, f"{store} can be written by everybody (mode 777)")
    assert found.fix == f"chmod o-w {store}"


def test_little_disk(monkeypatch):
    for free, fine, found in ((5 * 2**30, True, "5.0 GiB free here"), (2**29, None, "0.5 GiB free here")):
        monkeypatch.setattr(machine.shutil, "disk_usage", lambda _, free=free: SimpleNamespace(free=free))
        assert (checks()["disk"].fine, checks()["disk"].found) == (fine, found)


@pytest.mark.parametrize(
    ("limits", "fine", "found"),
    [
        ((1024, 1024), True, "limit 1024"),
        ((64, 4096), True, "limit 64, raised up to 4096 where a run needs it"),
        ((96, 96), None, "limit 96: about 32 calls in flight, and not 64"),  # 96 − 2 × 32
    ],
)
def test_open_files(monkeypatch, limits, fine, found):
    monkeypatch.setattr(machine, "file_limits", lambda: limits)
    check = checks()["open files"]
    assert (check.fine, check.found) == (fine, found)
    assert bool(check.fix) == (fine is None)


@pytest.mark.parametrize(("encoding", "fine"), [("utf-8", True), ("UTF8", True), ("ascii", None), (None, None)])
def test_encoding(monkeypatch, encoding, fine):
    monkeypatch.setattr(machine.sys, "stdout", type("Stream", (), {"encoding": encoding})())
    assert checks()["terminal"].fine is fine


def test_proxies_are_named_without_their_passwords(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://me:canary-proxy@proxy.invalid:3128")
    bases = ("https://x.invalid/v1", "https://127.0.0.1/v1", None)
    elsewhere, here, unnamed = (checks(base)["proxies"] for base in bases)
    assert (elsewhere.fine, elsewhere.found) == (None, "HTTPS_PROXY: before https://x.invalid/v1")
    assert here.fine is unnamed.fine is True
    assert here.found == "HTTPS_PROXY: for servers elsewhere, never for this machine"
    assert all("canary" not in check.found + check.fix for check in (elsewhere, here, unnamed))


@pytest.mark.parametrize(("device", "fine"), [("/dev/null", True), ("/dev/there-is-none", None)])
def test_a_gpu_is_needed_where_models_are_served_only(monkeypatch, device, fine):
    monkeypatch.setattr(machine, "_GPUS", (device,))
    check = checks()["gpu"]
    assert check.fine is fine
    assert "vllm serve MODEL" in check.found + check.fix
