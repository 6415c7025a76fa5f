"""Data path: numbers 43 to 62, 63 and 67 of the compatibility checklist."""
import asyncio
import contextlib
import json
import os
import re
import socket
import struct

import pytest
import websockets
from conftest import RawPeer, binary, closed, learn_conn_id, phone, recv, silent

MAX = 262144


@contextlib.asynccontextmanager
async def pair(relay, **options):
    """A binary, a phone, and the phone's conn_id."""
    async with binary(relay) as b, phone(relay, **options) as p:
        yield b, p, await learn_conn_id(b, p)


def envelope(conn_id, frame=None, **more):
    head = json.dumps({"conn_id": conn_id, **more})
    return head if frame is None else head[:-1] + ',"frame":' + frame + "}"


# ---- phone to binary

@pytest.mark.parametrize("data", ['{"a":1}', b'{"a":1}'], ids=["text-43", "binary-44"])
async def test_43_44_envelope(relay, data):
    async with pair(relay) as (b, p, conn_id):
        await p.send(data)
        got = await recv(b)
        assert isinstance(got, str), "always text"
        assert json.loads(got) == {"conn_id": conn_id, "frame": {"a": 1}}
        assert list(json.loads(got)) == ["conn_id", "frame"]


@pytest.mark.parametrize("value", ["42", "null", '"x"', "true", "-1.5e3", " [ ] ", '"\\u0000\\ud83d\\ude00"'])
async def test_45_any_json_value(relay, value):
    async with pair(relay) as (b, p, _):
        await p.send(value)
        assert json.loads(await recv(b))["frame"] == json.loads(value)


@pytest.mark.parametrize("data", ["", "secret words", "{", "1 2", '{"a":1,}', "\ufeff1", "nul", "[1", '"\t"', b"\xff",
                                  "[" * 10001 + "]" * 10001])
async def test_46_74_not_json(relay, data):
    async with pair(relay) as (b, p, conn_id):
        await p.send(data)
        assert await closed(p) == (1000, "")
        assert json.loads(await recv(b)) == {"conn_id": conn_id, "close_code": 1001}
        line = relay.wait_event("phone_forwarder_marshal_err")[0]
        assert line["conn_id"] == conn_id and line["level"] == "WARN" and line["err"]
        assert "secret words" not in relay.text()


async def test_nesting_of_10000_passes(relay):
    async with pair(relay) as (b, p, _):
        deep = "[" * 10000 + "]" * 10000
        await p.send(deep)
        assert (await recv(b)).endswith(deep + "}")


async def test_47_the_token_goes_nowhere(relay):
    token = "tok-4711-never-seen"
    async with binary(relay) as b, phone(relay, token=token) as p:
        await p.send('"hello"')
        got = [await recv(b)]
        await p.close()
        got.append(await recv(b))
        assert token not in "".join(got)
        relay.wait_event("phone_unregistered")
        assert token not in relay.text()


async def test_conn_id_of_an_odd_server_id_is_json(relay):
    sid = 'a"\\\u00e4\u2028<&>'.encode()
    peer = {"X-Pyrycode-Server": sid.decode("latin-1"), "X-Pyrycode-Version": "1", "X-Pyrycode-Token": "t"}
    # The library refuses non-ASCII header values: raw peers for both legs.
    del peer
    b = RawPeer(relay, "/v1/server", sid=sid.decode())
    p = RawPeer(relay, "/v1/client", sid=sid.decode())
    p.send(1, b'{"x":1}')
    opcode, payload = b.recv()
    conn_id = json.loads(payload)["conn_id"]
    assert opcode == 1 and conn_id.startswith("client-" + sid.decode() + "-")
    b.send(1, json.dumps({"conn_id": conn_id, "frame": "hi"}).encode())
    assert p.recv() == (1, b'"hi"')


# ---- binary to phone

async def test_48_verbatim(relay):
    async with pair(relay) as (b, p, conn_id):
        await b.send(f'{{"conn_id":"{conn_id}","frame":{{ "x" : 1 }}}}')
        assert await recv(p) == '{ "x" : 1 }'
        await b.send(f'{{"conn_id":"{conn_id}","frame":{{ "x" : 1 }}}}'.encode())  # as binary opcode
        assert await recv(p) == '{ "x" : 1 }'


