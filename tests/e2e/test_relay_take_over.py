"""Take-over: a new process receives the listening sockets of the one that runs, which then lets go of its peers."""
import asyncio
import contextlib
import json
import os
import pathlib
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading

import pytest
from websockets.exceptions import ConnectionClosed as WebsocketClosed
from conftest import (PATIENCE, RELAY_BIN, Relay, binary, closed, free_port, learn_conn_id, make_certificate,
                      parse_line, phone, recv)

ASK, READY, OFFER, YIELDED, REFUSED = range(5)
PUBLIC, METRICS, CHALLENGES, PATH, LOCK = range(5)
BUSY, OUT_OF_TURN, TOO_LATE = range(3)
QUICK = ("--drain-seconds", "1")


def message(kind, version=b"", refusal=0):
    return bytes([1, kind, refusal, len(version)]) + version


class Line:
    """Instances of one deployment, each taking over from the one before."""

    def __init__(self, directory, **options):
        self.path = directory / "take-over"
        self.options = options
        self.all = []

    def start(self, *flags, env=None, wait=True, **options):
        first = not self.all
        new = Relay("--take-over", str(self.path), *QUICK, *flags, metrics=first, env=env,
                    ready=(lambda r: r._answers()) if first else (lambda r: r.events("took over")),
                    **{**self.options, **options})
        if not first:
            new.port, new.http_port, new.metrics_port = (self.all[0].port, self.all[0].http_port,
                                                         self.all[0].metrics_port)
        if not wait:
            return new
        new.start()
        self.all.append(new)
        return new

    def refused(self, *flags, **options):
        """One more that does not come to serve: its exit status and its log."""
        new = self.start(*flags, wait=False, **options)
        r = subprocess.run(new.command(), env=new.env, capture_output=True, text=True, timeout=PATIENCE)
        return r.returncode, r.stderr

    def taker(self):
        """A process of ours that asks, and need not go on."""
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.settimeout(PATIENCE)
        s.connect(str(self.path))
        return s

    def end(self):
        for relay in self.all:
            assert relay.stop() == 0


@pytest.fixture
def line(tmp_path):
    os.chmod(tmp_path, 0o700)
    made = Line(tmp_path)
    yield made
    made.end()


def descriptors(relay):
    """What it has open, by kind."""
    found, place = [], f"/proc/{relay.process.pid}/fd"
    for fd in os.listdir(place):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(f"{place}/{fd}").split(":")[0].replace(str(relay.process.pid), "PID"))
    return sorted(found)


async def ended(relay):
    return await asyncio.to_thread(relay.process.wait, 2 * PATIENCE)


async def test_a_new_process_takes_over(line):
    old = line.start()
    assert stat.S_IMODE(os.stat(line.path).st_mode) == 0o600
    b, p = await binary(old), await phone(old)
    old.wait_event("phone_registered")
    new = line.start()
    assert old.wait_event("take-over asked for")[0]["pid"] == str(new.process.pid)
    assert old.events("taken over; draining")[0]["value"] == "1"
    assert new.events("taking over")[0]["path"] == str(line.path)
    assert await closed(p) == (1001, "shutting down")
    assert await closed(b) == (1001, "shutting down")
    async with binary(new) as b, phone(new) as p:  # the same address
        await p.send("1")
        assert json.loads(await recv(b))["frame"] == 1
    new.wait_event("phone_registered")
    assert await ended(old) == 0
    assert old.events("shutdown complete") and not old.events("drain incomplete")
    assert new.get("/metrics", port=new.metrics_port).startswith(b"HTTP/1.1 200")


class Hammer:
    """Clients that come all the time, each with a request of its own, until told to stop."""

    def __init__(self, relay, count=3):
        self.relay, self.served, self.failed = relay, 0, []
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(count)]

    def run(self):
        while not self.stopped.is_set():
            try:
                answer = self.relay.get("/healthz")
                assert answer.startswith(b"HTTP/1.1 200"), answer
                self.served += 1
            except Exception as e:  # whatever it is, a client saw it
                self.failed.append(repr(e))

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for t in self.threads:
            t.join(PATIENCE)


