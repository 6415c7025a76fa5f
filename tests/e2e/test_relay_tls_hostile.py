"""Peers that use TLS itself against the relay: messages that are cut, floods of
them, records that hold next to nothing, and ClientHellos without an end.  A
well-behaved pair goes on beside each."""
import contextlib
import socket

import pytest
from conftest import PATIENCE, RawPeer, make_certificate
from hostile import beside
from rules import closing, scrape, series, serving, switches, until, upgraded
from tls_records import ALERT, CLIENT_HELLO, HANDSHAKE, KEY_UPDATE, HandMade12, HandMade13

PING, PONG = 9, 10


def tls_relay(*flags, **options):
    return serving(*flags, tls=True, **options)


@pytest.fixture
def relay():
    with tls_relay() as r:
        yield r


def queued(relay):
    """What all connections keep."""
    return sum(value for name, value in scrape(relay).items() if name.startswith("queued_bytes{"))


def is_at_rest(relay):
    """Does each of its threads sleep again and again?  One that runs in
    circles never waits."""
    before = switches(relay)
    relay.wait_until(lambda: all(count >= before[tid] + 3 for tid, count in switches(relay).items()))
    return True


def has_ended(peer):
    """The relay ends the connection, whatever else it says before."""
    with contextlib.suppress(ConnectionError):
        while peer.s.recv(65536):
            pass
    return True


# ---- KeyUpdate

def test_half_a_key_update_costs_nothing(relay):
    """In the midst of it nothing can be written; the rest lets it go on."""
    with beside(relay), contextlib.closing(HandMade13(relay).upgrade()) as peer:
        peer.send(peer.record(RawPeer.frame(PING, b"x")) + peer.record(bytes([KEY_UPDATE, 0, 0, 1]), HANDSHAKE))
        assert is_at_rest(relay)
        rest = peer.record(b"\0", HANDSHAKE)
        peer.renew()
        peer.send(rest)
        assert peer.run(peer.tls.read, 100) == bytes([0x80 | PONG, 1]) + b"x"
        peer.send_frame(PING, b"y")
        assert peer.run(peer.tls.read, 100) == bytes([0x80 | PONG, 1]) + b"y"


@pytest.mark.parametrize("requested", [0, 1])
def test_a_flood_of_key_updates_ends_its_connection(relay, requested):
    with beside(relay), contextlib.closing(HandMade13(relay).upgrade()) as peer:
        flood = b"".join(peer.key_update(requested) for _ in range(20000))
        with contextlib.suppress(ConnectionError):
            peer.send(flood)
        assert has_ended(peer)
        relay.wait_event("server_released")


def test_key_updates_among_data_go_on(relay):
    with beside(relay), contextlib.closing(HandMade13(relay).upgrade()) as peer:
        for _ in range(100):
            peer.send(b"".join(peer.key_update(1) for _ in range(32)) + peer.record(RawPeer.frame(PING, b"")))
            assert peer.run(peer.tls.read, 100) == bytes([0x80 | PONG, 0])


def requests_and_data(peer):
    return b"".join(peer.key_update(1) for _ in range(32)) + peer.record(RawPeer.frame(PONG, b""))


def test_answers_to_key_updates_that_nobody_reads(relay):
    """They are bounded, and have the clock of every write."""
    with beside(relay), contextlib.closing(HandMade13(relay, buffer=4096).upgrade()) as peer:
        unsent = b""
        peer.s.settimeout(0.5)
        while queued(relay) <= 4096:
            with contextlib.suppress(TimeoutError):
                while True:
                    unsent = unsent or requests_and_data(peer)
                    unsent = unsent[peer.s.send(unsent):]
        assert queued(relay) < 65536
        until(relay, 'deadline_drops_total{deadline="write"}', 1)
        relay.wait_event("server_released")


# ---- renegotiation

def test_who_renegotiates_hears_no_once(relay):
    with beside(relay), contextlib.closing(HandMade12(relay).upgrade()) as peer:
        flood = b"".join(peer.record(bytes([CLIENT_HELLO, 0, 0, 0]), HANDSHAKE) for _ in range(20000))
        with contextlib.suppress(ConnectionError):
            peer.send(flood)
        assert has_ended(peer)
        relay.wait_event("server_released")


# ---- records that hold next to nothing

def test_padding_counts_as_bytes_a_second():
    """A byte of payload and 16,000 of padding a record: no burst of 512 KiB of them passes."""
    with tls_relay("--max-bytes-per-second=1") as relay, closing([HandMade13(relay).upgrade(), upgraded(relay, sid="sid-2")]) as peers:
        whole = RawPeer.frame(PING, bytes(60))
        peers[0].send(b"".join(peers[0].record(whole[i:i + 1], padding=16000) for i in range(len(whole))))
        until(relay, 'rate_limited_total{limit="bytes"}', 1)
        peers[1].send(PING, b"")
        assert peers[1].recv() == (PONG, b""), "another is read"


# ---- handshakes

def test_a_flight_that_the_socket_does_not_take_at_once(tmp_path):
    """Its rest follows as the client reads, and not only once it has something to say."""
    pair = make_certificate(tmp_path)
    leaf = pair[0].read_text()
    pair[0].write_text(leaf * (98000 // len(leaf)))
    with tls_relay(certificate=pair) as relay:
        HandMade13(relay, buffer=2048).upgrade().close()


def half_hello(relay, size):
    """A ClientHello that says so much and breaks off behind its header."""
    s = socket.create_connection(("127.0.0.1", relay.port), PATIENCE)
    s.sendall(bytes([HANDSHAKE, 3, 1, 64, 0, CLIENT_HELLO]) + size.to_bytes(3, "big") + b"\3\3")
    return s


def test_half_hellos_are_what_a_connection_keeps(relay):
    with beside(relay), closing([half_hello(relay, 16384) for _ in range(3)]):
        until(relay, 'queued_bytes{leg="other"}', 3 * 16384)
    until(relay, 'queued_bytes{leg="other"}', 0)


def test_a_long_hello_is_refused_before_it_comes(relay):
    with beside(relay), closing([half_hello(relay, 16385)]) as (peer,):
        assert peer.recv(100) == bytes([ALERT, 3, 3, 0, 2, 2, 47]) and peer.recv(100) == b""
        line = relay.wait_event("tls_handshake_failed")[0]
        assert line["reason"] == "the peer broke the protocol" and line["err"] == "the ClientHello is too long"


# ---- the listener of challenges

def test_who_waits_for_no_challenge_displaces_no_client():
    """The two listeners share no budget: 64 connections of the one, of which the longest waiting make room."""
    with tls_relay("--max-pending=4") as relay, contextlib.ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection(("127.0.0.1", relay.http_port), PATIENCE)) for _ in range(66)]
        until(relay, 'accepted_connections_total{listener="http"}', 66)
        clients = [stack.enter_context(relay.connect()) for _ in range(4)]
        for _ in range(4):
            assert relay.get("/healthz", port=relay.http_port).startswith(b"HTTP/1.1 404")
        for client in clients:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: relay.example.com\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200")
        for displaced in idle[:3]:
            assert displaced.recv(1) == b""
