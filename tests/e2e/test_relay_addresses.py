"""Limits of an address and whose address it is: numbers 21, 26 and 27 of the
compatibility checklist, --max-connections-per-address, --upgrade-burst,
--upgrade-interval and --trusted-proxy."""
import contextlib
import ctypes
import os
import re
import socket
import subprocess
import threading
import time

import pytest
from conftest import PATIENCE, free_port, plain_only, run_relay
from rules import Attempt, at_once, closing, moved, scrape, series, serving, until, upgraded

BURST = 20  # docs/protocol.md
INTERVAL_S = 6
TICK_S = 0.01  # the relay's clock has whole milliseconds
RARELY = "--upgrade-interval=3600"  # within a test nobody gains an attempt


def served(attempts):
    return [a.status for a in attempts].count(101)


# ---- attempts

def test_26_the_default_is_20_and_one_each_6_s():
    shown = run_relay("--help-limits").stdout
    assert re.search(rf"--upgrade-burst N .*\({BURST}\)", shown)
    assert re.search(rf"--upgrade-interval SECONDS .*\({INTERVAL_S}\)", shown)


def test_26_the_21st_attempt_of_an_address():
    """Over both endpoints together; another address has its own."""
    with serving(f"--upgrade-burst={BURST}", RARELY) as relay:
        with closing([Attempt(relay, ("/v1/server", "/v1/client")[i % 2], f"s{i}") for i in range(BURST)]) as peers:
            assert served(peers) == BURST
            for path, endpoint in (("/v1/server", "server"), ("/v1/client", "client")):
                before = scrape(relay)
                assert Attempt(relay, path).status == 429
                assert moved(relay, before) == {
                    f'ws_upgrade_attempts_total{{endpoint="{endpoint}",outcome="reject_rate_limit"}}': 1,
                    'register_failures_total{kind="ratelimit"}': 1, 'rate_limited_total{limit="upgrades"}': 1}
            line = relay.wait_event("rate_limited", 2)[0]
            assert (line["level"], line["remote"]) == ("WARN", '"127.0.0.1"')
            assert relay.get("/healthz").startswith(b"HTTP/1.1 200")  # number 21
            peers.append(upgraded(relay, sid="other", source="127.0.0.2"))


def test_26_one_more_after_6_s():
    with serving("--upgrade-burst=1") as relay:
        began = time.monotonic()
        assert Attempt(relay).status == 101
        relay.wait_until(lambda: Attempt(relay, sid="late").status == 101)
        assert time.monotonic() - began >= INTERVAL_S - TICK_S
        gained = 1 + served([Attempt(relay, sid=f"later{i}") for i in range(3)])
        assert gained <= (time.monotonic() - began + TICK_S) // INTERVAL_S


def test_26_refused_attempts_take_a_token_too():
    with serving("--upgrade-burst=3", RARELY, "--max-connections=1") as relay:
        statuses = [Attempt(relay, sid="").status]  # no server-id
        with closing([upgraded(relay)]):
            statuses += [Attempt(relay).status for _ in range(2)]
        assert statuses == [400, 503, 429]


@pytest.mark.parametrize("burst", [1, 3])
def test_the_burst_and_its_interval(burst):
    """However it is tried: no more than the burst, and one each second."""
    with serving(f"--upgrade-burst={burst}", "--upgrade-interval=1") as relay:
        began = time.monotonic()
        taken = 0

        def has_gained():
            nonlocal taken
            taken += Attempt(relay, sid=f"s{taken}").status == 101
            assert taken <= burst + (time.monotonic() - began + TICK_S) // 1
            return taken == burst + 2

        relay.wait_until(has_gained)


def test_the_burst_is_exact_on_two_workers():
    with serving("--threads=2", f"--upgrade-burst={BURST}", RARELY) as relay:
        with closing(at_once(100, lambda i: Attempt(relay, sid=f"s{i}"))) as peers:
            statuses = [p.status for p in peers]
            assert (statuses.count(101), statuses.count(429)) == (BURST, 100 - BURST)
            assert series(relay, 'rate_limited_total{limit="upgrades"}') == 100 - BURST


def test_21_healthz_takes_no_token():
    with serving("--upgrade-burst=1", RARELY) as relay:
        for _ in range(5):
            assert relay.get("/healthz").startswith(b"HTTP/1.1 200")
            assert relay.get("/nothing").startswith(b"HTTP/1.1 404")
        with closing([upgraded(relay)]):
            assert Attempt(relay).status == 429
            assert relay.get("/healthz").startswith(b"HTTP/1.1 200")


# ---- connections

