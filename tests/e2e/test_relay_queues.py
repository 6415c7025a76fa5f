"""Queues at the exact edge of their budgets, and who pays: numbers 58 and 59 of
the compatibility checklist, --max-queued-per-phone, --max-queued-per-server
and --max-queued."""
import contextlib
import functools
import json
import socket

import pytest
from conftest import RawPeer
from rules import closing, scrape, series, serving, until, upgraded, worker_of

ITEM = 64  # what each item costs beside its length
SMALL = 1000  # bytes of the frames that fill a queue
FRAMES_DOWN = 'frames_forwarded_total{direction="binary_to_phone"}'


class TooSlow(Exception):
    """A phone was dropped for its stalled write before its queue was full."""


def unhurried(test):
    """A phone that does not read is dropped after 10 s, whatever its queue: on
    a machine that takes longer to fill one, the attempt says nothing."""
    @functools.wraps(test)
    def attempt():
        for _ in range(3):
            try:
                return test()
            except (TooSlow, AssertionError, OSError, TypeError):
                if not stalled(unhurried.relay):
                    raise
        pytest.skip("this machine fills no queue within the 10 s of a stalled write")
    return attempt


def stalled(relay):
    return any(f.get("err") == "write timed out" for msg in ("binary_forwarder_phone_send_failed",
               "binary_forwarder_close_frame_send_failed") for f in relay.events(msg))


class Phone(RawPeer):
    """A phone whose socket holds little, its binary, and what was sent."""

    def __init__(self, relay, binary, sid):
        super().__init__(relay, "/v1/client", sid, buffer=32768)
        self.relay = unhurried.relay = relay
        self.binary = binary
        self.send(1, b"1")
        self.conn_id = json.loads(binary.recv()[1])["conn_id"]
        self.sent = []

    def feed(self, length, count=1):
        """Frames of exactly that length, each with its number."""
        for _ in range(count):
            frame = b'"%s"' % str(len(self.sent)).encode().rjust(length - 2)
            self.sent.append(frame)
            self.binary.send(1, b'{"conn_id":"%s","frame":%s}' % (self.conn_id.encode(), frame))

    def stall(self, queued):
        """Feed until that many bytes wait in the relay."""
        before = waiting(self.relay)
        while waiting(self.relay) < before + queued:
            self.feed(100000)
            self.barrier()
            assert overflows(self.relay) == {}, "nobody pays for this"

    def barrier(self):
        """The relay has looked at everything that the binary sent."""
        if stalled(self.relay):
            raise TooSlow
        self.binary.send(9, b"there?")
        while (got := self.binary.recv())[0] != 10:
            if got[0] == 9:
                self.binary.send(10, got[1])
            else:
                self.notices.append(json.loads(got[1]))

    @property
    def notices(self):
        """What the binary was told meanwhile."""
        self.binary.told = getattr(self.binary, "told", [])
        return self.binary.told

    def gets_all(self):
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        for frame in self.sent:
            opcode, payload = self.recv()
            assert (opcode, payload) == (1, frame), payload[:20]
        return True

    def close(self):
        self.s.close()


def waiting(relay):
    return series(relay, 'queued_bytes{leg="phone"}')


def overflows(relay):
    return {name.split('"')[1]: int(value) for name, value in scrape(relay).items()
            if name.startswith("outbox_overflows_total") and value}


@contextlib.contextmanager
def family(relay, sid, phones):
    """A binary and its phones."""
    with closing([upgraded(relay, sid=sid)]) as (b,):
        with closing([Phone(relay, b, sid) for _ in range(phones)]) as made:
            yield made


def charged(phone, forwarded_before):
    """What a phone is charged: for each frame that is not yet forwarded."""
    taken = int(series(phone.relay, FRAMES_DOWN)) - forwarded_before
    return sum(len(frame) + ITEM for frame in phone.sent[taken:])


def fill(phone, cost):
    """Have a phone that does not read charged exactly that; the kernel may
    take a frame more meanwhile.  Returns what was forwarded before."""
    before = int(series(phone.relay, FRAMES_DOWN))
    phone.feed(100000, 20)
    phone.barrier()
    while (room := cost - charged(phone, before)) > 0:
        phone.feed(min(100000, room - ITEM))
        phone.barrier()
    assert room == 0
    return before


# ---- a phone

@unhurried
def test_59_one_frame_as_large_as_the_budget():
    with serving("--max-queued-per-phone=65536") as relay, family(relay, "s", 2) as (p, other):
        p.feed(65536 - ITEM)
        assert p.gets_all() and overflows(relay) == {}
        p.feed(65536 - ITEM + 1)
        assert p.close_code() == 1011
        p.barrier()
        assert p.notices == [{"conn_id": p.conn_id, "close_code": 1011}]
        assert overflows(relay) == {"phone": 1}
        line = relay.wait_event("binary_forwarder_phone_enqueue_failed")[0]
        assert (line["conn_id"], line["err"]) == (p.conn_id, "relay: phone delivery backlog full")
        other.feed(65536 - ITEM)
        assert other.gets_all()


@unhurried
def test_59_many_frames_as_large_as_the_budget():
    """Full to the last byte it is served; with one byte more it is not."""
    with serving("--max-queued-per-phone=8000000") as relay, family(relay, "s", 2) as (p, other):
        before = fill(p, 8000000)
        assert overflows(relay) == {} and series(relay, "connected_phones") == 2
        p.barrier()
        while overflows(relay) == {}:
            assert charged(p, before) <= 8000000
            p.feed(SMALL)
            p.barrier()
        refused = len(p.sent.pop()) + ITEM
        assert charged(p, before) > 8000000 - refused, "refused before its time"
        assert overflows(relay) == {"phone": 1}
        assert p.notices == [{"conn_id": p.conn_id, "close_code": 1011}]
        other.feed(SMALL)
        assert other.gets_all(), "the other phone is not delayed"


