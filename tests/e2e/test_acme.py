"""The certificate agent against pebble, a strict ACME server, and against one
that misbehaves.  acme_driver plays the relay; everything is on loopback."""
import base64
import contextlib
import email.utils
import http.server
import json
import os
import pathlib
import queue
import signal
import ssl
import subprocess
import threading
import time

import pytest

from authority import (DOMAIN, PATIENCE, Authority, Issuer, Pebble, authority, cache, children, describe, make_certificate,
                       openssl, pebble, put, small_disk, wait_until)
from conftest import TOP, clean_environment, free_port

BUILD = pathlib.Path(os.environ.get("BUILD_DIR", TOP / "build/asan"))
DRIVER = BUILD / "tests/acme/acme_driver"


class Agent:
    """acme_driver, and what it prints."""

    def __init__(self, url, cache, ca, http_port=0, tls_port=0, retry=(1, 2), email=None, prefix=(), env=None):
        self.events, self.queue, self.inbox = [], [], queue.Queue()
        command = [*prefix, DRIVER, url, DOMAIN, cache, ca, http_port, tls_port, *retry, *([email] if email else [])]
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, env=clean_environment(**(env or {})))
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.inbox.put(json.loads(line))
        self.inbox.put(None)

    def wait(self, event, **fields):
        """The next such event; those before it are passed over."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                got = self.inbox.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise TimeoutError(f"no {event} {fields} after {self.events}") from None
            assert got is not None, f"ended: {self.events} {self.process.stderr.read()}"
            self.events.append(got)
            if got["event"] == event and all(got.get(k) == v for k, v in fields.items()):
                return got

    def say(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def of(self, event):
        return [e for e in self.events if e["event"] == event]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(PATIENCE)
        finally:
            self.process.kill()
        errors = self.process.stderr.read()
        assert "Sanitizer" not in errors and "runtime error" not in errors, errors


def agent_for(pebble, cache, authority, **options):
    options.setdefault("http_port", pebble.http_port)
    return Agent(pebble.url, cache, authority.ca, **options)


@pytest.mark.parametrize("proof", ["http-01", "tls-alpn-01"])
def test_first_issuance(pebble, cache, authority, proof):
    ports = {"http_port": pebble.http_port} if proof == "http-01" else {"http_port": 0, "tls_port": pebble.tls_port}
    with agent_for(pebble, cache, authority, **ports) as agent:
        first = agent.wait("status")
        assert first["state"] == "starting"
        assert agent.wait("present")["proof"] == proof
        agent.wait("withdraw")
        issued = agent.wait("certificate", source="issued")
        idle = agent.wait("status", state="idle")
        assert not agent.of("failure")
    text = describe(cache / DOMAIN)
    assert issued["key"] + issued["chain"] == text
    # pebble's five years: renewal 30 days before the end
    assert idle["when"] == issued["when"] - 30 * 86400
    assert sorted(p.name for p in cache.iterdir()) == ["acme_account+key", DOMAIN]
    account = (cache / "acme_account+key").read_text()
    assert account.startswith("-----BEGIN EC PRIVATE KEY-----\n")
    assert (cache / "acme_account+key").stat().st_mode & 0o777 == 0o600


def test_renewal_on_request_keeps_the_account(pebble, cache, authority):
    with agent_for(pebble, cache, authority, email="ops@example.com") as agent:
        agent.wait("certificate", source="issued")
        account, first = (cache / "acme_account+key").read_text(), describe(cache / DOMAIN)
        agent.say("renew")
        agent.wait("certificate", source="issued")
        agent.wait("status", state="idle")
    second = describe(cache / DOMAIN)
    assert first != second
    assert first.split("-----END")[0] != second.split("-----END")[0], "each certificate has a key of its own"
    assert (cache / "acme_account+key").read_text() == account
    assert pebble.logged("There are now 1 accounts in memory")
    assert not pebble.logged("There are now 2 accounts in memory")


def test_many_wishes_are_one_order(pebble, cache, authority):
    with agent_for(pebble, cache, authority) as agent:
        agent.wait("certificate", source="issued")
        agent.wait("status", state="idle")
        agent.say("\n".join(["renew"] * 10))
        agent.wait("certificate", source="issued")
        agent.wait("status", state="idle")
        agent.say("stop")
        agent.wait("ended", status=0)
    assert len(agent.of("certificate")) == 2


def test_renewal_before_expiry(tmp_path, authority, cache):
    with Pebble(tmp_path, authority, lifetime=9) as pebble, agent_for(pebble, cache, authority) as agent:
        certificates = [agent.wait("certificate", source="issued") for _ in range(2)]
        assert not agent.of("failure")
    # when a third is left: before the first one ends
    assert certificates[0]["when"] < certificates[1]["when"] <= certificates[0]["when"] + 9


def test_account_is_used_again_after_a_restart(pebble, cache, authority):
    for _ in range(2):
        with agent_for(pebble, cache, authority) as agent:
            agent.wait("certificate", source="issued")
        (cache / DOMAIN).unlink()
    assert not pebble.logged("There are now 2 accounts in memory")


def test_cached_certificate_serves_without_the_ca(pebble, cache, authority):
    with agent_for(pebble, cache, authority) as agent:
        issued = agent.wait("certificate", source="issued")
    dead = f"https://127.0.0.1:{free_port()}/dir"
    with Agent(dead, cache, authority.ca, http_port=pebble.http_port) as agent:
        cached = agent.wait("certificate", source="cached")
        agent.wait("status", state="idle")
    assert (cached["key"], cached["chain"], cached["when"]) == (issued["key"], issued["chain"], issued["when"])
    assert not agent.of("failure")


def test_ca_down_at_boot(tmp_path, cache, authority):
    pebble = Pebble(tmp_path, authority)
    with agent_for(pebble, cache, authority) as agent:
        failure = agent.wait("failure")
        assert failure["kind"] == "network" and pebble.url in failure["text"]
        with pebble:
            agent.wait("certificate", source="issued")
    describe(cache / DOMAIN)


def test_ca_down_during_renewal(tmp_path, cache, authority):
    pebble = Pebble(tmp_path, authority)
    with pebble:
        agent = agent_for(pebble, cache, authority)
        agent.wait("certificate", source="issued")
        agent.wait("status", state="idle")
    before = (cache / DOMAIN).read_text()
    with agent:
        agent.say("renew")
        assert agent.wait("failure")["kind"] == "network"
        assert (cache / DOMAIN).read_text() == before
        # it is years from its end: the schedule would wait, the operator may not
        with pebble:
            agent.say("renew")
            agent.wait("certificate", source="issued")
    assert describe(cache / DOMAIN) != before


def test_ca_of_another_authority_is_not_trusted(pebble, cache, tmp_path_factory):
    stranger = Authority(tmp_path_factory.mktemp("stranger"))
    with agent_for(pebble, cache, stranger) as agent:
        failure = agent.wait("failure")
    assert failure["kind"] == "untrusted"
    assert not (cache / DOMAIN).exists()


def test_ca_file_that_is_not_there(pebble, cache, tmp_path):
    with Agent(pebble.url, cache, tmp_path / "absent.pem", http_port=pebble.http_port) as agent:
        failure = agent.wait("failure")
    assert failure["kind"] == "untrusted" and "absent.pem" in failure["text"]


def test_rejected_nonces(tmp_path, cache, authority):
    with Pebble(tmp_path, authority, PEBBLE_WFE_NONCEREJECT="50") as pebble:
        with agent_for(pebble, cache, authority) as agent:
            agent.wait("certificate", source="issued")
            assert not agent.of("failure")


def test_slow_validation(tmp_path, cache, authority):
    with Pebble(tmp_path, authority, PEBBLE_VA_NOSLEEP="", PEBBLE_VA_SLEEPTIME="4") as pebble:
        with agent_for(pebble, cache, authority) as agent:
            agent.wait("certificate", source="issued")
            assert not agent.of("failure")


def test_failing_validation_has_the_words_of_the_ca(pebble, cache, authority):
    with agent_for(pebble, cache, authority, http_port=-1) as agent:
        failure = agent.wait("failure")
        agent.wait("failure")  # and it tries again
    assert failure["kind"] == "challenge"
    assert str(pebble.http_port) in failure["text"] and "refused" in failure["text"], failure
    assert not (cache / DOMAIN).exists()
    assert len(agent.of("withdraw")) >= 2


def test_the_other_challenge_is_tried(pebble, cache, authority):
    with agent_for(pebble, cache, authority, tls_port=-1) as agent:
        assert agent.wait("present")["proof"] == "tls-alpn-01"
        assert agent.wait("failure")["kind"] == "challenge"
        assert agent.wait("present")["proof"] == "http-01"
        agent.wait("certificate", source="issued")


def test_valid_authorization_is_used_again(tmp_path, cache, authority):
    with Pebble(tmp_path, authority, PEBBLE_AUTHZREUSE="100") as pebble:
        with agent_for(pebble, cache, authority) as agent:
            agent.wait("certificate", source="issued")
            assert len(agent.of("present")) == 1
            agent.say("renew")
            agent.wait("certificate", source="issued")
            assert len(agent.of("present")) == 1


# The directory.

@pytest.mark.parametrize("label", ["EC PRIVATE KEY", "PRIVATE KEY", "RSA PRIVATE KEY"])
def test_cache_of_the_existing_relay_is_taken_over(cache, authority, label):
    key, chain = make_certificate(cache, key_type="rsa" if "RSA" in label else "ec")
    form = [] if label == "PRIVATE KEY" else ["-traditional"]
    text = openssl("pkey", "-in", key, *form) + chain
    assert text.startswith(f"-----BEGIN {label}-----")
    put(cache / DOMAIN, text)
    put(cache / "acme_account+key", openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout"))
    put(cache / f"{DOMAIN}+token", "short-lived")
    put(cache / "tok+http-01", "short-lived")
    before = {p.name: p.read_bytes() for p in cache.iterdir()}
    with Agent(f"https://127.0.0.1:{free_port()}/dir", cache, authority.ca, http_port=free_port()) as agent:
        cached = agent.wait("certificate", source="cached")
        agent.wait("status", state="idle")
        agent.say("stop")
        agent.wait("ended", status=0)
    assert cached["key"] + cached["chain"] == text
    assert {p.name: p.read_bytes() for p in cache.iterdir()} == before


def test_account_of_the_older_name_is_used(pebble, cache, authority):
    put(cache / "acme_account.key", openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout"))
    with agent_for(pebble, cache, authority) as agent:
        agent.wait("certificate", source="issued")
    assert sorted(p.name for p in cache.iterdir()) == ["acme_account.key", DOMAIN]


def test_torn_certificate_is_reported_and_kept(pebble, cache, authority):
    put(cache / DOMAIN, "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE")
    with agent_for(pebble, cache, authority) as agent:
        failure = agent.wait("failure")
        agent.wait("certificate", source="issued")
    assert failure["kind"] == "store" and DOMAIN in failure["text"]
    describe(cache / DOMAIN)
    assert (cache / f"{DOMAIN}.kept-1").read_text() == "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE"


def test_unreadable_account_is_never_replaced(pebble, cache, authority):
    put(cache / "acme_account+key", "torn")
    with agent_for(pebble, cache, authority) as agent:
        assert "move it away" in agent.wait("failure", kind="store")["text"]
        agent.wait("failure", kind="store")
    assert (cache / "acme_account+key").read_text() == "torn"
    assert not pebble.logged("There are now 1 accounts")


def test_expired_certificate_is_not_served(pebble, cache, authority):
    key, chain = make_certificate(cache, days=0)
    put(cache / DOMAIN, openssl("pkey", "-in", key, "-traditional") + chain)
    time_of_expiry = int(time.time())
    wait_until(lambda: time.time() > time_of_expiry + 1)
    with agent_for(pebble, cache, authority) as agent:
        agent.wait("certificate", source="issued")
        assert len(agent.of("certificate")) == 1
    assert not list(cache.glob("*.kept-*"))


def test_full_disk_loses_nothing(small_disk, pebble, authority):
    with agent_for(pebble, small_disk, authority) as agent:
        agent.wait("certificate", source="issued")
        agent.wait("status", state="idle")
        before = describe(small_disk / DOMAIN)
        filler = small_disk / "filler"
        with contextlib.suppress(OSError), filler.open("wb") as out:
            while True:
                out.write(b"x" * 4096)
                out.flush()
        agent.say("renew")
        failure = agent.wait("failure")
        assert failure["kind"] == "store" and "No space left" in failure["text"], failure
        served = agent.wait("certificate", source="issued")  # it serves all the same
        assert describe(small_disk / DOMAIN) == before
        filler.unlink()
        wait_until(lambda: (small_disk / DOMAIN).read_text() == served["key"] + served["chain"])
    assert sorted(p.name for p in small_disk.iterdir()) == ["acme_account+key", DOMAIN]


def test_read_only_disk_loses_nothing(small_disk, pebble, authority):
    with agent_for(pebble, small_disk, authority) as agent:
        agent.wait("certificate", source="issued")
        agent.wait("status", state="idle")
        before = describe(small_disk / DOMAIN)
        subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
        agent.say("renew")
        assert "Read-only file system" in agent.wait("failure", kind="store")["text"]
        agent.wait("certificate", source="issued")
        assert describe(small_disk / DOMAIN) == before


def test_vanished_directory_loses_nothing(pebble, cache, authority):
    with agent_for(pebble, cache, authority) as agent:
        agent.wait("certificate", source="issued")
        agent.wait("status", state="idle")
        for path in cache.iterdir():
            path.unlink()
        cache.rmdir()
        agent.say("renew")
        assert "No such file" in agent.wait("failure", kind="store")["text"]
        agent.wait("certificate", source="issued")


# The process.

def test_clock_moved_forward(tmp_path, cache, authority):
    with Pebble(tmp_path, authority, lifetime=90 * 86400) as pebble:
        with agent_for(pebble, cache, authority) as agent:
            agent.wait("certificate", source="issued")
        first = describe(cache / DOMAIN)
        # 59 days later nothing is due, 61 days later it is
        for days, is_due in ((59, False), (61, True)):
            env = {"ASAN_OPTIONS": "verify_asan_link_order=0", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
            with agent_for(pebble, cache, authority, prefix=["faketime", "-f", f"+{days}d"], env=env) as agent:
                agent.wait("certificate", source="cached")
                if is_due:
                    agent.wait("certificate", source="issued")
                else:
                    agent.wait("status", state="idle")
                    agent.wait("status", state="idle")  # the CA was asked for its window
                    assert not agent.of("present")
            assert (describe(cache / DOMAIN) != first) == is_due


def test_ends_with_the_relay(pebble, cache, authority):
    for word in ("stop", "close"):
        with agent_for(pebble, cache, authority) as agent:
            agent.wait("status", state="starting")
            agent.say(word)
            assert agent.wait("ended")["status"] == 0


def test_ends_when_the_relay_is_killed(pebble, cache, authority):
    with agent_for(pebble, cache, authority, http_port=pebble.http_port) as agent:
        agent.wait("certificate")
        [supervisor] = children(agent.process.pid)
        [process] = children(supervisor)
        agent.process.kill()
        agent.process.wait()
        wait_until(lambda: not pathlib.Path(f"/proc/{process}").exists())


def test_dead_agent_is_started_anew(pebble, cache, authority):
    with agent_for(pebble, cache, authority) as agent:
        first = agent.wait("certificate", source="issued")
        agent.wait("status", state="idle")
        [supervisor] = children(agent.process.pid)
        [process] = children(supervisor)
        os.kill(process, signal.SIGKILL)
        failure = agent.wait("failure")
        assert failure["kind"] == "died" and "signal 9" in failure["text"]
        agent.wait("status", state="starting")
        assert agent.wait("certificate", source="cached")["chain"] == first["chain"]
        agent.say("renew")
        agent.wait("certificate", source="issued")


def test_signals_of_the_group_do_not_end_it(pebble, cache, authority):
    with agent_for(pebble, cache, authority) as agent:
        agent.wait("certificate")
        [supervisor] = children(agent.process.pid)
        for pid in (supervisor, *children(supervisor)):
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                os.kill(pid, number)
        agent.say("renew")
        agent.wait("certificate", source="issued")
        assert not agent.of("failure")


def test_holds_no_other_descriptor(pebble, cache, authority):
    with agent_for(pebble, cache, authority) as agent:
        agent.wait("certificate")
        agent.wait("status", state="idle")
        [supervisor] = children(agent.process.pid)
        names = {p.name: os.readlink(p) for p in pathlib.Path(f"/proc/{supervisor}/fd").iterdir()}
        assert set(names) == {"0", "1", "2", "3", "4"}
        assert names["3"].startswith("socket:") and names["4"] == str(cache)


# A CA that misbehaves.

class FakeCA:
    """HTTPS on loopback; each path has a function from the payload to an
    answer (status, headers, body)."""

    def __init__(self, authority):
        self.port = free_port()
        self.base = f"https://127.0.0.1:{self.port}"
        self.url = f"{self.base}/dir"
        self.requests = []
        self.routes = {
            "/dir": lambda _: (200, {}, json.dumps({
                **{name: f"{self.base}/{path}" for name, path in (
                    ("newNonce", "nonce"), ("newAccount", "account"), ("newOrder", "order"))}, **self.more})),
            "/nonce": lambda _: (204, {"Replay-Nonce": "bm9uY2U"}, ""),
            "/account": lambda _: (201, {"Replay-Nonce": "bm9uY2U", "Location": f"{self.base}/acct/1"}, "{}"),
        }
        self.more = {}
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.cert, authority.key)
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                length = int(self.headers.get("Content-Length", 0))
                payload = json.loads(self.rfile.read(length)) if length else {}
                if payload:
                    payload = json.loads(base64.urlsafe_b64decode(payload["payload"] + "==") or "{}")
                fake.requests.append((self.path, payload, dict(self.headers)))
                route = fake.routes.get(self.path) or fake.routes.get(self.path.rsplit("/", 1)[0] + "/")
                status, headers, body = route(payload) if route else (404, {}, "")
                body = body if isinstance(body, bytes) else body.encode()
                self.send_response(status)
                for name, value in {"Content-Length": len(body), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(body)

            do_GET = do_HEAD = do_POST = answer

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def finish_request(self, request, address):
                with contextlib.suppress(OSError), context.wrap_socket(request, server_side=True) as wrapped:
                    Handler(wrapped, address, self)

        self.server = Server(("127.0.0.1", self.port), Handler)

    def asked(self, path):
        return [payload for got, payload, _ in self.requests if got.startswith(path)]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def fake(authority):
    with FakeCA(authority) as running:
        yield running


def agent_of(fake, cache, authority):
    return Agent(fake.url, cache, authority.ca, http_port=free_port(), retry=(3600, 3600))


def rate_limit(seconds):
    body = {"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many certificates \u202e\x1b[31m"}
    return lambda _: (429, {"Retry-After": seconds, "Replay-Nonce": "bm9uY2U"}, json.dumps(body))


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_rate_limit_is_obeyed(fake, cache, authority, form):
    wish = 40000 if form == "seconds" else email.utils.formatdate(time.time() + 40000, usegmt=True)
    fake.routes["/order"] = rate_limit(wish)
    with agent_of(fake, cache, authority) as agent:
        failure = agent.wait("failure")
    assert failure["kind"] == "rate-limited" and "too many certificates \u00e2\u0080\u00ae\x1b[31m" in failure["text"]
    assert abs(failure["when"] - time.time() - 40000) < PATIENCE
    assert len(fake.asked("/order")) == 1


def test_requests_say_who_asks_and_why(fake, cache, authority):
    fake.routes["/order"] = rate_limit(60)
    with Agent(fake.url, cache, authority.ca, http_port=free_port(), retry=(3600, 3600),
               email="ops@example.com") as agent:
        agent.wait("failure")
    assert fake.asked("/account") == [{"termsOfServiceAgreed": True, "contact": ["mailto:ops@example.com"]}]
    assert fake.asked("/order") == [{"identifiers": [{"type": "dns", "value": DOMAIN}]}]
    for path, payload, headers in fake.requests:
        assert headers["User-Agent"] and headers["Accept-Language"] == "en"
        if payload:
            assert headers["Content-Type"] == "application/jose+json", path


HOSTILE = {
    "garbage": (lambda f: (200, {}, b"\x00\xff<html>"), "protocol", "not an ACME directory"),
    "oversized": (lambda f: (200, {}, b"{" + b" " * 300000 + b"}"), "protocol", "exceeds the limit"),
    "deep": (lambda f: (200, {}, b'{"a":' + b"[" * 200000), "protocol", "not an ACME directory"),
    "redirect": (lambda f: (302, {"Location": f"{f.base}/elsewhere"}, b""), "protocol", "redirect"),
    "plain-urls": (lambda f: (200, {}, json.dumps({n: f"http://127.0.0.1:{f.port}/x" for n in (
        "newNonce", "newAccount", "newOrder")})), "protocol", "not an ACME directory"),
    "unavailable": (lambda f: (503, {"Retry-After": 40000}, b"<html>"), "refused", "503"),
    "cut": (lambda f: (200, {"Content-Length": 50, "Connection": "close"}, b'{"newNonce": '), "network", "/dir"),
    "header": (lambda f: (200, {"X": "y" * 400000}, b"{}"), "protocol", "exceeds the limit"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_answers(fake, cache, authority, name):
    answer, kind, words = HOSTILE[name]
    fake.routes["/dir"] = lambda _: answer(fake)
    fake.routes["/elsewhere"] = lambda _: (200, {}, "{}")
    with agent_of(fake, cache, authority) as agent:
        failure = agent.wait("failure")
        agent.say("stop")
        assert agent.wait("ended")["status"] == 0
    assert failure["kind"] == kind and words in failure["text"], failure
    assert not fake.asked("/elsewhere")


def test_silent_ca_does_not_hold_the_agent(fake, cache, authority):
    silence = threading.Event()
    fake.routes["/dir"] = lambda _: (silence.wait(PATIENCE), {}, "")
    with agent_of(fake, cache, authority) as agent:
        wait_until(lambda: fake.requests)
        agent.say("stop")
        assert agent.wait("ended")["status"] == 0
        assert not agent.of("failure")
    silence.set()


def test_renewal_window_of_the_ca(fake, cache, authority):
    """RFC 9773: a window that has passed means now, and the order says what it replaces."""
    key, chain = make_certificate(cache, days=90)
    put(cache / DOMAIN, openssl("pkey", "-in", key, "-traditional") + chain)
    fake.more = {"renewalInfo": f"{fake.base}/ari"}
    fake.routes["/ari/"] = lambda _: (200, {"Retry-After": "3600"}, json.dumps({"suggestedWindow": {
        "start": "2024-01-01T00:00:00Z", "end": "2024-01-02T00:00:00Z"}}))
    fake.routes["/order"] = rate_limit(60)
    with agent_of(fake, cache, authority) as agent:
        agent.wait("certificate", source="cached")
        agent.wait("failure", kind="rate-limited")
    [asked] = [path for path, _, _ in fake.requests if path.startswith("/ari/")]
    identifier = asked.removeprefix("/ari/")
    serial = openssl("x509", "-noout", "-serial", text=chain).strip().removeprefix("serial=")
    number = bytes.fromhex(serial)
    der = (b"\0" if number[0] & 0x80 else b"") + number
    assert identifier.split(".")[1] == base64.urlsafe_b64encode(der).decode().rstrip("=")
    assert fake.asked("/order")[0]["replaces"] == identifier


def test_later_window_is_waited_for(fake, cache, authority):
    key, chain = make_certificate(cache, days=90)
    put(cache / DOMAIN, openssl("pkey", "-in", key, "-traditional") + chain)
    start = int(time.time()) + 86400
    stamp = lambda t: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t))
    fake.more = {"renewalInfo": f"{fake.base}/ari"}
    fake.routes["/ari/"] = lambda _: (200, {}, json.dumps({"suggestedWindow": {
        "start": stamp(start), "end": stamp(start + 3600)}}))
    with agent_of(fake, cache, authority) as agent:
        agent.wait("certificate", source="cached")
        assert agent.wait("status", state="idle")["when"] > start + 30 * 86400
        assert start <= agent.wait("status", state="idle")["when"] <= start + 3600
    assert not fake.asked("/order")


@pytest.mark.parametrize("call", ["fsync", "renameat", "fchmod", "write"])
def test_disk_that_fails_loses_nothing(pebble, cache, authority, call):
    """Each step of a write fails: the old file stays whole, the new certificate serves."""
    with agent_for(pebble, cache, authority) as agent:
        agent.wait("certificate", source="issued")
    before = describe(cache / DOMAIN)
    # the driver writes to its standard output, so only the directory's files fail
    paths = ["-P", cache, "-P", cache / f".{DOMAIN}.new", "-P", cache / DOMAIN]
    prefix = ["strace", "-f", "-o", cache.parent / "trace", *paths, "-e", f"trace={call}", "-e",
              f"inject={call}:error=EIO"]
    with agent_for(pebble, cache, authority, prefix=prefix, env={"ASAN_OPTIONS": "detect_leaks=0"},
                   retry=(3600, 3600)) as agent:
        agent.wait("certificate", source="cached")
        agent.say("renew")
        failure = agent.wait("failure")
        assert failure["kind"] == "store" and "Input/output error" in failure["text"], failure
        issued = agent.wait("certificate", source="issued")
        agent.say("stop")
        agent.wait("ended", status=0)
    if call != "fsync":  # it may be that the name is new and not yet safe
        assert describe(cache / DOMAIN) == before
    assert describe(cache / DOMAIN) in (before, issued["key"] + issued["chain"])
    assert sorted(p.name for p in cache.iterdir()) == ["acme_account+key", DOMAIN]


def let_it_issue(fake, sign):
    """The fake CA takes any order for ready, and answers what sign() makes of the request."""
    nonce, asked = {"Replay-Nonce": "bm9uY2U"}, {}

    def order():
        status = {"status": "valid", "certificate": f"{fake.base}/chain"} if asked else {"status": "ready"}
        return json.dumps({"authorizations": [f"{fake.base}/authz"], "finalize": f"{fake.base}/finalize", **status})

    def finalize(payload):
        asked["csr"] = base64.urlsafe_b64decode(payload["csr"] + "==")
        return 200, nonce, order()

    def begin(_):
        asked.clear()
        return 201, {**nonce, "Location": f"{fake.base}/order-1"}, order()

    fake.routes["/order"] = begin
    fake.routes["/order-1"] = lambda _: (200, nonce, order())
    fake.routes["/finalize"] = finalize
    fake.routes["/chain"] = lambda _: (200, nonce, sign(asked["csr"]))


def test_renewal_in_the_window_of_the_ca(fake, cache, authority, tmp_path):
    issuer = Issuer(tmp_path)
    key, chain = make_certificate(cache, issuer=issuer)
    put(cache / DOMAIN, openssl("pkey", "-in", key, "-traditional") + chain)

    def sign(csr):
        request, names = tmp_path / "csr.der", tmp_path / "names"
        request.write_bytes(csr)
        return openssl("x509", "-req", "-inform", "DER", "-in", request, "-CA", issuer.cert, "-CAkey", issuer.key,
                       "-days", "90", "-extfile", names) + issuer.cert.read_text()

    now = int(time.time())
    stamp = lambda t: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t))
    windows = []

    def renewal_info(_):
        """For the first certificate it has passed, for the next it is far."""
        start = now - 100 if not windows else now + 50 * 86400
        windows.append(start)
        return 200, {}, json.dumps({"suggestedWindow": {"start": stamp(start), "end": stamp(start + 60)}})

    fake.more = {"renewalInfo": f"{fake.base}/ari"}
    fake.routes["/ari/"] = renewal_info
    let_it_issue(fake, sign)
    with agent_of(fake, cache, authority) as agent:
        agent.wait("certificate", source="cached")
        agent.wait("certificate", source="issued")
        agent.wait("status", state="idle")
        due = agent.wait("status", state="idle")["when"]
        assert windows[1] <= due <= windows[1] + 60
        assert not agent.of("failure")
    describe(cache / DOMAIN)
    assert len(fake.asked("/order")) == 2  # the order, and one look at it


def test_certificate_for_another_key_is_refused(fake, cache, authority, tmp_path):
    issuer = Issuer(tmp_path)
    key, chain = make_certificate(cache, issuer=issuer)
    before = openssl("pkey", "-in", key, "-traditional") + chain
    put(cache / DOMAIN, before)
    let_it_issue(fake, lambda _: chain)
    with agent_of(fake, cache, authority) as agent:
        agent.wait("certificate", source="cached")
        agent.say("renew")
        failure = agent.wait("failure")
        assert failure["kind"] == "bad-certificate" and "private key" in failure["text"]
        assert not [e for e in agent.of("certificate") if e["source"] == "issued"]
    assert (cache / DOMAIN).read_text() == before
