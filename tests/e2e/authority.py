"""What the tests of certificates share: pebble, a strict ACME server, what
certifies it, and files of the directory as another relay has written them."""
import contextlib
import json
import os
import pathlib
import socket
import subprocess
import time

import pytest

from conftest import DOMAIN, clean_environment, free_port

PATIENCE = 30  # seconds that nothing here may need


def openssl(*args, text=None):
    return subprocess.run(["openssl", *map(str, args)], input=text, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """What the CA's own HTTPS is certified by, and its certificate."""
    return Authority(tmp_path_factory.mktemp("authority"))


class Authority:
    def __init__(self, folder):
        self.ca = folder / "ca.pem"
        self.cert, self.key = folder / "cert.pem", folder / "key.pem"
        ca_key, request, names = folder / "ca.key", folder / "request.pem", folder / "names"
        new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        openssl("req", "-x509", *new_key, "-keyout", ca_key, "-out", self.ca, "-days", "3650", "-subj", "/CN=test CA")
        openssl("req", *new_key, "-keyout", self.key, "-out", request, "-subj", "/CN=localhost")
        names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", ca_key, "-days", "3650", "-out", self.cert,
                "-extfile", names)


def wait_for_port(port, process):
    """Until somebody accepts there; the process must live."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, "ended before it listened"
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.connect(("127.0.0.1", port))
            return
        time.sleep(0.02)
    raise TimeoutError(f"nobody listens on port {port}")


def wait_for_dns(port):
    """Until a question for an address is answered."""
    question = (b"\x12\x34\1\0\0\1\0\0\0\0\0\0" + b"".join(
        bytes([len(label)]) + label.encode() for label in DOMAIN.split(".")) + b"\0\0\1\0\1")
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
            probe.settimeout(0.2)
            probe.connect(("127.0.0.1", port))
            probe.send(question)
            assert probe.recv(512)[:2] == question[:2]
            return
        time.sleep(0.02)
    raise TimeoutError(f"no DNS server on port {port}")


class Pebble:
    """pebble and the DNS server that it asks, which answers 127.0.0.1."""

    def __init__(self, folder, authority, port=None, lifetime=None, **env):
        self.port = port or free_port()
        self.http_port, self.tls_port = free_port(), free_port()
        self.dns_port, self.manage_port = free_port(), free_port()
        self.url = f"https://localhost:{self.port}/dir"  # a name, so that one is resolved
        self.log = folder / f"pebble-{self.port}.log"
        config = {"listenAddress": f"127.0.0.1:{self.port}", "managementListenAddress": "",
                  "certificate": str(authority.cert), "privateKey": str(authority.key),
                  "httpPort": self.http_port, "tlsPort": self.tls_port,
                  "ocspResponderURL": "", "externalAccountBindingRequired": False}
        if lifetime:
            config["certificateValidityPeriod"] = lifetime
        self.config = folder / f"pebble-{self.port}.json"
        self.config.write_text(json.dumps({"pebble": config}))
        self.env = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0", **env}
        self.processes = []

    def __enter__(self):
        out = self.log.open("a")
        env = clean_environment(**self.env)
        self.processes = [subprocess.Popen(command, stdout=out, stderr=out, env=env) for command in (
            ["pebble-challtestsrv", "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-http01", "", "-https01", "",
             "-tlsalpn01", "", "-dns01", f"127.0.0.1:{self.dns_port}", "-management",
             f"127.0.0.1:{self.manage_port}"],
            ["pebble", "-strict", "-config", self.config, "-dnsserver", f"127.0.0.1:{self.dns_port}"])]
        wait_for_dns(self.dns_port)
        wait_for_port(self.port, self.processes[1])
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()

    def logged(self, text):
        return text in self.log.read_text()


def describe(path, domain=DOMAIN):
    """Subject, key match and modes of a file of the directory."""
    text = path.read_text()
    assert text.startswith("-----BEGIN EC PRIVATE KEY-----\n")
    assert path.stat().st_mode & 0o777 == 0o600
    key = openssl("pkey", "-pubout", text=text)
    chain = text[text.index("-----BEGIN CERTIFICATE-----"):]
    assert chain.count("-----BEGIN CERTIFICATE-----") >= 2
    assert openssl("x509", "-pubkey", "-noout", text=chain) == key
    assert f"DNS:{domain}" in openssl("x509", "-noout", "-ext", "subjectAltName", text=chain)
    return text


def make_certificate(cache, days=90, key_type="ec", issuer=None, domain=DOMAIN, age=0):
    """A certificate as the existing relay has written it, age days ago: its key, its chain."""
    key, request, cert, names = (cache.parent / n for n in ("k.pem", "r.pem", "c.pem", "names"))
    issuer = issuer or Issuer(cache.parent)
    new_key = {"ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
               "rsa": ["-newkey", "rsa:2048"]}[key_type]
    openssl("req", *new_key, "-nodes", "-keyout", key, "-out", request, "-subj", "/")
    names.write_text(f"subjectAltName=DNS:{domain}\nauthorityKeyIdentifier=keyid\n")
    sign = ["openssl", "x509", "-req", "-in", request, "-CA", issuer.cert, "-CAkey", issuer.key, "-days", days, "-out", cert,
            "-extfile", names]
    past = ["faketime", "-f", f"-{age}d"] if age else []
    subprocess.run([str(word) for word in (*past, *sign)], check=True, capture_output=True)
    return key, cert.read_text() + issuer.cert.read_text()


class Issuer:
    def __init__(self, folder):
        self.cert, self.key = folder / "issuer.pem", folder / "issuer.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.key,
                "-out", self.cert, "-days", "3650", "-subj", "/CN=issuer")


def put(path, text):
    path.write_text(text)
    path.chmod(0o600)


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def children(pid):
    return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture
def cache(tmp_path):
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def pebble(tmp_path, authority):
    with Pebble(tmp_path, authority) as running:
        yield running


@pytest.fixture
def small_disk(cache):
    """The directory on a file system of its own, of 64 KiB."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", cache]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting needs root")
    yield cache
    subprocess.run(["umount", "-l", cache], check=True)