async def test_49_unknown_members(relay):
    async with pair(relay) as (b, p, conn_id):
        await b.send(f'{{"future":[1,{{"conn_id":"x"}}],"frame":7,"conn_id":"{conn_id}","z":null}}')
        assert await recv(p) == "7"


@pytest.mark.parametrize("data, msg, words", [
    ("not json", "binary_forwarder_unmarshal_err", "relay: malformed routing envelope"),
    ("[1]", "binary_forwarder_unmarshal_err", "relay: malformed routing envelope"),
    ('{"conn_id":5,"frame":1}', "binary_forwarder_unmarshal_err", "relay: malformed routing envelope"),
    ('{"frame":1}', "binary_forwarder_unmarshal_err", "relay: routing envelope missing conn_id"),
    ('{"conn_id":"","frame":1}', "binary_forwarder_unmarshal_err", "relay: routing envelope missing conn_id"),
    ('{"conn_id":null,"frame":1}', "binary_forwarder_unmarshal_err", "relay: routing envelope missing conn_id"),
    ('{"conn_id":"client-sid-1-00000000"}', "binary_forwarder_unmarshal_err",
     "relay: routing envelope missing frame"),
    ('{"conn_id":"client-sid-1-00000000","frame":null}', "binary_forwarder_unmarshal_err",
     "relay: routing envelope missing frame"),
    ('{"conn_id":"client-sid-1-00000000","frame":1}', "binary_forwarder_unknown_conn_id", None),
])
async def test_50_bad_envelopes_cost_a_line_each(relay, data, msg, words):
    async with pair(relay) as (b, p, conn_id):
        await b.send(data)
        await b.send(envelope(conn_id, '"still works"'))
        assert await recv(p) == '"still works"'
        lines = relay.wait_event(msg)
        assert len(lines) == 1 and lines[0]["level"] == "WARN"
        assert words is None or words in lines[0]["err"]
        assert b.open and p.open


async def test_51_other_server_ids_are_out_of_reach(relay):
    async with pair(relay) as (_, p, conn_id), binary(relay, sid="attacker") as other:
        await other.send(envelope(conn_id, '"gotcha"'))
        await other.send(envelope(conn_id, close_code=4401))
        relay.wait_event("binary_forwarder_unknown_conn_id", count=2)
        assert await silent(p) and p.open


async def test_52_close_directive_after_its_frame(relay):
    async with pair(relay) as (b, p, conn_id):
        await b.send(envelope(conn_id, '"bye"', close_code=4401))
        assert await recv(p) == '"bye"'
        assert await closed(p) == (4401, "")
        line = relay.wait_event("binary_forwarder_phone_closed")[0]
        assert (line["conn_id"], line["close_code"]) == (conn_id, "4401")
        assert await silent(b), "no notice for a close that it asked for"


async def test_53_close_directive_alone(relay):
    async with pair(relay) as (b, p, conn_id):
        await b.send(envelope(conn_id, close_code=4421))
        assert await closed(p) == (4421, "")


@pytest.mark.parametrize("code", ["70000", "-1", "1.5", '"x"', "65536", "true", "1e3"])
async def test_54_malformed_close_code(relay, code):
    async with pair(relay) as (b, p, conn_id):
        await b.send(f'{{"conn_id":"{conn_id}","frame":1,"close_code":{code}}}')
        assert "malformed routing envelope" in relay.wait_event("binary_forwarder_unmarshal_err")[0]["err"]
        await b.send(f'{{"conn_id":"{conn_id}","frame":2,"close_code":0}}')
        assert await recv(p) == "2"
        assert p.open


@pytest.mark.parametrize("code", [999, 1005, 1006, 1015])
async def test_close_codes_that_may_not_stand_on_the_wire(relay, code):
    async with pair(relay) as (b, p, conn_id):
        await b.send(envelope(conn_id, "1", close_code=code))
        relay.wait_event("binary_forwarder_unmarshal_err")
        assert await silent(p) and p.open


