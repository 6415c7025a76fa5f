"""The PROXY header before TLS: number 70 of the compatibility checklist, by
hand and with haproxy in front."""
import contextlib
import shutil
import socket
import ssl
import struct
import subprocess

import pytest
from conftest import DOMAIN, PATIENCE, free_port
from rules import closing, request, scrape, series, serving, until

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
HEALTH = f"GET /healthz HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n".encode()


def header(source="192.0.2.7", command=0x21, family=None, tlvs=b"", length=None):
    """A PROXY header of version 2 for a connection from that address."""
    kind = socket.AF_INET6 if ":" in source else socket.AF_INET
    target = "2001:db8::1" if kind == socket.AF_INET6 else "198.51.100.1"
    body = socket.inet_pton(kind, source) + socket.inet_pton(kind, target) + struct.pack("!HH", 40000, 443) + tlvs
    family = (0x21 if kind == socket.AF_INET6 else 0x11) if family is None else family
    return SIGNATURE + bytes([command, family]) + struct.pack("!H", len(body) if length is None else length) + body


def proxied(*flags, **options):
    """A relay that expects headers; it can be asked only through one."""
    return serving("--https-proxy-protocol", *flags, tls=True, ready=lambda relay: asked(relay, header()), **options)


def asked(relay, first, data=HEALTH, source="127.0.0.1", pieces=None):
    """The answer behind those first bytes; b"" if the connection ends."""
    with socket.create_connection(("127.0.0.1", relay.port), PATIENCE, source_address=(source, 0)) as s:
        for at in range(0, len(first), pieces or len(first) or 1):
            s.sendall(first[at:at + (pieces or len(first))])
        answer = b""
        with contextlib.suppress(ssl.SSLEOFError, ConnectionError):
            with relay.context().wrap_socket(s, server_hostname=DOMAIN) as tls:
                tls.sendall(data)
                while got := tls.recv(65536):
                    answer += got
        return answer


def raw(relay, data):
    """What comes back to those bytes, until the end."""
    with socket.create_connection(("127.0.0.1", relay.port), PATIENCE) as s:
        answer = b""
        with contextlib.suppress(OSError):
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while got := s.recv(65536):
                answer += got
        return answer


@pytest.fixture(scope="module")
def relay():
    with proxied() as r:
        yield r


def claims(relay, sid):
    return [e["remote"] for e in relay.events("server_claimed") if e["server_id"] == sid]


@pytest.mark.parametrize("source", ["192.0.2.7", "203.0.113.250", "2001:db8::7", "::ffff:192.0.2.9"])
def test_70_the_source_is_the_remote(relay, source):
    with socket.create_connection(("127.0.0.1", relay.port), PATIENCE) as s:
        s.sendall(header(source))
        with relay.context().wrap_socket(s, server_hostname=DOMAIN) as tls:
            tls.sendall(request(sid=f"of-{source}"))
            assert tls.recv(4096).startswith(b"HTTP/1.1 101")
    relay.wait_until(lambda: claims(relay, f"of-{source}"))
    assert claims(relay, f"of-{source}") == [source.removeprefix("::ffff:")]


@pytest.mark.parametrize("tlvs", [b"\x03\x00\x04abcd", b"\x20\x08\x00" + b"x" * 2048], ids=["checksum", "2 KiB"])
def test_70_tlvs_are_skipped(relay, tlvs):
    assert asked(relay, header(tlvs=tlvs)).startswith(b"HTTP/1.1 200")


def test_70_a_header_byte_by_byte(relay):
    assert asked(relay, header("2001:db8::5"), pieces=1).startswith(b"HTTP/1.1 200")


HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 506