def test_nobody_is_refused_through_five_take_overs_in_a_row(line):
    """Also: with fewer and with more workers, and without a descriptor left over."""
    relay = line.start("--threads", "2")
    with Hammer(relay) as hammer:
        for threads in ("2", "1", "3", "4", "2"):
            before = hammer.served
            relay = line.start("--threads", threads)
            relay.wait_until(lambda: hammer.served > before + 20)
        for old in line.all[:-1]:
            assert old.process.wait(PATIENCE) == 0
        before = hammer.served
        relay.wait_until(lambda: hammer.served > before + 20)
    assert not hammer.failed, hammer.failed[:3]
    first = Relay("--threads", "2", "--take-over", str(line.path) + ".other", metrics=True).start()
    relay.wait_until(lambda: descriptors(first) == descriptors(relay))  # when the last request's is closed
    assert first.stop() == 0


def test_who_waits_in_the_queue_is_taken_by_the_new_one(line):
    """Nobody accepts for a moment, and nobody is turned away for it."""
    old = line.start("--threads", "2")
    line.all.clear()
    with line.taker() as s:
        s.send(message(ASK, b"1.0"))
        data, fds, _, _ = socket.recv_fds(s, 1024, 128)
        handed = [socket.socket(fileno=fd) for fd in fds]
        s.send(message(READY))
        assert s.recv(1024) == message(YIELDED)
        old.wait_event("taken over; draining")
        assert old.process.wait(2 * PATIENCE) == 0  # its own copies are closed, and no queue with them
        clients = [socket.create_connection(("127.0.0.1", old.port), PATIENCE) for _ in range(20)]
        names = {c.getsockname() for c in clients}
        for listener in handed[:2]:
            listener.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    connection, peer = listener.accept()
                    connection.close()
                    names.remove(peer)
        assert not names
        for each in [*clients, *handed]:
            each.close()
    assert old.stop() == 0


async def test_peers_that_come_back_lose_nothing(line):
    """Pairs that exchange numbered frames all the time, and return when they are sent away."""
    relay = line.start("--threads", "2")
    pairs = [Pair(relay, f"sid-{n}") for n in range(4)]
    running = [asyncio.create_task(pair.run()) for pair in pairs]
    for generation in range(1, 4):
        await until(lambda: all(pair.exchanged > 20 for pair in pairs))
        line_at = [pair.returned for pair in pairs]
        await asyncio.to_thread(line.start, "--threads", str(generation))
        await until(lambda: all(pair.returned > before for pair, before in zip(pairs, line_at)))
        for pair in pairs:
            pair.exchanged = 0
    await until(lambda: all(pair.exchanged > 20 for pair in pairs))
    for pair, task in zip(pairs, running):
        pair.stop = True
        await asyncio.wait_for(task, PATIENCE)
        assert set(pair.codes) == {(1001, "shutting down")}, pair.codes
    assert [await ended(old) for old in line.all[:-1]] == [0, 0, 0]


async def until(condition, seconds=4 * PATIENCE):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


class Pair:
    """A phone that sends a number, and its binary that sends it back: one of the two is always under way."""

    def __init__(self, relay, sid):
        self.relay, self.sid = relay, sid
        self.exchanged, self.returned, self.stop, self.codes = 0, 0, False, []

    async def run(self):
        while not self.stop:
            async with binary(self.relay, self.sid) as b, phone(self.relay, self.sid) as p:
                echo = asyncio.create_task(self.echo(b))
                ended = await self.exchange(p)
                if self.stop:
                    await b.close()
                heard = await echo
                self.codes += [] if self.stop else [(ws.close_code, ws.close_reason) for ws in (b, p)]
            if not self.stop:
                sent, got = ended
                # What the phone had an answer to went both ways; of the last number, nothing was half done.
                assert heard in (sent, sent - 1) and got in (heard, heard - 1), (sent, heard, got)
                self.returned += 1

    async def echo(self, b):
        heard = 0
        with contextlib.suppress(ConnectionError, WebsocketClosed):
            async for text in b:
                envelope = json.loads(text)
                if "frame" not in envelope:
                    continue
                assert envelope["frame"] == heard + 1, "in order, none missing"
                heard += 1
                await b.send(json.dumps(envelope))
        return heard

    async def exchange(self, p):
        sent = got = 0
        with contextlib.suppress(WebsocketClosed):
            while not self.stop:
                sent += 1
                await p.send(str(sent))
                assert await p.recv() == str(sent)
                got += 1
                self.exchanged += 1
        return sent, got


