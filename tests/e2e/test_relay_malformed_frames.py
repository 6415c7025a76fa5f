"""Frames that are wrong, a row each, with the exact answer, from phones and
from binaries; a few that are right stand beside them, so that the edges are
where they should be.

An answer is the close code that the relay sends, after which it ends the
connection; an Echo of the peer's own code, when its close is as it should be;
or OPEN: the peer may go on.  The binary of a phone that was closed is told:
1001, or the code of the phone's own close."""
import contextlib
import json
import os
import struct

import pytest
from conftest import RawPeer
from hostile import PoliteRawPeer, beside, hostile_relay


class Echo(int):
    """The code of the peer's own close frame."""


OPEN = "open"
BOTH = ("client", "server")
PHONE = ("client",)
BINARY = ("server",)
LIMIT = 262144
MASK = b"\1\2\3\4"


def frame(opcode, payload=b"", **options):
    return RawPeer.frame(opcode, payload, **options)


def header(first, length, size=0, mask=True):
    """A frame's header alone, its length written in size more bytes."""
    bit = 0x80 if mask else 0
    if size == 0:
        return bytes([first, bit | length]) + (MASK if mask else b"")
    return bytes([first, bit | {2: 126, 8: 127}[size]]) + length.to_bytes(size, "big") + (MASK if mask else b"")


def close(code, reason=b""):
    return frame(8, struct.pack("!H", code) + reason)


def fragments(*payloads, opcode=1):
    last = len(payloads) - 1
    return b"".join(frame(0 if i else opcode, p, fin=i == last) for i, p in enumerate(payloads))


def text(payload):
    return frame(1, b'"' + payload + b'"')


def filled(total):
    """A JSON string of that many bytes."""
    return b'"' + b"a" * (total - 2) + b'"'


FIN_TEXT, FIN_BINARY, FIN_CONT = 0x81, 0x82, 0x80

