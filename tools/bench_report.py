#!/usr/bin/env python3
"""A result as a table, as charts, and as the measured part of docs/performance.md.

usage: bench_report.py RESULT.json      (writes charts and document anew)
"""
import json
import pathlib
import re
import sys

import bench_rows
import bench_servers
import bench_stats
import bench_svg

DOCUMENT = bench_servers.TOP / "docs/performance.md"
PART = re.compile(r"(<!-- measured: from here.*?-->\n).*(<!-- measured: to here -->)", re.S)
KEPT = ("server_cpu_ns", "server_cpu_share", "own_cpu_ns", "per_second", "count", "pss_growth_per_connection",
        "latency_p50_ns", "latency_p99_ns", "connections")
KINDS = {  # by a scenario's mode: key, unit, divisor
    "flood": ("server_cpu_ns", "µs", 1000),
    "churn": ("server_cpu_ns", "µs", 1000),
    "idle": ("pss_growth_per_connection", "KiB", 1024),
    "ping": ("latency_p50_ns", "µs", 1000),
}
MET = {True: "yes", False: "**no**", None: "not measured"}


def compact_json(result):
    """One report a line; only what a table, a chart or a doubt needs."""
    slim = {scenario: {server: [report and {key: float(f"{report[key]:.6g}") for key in KEPT} for report in reports]
                       for server, reports in servers.items()} for scenario, servers in result["reports"].items()}
    whole = json.dumps({**result, "reports": "REPORTS"}, indent=1, ensure_ascii=False)
    lines = ",\n".join(f'  "{scenario}": {{\n' + ",\n".join(
        f'   "{server}": {json.dumps(reports)}' for server, reports in servers.items()) + "\n  }"
        for scenario, servers in slim.items())
    return whole.replace('"REPORTS"', "{\n" + lines + "\n }") + "\n"


def number(value):
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{value:.2f}"


def with_unit(value, unit):
    return f"{number(value)} {unit}".strip() if value is not None else "–"


def spread_text(result):
    """How far apart rounds lie: of the relay's CPU a message, over all scenarios."""
    seen = bench_rows.Seen(result["reports"])
    spreads = [bench_stats.spread(seen.values(scenario.name, "relay", "server_cpu_ns"))
               for scenario in bench_rows.SCENARIOS if scenario.mode == "flood"]
    return f"{100 * (bench_stats.median(spreads) or 0):.0f} %"


def text(result):
    """The table of what must be reached, for a terminal."""
    width = max(len(row["title"]) for row in result["rows"])
    lines = [f"\n{'':{width}}  {'measured':>18}  {'bound':>8}  met"]
    for row in result["rows"]:
        met = {True: "yes", False: "NO", None: "not measured"}[row["met"]]
        lines.append(f"{row['title']:{width}}  {with_unit(row['value'], row['unit']):>18}  "
                     f"{row['relation'] + ' ' + format(row['bound'], 'g'):>8}  {met}")
    met = sum(row["met"] is True for row in result["rows"])
    lines.append(f"{met} of {len(result['rows'])} bounds are met; medians of {result['rounds']} rounds, "
                 f"half of a row's rounds within {spread_text(result)}")
    return "\n".join(lines + [f"FAILED {failure}" for failure in result["failures"]])


def row_table(result):
    lines = ["| measure | measured | bound | met |", "|---|--:|--:|---|"]
    for row in result["rows"]:
        lines.append(f"| {row['title']} | {with_unit(row['value'], row['unit'])} | {row['relation'].replace('<', '&lt;')} "
                     f"{row['bound']:g} | {MET[row['met']]} |")
    return lines


def server_table(result):
    seen = bench_rows.Seen(result["reports"])
    lines = ["| | " + " | ".join(bench_rows.ALL) + " |", "|---" + "|--:" * len(bench_rows.ALL) + "|"]
    for scenario in bench_rows.SCENARIOS:
        keys = [KINDS[scenario.mode]]
        if scenario.mode == "ping":
            keys.append(("latency_p99_ns", "µs", 1000))
        for key, unit, divisor in keys:
            cells = []
            for server in bench_rows.ALL:
                value = bench_stats.median(seen.values(scenario.name, server, key))
                cells.append("" if server not in scenario.servers else number(value and value / divisor))
            what = ", p99" if key == "latency_p99_ns" else ", p50" if scenario.mode == "ping" else ""
            lines.append(f"| {scenario.title}{what} ({unit}) | " + " | ".join(cells) + " |")
    return lines


def document_part(result):
    about = result["machine"]
    charts = [f"![{title}](../bench/results/{result['name']}-{name}.svg)" for name, title, _ in CHARTS]
    lines = [
        f"Version `{result['name']}`, medians of {result['rounds']} rounds; half of the rounds of a pattern lie within "
        f"{spread_text(result)} of its median.",
        f"{about['processor']}, {about['processors']} processors, Linux {about['kernel']}, {about['gcc']}, "
        f"{about['openssl'].split(' (')[0]}, "
        f"{about['haproxy'].split(' - ')[0]}, {about['nginx'].replace('nginx version: ', '')}, Node.js {about['node']}; load average "
        f"{about['load_average'][0]} at the start, {about['load_average'][1]} at the end. {result['note']}".rstrip(), "",
        *row_table(result), "", "### Of each server", "",
        "CPU of the server a message (a handshake), memory of a connection, round trip: medians.", "",
        *server_table(result), "",
        f"The fastest start of {len(result['figures']['start_ms'])}: {min(result['figures']['start_ms']):.1f} ms.", "",
        *charts, ""]
    if result["failures"]:
        lines += ["Runs that failed, and count for nothing:", "", *(f"- {failure}" for failure in result["failures"]), ""]
    return "\n".join(lines)


def write_document(result):
    page = DOCUMENT.read_text()
    DOCUMENT.write_text(PART.sub(lambda found: found[1] + document_part(result) + found[2], page))


# Chart's name, title, and the modes and encryption of what it shows.
CHARTS = (
    ("cpu-plain", "CPU of the server a message, plain (µs)", lambda s: s.mode == "flood" and not s.tls),
    ("cpu-tls", "CPU of the server a message, TLS on both sides (µs)", lambda s: s.mode == "flood" and s.tls),
    ("memory", "Memory of an idle connection (KiB)", lambda s: s.mode == "idle"),
    ("latency", "Round trip at 1000 a second, p50 (µs)", lambda s: s.mode == "ping"),
)


def write_charts(result, directory):
    seen = bench_rows.Seen(result["reports"])
    for name, title, belongs in CHARTS:
        groups = []
        for scenario in filter(belongs, bench_rows.SCENARIOS):
            key, _, divisor = KINDS[scenario.mode]
            values = {server: bench_stats.median(seen.values(scenario.name, server, key)) for server in scenario.servers}
            groups.append((scenario.title, {server: value / divisor for server, value in values.items() if value is not None}))
        (directory / f"{result['name']}-{name}.svg").write_text(bench_svg.bars(title, groups, number))


def main():
    path = pathlib.Path(sys.argv[1])
    result = json.loads(path.read_text())
    result["rows"] = list(bench_rows.judged(bench_rows.Seen(result["reports"], result["figures"])))
    write_charts(result, path.parent)
    write_document(result)
    print(text(result))


if __name__ == "__main__":
    main()
