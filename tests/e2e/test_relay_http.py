"""HTTP surface and gates: numbers 19 to 29 of the compatibility checklist, and
heads that are wrong."""
import json
import socket
import time

import pytest
from conftest import binary, phone

UPGRADE = ("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
SERVER = {"X-Pyrycode-Server": "s", "X-Pyrycode-Version": "1", "User-Agent": "t"}
CLIENT = {"X-Pyrycode-Server": "s", "X-Pyrycode-Token": "1", "User-Agent": "t"}


def status_of(answer):
    assert answer.startswith(b"HTTP/1.1 "), answer
    return int(answer[9:12])


def lines(headers):
    return "".join(f"{k}: {v}\r\n" for k, v in headers.items())


def test_19_healthz(relay):
    answer = relay.get("/healthz")
    head, body = answer.split(b"\r\n\r\n", 1)
    assert status_of(answer) == 200
    assert b"Content-Type: application/json; charset=utf-8" in head
    assert b"Cache-Control: no-store" in head
    assert f"Content-Length: {len(body)}".encode() in head
    assert list(json.loads(body)) == ["status", "version", "connected_binaries", "connected_phones", "uptime_seconds"]
    assert not body.endswith(b"\n") and b" " not in body and len(body) < 200


def test_19_healthz_head_has_no_body(relay):
    answer = relay.get("/healthz", method="HEAD")
    assert status_of(answer) == 200 and answer.endswith(b"\r\n\r\n")


async def test_20_healthz_counts(relay):
    def counts():
        body = json.loads(relay.get("/healthz").split(b"\r\n\r\n", 1)[1])
        return body["connected_binaries"], body["connected_phones"]

    assert counts() == (0, 0)
    b = await binary(relay)
    p = await phone(relay)
    relay.wait_event("phone_registered")
    assert counts() == (1, 1)
    await b.close()
    relay.wait_event("server_released")
    assert counts() == (0, 1)
    await p.close()
    relay.wait_event("phone_unregistered")
    assert counts() == (0, 0)


@pytest.mark.parametrize("path", ["/", "/metrics", "/v1", "/v1/server/", "//healthz", "/v1/../healthz", "/%68ealthz"])
def test_22_unknown_paths(relay, path):
    assert status_of(relay.get(path)) == 404


def test_22_metrics_are_on_their_own_port(relay):
    answer = relay.get("/metrics", port=relay.metrics_port)
    assert status_of(answer) == 200 and b"\npyrycode_relay_" in answer
    for path in ("/v1/server", "/v1/client", "/metrics/", "/nothing"):
        assert status_of(relay.get(path, port=relay.metrics_port)) == 404


@pytest.mark.parametrize("path, headers", [("/v1/server", SERVER), ("/v1/client", CLIENT)])
def test_24_required_headers(relay, path, headers):
    for missing in headers:
        rest = {k: v for k, v in headers.items() if k != missing}
        assert status_of(relay.get(path, lines(rest) + UPGRADE)) == 400, missing
        assert status_of(relay.get(path, lines({**headers, missing: "  "}) + UPGRADE)) == 400, missing
    assert relay.lines and not [li for li in relay.lines if "phone_register" in li or "server_" in li]


async def test_24_device_name_may_be_absent(relay):
    async with binary(relay), phone(relay, device=None):
        assert relay.wait_event("phone_registered")[0]["device_name"] == ""


@pytest.mark.parametrize("path, headers", [("/v1/server", SERVER), ("/v1/client", CLIENT)])
def test_25_no_upgrade(relay, path, headers):
    answer = relay.get(path, lines(headers))
    assert status_of(answer) == 426 and b"\r\nUpgrade: websocket\r\n" in answer


@pytest.mark.parametrize("old, new, code", [
    ("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 12", 400),
    ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Key: short", 400),
    ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 400),
    ("Upgrade: websocket", "Upgrade: h2c", 426),
    ("Connection: Upgrade", "Connection: keep-alive", 426),
    ("Connection: Upgrade", "Connection: keep-alive, upgrade", 101),
    ("Upgrade: websocket", "Upgrade: WebSocket", 101),
])
def test_upgrade_conditions(relay, old, new, code):
    assert old in UPGRADE
    with relay.connect(10) as s:
        s.sendall(("GET /v1/server HTTP/1.1\r\nHost: relay.example.com\r\n" + lines(SERVER) + UPGRADE.replace(old, new) +
                   "\r\n").encode())
        assert status_of(s.recv(4096)) == code


