"""What measures the relay: every byte is verified, through each kind of server."""
import json
import os
import pathlib
import re
import sys
from xml.etree import ElementTree

import pytest
from conftest import TOP, free_port, make_certificate

sys.path.insert(0, str(TOP / "tools"))
import bench_guard  # noqa: E402
import bench_instructions  # noqa: E402
import bench_report  # noqa: E402
import bench_rows  # noqa: E402
import bench_servers  # noqa: E402
import bench_stats  # noqa: E402
import bench_svg  # noqa: E402

BUILD = pathlib.Path(os.environ.get("BUILD_DIR", TOP / "build/asan"))
RUN = dict(warm_up=20, measure=100, limit=60000)

needs_load = pytest.mark.skipif(not (BUILD / "bench/load").exists(), reason="needs bench/load built")


@pytest.fixture(autouse=True)
def ports(monkeypatch):
    monkeypatch.setattr(bench_servers, "free_port", free_port)
    monkeypatch.setattr(bench_servers, "processors", lambda: ([], []))


@pytest.fixture(params=["plain", "tls"])
def tls(request, tmp_path):
    return make_certificate(tmp_path) if request.param == "tls" else None


@needs_load
@pytest.mark.parametrize("server", [bench_servers.floor, bench_servers.relay])
def test_every_kind_of_load(server, tls):
    with server(BUILD, tls=tls) as running:
        generator = bench_servers.Generator(BUILD, running, tls)
        both = generator.run("flood", pairs=3, direction="both", window=4, burst=2, **RUN)
        large = generator.run("flood", pairs=2, direction="both", size=100000, **RUN)
        ping = generator.run("ping", pairs=2, **RUN)
        exact = generator.run("flood", direction="down", messages=7, **RUN)
        idle = generator.run("idle", pairs=4, **RUN)
        churn = generator.run("churn", concurrent=2, **RUN)
    assert both["count"] > 0 and both["server_cpu_ns"] > 0 and both["connections"] == 6
    assert large["count"] > 0
    assert 0 < ping["latency_p50_ns"] <= ping["latency_p99_ns"] <= ping["latency_max_ns"]
    assert exact["count"] == 7
    assert idle["connections"] == 8 and idle["pss_bytes"] > 0
    assert churn["count"] > 0


@needs_load
@pytest.mark.parametrize("server", [bench_servers.floor, bench_servers.relay])
def test_sessions_are_resumed(server, tmp_path):
    tls = make_certificate(tmp_path)
    with server(BUILD, tls=tls) as running:
        assert bench_servers.Generator(BUILD, running, tls).run("churn", resume=True, **RUN)["count"] > 0


@needs_load
def test_a_lost_server_is_a_fault():
    """Nothing is measured of a server that is not there."""
    with bench_servers.floor(BUILD) as running:
        generator = bench_servers.Generator(BUILD, running)
        with pytest.raises(bench_servers.Failed, match="lost"), generator.hold(pairs=1) as held:
            running.process.kill()
            assert held.wait(30) == 1
        with pytest.raises(bench_servers.Failed):
            generator.run("flood", **RUN)


@needs_load
def test_a_server_of_another_kind_is_a_fault():
    """What comes is verified: a relay that is taken for the floor answers something else."""
    with bench_servers.relay(BUILD) as running:
        running.form = "pairs"
        with pytest.raises(bench_servers.Failed, match="lost"):
            bench_servers.Generator(BUILD, running).run("flood", **RUN)


def test_ratios_are_of_the_same_round():
    assert bench_stats.ratios([10, 30, None, 8], [5, 10, 7, None]) == [2, 3]
    assert bench_stats.median([3, None, 1, 2]) == 2
    assert bench_stats.median([]) is None
    assert bench_stats.spread([1, 1, 1]) == 0
    assert bench_stats.spread([1, 2, 3]) == 0.5


@pytest.mark.parametrize("value, relation, met", [(1, "<=", True), (1.01, "<=", False), (1, "<", False), (1, ">=", True),
                                                  (0.99, ">=", False), (None, "<=", None)])
def test_bounds(value, relation, met):
    assert bench_stats.is_met(value, relation, 1) is met


def seen_of(costs):
    """As if a message had cost that, by server, in each round."""
    return bench_rows.Seen({"plain_128_50": {server: [{"server_cpu_ns": cost} for cost in of] for server, of in costs.items()}})


def test_a_row_is_judged_by_the_median_of_its_ratios():
    rows = {(row["title"], row["unit"]): row for row in
            bench_rows.judged(seen_of({"floor": [100, 200, 100], "relay": [120, 500, 130], "node": [1000, 1000, 1000]}))}
    against_floor = rows["CPU a message, 128 B, 50 pairs", "× floor"]
    assert (against_floor["value"], against_floor["met"]) == (1.3, False)
    against_node = rows["CPU a message, 128 B, 50 pairs", "× node"]
    assert (against_node["value"], against_node["met"]) == (0.13, True)
    assert rows["CPU a message, 128 B, 1 pair", "× floor"]["met"] is None


def test_charts_are_well_formed():
    chart = bench_svg.bars("a < b & c", [("one", {"floor": 1.0, "relay": 2.0}), ("none", {})], bench_report.number)
    root = ElementTree.fromstring(chart)
    bars = [rect for rect in root.iter("{http://www.w3.org/2000/svg}rect") if list(rect)]
    assert [bar.get("class") for bar in bars] == ["floor", "relay"]
    assert float(bars[1].get("width")) == pytest.approx(2 * float(bars[0].get("width")), abs=0.2)


def test_the_document_shows_a_committed_result():
    page = bench_report.DOCUMENT.read_text()
    name = re.search(r"Version `([^`]+)`", page)[1]
    result = json.loads((TOP / "bench/results" / f"{name}.json").read_text())
    result["rows"] = list(bench_rows.judged(bench_rows.Seen(result["reports"], result["figures"])))
    assert bench_report.document_part(result) in page
    for chart, _, _ in bench_report.CHARTS:
        ElementTree.parse(TOP / "bench/results" / f"{name}-{chart}.svg")


class Counted:
    """Of bench_instructions.Count, what the guard needs."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def measure(self):
        return self.answers.pop(0)


@pytest.mark.parametrize("answers, is_well, said", [
    ([1030], True, "ok"), ([970], True, "ok"), ([1100, 1029], True, "ok"), ([900, 1100, 1000], True, "ok"),
    ([1031, 1031, 1031], False, "MORE"), ([969, 969, 969], False, "LESS")])
def test_the_guard_fails_both_ways(answers, is_well, said):
    line, well = bench_guard.check(Counted(*answers), "up_128", 1000)
    assert well is is_well
    assert said in line


def test_the_guard_has_every_pattern():
    guard = json.loads((TOP / "bench/guard.json").read_text())
    assert set(guard["instructions_per_message"]) == set(bench_instructions.PATTERNS)


def test_node_takes_its_packages_from_the_lock_file():
    lock = json.loads((TOP / "bench/node/package-lock.json").read_text())
    wanted = json.loads((TOP / "bench/node/package.json").read_text())["dependencies"]
    for name, version in wanted.items():
        package = lock["packages"][f"node_modules/{name}"]
        assert package["version"] == version and package["integrity"].startswith("sha512-")
    assert not any("resolved" in package for package in lock["packages"].values())
