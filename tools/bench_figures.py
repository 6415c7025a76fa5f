"""What is measured of the relay alone, each as a list of values."""
import contextlib
import os
import pathlib
import socket
import subprocess
import tempfile
import time

import bench_instructions
import bench_posture
import bench_servers

FLOOD = dict(size=128, pairs=50, direction="both", warm_up=200, measure=900)
IDLE = dict(pairs=7500, sources=16, id="idle")


def cpu_ns(pid):
    """Of the whole process, by its own clock."""
    return time.clock_gettime_ns((~pid << 3) | 2)


def thread_ns(pid):
    """CPU time of each of its threads now."""
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return {task.name: int((task / "schedstat").read_text().split()[0]) for task in tasks}


def beside_idle(build, rounds, say, hold_s):
    """Cost of a message beside 15,000 idle connections against none, and what
    those cost on their own over hold_s, which is two heartbeats."""
    ratios = []
    with bench_servers.relay(build) as alone, bench_servers.relay(build) as full:
        crowd = bench_servers.Generator(build, full)
        with crowd.hold(**IDLE):
            for number in range(rounds):
                say(f"15,000 idle connections, {number + 1}")
                costs = [bench_servers.Generator(build, server).run("flood", **FLOOD)["server_cpu_ns"]
                         for server in ((alone, full) if number % 2 else (full, alone))]
                without, beside = costs if number % 2 else reversed(costs)
                ratios.append(beside / without)
            say(f"heartbeats, {hold_s} s")
            before, since = cpu_ns(full.process.pid), time.monotonic_ns()
            time.sleep(hold_s)  # what is measured is that time
            share = (cpu_ns(full.process.pid) - before) / (time.monotonic_ns() - since)
    return {"beside_idle": ratios, "heartbeats_percent": [100 * share]}


def healthy(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as peer:
        peer.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        return peer.recv(4096).startswith(b"HTTP/1.1 200")
    return False


def start_ms(build, runs):
    """From exec to the first /healthz that answers 200, asked without a pause."""
    values = []
    for _ in range(runs):
        server = bench_servers.relay(build)
        command = server.command[server.command.index(str(build / "src/pyrycode-relay")):]
        with open(os.devnull, "w") as null:
            since = time.monotonic_ns()
            pid = os.posix_spawn(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, null.fileno(), 2)])
            while not healthy(server.port):
                if time.monotonic_ns() - since > 30e9:
                    raise bench_servers.Failed("the relay does not answer")
            values.append((time.monotonic_ns() - since) / 1e6)
            os.kill(pid, 15)
            os.waitpid(pid, 0)
    return {"start_ms": values}


def two_workers(build, rounds, say):
    """Messages that two workers could serve against one: by what a message
    costs, and by how evenly the work falls on the two.  What the load
    generator takes from the same processors does not count."""
    ratios = []
    cpus = sorted(os.sched_getaffinity(0))[:2]
    for number in range(rounds):
        say(f"2 workers, {number + 1}")
        capacity = {}
        for threads in ((1, 2) if number % 2 else (2, 1)):
            with bench_servers.relay(build, threads=threads, cpus=cpus) as server:
                before = thread_ns(server.process.pid)
                report = bench_servers.Generator(build, server).run("flood", **{**FLOOD, "pairs": 1000})
                spent = [now - before.get(name, 0) for name, now in thread_ns(server.process.pid).items()]
            capacity[threads] = sum(spent) / max(spent) / report["server_cpu_ns"]
        ratios.append(capacity[2] / capacity[1])
    return {"two_workers": ratios}


def instructions(build, say):
    found = {}
    for name in bench_instructions.PATTERNS:
        say(f"instructions, {name}")
        count = bench_instructions.Count(build, name)
        count.measure()
        found[name] = [count.measure()]
    return found


def binary_kib(build):
    with tempfile.TemporaryDirectory() as tmp:
        out = pathlib.Path(tmp) / "stripped"
        subprocess.run(["strip", "-o", out, build / "src/pyrycode-relay"], check=True)
        return {"binary_kib": [out.stat().st_size / 1024]}


def measure_all(build, quick, say):
    found = beside_idle(build, 2 if quick else 5, say, 2 if quick else 60)
    say("start")
    found |= start_ms(build, 5 if quick else 50)
    say("posture check")
    found["posture_ms"] = [bench_posture.check_microseconds(build, 20 if quick else 300) / 1000]
    found["posture_calls"] = [bench_posture.check_system_calls(build)]
    found |= two_workers(build, 1 if quick else 5, say)
    found |= instructions(build, say)
    return found | binary_kib(build)
