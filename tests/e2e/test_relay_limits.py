"""Limits at their exact edge, who pays, and the metric that counts it: numbers
21, 28 and 36 of the compatibility checklist, and every flag of --help-limits
but those of queues and addresses."""
import asyncio
import re
import socket

import pytest
from conftest import OVER_TLS, PATIENCE, RawPeer, Relay, binary, closed, parse_line, phone, plain_only, run_relay
from rules import Attempt, at_once, closing, moved, request, scrape, series, serving, until, upgraded

ENDPOINTS = ["/v1/server", "/v1/client"]
COUNTS = {  # flag: least, most
    "max-connections": (1, 1 << 30), "max-binaries": (1, 1 << 30), "max-phones": (1, 1 << 30),
    "threads": (1, 64), "max-pending": (1, 1 << 30), "max-handshakes": (1, 1 << 30), "max-connections-per-address": (0, 1 << 30), "max-pending-per-address": (0, 1 << 30),
    "upgrade-burst": (0, 1 << 30), "upgrade-interval": (1, 86400), "max-bytes-per-second": (0, 1 << 30),
    "max-head-bytes": (256, 65536), "max-head-fields": (1, 100), "max-server-id-bytes": (1, 256),
    "max-device-name-bytes": (1, 65536), "max-phones-per-server": (1, 256), "max-queued-per-phone": (65536, 1 << 30),
    "max-queued-per-server": (65536, 1 << 30), "max-queued": (1 << 20, (1 << 63) - 1),
    "drain-seconds": (1, 3600), "max-wakes-per-second": (0, 10000),
}


# ---- values

def test_help_limits_has_every_flag_of_this_table():
    shown = run_relay("--help-limits")
    assert shown.returncode == 0
    assert set(re.findall(r"^  --([a-z-]+) ", shown.stdout, re.M)) == set(COUNTS)


@pytest.mark.parametrize("flag", COUNTS)
def test_values_out_of_range_are_refused_and_named(flag):
    least, most = COUNTS[flag]
    for value in (least - 1, most + 1, "x", "", "1.5", "0x10", " 1", 1 << 64):
        r = run_relay("--insecure-listen", "127.0.0.1:18080", "--metrics-listen=", f"--{flag}={value}")
        assert r.returncode == 2, value
        refusals = [line for line in r.stderr.splitlines() if f"--{flag}" in line and "insecure posture" not in line]
        assert len(refusals) == 1, value


@pytest.mark.parametrize("flag", COUNTS)
def test_a_number_out_of_range_comes_with_its_fix(flag):
    least, most = COUNTS[flag]
    for value in {least - 1, most + 1} - {-1, most + 1 if most > 1 << 62 else None}:
        r = run_relay("--insecure-listen", "127.0.0.1:18080", "--metrics-listen=", f"--{flag}={value}")
        refusals = [line for line in map(parse_line, r.stderr.splitlines()) if "flag" in line]
        assert [line["flag"] for line in refusals] == [f"--{flag}"], value
        assert refusals[0]["level"] == "ERROR" and refusals[0]["fix"]


@pytest.mark.parametrize("flag", sorted(set(COUNTS) - {"max-connections", "max-pending", "max-binaries", "max-phones"}))
def test_the_least_value_serves(flag):
    relay = Relay(f"--{flag}={COUNTS[flag][0]}").start()
    assert relay.stop() == 0


# ---- how many connections

@pytest.mark.parametrize("path", ENDPOINTS)
def test_28_the_cap_at_its_edge(path):
    with serving("--max-connections=3") as relay:
        peers = [upgraded(relay, sid=f"s{i}") for i in range(3)]
        before = scrape(relay)
        refused = Attempt(relay, path)
        assert refused.status == 503
        assert moved(relay, before) == {'budget_refusals_total{budget="connections"}': 1,
                                        'unavailable_total{reason="budget"}': 1}
        line = relay.wait_event("conn_cap_reached")[0]
        assert (line["level"], line["path"], line["remote"]) == ("WARN", path, "127.0.0.1")
        assert relay.get("/healthz").startswith(b"HTTP/1.1 200")
        peers.pop().close()
        until(relay, "connected_binaries", 2)
        peers.append(upgraded(relay, path, sid="s0" if path == "/v1/client" else "new"))
        with closing([*peers, refused]):
            assert Attempt(relay, path).status == 503


def test_28_the_cap_is_exact_when_all_come_at_once():
    with serving("--threads=2", "--max-connections=50", "--max-binaries=50") as relay:
        with closing(at_once(200, lambda i: Attempt(relay, sid=f"s{i}"))) as peers:
            statuses = [p.status for p in peers]
            assert (statuses.count(101), statuses.count(503)) == (50, 150)
            after = scrape(relay)
            assert after['budget_refusals_total{budget="connections"}'] == 150
            assert after['ws_upgrade_attempts_total{endpoint="server",outcome="accept"}'] == 50
            assert after['connections{kind="binary"}'] == after["connected_binaries"] == 50
        until(relay, 'connections{kind="binary"}', 0)
        until(relay, 'connections{kind="stranger"}', 0)


