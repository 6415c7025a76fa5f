"""What the tests of the relay's rules share: series of /metrics, requests for
a WebSocket from any address and many at once, and which worker does what."""
import contextlib
import os
import re
import socket
import subprocess
import threading

from conftest import PATIENCE, RawPeer, Relay

SERIES = re.compile(r"^(?:pyrycode_relay_)?([a-z_]+(?:\{.*\})?) (\S+)$", re.M)


@contextlib.contextmanager
def serving(*flags, **options):
    """A relay with those flags and a metrics listener, ended and checked."""
    relay = Relay(*flags, metrics=True, **options).start()
    try:
        yield relay
    except BaseException:
        relay.stop()
        raise
    assert relay.stop() == 0


def metrics_text(relay):
    answer = relay.get("/metrics", port=relay.metrics_port)
    assert answer.startswith(b"HTTP/1.1 200"), answer[:100]
    return answer.split(b"\r\n\r\n", 1)[1].decode()


def scrape(relay):
    """Every series, without the prefix of its name, and its value."""
    return {name: float(value) for name, value in SERIES.findall(metrics_text(relay))}


def series(relay, name):
    return scrape(relay)[name]


def until(relay, name, value):
    """Wait until a series has that value."""
    relay.wait_until(lambda: series(relay, name) == value)


def moved(relay, before, after=None):
    """What changed since that scrape() among the answers to requests."""
    after = after or scrape(relay)
    told = ("ws_upgrade_attempts", "register_failures", "upgrade_failures", "budget_refusals", "unavailable",
            "rate_limited")
    return {name: after[name] - before[name] for name in after
            if name.startswith(told) and after[name] != before[name]}


def request(path="/v1/server", sid="sid-1", extra=""):
    """A request head that asks for a WebSocket and has what both legs need."""
    return (f"GET {path} HTTP/1.1\r\nHost: relay.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            f"User-Agent: t\r\nX-Pyrycode-Server: {sid}\r\nX-Pyrycode-Token: t\r\n"
            f"X-Pyrycode-Version: 1\r\n{extra}\r\n").encode()


class Attempt(RawPeer):
    """A request for a WebSocket, whatever comes of it; data follows the head
    at once.  source: the address that it comes from."""

    def __init__(self, relay, path="/v1/server", sid="sid-1", source="127.0.0.1", extra="", data=b"", to="127.0.0.1"):
        self.s = relay.connect(source=source, to=to)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.s.sendall(request(path, sid, extra) + data)
        self.buffer = b""
        self._status = None

    @property
    def status(self):
        """Of the answer; 0: the connection ended without one."""
        if self._status is None:
            self._status = self._read_status()
        return self._status

    def _read_status(self):
        with contextlib.suppress(ConnectionError):
            while b"\r\n\r\n" not in self.buffer:
                got = self.s.recv(4096)
                if not got:
                    return 0
                self.buffer += got
            head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
            return int(head[9:12])
        return 0

    def close(self):
        self.s.close()


def upgraded(*args, **options):
    peer = Attempt(*args, **options)
    assert peer.status == 101
    return peer


@contextlib.contextmanager
def closing(peers):
    try:
        yield peers
    finally:
        for peer in peers:
            peer.close()


def at_once(count, attempt, threads=4):
    """So many attempts from several threads: attempt(i) for each i, in no
    order; all are sent before any answer is looked at."""
    made = [None] * count
    ready = threading.Barrier(threads)

    def run(first):
        ready.wait()
        for i in range(first, count, threads):
            made[i] = attempt(i)

    runners = [threading.Thread(target=run, args=(i,)) for i in range(threads)]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join()
    return made


def tasks(relay):
    return sorted(map(int, os.listdir(f"/proc/{relay.process.pid}/task")))


class Calls:
    """How often each thread of the relay makes these system calls, by strace;
    needs root: the sealed relay is not dumpable."""

    def __init__(self, relay, tmp_path, calls):
        self.out = tmp_path / "strace"
        self.process = subprocess.Popen(["strace", "-f", "-e", f"trace={calls}", "-o", str(self.out),
                                         "-p", str(relay.process.pid)], stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if "attached" in line:
                break

    def stop(self, pattern):
        """The count of matching lines by thread."""
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.process.stderr.close()
        counts = {}
        for line in self.out.read_text().splitlines():
            if re.search(pattern, line):
                tid = int(line.split()[0])
                counts[tid] = counts.get(tid, 0) + 1
        return counts


def switches(relay):
    """How often each thread has waited so far."""
    counts = {}
    for tid in tasks(relay):
        with open(f"/proc/{relay.process.pid}/task/{tid}/status") as status:
            counts[tid] = next(int(line.split()[1]) for line in status if line.startswith("voluntary_ctxt_switches"))
    return counts


def run_ns(relay):
    """How long each thread has run so far."""
    times = {}
    for tid in tasks(relay):
        with open(f"/proc/{relay.process.pid}/task/{tid}/schedstat") as schedstat:
            times[tid] = int(schedstat.read().split()[0])
    return times


def spent_by(relay, peer, pings):
    """How long each worker ran while so many pings were answered; the first
    thread is none."""
    before = run_ns(relay)
    for _ in range(pings):
        peer.send(9, b"")
        while peer.recv()[0] != 10:
            pass
    after = run_ns(relay)
    return {tid: after[tid] - before.get(tid, 0) for tid in after if tid != relay.process.pid}


def worker_of(relay, peer):
    """The thread that serves an upgraded peer: it runs for each ping, the
    others for their clocks alone."""
    for _ in range(20):
        times = sorted((ns, tid) for tid, ns in spent_by(relay, peer, 200).items())
        if times[-1][0] > 200 * 1000 and (len(times) == 1 or times[-1][0] > 2 * times[-2][0]):
            return times[-1][1]
    raise AssertionError(f"no worker stands out: {times}")
