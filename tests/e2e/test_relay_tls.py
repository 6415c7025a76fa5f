"""TLS as peers and operators see it: numbers 18, 23, 68 and 69 of the
compatibility checklist, certificates that change, and what goes wrong before
a request head."""
import asyncio
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import warnings

import pytest
from conftest import DOMAIN, PATIENCE, RELAY_BIN, RawPeer, Relay, binary, client_context, free_port, make_certificate, phone, recv
from rules import scrape, series, serving, until

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
HEALTH = f"GET /healthz HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n".encode()


def tls_relay(*flags, **options):
    return serving(*flags, tls=True, **options)


@pytest.fixture
def relay():
    with tls_relay() as r:
        yield r


def old_versions(context, version):
    """Let the client's side speak what the library holds to be too old."""
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context.minimum_version = version
        context.maximum_version = version
    return context


def attempt(relay, context=None, name=DOMAIN, data=HEALTH):
    """One handshake and one request: the answer, or the alert as an exception."""
    with socket.create_connection(("127.0.0.1", relay.port), PATIENCE) as s, \
            (context or relay.context()).wrap_socket(s, server_hostname=name) as tls:
        tls.sendall(data)
        answer = b""
        while got := tls.recv(65536):
            answer += got
        return answer, tls.version(), tls.cipher()[0], tls.selected_alpn_protocol()


def s_client(relay, *args, given="", name=DOMAIN):
    """What `openssl s_client` says."""
    server_name = ["-servername", name] if name else ["-noservername"]
    r = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{relay.port}", *server_name, *args],
                       input=given, capture_output=True, text=True, timeout=PATIENCE)
    return r.stdout + r.stderr


def unverified():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def failures(relay, reason):
    return series(relay, f'tls_handshake_failures_total{{reason="{reason}"}}')


def failed_once(relay, reason):
    """It is counted a moment after the peer has heard of it."""
    relay.wait_until(lambda: failures(relay, reason) >= 1)
    assert failures(relay, reason) == 1


# ---- who gets a certificate

@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_68_old_versions_are_refused(relay, version):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        attempt(relay, old_versions(unverified(), version))
    line = relay.wait_event("tls_handshake_failed")[0]
    assert line["remote"] == "127.0.0.1" and line["reason"] == "no common version" and line["err"]
    failed_once(relay, "version")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_68_new_versions_are_served(relay, version):
    context = relay.context()
    context.minimum_version = context.maximum_version = version
    answer, spoken, cipher, _ = attempt(relay, context)
    assert answer.startswith(b"HTTP/1.1 200") and spoken == {771: "TLSv1.2", 772: "TLSv1.3"}[version]
    assert "GCM" in cipher or "CHACHA20" in cipher


@pytest.mark.parametrize("name", ["", "localhost", "example.com", "relay.example.com.evil.test", "relay.example.org"])
def test_68_unknown_or_missing_names_see_no_certificate(relay, name):
    said = s_client(relay, name=name)
    assert "unrecognized name" in said and "no peer certificate available" in said and "BEGIN CERTIFICATE" not in said
    assert relay.wait_event("tls_handshake_failed")[0]["reason"] == "server name missing or not ours"
    failed_once(relay, "server_name")


def test_68_the_name_is_the_domain_whatever_its_case(relay):
    assert "BEGIN CERTIFICATE" in s_client(relay, name="ReLaY.eXample.COM")


@pytest.mark.parametrize("offered, chosen", [(["http/1.1"], "http/1.1"), (["h2", "http/1.1"], "http/1.1"), (None, None)])
def test_68_alpn(relay, offered, chosen):
    context = relay.context()
    if offered:
        context.set_alpn_protocols(offered)
    answer, _, _, spoken = attempt(relay, context)
    assert answer.startswith(b"HTTP/1.1 200") and spoken == chosen


@pytest.mark.parametrize("offered", ["h2", "acme-tls/1", "http/1.0"])
def test_68_no_common_protocol_is_said(relay, offered):
    context = relay.context()
    context.set_alpn_protocols([offered])
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        attempt(relay, context)
    failed_once(relay, "alpn")


async def test_68_a_websocket_over_alpn_http_1_1(relay):
    context = relay.context()
    context.set_alpn_protocols(["http/1.1"])
    relay.context = lambda: context
    async with binary(relay) as b, phone(relay) as p:
        await p.send('{"a":1}')
        assert '"frame":{"a":1}' in await recv(b)


