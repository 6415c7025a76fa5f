"""Clients whose handshake is the library's and whose records are made by hand
afterwards: RFC 8446 sections 5.2 and 7, RFC 5246 and RFC 5288."""
import hashlib
import hmac
import socket
import ssl
import struct
import tempfile

from conftest import DOMAIN, PATIENCE, RawPeer
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from rules import request

CLIENT_HELLO, KEY_UPDATE = 1, 24
ALERT, HANDSHAKE, DATA = 21, 22, 23


def expand_label(secret, label, length, digest):
    label = b"tls13 " + label
    info = struct.pack(">H", length) + bytes([len(label)]) + label + b"\0"
    out = block = b""
    while len(out) < length:
        block = hmac.new(secret, block + info + bytes([len(out) // digest().digest_size + 1]), digest).digest()
        out += block
    return out[:length]


def expand_tls12(secret, label, seed, length):
    seed = a = label + seed
    out = b""
    while len(out) < length:
        a = hmac.new(secret, a, hashlib.sha256).digest()
        out += hmac.new(secret, a + seed, hashlib.sha256).digest()
    return out[:length]


class HandMade:
    """buffer: bytes from the relay that its socket holds; the relay's own
    holds little then, too: the kernel makes that of the segments' size."""

    def __init__(self, relay, version, buffer=None):
        context = relay.context()
        context.minimum_version = context.maximum_version = version
        context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
        with tempfile.NamedTemporaryFile("r") as log:
            context.keylog_filename = log.name
            self.s = socket.socket()
            if buffer:
                self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
                self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
            self.s.settimeout(PATIENCE)
            self.s.connect(("127.0.0.1", relay.port))
            self.first = b""
            self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=DOMAIN)
            self.run(self.tls.do_handshake)
            words = [line.split() for line in log if not line.startswith("#")]
            self.secrets = {name: list(map(bytes.fromhex, values)) for name, *values in words}
        self.set_keys()

    def run(self, function, *args):
        """What the library does, and reads for it."""
        while True:
            try:
                result = function(*args)
                self.s.sendall(self.outgoing.read())
                return result
            except ssl.SSLWantReadError:
                self.s.sendall(self.outgoing.read())
                got = self.s.recv(65536)
                if not got:
                    self.incoming.write_eof()
                self.first = self.first or got
                self.incoming.write(got)

    def upgrade(self, path="/v1/server", sid="sid-1"):
        self.send(self.record(request(path, sid)))
        assert self.run(self.tls.read, 4096).startswith(b"HTTP/1.1 101")
        return self

    def send(self, records):
        self.s.sendall(records)

    def send_frame(self, opcode, payload):
        self.send(self.record(RawPeer.frame(opcode, payload)))

    def close(self):
        self.s.close()


class HandMade13(HandMade):
    def __init__(self, relay, buffer=None):
        super().__init__(relay, ssl.TLSVersion.TLSv1_3, buffer)

    def set_keys(self):
        self.secret = self.secrets["CLIENT_TRAFFIC_SECRET_0"][1]
        self.digest = hashlib.sha384 if "SHA384" in self.tls.cipher()[0] else hashlib.sha256
        self.derive()

    def derive(self):
        size = 32 if "AES_256" in self.tls.cipher()[0] else 16
        self.key = AESGCM(expand_label(self.secret, b"key", size, self.digest))
        self.iv = int.from_bytes(expand_label(self.secret, b"iv", 12, self.digest), "big")
        self.number = 0

    def record(self, data, kind=DATA, padding=0):
        inner = data + bytes([kind]) + bytes(padding)
        head = struct.pack(">BHH", DATA, 0x303, len(inner) + 16)
        sealed = self.key.encrypt((self.iv ^ self.number).to_bytes(12, "big"), inner, head)
        self.number += 1
        return head + sealed

    def key_update(self, requested=0):
        record = self.record(bytes([KEY_UPDATE, 0, 0, 1, requested]), HANDSHAKE)
        self.renew()
        return record

    def renew(self):
        self.secret = expand_label(self.secret, b"traffic upd", self.digest().digest_size, self.digest)
        self.derive()


class HandMade12(HandMade):
    def __init__(self, relay, buffer=None):
        super().__init__(relay, ssl.TLSVersion.TLSv1_2, buffer)

    def set_keys(self):
        (client_random, master), server_random = self.secrets["CLIENT_RANDOM"], self.first[11:43]
        block = expand_tls12(master, b"key expansion", server_random + client_random, 40)
        self.key, self.salt = AESGCM(block[:16]), block[32:36]
        self.number = 1  # the first sealed the Finished

    def record(self, data, kind=DATA):
        number = struct.pack(">Q", self.number)
        sealed = self.key.encrypt(self.salt + number, data, number + struct.pack(">BHH", kind, 0x303, len(data)))
        self.number += 1
        return struct.pack(">BHH", kind, 0x303, len(sealed) + 8) + number + sealed