async def test_55_close_notice_carries_the_phones_code(relay):
    async with pair(relay) as (b, p, conn_id):
        await p.send('"last"')
        await p.close(1000)
        assert json.loads(await recv(b)) == {"conn_id": conn_id, "frame": "last"}
        assert json.loads(await recv(b)) == {"conn_id": conn_id, "close_code": 1000}
        assert await silent(b), "exactly one"


async def test_55_dropped_tcp_is_1001(relay):
    async with pair(relay) as (b, p, conn_id):
        p.transport.abort()
        assert json.loads(await recv(b)) == {"conn_id": conn_id, "close_code": 1001}


async def test_55_empty_close_frame_is_1005(relay):
    async with binary(relay) as b:
        p = RawPeer(relay)
        p.send(1, b"1")
        conn_id = json.loads(await recv(b))["conn_id"]
        p.send(8, b"")
        assert p.recv() == (8, b"")
        assert json.loads(await recv(b)) == {"conn_id": conn_id, "close_code": 1005}


# ---- sizes and deadlines

async def test_56_message_limit_from_a_phone(relay):
    async with pair(relay) as (b, p, conn_id):
        await p.send('"' + "a" * (MAX - 2) + '"')
        assert len(json.loads(await recv(b))["frame"]) == MAX - 2
        await p.send('"' + "a" * (MAX - 1) + '"')
        assert (await closed(p))[0] == 1009
        assert json.loads(await recv(b)) == {"conn_id": conn_id, "close_code": 1001}


async def test_56_message_limit_from_a_binary(relay):
    async with pair(relay) as (b, p, conn_id):
        empty = envelope(conn_id, '""')
        await b.send(empty[:-2] + "a" * (MAX - len(empty)) + '"}')
        assert len(await recv(p)) == MAX - len(empty) + 2
        await b.send(empty[:-2] + "a" * (MAX - len(empty) + 1) + '"}')
        assert (await closed(b))[0] == 1009


async def test_56_the_limit_counts_fragments_together(relay):
    async with binary(relay) as b:
        p = RawPeer(relay)
        p.send(1, b'"' + b"a" * 200000, fin=False)
        p.send(0, b"a" * (MAX - 200002) + b'"')
        assert len(json.loads(await recv(b))["frame"]) == MAX - 2
        p.send(1, b'"' + b"a" * 200000, fin=False)
        p.send(0, b"a" * (MAX - 200001) + b'"')
        assert await asyncio.to_thread(p.close_code) == 1009


async def test_57_a_message_must_end_in_time(relay):
    """Pongs and pings between the fragments gain no time."""
    async with binary(relay) as b:
        p = RawPeer(relay)
        p.send(1, b'"a', fin=False)

        def dribble():
            p.s.settimeout(1)
            for _ in range(45):
                try:
                    p.send(9, b"still here")
                    while (got := p.recv()) is not None:
                        if got[0] == 9:
                            p.send(10, got[1])
                    return True
                except socket.timeout:
                    continue
                except OSError:
                    return True
            return False

        assert await asyncio.to_thread(dribble), "not dropped after 45 s"
        assert json.loads(await recv(b))["close_code"] == 1001
        assert "not completed" in relay.wait_event("phone_forwarder_read_end")[0]["err"]


async def test_58_a_burst_to_a_late_reader(relay):
    async with binary(relay) as b:
        p = RawPeer(relay, buffer=4096)
        p.send(1, b"1")
        conn_id = json.loads(await recv(b))["conn_id"]
        for i in range(300):
            await b.send(envelope(conn_id, json.dumps(str(i).rjust(1022))))
        await asyncio.sleep(1)

        def read_all():
            return [json.loads(p.recv()[1]) for _ in range(300)]

        assert await asyncio.to_thread(read_all) == [str(i).rjust(1022) for i in range(300)]


