"""Several workers: what follows a request head arrives whichever accepted it,
each pair keeps its order, and who accepts where the kernel cannot share."""
import contextlib
import json
import os
import pathlib
import random
import shutil
import socket
import threading

import pytest
from conftest import PATIENCE, TOP, RawPeer, plain_only
from rules import Attempt, Calls, at_once, closing, request, scrape, series, serving, upgraded, worker_of

SHIM = pathlib.Path(os.environ.get("FAULT_SHIM", TOP / "build/asan/tests/shim/faults.so")).with_name("no_reuseport.so")
TWO = "--threads=2"
FRAMES = [RawPeer.frame(1, b"%d" % i) for i in range(3)]
EARLY = b"".join(FRAMES)


@contextlib.contextmanager
def two_workers(*flags, **options):
    with serving(TWO, *flags, **options) as relay:
        yield relay


class Reads:
    """When the relay has read what a connection sent before its upgrade: the
    counter has our scrapes, too, of which each costs the same."""

    NAME = 'received_bytes_total{leg="other"}'

    def __init__(self, relay):
        self.relay = relay
        first = series(relay, self.NAME)
        self.each = series(relay, self.NAME) - first

    def expect(self, send, length):
        before = series(self.relay, self.NAME)
        scrapes = 0

        def has_come():
            nonlocal scrapes
            scrapes += 1
            return series(self.relay, self.NAME) == before + scrapes * self.each + length

        send()
        self.relay.wait_until(has_come)


# ---- right behind the head

def frames_of(binary, count):
    return [json.loads(binary.recv()[1])["frame"] for _ in range(count)]


def test_frames_in_the_same_packet_as_the_head():
    """Whatever worker accepted it, and whatever worker owns the server-id."""
    with two_workers() as relay:
        for i in range(30):
            with closing([upgraded(relay, sid=f"s{i}")]) as (b,):
                with closing([Attempt(relay, "/v1/client", f"s{i}", data=EARLY)]):
                    assert frames_of(b, 3) == [0, 1, 2]


def test_a_split_at_every_byte_around_the_end_of_the_head():
    with two_workers() as relay:
        reads = Reads(relay)
        for i in range(4):
            head = request("/v1/client", f"s{i}")
            whole = head + EARLY
            with closing([upgraded(relay, sid=f"s{i}")]) as (b,):
                for cut in range(len(head) - 6, len(whole)):
                    with relay.connect() as s:
                        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        if cut < len(head):
                            reads.expect(lambda: s.sendall(whole[:cut]), cut)
                        else:
                            s.sendall(whole[:cut])
                            assert s.recv(4096).startswith(b"HTTP/1.1 101")
                        s.sendall(whole[cut:])
                        assert frames_of(b, 3) == [0, 1, 2], cut - len(head)
                        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    assert "close_code" in json.loads(b.recv()[1])


def test_large_messages_behind_the_head():
    """More than one read holds, and more than is kept of a head."""
    with two_workers() as relay:
        large = RawPeer.frame(1, b'"%s"' % (b"a" * 200000)) + RawPeer.frame(1, b'"%s"' % (b"b" * 200000))
        for i in range(12):
            with closing([upgraded(relay, sid=f"s{i}")]) as (b,):
                with closing([Attempt(relay, "/v1/client", f"s{i}", data=large + EARLY)]):
                    assert [f[0] for f in frames_of(b, 2)] == ["a", "b"]
                    assert frames_of(b, 3) == [0, 1, 2]


@pytest.mark.parametrize("end", ["close frame", "FIN", "RST"])
def test_an_end_behind_the_head(end):
    """A peer that is gone before it has moved leaves nothing."""
    with two_workers() as relay:
        for i in range(40):
            data = EARLY + (RawPeer.frame(8, b"\x03\xe8") if end == "close frame" else b"")
            gone = Attempt(relay, sid=f"s{i}", data=data)
            if end == "RST":
                gone.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            gone.close()
        for kind in ("binary", "phone", "stranger"):
            relay.wait_until(lambda: series(relay, f'connections{{kind="{kind}"}}') == 0)


# ---- many pairs

