"""The posture command: what it prints, and its exit codes."""
import json
import os
import pathlib
import pty
import re
import shutil
import subprocess

import pytest
from conftest import POSTURE_BIN, clean_environment

IDS = ["config", "running-as-root", "capabilities", "cert-cache", "plaintext-listener", "listeners",
       "single-instance", "no-way-back", "loader-environment", "traced", "executable", "inherited-descriptors",
       "runtime-socket", "descriptor-limit", "key-files", "clock", "entropy", "personality", "privileged-container",
       "host-namespaces", "privileged-group", "root-filesystem", "memory-limit", "confinement", "core-dumps"]


def posture(*args, env=None):
    return subprocess.run([POSTURE_BIN, *args], capture_output=True, text=True, timeout=15,
                          env=clean_environment(**(env or {})))


def test_list_names_every_invariant():
    r = posture("list")
    assert r.returncode == 0
    assert [line.split()[0] for line in r.stdout.splitlines() if line] == IDS
    assert "ErrRunningAsRoot" in r.stdout


@pytest.mark.parametrize("name", IDS)
def test_explain(name):
    r = posture("explain", name)
    assert r.returncode == 0
    for platform in ("bare", "docker", "podman", "kubernetes", "fly", "systemd"):
        assert platform in r.stdout
    assert "production: refuse" in r.stdout or "production: warn" in r.stdout
    assert ("cannot be waived" in r.stdout) == (name in IDS[:7])
    [section] = re.findall(r"docs/runbook.md#(\w+)$", r.stdout, flags=re.M)
    runbook = (pathlib.Path(__file__).parents[2] / "docs" / "runbook.md").read_text()
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## )", runbook, flags=re.M | re.S))
    [text] = [text for title, text in sections.items() if title.lower() == section]
    # The same words: why it matters, and how to fix it on each platform.  And whether it can be waived.
    why = re.search(r"^why +(.*)$", r.stdout, flags=re.M)[1]
    assert why[1:] in " ".join(text.split())
    assert len(fixes := re.findall(r"^  (\w+ +.*)$", r.stdout.split("\nfix\n")[1], flags=re.M)) == 6
    for fix in fixes:
        assert f"\n    {fix}\n" in text, fix
    assert ("cannot be waived" if name in IDS[:7] else "aive it") in text


@pytest.mark.parametrize("args", [["check"], ["check", "--format=json"], ["list"], ["--help"]])
def test_a_report_that_nobody_could_read_is_no_pass(args):
    with open("/dev/full", "w") as full:
        r = subprocess.run([POSTURE_BIN, *args], stdout=full, stderr=subprocess.PIPE, text=True, timeout=15)
    assert r.returncode == 70
    assert "cannot write the output" in r.stderr


def test_json_is_json_and_runs_every_row():
    r = posture("check", "--format=json")
    report = json.loads(r.stdout)
    assert report["schema"] == 1 and report["mode"] == "development"
    assert sorted({f["id"] for f in report["findings"]}) == sorted(IDS)
    counts = report["counts"]
    assert counts["refuse"] + counts["warn"] + counts["none"] == len(report["findings"])


def test_modes():
    assert json.loads(posture("check", "--format=json", "--production").stdout)["mode"] == "production"
    assert json.loads(posture("check", "--format=json", env={"POSTURE_PRODUCTION": "1"}).stdout)["mode"] == "production"
    r = posture("check", "--format", "json", env={"POSTURE_PRODUCTION": "yes"})
    assert r.returncode == 3
    report = json.loads(r.stdout)
    assert report["mode"] == "production"
    config = [f for f in report["findings"] if f["id"] == "config"][0]
    assert config["verdict"] == "fail" and config["object"] == "POSTURE_PRODUCTION"


def test_text_has_failures_first_and_no_colour_in_a_pipe():
    r = posture("check", "--cert-cache", "/")
    assert "\033" not in r.stdout
    assert r.stdout.splitlines()[0].startswith("REFUSE")
    assert r.returncode == 3
    assert "fix" in r.stdout


def test_colour_on_a_terminal():
    main, terminal = pty.openpty()
    subprocess.run([POSTURE_BIN, "check"], stdout=terminal, env=clean_environment(), timeout=15)
    os.close(terminal)
    text = os.read(main, 65536)
    os.close(main)
    assert b"\033[" in text


def test_logfmt_is_a_line_each():
    r = posture("check", "--format=logfmt")
    assert list(dict.fromkeys(line.split()[0] for line in r.stdout.splitlines())) == [f"check={name}" for name in IDS]


@pytest.mark.parametrize("args", [[], ["nonsense"], ["check", "--nope"], ["check", "--format=xml"],
                                  ["check", "--cert-cache"], ["explain"], ["explain", "nonsense"], ["list", "x"],
                                  ["check", "--allow-capability=CAP_NONSENSE"], ["check", "--phase=never"],
                                  ["check", "--expect-listener=foo"], ["check", "--expect-listener", "localhost:80"],
                                  ["check", "--expect-listener="]])
def test_usage_errors(args):
    r = posture(*args)
    assert r.returncode == 64 and r.stdout == "" and "posture" in r.stderr


def test_an_address_that_is_none_is_named():
    r = posture("check", "--expect-listener=foo")
    assert "IP:PORT" in r.stderr and "foo" in r.stderr and "memory" not in r.stderr


BENCH = pathlib.Path(os.environ.get("RELEASE_DIR", "")) / "bench" / "bench_check"


@pytest.mark.skipif(not BENCH.exists() or not shutil.which("strace"), reason="needs the release build and strace")
def test_the_three_phases_of_a_boot_make_150_system_calls_at_most():
    trace = subprocess.run(["strace", "-f", str(BENCH), "0"], capture_output=True, text=True, timeout=20).stderr
    made = re.split(r"getppid\(\)", trace)[1].splitlines()[1:]
    # Without what the measurement adds: two clocks, and the name of the tracer.
    calls = [line for line in made if "(" in line and not line.startswith("clock_gettime") and "/comm" not in line]
    assert 50 < len(calls) - 2 * any("/comm" in line for line in made) <= 150, trace


def test_help_and_version():
    r = posture("--help")
    assert r.returncode == 0 and len(r.stdout.splitlines()) <= 24
    assert max(map(len, r.stdout.splitlines())) <= 80
    for words in (["help"], ["-h"], ["check", "--help"], ["run", "--help"], ["list", "-h"], ["suggest", "--help"]):
        assert posture(*words).stdout == r.stdout, words
    assert posture("--version").stdout.strip()