async def test_59_a_phone_that_never_reads_is_dropped(relay):
    async with binary(relay) as b, phone(relay) as good:
        stalled = RawPeer(relay, buffer=4096)
        good_id = await learn_conn_id(b, good)
        stalled.send(1, b"1")
        conn_id = json.loads(await recv(b))["conn_id"]
        frame = '"' + "a" * 100000 + '"'
        for i in range(120):  # 12 MB: more than the kernel and the budget hold
            await b.send(envelope(conn_id, frame))
            if i % 40 == 0:
                await b.send(envelope(good_id, str(i)))
                assert await recv(good) == str(i)
        line = relay.wait_event("binary_forwarder_phone_enqueue_failed")[0]
        assert line["conn_id"] == conn_id and line["err"] == "relay: phone delivery backlog full"
        assert json.loads(await recv(b)) == {"conn_id": conn_id, "close_code": 1011}
        await b.send(envelope(good_id, '"still served"'))
        assert await recv(good) == '"still served"'


async def test_59_a_stalled_write_is_dropped_in_time(relay):
    async with binary(relay) as b:
        stalled = RawPeer(relay, buffer=4096)
        stalled.send(1, b"1")
        conn_id = json.loads(await recv(b))["conn_id"]
        for _ in range(30):  # 3 MB: within the budget
            await b.send(envelope(conn_id, '"' + "a" * 100000 + '"'))
        assert json.loads(await recv(b, seconds=20)) == {"conn_id": conn_id, "close_code": 1011}
        line = relay.wait_event("binary_forwarder_phone_send_failed")[0]
        assert line["conn_id"] == conn_id and "timed out" in line["err"]


async def test_60_a_thousand_frames_each_way(relay):
    async with binary(relay) as b:
        phones = [await phone(relay) for _ in range(3)]
        ids = [await learn_conn_id(b, p) for p in phones]

        async def upward(p):
            for i in range(1000):
                await p.send(str(i))

        async def downward():
            for i in range(1000):
                for conn_id in ids:
                    await b.send(envelope(conn_id, str(i)))

        async def heard_by_binary():
            heard = {conn_id: [] for conn_id in ids}
            for _ in range(3000):
                got = json.loads(await recv(b))
                heard[got["conn_id"]].append(got["frame"])
            return heard

        async def heard_by(p):
            return [json.loads(await recv(p)) for _ in range(1000)]

        results = await asyncio.gather(heard_by_binary(), *map(heard_by, phones), downward(), *map(upward, phones))
        assert all(frames == list(range(1000)) for frames in results[0].values())
        assert all(frames == list(range(1000)) for frames in results[1:4])
        for p in phones:
            await p.close()


async def test_62_frames_forwarded_are_what_was_delivered(relay):
    async with pair(relay) as (b, p, conn_id):
        await p.send("2")
        await recv(b)
        await b.send(envelope(conn_id, "3"))
        await recv(p)
        await p.close()
        await recv(b)  # the notice, which does not count
        text = relay.get("/metrics", port=relay.metrics_port).decode()
        counts = dict(re.findall(r'^pyrycode_relay_frames_forwarded_total\{direction="(\w+)"\} (\d+)$', text, re.M))
        assert counts == {"phone_to_binary": "2", "binary_to_phone": "1"}


# ---- push is off

async def test_63_push_wake_without_push(relay):
    async with pair(relay) as (b, p, conn_id):
        await b.send('{"push_wake":{"platform":"android","token":"device-secret"}}')
        line = relay.wait_event("binary_forwarder_push_wake_dropped")[0]
        assert line["level"] == "WARN" and line["err"] == "relay: push is off"
        await b.send(envelope(conn_id, "1"))
        assert await recv(p) == "1"
        assert "device-secret" not in relay.text()


async def test_67_conn_id_wins_over_push_wake(relay):
    async with pair(relay) as (b, p, conn_id):
        await b.send(envelope(conn_id, "5", push_wake={"token": "t"}))
        assert await recv(p) == "5"
        assert not relay.events("binary_forwarder_push_wake_dropped")


# ---- RFC 6455