def test_connections_of_an_ipv4_address():
    with serving("--max-connections-per-address=2") as relay:
        with closing([upgraded(relay, sid=f"s{i}", source="127.0.0.2") for i in range(2)]) as peers:
            before = scrape(relay)
            refused = Attempt(relay, sid="s2", source="127.0.0.2")
            assert refused.status == 503
            assert moved(relay, before) == {'budget_refusals_total{budget="address"}': 1,
                                            'unavailable_total{reason="budget"}': 1}
            peers.append(upgraded(relay, sid="s2", source="127.0.0.3"))
            peers[0].close()
            until(relay, "connected_binaries", 2)
            peers.append(upgraded(relay, sid="s3", source="127.0.0.2"))
            assert Attempt(relay, sid="s4", source="127.0.0.2").status == 503


def test_connections_of_an_address_are_exact_on_two_workers():
    with serving("--threads=2", "--max-connections-per-address=10") as relay:
        with closing(at_once(100, lambda i: Attempt(relay, sid=f"s{i}", source=f"127.0.0.{2 + i % 2}"))) as peers:
            for first in range(2):
                statuses = [p.status for p in peers[first::2]]
                assert (statuses.count(101), statuses.count(503)) == (10, 40)
        until(relay, 'connections{kind="binary"}', 0)
        with closing(at_once(20, lambda i: Attempt(relay, sid=f"s{i}"))) as peers:
            assert served(peers) == 10, "none of the places is lost"


@plain_only
def test_ipv4_on_a_listener_of_both_families_is_ipv4():
    port = free_port()
    with serving("--max-connections-per-address=1", f"--insecure-listen=:{port}", port=port) as relay:
        with closing([upgraded(relay, sid=f"s{i}", source=f"127.0.0.{i + 2}") for i in range(4)]):
            assert Attempt(relay, sid="s9", source="127.0.0.2").status == 503
            assert {f["remote"] for f in relay.wait_event("server_claimed", 4)} == {f"127.0.0.{i + 2}" for i in range(4)}


