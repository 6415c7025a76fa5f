"""Peers that are slow, silent, greedy, dead or too many.  After each, what
hostile.beside() says: the well-behaved pair lost nothing and was not delayed,
counts, descriptors and memory are what they were.

SOAK makes those that count do it that many times over: `make soak`."""
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time

import pytest
from conftest import PATIENCE, RawPeer, plain_only
from hostile import (GROWTH_BOUND_KIB, PoliteRawPeer, beside, connect, counts, descriptors, hostile_relay, reset,
                     settled, vanish)

SOAK = int(os.environ.get("SOAK", "1"))
HEAD = (b"GET /v1/client HTTP/1.1\r\nHost: relay.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nUser-Agent: t\r\n"
        b"X-Pyrycode-Server: sid-1\r\nX-Pyrycode-Token: t\r\n\r\n")


@pytest.fixture
def crowd():
    relay = hostile_relay().start()
    with beside(relay) as pair:
        yield relay, pair
    assert relay.stop() == 0


def is_over(sock):
    """Has the relay ended this connection?  Reads what it sent before."""
    try:
        while select.select([sock], [], [], 0)[0]:
            if not sock.recv(65536):
                return True
    except ConnectionError:
        return True
    return False


def dribble(relay, socks, byte, every_s, seconds):
    """Send a byte on each again and again until the relay has ended all."""
    end = time.monotonic() + seconds
    while socks:
        assert time.monotonic() < end, f"{len(socks)} of them are still served"
        for s in socks:
            with contextlib.suppress(ConnectionError):
                s.sendall(byte)
        select.select([], [], [], every_s)  # this is how slow they are
        socks = [s for s in socks if not is_over(s)]


def test_slow_heads(crowd):
    """200 heads at five bytes a second: each has 5 s in all."""
    relay, pair = crowd
    socks = [connect(relay) for _ in range(200)]
    for s in socks:
        s.sendall(HEAD[:20])
    dribble(relay, list(socks), b"x", 0.2, PATIENCE)
    for s in socks:
        s.close()


def test_heads_that_stop_anywhere(crowd):
    """A connection for each length of a head, and then silence."""
    relay, pair = crowd
    socks = [connect(relay) for _ in range(0, len(HEAD), 3)]
    for i, s in enumerate(socks):
        s.sendall(HEAD[:i * 3])
    relay.wait_until(lambda: all([is_over(s) for s in socks]))


SLOW_FRAMES = {
    "payload": (b"\x81\xfe\x10\x00\1\2\3\4", b"a"),
    "fragments": (RawPeer.frame(1, b'"', fin=False), RawPeer.frame(0, b"a", fin=False)),
    "empty fragments": (RawPeer.frame(1, b'"', fin=False), RawPeer.frame(0, b"", fin=False)),
    "pings between": (RawPeer.frame(1, b'"', fin=False), RawPeer.frame(9, b"p")),
}


def test_slow_frames(crowd):
    """A message has 30 s in all, however alive its sender is."""
    relay, pair = crowd
    b = PoliteRawPeer(relay, "/v1/server", "sid-1")
    left = {}
    for i, (name, (start, more)) in enumerate(SLOW_FRAMES.items()):
        for path, sid in (("/v1/client", "sid-1"), ("/v1/server", f"slow-{i}")):
            s = RawPeer(relay, path, sid).s
            s.sendall(start)
            left[s] = (f"{name} at {path}", more)
    end = time.monotonic() + 30 + PATIENCE
    while left:
        assert time.monotonic() < end, [name for name, _ in left.values()]
        for s, (_, more) in left.items():
            with contextlib.suppress(ConnectionError):
                s.sendall(more)
        select.select([], [], [], 0.5)  # this is how slow they are
        left = {s: row for s, row in left.items() if not is_over(s)}
    b.s.close()


def test_a_message_of_single_bytes(crowd):
    """Tens of thousands of fragments, every second one empty."""
    relay, pair = crowd
    count = 20000
    b = PoliteRawPeer(relay, "/v1/server", "sid-1")
    p = PoliteRawPeer(relay, "/v1/client", "sid-1")
    p.send(1, b'"', fin=False)
    for _ in range(0, count, 100):
        p.s.sendall(b"".join(p.frame(0, b"a", fin=False) + p.frame(0, b"", fin=False) for _ in range(100)))
    p.send(0, b'"')
    assert json.loads(b.recv()[1])["frame"] == "a" * count
    b.s.close()
    p.s.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can close a socket without a word")
