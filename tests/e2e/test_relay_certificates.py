"""The relay and its certificate agent against pebble: the whole way from
--domain to a served certificate, and every way in which that can fail."""
import asyncio
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import socketserver
import ssl
import subprocess
import threading
import time

import pytest
from authority import (Authority, Pebble, authority, cache, children, describe, make_certificate, openssl, pebble,
                       put, small_disk, wait_until)
from conftest import DOMAIN, OVER_TLS, PATIENCE, RELAY_BIN, THREAD_SANITIZED, Relay, binary, free_port, phone, recv
from rules import scrape, series, until

pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning"),
              pytest.mark.skipif(os.environ.get("RELAY_THREADS") == "1" and not OVER_TLS,
                                 reason="TLS all the time: the pass over TLS has them")]
HEALTH = f"GET /healthz HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n".encode()


SANITIZED = b"__asan_init" in pathlib.Path(RELAY_BIN).read_bytes() or THREAD_SANITIZED


def unverified(version=None, ciphers=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if version:
        context.minimum_version = context.maximum_version = version
    if ciphers:
        context.set_ciphers(ciphers)
    return context


class Issuing(Relay):
    """A relay that orders its certificate; whom that is from is not verified."""

    def __init__(self, cache, url, ca, *flags, **options):
        extra = ["--cert-cache", str(cache), "--acme-directory", url, *(["--acme-ca-file", str(ca)] if ca else [])]
        super().__init__(*extra, *flags, metrics=True, tls=True, certificate=(None, None),
                         ready=lambda relay: relay.events("starting metrics listener"), **options)

    def context(self):
        return unverified()

    def shown(self, at_once=False, **options):
        """The certificate that a new handshake sees, as DER; it is begun once there is one, or at once."""
        if not at_once:
            self.wait_event("certificate_installed")
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as s, \
                unverified(**options).wrap_socket(s, server_hostname=DOMAIN) as tls:
            return tls.getpeercert(binary_form=True)

    def is_healthy(self):
        with self.connect() as s:
            s.sendall(HEALTH)
            return s.recv(4096).startswith(b"HTTP/1.1 200")

    def supervisor(self):
        [pid] = [p for p in children(self.process.pid) if pathlib.Path(f"/proc/{p}/comm").read_text() == "relay-acme-sv\n"]
        return pid

    def agent(self):
        [pid] = children(self.supervisor())
        return pid


class Port80(socketserver.ThreadingTCPServer):
    """Where pebble looks for http-01.  A CA asks port 80, whose number no Host has; pebble says its own."""
    allow_reuse_address = daemon_threads = True

    def __init__(self, port, relay):
        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                head = b""
                while b"\r\n\r\n" not in head and (got := self.request.recv(4096)):
                    head += got
                self.request.sendall(relay.exchange(head.replace(b":%d\r\n" % port, b"\r\n"), relay.http_port))

        super().__init__(("127.0.0.1", port), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *exception):
        self.shutdown()
        super().__exit__(*exception)


@contextlib.contextmanager
def running(relay):
    relay.start()
    try:
        yield relay
    except BaseException:
        relay.stop()
        print(relay.text())  # pytest shows it beside the failure
        raise
    assert relay.stop() == 0


@contextlib.contextmanager
def issuing(cache, pebble, authority, *flags, proof="tls-alpn-01", **options):
    """A relay beside pebble; proof: the challenge that can succeed, the other's port leads nowhere."""
    if proof == "tls-alpn-01":
        options.setdefault("port", pebble.tls_port)
    relay = Issuing(cache, pebble.url, authority.ca, *flags, **options)
    with Port80(pebble.http_port, relay) if proof == "http-01" else contextlib.nullcontext(), running(relay):
        yield relay


def leaf_of(path):
    """The first certificate of a file, as DER."""
    text = path.read_text()
    return ssl.PEM_cert_to_DER_cert(text[text.index("-----BEGIN CERTIFICATE-----"):].split("-----END CERTIFICATE-----")[0] +
                                    "-----END CERTIFICATE-----\n")


@pytest.mark.parametrize("proof", ["http-01", "tls-alpn-01"])
def test_first_issuance(pebble, cache, authority, proof):
    with issuing(cache, pebble, authority, proof=proof) as relay:
        assert relay.shown()
        describe(cache / DOMAIN)
        assert relay.shown() == leaf_of(cache / DOMAIN)
        url = f"https://{DOMAIN}:{relay.port}/healthz"
        curl = ["curl", "-sS", "--insecure", "--max-time", str(PATIENCE), "--resolve", f"{DOMAIN}:{relay.port}:127.0.0.1", url]
        assert '"status":"ok"' in subprocess.run(curl, check=True, capture_output=True, text=True).stdout
        chain = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{relay.port}", "-servername", DOMAIN,
                                "-showcerts", "-verify_hostname", DOMAIN], input="", capture_output=True, text=True).stdout
        assert chain.count("BEGIN CERTIFICATE") == 2 and "Pebble Intermediate" in chain, "the leaf and its issuer"
        relay.wait_until(lambda: series(relay, "certificate_last_issued_timestamp_seconds") > 1.7e9)
        got = scrape(relay)
        assert got["tls_certificate_expiry_timestamp_seconds"] > time.time() + 86400
        assert got["certificate_next_try_timestamp_seconds"] > time.time() + 86400
        assert got['certificate_failures_total{kind="challenge"}'] == (1 if proof == "http-01" else 0)
        assert len(relay.events("certificate_installed")) == 1
    assert not [line for line in relay.lines if "level=ERROR" in line and "certificate_failed" not in line]