@pytest.mark.parametrize("frames, code", [
    pytest.param([RawPeer.frame(1, b"1", mask=False)], 1002, id="unmasked"),
    pytest.param([RawPeer.frame(1, b"1", rsv=4)], 1002, id="reserved bit"),
    pytest.param([RawPeer.frame(3, b"1")], 1002, id="reserved data opcode"),
    pytest.param([RawPeer.frame(11, b"")], 1002, id="reserved control opcode"),
    pytest.param([RawPeer.frame(0, b"1")], 1002, id="continuation of nothing"),
    pytest.param([RawPeer.frame(1, b"1", fin=False), RawPeer.frame(1, b"1")], 1002, id="new message inside one"),
    pytest.param([RawPeer.frame(9, b"1", fin=False)], 1002, id="fragmented ping"),
    pytest.param([RawPeer.frame(9, b"a" * 126)], 1002, id="long ping"),
    pytest.param([RawPeer.frame(8, b"\x03")], 1002, id="close of one byte"),
    pytest.param([RawPeer.frame(8, struct.pack("!H", 1005))], 1002, id="close 1005"),
    pytest.param([RawPeer.frame(8, struct.pack("!H", 999))], 1002, id="close 999"),
    pytest.param([RawPeer.frame(8, struct.pack("!H", 1000) + b"\xff")], 1007, id="close reason not UTF-8"),
    pytest.param([RawPeer.frame(1, b'"\xff"')], 1007, id="text not UTF-8"),
    pytest.param([RawPeer.frame(1, b'"\xc3', fin=False), RawPeer.frame(0, b'"')], 1007,
                 id="text cut inside a character"),
    pytest.param([RawPeer.frame(1, b"")[:1] + b"\xff" + struct.pack("!Q", 1 << 63) + b"mask"], 1002, id="length above 63 bits"),
    pytest.param([RawPeer.frame(1, b"")[:1] + b"\xff" + struct.pack("!Q", 1 << 62) + b"mask"], 1009, id="length above the limit"),
    pytest.param([RawPeer.frame(1, b"")[:1] + b"\xfe" + struct.pack("!H", 5) + b"aaaa12345"], 1002,
                 id="length not shortest"),
])
async def test_protocol_errors_cost_their_sender_alone(relay, frames, code):
    async with binary(relay) as b, phone(relay) as bystander:
        bad = RawPeer(relay)
        bad.s.sendall(b"".join(frames))
        assert await asyncio.to_thread(bad.close_code) == code
        assert await learn_conn_id(b, bystander)


async def test_control_frames_between_fragments(relay):
    async with binary(relay) as b:
        p = RawPeer(relay)
        p.s.sendall(p.frame(1, b'"\xc3', fin=False) + p.frame(9, b"ping me") + p.frame(0, b"\xa4", fin=False) +
                    p.frame(0, b"", fin=False) + p.frame(10, b"unasked") + p.frame(0, b'"'))
        assert p.recv() == (10, b"ping me")
        assert json.loads(await recv(b))["frame"] == "\u00e4"


async def test_frames_that_follow_the_head_at_once(relay):
    """What a peer sends before it has seen the 101 is not lost."""
    async with binary(relay) as b:
        s = relay.connect(10)
        s.sendall(b"GET /v1/client HTTP/1.1\r\nHost: relay.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                  b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                  b"User-Agent: t\r\nX-Pyrycode-Server: sid-1\r\nX-Pyrycode-Token: t\r\n\r\n" +
                  RawPeer.frame(1, b'"early"'))
        assert json.loads(await recv(b))["frame"] == "early"
        s.close()


async def test_a_flood_of_pings_is_answered_in_order(relay):
    async with binary(relay):
        p = RawPeer(relay)
        p.s.sendall(b"".join(p.frame(9, struct.pack("!I", i)) for i in range(2000)))

        def pongs():
            return [p.recv() for _ in range(2000)]

        assert await asyncio.to_thread(pongs) == [(10, struct.pack("!I", i)) for i in range(2000)]


async def test_a_peers_close_is_echoed_with_its_code(relay):
    async with binary(relay) as b:
        p = await phone(relay)
        await p.close(4123, "own reason")
        assert p.close_code == 4123
        del b


async def test_the_library_agrees(relay):
    """Compression offered is not negotiated, and nothing breaks."""
    headers = {"X-Pyrycode-Server": "sid-1", "X-Pyrycode-Version": "1"}
    async with websockets.connect(relay.url("/v1/server"), extra_headers=headers, compression="deflate",
                                  **relay.websocket_options()) as b:
        assert b.extensions == []
        async with phone(relay) as p:
            assert await learn_conn_id(b, p)