def test_60_every_pair_keeps_its_order_on_two_workers():
    """64 pairs, all at once, both ways, in pieces that fit no frame."""
    count = 50
    with two_workers() as relay:
        with closing(at_once(64, lambda i: upgraded(relay, sid=f"s{i}"))) as binaries:
            up = b"".join(RawPeer.frame(1, b"%d" % n) for n in range(count))
            with closing(at_once(64, lambda i: Attempt(relay, "/v1/client", f"s{i}", data=up[:77]))) as phones:
                for p in phones:
                    p.s.sendall(up[77:])
                for b, p in zip(binaries, phones):
                    envelopes = [json.loads(b.recv()[1]) for _ in range(count)]
                    assert [e["frame"] for e in envelopes] == list(range(count))
                    assert len({e["conn_id"] for e in envelopes}) == 1
                    b.s.sendall(b"".join(RawPeer.frame(1, json.dumps({**e, "frame": -e["frame"]}).encode())
                                         for e in envelopes))
                for p in phones:
                    assert p.status == 101
                    assert [int(p.recv()[1]) for _ in range(count)] == [-n for n in range(count)]
                now = scrape(relay)
                assert now["connected_binaries"] == now["connected_phones"] == 64
                assert {now[name] for name in now if name.startswith("frames_forwarded")} == {64 * count}


def test_both_workers_have_server_ids():
    with two_workers() as relay, closing([upgraded(relay, sid=f"s{i}") for i in range(24)]) as peers:
        homes = [worker_of(relay, peer) for peer in peers]
        assert len(set(homes)) == 2
        assert homes[:4] == [worker_of(relay, peer) for peer in peers[:4]], "and they stay there"


def test_42_conn_ids_are_unique_on_two_workers():
    with two_workers("--max-phones-per-server=40") as relay:
        names = []
        with closing([]) as peers:
            for i in range(6):
                b = upgraded(relay, sid=f"s{i % 3}" if i < 3 else f"t{i}")
                peers.append(b)
                for _ in range(40):
                    peers.append(Attempt(relay, "/v1/client", f"s{i}" if i < 3 else f"t{i}", data=b""))
                    peers[-1].s.sendall(FRAMES[0])
                names += [json.loads(b.recv()[1])["conn_id"] for _ in range(40)]
        assert len(set(names)) == 240


# ---- the end

@pytest.mark.parametrize("seed", range(4))
def test_71_sigterm_while_connections_move(seed):
    """Each is told or gone; the relay ends well, with nothing left."""
    chance = random.Random(seed)
    with two_workers() as relay, closing([upgraded(relay, sid="before")]) as (settled,):
        stop_after = chance.randrange(5, 120)
        made = []
        lock = threading.Lock()

        def attempt(i):
            with contextlib.suppress(OSError):
                peer = Attempt(relay, ("/v1/server", "/v1/client")[i % 3 == 2], f"s{i // 3}", data=EARLY)
                with lock:
                    made.append(peer)
                    if len(made) == stop_after:
                        relay.process.terminate()

        at_once(150, attempt)
        relay.process.terminate()
        assert settled.close_code() == 1001
        settled.close()
        codes = set()
        for peer in made:
            with contextlib.suppress(OSError):
                if peer.status == 101:
                    codes.add(peer.close_code())
            peer.close()
        assert codes <= {1001, 1000, 1011, 4404, 4409, None}
        assert relay.stop() == 0
        assert relay.events("shutdown complete")


# ---- a kernel that cannot share

def without_reuseport():
    if not SHIM.exists():
        pytest.skip("the shim is not built")
    options = os.environ.get("ASAN_OPTIONS", "")
    return {"LD_PRELOAD": str(SHIM.resolve()), "ASAN_OPTIONS": f"{options}:verify_asan_link_order=0"}


def test_without_reuseport_it_says_so_once_and_serves():
    with two_workers(env=without_reuseport()) as relay:
        assert len([line for line in relay.lines if "SO_REUSEPORT" in line and "level=WARN" in line]) == 1
        for i in range(30):
            with closing([upgraded(relay, sid=f"s{i}"), Attempt(relay, "/v1/client", f"s{i}", data=EARLY)]) as (b, _):
                assert frames_of(b, 3) == [0, 1, 2]
        assert not relay.events("listener failed")


def test_with_reuseport_nothing_is_said():
    with two_workers() as relay:
        assert "SO_REUSEPORT" not in relay.text()


@plain_only
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("strace"), reason="needs root and strace")
def test_without_reuseport_connections_are_dealt_out_in_turn(tmp_path):
    """Each worker reads as many request heads; one of them accepts."""
    with two_workers(env=without_reuseport()) as relay:
        calls = Calls(relay, tmp_path, "recvfrom,accept4")
        for _ in range(40):
            assert relay.get("/healthz").startswith(b"HTTP/1.1 200")
        heads = calls.stop('"GET /healthz')
        assert sorted(heads.values()) == [20, 20], heads