# ---- the directory

def write(path, key, chain, form=("-traditional",)):
    """As the existing relay does: the key's PEM, then the chain's; under another name first."""
    put(path.with_name(".writing"), openssl("pkey", "-in", key, *form) + chain)
    path.with_name(".writing").rename(path)


def write_due(cache):
    """A certificate that is valid and whose renewal is due."""
    write(cache / DOMAIN, *make_certificate(cache, days=90, age=70))


def write_fresh(cache):
    write(cache / DOMAIN, *make_certificate(cache, days=90))


def restart_agent(relay):
    """A new one, which reads the directory anew; it begins a second after the end of the old one."""
    before = len(relay.events("certificate_failed"))
    os.kill(relay.agent(), signal.SIGKILL)
    [line] = [e for e in relay.wait_event("certificate_failed", before + 1)[before:] if e["kind"] == "died"]
    assert line["level"] == "ERROR" and "signal 9" in line["err"] and line["next_try"] != "unknown"


def without_ca(cache, authority, *flags, **options):
    """A relay whose CA does not answer."""
    return Issuing(cache, f"https://127.0.0.1:{free_port()}/dir", authority.ca, *flags, **options)


RSA_ONLY = {"1.2": {"version": ssl.TLSVersion.TLSv1_2, "ciphers": "ECDHE-RSA-AES128-GCM-SHA256"}}


def test_cache_of_the_existing_relay_is_taken_over(cache, authority):
    """Both certificates, each to whom can take it, and no file is touched; the CA is not needed."""
    write_fresh(cache)
    write(cache / f"{DOMAIN}+rsa", *make_certificate(cache, key_type="rsa"))
    put(cache / "acme_account+key", openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout"))
    put(cache / f"{DOMAIN}+token", "short-lived")
    put(cache / "tok+http-01", "short-lived")
    before = {p.name: p.read_bytes() for p in cache.iterdir()}
    with running(without_ca(cache, authority)) as relay:
        relay.wait_event("certificate_installed", 2)
        assert relay.shown() == leaf_of(cache / DOMAIN)
        assert relay.shown(version=ssl.TLSVersion.TLSv1_2) == leaf_of(cache / DOMAIN)
        assert relay.shown(**RSA_ONLY["1.2"]) == leaf_of(cache / f"{DOMAIN}+rsa")
        said = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{relay.port}", "-servername", DOMAIN, "-tls1_3",
                               "-sigalgs", "rsa_pss_rsae_sha256"], input="", capture_output=True, text=True).stdout
        assert leaf_of(cache / f"{DOMAIN}+rsa") == ssl.PEM_cert_to_DER_cert(
            said[said.index("-----BEGIN"):said.index("-----END CERTIFICATE-----")] + "-----END CERTIFICATE-----\n")
        assert not relay.events("certificate_failed")
    assert {p.name: p.read_bytes() for p in cache.iterdir() if p.name != "instance.lock"} == before


def put_foreign(file, kind, elsewhere):
    """Something that is no certificate of ours for the domain."""
    file.unlink(missing_ok=True)
    if kind == "torn":
        put(file, "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE")
    elif kind == "a link":
        write(elsewhere, *make_certificate(file.parent))
        file.symlink_to(elsewhere)
    elif kind == "of another domain":
        write(file, *make_certificate(file.parent, domain="other.example.com"))
    else:
        write(file, *make_certificate(file.parent))
        file.chmod(0o640)


