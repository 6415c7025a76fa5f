"""Metrics of a relay at work: numbers 30, 31 and 62 of the compatibility
checklist, and no peer's text in any of them."""
import asyncio
import itertools
import json
import re
import subprocess

import pytest
from conftest import POSTURE_BIN, RawPeer, binary, closed, learn_conn_id, parse_line, phone, recv
from rules import Attempt, at_once, closing, metrics_text, moved, request, scrape, series, serving, until, upgraded
from test_metrics import FREE, documented, families, promtool

OUTCOMES = ["accept", "reject_headers", "reject_409", "reject_404", "reject_429", "reject_rate_limit"]
KINDS = ["no_server", "server_in_use", "phones_at_cap", "ratelimit"]
PUSH = "pyrycode_relay_push_"
UP = 'frames_forwarded_total{direction="phone_to_binary"}'
DOWN = 'frames_forwarded_total{direction="binary_to_phone"}'


# ---- what is there

def test_30_every_series_is_there_from_the_start(relay):
    now = scrape(relay)
    for endpoint, outcome in itertools.product(["server", "client"], OUTCOMES):
        assert now[f'ws_upgrade_attempts_total{{endpoint="{endpoint}",outcome="{outcome}"}}'] == 0
    for kind in KINDS:
        assert now[f'register_failures_total{{kind="{kind}"}}'] == 0
    for name in (UP, DOWN, "grace_expiries_total", "connected_binaries", "connected_phones"):
        assert now[name] == 0
    assert not [name for name in now if "push" in name], "push is off"


def test_30_the_live_text_is_what_is_documented(relay):
    text = metrics_text(relay)
    wanted = {name: series for name, series in documented().items() if not name.startswith(PUSH)}
    found = {name: (kind, {k: v for k, v in labels.items() if k not in FREE})
             for name, (kind, labels) in families(text).items()}
    assert found == wanted
    checked = promtool(text)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_30_the_answer_says_its_format(relay):
    head = relay.get("/metrics", port=relay.metrics_port).split(b"\r\n\r\n", 1)[0]
    assert b"\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8" in head


def test_posture_has_one_series_for_each_invariant(relay):
    """Of the boot's checks; what the log warns of is not passed."""
    listed = subprocess.run([POSTURE_BIN, "list"], capture_output=True, text=True, check=True).stdout
    ids = {line.split()[0] for line in listed.splitlines() if line and not line[0].isspace()}
    found = re.findall(r'^pyrycode_relay_posture_invariant{id="([^"]+)",verdict="([^"]+)"} 1$', metrics_text(relay), re.M)
    verdicts = dict(found)
    assert len(found) == len(verdicts) > 20 and set(verdicts) <= ids
    warned = {f["check"] for f in map(parse_line, relay.lines) if f["msg"].startswith("insecure posture: ")}
    assert warned <= {i for i, verdict in verdicts.items() if verdict != "pass"}


# ---- what moves

def test_31_a_400_moves_reject_headers_only(relay):
    for path, endpoint in (("/v1/server", "server"), ("/v1/client", "client")):
        before = scrape(relay)
        assert Attempt(relay, path, sid="").status == 400
        assert moved(relay, before) == {
            f'ws_upgrade_attempts_total{{endpoint="{endpoint}",outcome="reject_headers"}}': 1,
            'upgrade_failures_total{reason="missing_header"}': 1}


def test_31_a_4404_moves_both(relay):
    before = scrape(relay)
    assert upgraded(relay, "/v1/client", "nobody").close_code() == 4404
    after = scrape(relay)
    assert moved(relay, before, after) == {
        'ws_upgrade_attempts_total{endpoint="client",outcome="reject_404"}': 1,
        'register_failures_total{kind="no_server"}': 1}
    assert after['closes_sent_total{code="4404"}'] == 1


async def test_31_a_4409_moves_both(relay):
    async with binary(relay):
        before = scrape(relay)
        assert (await closed(await binary(relay)))[0] == 4409
        assert moved(relay, before) == {
            'ws_upgrade_attempts_total{endpoint="server",outcome="reject_409"}': 1,
            'register_failures_total{kind="server_in_use"}': 1}


def test_31_a_429_moves_both():
    with serving("--upgrade-burst=1", "--upgrade-interval=3600") as relay:
        assert Attempt(relay).status == 101
        before = scrape(relay)
        assert Attempt(relay, "/v1/client").status == 429
        assert moved(relay, before) == {
            'ws_upgrade_attempts_total{endpoint="client",outcome="reject_rate_limit"}': 1,
            'register_failures_total{kind="ratelimit"}': 1, 'rate_limited_total{limit="upgrades"}': 1}


def test_31_a_503_moves_none_of_them():
    with serving("--max-connections=1") as relay, closing([upgraded(relay)]):
        before = scrape(relay)
        assert Attempt(relay, "/v1/client").status == 503
        assert moved(relay, before) == {'unavailable_total{reason="budget"}': 1,
                                        'budget_refusals_total{budget="connections"}': 1}


@pytest.mark.parametrize("old, new, reason", [
    (b"Upgrade: websocket", b"Upgrade: h2c", "not_upgrade"),
    (b"GET ", b"POST ", "method"),
    (b"Version: 13", b"Version: 12", "version"),
    (b"dGhlIHNhbXBsZSBub25jZQ==", b"short", "key"),
    (b"Host: relay.example.com", b"Ho st: x", "malformed_head"),
])
def test_upgrade_failures_have_their_reason(relay, old, new, reason):
    head = request()
    assert old in head
    before = scrape(relay)
    assert relay.exchange(head.replace(old, new, 1)).startswith(b"HTTP/1.1 4")
    assert moved(relay, before) == {f'upgrade_failures_total{{reason="{reason}"}}': 1}


