"""Faults on demand in a running relay, through tests/shim/faults.c, and a
session that takes part in everything a relay does and never waits in vain."""
import base64
import contextlib
import hashlib
import json
import mmap
import os
import pathlib
import select
import struct
import subprocess

from conftest import PATIENCE, TOP, RawPeer
from hostile import connect, counts, descriptors, hostile_relay, reset, settled

SHIM = pathlib.Path(os.environ.get("FAULT_SHIM", TOP / "build/asan/tests/shim/faults.so"))
RELEASED = pathlib.Path(os.environ.get("RELEASE_DIR", TOP / "build/release")) / "src" / "pyrycode-relay"

# Longer than anything takes, shorter than every deadline of the relay: who is
# told by a deadline alone was met with silence.
SILENCE_S = 4

KINDS = ["none", "memory", "accept4", "recv", "send", "epoll_ctl", "setsockopt", "shutdown", "getrandom", "close"]
FOREVER = (1 << 64) - 1
CONTROL = struct.Struct("7Q")  # kind, first, last, error, calls, failed, live
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = base64.b64encode(hashlib.sha1(KEY + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())


class Faults:
    """The control block of a shim."""

    def __init__(self, path):
        path.write_bytes(bytes(CONTROL.size))
        self.path = path
        with open(path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), CONTROL.size)

    def environment(self):
        return {"LD_PRELOAD": str(SHIM.resolve()), "FAULT_CONTROL": str(self.path)}

    def arm(self, kind, first, last=None, error=0):
        self.disarm()
        last = first if last is None else last
        struct.pack_into("6Q", self.map, 0, 0, first, last, error, 0, 0)
        struct.pack_into("Q", self.map, 0, KINDS.index(kind))

    def disarm(self):
        struct.pack_into("Q", self.map, 0, 0)

    @property
    def calls(self):
        return CONTROL.unpack_from(self.map)[4]

    @property
    def live(self):
        """Blocks of memory that the program holds, less what it held before
        the shim counted."""
        return CONTROL.unpack_from(self.map)[6]


class Refused(Exception):
    """A peer of the session was told that it does not go on."""


class Peer:
    """One connection of a session: bytes in, frames out."""

    def __init__(self, session):
        self.session = session
        try:
            self.s = connect(session.relay)
        except ConnectionError as end:
            raise Refused(str(end)) from end
        self.bytes = b""
        self.ended = False
        self.leaving = False  # its close is what the session wants
        session.peers.append(self)

    def send(self, data):
        try:
            self.s.sendall(data)
        except ConnectionError as end:
            raise Refused(str(end)) from end

    def take_head(self):
        """The status line and fields of an answer, once it is whole."""
        if b"\r\n\r\n" not in self.bytes:
            return None
        head, self.bytes = self.bytes.split(b"\r\n\r\n", 1)
        return head

    def take_frame(self):
        """(opcode, payload), once it is whole."""
        if len(self.bytes) < 2:
            return None
        length, at = self.bytes[1], 2
        if length >= 126:
            at = 4 if length == 126 else 10
            if len(self.bytes) < at:
                return None
            length = int.from_bytes(self.bytes[2:at], "big")
        if len(self.bytes) < at + length:
            return None
        opcode, payload = self.bytes[0] & 0xf, self.bytes[at:at + length]
        self.bytes = self.bytes[at + length:]
        return opcode, payload


