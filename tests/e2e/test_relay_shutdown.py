"""Shutdown and logs: numbers 71 to 74 of the compatibility checklist."""
import asyncio
import re
import signal
import socket
import time

import pytest
from conftest import RawPeer, Relay, binary, closed, parse_line, phone, run_relay

KEYS = set("""runbook expires bytes server_id conn_id binary_conn_id device_name remote binary_version err path from to close_code token_fp
fcm_message_id duration version mode listen domain cert_cache https_proxy_protocol fix value env_var reason
bypass_env_var effective_uid addr unexpected_ports expected_ports time level msg n check flag observed expected
impact verdict failed warnings enforced held_before
landlock_abi missing syscall syscall_number""".split())


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT], ids=["71-SIGTERM", "72-SIGINT"])
async def test_71_72_drain(sig):
    relay = Relay().start()
    b = await binary(relay)
    p = await phone(relay)
    # Peers that do not answer: upgraded, and half way through a request head.
    silent = relay.connect()
    silent.sendall(b"GET /healthz HTTP/1.1\r\n")
    relay.wait_event("phone_registered")
    b.transport.pause_reading()
    began = time.monotonic()
    relay.process.send_signal(sig)
    assert await closed(p) == (1001, "shutting down")
    with pytest.raises(OSError):
        relay.connect(2)
    relay.process.send_signal(sig)  # a second one is ignored
    assert await asyncio.to_thread(relay.process.wait, 12) == 0
    assert time.monotonic() - began < 12
    b.transport.resume_reading()
    assert (await closed(b))[0] == 1001
    assert relay.stop() == 0
    assert relay.events("shutdown signal received; draining")
    assert relay.events("shutdown complete")
    silent.close()


async def test_71_idle_drain_is_quick():
    relay = Relay().start()
    peers = [await binary(relay), await phone(relay)]
    relay.process.send_signal(signal.SIGTERM)
    for peer in peers:
        assert await closed(peer) == (1001, "shutting down")
    assert await asyncio.to_thread(relay.process.wait, 12) == 0
    assert relay.stop() == 0
    assert relay.lines[-1].endswith('msg="shutdown complete"')


async def test_73_every_line_is_logfmt_with_known_keys(relay):
    device = 'my "own" phone = \\ \t x'
    async with binary(relay, version='1 2="3'):
        p = await phone(relay, device=device)
        await p.send("not json")
        await closed(p)
        relay.wait_event("phone_unregistered")
    assert relay.wait_event("phone_registered")[0]["device_name"] == device
    assert relay.wait_event("server_claimed")[0]["binary_version"] == '1 2="3'
    shape = re.compile(r"time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d) level=(INFO|WARN|ERROR) msg=")
    for text in relay.lines:
        assert shape.match(text), text
        assert set(parse_line(text)) <= KEYS, text


def test_73_raw_bytes_cannot_forge_a_line(relay):
    head = (b"GET /v1/client HTTP/1.1\r\nHost: relay.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nUser-Agent: t\r\n"
            b"X-Pyrycode-Server: %s\r\nX-Pyrycode-Token: t\r\nX-Pyrycode-Device-Name: %s\r\n\r\n")
    forged = b"a\xc2\x85level=ERROR msg=forged\xe2\x80\xa8x"
    assert relay.exchange(head % (forged, b"phone")).startswith(b"HTTP/1.1 400")  # a control character
    relay.exchange(head % (forged.replace(b"\xc2\x85", b" "), b"phone"))
    line = relay.wait_event("phone_register_no_server")[0]
    assert line["level"] == "INFO" and "forged" in line["server_id"]
    owner = RawPeer(relay, "/v1/server")
    with relay.connect() as s:
        s.sendall(head % (b"sid-1", forged))
        line = relay.wait_event("phone_registered")[0]
    owner.s.close()
    assert line["level"] == "INFO" and "forged" in line["device_name"]
    assert not relay.events("forged")
    for text in relay.lines:
        assert text.isascii() or "\u2028" not in text
        assert "\x85" not in text


async def test_74_payload_is_never_logged(relay):
    async with binary(relay) as b, phone(relay) as p:
        for data in ('"payload-words"', '{"payload-words"', "payload-words"):
            await b.send(data)
        await p.send('["payload-words"]')
        await b.recv()
        await p.send("payload-words")
        await closed(p)
        relay.wait_event("phone_unregistered")
        relay.wait_event("binary_forwarder_unmarshal_err", count=3)
    assert "payload-words" not in relay.text()


def test_everything_is_on_stderr():
    r = run_relay("--insecure-listen", "nonsense")
    assert r.stdout == "" and r.stderr