def test_each_kind_has_its_cap():
    with serving("--max-connections=10", "--max-binaries=2", "--max-phones=3") as relay:
        peers = [upgraded(relay, sid=f"s{i}") for i in range(2)]
        before = scrape(relay)
        assert Attempt(relay, sid="s2").status == 503
        assert moved(relay, before) == {'budget_refusals_total{budget="binaries"}': 1,
                                        'unavailable_total{reason="budget"}': 1}
        peers += [upgraded(relay, "/v1/client", sid="s0") for _ in range(3)]
        until(relay, "connected_phones", 3)
        before = scrape(relay)
        assert Attempt(relay, "/v1/client", sid="s0").status == 503
        assert moved(relay, before) == {'budget_refusals_total{budget="phones"}': 1,
                                        'unavailable_total{reason="budget"}': 1}
        peers.pop().close()
        until(relay, "connected_phones", 2)
        with closing([*peers, upgraded(relay, "/v1/client", sid="s0")]):
            assert Attempt(relay, "/v1/client", sid="s0").status == 503


@pytest.mark.parametrize("full, other", [ENDPOINTS, ENDPOINTS[::-1]])
def test_neither_kind_fills_the_cap_alone(full, other):
    """The default of each kind is all but an eighth."""
    with serving("--max-connections=16") as relay:
        with closing([upgraded(relay, "/v1/server", sid="s0")] if full == "/v1/client" else []) as peers:
            peers += [upgraded(relay, full, sid=f"s{i if full == '/v1/server' else 0}") for i in range(14)]
            assert Attempt(relay, full, sid="one-more").status == 503
            peers.append(upgraded(relay, other, sid="s0"))


def test_36_phones_of_a_server_id():
    with serving("--max-phones-per-server=3") as relay:
        peers = [upgraded(relay, sid=sid) for sid in ("a", "b")]
        peers += [upgraded(relay, "/v1/client", "a") for _ in range(3)]
        until(relay, "connected_phones", 3)
        before = scrape(relay)
        refused = upgraded(relay, "/v1/client", "a")
        assert refused.close_code() == 4429
        after = scrape(relay)
        assert moved(relay, before, after) == {'register_failures_total{kind="phones_at_cap"}': 1,
                                               'ws_upgrade_attempts_total{endpoint="client",outcome="reject_429"}': 1}
        assert after['closes_sent_total{code="4429"}'] == 1
        peers.append(upgraded(relay, "/v1/client", "b"))  # each server-id has its own
        until(relay, "connected_phones", 4)
        with closing([*peers, refused]):
            peers[2].close()
            until(relay, "connected_phones", 3)
            peers.append(upgraded(relay, "/v1/client", "a"))
            until(relay, "connected_phones", 4)


# ---- before the upgrade

def silent_peer(relay, source="127.0.0.1"):
    return relay.connect(source=source)


def ended(peers, seconds=0):
    """Which of them the relay has closed."""
    over = []
    for i, s in enumerate(peers):
        s.settimeout(seconds)
        try:
            if s.recv(1) == b"":
                over.append(i)
        except ConnectionError:
            over.append(i)
        except (socket.timeout, BlockingIOError):
            pass
    return over


@plain_only
def test_pending_the_longest_waiting_pays():
    with serving("--threads=1", "--max-pending=8") as relay:
        until(relay, 'connections{kind="stranger"}', 0)
        with closing([silent_peer(relay) for _ in range(8)]) as peers:
            until(relay, 'connections{kind="stranger"}', 8)
            assert ended(peers) == []
            assert relay.get("/healthz").startswith(b"HTTP/1.1 200"), "a quick newcomer gets in"
            assert ended(peers) == [0]
            assert series(relay, 'budget_refusals_total{budget="pre_upgrade"}') == 1
            quick = upgraded(relay)
            assert ended(peers) == [0], "the place of the first is free"
            until(relay, 'connections{kind="stranger"}', 7)
            quick.close()


@plain_only
def test_pending_with_more_workers():
    """Whoever comes in, one of those that wait makes room, and one alone."""
    with serving("--threads=2", "--max-pending=32") as relay:
        until(relay, 'connections{kind="stranger"}', 0)
        with closing([silent_peer(relay) for _ in range(32)]) as peers:
            until(relay, 'connections{kind="stranger"}', 32)
            for _ in range(3):
                assert relay.get("/healthz").startswith(b"HTTP/1.1 200")
            relay.wait_until(lambda: len(ended(peers)) >= 1)
            assert len(ended(peers)) == series(relay, 'budget_refusals_total{budget="pre_upgrade"}')


