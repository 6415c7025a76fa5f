"""What a service manager is told (sd_notify(3)), and what an image's
HEALTHCHECK asks."""
import contextlib
import os
import re
import socket
import threading

import pytest
from conftest import OVER_TLS, PATIENCE, Relay, free_port, plain_only, run_relay
from rules import closing, until, upgraded, worker_of
from test_relay_health import held, needs_strace


@contextlib.contextmanager
def manager(name):
    """A manager's end of the socket of that name."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind("\0" + name[1:] if name.startswith("@") else name)
        s.settimeout(PATIENCE)
        yield s


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_the_manager_is_told_when_it_serves_and_when_it_ends(tmp_path, abstract):
    name = f"@relay.{os.getpid()}.{free_port()}" if abstract else str(tmp_path / "notify")
    with manager(name) as s:
        r = Relay(env={"NOTIFY_SOCKET": name}, metrics=True)
        starts = threading.Thread(target=r.start)
        starts.start()
        assert s.recv(256) == b"READY=1\nSTATUS=serving"
        # It is true: nobody is refused from that message on.
        with r.connect():
            starts.join()
        assert r.stop() == 0
        assert s.recv(256) == b"STOPPING=1\nSTATUS=draining"
        s.settimeout(0)
        with pytest.raises(BlockingIOError):
            s.recv(256)


def test_without_a_watchdog_none_is_fed(tmp_path):
    with manager(str(tmp_path / "notify")) as s:
        r = Relay(env={"NOTIFY_SOCKET": s.getsockname(), "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}).start()
        assert s.recv(256) == b"READY=1\nSTATUS=serving"
        assert r.stop() == 0
        assert s.recv(256) == b"STOPPING=1\nSTATUS=draining"


@needs_strace
def test_the_watchdog_is_fed_while_every_worker_gets_on(tmp_path):
    """Then not; and again."""
    with manager(str(tmp_path / "notify")) as s:
        r = Relay("--threads=2", env={"NOTIFY_SOCKET": s.getsockname(), "WATCHDOG_USEC": "2000000"}, metrics=True).start()
        assert {s.recv(256) for _ in range(3)} == {b"READY=1\nSTATUS=serving", b"WATCHDOG=1"}
        with closing([upgraded(r)]) as (b,), held(worker_of(r, b)):
            until(r, "workers_alive", 1)
            drain(s)
            r.wait_until(lambda: r.get("/healthz", port=r.metrics_port).startswith(b"HTTP/1.1 503"))
            wait_a_sample(r)
            assert drain(s) == []
        s.settimeout(PATIENCE)
        assert s.recv(256) == b"WATCHDOG=1"
        assert r.stop() == 0


def drain(s):
    """What has come."""
    found = []
    s.settimeout(0)
    with contextlib.suppress(BlockingIOError):
        while got := s.recv(256):
            found.append(got)
    return found


def wait_a_sample(relay):
    """Until the relay's housekeeping of once a second has run at least twice."""
    at = uptime(relay)
    relay.wait_until(lambda: uptime(relay) >= at + 2)


def uptime(relay):
    return int(re.search(rb'"uptime_seconds":(\d+)', relay.get("/healthz", port=relay.metrics_port))[1])


def test_a_manager_that_is_not_there_is_said_once(tmp_path):
    r = Relay(env={"NOTIFY_SOCKET": str(tmp_path / "nobody")}).start()
    (line,) = r.events("the service manager cannot be told")
    assert line["path"].endswith("/nobody") and line["err"] == "No such file or directory"
    assert r.stop() == 0


# ---- pyrycode-relay --healthcheck

def check(*flags):
    r = run_relay("--healthcheck", *flags)
    assert r.stderr == "" and r.stdout.count("\n") == 1
    return r.returncode, r.stdout


def test_a_relay_that_serves_is_healthy():
    r = Relay(metrics=True).start()
    code, said = check(f"--metrics-listen=127.0.0.1:{r.metrics_port}")
    assert code == 0
    assert re.fullmatch(rf'healthy: 127.0.0.1:{r.metrics_port}: {{"status":"ok",.*}}\n', said)
    assert r.stop() == 0
    code, said = check(f"--metrics-listen=127.0.0.1:{r.metrics_port}")
    assert (code, said) == (1, f"unhealthy: 127.0.0.1:{r.metrics_port}: Connection refused\n")


@plain_only
@pytest.mark.parametrize("host", ["127.0.0.1", "", "0.0.0.0", "[::]"])
def test_the_public_listener_is_asked_where_there_are_no_metrics(host):
    port = free_port()
    r = Relay(f"--insecure-listen={host}:{port}", port=port).start()
    code, said = check("--metrics-listen=", f"--insecure-listen={host}:{port}")
    assert (code, said.split(":")[0]) == (0, "healthy")
    assert r.stop() == 0


@needs_strace
def test_a_wedged_worker_is_unhealthy():
    r = Relay("--threads=2", metrics=True).start()
    with closing([upgraded(r)]) as (b,), held(worker_of(r, b)):
        until(r, "workers_alive", 1)
        code, said = check(f"--metrics-listen=127.0.0.1:{r.metrics_port}")
    assert code == 1 and said.startswith(f"unhealthy: 127.0.0.1:{r.metrics_port}: 503 ") and '"wedged"' in said
    assert r.stop() == 0


@pytest.mark.skipif(OVER_TLS, reason="no relay is asked")
@pytest.mark.parametrize("answer, says", [
    (b"", "no answer in HTTP"), (b"HTTP/1.1 200", "no answer in HTTP"), (b"SSH-2.0-x 200 \r\n\r\n", "no answer in HTTP"),
    (b"HTTP/1.1 2000 OK\r\n\r\n", "200 "), (b"HTTP/1.1 500 x\r\n\r\nbad\nmore", "500 bad\n"), (b"x" * 5000, "no answer in HTTP"),
    (None, "timed out")])
def test_another_server_is_unhealthy(answer, says):
    """None: it says nothing, and the end comes after 3 s."""
    with socket.create_server(("127.0.0.1", free_port())) as s:
        def serve():
            peer, _ = s.accept()
            with peer, contextlib.suppress(OSError):
                peer.recv(1024)
                if answer is None:
                    peer.recv(1)
                else:
                    peer.sendall(answer)
        served = threading.Thread(target=serve)
        served.start()
        code, said = check(f"--metrics-listen=127.0.0.1:{s.getsockname()[1]}")
        served.join(PATIENCE)
    assert code == 1 and says in said and said.startswith("unhealthy: ")


@pytest.mark.skipif(OVER_TLS, reason="no relay is asked")
def test_what_cannot_be_asked():
    assert check("--metrics-listen=", "--domain=relay.example.com")[0] == 2
    code, said = check("--metrics-listen=localhost")
    assert code == 2 and "localhost" in said
