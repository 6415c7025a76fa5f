"""A released relay serves a whole session under valgrind: nothing undefined is
read, nothing is touched out of bounds, nothing is left behind."""
import shutil

import pytest
from faults import RELEASED, SHIM, Refused, Session
from hostile import counts, hostile_relay

UNSEALED = SHIM.with_name("unsealed.so")
VALGRIND = ["valgrind", "-q", "--error-exitcode=9", "--track-fds=no", "--leak-check=full",
            "--errors-for-leak-kinds=definite,indirect,possible"]

pytestmark = pytest.mark.skipif(not shutil.which("valgrind") or not UNSEALED.exists() or not RELEASED.exists(),
                                reason="needs valgrind, tests/shim built, and a release build")


def valgrind_relay(**options):
    """The filter of the seal would forbid what valgrind itself does."""
    return hostile_relay(binary=str(RELEASED), prefix=VALGRIND, env={"LD_PRELOAD": str(UNSEALED.resolve())}, **options)


def said_by_valgrind(relay):
    """Its errors; that it knows none of Landlock's calls is none."""
    return [line for line in relay.lines if line.startswith("==")]


def test_a_session():
    relay = valgrind_relay(metrics=True).start()
    session = Session(relay, b"valgrind")
    try:
        session.run()
        assert relay.get("/metrics", port=relay.metrics_port).startswith(b"HTTP/1.1 200")
        assert relay.get("/healthz", headers="Host: twice\r\n").startswith(b"HTTP/1.1 400")
    except Refused as refused:
        raise AssertionError(f"refused: {refused}") from refused
    finally:
        session.end()
        code = relay.stop()
    assert not said_by_valgrind(relay), relay.text()
    assert code == 0


def test_a_drain_with_peers():
    """Ended while all kinds of connections are open."""
    relay = valgrind_relay().start()
    session = Session(relay, b"valgrind")
    try:
        binary = session.join(b"/v1/server")
        phones = [session.join(b"/v1/client") for _ in range(3)]
        phones[0].send(b"\x81\xfe\x10\x00")
        binary.send(b"\x01\x85")
        assert counts(relay) == (1, 3)
    finally:
        code = relay.stop()
        session.end()
    assert not said_by_valgrind(relay), relay.text()
    assert code == 0