def test_pending_a_newcomer_is_let_in_on_a_worker_where_nobody_waits():
    """One place, held by somebody who may wait at another worker."""
    with serving("--threads=2", "--max-pending=1") as relay:
        for i in range(20):
            until(relay, 'connections{kind="stranger"}', 0)  # who closes waits, too
            with closing([silent_peer(relay)]):
                until(relay, 'connections{kind="stranger"}', 1)
                with closing([Attempt(relay, sid=f"s{i}")]) as peers:
                    assert peers[0].status == 101


@plain_only
def test_pending_of_one_address():
    with serving("--max-pending-per-address=3") as relay:
        until(relay, 'connections{kind="stranger"}', 0)
        with closing([silent_peer(relay, "127.0.0.2") for _ in range(3)]) as peers:
            until(relay, 'connections{kind="stranger"}', 3)
            one_more = silent_peer(relay, "127.0.0.2")
            assert ended([one_more], PATIENCE) == [0]
            assert ended(peers) == []
            assert series(relay, 'budget_refusals_total{budget="address"}') == 1
            with closing([upgraded(relay, source="127.0.0.3")]):
                peers[0].settimeout(PATIENCE)
                peers[0].sendall(request(sid="mine"))
                assert peers[0].recv(4096).startswith(b"HTTP/1.1 101")
                until(relay, 'connections{kind="stranger"}', 2)
                fourth = silent_peer(relay, "127.0.0.2")  # an upgraded one waits no longer
                until(relay, 'connections{kind="stranger"}', 3)
                assert ended([fourth]) == []
                fourth.close()


# ---- heads

def padded(length, fields=2):
    """A request head of exactly so many bytes and fields."""
    head = b"GET /healthz HTTP/1.1\r\nHost: relay.example.com\r\n" + b"A: b\r\n" * (fields - 2) + b"X: "
    return head + b"x" * (length - len(head) - 4) + b"\r\n\r\n"


