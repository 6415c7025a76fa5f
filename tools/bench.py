#!/usr/bin/env python3
"""Measure the relay beside the floor, haproxy, nginx and a relay in Node.js.

usage: bench.py RELEASE_BUILD [--quick] [--name NAME] [--rounds N]

The servers take turns, each with one processor (where there are two), in
another order each round.  Writes bench/results/NAME.json and charts, and the
table of docs/performance.md; with --quick nothing is written: the numbers of
so short a run say nothing.
"""
import argparse
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import time

import bench_figures
import bench_report
import bench_rows
import bench_servers

ROUNDS = 5
RESULTS = bench_servers.TOP / "bench/results"


class Progress:
    """One line on a terminal, a line a round elsewhere."""

    def __init__(self):
        self.since = time.monotonic()
        self.is_terminal = sys.stderr.isatty()

    def say(self, text):
        if self.is_terminal:
            print(f"\r\x1b[K{time.monotonic() - self.since:5.0f} s  {text}", end="", file=sys.stderr, flush=True)

    def line(self, text):
        self.say("")
        print(f"{time.monotonic() - self.since:5.0f} s  {text}", file=sys.stderr, flush=True)


def first_line(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    return ((done.stdout or done.stderr).splitlines() or ["?"])[0].strip()


def machine():
    """What the numbers were measured on."""
    cpu = [line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
           if line.startswith("model name")]
    return {"processor": cpu[0] if cpu else platform.machine(), "processors": len(os.sched_getaffinity(0)),
            "kernel": platform.release(), "gcc": first_line("gcc", "--version"), "openssl": first_line("openssl", "version"),
            "haproxy": first_line("haproxy", "-v"), "nginx": first_line("nginx", "-v"), "node": first_line("node", "--version"),
            "load_average": [round(os.getloadavg()[0], 1)]}


def servers(build, directory, certificate, home):
    """How to start each, by name."""
    def of(tls):
        return {
            "floor": lambda: bench_servers.floor(build, tls),
            "relay": lambda: bench_servers.relay(build, tls),
            "haproxy": lambda: bench_servers.haproxy(directory, tls),
            "nginx": lambda: bench_servers.nginx(directory, tls),
            "node": lambda: bench_servers.node(home, tls),
        }
    return {False: of(None), True: of(certificate)}


def in_turn(names, number):
    """Another first one each round, and every other round backwards."""
    turned = names[number % len(names):] + names[:number % len(names)]
    return turned[::-1] if number % 2 else turned


def measure(build, makers, certificate, scenario, name):
    with makers[scenario.tls][name]() as server:
        generator = bench_servers.Generator(build, server, certificate if scenario.tls else None)
        return generator.run(scenario.mode, **scenario.options)


def run_rounds(build, makers, certificate, rounds, progress):
    """Reports by scenario and server, one a round; and what failed, as text."""
    reports = {scenario.name: {name: [] for name in scenario.servers} for scenario in bench_rows.SCENARIOS}
    failures = []
    for number in range(rounds):
        for scenario in bench_rows.SCENARIOS:
            if number >= scenario.rounds:
                continue
            for name in in_turn(scenario.servers, number):
                progress.say(f"round {number + 1} of {rounds}: {scenario.title}, {name}")
                try:
                    report = measure(build, makers, certificate, scenario, name)
                except bench_servers.Failed as failed:
                    failures.append(f"{scenario.title}, {name}: {failed}")
                    report = None
                reports[scenario.name][name].append(report)
        progress.line(f"round {number + 1} of {rounds} is done")
    return reports, failures


def parse(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--name", default=first_line(str(bench_servers.TOP / "tools/version.sh")))
    parser.add_argument("--note", default="", help="what ran beside it: one sentence")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    return parser.parse_args(arguments)


def main():
    args = parse(sys.argv[1:])
    build = args.build.resolve()
    progress = Progress()
    about = machine()
    with tempfile.TemporaryDirectory() as tmp:
        directory = pathlib.Path(tmp)
        certificate = bench_servers.make_certificate(directory)
        makers = servers(build, directory, certificate, bench_servers.install_node_relay(build))
        rounds = 1 if args.quick else args.rounds
        reports, failures = run_rounds(build, makers, certificate, rounds, progress)
        figures = bench_figures.measure_all(build, args.quick, progress.say)
    progress.line("all is measured")
    about["load_average"].append(round(os.getloadavg()[0], 1))
    rows = list(bench_rows.judged(bench_rows.Seen(reports, figures)))
    result = {"name": args.name, "rounds": rounds, "note": args.note, "machine": about, "rows": rows, "reports": reports, "figures": figures,
              "failures": failures}
    print(bench_report.text(result))
    if args.quick:
        return 1 if failures else 0
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{args.name}.json").write_text(bench_report.compact_json(result))
    kept = json.loads(bench_report.compact_json(result))  # rounded, as whoever reads it again finds it
    kept["rows"] = list(bench_rows.judged(bench_rows.Seen(kept["reports"], kept["figures"])))
    bench_report.write_charts(kept, RESULTS)
    bench_report.write_document(kept)
    print(f"written: bench/results/{args.name}.json, its charts, docs/performance.md")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