class Session:
    """Peers, of which each waits for what should come or for any of them to
    be refused: with a fault in the relay, one of the two must happen."""

    def __init__(self, relay, sid):
        self.relay = relay
        self.sid = sid
        self.peers = []
        self.step = "start"

    def _read(self):
        """Wait until someone has something to read."""
        ready, _, _ = select.select([p.s for p in self.peers if not p.ended], [], [], SILENCE_S)
        assert ready, f"{self.step}: nobody heard anything for {SILENCE_S} s"
        for peer in self.peers:
            if peer.ended or peer.s not in ready:
                continue
            got = b""
            with contextlib.suppress(ConnectionError):
                got = peer.s.recv(1 << 20)
            peer.bytes += got
            peer.ended = not got

    def await_(self, peer, take):
        while (got := take()) is None:
            if any(self._is_refused(p) for p in self.peers if p is peer or not p.leaving):
                raise Refused(self.step)
            self._read()
        return got

    @staticmethod
    def _is_refused(peer):
        return peer.ended or peer.bytes[:1] == b"\x88"

    def message(self, peer):
        """The next message; a close frame or an end is a refusal."""
        opcode, payload = self.await_(peer, peer.take_frame)
        if opcode == 8:
            raise Refused(f"{self.step}: {payload}")
        return opcode, payload

    def closes(self, peer, code):
        """The peer gets a close frame with that code, answers, and is gone."""
        opcode, payload = self.await_(peer, peer.take_frame)
        if (opcode, payload[:2]) != (8, struct.pack("!H", code)):
            raise Refused(f"{self.step}: {opcode} {payload}")
        self.peers.remove(peer)
        reset(peer.s)

    def join(self, path, cut=None):
        """A handshake, in two pieces if cut."""
        peer = Peer(self)
        head = (b"GET " + path + b" HTTP/1.1\r\nHost: relay.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY + b"\r\nUser-Agent: t\r\n"
                b"X-Pyrycode-Server: " + self.sid + b"\r\nX-Pyrycode-Token: t\r\nX-Pyrycode-Version: 1\r\n\r\n")
        peer.send(head[:cut])
        if cut is not None:
            self.monitor()
            peer.send(head[cut:])
        answer = self.await_(peer, peer.take_head)
        if not answer.startswith(b"HTTP/1.1 101 "):
            raise Refused(answer)
        assert b"Sec-WebSocket-Accept: " + ACCEPT in answer, answer
        return peer

    def monitor(self):
        """Ask for /healthz; what was sent before is read by then."""
        peer = Peer(self)
        peer.send(b"GET /healthz HTTP/1.1\r\nHost: relay.example.com\r\n\r\n")
        answer = self.await_(peer, peer.take_head)
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise Refused(answer)
        self.peers.remove(peer)
        peer.s.close()

    def up(self, phone, binary, data, frame):
        """The phone's bytes reach the binary as that frame; its conn_id."""
        phone.send(data)
        envelope = json.loads(self.message(binary)[1])
        if "close_code" in envelope:
            raise Refused(f"{self.step}: {envelope}")
        assert envelope["frame"] == frame, f"{self.step}: {str(envelope)[:200]}"
        return envelope["conn_id"]

    def down(self, binary, phone, conn_id, frame):
        binary.send(RawPeer.frame(1, json.dumps({"conn_id": conn_id, "frame": frame}).encode()))
        assert json.loads(self.message(phone)[1]) == frame, self.step

    def notice(self, binary, conn_id, code):
        got = json.loads(self.message(binary)[1])
        if got == {"conn_id": conn_id, "close_code": 1001}:
            raise Refused(f"{self.step}: {got}")
        assert got == {"conn_id": conn_id, "close_code": code}, f"{self.step}: {got}"

    def run(self):
        """Everything once: claim, phones, frames both ways, fragments, big
        frames, pings, all kinds of closes, a reclaim."""
        big = "b" * 200000
        self.step = "claim"
        b = self.join(b"/v1/server", cut=40)
        self.step = "phones"
        p, q, r = [self.join(b"/v1/client") for _ in range(3)]
        self.step = "frames up"
        p_id, q_id = [self.up(peer, b, RawPeer.frame(1, b'{"a":1}'), {"a": 1}) for peer in (p, q)]
        self.step = "frames down"
        self.down(b, p, p_id, {"x": [1, 2]})
        self.down(b, q, q_id, "y")
        self.step = "pings"
        p.send(RawPeer.frame(9, b"ping"))
        assert self.message(p) == (10, b"ping")
        self.step = "fragments"
        pieces = RawPeer.frame(1, b'"', fin=False) + RawPeer.frame(9, b"p") + RawPeer.frame(0, b"f" * 5000, fin=False)
        self.up(p, b, pieces + RawPeer.frame(0, b'"'), "f" * 5000)
        assert self.message(p) == (10, b"p")
        self.step = "big frames"
        self.up(q, b, RawPeer.frame(1, json.dumps(big).encode()), big)
        self.down(b, q, q_id, big)
        self.step = "a frame and a close at once"
        p.leaving = True
        self.up(p, b, RawPeer.frame(1, b'"' + b"c" * 440 + b'"') + RawPeer.frame(8, b"\x0f\xa0bye"), "c" * 440)
        self.notice(b, p_id, 4000)
        self.closes(p, 4000)
        self.step = "a close that the binary asks for"
        b.send(RawPeer.frame(1, json.dumps({"conn_id": q_id, "frame": "last", "close_code": 4421}).encode()))
        assert self.message(q) == (1, b'"last"')
        self.closes(q, 4421)
        self.step = "a broken frame"
        broken = self.join(b"/v1/client")
        broken.send(b"\xff\xff")
        self.closes(broken, 1002)
        json.loads(self.message(b)[1])
        self.step = "the binary leaves"
        b.send(RawPeer.frame(8, b"\x03\xe8"))
        self.closes(b, 1000)
        self.step = "reclaim"
        r.leaving = True
        again = self.join(b"/v1/server")
        self.closes(r, 4404)
        last = self.join(b"/v1/client")
        self.step = "after the reclaim"
        last_id = self.up(last, again, RawPeer.frame(2, b"7"), 7)
        self.down(again, last, last_id, 8)

    def end(self):
        for peer in self.peers:
            reset(peer.s)


