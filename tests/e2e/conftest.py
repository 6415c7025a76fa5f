"""What the end-to-end tests share: a relay that is started and ended, peers
that speak to it, and its log.  Everything stays on loopback."""
import asyncio
import contextlib
import functools
import json
import os
import pathlib
import re
import shlex
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time

import pytest
import websockets

TOP = pathlib.Path(__file__).resolve().parents[2]
RELAY_BIN = os.environ.get("RELAY_BIN", str(TOP / "out/bin/pyrycode-relay"))
PORTABLE_RELAY_BIN = os.environ.get("PORTABLE_RELAY_BIN", str(TOP / "build/portable/src/pyrycode-relay"))
POSTURE_BIN = os.environ.get("POSTURE_BIN", str(TOP / "out/bin/posture"))
THREAD_SANITIZED = os.path.exists(RELAY_BIN) and b"__tsan_init" in pathlib.Path(RELAY_BIN).read_bytes()
PATIENCE = 15  # seconds that nothing here may need
OVER_TLS = os.environ.get("RELAY_TLS") == "1"  # the relays of all tests serve TLS, and all peers speak it
DOMAIN = "relay.example.com"
plain_only = pytest.mark.skipif(OVER_TLS, reason="is about plain HTTP, or about bytes below TLS")


def free_port():
    """A port that nobody listens on, apart for each test process.  Two runs
    on one machine take different TEST_PORT_BASE."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    base = int(os.environ.get("TEST_PORT_BASE", "20000")) + int(worker[2:]) * 400
    while True:
        free_port.next = getattr(free_port, "next", 0) + 1
        port = base + free_port.next % 400
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


def parse_line(line):
    """One log line as a dict; raises on anything that is not logfmt."""
    fields, rest = {}, line
    pair = re.compile(r'([a-z_]+)=("(?:[^"\\]|\\.)*"|[^\s"=]*)(?: |$)')
    while rest:
        match = pair.match(rest)
        if not match:
            raise ValueError(f"not logfmt: {line!r}")
        value = match[2]
        if value.startswith('"'):
            value = value[1:-1].encode().decode("unicode_escape").encode("latin-1").decode("utf-8", "replace")
        fields[match[1]] = value
        rest = rest[match.end():]
    return fields


def clean_environment(**extra):
    keep = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS")}
    keep.setdefault("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1")
    return {**keep, **extra}


def make_certificate(directory, name=DOMAIN, key=("ec", "ec_paramgen_curve:P-256"), days=30):
    """A certificate that signs itself, and its key: two files in the directory."""
    cert, secret = directory / "cert.pem", directory / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", key[0], "-pkeyopt", key[1], "-nodes", "-keyout", secret, "-out",
                    cert, "-days", str(days), "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"],
                   check=True, capture_output=True)
    secret.chmod(0o600)
    return cert, secret


@functools.cache
def shared_certificate():
    """One for all tests of this process that do not care."""
    shared_certificate.kept = tempfile.TemporaryDirectory()
    return make_certificate(pathlib.Path(shared_certificate.kept.name))


def client_context(cert=None):
    return ssl.create_default_context(cafile=cert or shared_certificate()[0])


class Relay:
    """A running relay and its log; with tls it serves DOMAIN from files."""
    pass_fds = ()  # of ours, to leave open in it

    def __init__(self, *flags, env=None, port=None, prefix=(), metrics=False, binary=RELAY_BIN, tls=OVER_TLS,
                 certificate=None, ready=None):
        self.tls = tls
        self.cert, self.key = certificate or (shared_certificate() if tls else (None, None))
        self.http_port = free_port() if tls else None
        self.ready = ready or Relay._answers  # how it can be told that it serves
        self.binary = binary
        self.port = port or free_port()
        self.metrics_port = free_port() if metrics else None
        self.flags = list(flags)
        self.env = clean_environment(**(env or {}))
        self.prefix = list(prefix)
        self.lines = []
        self.process = None

    def command(self):
        metrics = f"127.0.0.1:{self.metrics_port}" if self.metrics_port else ""
        threads = os.environ.get("RELAY_THREADS")
        return [*self.prefix, *self.without_capabilities(), self.binary, *self.listeners(), f"--metrics-listen={metrics}", *(["--threads", threads] if threads else []), *self.generous(),
                *self.flags]

    def without_capabilities(self):
        """TLS is for the public: a relay that serves it refuses the capabilities of root."""
        return ["setpriv", "--inh-caps=-all", "--bounding-set=-all"] if self.tls and os.geteuid() == 0 else []

    def listeners(self):
        if not self.tls:
            return ["--insecure-listen", f"127.0.0.1:{self.port}"]
        return ["--domain", DOMAIN, f"--https-listen=127.0.0.1:{self.port}", f"--http-listen=127.0.0.1:{self.http_port}",
                *(["--tls-cert", str(self.cert), "--tls-key", str(self.key)] if self.cert else [])]

    def context(self):
        return client_context(self.cert)

    def connect(self, seconds=PATIENCE, source=None, buffer=None, to="127.0.0.1"):
        """A connected socket on which bytes can be exchanged, TLS beneath them or not."""
        s = socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET)
        if buffer:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        s.settimeout(seconds)
        if source:
            s.bind((source, 0))
        s.connect((to, self.port))
        return self.context().wrap_socket(s, server_hostname=DOMAIN) if self.tls else s

    def generous(self):
        """All peers of a test come from one address: no limit of it but where that is the point."""
        limits = ("--upgrade-burst", "--max-pending-per-address", "--max-connections-per-address")
        return [f"{name}=0" for name in limits if not any(f.startswith(name) for f in self.flags)]

    def start(self):
        self.process = subprocess.Popen(self.command(), env=self.env, stderr=subprocess.PIPE, text=True,
                                        stdin=subprocess.DEVNULL, pass_fds=self.pass_fds)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.wait_until(lambda: self._is_ready() or self.process.poll() is not None)
        assert self.process.poll() is None, f"did not start: {self.text()}"
        return self

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    def _is_ready(self):
        with contextlib.suppress(OSError):
            return self.ready(self)
        return False

    def _answers(self):
        with contextlib.suppress(OSError):
            return self.get("/healthz").startswith(b"HTTP/1.1 200")
        return False

    def wait_until(self, condition, seconds=PATIENCE):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"waited {seconds} s in vain; log:\n{self.text()}"
            time.sleep(0.02)

    def text(self):
        return "\n".join(self.lines)

    def events(self, msg):
        return [f for f in map(parse_line, [li for li in self.lines if li.startswith("time=")]) if f["msg"] == msg]

    def happened(self, msg):
        """How often, with the lines that a flood of them left out."""
        left_out = [int(f["suppressed"]) for f in self.events("log_suppressed") if f["event"] == msg]
        return sum(1 + int(f.get("suppressed", 0)) for f in self.events(msg)) + sum(left_out)

    def wait_event(self, msg, count=1, seconds=PATIENCE):
        self.wait_until(lambda: self.happened(msg) >= count, seconds)
        return self.events(msg)

    def exchange(self, data, port=None, seconds=PATIENCE):
        """Send raw bytes, return all that comes until the end."""
        plain = port is not None and port != self.port
        with socket.create_connection(("127.0.0.1", port), seconds) if plain else self.connect(seconds) as s:
            s.sendall(data)
            got = b""
            with contextlib.suppress(ConnectionResetError):
                while chunk := s.recv(65536):
                    got += chunk
            return got

    def get(self, path, headers="", method="GET", port=None):
        head = f"{method} {path} HTTP/1.1\r\nHost: relay.example.com\r\n{headers}\r\n"
        return self.exchange(head.encode(), port)

    def url(self, path):
        return f"wss://{DOMAIN}:{self.port}{path}" if self.tls else f"ws://127.0.0.1:{self.port}{path}"

    def websocket_options(self):
        tls = {"ssl": self.context(), "server_hostname": DOMAIN, "host": "127.0.0.1", "port": self.port}
        return tls if self.tls else {}

    def remind(self, sig):
        """ThreadSanitizer may hold a signal back that comes while a thread is made; a second one changes nothing."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        if self.process.poll() is None:
            self.process.send_signal(sig)

    def stop(self, sig=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(sig)
        try:
            if THREAD_SANITIZED:
                self.remind(sig)
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        self.reader.join(PATIENCE)
        text = self.text()
        assert "AddressSanitizer" not in text and "runtime error" not in text, text
        assert "LeakSanitizer" not in text and "ThreadSanitizer" not in text, text
        return code


def pytest_make_parametrize_id(val):
    """Names that fit a line, whatever bytes a case holds."""
    if callable(val):
        return val.__name__
    text = val if isinstance(val, str) else repr(val)
    return text if len(text) <= 40 and text.isprintable() and text.isascii() else repr(text)[:30] + "..."


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Run coroutine tests, each in a loop of its own and bounded in time."""
    if not asyncio.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    asyncio.run(asyncio.wait_for(pyfuncitem.obj(**arguments), 120))
    return True


@pytest.fixture
def relay():
    """A relay in development mode; ended, and checked for leaks, after."""
    r = Relay(metrics=True).start()
    yield r
    assert r.stop() == 0


def binary(relay, sid="sid-1", version="1.2.3", **options):
    headers = {"X-Pyrycode-Server": sid, "X-Pyrycode-Version": version}
    return websockets.connect(relay.url("/v1/server"), extra_headers=headers, compression=None,
                              max_size=None, ping_interval=None, **relay.websocket_options(), **options)


def phone(relay, sid="sid-1", device=None, token="tok-secret", **options):
    headers = {"X-Pyrycode-Server": sid, "X-Pyrycode-Token": token}
    if device is not None:
        headers["X-Pyrycode-Device-Name"] = device
    options.setdefault("ping_interval", None)
    return websockets.connect(relay.url("/v1/client"), extra_headers=headers, compression=None,
                              max_size=None, **relay.websocket_options(), **options)


async def closed(ws, seconds=PATIENCE):
    """Wait for the peer's close: its code and reason."""
    await asyncio.wait_for(ws.wait_closed(), seconds)
    return ws.close_code, ws.close_reason


async def recv(ws, seconds=PATIENCE):
    return await asyncio.wait_for(ws.recv(), seconds)


async def learn_conn_id(b, p):
    """The conn_id of a phone, from its first frame."""
    await p.send("1")
    return json.loads(await recv(b))["conn_id"]


async def silent(ws, seconds=0.3):
    """True if nothing arrives for a moment."""
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(ws.recv(), seconds)
    return True


def run_relay(*args, env=None, prefix=(), **options):
    """Run to its end; for refusals."""
    return subprocess.run([*prefix, RELAY_BIN, *args], env=clean_environment(**(env or {})), capture_output=True,
                          text=True, timeout=PATIENCE, **options)


def quoted(command):
    return " ".join(map(shlex.quote, command))


class RawPeer:
    """A peer that writes the bytes it likes, by RFC 6455 section 5.2."""

    def __init__(self, relay, path="/v1/client", sid="sid-1", buffer=None):
        self.s = relay.connect(20, buffer=buffer)
        self.s.sendall((f"GET {path} HTTP/1.1\r\nHost: relay.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                        f"User-Agent: t\r\nX-Pyrycode-Server: {sid}\r\nX-Pyrycode-Token: t\r\n"
                        "X-Pyrycode-Version: 1\r\n\r\n").encode())
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            got = self.s.recv(4096)
            assert got, "ended in the handshake"
            self.buffer += got
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        assert head.startswith(b"HTTP/1.1 101")

    @staticmethod
    def frame(opcode, payload, fin=True, mask=True, rsv=0):
        first = (0x80 if fin else 0) | rsv << 4 | opcode
        bit = 0x80 if mask else 0
        if len(payload) < 126:
            head = struct.pack("!BB", first, bit | len(payload))
        elif len(payload) < 65536:
            head = struct.pack("!BBH", first, bit | 126, len(payload))
        else:
            head = struct.pack("!BBQ", first, bit | 127, len(payload))
        if not mask:
            return head + payload
        key = os.urandom(4)
        whole = int.from_bytes((key * (len(payload) // 4 + 1))[:len(payload)], "big")
        return head + key + (int.from_bytes(payload, "big") ^ whole).to_bytes(len(payload), "big")

    def send(self, *args, **options):
        self.s.sendall(self.frame(*args, **options))

    def _need(self, n):
        while len(self.buffer) < n:
            got = self.s.recv(65536)
            if not got:
                return False
            self.buffer += got
        return True

    def recv(self):
        """The next frame as (opcode, payload), or None at the end."""
        if not self._need(2):
            return None
        length, at = self.buffer[1], 2
        assert not length & 0x80, "a server must not mask"
        if length >= 126:
            size = 2 if length == 126 else 8
            assert self._need(2 + size)
            length, at = int.from_bytes(self.buffer[2:2 + size], "big"), 2 + size
        if not self._need(at + length):
            return None
        opcode, payload = self.buffer[0] & 0xf, self.buffer[at:at + length]
        self.buffer = self.buffer[at + length:]
        return opcode, payload

    def close_code(self):
        while (got := self.recv()) is not None:
            if got[0] == 8:
                return struct.unpack("!H", got[1][:2])[0]
        return None
