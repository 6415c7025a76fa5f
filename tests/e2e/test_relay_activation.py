"""Listening sockets that a service manager hands over: sd_listen_fds(3)."""
import asyncio
import contextlib
import os
import socket

import pytest
from conftest import OVER_TLS, PATIENCE, Relay, binary, free_port, parse_line, phone, plain_only, recv, run_relay

PUBLIC = "https-listen" if OVER_TLS else "insecure-listen"
# What a service manager does between fork and exec: descriptors from 3 on, and the variables.
SHIM = ["/usr/bin/python3", "-c",
        "import fcntl, os, sys\n"
        "high = [fcntl.fcntl(int(f), fcntl.F_DUPFD, 500) for f in sys.argv[1].split(',') if f]\n"
        "os.closerange(3, 500)\n"
        "for i, f in enumerate(high): os.dup2(f, 3 + i)\n"
        "os.closerange(500, 1000)\n"
        "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(high)), LISTEN_FDNAMES=sys.argv[2])\n"
        "os.execvp(sys.argv[3], sys.argv[3:])"]


def listening(address=("127.0.0.1", None), family=socket.AF_INET, kind=socket.SOCK_STREAM, share=False):
    s = socket.socket(family, kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if share:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.bind((address[0], address[1] or free_port()))
    if kind == socket.SOCK_STREAM:
        s.listen()
    return s


def port_of(s):
    return s.getsockname()[1]


def shim(sockets):
    """The prefix of a command that is handed those (name, socket) pairs."""
    return [*SHIM, ",".join(str(s.fileno()) for _, s in sockets), ":".join(name for name, _ in sockets)]


def activated(*sockets, flags=(), metrics=None):
    r = Relay(*flags, port=port_of(sockets[0][1]), prefix=shim(sockets))
    r.metrics_port = metrics
    r.pass_fds = [s.fileno() for _, s in sockets]
    return r.start()


def refused(*sockets, flags=(), env=None):
    r = run_relay(*flags, prefix=shim(sockets), pass_fds=[s.fileno() for _, s in sockets], env=env)
    assert r.returncode == 2, r.stderr
    return r.stderr


async def exchange_a_frame(relay, sid):
    async with binary(relay, sid) as b, phone(relay, sid) as p:
        await p.send('"hello"')
        assert '"hello"' in await recv(b)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_what_is_handed_over_is_served(count):
    """One socket for several workers, one for each, and more than workers: everybody is let in."""
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(listening(share=True))
        more = [stack.enter_context(listening(("127.0.0.1", port_of(first)), share=True)) for _ in range(count - 1)]
        metrics = stack.enter_context(listening())
        r = activated(*[(PUBLIC, s) for s in (first, *more)], ("metrics-listen", metrics), flags=["--threads=2"],
                      metrics=port_of(metrics))
        for n in range(8):
            asyncio.run(exchange_a_frame(r, f"sid-{n}"))
        assert r.get("/healthz", port=port_of(metrics)).startswith(b"HTTP/1.1 200")
        assert r.stop() == 0


def test_the_queue_outlives_the_relay():
    """Who comes between two instances waits for the next one."""
    with listening() as s:
        r = activated((PUBLIC, s))
        assert r.stop() == 0
        with socket.create_connection(("127.0.0.1", port_of(s)), PATIENCE) as waits:
            second = activated((PUBLIC, s))
            if not OVER_TLS:
                waits.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                assert waits.recv(64).startswith(b"HTTP/1.1 200")
            assert second.get("/healthz").startswith(b"HTTP/1.1 200")
            assert second.stop() == 0


def test_both_families_by_one_socket():
    with socket.socket(socket.AF_INET6) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        s.bind(("::", free_port()))
        s.listen()
        r = activated((PUBLIC, s), flags=[f"--{PUBLIC}=:{port_of(s)}"])
        assert r.get("/healthz").startswith(b"HTTP/1.1 200")
        assert r.stop() == 0


@plain_only
@pytest.mark.parametrize("name, says", [
    ("https-listen", "no option in use"), ("pyrycode-relay.socket", "no option in use"), ("", "no option in use"),
    ("metrics-listen", "no option in use"), ("insecure-listen", None)])
def test_a_name_that_no_option_has_is_refused(name, says):
    with listening() as s:
        flags = [f"--insecure-listen=127.0.0.1:{port_of(s)}", "--metrics-listen="]
        if says is None:
            r = activated((name, s), flags=flags)
            assert r.stop() == 0
            return
        log = refused((name, s), flags=flags)
    assert says in log and "FileDescriptorName=https-listen" in log and "LISTEN_FDNAMES[0]" in log


@plain_only
def test_a_socket_elsewhere_is_refused():
    with listening() as s:
        log = refused(("insecure-listen", s), flags=["--insecure-listen=127.0.0.1:1", "--metrics-listen="])
        assert "listens elsewhere" in log and f"port {port_of(s)}" in log


@plain_only
def test_what_does_not_listen_is_refused():
    with listening(kind=socket.SOCK_DGRAM) as s:
        log = refused(("insecure-listen", s), flags=[f"--insecure-listen=127.0.0.1:{port_of(s)}"])
        assert "no listening TCP socket" in log and "ListenStream=443" in log


@plain_only
def test_a_second_socket_for_one_is_a_listener_too_many():
    """The metrics are served from one socket; the check finds the other."""
    with listening() as s, listening(share=True) as one, listening(("127.0.0.1", port_of(one)), share=True) as two:
        r = activated(("insecure-listen", s), ("metrics-listen", one), ("metrics-listen", two), metrics=port_of(one))
        found = [f for f in map(parse_line, r.lines) if f.get("check") == "listeners"]
        port = port_of(two)
        assert r.stop() == 0
    assert found and "nobody asked for" in found[0]["err"]
    assert f"descriptor 5: tcp 127.0.0.1:{port}" in found[0]["observed"]


@plain_only
def test_names_and_sockets_must_be_as_many():
    with listening() as s:
        prefix = shim([("insecure-listen", s)])
        r = run_relay(f"--insecure-listen=127.0.0.1:{port_of(s)}", prefix=[*prefix[:-1], "insecure-listen:more"],
                      pass_fds=[s.fileno()])
    assert r.returncode == 2 and "contradict each other" in r.stderr


@plain_only
def test_sockets_of_another_process_are_not_taken():
    """The variables that a child of the one they were for finds; and no descriptor is behind them."""
    r = Relay(env={"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "nonsense"}).start()
    assert r.get("/healthz").startswith(b"HTTP/1.1 200")
    assert r.stop() == 0
