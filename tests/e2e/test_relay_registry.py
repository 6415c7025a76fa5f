"""Handshake and registry: numbers 32 to 42 of the compatibility checklist."""
import asyncio
import re

import pytest
from conftest import binary, closed, learn_conn_id, phone, silent


async def test_32_claim_is_silent(relay):
    async with binary(relay, version="9.9") as b:
        line = relay.wait_event("server_claimed")[0]
        assert (line["server_id"], line["binary_version"], line["remote"]) == ("sid-1", "9.9", "127.0.0.1")
        assert await silent(b)


async def test_held_id_is_refused_and_the_incumbent_undisturbed(relay):
    async with binary(relay) as incumbent:
        newcomer = await binary(relay)
        assert await closed(newcomer) == (4409, "server-id already claimed")
        assert relay.wait_event("server_id_conflict")[0]["server_id"] == "sid-1"
        async with phone(relay) as p:
            assert await learn_conn_id(incumbent, p)


async def test_35_phone_for_an_unknown_id(relay):
    p = await phone(relay, sid="nobody")
    assert await closed(p) == (4404, "no server with that id")
    assert relay.wait_event("phone_register_no_server")[0]["server_id"] == "nobody"


async def test_36_seventeenth_phone(relay):
    async with binary(relay):
        phones = [await phone(relay) for _ in range(16)]
        one_too_many = await phone(relay)
        assert await closed(one_too_many) == (4429, "too many phones for server-id")
        relay.wait_event("phone_register_at_cap")
        await phones[7].close()
        relay.wait_event("phone_unregistered")
        again = await phone(relay)
        relay.wait_event("phone_registered", count=17)
        assert again.open
        for p in [*phones, again]:
            await p.close()


async def test_37_reclaim_within_grace(relay):
    first = await binary(relay)
    phones = [await phone(relay) for _ in range(3)]
    relay.wait_event("phone_registered", count=3)
    await first.close()
    relay.wait_event("server_released")
    second = await binary(relay)
    for p in phones:
        assert await closed(p) == (4404, "binary reclaimed server-id")
    relay.wait_event("phone_unregistered", count=3)
    assert await silent(second), "no notice about phones that it never knew"
    async with phone(relay) as p:
        assert await learn_conn_id(second, p)
    await second.close()


async def test_38_grace_runs_out(relay):
    b = await binary(relay)
    p = await phone(relay)
    relay.wait_event("phone_registered")
    await b.close()
    assert await closed(p, seconds=40) == (1000, "")
    metrics = relay.get("/metrics", port=relay.metrics_port).decode()
    assert re.search(r"^pyrycode_relay_grace_expiries_total 1$", metrics, re.M)
    late = await phone(relay)
    assert await closed(late) == (4404, "no server with that id")


async def test_39_phone_during_grace(relay):
    b = await binary(relay)
    await b.close()
    relay.wait_event("server_released")
    p = await phone(relay)
    relay.wait_event("phone_registered")
    assert await silent(p)
    await p.send('"nobody hears it"')
    assert await closed(p) == (1000, "")
    assert "nobody hears it" not in relay.text()


async def test_40_an_old_grace_timer_never_evicts_a_new_binary(relay):
    first = await binary(relay)
    await first.close()
    relay.wait_event("server_released")
    await asyncio.sleep(1)
    second = await binary(relay)
    relay.wait_event("server_claimed", count=2)
    await asyncio.sleep(31)  # past the end of the first window
    async with phone(relay) as p:
        assert await learn_conn_id(second, p)
    await second.close()


@pytest.mark.parametrize("kind", ["binary", "phone"])
async def test_41_ignored_pings(relay, kind):
    b = await binary(relay)
    peer = b if kind == "binary" else await phone(relay)

    async def no_pong(*_):
        pass

    peer.pong = no_pong
    assert await closed(peer, seconds=75) == (1011, "heartbeat timeout")
    if kind == "phone":
        assert b.open, "the other leg answered and stays"
        await b.close()


async def test_42_identical_phones_have_ids_of_their_own(relay):
    async with binary(relay) as b, phone(relay, device="d") as p1, phone(relay, device="d") as p2:
        ids = [await learn_conn_id(b, p) for p in (p1, p2)]
        assert len(set(ids)) == 2
        for conn_id in ids:
            assert re.fullmatch(r"client-sid-1-[0-9a-f]{8}", conn_id)