class Network:
    """A network namespace of our own, with these addresses on its loopback."""

    def __init__(self, addresses):
        adds = "".join(f"ip addr add {a}/128 dev lo nodad;" for a in addresses)
        self.holder = subprocess.Popen(["unshare", "--net", "sh", "-c", f"ip link set lo up; {adds} echo up; exec cat"],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.holder.stdout.readline() == b"up\n"
        self.path = f"/proc/{self.holder.pid}/ns/net"

    def inside(self, function):
        """Its result, called by a thread that is in the namespace."""
        result = []

        def run():
            with open(self.path) as ns:
                assert ctypes.CDLL(None, use_errno=True).setns(ns.fileno(), 0) == 0
            result.append(function())

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        return result[0]

    def end(self):
        self.holder.stdin.close()
        self.holder.stdout.close()
        self.holder.wait(PATIENCE)


HERE = "2001:db8:0:1::1"
NEIGHBOUR = "2001:db8:0:1:ffff:ffff:ffff:ffff"  # of the same /64
STRANGER = "2001:db8:0:2::1"  # of the next /64


@pytest.fixture
def network():
    if os.geteuid() != 0:
        pytest.skip("needs root: a network namespace is made")
    n = Network([HERE, NEIGHBOUR, STRANGER])
    yield n
    n.end()


@plain_only
def test_ipv6_counts_by_64_bits(network):
    port = free_port()
    flags = ("--max-connections-per-address=2", "--upgrade-burst=4", RARELY, f"--insecure-listen=[::]:{port}")

    def attempts():
        with contextlib.ExitStack() as stack:
            # The relay's own tests of life come from this namespace, too.
            relay = stack.enter_context(serving(*flags, port=port, prefix=("nsenter", f"--net={network.path}")))
            peers = stack.enter_context(closing([]))
            for source in (HERE, NEIGHBOUR, HERE, NEIGHBOUR, HERE, STRANGER, STRANGER, STRANGER, "::1"):
                peers.append(Attempt(relay, sid=f"s{len(peers)}", source=source, to=HERE if source != "::1" else "::1"))
                peers[-1].status  # one after the other
            lines = relay.wait_event("rate_limited")
            return [p.status for p in peers], lines[0]["remote"]

    statuses, limited = network.inside(attempts)
    assert statuses == [101, 101, 503, 503, 429, 101, 101, 503, 101]
    assert limited == f'"{HERE}"'


# ---- who is behind a proxy

def forwarded(*lines):
    return "".join(f"X-Forwarded-For: {line}\r\n" for line in lines)


def account(relay, *lines, source="127.0.0.1"):
    """Who pays for a request with these lines: as the rate_limited line says,
    once the one attempt is spent."""
    before = relay.happened("rate_limited")
    statuses = [Attempt(relay, extra=forwarded(*lines), source=source).status for _ in range(2)]
    assert statuses[1] == 429
    return relay.wait_event("rate_limited", before + 1)[-1]["remote"].strip('"')


@pytest.mark.parametrize("lines, client", [
    ([], "127.0.0.1"),
    (["192.0.2.1"], "192.0.2.1"),
    (["203.0.113.6, 192.0.2.1"], "192.0.2.1"),
    (["203.0.113.6, 192.0.2.1, 10.1.1.1"], "192.0.2.1"),
    (["203.0.113.6,192.0.2.1,  10.1.1.1 ,10.2.2.2"], "192.0.2.1"),
    (["203.0.113.6", "192.0.2.1"], "192.0.2.1"),
    (["203.0.113.6, 192.0.2.1", "10.1.1.1"], "192.0.2.1"),
    (["203.0.113.6, 192.0.2.1", "10.1.1.1, 10.2.2.2"], "192.0.2.1"),
    (["10.1.1.1"], "10.1.1.1"),
    (["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
    (["192.0.2.1, , "], "192.0.2.1"),
    (["unknown"], "127.0.0.1"),
    (["192.0.2.1, unknown"], "127.0.0.1"),
    (["192.0.2.1, unknown, 10.1.1.1"], "10.1.1.1"),
    (["192.0.2.1:8080"], "127.0.0.1"),
    (["2001:db8::7"], "2001:db8::7"),
    (["192.0.2.1, 2001:db8:f::1"], "192.0.2.1"),
])
def test_trusted_proxies_are_walked_from_the_right(lines, client):
    proxies = ("127.0.0.1/32", "10.0.0.0/8", "2001:db8:f::/48")
    with serving("--upgrade-burst=1", RARELY, *[f"--trusted-proxy={p}" for p in proxies]) as relay:
        assert account(relay, *lines) == client


def test_a_peer_that_is_no_proxy_is_not_believed():
    with serving("--upgrade-burst=1", RARELY, "--trusted-proxy=127.0.0.1/32") as relay:
        assert account(relay, "192.0.2.1", source="127.0.0.2") == "127.0.0.2"
        assert Attempt(relay, extra=forwarded("192.0.2.9"), source="127.0.0.2").status == 429
        assert Attempt(relay, extra=forwarded("192.0.2.1")).status == 101, "nobody else paid"


def test_clients_of_a_proxy_have_accounts_of_their_own():
    """Attempts, connections and the /64 are the client's; remote stays the
    peer's address."""
    flags = ("--upgrade-burst=3", RARELY, "--max-connections-per-address=2", "--trusted-proxy=127.0.0.1")
    with serving(*flags) as relay:
        statuses = []
        with closing([]) as peers:
            for client in ("192.0.2.1", "2001:db8:0:1::1", "2001:db8:0:1::2"):
                for _ in range(2):
                    peers.append(Attempt(relay, sid=f"s{len(peers)}", extra=forwarded(client)))
                    statuses.append(peers[-1].status)  # one after the other
            assert statuses == [101, 101, 101, 101, 503, 429]
            assert {f["remote"] for f in relay.wait_event("server_claimed", 4)} == {"127.0.0.1"}
            assert relay.wait_event("rate_limited")[0]["remote"] == '"2001:db8:0:1::2"'


def test_a_proxy_waits_on_nobodys_account():
    with serving("--max-pending-per-address=1", "--trusted-proxy=127.0.0.1") as relay:
        silent = [relay.connect() for _ in range(3)]
        until(relay, 'connections{kind="stranger"}', 3)
        with closing([*silent, upgraded(relay)]):
            assert series(relay, 'budget_refusals_total{budget="address"}') == 0


@pytest.mark.parametrize("value", ["x", "10.0.0.0/33", "10.0.0.1/8x", "2001:db8::/129", "", "localhost"])
def test_a_proxy_that_is_none_is_refused(value):
    r = run_relay("--insecure-listen", "127.0.0.1:18080", "--metrics-listen=", f"--trusted-proxy={value}")
    assert r.returncode == 2 and "--trusted-proxy" in r.stderr


def test_27_the_first_value_with_the_flag():
    """Taken literally: an address or not."""
    with serving("--upgrade-burst=1", RARELY, "--trust-x-forwarded-for") as relay:
        for lines, client in [(["192.0.2.1, 192.0.2.9"], "192.0.2.1"), (["192.0.2.2", "192.0.2.1"], "192.0.2.2"),
                              (["no address"], "no address"), ([], "127.0.0.1")]:
            assert account(relay, *lines) == client


def test_27_ignored_without_the_flag():
    with serving("--upgrade-burst=1", RARELY) as relay:
        assert account(relay, "192.0.2.1") == "127.0.0.1"
        assert Attempt(relay, extra=forwarded("192.0.2.2")).status == 429


def test_a_list_of_proxies_wins_over_the_flag():
    with serving("--upgrade-burst=1", RARELY, "--trust-x-forwarded-for", "--trusted-proxy=127.0.0.1") as relay:
        assert account(relay, "192.0.2.1, 192.0.2.9") == "192.0.2.9"
