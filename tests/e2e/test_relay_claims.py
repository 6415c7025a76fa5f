"""Claims of a server-id that is held: numbers 33, 34, 37 and 61 of the
compatibility checklist, and every way that a probe ends."""
import asyncio
import json
import socket

import pytest
from conftest import RawPeer, binary, closed, learn_conn_id, phone, recv, silent
from rules import Attempt, at_once, closing, scrape, series, serving, until, upgraded

REFUSED_AS = 'register_failures_total{kind="server_in_use"}'
ACCEPTED = 'ws_upgrade_attempts_total{endpoint="server",outcome="accept"}'
REFUSED = {'ws_upgrade_attempts_total{endpoint="server",outcome="reject_409"}',
           REFUSED_AS, 'closes_sent_total{code="4409"}'}


async def deaf(relay, **options):
    """A binary that answers no ping."""
    b = await binary(relay, **options)

    async def no_pong(*_):
        pass

    b.pong = no_pong
    return b


def probes(relay):
    return {name.split('"')[1]: value for name, value in scrape(relay).items() if name.startswith("probes_total")}


def messages(relay, wanted):
    """The order of these events in the log."""
    return [line.split("msg=", 1)[1].split()[0] for line in relay.lines if any(f"msg={m} " in line for m in wanted)]


# ---- the incumbent lives

async def test_33_an_incumbent_that_pongs_is_undisturbed(relay):
    async with binary(relay) as incumbent, phone(relay) as p:
        newcomers = [await binary(relay, version=f"{i}") for i in range(3)]
        for newcomer in newcomers:
            assert await closed(newcomer) == (4409, "server-id already claimed")
        lines = relay.wait_event("server_id_conflict", 3)
        assert {(f["level"], f["server_id"], f["remote"]) for f in lines} == {("INFO", "sid-1", "127.0.0.1")}
        conn_id = await learn_conn_id(incumbent, p)
        await incumbent.send(json.dumps({"conn_id": conn_id, "frame": "still"}))
        assert await recv(p) == '"still"'
        after = scrape(relay)
        assert {after[name] for name in REFUSED} == {3} and after[ACCEPTED] == 1
        alive = probes(relay)
        assert 1 <= alive.pop("alive") <= 3 and set(alive.values()) == {0}
        assert not relay.events("server_id_takeover") and not relay.events("server_released")


async def test_33_a_refused_newcomer_may_ask_again(relay):
    async with binary(relay):
        for _ in range(5):
            assert (await closed(await binary(relay)))[0] == 4409


async def test_33_what_a_refused_newcomer_sent_is_nobodys(relay):
    async with binary(relay) as incumbent, phone(relay) as p:
        conn_id = await learn_conn_id(incumbent, p)
        frame = RawPeer.frame(1, json.dumps({"conn_id": conn_id, "frame": "forged"}).encode())
        newcomer = await asyncio.to_thread(Attempt, relay, data=frame + frame)
        assert await asyncio.to_thread(lambda: (newcomer.status, newcomer.close_code())) == (101, 4409)
        newcomer.close()
        assert await silent(p) and p.open


# ---- the incumbent is dead

