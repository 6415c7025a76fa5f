"""What the tests of hostile peers share: a relay with room for many peers, the
well-behaved pair beside them, and what must be as it was afterwards."""
import contextlib
import json
import os
import socket
import struct
import threading
import time

from conftest import PATIENCE, RELAY_BIN, RawPeer, Relay

SANITIZED = "asan" in RELAY_BIN or b"__asan_init" in open(RELAY_BIN, "rb").read()

# The longest that the well-behaved pair may wait for one answer.  A bound on
# behaviour, far above what it takes and far below every deadline of the relay
# that drops a peer that is slow (10 s and more): who blocks others is seen.
DELAY_BOUND_S = 5.0

# What a relay may have grown by when the hostile peers are gone: buffers that
# the allocator keeps.  Looked at in the release build alone; sanitizers keep
# freed memory in quarantine.
GROWTH_BOUND_KIB = 48 * 1024

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with RST


def hostile_relay(*flags, **options):
    """A relay whose limits on peers of one address are out of these tests'
    way: all of them come from 127.0.0.1.  The one place for such flags."""
    return Relay("--max-connections=4000", "--max-pending=4000", *flags, **options)


def connect(relay, seconds=PATIENCE):
    return relay.connect(seconds)


def reset(sock):
    """End a connection with RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    sock.close()


def vanish(sock):
    """End a connection without a word to the peer, as a machine that loses
    its power; needs CAP_NET_ADMIN."""
    sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, "TCP_REPAIR", 19), 1)
    sock.close()


def counts(relay):
    """(binaries, phones) as /healthz says, None if it does not answer."""
    with contextlib.suppress(OSError, IndexError, ValueError):
        body = json.loads(relay.get("/healthz").split(b"\r\n\r\n", 1)[1])
        return body["connected_binaries"], body["connected_phones"]
    return None


def descriptors(relay):
    """How many descriptors the relay holds; None where only root may look."""
    try:
        return len(os.listdir(f"/proc/{relay.process.pid}/fd"))
    except PermissionError:
        return None


def resident_kib(relay):
    with open(f"/proc/{relay.process.pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))


def settled(read, relay):
    """The value of read() once it is the same five times on end."""
    seen = []

    def is_settled():
        seen.append(read(relay))
        return len(seen) >= 5 and len(set(seen[-5:])) == 1

    relay.wait_until(is_settled)
    return seen[-1]


class PoliteRawPeer(RawPeer):
    """A raw peer that answers pings, as RFC 6455 section 5.5.2 wants."""

    def recv(self):
        while (got := super().recv()) is not None and got[0] == 9:
            self.send(10, got[1])
        return got


class Bystander(threading.Thread):
    """The well-behaved pair: numbered messages of changing size, both ways,
    in bursts, again and again until stop().  Every number must arrive once,
    in order, unharmed and in time."""

    BURST = 3

    def __init__(self, relay, sid="bystander"):
        super().__init__(daemon=True)
        self.binary = PoliteRawPeer(relay, "/v1/server", sid)
        self.phone = PoliteRawPeer(relay, "/v1/client", sid)
        self.number = 0
        self.rounds = 0
        self.longest_s = 0.0
        self.failure = None
        self.changed = threading.Condition()
        self.ending = threading.Event()

    @staticmethod
    def message(number):
        return {"number": number, "pad": "x" * (number * 37 % 3000)}

    def run(self):
        try:
            while not self.ending.wait(0.01):
                self._round()
        except (AssertionError, OSError, ValueError, TypeError) as failure:
            self.failure = failure
        with self.changed:
            self.changed.notify_all()

    def _round(self):
        numbers = range(self.number, self.number + self.BURST)
        began = time.monotonic()
        for number in numbers:
            self.phone.send(1, json.dumps(self.message(number)).encode())
        for number in numbers:
            envelope = json.loads(self.binary.recv()[1])
            assert envelope["frame"] == self.message(number), f"number {number} did not come"
        for number in numbers:
            self.binary.send(1, json.dumps({"conn_id": envelope["conn_id"], "frame": self.message(number)}).encode())
        for number in numbers:
            assert json.loads(self.phone.recv()[1]) == self.message(number), f"number {number} did not come back"
        self.number += self.BURST
        with self.changed:
            self.rounds += 1
            self.longest_s = max(self.longest_s, time.monotonic() - began)
            self.changed.notify_all()

    def check(self, rounds=2):
        """Nothing is lost so far, and that many more rounds pass from here."""
        with self.changed:
            wanted = self.rounds + rounds
            done = self.changed.wait_for(lambda: self.failure or self.rounds >= wanted, PATIENCE + 10)
        assert self.failure is None, f"the pair beside lost something: {self.failure!r}"
        assert done, "the pair beside stands still"
        assert self.longest_s < DELAY_BOUND_S, f"the pair beside waited {self.longest_s:.1f} s"

    def stop(self):
        self.ending.set()
        self.join(PATIENCE)
        assert not self.is_alive() and self.failure is None, self.failure
        for peer in (self.phone, self.binary):
            peer.s.close()


@contextlib.contextmanager
def beside(relay, growth_kib=GROWTH_BOUND_KIB):
    """Run the well-behaved pair while hostile peers do what they do.  After:
    it lost nothing and was not delayed past the bound, the counts and the
    descriptors are what they were, and memory is bounded."""
    pair = Bystander(relay)
    pair.start()
    try:
        pair.check()
        assert counts(relay) == (1, 1)
        held, resident = settled(descriptors, relay), resident_kib(relay)
        yield pair
        pair.check()
        relay.wait_until(lambda: counts(relay) == (1, 1))
        if held is not None:
            relay.wait_until(lambda: descriptors(relay) <= held)
        if not SANITIZED:
            grown = resident_kib(relay) - resident
            assert grown < growth_kib, f"{grown} KiB more than before"
        assert relay.process.poll() is None
    finally:
        pair.stop()
    relay.wait_until(lambda: counts(relay) == (0, 0))