def test_half_open_peers(crowd):
    """Machines that lost their power, in every state: before, in and after
    the head, in a frame, idle.  Those that are written to are found at once,
    heads after 5 s, the rest by the heartbeat."""
    relay, pair = crowd
    b = PoliteRawPeer(relay, "/v1/server", "sid-1")
    for i in range(10):
        s = connect(relay)
        s.sendall(HEAD[:i * len(HEAD) // 10])
        vanish(s)
    for i in range(8):
        p = PoliteRawPeer(relay, "/v1/client", "sid-1")
        p.send(1, b"1")
        conn_id = json.loads(b.recv()[1])["conn_id"]
        p.s.sendall(RawPeer.frame(1, b"12345")[:i])
        vanish(p.s)
        b.send(1, json.dumps({"conn_id": conn_id, "frame": i}).encode())
        assert json.loads(b.recv()[1]) == {"conn_id": conn_id, "close_code": 1001}
    other = PoliteRawPeer(relay, "/v1/server", "sid-2")
    p = PoliteRawPeer(relay, "/v1/client", "sid-2")
    vanish(other.s)
    p.send(1, b"1")
    relay.wait_event("server_released")
    again = PoliteRawPeer(relay, "/v1/server", "sid-2")
    assert p.close_code() == 4404
    for s in (b.s, p.s, again.s):
        s.close()


def is_held_back(peer, data, total):
    """Send until total bytes are taken, or nobody takes any for a second or
    the relay ends it: then true."""
    peer.s.settimeout(1)
    try:
        for _ in range(0, total, len(data)):
            peer.s.sendall(data)
    except (TimeoutError, ConnectionError):
        return True
    return False


def test_phones_that_never_read(crowd):
    """Their binary sends each of them more than its budget; they pay."""
    relay, pair = crowd
    b = PoliteRawPeer(relay, "/v1/server", "sid-1")
    names, phones = [], []
    for _ in range(4):
        phones.append(RawPeer(relay, "/v1/client", "sid-1", buffer=4096))
        phones[-1].send(1, b"1")
        names.append(json.loads(b.recv()[1])["conn_id"])
    reader = PoliteRawPeer(relay, "/v1/client", "sid-1")
    reader.send(1, b"1")
    reads = json.loads(b.recv()[1])["conn_id"]
    pad = "x" * 200000
    for n in range(60):
        for name in names:
            b.send(1, json.dumps({"conn_id": name, "frame": pad}).encode())
        b.send(1, json.dumps({"conn_id": reads, "frame": n}).encode())
        assert reader.recv() == (1, str(n).encode()), "a phone that reads waited for those that do not"
    told = [json.loads(b.recv()[1]) for _ in names]
    assert sorted(t["conn_id"] for t in told) == sorted(names)
    for s in [b.s, reader.s, *[p.s for p in phones]]:
        s.close()


def test_a_binary_that_never_reads(crowd):
    """Its phones are held back, and it is dropped in time."""
    relay, pair = crowd
    b = RawPeer(relay, "/v1/server", "sid-1", buffer=4096)
    p = RawPeer(relay, "/v1/client", "sid-1")
    assert is_held_back(p, RawPeer.frame(1, b'"' + b"x" * 100000 + b'"'), 64 << 20)
    relay.wait_event("server_released")
    b.s.close()
    p.s.close()


def test_peers_that_never_read_their_refusal(crowd):
    relay, pair = crowd
    held = settled(descriptors, relay)
    socks = [connect(relay) for _ in range(100)]
    for s in socks:
        s.sendall(b"GET /nothing HTTP/1.1\r\nHost: relay.example.com\r\n\r\n" + b"x" * 50000)
    relay.wait_until(lambda: descriptors(relay) == held)
    for s in socks:
        s.close()


@pytest.mark.parametrize("path", ["/v1/client", "/v1/server"])
@pytest.mark.parametrize("reads", [True, False], ids=["reads", "reads-nothing"])
def test_floods_of_pings(crowd, path, reads):
    relay, pair = crowd
    with contextlib.closing(PoliteRawPeer(relay, "/v1/server", "sid-1").s):
        peer = RawPeer(relay, path, "sid-1" if path == "/v1/client" else "sid-2", buffer=None if reads else 4096)
        pings = b"".join(RawPeer.frame(9, bytes([n % 256]) * (n % 126)) for n in range(500))
        if not reads:
            assert is_held_back(peer, pings, SOAK * (32 << 20)), "a flood of pings was read on and on"
        else:
            for _ in range(SOAK * 20):
                peer.s.sendall(pings)
                for n in range(500):
                    assert peer.recv() == (10, bytes([n % 256]) * (n % 126))
        peer.s.close()


def test_opening_and_closing(crowd):
    """3,000 connections, as fast as they come, ended in every way."""
    relay, pair = crowd
    for n in range(SOAK * 3000):
        s = connect(relay)
        if n % 3:
            s.sendall(HEAD[:n % len(HEAD)])
        if n % 2:
            reset(s)
        else:
            s.close()
    relay.wait_until(lambda: counts(relay) == (1, 1))


def claimed(relay, sid):
    """The connection that claimed it, None if it was ended instead."""
    head = HEAD.replace(b"/v1/client", b"/v1/server").replace(b"X-Pyrycode-Token", b"X-Pyrycode-Version")
    s = connect(relay)
    with contextlib.suppress(ConnectionError):
        s.sendall(head.replace(b"sid-1", sid.encode()))
        if s.recv(4096).startswith(b"HTTP/1.1 101 "):
            return s
    s.close()
    return None


def test_claims_of_many_server_ids():
    """Each leaves a server-id in its grace window behind, of some 300 bytes,
    and no more."""
    relay = hostile_relay().start()
    number = SOAK * 2000
    with beside(relay, GROWTH_BOUND_KIB + number * 300 // 1024):
        for n in range(number):
            s = claimed(relay, f"claim-{n}")
            assert s is not None
            reset(s)
    assert relay.stop() == 0


def test_claims_of_one_that_is_held(crowd):
    """The incumbent answers; a hundred newcomers take nothing from it."""
    relay, pair = crowd
    for _ in range(100):
        newcomer = PoliteRawPeer(relay, "/v1/server", "bystander")
        assert newcomer.close_code() == 4409
        newcomer.s.close()


def test_many_phones_for_nobody(crowd):
    relay, pair = crowd
    for _ in range(300):
        p = PoliteRawPeer(relay, "/v1/client", "nobody")
        assert p.close_code() == 4404
        reset(p.s)


@plain_only
def test_descriptors_exhausted():
    """Who is there goes on; newcomers are turned away at once, each, as long
    as it lasts; and it is over when one leaves."""
    relay = hostile_relay(prefix=["prlimit", "--nofile=64:64"]).start()
    with beside(relay):
        held = []
        while (s := claimed(relay, f"held-{len(held)}")) is not None:
            held.append(s)
        assert 20 < len(held) < 64
        relay.wait_event("descriptors_exhausted")
        assert [claimed(relay, "late") for _ in range(200)] == [None] * 200
        assert not any([is_over(s) for s in held])
        held.pop().close()
        relay.wait_until(lambda: held.append(claimed(relay, "again")) or held[-1] is not None)
        for s in filter(None, held):
            s.close()
    assert relay.stop() == 0


CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
from conftest import RawPeer, Relay
there = Relay(port=int(sys.argv[2]), certificate=(sys.argv[5], None))
peer = RawPeer(there, sys.argv[3], "sid-1")
peer.s.sendall(RawPeer.frame(1, b'"' + b"x" * 100000 + b'"')[:int(sys.argv[4])])
print("sent", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def child_peer(relay, path, cut):
    """A peer in a process of its own, in the middle of a frame."""
    here = os.path.dirname(os.path.abspath(__file__))
    with subprocess.Popen([sys.executable, "-c", CHILD, here, str(relay.port), path, str(cut), str(relay.cert)], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout.readline() == "sent\n"
            yield child
        finally:
            child.kill()


@pytest.mark.parametrize("cut", [0, 1, 7, 50000])
def test_a_phone_is_killed_in_a_frame(crowd, cut):
    relay, pair = crowd
    b = PoliteRawPeer(relay, "/v1/server", "sid-1")
    with child_peer(relay, "/v1/client", cut) as child:
        relay.wait_until(lambda: counts(relay) == (2, 2))
        child.send_signal(signal.SIGKILL)
        told = json.loads(b.recv()[1])
        assert told["close_code"] == 1001 and set(told) == {"conn_id", "close_code"}
    b.s.close()


@pytest.mark.parametrize("cut", [0, 1, 7, 50000])
def test_a_binary_is_killed_in_a_frame(crowd, cut):
    """Its phones wait for it, and are told when a new one comes."""
    relay, pair = crowd
    with child_peer(relay, "/v1/server", cut) as child:
        phones = [PoliteRawPeer(relay, "/v1/client", "sid-1") for _ in range(3)]
        child.send_signal(signal.SIGKILL)
        relay.wait_event("server_released")
        assert counts(relay) == (1, 4)
    again = PoliteRawPeer(relay, "/v1/server", "sid-1")
    assert [p.close_code() for p in phones] == [4404] * 3
    p = PoliteRawPeer(relay, "/v1/client", "sid-1")
    p.send(1, b'"new"')
    assert json.loads(again.recv()[1])["frame"] == "new"
    for s in [again.s, p.s, *[p.s for p in phones]]:
        s.close()


def state(relay):
    with open(f"/proc/{relay.process.pid}/stat") as f:
        return f.read().rsplit(")", 1)[1].split()[0]


@contextlib.contextmanager
def halted(relay):
    """The relay finds all that happens meanwhile in one round."""
    relay.process.send_signal(signal.SIGSTOP)
    try:
        relay.wait_until(lambda: state(relay) == "T")
        yield
    finally:
        relay.process.send_signal(signal.SIGCONT)


def test_data_and_a_reset_in_one_round():
    """The last message of a peer that resets is there to be read; then the
    peer is gone, at once, not at the next heartbeat."""
    relay = hostile_relay().start()
    b = PoliteRawPeer(relay, "/v1/server", "sid-1")
    try:
        p = PoliteRawPeer(relay, "/v1/client", "sid-1")
        with halted(relay):
            p.send(1, b'"last"')
            reset(p.s)
        assert json.loads(b.recv()[1])["frame"] == "last"
        b.s.settimeout(5)
        assert json.loads(b.recv()[1])["close_code"] == 1001
    finally:
        b.s.close()
        relay.stop()