FRAMES = [
    # ---- reserved bits ----
    *[(f"rsv-{bits}-{name}", BOTH, 1002, frame(opcode, payload, rsv=bits))
      for bits in (1, 2, 4, 7) for name, opcode, payload in (("text", 1, b"1"), ("ping", 9, b""))],
    ("rsv-4-close", BOTH, 1002, frame(8, b"\x03\xe8", rsv=4)),
    ("rsv-1-continuation", BOTH, 1002, frame(1, b"1", fin=False) + frame(0, b"", rsv=1)),
    # ---- reserved opcodes ----
    *[(f"opcode-{opcode}", BOTH, 1002, frame(opcode, b"1")) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)],
    ("opcode-3-not-last", BOTH, 1002, frame(3, b"1", fin=False)),
    ("opcode-15-inside-a-message", BOTH, 1002, frame(1, b"1", fin=False) + frame(15)),
    # ---- masks ----
    ("mask-none-text", BOTH, 1002, frame(1, b"1", mask=False)),
    ("mask-none-empty", BOTH, 1002, frame(1, b"", mask=False)),
    ("mask-none-ping", BOTH, 1002, frame(9, b"1", mask=False)),
    ("mask-none-close", BOTH, 1002, frame(8, b"\x03\xe8", mask=False)),
    ("mask-none-second-fragment", BOTH, 1002, frame(1, b"1", fin=False) + frame(0, b"", mask=False)),
    ("mask-none-16-bit-length", BOTH, 1002, frame(1, b"1" * 200, mask=False)),
    ("mask-of-zeros", PHONE, OPEN, b"\x81\x81\0\0\0\x001"),
    # ---- control frames ----
    ("control-ping-not-last", BOTH, 1002, frame(9, b"", fin=False)),
    ("control-pong-not-last", BOTH, 1002, frame(10, b"", fin=False)),
    ("control-close-not-last", BOTH, 1002, frame(8, b"", fin=False)),
    ("control-ping-126-bytes", BOTH, 1002, frame(9, b"p" * 126)),
    ("control-pong-126-bytes", BOTH, 1002, frame(10, b"p" * 126)),
    ("control-close-126-bytes", BOTH, 1002, frame(8, b"\x03\xe8" + b"p" * 124)),
    ("control-ping-64-bit-length", BOTH, 1002, header(0x89, 1, 8)),
    ("control-ping-16-bit-length", BOTH, 1002, header(0x89, 1, 2)),
    ("control-ping-announces-4-gib", BOTH, 1002, header(0x89, 1 << 32, 8)),
    ("control-ping-125-bytes", BOTH, OPEN, frame(9, b"p" * 125)),
    ("control-pong-nobody-asked", BOTH, OPEN, frame(10, b"p" * 125)),
    ("control-ping-inside-a-message", PHONE, OPEN, frame(1, b"[", fin=False) + frame(9, b"p") + frame(0, b"]")),
    # ---- lengths ----
    ("length-16-bit-for-0", BOTH, 1002, header(FIN_TEXT, 0, 2)),
    ("length-16-bit-for-125", BOTH, 1002, header(FIN_TEXT, 125, 2)),
    ("length-64-bit-for-0", BOTH, 1002, header(FIN_TEXT, 0, 8)),
    ("length-64-bit-for-125", BOTH, 1002, header(FIN_TEXT, 125, 8)),
    ("length-64-bit-for-126", BOTH, 1002, header(FIN_TEXT, 126, 8)),
    ("length-64-bit-for-65535", BOTH, 1002, header(FIN_TEXT, 65535, 8)),
    ("length-top-bit", BOTH, 1002, header(FIN_TEXT, 1 << 63, 8)),
    ("length-all-bits", BOTH, 1002, header(FIN_TEXT, (1 << 64) - 1, 8)),
    ("length-top-bit-and-one", BOTH, 1002, header(FIN_BINARY, (1 << 63) + 1, 8)),
    ("length-largest", BOTH, 1009, header(FIN_TEXT, (1 << 63) - 1, 8)),
    ("length-wraps-with-its-header", BOTH, 1009, header(FIN_TEXT, (1 << 63) - 14, 8)),
    ("length-4-gib", BOTH, 1009, header(FIN_TEXT, 1 << 32, 8)),
    ("length-4-gib-and-1", BOTH, 1009, header(FIN_TEXT, (1 << 32) + 1, 8)),
    ("length-one-more", BOTH, 1009, header(FIN_TEXT, LIMIT + 1, 8)),
    ("length-one-more-binary", BOTH, 1009, header(FIN_BINARY, LIMIT + 1, 8)),
    ("length-16-bit-for-126", PHONE, OPEN, frame(1, filled(126))),
    ("length-64-bit-for-65536", PHONE, OPEN, frame(1, filled(65536))),
    ("length-at-the-limit", PHONE, OPEN, frame(1, filled(LIMIT))),
    # ---- sequence ----
    ("sequence-continuation-first", BOTH, 1002, frame(0, b"1")),
    ("sequence-continuation-first-not-last", BOTH, 1002, frame(0, b"1", fin=False)),
    ("sequence-continuation-after-a-message", BOTH, 1002, frame(1, b"{}") + frame(0, b"1")),
    ("sequence-continuation-after-fragments", BOTH, 1002, fragments(b"{", b"}") + frame(0, b"")),
    ("sequence-text-inside-text", BOTH, 1002, frame(1, b"[", fin=False) + frame(1, b"]")),
    ("sequence-binary-inside-text", BOTH, 1002, frame(1, b"[", fin=False) + frame(2, b"]")),
    ("sequence-text-inside-binary", BOTH, 1002, frame(2, b"[", fin=False) + frame(1, b"]")),
    ("sequence-start-inside-not-last", BOTH, 1002, frame(1, b"[", fin=False) + frame(1, b"]", fin=False)),
    ("sequence-start-after-ping", BOTH, 1002, frame(1, b"[", fin=False) + frame(9) + frame(1, b"]")),
    ("sequence-empty-fragments", PHONE, OPEN, fragments(b"", b"", b"[", b"", b"]", b"")),
    # ---- too much in fragments ----
    ("fragments-at-the-limit", PHONE, OPEN, fragments(b'"' + b"a" * 131071, b"a" * 131071 + b'"')),
    ("fragments-one-more", BOTH, 1009, fragments(b'"' + b"a" * 131071, b"a" * 131072 + b'"')),
    ("fragments-last-announces-too-much", BOTH, 1009,
     frame(1, b"a" * 1000, fin=False) + header(FIN_CONT, LIMIT - 999, 8)),
    ("fragments-last-wraps-the-sum", BOTH, 1009, frame(1, b"a", fin=False) + header(FIN_CONT, (1 << 63) - 1, 8)),
    ("fragments-middle-announces-too-much", BOTH, 1009, frame(1, b"a", fin=False) + header(0, LIMIT, 8)),
    ("fragments-of-one-byte-too-many", BOTH, 1009,
     frame(1, b"a" * (LIMIT - 100), fin=False) + frame(0, b"a", fin=False) * 101),
    # ---- close ----
    ("close-empty", BOTH, Echo(1005), frame(8)),
    ("close-one-byte", BOTH, 1002, frame(8, b"\x03")),
    *[(f"close-code-{code}", BOTH, 1002, close(code))
      for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 9999, 65535)],
    ("close-reason-bad-utf8", BOTH, 1007, close(1000, b"\xff")),
    ("close-reason-cut-character", BOTH, 1007, close(1000, b"a\xe2\x82")),
    ("close-reason-surrogate", BOTH, 1007, close(1000, b"\xed\xa0\x80")),
    ("close-reason-overlong", BOTH, 1007, close(1000, b"\xc0\xaf")),
    ("close-reason-above-unicode", BOTH, 1007, close(3000, b"\xf4\x90\x80\x80")),
    ("close-bad-code-and-reason", BOTH, 1002, close(999, b"\xff")),
    *[(f"close-{code}", BOTH, Echo(code), close(code, b"why"))
      for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999)],
    ("close-longest-reason", BOTH, Echo(1000), close(1000, "€".encode() * 41)),
    ("close-inside-a-message", BOTH, Echo(1001), frame(1, b"[", fin=False) + close(1001)),
    ("close-then-more", BOTH, Echo(1000), close(1000) + frame(1, b"1") + b"\xff" * 100),
    ("close-twice", BOTH, Echo(1000), close(1000) + close(1001)),
    # ---- UTF-8 ----
    *[(f"utf8-{name}", BOTH, 1007, text(bad)) for name, bad in (
        ("ff", b"\xff"), ("lone-continuation", b"\x80"), ("overlong-slash", b"\xc0\xaf"),
        ("overlong-nul", b"\xc0\x80"), ("overlong-three", b"\xe0\x80\xaf"), ("overlong-four", b"\xf0\x80\x80\xaf"),
        ("surrogate", b"\xed\xa0\x80"), ("surrogate-pair", b"\xed\xa0\xbd\xed\xb8\x80"),
        ("above-unicode", b"\xf4\x90\x80\x80"), ("five-bytes", b"\xf8\x88\x80\x80\x80"), ("cut-two", b"\xc3"),
        ("cut-three", b"\xe2\x82"), ("cut-four", b"\xf0\x9f\x98"), ("after-much", b"a" * 70000 + b"\xfe"))],
    ("utf8-bad-across-fragments", BOTH, 1007, fragments(b'"\xe2', b'\x28\xa1"')),
    ("utf8-cut-at-the-last-fragment", BOTH, 1007, fragments(b'"\xf0\x9f', b"\x98")),
    ("utf8-bad-in-an-early-fragment", BOTH, 1007, fragments(b'"\xff', b"a" * 100, b'"')),
    ("utf8-good-across-fragments", PHONE, OPEN, fragments(b'"\xf0', b"\x9f", b"\x98", b'\x80"')),
    ("utf8-ping-across-a-character", PHONE, OPEN,
     frame(1, b'"\xf0\x9f', fin=False) + frame(9, b"p") + frame(0, b'\x98\x80"')),
    # ---- what a phone's message must be ----
    *[(f"json-{name}", PHONE, 1000, frame(1, bad)) for name, bad in (
        ("empty", b""), ("blank", b" "), ("word", b"word"), ("cut", b'{"a":'), ("two-values", b"1 2"),
        ("trailing-comma", b"[1,]"), ("single-quotes", b"'a'"), ("leading-zero", b"01"), ("nan", b"NaN"),
        ("comment", b"1 // one"), ("control-in-string", b'"\n"'), ("bad-escape", b'"\\x"'), ("nul", b"1\0"),
        ("byte-order-mark", b"\xef\xbb\xbf1"), ("unclosed-deep", b"[" * 9000),
        ("nested-too-deep", b"[" * 10001 + b"]" * 10001))],
    ("json-binary-frame-not-utf8", PHONE, 1000, frame(2, b'"\xff"')),
    ("json-empty-fragments", PHONE, 1000, fragments(b"", b"")),
    # ---- what a binary's message must be: it costs a log line ----
    *[(f"envelope-{name}", BINARY, OPEN, frame(1, bad)) for name, bad in (
        ("empty", b""), ("word", b"word"), ("array", b"[]"), ("null", b"null"), ("no-members", b"{}"),
        ("no-frame", b'{"conn_id":"x"}'), ("number-for-conn-id", b'{"conn_id":1,"frame":1}'),
        ("unknown-conn-id", b'{"conn_id":"nobody","frame":1}'),
        ("bad-close-code", b'{"conn_id":"x","close_code":70000}'),
        ("cut", b'{"conn_id":"x","frame":'), ("nested-too-deep", b'{"frame":' + b"[" * 20000 + b"]" * 20000 + b"}"),
        ("absurd-number", b'{"conn_id":"x","close_code":1e999999999}'),
        ("absurd-conn-id", b'{"conn_id":"' + b"c" * 200000 + b'","frame":1}'))],
    ("envelope-binary-frame-not-utf8", BINARY, OPEN, frame(2, b'{"conn_id":"\xff","frame":1}')),
    # ---- no WebSocket at all ----
    ("noise-http", BOTH, 1002, b"GET / HTTP/1.1\r\nHost: relay.example.com\r\n\r\n"),
    ("noise-tls", BOTH, 1002, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x11" * 64),
    ("noise-zeros", BOTH, 1002, bytes(64)),
    ("noise-ones", BOTH, 1002, b"\xff" * 64),
]
ROWS = [pytest.param(leg, wanted, data, id=f"{name}-{leg}")
        for name, legs, wanted, data in FRAMES for leg in legs]


