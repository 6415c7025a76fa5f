#!/usr/bin/env python3
"""Compare the relay's user instructions per message with the committed ones.

usage: bench_guard.py RELEASE_BUILD [--update]

More than the tolerance above is a regression.  More than it below means that
the committed numbers no longer say what the code costs: --update writes new
ones, to be committed with the change that earned them.  Numbers hold for one
compiler and kind of processor; elsewhere all are skipped.
"""
import json
import pathlib
import platform
import re
import subprocess
import sys

import bench_instructions
import bench_servers

GUARD = bench_servers.TOP / "bench" / "guard.json"
TOLERANCE = 3  # per cent, both ways
TRIES = 3


def where():
    """What the numbers depend on beside the code."""
    gcc = subprocess.run(["gcc", "-dumpfullversion"], capture_output=True, text=True).stdout.strip()
    flags = re.search(r"^flags\s*:(.*)", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    wide = "avx2" if flags and " avx2 " in flags[1] + " " else "no avx2"
    return f"{platform.machine()}, {wide}, gcc {gcc}, {' '.join(platform.libc_ver())}"


def off_by(now, then):
    """Per cent."""
    return 100 * (now - then) / then


def check(count, name, then):
    """The line that says how it is, and whether that is well."""
    for _ in range(TRIES):
        now = count.measure()
        if abs(off_by(now, then)) <= TOLERANCE:
            break
    change = off_by(now, then)
    said = "ok" if abs(change) <= TOLERANCE else "MORE" if change > 0 else "LESS: make bench-guard UPDATE=1"
    return f"  {name:16}{then:9.0f}{now:9.0f}{change:+8.1f} %  {said}", said == "ok"


def update(build):
    numbers = {}
    for name in bench_instructions.PATTERNS:
        count = bench_instructions.Count(build, name)
        for _ in range(TRIES):
            numbers[name] = round(count.measure())
        print(f"  {name:16}{numbers[name]:9}", flush=True)
    GUARD.write_text(json.dumps({"where": where(), "instructions_per_message": numbers}, indent=2) + "\n")


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    if "--update" in sys.argv:
        update(build)
        return 0
    guard = json.loads(GUARD.read_text())
    numbers = guard["instructions_per_message"]
    if guard["where"] != where():
        print(f"the numbers are of {guard['where']}; here is {where()}")
        print(f"0 passed, 0 failed, {len(numbers)} skipped")
        return 0
    print(f"user instructions per message, tolerance {TOLERANCE} %\n  {'':16}{'then':>9}{'now':>9}{'':>10}")
    passed = 0
    for name, then in numbers.items():
        line, is_well = check(bench_instructions.Count(build, name), name, then)
        print(line, flush=True)
        passed += is_well
    print(f"{passed} passed, {len(numbers) - passed} failed")
    return 0 if passed == len(numbers) else 1


if __name__ == "__main__":
    sys.exit(main())