def died(relay):
    relay.reader.join(PATIENCE)
    return f"the relay died of {relay.process.wait()}: {relay.text()[-300:]}"


class FaultyRelay:
    """A released relay with the shim in it, which has served before: what the
    loop and the cryptography library make once, is made, and from then on no
    session may leave a block of memory behind.  One that dies is replaced."""

    def __init__(self, tmp_path, warm=True, flags=()):
        self.faults = Faults(tmp_path / "control")
        self.flags = flags
        self.warm = warm
        self.start()

    def start(self):
        self.relay = hostile_relay(*self.flags, binary=str(RELEASED), env=self.faults.environment()).start()
        if self.warm:
            crowd = [connect(self.relay) for _ in range(120)]
            self.relay.wait_until(lambda: (descriptors(self.relay) or 1000) > len(crowd))
            for s in crowd:
                reset(s)
            for _ in range(2):
                self.serves()
        self._take_stock()

    def _take_stock(self):
        self.held = settled(descriptors, self.relay)
        self.live = settled(lambda relay: self.faults.live, self.relay)

    def stop(self):
        self.faults.disarm()
        if self.relay.process.poll() is None:
            assert self.relay.stop() == 0

    def serves(self, held=None):
        """A fresh session passes whole, and nothing is left."""
        try:
            self.session()
        except Refused as refused:
            raise AssertionError(f"refused without a fault: {refused}") from refused
        self.relay.wait_until(lambda: counts(self.relay) == (0, 0), 5)
        if held is not None:
            self.relay.wait_until(lambda: descriptors(self.relay) <= held, 8)

    def session(self, script=Session.run):
        session = Session(self.relay, b"session")
        try:
            script(session)
        finally:
            session.end()

    def calls(self, kind, script=Session.run):
        """How many calls of that kind a script takes, until it has left nothing."""
        self.faults.arm(kind, FOREVER)
        self.session(script)
        self.relay.wait_until(lambda: descriptors(self.relay) <= self.held)
        self.faults.disarm()
        return self.faults.calls

    def meets(self, kind, first, last, error, script=Session.run):
        """A session meets faults, and a fresh one after it does not: None, or
        what is wrong with how the relay took it."""
        self.faults.arm(kind, first, last, error)
        try:
            with contextlib.suppress(Refused):
                self.session(script)
            self.faults.disarm()
            self.serves(self.held)
            if self.warm:
                left = settled(lambda relay: self.faults.live, self.relay) - self.live
                assert left == 0, f"{left} blocks of memory are left"
        except (AssertionError, OSError, Refused) as wrong:
            self.faults.disarm()
            return f"{kind} number {first}, {os.strerror(error)}: {self._explain(wrong)}"
        return None

    def _explain(self, wrong):
        with contextlib.suppress(subprocess.TimeoutExpired):
            if isinstance(wrong, (OSError, Refused)) or "refused without" in str(wrong):
                self.relay.process.wait(1)  # its end may be a moment away
        if self.relay.process.poll() is None:
            self._take_stock()
            return str(wrong)[-400:]
        text = died(self.relay)
        self.start()
        return text