def test_the_rows_have_names_of_their_own():
    assert len({name for name, *_ in FRAMES}) == len(FRAMES) > 150


@pytest.fixture(scope="module")
def crowd():
    """One relay with its well-behaved pair for every row of this process."""
    relay = hostile_relay().start()
    with beside(relay) as pair:
        yield relay, pair
    assert relay.stop() == 0


def after_close(peer):
    """End our side as RFC 6455 section 7.1.1 wants; true if the relay then
    ends its own and had nothing more to say."""
    try:
        peer.send(8, b"\x03\xe8")
        return peer.recv() is None
    except ConnectionError:
        return True


def answer_of(peer):
    """The first close code, or OPEN once a ping of ours is answered."""
    with contextlib.suppress(ConnectionError):
        peer.send(9, b"still there")
    while (got := peer.recv()) is not None:
        if got[0] == 8:
            return struct.unpack("!H", got[1][:2])[0] if got[1] else 1005
        if got == (10, b"still there"):
            return OPEN
    return None


def notice(binary):
    """The close notice, past what was forwarded before it."""
    while "close_code" not in (message := json.loads(binary.recv()[1])):
        pass
    return message["close_code"]


@pytest.mark.parametrize("leg, wanted, data", ROWS)
def test_frame(crowd, leg, wanted, data):
    relay, pair = crowd
    sid = f"row-{os.urandom(8).hex()}"
    binary = PoliteRawPeer(relay, "/v1/server", sid)
    peer = PoliteRawPeer(relay, "/v1/client", sid) if leg == "client" else binary
    try:
        peer.s.sendall(data)
        assert answer_of(peer) == wanted
        if leg == "client" and wanted != OPEN:
            assert notice(binary) == (wanted if isinstance(wanted, Echo) else 1001)
        assert wanted == OPEN or after_close(peer)
    finally:
        peer.s.close()
        binary.s.close()
    pair.check(rounds=1)