async def test_34_a_dead_incumbent_makes_way(relay):
    """For the first of several; what that one sent meanwhile counts then, and
    in its order."""
    incumbent = await deaf(relay, version="old")
    old = await phone(relay)
    relay.wait_event("phone_registered")
    early = b"".join(RawPeer.frame(1, text) for text in (b"not json", b"[]")) + RawPeer.frame(9, b"are you there")
    first = await asyncio.to_thread(Attempt, relay, data=early, extra="X-Pyrycode-Device-Name: unused\r\n")
    assert first.status == 101
    late = [await binary(relay, version="late") for _ in range(2)]
    assert await closed(old, seconds=20) == (4404, "binary reclaimed server-id")
    for newcomer in late:
        assert await closed(newcomer) == (4409, "server-id already claimed")
    assert await closed(incumbent) == (1011, "heartbeat timeout")
    assert await asyncio.to_thread(first.recv) == (10, b"are you there")
    relay.wait_event("binary_forwarder_unmarshal_err", 2)
    order = messages(relay, ["server_claimed", "server_id_takeover", "binary_forwarder_unmarshal_err"])
    assert order == ["server_claimed", "server_id_takeover", "server_claimed"] + ["binary_forwarder_unmarshal_err"] * 2
    assert relay.events("server_claimed")[1]["binary_version"] == "1"
    async with phone(relay) as new:
        await new.send('"for the new one"')
        assert json.loads((await asyncio.to_thread(first.recv))[1])["frame"] == "for the new one"
    after = scrape(relay)
    assert after["takeovers_total"] == 1 and after[ACCEPTED] == 2
    assert {after[name] for name in REFUSED} == {2}
    assert after['phone_evictions_total{cause="takeover"}'] == 1
    assert probes(relay) == {"alive": 0, "dead": 1, "released": 0, "abandoned": 0}
    first.close()


async def test_34_a_half_open_incumbent_makes_way(relay):
    """Its machine is gone: nothing answers, not even with a reset."""
    incumbent = await asyncio.to_thread(upgraded, relay)
    newcomer = await binary(relay)
    relay.wait_event("server_id_takeover", seconds=20)
    async with phone(relay) as p:
        assert await learn_conn_id(newcomer, p)
    await newcomer.close()
    incumbent.close()


async def test_61_a_stalled_phone_does_not_make_a_binary_look_dead(relay):
    async with binary(relay) as incumbent:
        stalled = RawPeer(relay, buffer=4096)
        stalled.send(1, b"1")
        conn_id = json.loads(await recv(incumbent))["conn_id"]
        for _ in range(30):  # 3 MB: the phone's socket is full, its queue is not
            await incumbent.send('{"conn_id":"%s","frame":"%s"}' % (conn_id, "a" * 100000))
        assert await closed(await binary(relay)) == (4409, "server-id already claimed")
        after = scrape(relay)
        assert after['queued_bytes{leg="phone"}'] > 0 and after["connected_phones"] == 1
        assert probes(relay)["alive"] == 1
        stalled.s.close()


# ---- somebody leaves during the probe

@pytest.mark.parametrize("leave", ["close", "abort"])
async def test_the_incumbent_leaves_during_the_probe(relay, leave):
    """Whoever waits gets the server-id at once, and no 4409."""
    incumbent = await deaf(relay)
    old = await phone(relay)
    relay.wait_event("phone_registered")
    newcomers = [await binary(relay, version=f"v{i}") for i in range(2)]
    if leave == "close":
        await incumbent.close()
    else:
        incumbent.transport.abort()
    assert await closed(old, seconds=5) == (4404, "binary reclaimed server-id")
    assert await closed(newcomers[1]) == (4409, "server-id already claimed")
    assert relay.wait_event("server_claimed", 2)[1]["binary_version"] == "v0"
    assert relay.happened("server_id_takeover") == 1
    async with phone(relay) as p:
        assert await learn_conn_id(newcomers[0], p)
    assert probes(relay) == {"alive": 0, "dead": 0, "released": 1, "abandoned": 0}
    assert series(relay, "takeovers_total") == 0
    await newcomers[0].close()


@pytest.mark.parametrize("leave", ["FIN", "RST"])
async def test_the_newcomer_leaves_during_the_probe(relay, leave):
    """Nothing is logged, and the incumbent stays, dead or not."""
    incumbent = await deaf(relay)
    newcomer = await asyncio.to_thread(upgraded, relay)
    if leave == "RST":
        newcomer.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    newcomer.close()
    until(relay, 'connections{kind="binary"}', 1)
    assert probes(relay) == {"alive": 0, "dead": 0, "released": 0, "abandoned": 1}
    assert not relay.events("server_id_conflict") and not relay.events("server_id_takeover")
    async with phone(relay) as p:
        assert await learn_conn_id(incumbent, p)
    await incumbent.close()


