"""Memory is refused and system calls fail, each in turn, in a released relay
that serves a session (faults.Session): it never dies, its peers are told or
cut off and never wait in vain, and the next session finds it whole."""
import contextlib
import errno
import json
import os
import socket

import pytest
from conftest import RawPeer
from faults import FOREVER, RELEASED, SHIM, FaultyRelay, Peer

pytestmark = pytest.mark.skipif(not SHIM.exists() or not RELEASED.exists() or os.geteuid() != 0,
                                reason="needs tests/shim built, a release build, and root to count descriptors")

@pytest.fixture
def faulty(tmp_path):
    relay = FaultyRelay(tmp_path)
    yield relay
    relay.stop()


def sweep(faulty, kind, error, many=1):
    """What is wrong, over every call of a session."""
    calls = faulty.calls(kind)
    assert calls >= 3, f"{kind} is not what the relay calls"
    found = [faulty.meets(kind, n, min(n + many - 1, FOREVER), error) for n in range(1, calls + 1)]
    return [wrong for wrong in found if wrong is not None]


@pytest.mark.parametrize("many", [1, 3, FOREVER], ids=["once", "three-times", "from-there-on"])
def test_memory_is_refused(faulty, many):
    wrong = sweep(faulty, "memory", errno.ENOMEM, many)
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.parametrize("kind, error", [
    ("accept4", "ECONNABORTED"), ("accept4", "EMFILE"), ("accept4", "ENFILE"), ("accept4", "ENOMEM"),
    ("accept4", "EINTR"),
    ("recv", "EAGAIN"), ("recv", "ECONNRESET"), ("recv", "ETIMEDOUT"), ("recv", "ENOMEM"), ("recv", "EINTR"),
    ("send", "EPIPE"), ("send", "ECONNRESET"), ("send", "ENOBUFS"), ("send", "EAGAIN"), ("send", "EINTR"),
    ("setsockopt", "ENOMEM"), ("shutdown", "ENOTCONN"),
    ("close", "EIO"),
])
def test_a_system_call_fails(faulty, kind, error):
    wrong = sweep(faulty, kind, getattr(errno, error))
    assert not wrong, "\n\n".join(wrong)


def claim(session):
    session.join(b"/v1/server")


def test_memory_is_refused_in_a_handshake(faulty):
    for n in range(1, faulty.calls("memory", claim) + 1):
        assert faulty.meets("memory", n, n, errno.ENOMEM, claim) is None


def frame_and_close(session):
    """A phone's last frame and its close come in one piece."""
    b = session.join(b"/v1/server")
    p = session.join(b"/v1/client")
    p.leaving = True
    conn_id = session.up(p, b, RawPeer.frame(1, b'"' + b"c" * 440 + b'"') + RawPeer.frame(8, b"\x0f\xa0"), "c" * 440)
    session.notice(b, conn_id, 4000)


def test_memory_is_refused_for_a_close_notice(faulty):
    wrong = [faulty.meets("memory", n, n, errno.ENOMEM, frame_and_close)
             for n in range(1, faulty.calls("memory", frame_and_close) + 1)]
    assert not [text for text in wrong if text and "Sec-WebSocket-Accept" not in text]


def single_bytes(session):
    """A message of as many fragments as one can have."""
    b = session.join(b"/v1/server")
    p = session.join(b"/v1/client")
    piece = RawPeer.frame(0, b"a", fin=False) * 100
    p.send(RawPeer.frame(1, b'"', fin=False))
    for _ in range(2600):
        p.send(piece)
    session.up(p, b, RawPeer.frame(0, b'"'), "a" * 260000)


def test_a_message_of_single_bytes_takes_few_allocations(faulty):
    assert 10 < faulty.calls("memory", single_bytes) < 200


def test_messages_take_no_memory(faulty):
    """Nothing is allocated for messages that come whole to peers that keep
    up, however many, one at a time or many in a read."""
    taken = []

    def chat(session):
        b = session.join(b"/v1/server")
        p = session.join(b"/v1/client")
        conn_id = session.up(p, b, RawPeer.frame(1, b"0"), 0)
        session.down(b, p, conn_id, 0)
        many = b"".join(RawPeer.frame(1, b"%d" % i) for i in range(100))
        before = faulty.faults.calls
        for i in range(100):
            frame = {"n": i, "text": "\u20ac" * i, "data": "x" * (40 * i)}
            text = json.dumps(frame, ensure_ascii=i % 2 == 0).encode()
            session.up(p, b, RawPeer.frame(1, text), frame)
            session.down(b, p, conn_id, frame)
            b.send(RawPeer.frame(1, b'{"conn_id":"%s","frame":%s}' % (conn_id.encode(), text)))
            assert json.loads(session.message(p)[1]) == frame
            p.send(RawPeer.frame(9, b"ping"))
            assert session.message(p) == (10, b"ping")
        p.send(many)
        for i in range(100):
            assert json.loads(session.message(b)[1])["frame"] == i
        taken.append(faulty.faults.calls - before)

    assert faulty.calls("memory", chat) > 0
    assert taken == [0]


def each_call_of_a_new_relay(tmp_path, kind, error, script, limit):
    """The first calls of a script in a relay that has done nothing yet."""
    for n in range(1, limit + 1):
        relay = FaultyRelay(tmp_path, warm=False)
        try:
            assert relay.meets(kind, n, n, error, script) is None
        finally:
            relay.stop()


def test_memory_is_refused_in_the_first_handshake(tmp_path):
    each_call_of_a_new_relay(tmp_path, "memory", errno.ENOMEM, claim, 20)


def five_at_once(session):
    for _ in range(5):
        Peer(session)
    session.monitor()


def test_memory_is_refused_for_more_connections_than_ever(tmp_path):
    each_call_of_a_new_relay(tmp_path, "memory", errno.ENOMEM, five_at_once, 10)


def ask_to_take_over(session):
    """Ask for the listeners, take what comes, and go away."""
    path = session.relay.flags[session.relay.flags.index("--take-over") + 1]
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.settimeout(10)
        s.connect(path)
        with contextlib.suppress(ConnectionError):
            s.send(b"\x01\x00\x00\x011")
            answer, fds, _, _ = socket.recv_fds(s, 1024, 128)
            for fd in fds:
                os.close(fd)
            assert answer[1:2] in (b"", b"\x02")
    session.monitor()


@pytest.mark.parametrize("kind, error, calls", [("memory", "ENOMEM", 1), ("accept4", "EMFILE", 2), ("accept4", "ECONNABORTED", 2),
                                                ("close", "EIO", 2)])
def test_who_would_take_over_meets_a_fault(tmp_path, kind, error, calls):
    """Asking itself takes no memory; that it is asked how it does, takes a connection's."""
    os.chmod(tmp_path, 0o700)
    faulty = FaultyRelay(tmp_path, flags=("--take-over", str(tmp_path / "take-over")))
    wrong = [faulty.meets(kind, n, n, getattr(errno, error), ask_to_take_over)
             for n in range(1, faulty.calls(kind, ask_to_take_over) + 1)]
    faulty.stop()
    assert len(wrong) >= calls and not any(wrong), "\n\n".join(filter(None, wrong))


@pytest.mark.parametrize("error", ["ENOMEM", "ENOSPC"])
def test_epoll_refuses_a_descriptor(faulty, error):
    wrong = sweep(faulty, "epoll_ctl", getattr(errno, error))
    assert not wrong, "\n\n".join(wrong)
