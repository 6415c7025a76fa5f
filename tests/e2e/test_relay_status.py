"""The status page of a relay at work: its own posture, its own connections,
and for nobody but this machine."""
import json
import pathlib
import re
import socket

import pytest
from conftest import free_port, plain_only
from rules import at_once, closing, metrics_text, series, serving, until, upgraded
from test_status_page import browser, drawn, load, said, text, wait  # noqa: F401: browser is a fixture

TOP = pathlib.Path(__file__).resolve().parents[2]


class Live:
    """What load() of the page's own tests wants."""

    def __init__(self, relay):
        self.server_port = relay.metrics_port


def status_of(relay):
    answer = relay.exchange(b"GET /status.json HTTP/1.1\r\nHost: localhost\r\n\r\n", relay.metrics_port)
    assert answer.startswith(b"HTTP/1.1 200"), answer[:200]
    return json.loads(answer.split(b"\r\n\r\n", 1)[1])


def asked(relay, path, host, port=None):
    head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    return int(relay.exchange(head, port or relay.metrics_port)[9:12])


def test_the_status_counts_what_is_connected():
    with serving("--max-connections=100") as relay:
        with closing([upgraded(relay, sid=f"s{i}") for i in range(3)]) as peers:
            peers += [upgraded(relay, "/v1/client", "s0") for _ in range(2)]
            until(relay, "connected_phones", 2)
            status = status_of(relay)
            assert status["schema"] == 1 and status["state"] == "ready"
            shown = {name: status["connections"][name] for name in ("binaries", "phones", "upgraded", "limit")}
            assert shown == {"binaries": 3, "phones": 2, "upgraded": 5, "limit": 100}
            assert status["workers"]["count"] == status["workers"]["alive"] == series(relay, "workers")


@plain_only
def test_the_status_has_this_boots_posture(relay):
    findings = status_of(relay)["posture"]["findings"]
    verdicts = re.findall(r'^pyrycode_relay_posture_invariant{id="([^"]+)"', metrics_text(relay), re.M)
    assert {f["id"] for f in findings} == set(verdicts)
    plain = next(f for f in findings if f["id"] == "plaintext-listener")
    assert str(relay.port) in plain["observed"] and plain["verdict"] in ("fail", "waived")


def test_the_history_has_what_happened(relay):
    with closing([upgraded(relay)]):
        relay.wait_until(lambda: 1 in status_of(relay)["history"]["binaries"])
        history = status_of(relay)["history"]
        assert len({len(column) for name, column in history.items() if name != "interval_seconds"}) == 1


@pytest.mark.parametrize("host, code", [
    ("localhost", 200), ("LOCALHOST:9090", 200), ("127.0.0.1", 200), ("127.0.0.1:80", 200), ("[::1]:9090", 200),
    ("relay.example.com", 421), ("localhost.example.com", 421), ("192.0.2.1", 421), ("127.0.0.1.example.com", 421),
    ("[2001:db8::1]", 421), ("localhos", 421),
])
def test_only_this_machine_may_ask(relay, host, code):
    """No page of another site that has its name point here."""
    for path in ("/", "/status.json"):
        assert asked(relay, path, host) == code
    assert asked(relay, "/metrics", host) == 200


@plain_only
def test_the_public_listener_has_no_page(relay):
    for path in ("/", "/status.json"):
        assert asked(relay, path, "localhost", relay.port) == 404


@plain_only
def test_the_page_of_a_relay_at_work(browser):  # noqa: F811
    """In a browser: what is connected now, and again when that changes."""
    with serving("--max-connections=100", "--threads=2") as relay:
        with closing(at_once(7, lambda i: upgraded(relay, sid=f"s{i}"))) as peers:
            until(relay, "connected_binaries", 7)
            load(browser, Live(relay))
            assert text(browser, "#state") == "ready"
            tiles = text(browser, "#now")
            assert "Binaries\n7" in tiles and "Workers\n2\nalive of 2" in tiles and "of 100" in tiles
            assert f"127.0.0.1:{relay.port}" in text(browser), "what its posture check observed"
            for _ in range(3):
                peers.pop().close()
            until(relay, "connected_binaries", 4)
            before = drawn(browser)
            wait(browser, lambda: drawn(browser) > before)
            wait(browser, lambda: "Binaries\n4" in text(browser, "#now"))
        assert [line for line in said(browser) if "favicon" not in line] == []


def test_the_page_on_ipv6_loopback():
    port = free_port()
    with serving(f"--metrics-listen=[::1]:{port}") as relay:
        head = f"GET / HTTP/1.1\r\nHost: [::1]:{port}\r\n\r\n".encode()
        with socket.create_connection(("::1", port)) as s:
            s.sendall(head)
            assert s.recv(4096).startswith(b"HTTP/1.1 200")
        assert relay.get("/healthz").startswith(b"HTTP/1.1 200")