@pytest.mark.parametrize("pieces", [1, 2, 50])
def test_head_bytes(pieces):
    with serving("--max-head-bytes=512") as relay:
        for length, status in ((512, b"200"), (513, b"431"), (5000, b"431")):
            head = padded(length)
            assert len(head) == length
            with relay.connect() as s:
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                step = -(-length // pieces)
                for at in range(0, length, step):
                    try:
                        s.sendall(head[at:at + step])
                    except ConnectionError:
                        break  # what is too long is answered before its end
                assert s.recv(4096)[9:12] == status, length
        assert series(relay, 'upgrade_failures_total{reason="head_too_large"}') == 2


def test_head_fields():
    with serving("--max-head-fields=7") as relay:
        assert relay.exchange(padded(200, 7)).startswith(b"HTTP/1.1 200")
        assert relay.exchange(padded(200, 8)).startswith(b"HTTP/1.1 431")
        assert series(relay, 'upgrade_failures_total{reason="head_too_large"}') == 1


@pytest.mark.parametrize("path", ENDPOINTS)
def test_server_id_bytes(path):
    """Bytes, not characters."""
    with serving("--max-server-id-bytes=8") as relay:
        for sid in ("12345678", "\u00e4\u00e4\u00e4\u00e4"):
            assert Attempt(relay, path, sid).status == 101
        before = scrape(relay)
        for sid in ("123456789", "\u00e4\u00e4\u00e4\u00e4x"):
            assert Attempt(relay, path, sid).status == 400
        endpoint = path.removeprefix("/v1/")
        assert moved(relay, before) == {
            'upgrade_failures_total{reason="server_id"}': 2,
            f'ws_upgrade_attempts_total{{endpoint="{endpoint}",outcome="reject_headers"}}': 2}


@pytest.mark.parametrize("name, shown", [("abcde", "abcde"), ("abcdef", "abcde"), ("abcd\u00e4", "abcd"),
                                         ("abc\u00e4", "abc\u00e4")])
def test_device_name_bytes(name, shown):
    """Cut in the log, between two characters; nobody is refused for it."""
    with serving("--max-device-name-bytes=5") as relay:
        with closing([upgraded(relay), upgraded(relay, "/v1/client", extra=f"X-Pyrycode-Device-Name: {name}\r\n")]):
            assert relay.wait_event("phone_registered")[0]["device_name"] == shown


# ---- bytes a second

def test_bytes_per_second_of_a_burst():
    """A burst of 512 KiB passes at once; a byte more is read with a pause.
    Over TLS its records count: 22 bytes more for each of 16 KiB."""
    records = 16 * 22 if OVER_TLS else 0
    with serving("--max-bytes-per-second=1") as relay:
        with closing([upgraded(relay), upgraded(relay, "/v1/client")]) as (b, p):
            half = RawPeer.frame(1, b'"' + b"a" * (262144 - 16 - records) + b'"')
            assert len(half) == 262144 - records
            for _ in range(2):
                p.s.sendall(half)
                assert len(b.recv()[1]) > 262144 - 16 - records
            assert series(relay, 'rate_limited_total{limit="bytes"}') == 0
            p.send(1, b'"' + b"b" * 1000 + b'"')
            assert b"bbb" in b.recv()[1], "what was read is not lost"
            assert series(relay, 'rate_limited_total{limit="bytes"}') == 1
            p.send(1, b'"later"')
            other = upgraded(relay, "/v1/client")
            other.send(1, b'"now"')
            assert b'"now"' in b.recv()[1], "another phone is read"
            other.close()


def test_bytes_per_second_lose_nothing():
    with serving("--max-bytes-per-second=200000") as relay:
        with closing([upgraded(relay), upgraded(relay, "/v1/client")]) as (b, p):
            for i in range(9):
                p.send(1, b'"%d%s"' % (i, b"a" * 99990))
            for i in range(9):
                assert b'"frame":"%d' % i in b.recv()[1]
        assert series(relay, 'rate_limited_total{limit="bytes"}') >= 1


def test_bytes_per_second_is_off_by_default(relay):
    with closing([upgraded(relay), upgraded(relay, "/v1/client")]) as (b, p):
        for i in range(9):
            p.send(1, b'"%d%s"' % (i, b"a" * 199990))
            assert b'"frame":"%d' % i in b.recv()[1]
    assert series(relay, 'rate_limited_total{limit="bytes"}') == 0


# ---- what holds no place

def linger_in_hand(relay, path, sid):
    """A peer that is refused by a close frame and does not answer it."""
    peer = upgraded(relay, path, sid)
    assert peer.close_code() in (4404, 4409, 4429)
    return peer


@pytest.mark.parametrize("path, sid", [("/v1/client", "nobody"), ("/v1/server", "held"), ("/v1/client", "held")])
async def test_a_refused_connection_holds_no_place(path, sid):
    """4404, 4409 and 4429: the place is free although the peer never answers
    the close frame."""
    flags = ("--max-connections=3", "--max-binaries=3", "--max-phones=3", "--max-phones-per-server=1")
    with serving(*flags) as relay:
        async with binary(relay, "held"), phone(relay, "held"):
            until(relay, "connected_phones", 1)
            for _ in range(3):
                peer = await asyncio.to_thread(linger_in_hand, relay, path, sid)
                good = await binary(relay, "good")  # at once, or it fails
                await good.close()
                until(relay, "connected_binaries", 1)
                peer.close()


async def test_a_400_holds_no_place():
    with serving("--max-connections=1") as relay:
        bad = relay.connect()
        bad.sendall(request(sid="").replace(b"User-Agent: t\r\n", b""))
        assert bad.recv(4096).startswith(b"HTTP/1.1 400")
        with closing([bad]):
            async with binary(relay):
                until(relay, "connected_binaries", 1)


async def test_a_half_closed_connection_holds_no_place():
    """Its FIN is the end, though it never closes."""
    with serving("--max-connections=1") as relay:
        for i in range(3):
            gone = await asyncio.to_thread(upgraded, relay, sid=f"s{i}")
            gone.s.shutdown(socket.SHUT_WR)
            until(relay, 'connections{kind="binary"}', 0)
            assert Attempt(relay, sid="next").status == 101
            until(relay, 'connections{kind="binary"}', 0)
            gone.close()


async def test_a_closing_peer_that_does_not_answer_holds_no_place():
    """Closed by its binary, it keeps its end open."""
    with serving("--max-connections=2") as relay:
        async with binary(relay) as b:
            p = await asyncio.to_thread(upgraded, relay, "/v1/client")
            p.send(1, b"1")
            conn_id = (await b.recv()).split('"')[3]
            await b.send(f'{{"conn_id":"{conn_id}","close_code":4401}}')
            assert await asyncio.to_thread(p.close_code) == 4401
            async with phone(relay):
                until(relay, "connected_phones", 1)
            p.close()


async def test_71_a_refused_one_does_not_hold_up_the_drain():
    with serving() as relay:
        peer = await asyncio.to_thread(linger_in_hand, relay, "/v1/client", "nobody")
        b = await binary(relay)
        relay.process.terminate()
        assert await closed(b) == (1001, "shutting down")
        assert await asyncio.to_thread(relay.process.wait, 12) == 0
        peer.close()
