#!/usr/bin/env python3
"""What the posture check costs: medians, CPU time in microseconds, and system
calls.  usage: bench_posture.py RELEASE_BUILD [RUNS]"""
import os
import re
import shutil
import statistics
import subprocess
import sys


def cpu(command, null):
    """User and system time of one run, in microseconds."""
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=[
        (os.POSIX_SPAWN_DUP2, null.fileno(), 1), (os.POSIX_SPAWN_DUP2, null.fileno(), 2)])
    _, _, usage = os.wait4(pid, 0)
    return (usage.ru_utime + usage.ru_stime) * 1e6


def medians(commands, runs):
    """Of all of them in turn, so that noise meets each alike."""
    seen = {name: [] for name in commands}
    with open(os.devnull, "w") as null:
        for _ in range(runs):
            for name, command in commands.items():
                seen[name].append(cpu(command, null))
    return {name: statistics.median(values) for name, values in seen.items()}


def check_microseconds(build, runs):
    """CPU time of the checks of one boot, the median of so many."""
    said = subprocess.run([f"{build}/bench/bench_check", str(runs)], capture_output=True, text=True, check=True).stdout
    return int(said) / 1000


def check_system_calls(build):
    """Of the checks of one boot; None without strace."""
    if not shutil.which("strace"):
        return None
    trace = subprocess.run(["strace", "-f", f"{build}/bench/bench_check", "0"], capture_output=True, text=True).stderr
    lines = re.split(r"getppid\(\)", trace)[1].splitlines()[1:]
    # Without what the measurement adds: two clocks, and the name of the tracer.
    ours = [line for line in lines if "(" in line and not line.startswith("clock_gettime")]
    named = sum("/comm" in line for line in ours)
    return len(ours) - 3 * named


def main():
    build = sys.argv[1]
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 300
    posture = f"{build}/posture/posture"
    commands = {
        "true": ["true"],
        "posture run -- true": [posture, "run", "--", "true"],
        "posture check": [posture, "check"],
        "capsh --print": ["capsh", "--print"],
        "systemd-analyze --version": ["systemd-analyze", "--version"],
    }
    commands = {name: command for name, command in commands.items() if shutil.which(command[0])}
    print(f"medians of {runs} runs")
    print(f"  {'one boot: boot, bound, sealed':34}{check_microseconds(build, runs):8.0f} µs CPU")
    calls = check_system_calls(build)
    if calls is not None:
        print(f"  {'':34}{calls:8} system calls")
    for name, value in medians(commands, runs).items():
        print(f"  {name:34}{value:8.0f} µs CPU")


if __name__ == "__main__":
    main()