async def test_62_frames_forwarded_are_what_was_delivered(relay):
    """Notices, bare directives, refused envelopes and refused messages do not
    count; each histogram has what the counter has."""
    sizes = [2, 200, 70000]
    async with binary(relay) as b, phone(relay) as p, phone(relay) as q:
        ids = [await learn_conn_id(b, x) for x in (p, q)]
        for size in sizes:
            await p.send('"%s"' % ("a" * (size - 2)))
            await recv(b)
            await b.send('{"conn_id":"%s","frame":"%s"}' % (ids[0], "b" * (size - 2)))
            await recv(p)
        await b.send("not an envelope")
        await b.send('{"conn_id":"nobody","frame":1}')
        await b.send('{"conn_id":"%s","close_code":4401}' % ids[1])
        assert (await closed(q))[0] == 4401
        await p.send("not json")
        assert (await closed(p))[0] == 1000
        assert json.loads(await recv(b)) == {"conn_id": ids[0], "close_code": 1001}
        now = scrape(relay)
        assert (now[UP], now[DOWN]) == (2 + len(sizes), len(sizes))
        for direction, count, total in (("phone_to_binary", now[UP], 2 + sum(sizes)),
                                        ("binary_to_phone", now[DOWN], sum(sizes))):
            assert now[f'frame_size_bytes_count{{direction="{direction}"}}'] == count
            assert now[f'frame_size_bytes_sum{{direction="{direction}"}}'] == total
            assert now[f'forward_latency_seconds_count{{direction="{direction}"}}'] == count
        assert now['envelopes_refused_total{reason="not_object"}'] == 1
        assert now['envelopes_refused_total{reason="unknown_conn_id"}'] == 1
        assert now['phone_messages_refused_total{reason="not_json"}'] == 1


async def test_62_what_was_not_delivered_does_not_count(relay):
    """A phone that leaves with frames still queued for it."""
    async with binary(relay) as b:
        p = await asyncio.to_thread(RawPeer, relay, buffer=4096)
        p.send(1, b"1")
        conn_id = json.loads(await recv(b))["conn_id"]
        for _ in range(35):
            await b.send('{"conn_id":"%s","frame":"%s"}' % (conn_id, "a" * 100000))
        relay.wait_until(lambda: series(relay, 'queued_bytes{leg="phone"}') > 0)
        p.s.close()
        assert json.loads(await recv(b))["close_code"] in (1001, 1011)
        assert series(relay, DOWN) < 35
        until(relay, 'queued_bytes{leg="phone"}', 0)


def test_bytes_are_counted_by_leg(relay):
    with closing([upgraded(relay), upgraded(relay, "/v1/client")]) as (b, p):
        before = scrape(relay)
        frame = RawPeer.frame(1, b'"hello"')
        p.s.sendall(frame)
        payload = b.recv()[1]
        # It is counted a moment after its last byte is sent.
        until(relay, 'sent_bytes_total{leg="binary"}', before['sent_bytes_total{leg="binary"}'] + 2 + len(payload))
        now = scrape(relay)
        assert now['received_bytes_total{leg="phone"}'] - before['received_bytes_total{leg="phone"}'] == len(frame)
        assert now['received_bytes_total{leg="binary"}'] == before['received_bytes_total{leg="binary"}']


async def test_everything_returns_to_zero(relay):
    async with binary(relay) as b, phone(relay) as p:
        await learn_conn_id(b, p)
        now = scrape(relay)
        assert now['connections{kind="binary"}'] == now['connections{kind="phone"}'] == 1
        await p.close()
    until(relay, 'connections{kind="binary"}', 0)
    until(relay, 'connections{kind="phone"}', 0)
    until(relay, 'connections{kind="stranger"}', 0)
    now = scrape(relay)
    assert now["grace_windows"] == 1 and now["connected_binaries"] == 0
    assert now['connection_age_seconds_count{kind="binary"}'] == now['connection_age_seconds_count{kind="phone"}'] == 1
    assert {now[f'queued_bytes{{leg="{leg}"}}'] for leg in ("binary", "phone", "other")} == {0}


# ---- what must not be there

ODD = ['peer-text"} 1', "peer-text\\n", "peer-text{x=\"y\"}", "peer-text \u00e4\u2028"]


def test_no_label_has_a_peers_text(relay):
    before = set(scrape(relay))
    with closing([]) as peers:
        for i, text in enumerate(ODD):
            peers.append(upgraded(relay, sid=text, extra="X-Forwarded-For: peer-text\r\n"))
            peers.append(upgraded(relay, "/v1/client", sid=text, extra=f"X-Pyrycode-Device-Name: {text}\r\n"))
            peers[-1].send(1, b'"peer-text"')
            peers[-2].recv()
            peers[-2].send(1, b"peer-text")
            peers.append(upgraded(relay, "/v1/client", sid=text + "nobody"))
            assert Attempt(relay, f"/peer-text{i}").status == 404
        until(relay, 'envelopes_refused_total{reason="not_object"}', len(ODD))
        text = metrics_text(relay)
        assert set(scrape(relay)) == before
        assert "peer-text" not in text and promtool(text).returncode == 0
        status = relay.exchange(b"GET /status.json HTTP/1.1\r\nHost: localhost\r\n\r\n", relay.metrics_port)
        assert status.startswith(b"HTTP/1.1 200") and b"peer-text" not in status


def test_many_scrapes_at_once(relay):
    texts = at_once(60, lambda i: metrics_text(relay), threads=12)
    assert all(promtool(text).returncode == 0 for text in texts[::20])
    assert len({tuple(re.findall(r"^(\S+) ", text, re.M)) for text in texts}) == 1
