#!/usr/bin/env python3
"""Run every suite of a build and print one line of true totals.

usage: run_tests.py --build DIR --threads DIR --portable DIR --release DIR [PYTEST ARGUMENT...]

Unit tests are meson's (each case counted), end-to-end tests are pytest's.
Those of the relay run four times: with the sanitizers of memory and of
threads, and as it is released, sealed: with one worker, and with two over TLS.
Those that need root run through sudo when we are not root and may use it.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET

TOP = pathlib.Path(__file__).resolve().parent.parent
PYTHON = "/usr/bin/python3"  # the one that Debian's python3-* packages serve
THREADED = ["relay/address_table", "relay/log", "relay/metrics", "relay/races", "relay/wake_ceiling"]  # what several threads touch


class Totals:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add_junit(self, path):
        """Count the cases of a JUnit file; a missing one is a failure."""
        if not path.exists():
            self.failed += 1
            return
        for case in ET.parse(path).getroot().iter("testcase"):
            kinds = {child.tag for child in case}
            if kinds & {"failure", "error"}:
                self.failed += 1
            elif "skipped" in kinds:
                self.skipped += 1
            else:
                self.passed += 1

    def line(self):
        text = f"{self.passed} passed, {self.failed} failed"
        return text + (f", {self.skipped} skipped" if self.skipped else "")


def run_unit(title, build, totals, names=()):
    print(f"== unit tests, {title}", flush=True)
    code = subprocess.run(["meson", "test", "-C", build, "--no-rebuild", "--print-errorlogs", *names]).returncode
    before = totals.failed
    totals.add_junit(build / "meson-logs" / "testlog.junit.xml")
    if code != 0 and totals.failed == before:
        totals.failed += 1  # a test died without a failed case


def run_end_to_end(title, build, others, tests, totals, extra, workers, over_tls=False):
    print(f"== end-to-end tests, {title}", flush=True)
    env = {
        "RELAY_THREADS": str(workers),
        "RELAY_BIN": str(build / "src" / "pyrycode-relay"),
        "POSTURE_BIN": str(build / "posture" / "posture"),
        "PORTABLE_RELAY_BIN": str(others.portable / "src" / "pyrycode-relay"),
        "POSTURE_STATIC": str(others.static),
        "RELEASE_DIR": str(others.release),
        "WIRE_DRIVER": str(build / "tests" / "wire" / "wire_driver"),
        "BUILD_DIR": str(build),
        "FAULT_SHIM": str(others.build / "tests" / "shim" / "faults.so"),
        "JUDGE_DRIVER": str(build / "tests" / "posture" / "judge_driver"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "RELAY_TLS": "1" if over_tls else "0",
    }
    prefix = []
    if os.geteuid() != 0 and subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0:
        prefix = ["sudo", "-n"]
    with tempfile.TemporaryDirectory() as tmp:
        report = pathlib.Path(tmp) / "pytest.xml"
        command = [*prefix, "env", *[f"{k}={v}" for k, v in env.items()], PYTHON, "-m", "pytest", "-q",
                   "-p", "no:cacheprovider", "--tb=short", "-n", "5", f"--junitxml={report}", *extra, *map(str, tests)]
        code = subprocess.run(command, cwd=TOP).returncode
        before = totals.failed
        totals.add_junit(report)
        if code != 0 and totals.failed == before:
            totals.failed += 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--threads", required=True, type=pathlib.Path)
    parser.add_argument("--portable", required=True, type=pathlib.Path)
    parser.add_argument("--release", required=True, type=pathlib.Path)
    parser.add_argument("--static", required=True, type=pathlib.Path)
    args, extra = parser.parse_known_args()
    for name, path in vars(args).items():
        setattr(args, name, path.resolve())
    totals = Totals()
    run_unit("sanitized", args.build, totals)
    run_unit("thread sanitizer", args.threads, totals, THREADED)
    tests = TOP / "tests" / "e2e"
    relay = sorted(tests.glob("test_relay_*.py"))
    run_end_to_end("sanitized", args.build, args, [tests], totals, extra, workers=2)
    run_end_to_end("thread sanitizer", args.threads, args, relay, totals, extra, workers=2)
    run_end_to_end("released, 1 worker", args.release, args, relay, totals, extra, workers=1)
    run_end_to_end("released, 2 workers, over TLS", args.release, args, relay, totals, extra, workers=2, over_tls=True)
    print(totals.line())
    return 1 if totals.failed or not totals.passed else 0


if __name__ == "__main__":
    sys.exit(main())
