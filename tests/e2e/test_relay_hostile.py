"""Peers that want the relay to hold more than it should: each costs itself."""
import asyncio
import contextlib
import socket
import struct

import pytest
from conftest import RawPeer, Relay, binary, phone, plain_only
from websockets.exceptions import InvalidStatusCode


def fill(sock, data, seconds=1.0):
    """Send again and again until nobody takes more; the bytes taken."""
    sock.settimeout(seconds)
    taken = 0
    with contextlib.suppress(TimeoutError):
        while taken < 64 << 20:
            taken += sock.send(data)
    return taken


async def test_who_reads_no_pongs_is_not_read(relay):
    async with binary(relay), phone(relay) as other:
        p = RawPeer(relay, buffer=4096)
        pings = p.frame(9, b"x" * 125) * 64
        taken = await asyncio.to_thread(fill, p.s, pings)
        assert taken < 32 << 20, "a flood of pings was read on and on"
        await (await other.ping())
        p.s.close()


async def test_28_the_cap_is_503_and_a_free_place_is_taken():
    relay = Relay("--max-connections=1").start()
    try:
        async with binary(relay):
            with pytest.raises(InvalidStatusCode) as refused:
                async with phone(relay):
                    pass
            assert refused.value.status_code == 503
            assert relay.get("/healthz").startswith(b"HTTP/1.1 200")
            assert [e["path"] for e in relay.wait_event("conn_cap_reached")] == ["/v1/client"]
        relay.wait_event("server_released")
        async with binary(relay, sid="sid-2"):
            pass
    finally:
        relay.stop()


@plain_only
def test_out_of_descriptors_is_said_and_passes():
    relay = Relay("--max-connections=1000", "--max-pending=1000", prefix=["prlimit", "--nofile=64:64"]).start()
    try:
        peers = [relay.connect(5) for _ in range(80)]
        events = relay.wait_event("descriptors_exhausted")
        assert "RLIMIT_NOFILE" in events[0]["fix"]
        for peer in peers:
            peer.close()
        relay.wait_until(relay._answers)
    finally:
        relay.stop()


async def test_resets_in_every_state_leave_nothing(relay):
    """A peer that goes away with RST, at whatever point, is forgotten."""
    head = (b"GET /v1/client HTTP/1.1\r\nHost: relay.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nUser-Agent: t\r\n"
            b"X-Pyrycode-Server: sid-1\r\nX-Pyrycode-Token: t\r\n\r\n")
    frame = RawPeer.frame(1, b'{"a":"' + b"x" * 3000 + b'"}')
    stream = head + frame + RawPeer.frame(9, b"ping") + RawPeer.frame(8, struct.pack("!H", 1000))
    async with binary(relay) as b:
        for cut in range(0, len(stream), 61):
            s = relay.connect(5)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.sendall(stream[:cut])
            s.close()
        async with phone(relay, device="last") as p:
            await p.send("1")
            while b'"frame":1' not in (await b.recv()).encode():
                pass
            relay.wait_until(lambda: b'"connected_phones":1' in relay.get("/healthz"))
