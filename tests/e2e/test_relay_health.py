"""Is it alive, is it ready: /healthz while a worker does not get on, /readyz
while there is no room and during the drain.  Number 71 of the checklist."""
import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess

import pytest
from conftest import PATIENCE, binary, phone
from rules import Attempt, closing, scrape, series, serving, until, upgraded, worker_of

HELD_US = 60 * 1000 * 1000
needs_strace = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("strace"),
                                  reason="needs root and strace: a thread is held")


def ask(relay, path, port=None, seconds=PATIENCE):
    """Status and body; None without an answer in that time."""
    head = f"GET {path} HTTP/1.1\r\nHost: relay.example.com\r\n\r\n".encode()
    with contextlib.suppress(socket.timeout):
        answer = relay.exchange(head, port, seconds)
        return int(answer[9:12]), json.loads(answer.split(b"\r\n\r\n", 1)[1])
    return None


@contextlib.contextmanager
def held(tid):
    """A thread that does not come back from its wait for events."""
    strace = subprocess.Popen(["strace", "-p", str(tid), "-e", "trace=epoll_wait,epoll_pwait", "-e",
                               f"inject=epoll_wait,epoll_pwait:delay_enter={HELD_US}"], stderr=subprocess.PIPE)
    try:
        assert b"attached" in strace.stderr.readline()
        yield
    finally:
        strace.kill()
        strace.wait()
        strace.stderr.close()


# ---- wedged

@needs_strace
def test_a_wedged_worker_makes_healthz_answer_503():
    """On both listeners; and 200 again once it gets on."""
    with serving("--threads=2") as relay, closing([upgraded(relay)]) as (b,):
        assert series(relay, "workers_alive") == series(relay, "workers") == 2
        with held(worker_of(relay, b)):
            until(relay, "workers_alive", 1)
            code, body = ask(relay, "/healthz", relay.metrics_port)
            assert (code, body["status"]) == (503, "wedged")
            assert list(body) == ["status", "version", "connected_binaries", "connected_phones", "uptime_seconds"]
            now = scrape(relay)
            assert now["worker_beat_age_seconds"] > 3 and now['unavailable_total{reason="wedged"}'] >= 1
            # The kernel gives some connections to the worker that is held.
            relay.wait_until(lambda: ask(relay, "/healthz", seconds=1) == (503, body | uptime(relay)))
        until(relay, "workers_alive", 2)
        relay.wait_until(lambda: ask(relay, "/healthz")[0] == 200)
        assert ask(relay, "/healthz", relay.metrics_port)[1]["status"] == "ok"
        b.send(9, b"still here")
        while (got := b.recv())[0] != 10:
            pass
        assert got[1] == b"still here"


def uptime(relay):
    return {"uptime_seconds": ask(relay, "/healthz", relay.metrics_port)[1]["uptime_seconds"]}


@needs_strace
def test_peers_of_the_other_worker_are_served_meanwhile():
    with serving("--threads=2") as relay, closing([]) as peers:
        homes = {}
        for i in range(40):
            peers.append(upgraded(relay, sid=f"s{i}"))
            homes.setdefault(worker_of(relay, peers[-1]), peers[-1])
            if len(homes) == 2:
                break
        (wedged, _), (_, served) = homes.items()
        with held(wedged):
            until(relay, "workers_alive", 1)
            served.send(9, b"and you?")
            while served.recv()[0] != 10:
                pass
        until(relay, "workers_alive", 2)


def test_alive_workers_are_alive(relay):
    now = scrape(relay)
    assert now["workers_alive"] == now["workers"] >= 1
    assert now["worker_beat_age_seconds"] < 3
    assert ask(relay, "/healthz", relay.metrics_port)[0] == 200


# ---- ready

def test_ready_and_overloaded():
    """Overloaded is alive."""
    with serving("--max-connections=2") as relay:
        for port in (relay.port, relay.metrics_port):
            assert ask(relay, "/readyz", port) == (200, {"status": "ready"})
        assert series(relay, "ready") == 1
        with closing([upgraded(relay), upgraded(relay, sid="s2")]) as peers:
            for port in (relay.port, relay.metrics_port):
                assert ask(relay, "/readyz", port) == (503, {"status": "overloaded"})
                assert ask(relay, "/healthz", port)[0] == 200
            now = scrape(relay)
            assert now["ready"] == 0 and now['unavailable_total{reason="overloaded"}'] == 2
            peers[0].close()
            relay.wait_until(lambda: ask(relay, "/readyz") == (200, {"status": "ready"}))
        assert series(relay, "ready") == 1


@pytest.mark.parametrize("method, status", [("HEAD", 200), ("POST", 405)])
def test_readyz_methods(relay, method, status):
    answer = relay.get("/readyz", method=method)
    assert int(answer[9:12]) == status and (method != "HEAD" or answer.endswith(b"\r\n\r\n"))


def is_refused(relay):
    try:
        Attempt(relay).close()
    except OSError:
        return True
    return False


def test_71_draining_is_said_until_the_end():
    """The metrics listener serves during the drain, the public one does not."""
    with serving() as relay:
        slow = upgraded(relay)
        relay.process.terminate()
        assert slow.close_code() == 1001  # and it does not answer that
        relay.wait_until(lambda: is_refused(relay))
        assert ask(relay, "/readyz", relay.metrics_port) == (503, {"status": "draining"})
        assert ask(relay, "/healthz", relay.metrics_port)[0] == 200
        now = scrape(relay)
        assert (now["draining"], now["ready"], now["drains_total"]) == (1, 0, 1)
        assert now['unavailable_total{reason="draining"}'] == 1
        slow.close()
        assert relay.process.wait(PATIENCE) == 0
        assert relay.stop() == 0
        assert relay.lines[-1].endswith('msg="shutdown complete"')


async def test_71_the_drain_counts_its_closes():
    with serving() as relay:
        peers = [await binary(relay), await phone(relay), await phone(relay)]
        late = await asyncio.to_thread(upgraded, relay, sid="late")
        until(relay, "connected_phones", 2)
        relay.process.terminate()
        for peer in peers:
            await asyncio.wait_for(peer.wait_closed(), PATIENCE)
            assert (peer.close_code, peer.close_reason) == (1001, "shutting down")
        until(relay, 'closes_sent_total{code="1001"}', 4)
        late.close()
        assert await asyncio.to_thread(relay.process.wait, PATIENCE) == 0