@pytest.mark.parametrize("kind", ["torn", "a link", "of another domain", "open to others"])
def test_a_file_that_is_none_of_ours_is_reported_and_kept(pebble, cache, authority, tmp_path, kind):
    """While the relay runs: at its boot, the posture check refuses some of them already."""
    write_fresh(cache)
    with issuing(cache, pebble, authority) as relay:
        first = relay.shown()
        put_foreign(cache / DOMAIN, kind, tmp_path / "elsewhere")
        before = (cache / DOMAIN).read_text()
        restart_agent(relay)
        failed = relay.wait_event("certificate_failed", 2)[1]
        assert failed["kind"] == "store" and failed["err"].startswith(f"{DOMAIN}: "), failed
        relay.wait_event("certificate_installed", 2)
        assert relay.shown() not in (first, before)
    kept = cache / f"{DOMAIN}.kept-1"
    assert kept.read_text() == before and kept.is_symlink() == (kind == "a link")
    describe(cache / DOMAIN)


def test_a_torn_file_at_boot(pebble, cache, authority):
    put_foreign(cache / DOMAIN, "torn", None)
    with issuing(cache, pebble, authority) as relay:
        assert relay.wait_event("certificate_failed")[0]["kind"] == "store"
        assert relay.shown() == leaf_of(cache / DOMAIN)


