"""What is measured, and what must be reached: scenarios and rows, as data."""
import dataclasses

import bench_stats

ALL = ("floor", "relay", "haproxy", "nginx", "node")
OURS = ("floor", "relay")
NO_PROXIES = ("floor", "relay", "node")
# Each message waits for the one before it in its pair and direction: the
# server reads and writes each on its own.
SHORT = dict(warm_up=200, measure=900)


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    mode: str
    options: dict
    servers: tuple = ALL
    tls: bool = False
    rounds: int = 99  # of these at most: for what hardly varies


SCENARIOS = (
    Scenario("plain_128_1", "128 B, 1 pair", "flood", dict(size=128, pairs=1, direction="both", **SHORT), NO_PROXIES),
    Scenario("plain_128_50", "128 B, 50 pairs", "flood", dict(size=128, pairs=50, direction="both", **SHORT)),
    Scenario("plain_4096_50", "4 KiB, 50 pairs", "flood", dict(size=4096, pairs=50, direction="both", **SHORT)),
    Scenario("plain_65536_10", "64 KiB, 10 pairs", "flood", dict(size=65536, pairs=10, direction="both", **SHORT)),
    Scenario("burst_128_1", "128 B, 16 a write, 1 pair", "flood",
             dict(size=128, pairs=1, direction="both", window=16, burst=16, **SHORT), NO_PROXIES),
    Scenario("burst_128_50", "128 B, 16 a write, 50 pairs", "flood",
             dict(size=128, pairs=50, direction="both", window=16, burst=16, **SHORT), NO_PROXIES),
    Scenario("tls_128_50", "TLS, 128 B, 50 pairs", "flood", dict(size=128, pairs=50, direction="both", **SHORT), tls=True),
    Scenario("tls_4096_50", "TLS, 4 KiB, 50 pairs", "flood", dict(size=4096, pairs=50, direction="both", **SHORT), tls=True),
    Scenario("latency", "round trip, 1000 a second", "ping", dict(size=128, pairs=10, rate=1000, warm_up=300, measure=2000)),
    Scenario("handshakes", "full handshakes", "churn", dict(sources=64, **SHORT), OURS, tls=True),
    Scenario("resumed", "resumed handshakes", "churn", dict(sources=64, resume=True, **SHORT), OURS, tls=True),
    Scenario("idle_plain", "idle, plain", "idle", dict(pairs=2000, sources=4, warm_up=500, measure=200), rounds=3),
    Scenario("idle_tls", "idle, TLS 1.3", "idle", dict(pairs=1500, sources=4, warm_up=500, measure=200), tls=True, rounds=3),
)


@dataclasses.dataclass(frozen=True)
class Row:
    """value: a function of all that was measured."""
    title: str
    unit: str
    relation: str
    bound: float
    value: object


def cpu(scenario):
    """CPU a message (or handshake) against another server's, in the same round."""
    return lambda other: lambda seen: seen.ratio(scenario, "server_cpu_ns", "relay", other)


def figure(name):
    return lambda seen: bench_stats.median(seen.figures.get(name, []))


def rows():
    cpu_rows = [("plain_128_1", "floor", 1.25), ("plain_128_50", "floor", 1.25), ("plain_4096_50", "floor", 1.35),
                ("plain_65536_10", "floor", 1.35), ("burst_128_1", "floor", 1.4), ("burst_128_50", "floor", 1.4),
                ("tls_128_50", "floor", 1.25), ("tls_4096_50", "floor", 1.25), ("tls_128_50", "haproxy", 1),
                ("tls_128_50", "nginx", 1), ("tls_4096_50", "haproxy", 1), ("tls_4096_50", "nginx", 1),
                *((scenario.name, "node", 0.25) for scenario in SCENARIOS if scenario.mode == "flood")]
    titles = {scenario.name: scenario.title for scenario in SCENARIOS}
    for scenario, other, bound in cpu_rows:
        yield Row(f"CPU a message, {titles[scenario]}", f"× {other}", "<=", bound, cpu(scenario)(other))
    for name, title, bound in (("up_128", "128 B, to the binary", 1700), ("down_128", "128 B, to the phone", 1700),
                               ("up_4096", "4 KiB, to the binary", 4000), ("down_4096", "4 KiB, to the phone", 4000)):
        yield Row(f"user instructions a message, {title}", "", "<=", bound, figure(name))
    growth = "pss_growth_per_connection"
    yield Row("memory of an idle connection, plain", "KiB", "<=", 1.5,
              lambda seen: seen.median("idle_plain", "relay", growth) / 1024)
    yield Row("memory of an idle connection, TLS 1.3", "KiB", "<=", 15.5,
              lambda seen: seen.median("idle_tls", "relay", growth) / 1024)
    for other in ("haproxy", "nginx"):
        yield Row("memory of an idle connection, TLS 1.3", f"× {other}", "<", 1,
                  lambda seen, other=other: seen.ratio("idle_tls", growth, "relay", other))
    for scenario in ("handshakes", "resumed"):
        yield Row(f"TLS, {titles[scenario]} a CPU second", "× floor", ">=", 0.9,
                  lambda seen, scenario=scenario: seen.ratio(scenario, "server_cpu_ns", "floor", "relay"))
    for quantile in ("p50", "p99"):
        yield Row(f"round trip at 1000 a second, {quantile}", "× floor", "<=", 1.3,
                  lambda seen, quantile=quantile: seen.ratio("latency", f"latency_{quantile}_ns", "relay", "floor"))
    yield Row("CPU a message beside 15,000 idle connections", "× without", "<=", 1.05, figure("beside_idle"))
    yield Row("heartbeats of 15,000 idle connections", "% of a core", "<=", 1.5, figure("heartbeats_percent"))
    yield Row("exec to the first /healthz 200", "ms", "<=", 10, figure("start_ms"))
    yield Row("posture check, CPU", "ms", "<=", 1, figure("posture_ms"))
    yield Row("posture check, system calls", "", "<=", 150, figure("posture_calls"))
    yield Row("throughput with 2 workers", "× 1 worker", ">=", 1.7, figure("two_workers"))
    yield Row("release binary, stripped", "KiB", "<=", 600, figure("binary_kib"))


class Seen:
    """All that was measured: reports by scenario, server and round, and single figures."""

    def __init__(self, reports=None, figures=None):
        self.reports = reports if reports is not None else {}
        self.figures = figures if figures is not None else {}

    def values(self, scenario, server, key):
        return [report and report[key] for report in self.reports.get(scenario, {}).get(server, [])]

    def median(self, scenario, server, key):
        found = bench_stats.median(self.values(scenario, server, key))
        return float("nan") if found is None else found

    def ratio(self, scenario, key, ours, theirs):
        return bench_stats.median(bench_stats.ratios(self.values(scenario, ours, key), self.values(scenario, theirs, key)))


def judged(seen):
    """Each row with its value and whether its bound is met, as plain data."""
    for row in rows():
        value = row.value(seen)
        if value != value:  # not a number: nothing was measured
            value = None
        yield {"title": row.title, "unit": row.unit, "relation": row.relation, "bound": row.bound, "value": value,
               "met": bench_stats.is_met(value, row.relation, row.bound)}