@unhurried
def test_58_full_to_the_last_byte_everything_arrives():
    with serving("--max-queued-per-phone=8000000") as relay, family(relay, "s", 1) as (p,):
        fill(p, 8000000)
        assert p.gets_all()
        until(relay, 'queued_bytes{leg="phone"}', 0)
        p.sent.clear()
        p.feed(SMALL, 10)
        assert p.gets_all(), "its budget is free again"
        assert overflows(relay) == {}


# ---- a server-id

@unhurried
def test_one_frame_as_large_as_the_server_ids_budget():
    with serving("--max-queued-per-server=65536") as relay, family(relay, "s", 1) as (p,):
        p.feed(65536 - ITEM)
        assert p.gets_all() and overflows(relay) == {}
        p.feed(65536 - ITEM + 1)
        assert p.close_code() == 1011
        assert overflows(relay) == {"server_id": 1}
        line = relay.wait_event("binary_forwarder_phone_enqueue_failed")[0]
        assert line["err"] == "relay: server-id delivery backlog full"


@unhurried
def test_the_slowest_phone_of_the_server_id_pays():
    """To the last byte all are served; then the one with the longest queue
    makes room for another, and other server-ids know nothing of it."""
    with serving("--max-queued-per-server=8000000", "--max-queued-per-phone=16000000") as relay:
        with family(relay, "s", 3) as (slow, quick, idle), family(relay, "other", 1) as (stranger,):
            before = fill(slow, 7900000)
            quick.feed(100000 - ITEM)
            assert quick.gets_all() and overflows(relay) == {}, "full, and nobody pays"
            while overflows(relay) == {}:
                # A frame is counted a moment after its last byte is sent.
                counted = before + len(quick.sent)
                relay.wait_until(lambda n=counted: charged(slow, n) <= 7900000)
                quick.feed(100001 - ITEM)
                quick.sent = [quick.sent[-1]]
                assert quick.gets_all()
                before += 1
            quick.barrier()
            assert quick.notices == [{"conn_id": slow.conn_id, "close_code": 1011}]
            assert overflows(relay) == {"server_id": 1}
            assert series(relay, "connected_phones") == 3
            for p in (idle, stranger):
                p.feed(200000)
                assert p.gets_all()


# ---- the process

@unhurried
def test_the_largest_consumer_of_the_process_pays():
    """Wherever it is served; everybody else gets everything."""
    limit = 6 << 20
    with serving("--threads=2", f"--max-queued={limit}") as relay, contextlib.ExitStack() as stack:
        phones = [stack.enter_context(family(relay, f"s{i}", 1))[0] for i in range(4)]
        for p in phones:
            p.stall(900000)
        largest = phones[0]
        largest.stall(900000)
        most = 0
        while overflows(relay) == {}:
            most = max(most, waiting(relay))
            assert not relay.happened("binary_forwarder_phone_send_failed"), "slower than a write may be"
            for p in phones[1:]:
                p.feed(SMALL if limit - most < 100000 else 30000)
                p.barrier()
        assert most + 65536 > limit, "shed before its time"  # our own scrapes count, too
        assert waiting(relay) < limit
        line = relay.wait_event("memory_budget_full")[0]
        assert line["level"] == "WARN" and int(line["bytes"]) > 1800000
        largest.barrier()
        assert largest.notices == [{"conn_id": largest.conn_id, "close_code": 1011}]
        for p in phones[1:]:
            assert p.gets_all() and p.notices == []
        assert overflows(relay) == {"process": 1}


def two_workers(relay, stack):
    """A family on each of the two workers."""
    first = stack.enter_context(family(relay, "s0", 2))
    home = worker_of(relay, first[0].binary)
    for i in range(1, 40):
        other = stack.enter_context(family(relay, f"s{i}", 2))
        if worker_of(relay, other[0].binary) != home:
            return first, other
    raise AssertionError("every server-id is on one worker")


@unhurried
def test_who_was_the_largest_once_does_not_pay():
    """Nor does anybody else of its worker: what counts is what is kept now."""
    with serving("--threads=2", f"--max-queued={4 << 20}") as relay, contextlib.ExitStack() as stack:
        (once, small), (large, middle) = two_workers(relay, stack)
        once.stall(3200000)
        assert once.gets_all()
        until(relay, 'queued_bytes{leg="phone"}', 0)
        small.stall(200000)
        large.stall(1900000)
        middle.stall(1200000)
        assert overflows(relay) == {}
        while overflows(relay) == {}:
            small.feed(10000, 10)
            small.barrier()
        large.barrier()
        assert large.notices == [{"conn_id": large.conn_id, "close_code": 1011}]
        assert overflows(relay) == {"process": 1}
        assert small.gets_all() and middle.gets_all()


@unhurried
def test_a_half_received_message_counts():
    """A sender that stops in the middle of large messages is a consumer, too."""
    with serving("--max-queued=1048576") as relay, family(relay, "s", 8) as phones:
        sizes = [110000 + i * 10000 for i in range(8)]
        for p, size in zip(phones, sizes):
            p.s.sendall(RawPeer.frame(1, b"x" * size)[:70000])
        relay.wait_until(lambda: overflows(relay) == {"process": 1})
        until(relay, "connected_phones", 7)
        assert phones[7].close_code() == 1011
        until(relay, 'queued_bytes{leg="phone"}', sum(sizes[:7]))