async def test_frames_on_their_way_come_before_the_close(line):
    """Many frames at once, and a reader that has looked at none of them when the relay lets go."""
    old = line.start()
    b, p = await binary(old, max_queue=2000), await phone(old, max_queue=2000)
    cid = await learn_conn_id(b, p)
    b.transport.pause_reading()
    for n in range(300):
        await p.send(json.dumps(["x" * 500, n]))
    await b.send(json.dumps({"conn_id": cid, "frame": "last"}))
    await asyncio.to_thread(line.start)
    b.transport.resume_reading()
    assert [json.loads(await recv(b))["frame"][1] for n in range(300)] == list(range(300))
    assert await recv(p) == '"last"'
    assert await closed(b) == (1001, "shutting down") and await closed(p) == (1001, "shutting down")


# ---- it does not come to it ----

async def lives(relay):
    async with binary(relay, "sid-lives") as b, phone(relay, "sid-lives") as p:
        await p.send("1")
        assert json.loads(await recv(b))["frame"] == 1


async def test_one_that_refuses_to_start_changes_nothing(line):
    old = line.start()
    async with binary(old) as b, phone(old) as p:
        code, log = line.refused(env={"PYRYCODE_RELAY_PRODUCTION": "yes"})
        assert code == 2 and "refusing to start" in log and "taking over" not in log
        event = old.wait_event("take-over failed; serving on")[0]
        assert event["reason"] == "it ended before it was ready"
        await p.send("2")
        assert json.loads(await recv(b))["frame"] == 2
    await lives(old)
    assert line.start().events("took over")


async def test_one_that_cannot_bind_changes_nothing(line):
    """It has the sockets already, and another option of its own fails."""
    old = line.start()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, log = line.refused(f"--metrics-listen=127.0.0.1:{taken.getsockname()[1]}")
    assert code == 1 and "listener failed" in log and "took over" not in log
    old.wait_event("take-over failed; serving on")
    await lives(old)


async def test_one_that_dies_half_way_changes_nothing(line):
    old = line.start("--threads", "2")
    held = len(descriptors(old))
    for n in range(1, 21):
        with line.taker() as s:
            s.send(message(ASK, b"1.0"))
            data, fds, flags, _ = socket.recv_fds(s, 1024, 128)
            kinds = list(data[4 + data[3]:])
            others = [METRICS, *([CHALLENGES] if old.tls else []), PATH]
            assert data[:2] == bytes([1, OFFER]) and kinds == [PUBLIC] * (len(fds) - len(others)) + others
            for fd, kind in zip(fds, kinds):
                with socket.socket(fileno=fd) as copy:
                    port = {PUBLIC: old.port, METRICS: old.metrics_port, CHALLENGES: old.http_port}.get(kind)
                    assert copy.getsockname() == (str(line.path) if kind == PATH else ("127.0.0.1", port))
        old.wait_event("take-over failed; serving on", count=n)
        await lives(old)
    old.wait_until(lambda: len(descriptors(old)) <= held)
    metrics = old.get("/metrics", port=old.metrics_port).decode()
    assert 'pyrycode_relay_take_overs_total{outcome="failed"} 20' in metrics


def test_one_at_a_time(line):
    old = line.start()
    with line.taker() as first:
        first.send(message(ASK, b"1.0"))
        fds = socket.recv_fds(first, 1024, 128)[1]
        code, log = line.refused()
        assert code == 1 and "another process is taking over already" in log
        assert old.wait_event("take-over refused")[0]["reason"] == "another process is taking over already"
        for fd in fds:
            os.close(fd)
    old.wait_event("take-over failed; serving on")
    assert line.start().events("took over")