AEAD = [f"ECDHE-{key}-{cipher}" for key in ("ECDSA", "RSA") for cipher in
        ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")]


@pytest.mark.parametrize("key", ["ECDSA", "RSA"])
def test_ciphers_of_1_2(tmp_path, key):
    """Forward secrecy and authenticated encryption, nothing else."""
    kind = {"ECDSA": ("ec", "ec_paramgen_curve:P-256"), "RSA": ("rsa", "rsa_keygen_bits:2048")}[key]
    with tls_relay(certificate=make_certificate(tmp_path, key=kind)) as relay:
        for cipher in AEAD:
            said = s_client(relay, "-tls1_2", "-cipher", cipher)
            assert (f"Cipher is {cipher}" in said) == (key in cipher), cipher
        for cipher in ("AES128-SHA", "AES128-GCM-SHA256", f"ECDHE-{key}-AES128-SHA", f"ECDHE-{key}-AES128-SHA256",
                       "DHE-RSA-AES128-GCM-SHA256", "PSK-AES128-GCM-SHA256", "aNULL", "NULL", "3DES"):
            said = s_client(relay, "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")
            assert "Cipher is (NONE)" in said or "no cipher match" in said, cipher
        assert failures(relay, "parameters") > 0


def test_23_another_host_is_misdirected(relay):
    for path in ("/healthz", "/readyz", "/", "/v1/server", "/nothing"):
        for host in ("other.example.com", "127.0.0.1", "relay.example.com.", "relay.example.com.evil", "[::1]:443"):
            answer, *_ = attempt(relay, data=f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            head, body = answer.split(b"\r\n\r\n", 1)
            assert head.startswith(b"HTTP/1.1 421 ") and body == b"", (path, host)
    answer, *_ = attempt(relay, data=b"GET /healthz HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 421 ")


def test_23_the_right_host_with_a_port_and_in_capitals(relay):
    for host in ("relay.example.com:443", "RELAY.example.COM", "Relay.Example.Com:12345"):
        answer, *_ = attempt(relay, data=f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 200"), host


# ---- the listener of challenges

def test_69_everything_but_a_known_challenge_is_404(relay):
    for path in ("/", "/healthz", "/metrics", "/v1/server", "/.well-known/acme-challenge/", "/.well-known/acme-challenge",
                 "/.well-known/acme-challenge/unknown"):
        answer = relay.get(path, port=relay.http_port)
        assert answer.startswith(b"HTTP/1.1 404 "), path
        assert b"Location" not in answer and answer.endswith(b"404 page not found\n")


def test_69_a_challenge_under_another_host_is_403(relay):
    for host in ("other.example.com", f"{DOMAIN}:{relay.http_port}"):
        answer = relay.exchange(f"GET /.well-known/acme-challenge/x HTTP/1.1\r\nHost: {host}\r\n\r\n".encode(),
                                relay.http_port)
        assert answer.startswith(b"HTTP/1.1 403 "), host


# ---- what is not a handshake

@pytest.mark.parametrize("line", ["GET / HTTP/1.1", "POST /v1/server HTTP/1.1", "HEAD / HTTP/1.0", "OPTIONS * HTTP/1.1"])
def test_plain_http_on_the_tls_port(relay, line):
    with socket.create_connection(("127.0.0.1", relay.port), PATIENCE) as s:
        s.sendall(f"{line}\r\nHost: {DOMAIN}\r\n\r\n".encode())
        answer = b""
        while got := s.recv(4096):
            answer += got
    assert answer.startswith(b"HTTP/1.0 400 Bad Request\r\n\r\n")
    failed_once(relay, "plain_http")


@pytest.mark.parametrize("noise", [b"\x00" * 64, b"SSH-2.0-OpenSSH_9.2\r\n", b"\x80\x2e\x01\x00\x02" + b"x" * 44,
                                   b"\x16\x03\x01\x40\x01" + b"x" * 100, b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"])
def test_noise_ends_the_connection_and_nothing_else(relay, noise):
    with socket.create_connection(("127.0.0.1", relay.port), PATIENCE) as s:
        s.sendall(noise)
        with contextlib.suppress(ConnectionError):
            while s.recv(4096):
                pass
    assert relay._answers()


def test_a_health_check_that_only_connects_is_no_event(relay):
    before = failures(relay, "closed")
    with socket.create_connection(("127.0.0.1", relay.port), PATIENCE):
        pass
    relay.wait_until(lambda: failures(relay, "closed") == before + 1)
    assert relay.events("tls_handshake_failed") == []


class Records:
    """A client whose records are made by hand: what goes to the socket is what a test says."""

    def __init__(self, relay, context=None):
        self.s = socket.create_connection(("127.0.0.1", relay.port), PATIENCE)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = (context or relay.context()).wrap_bio(self.incoming, self.outgoing, server_hostname=DOMAIN)

    def flush(self, size=None):
        data = self.outgoing.read()
        for at in range(0, len(data), size or max(1, len(data))):
            self.s.sendall(data[at:at + (size or len(data))])

    def run(self, function, *args, size=None):
        while True:
            try:
                result = function(*args)
                self.flush(size)
                return result
            except ssl.SSLWantReadError:
                self.flush(size)
                got = self.s.recv(65536)
                assert got, "ended"
                self.incoming.write(got)

    def upgrade(self, path, sid):
        self.run(self.tls.write, (f"GET {path} HTTP/1.1\r\nHost: {DOMAIN}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                                  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                  f"User-Agent: t\r\nX-Pyrycode-Server: {sid}\r\nX-Pyrycode-Token: t\r\n"
                                  "X-Pyrycode-Version: 1\r\n\r\n").encode())
        assert self.run(self.tls.read, 4096).startswith(b"HTTP/1.1 101")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_handshake_byte_by_byte(relay, version):
    context = relay.context()
    context.minimum_version = context.maximum_version = version
    peer = Records(relay, context)
    peer.run(peer.tls.do_handshake, size=1)
    peer.run(peer.tls.write, HEALTH, size=1)
    assert peer.run(peer.tls.read, 4096).startswith(b"HTTP/1.1 200")
    peer.s.close()


async def test_records_of_one_byte(relay):
    async with binary(relay) as b:
        peer = Records(relay)
        await asyncio.to_thread(peer.run, peer.tls.do_handshake)
        await asyncio.to_thread(peer.upgrade, "/v1/client", "sid-1")
        for byte in RawPeer.frame(1, b'{"a":"' + b"x" * 200 + b'"}'):
            peer.tls.write(bytes([byte]))
        peer.flush()
        assert f'"frame":{{"a":"{"x" * 200}"}}' in await recv(b)
        peer.s.close()


async def test_many_records_at_once_do_not_stall(relay):
    """More than the library reads at a time, the last byte of it long sent: nothing waits for another byte."""
    async with binary(relay) as b:
        peer = Records(relay)
        await asyncio.to_thread(peer.run, peer.tls.do_handshake)
        await asyncio.to_thread(peer.upgrade, "/v1/client", "sid-1")
        for n in range(3000):
            peer.tls.write(RawPeer.frame(1, b"%d" % n))
        await asyncio.to_thread(peer.flush)
        for n in range(3000):
            assert (await recv(b)).endswith(f'"frame":{n}}}')
        peer.s.close()


def test_the_request_in_the_segment_of_the_finished(relay):
    """TLS 1.3: the client may send its request right behind its last handshake message."""
    peer = Records(relay)
    with pytest.raises(ssl.SSLWantReadError):
        peer.tls.do_handshake()
    peer.flush()
    while True:
        peer.incoming.write(peer.s.recv(65536))
        with contextlib.suppress(ssl.SSLWantReadError):
            peer.tls.do_handshake()
            break
    peer.tls.write(HEALTH)
    peer.flush()
    assert peer.run(peer.tls.read, 4096).startswith(b"HTTP/1.1 200")
    peer.s.close()


async def test_the_largest_messages_both_ways(relay):
    async with binary(relay) as b, phone(relay) as p:
        payload = '"' + "x" * (262144 - 2) + '"'
        await p.send(payload)
        conn_id = re.match(r'{"conn_id":"([^"]*)"', got := await recv(b))[1]
        assert got.endswith(payload + "}")
        envelope = f'{{"conn_id":"{conn_id}","frame":'
        payload = '"' + "y" * (262144 - len(envelope) - 3) + '"'
        await b.send(f"{envelope}{payload}}}")
        assert await recv(p) == payload


# ---- ends

def test_every_answer_ends_with_close_notify(relay):
    with socket.create_connection(("127.0.0.1", relay.port), PATIENCE) as s, \
            relay.context().wrap_socket(s, server_hostname=DOMAIN, suppress_ragged_eofs=False) as tls:
        tls.sendall(HEALTH)
        answer = b""
        while got := tls.recv(65536):  # an end without close_notify would raise
            answer += got
    assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("end", ["close_notify", "FIN", "RST"])
async def test_a_phone_that_ends_is_told_to_its_binary(relay, end):
    async with binary(relay) as b:
        peer = Records(relay)
        await asyncio.to_thread(peer.run, peer.tls.do_handshake)
        await asyncio.to_thread(peer.upgrade, "/v1/client", "sid-1")
        if end == "close_notify":
            with contextlib.suppress(ssl.SSLWantReadError):
                peer.tls.unwrap()
            peer.flush()
        elif end == "FIN":
            peer.s.shutdown(socket.SHUT_WR)
        else:
            peer.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            peer.s.close()
        assert '"close_code":1001' in await recv(b)
        peer.s.close()


async def test_a_broken_record_costs_its_sender_alone(relay):
    async with binary(relay) as b, phone(relay) as p:
        peer = Records(relay)
        await asyncio.to_thread(peer.run, peer.tls.do_handshake)
        await asyncio.to_thread(peer.upgrade, "/v1/client", "sid-1")
        peer.tls.write(RawPeer.frame(1, b"1"))
        record = bytearray(peer.outgoing.read())
        record[-1] ^= 1
        peer.s.sendall(record)
        assert '"close_code":1001' in await recv(b)
        await p.send("2")
        assert '"frame":2' in await recv(b)
        peer.s.close()


def test_renegotiation_is_refused(relay):
    said = s_client(relay, "-tls1_2", given="R\n")
    assert "RENEGOTIATING" in said and "no renegotiation" in said
    assert relay._answers()


# Of a certificate that signs itself, whoever serves it.
OF_THE_CERTIFICATE = {"cert_revocation", "cert_trust"}


@pytest.mark.skipif(not shutil.which("testssl"), reason="no testssl here")
def test_testssl_finds_nothing_of_medium_severity_or_above(tmp_path):
    verdicts = pathlib.Path(os.environ.get("BUILD_DIR", tmp_path)) / "testssl.json"
    verdicts.unlink(missing_ok=True)
    with tls_relay(certificate=make_certificate(tmp_path, days=90)) as relay:
        subprocess.run(["timeout", "180", "testssl", "--quiet", "--warnings", "off", "--openssl-timeout", "5", "--sneaky",
                        "--ip", "127.0.0.1", "--add-ca", relay.cert, "--jsonfile", verdicts.resolve(), "-p", "-S", "-P", "-E",
                        "-U", "-s", "-f", f"{DOMAIN}:{relay.port}"], capture_output=True, cwd=tmp_path)
    found = json.loads(verdicts.read_text())
    assert len(found) > 60, "it went to the end"
    bad = {f["id"]: f["finding"] for f in found if f["severity"] in ("MEDIUM", "HIGH", "CRITICAL", "FATAL")}
    assert set(bad) <= OF_THE_CERTIFICATE, bad
    offered = {f["id"]: f["finding"] for f in found}
    assert offered["TLS1"] == offered["TLS1_1"] == offered["SSLv3"] == "not offered"
    assert offered["TLS1_3"].startswith("offered") and offered["cipher_order"] == "server"


# ---- resumption

@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_sessions_are_resumed(relay, version):
    context = relay.context()
    context.minimum_version = context.maximum_version = {"1.2": ssl.TLSVersion.TLSv1_2,
                                                         "1.3": ssl.TLSVersion.TLSv1_3}[version]
    session, reused = None, []
    for _ in range(6):  # on whichever worker
        with socket.create_connection(("127.0.0.1", relay.port), PATIENCE) as s, \
                context.wrap_socket(s, server_hostname=DOMAIN, session=session) as tls:
            tls.sendall(HEALTH)
            while tls.recv(65536):
                pass
            session = tls.session
            reused.append(tls.session_reused)
    assert reused == [False, True, True, True, True, True]
    kinds = scrape(relay)
    of = 'tls_handshakes_total{version="%s",kind="%s"}'
    assert kinds[of % (version, "resumed")] == 5 and kinds[of % (version, "full")] >= 1


def test_a_ticket_of_another_boot_costs_a_full_handshake(relay):
    context = relay.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with tls_relay(certificate=(relay.cert, relay.key)) as other:
        with socket.create_connection(("127.0.0.1", other.port), PATIENCE) as s, \
                context.wrap_socket(s, server_hostname=DOMAIN) as tls:
            session = tls.session
    with socket.create_connection(("127.0.0.1", relay.port), PATIENCE) as s, \
            context.wrap_socket(s, server_hostname=DOMAIN, session=session) as tls:
        assert not tls.session_reused


# ---- certificates

def shown(relay, cafile=None):
    """The certificate that a new handshake sees."""
    with socket.create_connection(("127.0.0.1", relay.port), PATIENCE) as s, \
            client_context(cafile or relay.cert).wrap_socket(s, server_hostname=DOMAIN) as tls:
        return tls.getpeercert(binary_form=True)


def replace_files(to, made):
    """As a careful operator does: the key, then the chain, each by rename."""
    for new, old in ((made[1], to[1]), (made[0], to[0])):
        os.rename(new, old)


async def test_a_new_certificate_and_the_connections_that_are_there(tmp_path):
    (tmp_path / "new").mkdir()
    pair = make_certificate(tmp_path)
    with tls_relay(certificate=pair) as relay:
        async with binary(relay) as b, phone(relay) as p:
            first = shown(relay)
            replace_files(pair, make_certificate(tmp_path / "new"))
            await asyncio.to_thread(relay.wait_event, "certificate_installed", 2)
            assert shown(relay) != first, "new handshakes see the new one"
            await p.send("1")
            assert '"frame":1' in await recv(b), "old connections go on"
        assert series(relay, 'tls_certificates_total{result="installed"}') == 2


@pytest.mark.parametrize("broken", ["cut", "other key", "other domain", "gone", "garbage", "key with a passphrase"])
def test_a_broken_new_file_is_an_error_and_the_old_one_stays(tmp_path, broken):
    pair = make_certificate(tmp_path)
    (tmp_path / "new").mkdir()
    with tls_relay(certificate=pair) as relay:
        first = shown(relay)
        event = "certificate_refused"
        if broken == "cut":
            pair[0].write_text(pair[0].read_text()[:300])
        elif broken == "other key":
            os.rename(make_certificate(tmp_path / "new")[1], pair[1])
        elif broken == "other domain":
            trusted = pair[0].read_bytes()
            replace_files(pair, make_certificate(tmp_path / "new", name="other.example.com"))
            (tmp_path / "trusted.pem").write_bytes(trusted)
        elif broken == "gone":
            pair[1].unlink()
            event = "certificate_unreadable"
        elif broken == "garbage":
            pair[1].write_text("no key\n")
        else:
            subprocess.run(["openssl", "ec", "-aes256", "-passout", "pass:x", "-in", pair[1], "-out", pair[1]], check=True,
                           capture_output=True)
        line = relay.wait_event(event)[0]
        assert line["level"] == "ERROR" and line["err"]
        relay.context = unverified
        with socket.create_connection(("127.0.0.1", relay.port), PATIENCE) as s, \
                unverified().wrap_socket(s, server_hostname=DOMAIN) as tls:
            assert tls.getpeercert(binary_form=True) == first


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o620, 0o700], ids=oct)
def test_a_new_key_that_others_may_read_is_refused(tmp_path, mode):
    """By the rule of the key that was there at boot; once its mode is right it is served."""
    pair = make_certificate(tmp_path)
    (tmp_path / "new").mkdir()
    with tls_relay(certificate=pair) as relay:
        new = make_certificate(tmp_path / "new")
        new[1].chmod(mode)
        replace_files(pair, new)
        line = relay.wait_event("certificate_unreadable")[0]
        assert line["level"] == "ERROR" and line["path"] == str(pair[1]) and "chmod 0600" in line["fix"]
        assert relay.happened("certificate_installed") == 1
        pair[1].chmod(0o600)
        relay.wait_event("certificate_installed", 2)


def test_a_new_file_that_cannot_be_read_for_a_while(tmp_path):
    """Out of descriptors: it is tried again, although it does not change any more."""
    pair = make_certificate(tmp_path)
    (tmp_path / "new").mkdir()
    with tls_relay(certificate=pair) as relay:
        subprocess.run(["prlimit", "--pid", str(relay.process.pid), "--nofile=5:"], check=True)
        replace_files(pair, make_certificate(tmp_path / "new"))
        relay.wait_event("certificate_unreadable", 2)
        assert relay.happened("certificate_installed") == 1
        subprocess.run(["prlimit", "--pid", str(relay.process.pid), "--nofile=1024:"], check=True)
        relay.wait_event("certificate_installed", 2)


def test_a_broken_file_at_boot_ends_it(tmp_path):
    pair = make_certificate(tmp_path)
    pair[0].write_text("nothing\n")
    relay = Relay(tls=True, certificate=pair)
    r = subprocess.run(relay.command(), env=relay.env, capture_output=True, text=True, timeout=PATIENCE)
    assert r.returncode == 1 and "certificate_refused" in r.stderr and "fix=" in r.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="a file of somebody else")
def test_a_key_that_others_may_read_is_judged(tmp_path):
    pair = make_certificate(tmp_path)
    pair[1].chmod(0o644)
    relay = Relay(tls=True, certificate=pair, env={"PYRYCODE_RELAY_PRODUCTION": "1"})
    r = subprocess.run(relay.command(), env=relay.env, capture_output=True, text=True, timeout=PATIENCE)
    assert r.returncode == 2 and "check=key-files" in r.stderr and "chmod" in r.stderr


@pytest.mark.parametrize("flags", [["--tls-cert=x"], ["--tls-key=x"]])
def test_one_of_the_two_files_is_refused(flags, tmp_path):
    relay = Relay(*flags, tls=True, certificate=(None, None))
    r = subprocess.run(relay.command(), env=relay.env, capture_output=True, text=True, timeout=PATIENCE)
    assert r.returncode == 2 and "invalid --tls-cert or --tls-key" in r.stderr


@pytest.mark.parametrize("domain", ["relay", "a..b", ".relay.example.com", "relay.example.com.", "../etc/x.y", "-a.example.com",
                                    "relay.example.com:443", "bücher.example", "a" * 64 + ".example.com", ""])
def test_a_domain_that_can_have_no_certificate_is_refused(domain):
    relay = Relay(tls=True)
    command = [word if word != DOMAIN else domain for word in relay.command()]
    r = subprocess.run(command, env=relay.env, capture_output=True, text=True, timeout=PATIENCE)
    assert r.returncode == 2 and "--domain" in r.stderr


def cache_relay(cache, *flags):
    """One that may have no certificate, and then cannot be asked over TLS; nobody is there to order one from."""
    nobody = f"--acme-directory=https://127.0.0.1:{free_port()}/dir"
    return Relay("--cert-cache", str(cache), nobody, *flags, metrics=True, tls=True, certificate=(None, None),
                 ready=lambda relay: relay.events("starting metrics listener"))


def test_18_without_a_certificate_handshakes_fail_and_say_so(tmp_path):
    cache = tmp_path / "made" / "certs"
    relay = cache_relay(cache).start()
    try:
        assert cache.stat().st_mode & 0o7777 == 0o700
        assert [e["level"] for e in relay.wait_event("no certificate yet: TLS handshakes wait for one")] == ["WARN"]
        said = s_client(relay)
        assert "internal error" in said and "no peer certificate available" in said
        line = relay.wait_event("tls_handshake_failed")[0]
        assert line["level"] == "WARN" and line["reason"] == "there is no certificate yet"
        failed_once(relay, "no_certificate")
        assert series(relay, "tls_certificate_expiry_timestamp_seconds") == 0
        assert relay.get("/", port=relay.http_port).startswith(b"HTTP/1.1 404")
    finally:
        assert relay.stop() == 0


def test_18_a_loose_directory_is_refused_with_the_command(tmp_path):
    cache = tmp_path / "certs"
    cache.mkdir(mode=0o755)
    relay = cache_relay(cache)
    r = subprocess.run(relay.command(), env=relay.env, capture_output=True, text=True, timeout=PATIENCE)
    assert r.returncode == 2 and "check=cert-cache" in r.stderr and "chmod 0700" in r.stderr
    assert cache.stat().st_mode & 0o7777 == 0o755, "it is never changed"


def fill_cache(tmp_path, mode=0o600):
    """The layout of the relay that this one replaces: key, then chain, in a file named by the domain."""
    cache = tmp_path / "certs"
    cache.mkdir(mode=0o700)
    cert, key = make_certificate(tmp_path)
    (cache / DOMAIN).write_text(key.read_text() + cert.read_text())
    (cache / DOMAIN).chmod(mode)
    return cache, cert


def test_18_the_cached_certificate_is_served_at_once(tmp_path):
    cache, cert = fill_cache(tmp_path)
    relay = cache_relay(cache).start()
    try:
        assert shown(relay, cert) == ssl.PEM_cert_to_DER_cert(cert.read_text())
        assert series(relay, "tls_certificate_expiry_timestamp_seconds") > 1.7e9
    finally:
        assert relay.stop() == 0


def test_18_a_cached_certificate_that_others_may_read_is_not_used(tmp_path):
    cache, _ = fill_cache(tmp_path, 0o644)
    relay = cache_relay(cache)
    r = None
    try:
        relay.start()
    except AssertionError:
        r = relay.process.wait(PATIENCE)  # or the posture check refuses it first
    assert r == 2 or relay.events("certificate_unreadable")
    relay.stop()


@pytest.fixture
def home_of_65532():
    """A directory of that user, and the program where only root can replace it."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as work, tempfile.TemporaryDirectory(dir="/var/tmp") as programs:
        os.chmod(programs, 0o755)
        program = shutil.copy(RELAY_BIN, programs)
        os.chmod(program, 0o755)
        yield pathlib.Path(work), program


@pytest.mark.skipif(os.geteuid() != 0, reason="changes user")
def test_production_boots_clean_as_the_user_of_the_image(home_of_65532):
    """uid 65532, high ports, a directory of its own: nothing is refused."""
    work, program = home_of_65532
    cache, cert = fill_cache(work)
    for path in (work, cache, cache / DOMAIN):
        shutil.chown(path, 65532, 65532)
    relay = cache_relay(cache)
    relay.binary = program
    relay.env["PYRYCODE_RELAY_PRODUCTION"] = "1"
    relay.prefix = ["prlimit", "--core=0", "setpriv", "--reuid=65532", "--regid=65532", "--clear-groups"]
    relay.start()
    assert shown(relay, cert)
    assert relay.stop() == 0
    assert [line for line in relay.lines if "level=ERROR" in line] == []


# ---- budgets and deadlines

def is_over(s):
    s.setblocking(False)
    try:
        return s.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def test_who_has_waited_longest_in_the_handshake_makes_room():
    with tls_relay("--threads=1", "--max-handshakes=8") as relay:
        until(relay, 'connections{kind="handshake"}', 0)
        waiting = [socket.create_connection(("127.0.0.1", relay.port), PATIENCE) for _ in range(8)]
        until(relay, 'connections{kind="handshake"}', 8)
        assert not any(map(is_over, waiting))
        assert relay._answers(), "a quick newcomer gets in"
        relay.wait_until(lambda: is_over(waiting[0]))
        assert [is_over(s) for s in waiting] == [True] + [False] * 7
        assert series(relay, 'budget_refusals_total{budget="handshakes"}') == 1
        assert series(relay, 'budget_refusals_total{budget="pre_upgrade"}') == 0
        for s in waiting:
            s.close()


def test_one_that_waits_on_another_worker_makes_room():
    with tls_relay("--threads=2", "--max-handshakes=1") as relay:
        until(relay, 'connections{kind="handshake"}', 0)
        waiting = [socket.create_connection(("127.0.0.1", relay.port), PATIENCE) for _ in range(12)]
        relay.wait_until(lambda: sum(map(is_over, waiting)) >= 11)
        assert relay._answers()
        for s in waiting:
            s.close()


@pytest.mark.parametrize("start", [b"", b"\x16\x03\x01\x02\x00\x01"], ids=["nothing", "half a hello"])
def test_a_slow_handshake_is_dropped(relay, start):
    with socket.create_connection(("127.0.0.1", relay.port), PATIENCE) as s:
        s.sendall(start)
        with contextlib.suppress(ConnectionResetError):
            assert s.recv(1) == b""
        until(relay, 'deadline_drops_total{deadline="tls"}', 1)


def test_a_drain_does_not_wait_for_handshakes():
    with tls_relay() as relay:
        waiting = socket.create_connection(("127.0.0.1", relay.port), PATIENCE)
        until(relay, 'connections{kind="handshake"}', 1)
        relay.process.terminate()
        relay.wait_event("shutdown complete", seconds=4)
        waiting.close()