def test_upgrade_answers_the_key_of_rfc_6455(relay):
    with relay.connect(10) as s:
        s.sendall(("GET /v1/server HTTP/1.1\r\nHost: relay.example.com\r\n" + lines(SERVER) + UPGRADE + "\r\n").encode())
        answer = s.recv(4096)
    assert b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in answer
    assert b"Sec-WebSocket-Extensions" not in answer and b"Sec-WebSocket-Protocol" not in answer


@pytest.mark.parametrize("code, head", [
    (400, b"\x00\x01\x02\r\n\r\n"),
    (400, b"GET /healthz\r\n\r\n"),
    (400, b"GET /healthz HTTP/1.1\r\n\r\n"),  # no Host
    (400, b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    (400, b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: b\r\n folded\r\n\r\n"),
    (400, b"GET /healthz HTTP/1.1\r\nHost: a\r\nX A: b\r\n\r\n"),
    (400, b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-A : b\r\n\r\n"),
    (400, b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: b\x00c\r\n\r\n"),
    (400, b"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
    (431, b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * 17000 + b"\r\n\r\n"),
    (431, b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + b"X-A: b\r\n" * 120 + b"\r\n"),
    (431, b"GET /" + b"a" * 17000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"),
    (505, b"GET /healthz HTTP/2.0\r\nHost: a\r\n\r\n"),
    (405, b"POST /healthz HTTP/1.1\r\nHost: relay.example.com\r\nContent-Length: 0\r\n\r\n"),
])
def test_bad_heads_get_their_answer_and_a_close(relay, code, head):
    answer = relay.exchange(head)
    assert status_of(answer) == code, answer
    assert b"\r\nConnection: close\r\n" in answer
    assert status_of(relay.get("/healthz")) == 200


def test_a_head_in_single_bytes(relay):
    with relay.connect(10) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"GET /healthz HTTP/1.1\r\nHost: relay.example.com\r\n\r\n":
            s.sendall(bytes([byte]))
        assert status_of(s.recv(4096)) == 200


@pytest.mark.parametrize("start", [b"", b"GET /healthz HTTP/1.1\r\nHost: relay.example.com\r\n"])
def test_29_no_complete_header(relay, start):
    with relay.connect(15) as s:
        began = time.monotonic()
        s.sendall(start)
        try:
            rest = s.recv(4096)
        except ConnectionResetError:
            rest = b""
        assert rest == b"" or status_of(rest) == 408
        assert time.monotonic() - began > 3


def test_29_a_dribbled_head_gains_no_time(relay):
    with relay.connect(15) as s:
        s.sendall(b"GET / HTTP/1.1\r\n")
        with pytest.raises(OSError):
            for _ in range(120):  # 12 s of a byte each 100 ms
                s.sendall(b"X")
                time.sleep(0.1)


async def test_server_id_must_be_utf8_and_short(relay):
    for sid in ("a" * 257, b"\xff\xfe"):
        value = sid if isinstance(sid, bytes) else sid.encode()
        answer = relay.exchange(b"GET /v1/server HTTP/1.1\r\nHost: relay.example.com\r\nX-Pyrycode-Server: " + value +
                                b"\r\nX-Pyrycode-Version: 1\r\nUser-Agent: t\r\n" + UPGRADE.encode() + b"\r\n")
        assert status_of(answer) == 400
    async with binary(relay, sid="a" * 256):
        relay.wait_event("server_claimed")