@pytest.mark.parametrize("words, answer", [
    ([b"GET / HTTP/1.1\r\n\r\n"], None), ([b"\x02\x00\x00\x011"], None),
    ([message(READY)], bytes([1, REFUSED, OUT_OF_TURN, 0])),
    ([message(ASK)], bytes([1, REFUSED, OUT_OF_TURN, 0])),
    ([message(YIELDED)], bytes([1, REFUSED, OUT_OF_TURN, 0])),
    ([b"\x01" * 4000], bytes([1, REFUSED, OUT_OF_TURN, 0])),
], ids=["http", "format", "ready-first", "no-version", "wrong-way", "long"])
def test_nonsense_is_refused(line, words, answer):
    old = line.start()
    with line.taker() as s:
        for word in words:
            s.send(word)
        got = s.recv(1024)
        assert got == (answer or b"")
    assert old.wait_event("take-over refused")
    assert old.get("/healthz").startswith(b"HTTP/1.1 200")


def test_descriptors_that_nobody_asked_for_are_not_kept(line):
    old = line.start()
    held = len(descriptors(old))
    with line.taker() as s, open("/dev/null", "rb") as f:
        socket.send_fds(s, [message(ASK, b"1")], [f.fileno()] * 50)
        assert s.recv(1024) == bytes([1, REFUSED, OUT_OF_TURN, 0])
    old.wait_until(lambda: len(descriptors(old)) <= held)


STRANGER = """
import os, socket, sys
os.setresgid(65534, 65534, 65534); os.setgroups([]); os.setresuid(65534, 65534, 65534)
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.settimeout(15)
try:
    s.connect(sys.argv[1])
except PermissionError:
    sys.exit(13)
try:
    s.send(bytes([1, 0, 0, 1]) + b"1")
    sys.exit(0 if not s.recv(1000) else 1)
except ConnectionError:
    sys.exit(0)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_a_stranger_gets_nothing(line, tmp_path):
    old = line.start()
    for directory in [tmp_path, *tmp_path.parents[:3]]:
        os.chmod(directory, 0o755)
    stranger = [sys.executable, "-c", STRANGER, str(line.path)]
    assert subprocess.run(stranger, timeout=PATIENCE).returncode == 13  # the file's mode
    os.chmod(line.path, 0o666)
    assert subprocess.run(stranger, timeout=PATIENCE).returncode == 0  # the kernel's word
    assert old.wait_event("take-over refused")[0]["reason"] == "it is another user's process"
    assert old.get("/healthz").startswith(b"HTTP/1.1 200")
    assert line.start().events("took over")


def make_open(path):
    path.parent.chmod(0o770)


def make_file(path):
    path.write_text("")


def make_link(path):
    path.symlink_to(path.parent / "elsewhere")


def make_linked_directory(path):
    real = path.parent.with_name("real")
    real.mkdir(mode=0o700)
    path.parent.rmdir()
    path.parent.symlink_to(real)


@pytest.mark.parametrize("spoil, err", [
    (make_open, "not this user's alone"), (make_file, "no socket"), (make_link, "no socket"),
    (make_linked_directory, "Not a directory")])
def test_a_path_that_others_can_prepare_is_refused(tmp_path, spoil, err):
    directory = tmp_path / "run"
    directory.mkdir(mode=0o700)
    spoil(directory / "take-over")
    code, log = Line(directory).refused()
    assert code == 1 and "take-over failed" in log and err in log and "fix=" in log


@pytest.mark.parametrize("path", ["", "take-over", "/", "/run/", "/" + "x" * 107])
def test_a_path_that_is_none(path):
    r = subprocess.run([Relay().binary, "--insecure-listen", "127.0.0.1:18090", "--take-over", path],
                       capture_output=True, text=True, timeout=PATIENCE)
    assert r.returncode == 2 and "invalid --take-over" in r.stderr


async def test_a_socket_that_nobody_listens_on_is_replaced(line):
    first = line.start()
    assert first.stop() == 0
    assert line.path.is_socket()
    line.all.clear()
    second = line.start()
    assert not second.events("taking over")
    assert line.start().events("took over")


async def test_a_signal_ends_the_one_that_lets_go(line):
    old = line.start("--drain-seconds", "3600")
    b = await binary(old)
    new = line.start()
    old.wait_event("taken over; draining")
    assert await asyncio.to_thread(old.stop) == 0
    assert (await closed(b))[0] == 1001
    await lives(new)


def test_the_options_may_change(line):
    """What the new one does not ask for is closed, what is new is bound."""
    old = line.start()
    port = free_port()
    new = line.start("--metrics-listen=", f"--insecure-listen=127.0.0.1:{port}", tls=False) if not old.tls else \
        line.start("--metrics-listen=", f"--https-listen=127.0.0.1:{port}")
    assert old.process.wait(2 * PATIENCE) == 0
    for gone in (old.port, old.metrics_port):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", gone), PATIENCE).close()
    new.port = port
    assert new.get("/healthz").startswith(b"HTTP/1.1 200")


@pytest.fixture
def deployment():
    """Of uid 65532, who may not look into root's directories: a program, a certificate and a place to meet."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as work, tempfile.TemporaryDirectory(dir="/var/tmp") as programs:
        os.chmod(programs, 0o755)
        program = shutil.copy(RELAY_BIN, programs)
        os.chmod(program, 0o755)
        pair = make_certificate(pathlib.Path(work))
        for path in (work, *pair):
            shutil.chown(path, 65532, 65532)
        line = Line(pathlib.Path(work), tls=True, certificate=pair, binary=program, prefix=UNPRIVILEGED)
        yield line
        line.end()


