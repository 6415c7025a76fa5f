"""What measures the relay: every byte is verified, through each kind of server."""
import os
import pathlib
import sys

import pytest
from conftest import TOP, free_port, make_certificate

sys.path.insert(0, str(TOP / "tools"))
import bench_servers  # noqa: E402

BUILD = pathlib.Path(os.environ.get("BUILD_DIR", TOP / "build/asan"))
RUN = dict(warm_up=20, measure=100, limit=60000)

pytestmark = pytest.mark.skipif(not (BUILD / "bench/load").exists(), reason="needs bench/load built")


@pytest.fixture(autouse=True)
def ports(monkeypatch):
    monkeypatch.setattr(bench_servers, "free_port", free_port)
    monkeypatch.setattr(bench_servers, "processors", lambda: ([], []))


@pytest.fixture(params=["plain", "tls"])
def tls(request, tmp_path):
    return make_certificate(tmp_path) if request.param == "tls" else None


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


@pytest.mark.parametrize("server", [bench_servers.floor, bench_servers.relay])
def test_sessions_are_resumed(server, tmp_path):
    tls = make_certificate(tmp_path)
    with server(BUILD, tls=tls) as running:
        assert bench_servers.Generator(BUILD, running, tls).run("churn", resume=True, **RUN)["count"] > 0


def test_a_lost_server_is_a_fault():
    """Nothing is measured of a server that is not there."""
    with bench_servers.floor(BUILD) as running:
        generator = bench_servers.Generator(BUILD, running)
        with pytest.raises(bench_servers.Failed, match="lost"), generator.hold(pairs=1) as held:
            running.process.kill()
            assert held.wait(30) == 1
        with pytest.raises(bench_servers.Failed):
            generator.run("flood", **RUN)


def test_a_server_of_another_kind_is_a_fault():
    """What comes is verified: a relay that is taken for the floor answers something else."""
    with bench_servers.relay(BUILD) as running:
        running.form = "pairs"
        with pytest.raises(bench_servers.Failed, match="lost"):
            bench_servers.Generator(BUILD, running).run("flood", **RUN)