@pytest.mark.parametrize("data, reason", [
    pytest.param(b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\n", "version_1", id="version 1"),
    pytest.param(header(command=0x20), "local", id="LOCAL"),
    pytest.param(header(family=0x00), "malformed", id="UNSPEC"),
    pytest.param(header(family=0x12), "malformed", id="UDP"),
    pytest.param(header(family=0x31), "malformed", id="UNIX"),
    pytest.param(header(command=0x31), "malformed", id="another version"),
    pytest.param(header(command=0x22), "malformed", id="unknown command"),
    pytest.param(header(length=4), "malformed", id="too short for its addresses"),
    pytest.param(header(length=65535), "malformed", id="too long"),
    pytest.param(HELLO, "absent", id="TLS without a header"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: relay.example.com\r\n\r\n", "absent", id="plain HTTP"),
    pytest.param(b"\r\n\r\n\x00\r\nQUIX\n", "absent", id="another signature"),
    pytest.param(header()[:20], "absent", id="cut"),
    pytest.param(b"", "absent", id="nothing"),
])
def test_70_anything_else_is_closed_without_a_byte(relay, data, reason):
    name = f'proxy_header_refusals_total{{reason="{reason}"}}'
    before, lines = series(relay, name), len(relay.lines)
    assert raw(relay, data) == b""
    relay.wait_until(lambda: series(relay, name) == before + 1)
    assert len(relay.lines) == lines, "no line says so"


def test_plain_http_behind_a_header_gets_no_byte_either(relay):
    assert raw(relay, header() + b"GET / HTTP/1.1\r\nHost: relay.example.com\r\n\r\n") == b""


def test_70_a_silent_peer_delays_nobody_and_is_closed_in_time(relay):
    name = 'deadline_drops_total{deadline="proxy_header"}'
    before = series(relay, name)
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(socket.create_connection(("127.0.0.1", relay.port), PATIENCE)) for _ in range(20)]
        for s in silent[10:]:
            s.sendall(header()[:14])
        assert asked(relay, header()).startswith(b"HTTP/1.1 200"), "while they are silent"
        assert series(relay, name) == before
        for s in silent:
            with contextlib.suppress(ConnectionResetError):
                assert s.recv(1) == b""
        relay.wait_until(lambda: series(relay, name) == before + 20)


def test_headers_of_trusted_proxies_alone_count():
    with serving("--https-proxy-protocol", "--trusted-proxy=127.0.0.2", tls=True,
                 ready=lambda relay: asked(relay, header(), source="127.0.0.2")) as relay:
        assert asked(relay, header(), source="127.0.0.2").startswith(b"HTTP/1.1 200")
        before = series(relay, 'proxy_header_refusals_total{reason="untrusted"}')
        assert asked(relay, header(), source="127.0.0.3") == b""
        assert series(relay, 'proxy_header_refusals_total{reason="untrusted"}') == before + 1


def test_each_source_has_its_own_bucket():
    with proxied("--upgrade-burst=2") as relay:
        for source in ("192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:0:1::1"):
            answers = [asked(relay, header(source), b"GET /v1/server HTTP/1.1\r\nHost: relay.example.com\r\n\r\n")[9:12]
                       for _ in range(3)]
            assert answers == [b"400", b"400", b"429"], source


def test_an_address_behind_a_proxy_has_its_own_places():
    with proxied("--max-pending-per-address=2") as relay:
        def waits(source):
            s = socket.create_connection(("127.0.0.1", relay.port), PATIENCE)
            s.sendall(header(source))
            return s

        with closing([waits("192.0.2.1"), waits("192.0.2.1")]):
            until(relay, 'connections{kind="handshake"}', 2)
            with waits("192.0.2.1") as third:
                with contextlib.suppress(ConnectionError):
                    assert third.recv(1) == b""
            assert scrape(relay)['budget_refusals_total{budget="address"}'] == 1
            assert asked(relay, header("192.0.2.2")).startswith(b"HTTP/1.1 200")


@pytest.fixture
def haproxy(tmp_path):
    """haproxy in front of a relay: TLS goes through it, a header before it."""
    if not shutil.which("haproxy"):
        pytest.skip("no haproxy here")
    with proxied("--upgrade-burst=2", "--trusted-proxy=127.0.0.1") as relay:
        front = free_port()
        conf = tmp_path / "haproxy.cfg"
        conf.write_text("defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n"
                        f"frontend front\n  bind 127.0.0.1:{front}\n  default_backend relay\n"
                        f"backend relay\n  server relay 127.0.0.1:{relay.port} send-proxy-v2\n")
        with subprocess.Popen(["haproxy", "-db", "-f", conf], stderr=subprocess.PIPE) as process:
            try:
                relay.wait_until(lambda: process.poll() is None and is_open(front))
                relay.through = front
                yield relay
            finally:
                process.terminate()
                process.wait(PATIENCE)


def is_open(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def through(relay, source, data):
    with socket.create_connection(("127.0.0.1", relay.through), PATIENCE, source_address=(source, 0)) as s, \
            relay.context().wrap_socket(s, server_hostname=DOMAIN) as tls:
        tls.sendall(data)
        return tls.recv(65536)


def test_haproxy_in_front(haproxy):
    """The client's address in the log and in the limits, not haproxy's."""
    for source in ("127.0.0.21", "127.0.0.22"):
        assert through(haproxy, source, request(sid=source)).startswith(b"HTTP/1.1 101")
        haproxy.wait_until(lambda: claims(haproxy, source) == [source])
        codes = [through(haproxy, source, b"GET /v1/server HTTP/1.1\r\nHost: relay.example.com\r\n\r\n")[9:12]
                 for _ in range(2)]
        assert codes == [b"400", b"429"], source
    haproxy.wait_until(lambda: {e["remote"] for e in haproxy.events("rate_limited")} == {'"127.0.0.21"', '"127.0.0.22"'})
