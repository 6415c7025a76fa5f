"""Request heads that are wrong, a row each, with the exact answer; a few that
are right stand beside them, so that the edges are where they should be.

An answer is a status, after which the relay closes; or SILENT: the head never
ends as far as the relay can see, and the connection is closed without a byte
when the time for heads is over."""
import contextlib

import pytest
from conftest import OVER_TLS
from hostile import beside, connect, hostile_relay

SILENT = None
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: relay.example.com\r\n"


def health(*lines):
    """A request for /healthz with these fields besides Host."""
    return HEALTH + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def line(request_line):
    return request_line + b"\r\nHost: relay.example.com\r\n\r\n"


def upgrade(old=b"", new=b"", path=b"/v1/server", method=b"GET", version=b"HTTP/1.1", more=b""):
    """A good handshake, with one text of it replaced."""
    head = (method + b" " + path + b" " + version + b"\r\nHost: relay.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY + b"\r\nUser-Agent: t\r\n"
            b"X-Pyrycode-Server: malformed\r\nX-Pyrycode-Token: t\r\nX-Pyrycode-Version: 1\r\n" + more + b"\r\n")
    assert old in head
    return head.replace(old, new) if old else head


def sized(total):
    """A request for /healthz of that many bytes."""
    head = health(b"X-Pad: ")
    return head.replace(b"X-Pad: ", b"X-Pad: " + b"p" * (total - len(head)))