UNPRIVILEGED = ["prlimit", "--core=0", "setpriv", "--reuid=65532", "--regid=65532", "--clear-groups"]
PRODUCTION = {"PYRYCODE_RELAY_PRODUCTION": "1"}


@pytest.mark.skipif(os.geteuid() != 0, reason="changes user")
async def test_a_deployment_of_production(deployment):
    """Nothing is warned of that is there without a take-over; a posture that is refused leaves the old one serving."""
    line, key = deployment, deployment.options["certificate"][1]
    old = line.start(env=PRODUCTION)
    key.chmod(0o644)
    code, log = line.refused(env=PRODUCTION)
    assert code == 2 and "check=key-files" in log and "taking over" not in log
    assert old.wait_event("take-over failed; serving on")
    code, log = line.refused(env=PRODUCTION, prefix=[])  # root is another user, too
    assert code == 1 and "not this user's alone" in log
    await lives(old)
    key.chmod(0o600)
    new = line.start(env=PRODUCTION)
    assert await ended(old) == 0
    await lives(new)
    found = [[(e["level"], e["msg"]) for e in map(parse_line, r.lines) if e["level"] != "INFO" and "check" in e]
             for r in (old, new)]
    assert found[0] == found[1]


def test_the_lock_of_the_instance_goes_along(tmp_path):
    """Nobody else gets it in between, and it is held when the old one is gone."""
    cache = tmp_path / "certs"
    cache.mkdir(mode=0o700)
    os.chmod(tmp_path, 0o700)
    line = Line(tmp_path, tls=True, certificate=(None, None))
    nobody = ("--acme-directory", "https://127.0.0.1:1/directory")
    flags = ("--cert-cache", str(cache), *nobody)
    old = start_without_certificate(line, *flags)
    new = line.start(*flags)
    assert old.process.wait(2 * PATIENCE) == 0
    assert (cache / "instance.lock").read_text().strip() == str(new.process.pid)
    other = Line(cache, tls=True, certificate=(None, None))  # of its own path, and the same directory
    code, log = other.refused(*flags)
    assert code == 2 and "another instance uses the same state directory" in log
    line.end()


def start_without_certificate(line, *flags):
    new = line.start(*flags, wait=False)
    new.ready = lambda r: r.events("starting metrics listener")
    line.all.append(new.start())
    return new
