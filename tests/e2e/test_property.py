"""Properties over random input, against Python's own json: the seed is fixed
and printed with what fails."""
import json
import os
import random
import subprocess

import pytest
from conftest import binary, learn_conn_id, phone, recv
from test_relay_data import RawPeer

DRIVER = os.environ.get("WIRE_DRIVER", "")
needs_driver = pytest.mark.skipif(not os.path.exists(DRIVER), reason="WIRE_DRIVER names no program")
ROUTE = 0


class Driver:
    def __init__(self):
        self.process = subprocess.Popen([DRIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, *words):
        self.process.stdin.write(" ".join((w.hex() or "-") if isinstance(w, bytes) else str(w) for w in words) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().rstrip("\n")

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(10) == 0


@pytest.fixture
def driver():
    d = Driver()
    yield d
    d.close()


def random_text(rng):
    alphabet = "ab\"\\/\b\n\t\u0000\u00e4\u20ac\u2028\U0001f600<>&{}[]:, "
    return "".join(rng.choice(alphabet) for _ in range(rng.randrange(12)))


def random_value(rng, depth=0):
    kind = rng.randrange(8 if depth < 5 else 5)
    if kind == 0:
        return rng.choice([None, True, False])
    if kind == 1:
        return rng.randrange(-10**rng.randrange(1, 20), 10**18)
    if kind == 2:
        return rng.random() * 10**rng.randrange(-30, 30)
    if kind < 5:
        return random_text(rng)
    if kind == 5:
        return [random_value(rng, depth + 1) for _ in range(rng.randrange(5))]
    return {random_text(rng): random_value(rng, depth + 1) for _ in range(rng.randrange(5))}


def random_json(rng):
    indent = rng.choice([None, 0, 1, "\t"])
    return json.dumps(random_value(rng), ensure_ascii=rng.random() < 0.5, indent=indent)


def no_constant(name):
    raise ValueError(name)


def python_accepts(data):
    try:
        text = data.decode("utf-8")
        if text.startswith("\ufeff"):
            return False
        json.loads(text, parse_constant=no_constant)
        return True
    except (ValueError, RecursionError):
        return False


@needs_driver
def test_validity_agrees_with_python(driver):
    rng = random.Random(20261123)
    for i in range(6000):
        data = bytearray(random_json(rng).encode())
        for _ in range(rng.choice([0, 0, 1, 1, 2, 5])):
            at = rng.randrange(len(data) + 1)
            action = rng.randrange(3)
            if action == 0 and data:
                del data[min(at, len(data) - 1)]
            elif action == 1:
                data.insert(at, rng.choice(b"\"\\{}[]:,0123456789eE+-.tfn \x00\x1f\x7f\x80\xff"))
            elif data:
                data[min(at, len(data) - 1)] = rng.randrange(256)
        data = bytes(data)
        assert driver("json", data) == ("valid" if python_accepts(data) else "invalid"), (i, data)


@needs_driver
def test_envelopes_of_a_binary_round_trip(driver):
    rng = random.Random(1)
    for i in range(1500):
        conn_id, frame = random_text(rng) or "c", random_json(rng).strip()
        if frame == "null":
            continue
        members = [f'"conn_id":{json.dumps(conn_id)}', f'"frame":{frame}']
        if rng.random() < 0.3:
            members.append('"close_code":%d' % rng.choice([0, 1000, 3000, 4999]))
        if rng.random() < 0.5:
            members.append(f'"extra":{random_json(rng)}')
        rng.shuffle(members)
        text = "{" + rng.choice([",", " , ", "\n,"]).join(members) + "}"
        status, got_id, got_frame, _ = (driver("envelope", text.encode()) + "  ").split(" ")[:4]
        assert int(status) == ROUTE, (i, text)
        assert json.loads('"' + bytes.fromhex(got_id).decode() + '"') == conn_id
        assert bytes.fromhex(got_frame).decode() == frame, (i, text)


@needs_driver
def test_envelopes_for_a_binary_are_json(driver):
    rng = random.Random(2)
    for _ in range(1500):
        conn_id, frame = random_text(rng), random_json(rng)
        prefix = bytes.fromhex(driver("prefix", conn_id.encode()))
        got = json.loads(prefix + frame.encode() + b"}")
        assert got == {"conn_id": conn_id, "frame": json.loads(frame)}
        notice = json.loads(bytes.fromhex(driver("notice", 1001, conn_id.encode())))
        assert notice == {"conn_id": conn_id, "close_code": 1001}


@needs_driver
def test_masking_of_every_length_and_offset(driver):
    rng = random.Random(3)
    for length in list(range(70)) + [125, 126, 1000]:
        for offset in range(8):
            key, data = rng.randbytes(4), rng.randbytes(length)
            want = bytes(b ^ key[(i + offset) % 4] for i, b in enumerate(data))
            assert bytes.fromhex(driver("mask", key, offset, data)) == want, (length, offset)


@pytest.mark.parametrize("seed", range(4))
async def test_frames_cut_anywhere_decode_the_same(relay, seed):
    """The same frames, written in random pieces: the same messages."""
    rng = random.Random(seed)
    async with binary(relay) as b:
        p = RawPeer(relay)
        p.s.setsockopt(6, 1, 1)  # TCP_NODELAY
        stream, want = b"", []
        for i in range(120):
            payload = json.dumps("x" * rng.choice([0, 1, 100, 123, 124, 125, 126, 200, 5000, 65533, 65534]) + str(i)).encode()
            cuts = sorted(rng.randrange(len(payload) + 1) for _ in range(rng.choice([0, 0, 1, 3])))
            parts = [payload[a:z] for a, z in zip([0, *cuts], [*cuts, len(payload)])]
            for k, part in enumerate(parts):
                stream += RawPeer.frame(1 if k == 0 else 0, part, fin=k == len(parts) - 1)
                if rng.random() < 0.2:
                    stream += RawPeer.frame(10, b"unasked")
            want.append(json.loads(payload))
        while stream:
            size = rng.choice([1, 2, 3, 5, 13, 14, 15, 1000, 70000])
            p.s.sendall(stream[:size])
            stream = stream[size:]
        assert [json.loads(await recv(b))["frame"] for _ in want] == want


@pytest.mark.parametrize("seed", range(2))
async def test_random_json_goes_both_ways(relay, seed):
    rng = random.Random(100 + seed)
    async with binary(relay) as b, phone(relay) as p:
        conn_id = await learn_conn_id(b, p)
        for _ in range(300):
            text = random_json(rng)
            await p.send(text)
            got = await recv(b)
            assert json.loads(got) == {"conn_id": conn_id, "frame": json.loads(text)}
            if text.strip() == "null":
                continue
            await b.send(f'{{"conn_id":"{conn_id}","frame":{text}}}')
            assert await recv(p) == text.strip()