async def test_the_first_newcomer_leaves_and_the_second_waits_on(relay):
    incumbent = await deaf(relay)
    first = await asyncio.to_thread(upgraded, relay)
    second = await binary(relay, version="second")
    first.close()
    until(relay, 'connections{kind="binary"}', 2)
    assert relay.happened("server_claimed") == 1 and second.open
    await incumbent.close()
    assert relay.wait_event("server_claimed", 2)[1]["binary_version"] == "second"
    async with phone(relay) as p:
        assert await learn_conn_id(second, p)
    await second.close()


async def test_a_newcomer_after_one_that_left_has_a_probe_of_its_own(relay):
    """The time of the first does not count against the incumbent."""
    incumbent = await deaf(relay)
    first = await asyncio.to_thread(upgraded, relay)
    await asyncio.sleep(3)
    first.close()
    until(relay, 'connections{kind="binary"}', 1)
    second = await binary(relay)
    await asyncio.sleep(8)  # 11 s after the first, 8 s after the second
    assert not relay.events("server_id_takeover")
    relay.wait_event("server_id_takeover")
    await second.close()
    assert (await closed(incumbent))[0] == 1011


async def test_newcomers_are_bounded_by_what_they_send(relay):
    """One that sends on and on during the probe is not read."""
    incumbent = await deaf(relay)
    newcomer = await asyncio.to_thread(upgraded, relay)
    newcomer.s.settimeout(1)
    frame = RawPeer.frame(1, b"x" * 65536)

    def fill():
        for _ in range(1000):
            newcomer.s.sendall(frame)

    with pytest.raises(socket.timeout):
        await asyncio.to_thread(fill)
    assert series(relay, 'received_bytes_total{leg="binary"}') < 2 << 20
    newcomer.close()
    await incumbent.close()


# ---- reclaim

async def test_37_a_reclaim_is_no_probe(relay):
    first = await binary(relay)
    phones = [await phone(relay) for _ in range(2)]
    relay.wait_event("phone_registered", 2)
    await first.close()
    relay.wait_event("server_released")
    async with binary(relay) as second:
        for p in phones:
            assert await closed(p) == (4404, "binary reclaimed server-id")
        after = scrape(relay)
        assert after['phone_evictions_total{cause="reclaim"}'] == 2 and after['closes_sent_total{code="4404"}'] == 2
        assert set(probes(relay).values()) == {0} and not relay.events("server_id_takeover")
        assert await silent(second)


@pytest.mark.parametrize("leave", ["close frame", "FIN", "RST"])
def test_37_no_4409_right_after_the_old_binary_closed(leave):
    """50 times in a row, without a breath in between."""
    with serving() as relay:
        for i in range(50):
            b = Attempt(relay)
            assert b.status == 101
            b.send(9, b"mine?")
            assert b.recv() == (10, b"mine?"), f"claim {i} was refused"
            if leave == "close frame":
                b.send(8, b"\x03\xe8")
                assert b.recv() == (8, b"\x03\xe8")
            elif leave == "RST":
                b.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            b.close()
        after = scrape(relay)
        assert {after[name] for name in REFUSED} == {0}
        assert after[ACCEPTED] == 50


def test_37_many_claims_of_one_id_at_once():
    """One holds it, and every other one is told so, when the incumbent ends."""
    with serving() as relay:
        with closing([upgraded(relay)]) as peers:
            peers += at_once(20, lambda i: Attempt(relay, data=RawPeer.frame(9, b"mine?")))
            assert peers[0].recv()[0] == 9, "the ping of the probe"
            until(relay, 'http_responses_total{code="101"}', 21)
            peers[0].close()
            ends = [(p.status, p.recv()) for p in peers[1:]]
            assert {status for status, _ in ends} == {101}
            assert sorted(end[:2] for _, (_, end) in ends) == sorted([b"\x11\x39"] * 19 + [b"mi"])
        assert series(relay, REFUSED_AS) == 19