HEADS = [
    # ---- the request line ----
    ("line-good", 200, health()),
    ("line-empty-line-first", 200, b"\r\n" + health()),
    ("line-two-empty-lines-first", 400, b"\r\n\r\n" + health()),
    ("line-only-spaces", 400, line(b"   ")),
    ("line-one-word", 400, line(b"GET")),
    ("line-no-version", 400, line(b"GET /healthz")),
    ("line-http09", 400, b"GET /healthz\r\n\r\n"),
    ("line-no-target", 400, line(b"GET HTTP/1.1")),
    ("line-empty-target", 400, line(b"GET  HTTP/1.1")),
    ("line-two-spaces-first", 400, line(b"GET  /healthz HTTP/1.1")),
    ("line-two-spaces-last", 400, line(b"GET /healthz  HTTP/1.1")),
    ("line-leading-space", 400, line(b" GET /healthz HTTP/1.1")),
    ("line-trailing-space", 400, line(b"GET /healthz HTTP/1.1 ")),
    ("line-tabs", 400, line(b"GET\t/healthz\tHTTP/1.1")),
    ("line-tab-for-one-space", 400, line(b"GET /healthz\tHTTP/1.1")),
    ("line-four-words", 400, line(b"GET /healthz HTTP/1.1 HTTP/1.1")),
    ("line-space-in-target", 400, line(b"GET /heal thz HTTP/1.1")),
    ("line-nul-in-method", 400, line(b"G\0T /healthz HTTP/1.1")),
    ("line-nul-in-target", 400, line(b"GET /heal\0thz HTTP/1.1")),
    ("line-nul-at-end", 400, line(b"GET /healthz HTTP/1.1\0")),
    ("line-del-in-target", 400, line(b"GET /heal\x7fthz HTTP/1.1")),
    ("line-escape-in-target", 400, line(b"GET /\x1b[2J HTTP/1.1")),
    ("line-high-bytes-in-target", 400, line(b"GET /\xc3\xa4 HTTP/1.1")),
    ("line-fragment-in-target", 400, line(b"GET /healthz#a HTTP/1.1")),
    ("line-relative-target", 400, line(b"GET healthz HTTP/1.1")),
    ("line-backslash-target", 400, line(b"GET \\healthz HTTP/1.1")),
    ("line-asterisk", 404, line(b"OPTIONS * HTTP/1.1")),
    ("line-authority-form", 400, line(b"CONNECT example.org:443 HTTP/1.1")),
    ("line-absolute-form", 200, line(b"GET http://example.org/healthz HTTP/1.1")),
    ("line-absolute-form-no-path", 404, line(b"GET http://example.org HTTP/1.1")),
    ("line-absolute-form-no-host", 400, line(b"GET http:///healthz HTTP/1.1")),
    ("line-absolute-form-no-host-no-path", 400, line(b"GET http://?a HTTP/1.1")),
    ("line-absolute-form-other-scheme", 400, line(b"GET ftp://example.org/healthz HTTP/1.1")),
    ("line-path-is-not-decoded", 404, line(b"GET /%68ealthz HTTP/1.1")),
    ("line-path-is-not-cleaned", 404, line(b"GET /a/../healthz HTTP/1.1")),
    ("line-path-nul-escape", 404, line(b"GET /healthz%00 HTTP/1.1")),
    ("line-query-is-ignored", 200, line(b"GET /healthz?a=%00&b HTTP/1.1")),
    ("line-only-cr-lf-after-method", 400, b"GET \r\n\r\n"),
    ("line-bytes-before", 400, b"\xff\xfe\xfd" + health()),
    ("line-lf-first", 400, b"\n" + health()),
    ("line-cr-first", 400, b"\r" + health()),
    ("line-smtp", 400, b"HELO example.org\r\n\r\n"),
    ("line-ssh", 400, b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    ("line-socks5", SILENT, b"\x05\x01\x00"),
    ("line-tls", SILENT, b"\x16\x03\x01\x00\x30\x01\x00\x00\x2c\x03\x03" + b"\x11" * 38),
    ("line-proxy-header", 400, b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + health()),
    ("line-proxy-header-v2", 400, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c" + b"\1" * 12 + health()),
    # ---- methods ----
    ("method-lower-case", 405, line(b"get /healthz HTTP/1.1")),
    ("method-post", 405, health(b"Content-Length: 0").replace(b"GET", b"POST", 1)),
    ("method-trace", 405, line(b"TRACE /healthz HTTP/1.1")),
    ("method-unknown-token", 405, line(b"!#$%&'*+-.^_`|~ /healthz HTTP/1.1")),
    ("method-with-colon", 400, line(b"GE:T /healthz HTTP/1.1")),
    ("method-with-slash", 400, line(b"GET/ /healthz HTTP/1.1")),
    ("method-high-byte", 400, line(b"GE\xd4 /healthz HTTP/1.1")),
    ("method-too-long", 431, line(b"G" * 17000 + b" /healthz HTTP/1.1")),
    ("method-of-upgrade-post", 405, upgrade(method=b"POST")),
    ("method-of-upgrade-lower-case", 405, upgrade(method=b"get")),
    # ---- versions ----
    ("version-1-0", 200, b"GET /healthz HTTP/1.0\r\n\r\n"),
    ("version-1-0-two-hosts", 400, b"GET /healthz HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"),
    ("version-0-9", 505, line(b"GET /healthz HTTP/0.9")),
    ("version-1-2", 505, line(b"GET /healthz HTTP/1.2")),
    ("version-2-0", 505, line(b"GET /healthz HTTP/2.0")),
    ("version-3-0", 505, line(b"GET /healthz HTTP/3.0")),
    ("version-two-digits", 400, line(b"GET /healthz HTTP/1.10")),
    ("version-01-1", 400, line(b"GET /healthz HTTP/01.1")),
    ("version-no-minor", 400, line(b"GET /healthz HTTP/1")),
    ("version-no-digits", 400, line(b"GET /healthz HTTP/a.b")),
    ("version-comma", 400, line(b"GET /healthz HTTP/1,1")),
    ("version-sign", 400, line(b"GET /healthz HTTP/-1.1")),
    ("version-lower-case", 400, line(b"GET /healthz http/1.1")),
    ("version-other-protocol", 400, line(b"GET /healthz RTSP/1.0")),
    ("version-no-slash", 400, line(b"GET /healthz HTTP1.1x")),
    ("version-http2-preface", 505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("version-of-upgrade-1-0", 426, upgrade(version=b"HTTP/1.0")),
    ("version-of-upgrade-2-0", 505, upgrade(version=b"HTTP/2.0")),
    # ---- line ends ----
    ("end-bare-lf", 400, b"GET /healthz HTTP/1.1\nHost: relay.example.com\n\n"),
    ("end-bare-lf-in-field", 400, b"GET /healthz HTTP/1.1\r\nHost: relay.example.com\nX-A: b\r\n\r\n"),
    ("end-bare-cr-in-field", 400, health(b"X-A: b\rX-B: c")),
    ("end-cr-cr-lf", 400, b"GET /healthz HTTP/1.1\r\r\nHost: relay.example.com\r\n\r\n"),
    ("end-bare-lf-last", 400, b"GET /healthz HTTP/1.1\r\nHost: relay.example.com\r\n\n"),
    ("end-bare-cr-last", 400, b"GET /healthz HTTP/1.1\r\nHost: relay.example.com\r\n\rX"),
    ("end-never", SILENT, b"GET /healthz HTTP/1.1\r\nHost: relay.example.com\r\n"),
    ("end-half", SILENT, b"GET /healthz HTTP/1.1\r\nHost: relay.example.com\r\n\r"),
    ("end-no-line", SILENT, b"GET /healthz HTTP/1.1"),
    ("end-nothing", SILENT, b""),
    # ---- field names ----
    ("name-empty", 400, health(b": b")),
    ("name-no-colon", 400, health(b"X-A")),
    ("name-space-before-colon", 400, health(b"X-A : b")),
    ("name-tab-before-colon", 400, health(b"X-A\t: b")),
    ("name-space-inside", 400, health(b"X A: b")),
    ("name-nul", 400, health(b"X\0A: b")),
    ("name-del", 400, health(b"X\x7fA: b")),
    ("name-high-byte", 400, health(b"X-\xe4: b")),
    ("name-at", 400, health(b"X@A: b")),
    ("name-parenthesis", 400, health(b"X(A): b")),
    ("name-slash", 400, health(b"X/A: b")),
    ("name-quotes", 400, health(b'"X-A": b')),
    ("name-cr", 400, health(b"X\rA: b")),
    ("name-every-token-character", 200, health(b"!#$%&'*+-.^_`|~09azAZ: b")),
    # ---- folded lines ----
    ("fold-space", 400, health(b"X-A: b", b" c: d")),
    ("fold-tab", 400, health(b"X-A: b", b"\tc: d")),
    ("fold-first-field", 400, b"GET /healthz HTTP/1.1\r\n Host: relay.example.com\r\n\r\n"),
    ("fold-blank-line", 400, health(b"X-A: b", b" ")),
    ("fold-hides-server-id", 400, upgrade(b"X-Pyrycode-Server: m", b"X-Pyrycode-Server:\r\n m")),
    # ---- field values ----
    ("value-nul", 400, health(b"X-A: a\0b")),
    ("value-del", 400, health(b"X-A: a\x7fb")),
    ("value-escape", 400, health(b"X-A: \x1b[31m")),
    ("value-bell", 400, health(b"X-A: \x07")),
    ("value-vertical-tab", 400, health(b"X-A: a\x0bb")),
    ("value-tab", 200, health(b"X-A: a\tb")),
    ("value-empty", 200, health(b"X-A:")),
    ("value-high-bytes", 200, health(b"X-A: \xc3\xa4\xff")),
    ("value-colons", 200, health(b"X-A: :::")),
    # ---- Host ----
    ("host-none", 400, b"GET /healthz HTTP/1.1\r\n\r\n"),
    ("host-twice", 400, health(b"Host: y")),
    ("host-twice-the-same", 400, health(b"hOST: x")),
    ("host-empty", 200, b"GET /healthz HTTP/1.1\r\nHost:\r\n\r\n"),
    ("host-ipv6", 200, b"GET /healthz HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n"),
    ("host-space-inside", 400, b"GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n"),
    ("host-path", 400, b"GET /healthz HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    ("host-user", 400, b"GET /healthz HTTP/1.1\r\nHost: user@a\r\n\r\n"),
    ("host-quotes", 400, b'GET /healthz HTTP/1.1\r\nHost: a"b\r\n\r\n'),
    ("host-high-byte", 400, b"GET /healthz HTTP/1.1\r\nHost: \xe4\r\n\r\n"),
    # ---- bodies and smuggling ----
    ("body-length-0", 200, health(b"Content-Length: 0")),
    ("body-length-1", 400, health(b"Content-Length: 1") + b"x"),
    ("body-length-of-a-request", 400, health(b"Content-Length: 36") + HEALTH + b"\r\n"),
    ("body-length-negative", 400, health(b"Content-Length: -1")),
    ("body-length-plus-sign", 400, health(b"Content-Length: +0")),
    ("body-length-hexadecimal", 400, health(b"Content-Length: 0x0")),
    ("body-length-leading-zero", 400, health(b"Content-Length: 00")),
    ("body-length-empty", 400, health(b"Content-Length:")),
    ("body-length-list", 400, health(b"Content-Length: 0, 0")),
    ("body-length-word", 400, health(b"Content-Length: zero")),
    ("body-length-space-inside", 400, health(b"Content-Length: 0 0")),
    ("body-length-absurd", 400, health(b"Content-Length: " + b"9" * 400)),
    ("body-length-wraps-to-0", 400, health(b"Content-Length: 18446744073709551616")),
    ("body-length-twice", 400, health(b"Content-Length: 0", b"Content-Length: 0")),
    ("body-length-twice-different", 400, health(b"Content-Length: 0", b"Content-Length: 36")),
    ("body-chunked", 400, health(b"Transfer-Encoding: chunked") + b"0\r\n\r\n"),
    ("body-chunked-and-length", 400, health(b"Content-Length: 0", b"Transfer-Encoding: chunked") + b"0\r\n\r\n"),
    ("body-identity", 400, health(b"Transfer-Encoding: identity")),
    ("body-encoding-empty", 400, health(b"Transfer-Encoding:")),
    ("body-encoding-obscure", 400, health(b"Transfer-Encoding: xchunked")),
    ("body-encoding-twice", 400, health(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity")),
    ("body-encoding-space-before-colon", 400, health(b"Transfer-Encoding : chunked")),
    ("body-encoding-folded", 400, health(b"Transfer-Encoding:", b" chunked")),
    ("body-encoding-vertical-tab", 400, health(b"Transfer-Encoding:\x0bchunked")),
    ("body-of-upgrade", 400, upgrade(more=b"Content-Length: 5\r\n") + b"hello"),
    ("body-of-upgrade-chunked", 400, upgrade(more=b"Transfer-Encoding: chunked\r\n") + b"0\r\n\r\n"),
    ("body-expected", 400, health(b"Expect: 100-continue", b"Content-Length: 5")),
    ("pipelined-second-is-not-answered", 200, health() + health()),
    ("pipelined-after-an-error", 400, health(b"Content-Length: 1") + health()),
    # ---- sizes ----
    ("size-at-the-limit", 200, sized(16384)),
    ("size-one-more", 431, sized(16385)),
    ("size-much-more", 431, sized(200000)),
    ("size-no-end", 431, b"G" * 40000),
    ("size-no-line-end-in-value", 431, HEALTH + b"X-A: " + b"a" * 40000),
    ("size-fields-at-the-limit", 200, health(*[b"X-A: b"] * 99)),
    ("size-fields-one-more", 431, health(*[b"X-A: b"] * 100)),
    ("size-fields-many", 431, health(*[b"a:"] * 4000)),
    ("size-server-id-at-the-limit", 101, upgrade(b"malformed", b"i" * 256)),
    ("size-server-id-one-more", 400, upgrade(b"malformed", b"i" * 257)),
    ("size-target", 431, line(b"GET /" + b"a" * 17000 + b" HTTP/1.1")),
    # ---- upgrade and connection ----
    ("upgrade-good", 101, upgrade()),
    ("upgrade-no-connection", 426, upgrade(b"Connection: Upgrade\r\n")),
    ("upgrade-connection-close", 426, upgrade(b"Connection: Upgrade", b"Connection: close")),
    ("upgrade-connection-list", 101, upgrade(b"Connection: Upgrade", b"Connection: keep-alive, UPGRADE")),
    ("upgrade-connection-two-lines", 101, upgrade(more=b"Connection: keep-alive\r\n")),
    ("upgrade-connection-empty-elements", 101, upgrade(b"Connection: Upgrade", b"Connection: ,, upgrade ,")),
    ("upgrade-connection-part-of-a-word", 426, upgrade(b"Connection: Upgrade", b"Connection: xupgrade")),
    ("upgrade-connection-with-semicolon", 426, upgrade(b"Connection: Upgrade", b"Connection: upgrade;q=1")),
    ("upgrade-connection-quoted", 426, upgrade(b"Connection: Upgrade", b'Connection: "upgrade"')),
    ("upgrade-no-upgrade", 426, upgrade(b"Upgrade: websocket\r\n")),
    ("upgrade-empty", 426, upgrade(b"Upgrade: websocket", b"Upgrade:")),
    ("upgrade-to-h2c", 426, upgrade(b"Upgrade: websocket", b"Upgrade: h2c")),
    ("upgrade-to-either", 101, upgrade(b"Upgrade: websocket", b"Upgrade: h2c, WebSocket")),
    ("upgrade-with-version", 426, upgrade(b"Upgrade: websocket", b"Upgrade: websocket/13")),
    ("upgrade-part-of-a-word", 426, upgrade(b"Upgrade: websocket", b"Upgrade: websockets")),
    ("upgrade-unknown-path", 404, upgrade(path=b"/v1/other")),
    ("upgrade-of-healthz", 200, upgrade(path=b"/healthz")),
    ("upgrade-extension-is-not-taken", 101, upgrade(more=b"Sec-WebSocket-Extensions: permessage-deflate\r\n")),
    ("upgrade-protocol-is-not-taken", 101, upgrade(more=b"Sec-WebSocket-Protocol: chat\r\n")),
    # ---- version and key of the handshake ----
    ("ws-version-none", 400, upgrade(b"Sec-WebSocket-Version: 13\r\n")),
    ("ws-version-empty", 400, upgrade(b"Version: 13", b"Version:")),
    ("ws-version-8", 400, upgrade(b"Version: 13", b"Version: 8")),
    ("ws-version-list", 400, upgrade(b"Version: 13", b"Version: 13, 8")),
    ("ws-version-leading-zero", 400, upgrade(b"Version: 13", b"Version: 013")),
    ("ws-version-sign", 400, upgrade(b"Version: 13", b"Version: +13")),
    ("ws-version-twice", 400, upgrade(more=b"Sec-WebSocket-Version: 13\r\n")),
    ("ws-key-none", 400, upgrade(b"Sec-WebSocket-Key: " + KEY + b"\r\n")),
    ("ws-key-empty", 400, upgrade(KEY, b"")),
    ("ws-key-15-bytes", 400, upgrade(KEY, b"MTIzNDU2Nzg5MDEyMzQ1")),
    ("ws-key-17-bytes", 400, upgrade(KEY, b"MTIzNDU2Nzg5MDEyMzQ1Njc=")),
    ("ws-key-no-pad", 400, upgrade(KEY, KEY[:-2])),
    ("ws-key-one-pad", 400, upgrade(KEY, KEY[:-1])),
    ("ws-key-three-pads", 400, upgrade(KEY, KEY[:-3] + b"===")),
    ("ws-key-bits-after-the-end", 400, upgrade(KEY, KEY[:-3] + b"R==")),
    ("ws-key-other-alphabet", 400, upgrade(KEY, b"-" + KEY[1:])),
    ("ws-key-space-inside", 400, upgrade(KEY, b"dGhlIHNh bXBsZSBub25jZQ==")),
    ("ws-key-blanks-around", 101, upgrade(KEY, b" \t" + KEY + b" \t")),
    ("ws-key-absurd", 400, upgrade(KEY, b"A" * 12000)),
    ("ws-key-twice", 400, upgrade(more=b"Sec-WebSocket-Key: " + KEY + b"\r\n")),
    # ---- the relay's own fields ----
    ("field-server-id-twice", 400, upgrade(more=b"X-Pyrycode-Server: other\r\n")),
    ("field-server-id-twice-other-case", 400, upgrade(more=b"x-pyrycode-SERVER: other\r\n")),
    ("field-server-id-blank", 400, upgrade(b"malformed", b" \t ")),
    ("field-server-id-not-utf8", 400, upgrade(b"malformed", b"\xff\xfe")),
    ("field-server-id-surrogate", 400, upgrade(b"malformed", b"\xed\xa0\x80")),
    ("field-server-id-overlong", 400, upgrade(b"malformed", b"\xc0\xaf")),
    ("field-server-id-cut-character", 400, upgrade(b"malformed", b"a\xe2\x82")),
    ("field-server-id-none", 400, upgrade(b"X-Pyrycode-Server: malformed\r\n")),
    ("field-version-twice", 400, upgrade(more=b"X-Pyrycode-Version: 2\r\n")),
    ("field-token-twice", 400, upgrade(path=b"/v1/client", more=b"X-Pyrycode-Token: u\r\n")),
    ("field-device-name-twice", 400,
     upgrade(path=b"/v1/client", more=b"X-Pyrycode-Device-Name: a\r\nX-Pyrycode-Device-Name: b\r\n")),
    ("field-no-user-agent", 400, upgrade(b"User-Agent: t\r\n")),
    ("field-no-token", 400, upgrade(b"X-Pyrycode-Token: t\r\n", path=b"/v1/client")),
    ("field-no-version", 400, upgrade(b"X-Pyrycode-Version: 1\r\n")),
]


def test_the_rows_have_names_of_their_own():
    assert len({name for name, _, _ in HEADS}) == len(HEADS) > 150


@pytest.fixture(scope="module")
def crowd():
    """One relay with its well-behaved pair for every row of this process."""
    relay = hostile_relay().start()
    with beside(relay) as pair:
        yield relay, pair
    assert relay.stop() == 0


def read_answer(peer, wanted):
    """All that the relay sends, to its end; after a 101 we end it."""
    got = b""
    with peer, contextlib.suppress(ConnectionResetError):
        while chunk := peer.recv(65536):
            got += chunk
            if wanted == 101 and b"\r\n\r\n" in got:
                break
    return got


# Answered where no Host is asked for; else 421, see test_relay_tls.py.
OF_ANY_HOST = ("version-1-0", "host-empty", "host-ipv6")


@pytest.mark.parametrize("head, wanted",
                         [pytest.param(head, wanted, id=name) for name, wanted, head in HEADS if wanted is not SILENT and not
                          (OVER_TLS and name in OF_ANY_HOST)])
def test_head(crowd, head, wanted):
    relay, pair = crowd
    peer = connect(relay)
    peer.sendall(head)
    answer = read_answer(peer, wanted)
    assert answer.startswith(f"HTTP/1.1 {wanted} ".encode()), answer[:200]
    assert answer.count(b"HTTP/1.1 ") == 1, "more than one answer"
    assert (b"\r\nConnection: close\r\n" in answer) == (wanted != 101)
    assert b"\r\nSec-WebSocket-Extensions" not in answer and b"\r\nSec-WebSocket-Protocol" not in answer
    pair.check()


def test_heads_that_never_end(crowd):
    """Side by side, as each takes the whole time for heads."""
    relay, pair = crowd
    peers = {name: connect(relay) for name, wanted, _ in HEADS if wanted is SILENT}
    for name, _, head in HEADS:
        if name in peers:
            peers[name].sendall(head)
    assert {name: read_answer(peer, SILENT) for name, peer in peers.items()} == dict.fromkeys(peers, b"")
    pair.check()
