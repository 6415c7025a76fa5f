"""The text of /metrics: promtool's judgement, and its documentation."""
import os
import pathlib
import re
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
DRIVER = pathlib.Path(os.environ.get("BUILD_DIR", TOP / "build/asan")) / "tests/relay/metrics_driver"


@pytest.fixture(scope="module")
def text():
    return subprocess.run([DRIVER], capture_output=True, text=True, check=True).stdout


def promtool(text):
    return subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)


def test_promtool_has_nothing_to_say(text):
    checked = promtool(text)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


@pytest.mark.parametrize("broken", [
    lambda text: text.replace("# TYPE pyrycode_relay_takeovers_total counter", "# TYPE pyrycode_relay_takeovers_total x"),
    lambda text: text.replace("drains_total", "drains"),
    lambda text: text + text,
], ids=["type", "name", "twice"])
def test_promtool_finds_what_is_wrong(text, broken):
    assert broken(text) != text and promtool(broken(text)).returncode != 0


def families(text):
    """Name to (type, labels with their values)."""
    found = {}
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M):
        labels = {}
        for body in re.findall(rf"^{name}(?:_bucket|_sum|_count)?(?:{{(.*)}})? \S+$", text, re.M):
            for key, value in re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', body):
                labels.setdefault(key, set()).add(value)
        found[name] = (kind, labels)
    return found


def documented():
    """The tables of docs/metrics.md: name to (type, labels)."""
    found = {}
    for name, kind, labels in re.findall(r"^\| `([a-z_]+)` \| (\w+) \| ([^|]*) \|", (TOP / "docs/metrics.md").read_text(), re.M):
        assert name not in found, f"{name} is documented twice"
        listed = {key: set(re.findall(r"`([^`]+)`", values))
                  for key, values in re.findall(r"`([a-z]+)` = ([^;]*)", labels)}
        found[name] = (kind, listed)
    return found


FREE = {"id", "verdict", "version", "le"}  # documented in words


def test_what_is_rendered_is_documented_and_the_other_way_round(text):
    rendered = {name: (kind, {k: v for k, v in labels.items() if k not in FREE})
                for name, (kind, labels) in families(text).items()}
    assert rendered == documented()


def test_every_series_is_rendered_once(text):
    series = [line.rsplit(" ", 1)[0] for line in text.splitlines() if not line.startswith("#")]
    assert len(series) == len(set(series)) > 150


def test_histograms_are_cumulative(text):
    for name in (n for n, (kind, _) in families(text).items() if kind == "histogram"):
        counts = {}
        for labels, value in re.findall(rf'^{name}_bucket{{(.*?),?le="[^"]+"}} (\d+)$', text, re.M):
            counts.setdefault(f"{{{labels}}}" if labels else "", []).append(int(value))
        assert len(counts) == (1 if "_push_" in name else 2), name
        for labels, values in counts.items():
            assert values == sorted(values) and values[-1] > 0
            assert f"{name}_count{labels} {values[-1]}\n" in text