def test_a_full_disk_loses_nothing(small_disk, pebble, authority):
    write_fresh(small_disk)
    put(small_disk / "acme_account+key", openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout"))
    with issuing(small_disk, pebble, authority) as relay:
        relay.wait_event("certificate_installed")
        write_due(small_disk)
        before = (small_disk / DOMAIN).read_text()
        with contextlib.suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as out:
            while out.write(b"x" * 4096):
                pass
        restart_agent(relay)
        relay.wait_event("certificate_installed", 3)  # what was there, what is due, what was issued
        [failed] = [e for e in relay.wait_event("certificate_failed", 2) if e["kind"] == "store"]
        assert "No space left" in failed["err"]
        assert relay.shown() != leaf_of(small_disk / DOMAIN), "the new one serves all the same"
        assert (small_disk / DOMAIN).read_text() == before
        assert series(relay, 'certificate_failures_total{kind="store"}') == 1


def test_a_directory_that_vanishes_loses_nothing(cache, pebble, authority):
    """No account can be kept, so no order is begun; what is served is served on."""
    write_fresh(cache)
    with issuing(cache, pebble, authority) as relay:
        first = relay.shown()
        shutil.rmtree(cache)
        restart_agent(relay)
        failed = relay.wait_event("certificate_failed", 2)[1]
        assert failed["kind"] == "store" and failed["err"].startswith("acme_account+key: cannot be written")
        assert relay.shown() == first and relay.is_healthy()


# ---- renewal, and a CA that does not answer

async def test_renewal_in_the_background_keeps_connections(pebble, cache, authority):
    write_fresh(cache)
    with issuing(cache, pebble, authority) as relay:
        first = await asyncio.to_thread(relay.shown)
        async with binary(relay) as b, phone(relay) as p:
            await asyncio.to_thread(write_due, cache)
            await asyncio.to_thread(restart_agent, relay)
            await asyncio.to_thread(relay.wait_event, "certificate_installed", 3)
            renewed = await asyncio.to_thread(relay.shown)
            assert renewed != first and renewed == leaf_of(cache / DOMAIN)
            await p.send("1")
            assert '"frame":1' in await recv(b), "who was there goes on"
        assert len(relay.events("certificate_ordering")) == 1
    describe(cache / DOMAIN)


async def test_ca_down_during_renewal(tmp_path, cache, authority):
    pebble = Pebble(tmp_path, authority)
    write_due(cache)
    before = (cache / DOMAIN).read_text()
    with issuing(cache, pebble, authority) as relay:
        failed = (await asyncio.to_thread(relay.wait_event, "certificate_failed"))[0]
        assert failed["kind"] == "network" and pebble.url in failed["err"] and failed["level"] == "ERROR"
        async with binary(relay) as b, phone(relay) as p:
            assert relay.shown() == leaf_of(cache / DOMAIN), "the old one serves on"
            with pebble:
                await asyncio.to_thread(restart_agent, relay)
                await asyncio.to_thread(relay.wait_event, "certificate_installed", 3)
            await p.send("1")
            assert '"frame":1' in await recv(b)
        assert series(relay, 'certificate_failures_total{kind="network"}') == 1
        assert (cache / DOMAIN).read_text() != before and relay.shown() == leaf_of(cache / DOMAIN)


def test_ca_down_at_boot(tmp_path, cache, authority):
    """The relay is up, its handshakes wait, fail, and succeed once the CA is there."""
    pebble = Pebble(tmp_path, authority)
    with issuing(cache, pebble, authority) as relay:
        failed = relay.wait_event("certificate_failed")[0]
        assert failed["kind"] == "network" and failed["domain"] == DOMAIN
        until(relay, 'certificate_failures_total{kind="network"}', 1)
        next_try = series(relay, "certificate_next_try_timestamp_seconds")
        assert 50 < next_try - time.time() <= 121, "a try a minute or two later"
        assert relay.get("/", port=relay.http_port).startswith(b"HTTP/1.1 404")
        with pebble:
            restart_agent(relay)
            assert relay.shown() == leaf_of(cache / DOMAIN)


def test_ca_of_another_authority_is_not_trusted(pebble, cache, tmp_path_factory):
    stranger = Authority(tmp_path_factory.mktemp("stranger"))
    with issuing(cache, pebble, stranger) as relay:
        failed = relay.wait_event("certificate_failed")[0]
        assert failed["kind"] == "untrusted"
        until(relay, 'certificate_failures_total{kind="untrusted"}', 1)
    assert not (cache / DOMAIN).exists()


def test_rejected_nonces(tmp_path, cache, authority):
    with Pebble(tmp_path, authority, PEBBLE_WFE_NONCEREJECT="50") as pebble, issuing(cache, pebble, authority) as relay:
        assert relay.shown() == leaf_of(cache / DOMAIN)
        assert not relay.events("certificate_failed")


def test_failing_validations_have_the_words_of_the_ca(tmp_path, cache, authority):
    with Pebble(tmp_path, authority, PEBBLE_VA_ALWAYS_VALID="0") as pebble, \
            issuing(cache, pebble, authority, proof=None) as relay:
        lines = relay.wait_event("certificate_failed", 2)
        assert [line["kind"] for line in lines] == ["challenge", "challenge"]
        assert f"127.0.0.1:{pebble.tls_port}" in lines[0]["err"] and "tls-alpn-01" in lines[0]["err"]
        assert "http" in lines[1]["err"]
        until(relay, 'certificate_failures_total{kind="challenge"}', 2)
        challenge = unverified()
        challenge.set_alpn_protocols(["acme-tls/1"])
        with pytest.raises(ssl.SSLError), socket.create_connection(("127.0.0.1", relay.port), PATIENCE) as s:
            challenge.wrap_socket(s, server_hostname=DOMAIN)  # at once: what was presented is withdrawn
    assert not (cache / DOMAIN).exists()


def test_the_account_is_used_again(pebble, cache, authority):
    for _ in range(2):
        with issuing(cache, pebble, authority) as relay:
            assert relay.shown()
        (cache / DOMAIN).unlink()
    assert pebble.logged("There are now 2 orders in the db")
    assert pebble.logged("There are now 1 accounts") and not pebble.logged("There are now 2 accounts")


FAKETIME = next(iter(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), "")


@pytest.mark.skipif(THREAD_SANITIZED, reason="nothing is preloaded under ThreadSanitizer")
def test_clock_moved_forward(tmp_path, cache, authority):
    """The relay and its agent under another date; production would refuse what is preloaded, this mode warns of it."""
    with Pebble(tmp_path, authority, lifetime=90 * 86400) as pebble:
        with issuing(cache, pebble, authority) as relay:
            first = relay.shown()
        for days, is_due in ((59, False), (61, True)):
            env = {"ASAN_OPTIONS": "verify_asan_link_order=0", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                   "LD_PRELOAD": FAKETIME, "FAKETIME": f"+{days}d"}
            with issuing(cache, pebble, authority, env=env) as relay:
                relay.wait_event("certificate_installed", 2 if is_due else 1)
                assert (relay.shown() != first) == is_due
                assert bool(relay.events("certificate_ordering")) == is_due
        assert leaf_of(cache / DOMAIN) != first


# ---- handshakes before the first certificate

@pytest.mark.parametrize("count, flags", [(10, []), (40, ["--threads=1"])])  # 40: not all go on in one round
def test_first_handshakes_lead_to_one_order(pebble, cache, authority, count, flags):
    with issuing(cache, pebble, authority, *flags) as relay:
        shown = [None] * count

        def ask(i):
            shown[i] = relay.shown(at_once=True)

        askers = [threading.Thread(target=ask, args=(i,)) for i in range(count)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
        assert set(shown) == {leaf_of(cache / DOMAIN)}
        assert len(relay.events("certificate_ordering")) == 1
        assert relay.happened("tls_handshake_failed") == 0
    assert pebble.logged("There are now 1 orders in the db") and not pebble.logged("There are now 2 orders")


def begin_handshake(relay):
    """A socket that has sent its ClientHello."""
    s = socket.create_connection(("127.0.0.1", relay.port), PATIENCE)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = unverified().wrap_bio(incoming, outgoing, server_hostname=DOMAIN)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    s.sendall(outgoing.read())
    return s


def end_of(s):
    """What a peer gets until the end."""
    got = b""
    with contextlib.suppress(ConnectionError):
        while chunk := s.recv(4096):
            got += chunk
    return got


def test_those_that_wait_are_bounded_and_may_leave(cache, authority):
    """By --max-handshakes, and in time; nothing is kept of one that leaves."""
    with running(without_ca(cache, authority, "--threads=1", "--max-handshakes=2")) as relay:
        relay.wait_event("certificate_failed")
        waiting = [begin_handshake(relay) for _ in range(2)]
        until(relay, 'connections{kind="handshake"}', 2)
        started = time.monotonic()
        waiting.append(begin_handshake(relay))
        assert end_of(waiting[0]) == b"", "the one that has waited longest makes room"
        waiting[1].close()
        until(relay, 'tls_handshake_failures_total{reason="closed"}', 1)
        until(relay, 'connections{kind="handshake"}', 1)
        answer = end_of(waiting[2])
        assert answer == b"\x15\x03\x03\x00\x02\x02\x50", "a fatal alert, internal_error"
        assert time.monotonic() - started >= 9
        line = relay.wait_event("tls_handshake_failed")[0]
        assert line["reason"] == "there is no certificate yet" and line["level"] == "WARN"
        assert series(relay, 'tls_handshake_failures_total{reason="no_certificate"}') == 1
        until(relay, 'connections{kind="handshake"}', 0)
        waiting.append(begin_handshake(relay))
        until(relay, 'connections{kind="handshake"}', 1)  # the drain does not wait for it
    for s in waiting:
        s.close()


# ---- processes

def test_dead_agent_is_started_anew(pebble, cache, authority):
    with issuing(cache, pebble, authority) as relay:
        shown = relay.shown()
        agent = relay.agent()
        restart_agent(relay)
        relay.wait_event("certificate_installed", 2)
        assert relay.agent() != agent
        assert relay.shown() == shown and relay.is_healthy()
        until(relay, 'certificate_failures_total{kind="died"}', 1)
        assert len(relay.events("certificate_ordering")) == 1


def test_killed_supervisor_is_said_and_survived(pebble, cache, authority):
    with issuing(cache, pebble, authority) as relay:
        shown, agent, supervisor = relay.shown(), relay.agent(), relay.supervisor()
        os.kill(supervisor, signal.SIGKILL)
        line = relay.wait_event("certificate_agent_lost")[0]
        assert line["level"] == "ERROR" and line["fix"]
        wait_until(lambda: not pathlib.Path(f"/proc/{agent}").exists())
        assert relay.shown() == shown and relay.is_healthy()
        assert series(relay, "certificate_next_try_timestamp_seconds") == 0


def test_all_end_together(pebble, cache, authority):
    with issuing(cache, pebble, authority) as relay:
        assert relay.shown()
        family = [relay.supervisor(), relay.agent()]
    assert not [pid for pid in family if pathlib.Path(f"/proc/{pid}").exists()]


def test_all_end_when_the_relay_is_killed(pebble, cache, authority):
    relay = Issuing(cache, pebble.url, authority.ca, port=pebble.tls_port).start()
    assert relay.shown()
    family = [relay.supervisor(), relay.agent()]
    relay.process.kill()
    relay.process.wait()
    wait_until(lambda: not [pid for pid in family if pathlib.Path(f"/proc/{pid}").exists()])


def memory_of(pid):
    """All of a process's writable memory."""
    found = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            span, mode = line.split()[:2]
            start, end = (int(n, 16) for n in span.split("-"))
            if "rw" not in mode or end - start > 1 << 30:  # a sanitizer's shadow is larger
                continue
            with contextlib.suppress(OSError):
                memory.seek(start)
                found.append(memory.read(end - start))
    return b"\0".join(found)


def credentials(tmp_path):
    """A service account, and the lines of its key."""
    key = openssl("genrsa", "-traditional", "2048")
    document = json.dumps({"type": "service_account", "client_email": "push@example.com", "private_key": key,
                           "private_key_id": "id-of-the-key", "token_uri": "https://127.0.0.1/token"})
    return document, key.splitlines()[1:-1]


@pytest.mark.skipif(os.geteuid() != 0, reason="reads the memory of a sealed process")
def test_who_serves_strangers_has_no_key_of_ours(pebble, cache, authority, tmp_path):
    document, lines = credentials(tmp_path)
    with issuing(cache, pebble, authority, env={"PYRYCODE_RELAY_FCM_CREDENTIALS": document}) as relay:
        assert relay.shown()
        account = openssl("pkey", "-in", cache / "acme_account+key", "-text", "-noout")
        secret = bytes.fromhex("".join(account.split("priv:")[1].split("pub:")[0].split()).replace(":", ""))
        forms = [secret, secret[::-1], (cache / "acme_account+key").read_text().splitlines()[1].encode()]
        agent, serving, supervisor = (memory_of(pid) for pid in (relay.agent(), relay.process.pid, relay.supervisor()))
        assert any(form in agent for form in forms), "it signs with it, and the test finds it"
        assert not any(form in serving for form in forms)
        for memory in (agent, serving, supervisor):
            if SANITIZED:
                break  # whose runtime keeps a copy of the environment for itself
            assert not [line for line in lines if line.encode() in memory]
            assert b"id-of-the-key" not in memory
        for pid in (relay.agent(), relay.process.pid, relay.supervisor()):
            assert b"service_account" not in pathlib.Path(f"/proc/{pid}/environ").read_bytes()


def status_of(pid):
    return dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)


def test_agent_and_supervisor_hold_no_more_than_they_need(pebble, cache, authority):
    with issuing(cache, pebble, authority) as relay:
        assert relay.shown()
        for pid in (relay.agent(), relay.supervisor()):
            status = status_of(pid)
            assert status["NoNewPrivs"] == "1"
            assert [int(status[f"Cap{kind}"], 16) for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")] == [0] * 5
            names = {p.name: os.readlink(p) for p in pathlib.Path(f"/proc/{pid}/fd").iterdir()}
            assert names.pop("4") == str(cache) and names.pop("3").startswith("socket:")
            assert pid == relay.agent() or set(names) == {"0", "1", "2"}
        line = relay.happened("agent sealed") or relay.events("agent seal incomplete")[0]["missing"]
        assert line == 1 or "sanitizers" in line


# ---- options

@pytest.mark.parametrize("flags, name", [
    (["--acme-email", "nobody"], "--acme-email"), (["--acme-email", "a@b,c@d"], "--acme-email"),
    (["--acme-directory", "http://ca.example.com/dir"], "--acme-directory"), (["--acme-directory", ""], "--acme-directory"),
    (["--acme-email", "a@b.example", "--tls-cert=x", "--tls-key=y"], "--acme-email"),
    (["--acme-directory", "https://ca.example.com/", "--tls-cert=x", "--tls-key=y"], "--acme-directory")])
def test_options_that_make_no_sense_are_refused(flags, name):
    relay = Relay(*flags, tls=True, certificate=(None, None))
    r = subprocess.run(relay.command(), env=relay.env, capture_output=True, text=True, timeout=PATIENCE)
    assert r.returncode == 2 and f"flag={name}" in r.stderr and "fix=" in r.stderr


def test_the_domain_is_written_in_small_letters(pebble, cache, authority):
    relay = Issuing(cache, pebble.url, authority.ca, port=pebble.tls_port)
    command = [word if word != DOMAIN else "Relay.EXAMPLE.com" for word in relay.command()]
    relay.command = lambda: command
    with running(relay):
        assert relay.shown()
    describe(cache / DOMAIN)
