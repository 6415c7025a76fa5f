"""The log in JSON, and floods of lines: number 73 of the compatibility
checklist past its text."""
import datetime
import json
import os
import pathlib
import re
import subprocess

from conftest import PATIENCE, RawPeer, Relay, free_port, parse_line, run_relay
from rules import Attempt, closing, series, serving, until, upgraded

TOP = pathlib.Path(__file__).resolve().parents[2]
LINES_A_SECOND = 10
COUNTED = ("worker threads", "connection budget")  # their value is a number


def documented():
    """The tables of docs/operations.md: keys and whether they are numbers,
    and events."""
    text = (TOP / "docs/operations.md").read_text().split("\n## Log\n", 1)[1]
    keys, events = (re.findall(r"^\| (`.*?) \|", table, re.M) for table in text.split("| msg | level |"))
    return ({name: bool(number) for row in keys for name, number in re.findall(r"`([a-z_]+)`( †)?", row)},
            {name.rstrip(" …") for row in events for name in re.findall(r"`([^`]+)`", row)})


def test_73_json_lines_have_the_documented_keys():
    keys, events = documented()
    with serving("--log-format=json", "--max-connections=4", "--max-phones-per-server=2", "--max-phones=2") as relay:
        b = upgraded(relay)
        p = upgraded(relay, "/v1/client", extra='X-Pyrycode-Device-Name: a "b" \\ \u00e4\u2028 =\r\n')
        p.send(1, b"1")
        conn_id = json.loads(b.recv()[1])["conn_id"]
        for text in ("not json", '{"conn_id":"x","frame":1}', '{"push_wake":{}}',
                     json.dumps({"conn_id": conn_id, "close_code": 4401})):
            b.send(1, text.encode())
        assert p.close_code() == 4401
        assert upgraded(relay, "/v1/client", "nobody").close_code() == 4404
        with closing([b, p, *[upgraded(relay, "/v1/client") for _ in range(2)]]):
            assert Attempt(relay, "/v1/client").status == 503
    lines = [json.loads(line) for line in relay.lines]
    assert len(lines) > 12
    for line in lines:
        assert list(line)[:3] == ["time", "level", "msg"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)", line.pop("time"))
        assert line.pop("level") in ("INFO", "WARN", "ERROR")
        msg = line.pop("msg")
        assert any(msg.startswith(event) for event in events), msg
        for key, value in line.items():
            counted = keys[key] or (key == "value" and msg in COUNTED)
            assert isinstance(value, int if counted else str), (msg, key)
    by_msg = {line["msg"]: line for line in map(json.loads, relay.lines)}
    assert by_msg["phone_registered"]["device_name"] == ""
    assert 'a "b" \\ \u00e4\u2028 =' in [line.get("device_name") for line in map(json.loads, relay.lines)]
    closed = by_msg["binary_forwarder_phone_closed"]
    assert (closed["conn_id"], closed["close_code"]) == (conn_id, 4401)
    assert by_msg["conn_cap_reached"]["path"] == "/v1/client"


def test_73_json_and_text_say_the_same():
    said = []
    port = free_port()
    own = ("time", "listen", "binary_conn_id")  # of each run
    for flag, parse in (("--log-format=json", json.loads), ("--log-format=text", parse_line)):
        with serving(flag, port=port) as relay:
            with closing([upgraded(relay)]) as (b,):
                b.send(1, b'{"conn_id":"a \\" = b","frame":1}')
                b.send(9, b"")
                assert b.recv()[0] == 10
            relay.wait_until(lambda: "server_released" in relay.text())  # before the end of all
        said.append([{k: str(v) for k, v in parse(line).items() if k not in own}
                     for line in relay.lines])
    assert said[0] == said[1]


def test_a_format_that_is_none():
    r = run_relay("--insecure-listen", "127.0.0.1:18080", "--metrics-listen=", "--log-format=xml")
    assert r.returncode == 2
    refusals = [line for line in map(parse_line, r.stderr.splitlines()) if "flag" in line]
    assert [(line["flag"], line["observed"]) for line in refusals] == [("--log-format", "xml")]


# ---- floods

def lines_of(relay, event):
    return [line for line in map(json.loads, relay.lines) if line["msg"] == event]


def told(relay, event):
    """Lines of the event, and how many more they say that there were."""
    lines = lines_of(relay, event)
    more = sum(line.get("suppressed", 0) for line in lines)
    return len(lines), more + sum(line["suppressed"] for line in lines_of(relay, "log_suppressed")
                                  if line["event"] == event)


def flood(peer, count, text):
    peer.s.sendall(RawPeer.frame(1, text) * count)
    peer.send(9, b"")
    assert peer.recv()[0] == 10


UNKNOWN = (b'{"conn_id":"nobody","frame":1}', "binary_forwarder_unknown_conn_id")
MALFORMED = (b"not json", "binary_forwarder_unmarshal_err")


def test_a_flood_is_thinned_out_and_adds_up():
    with serving("--log-format=json") as relay:
        with closing([upgraded(relay)]) as (b,):
            for text, event in (UNKNOWN, MALFORMED):
                flood(b, 1000, text)
                relay.wait_until(lambda: sum(told(relay, event)) == 1000)
                flood(b, 1, text)
                relay.wait_until(lambda: sum(told(relay, event)) == 1001)
        for _, event in (UNKNOWN, MALFORMED):
            times = [datetime.datetime.fromisoformat(line["time"].replace("Z", "+00:00"))
                     for line in lines_of(relay, event)]
            apart = [(later - earlier).total_seconds() for earlier, later in zip(times, times[LINES_A_SECOND:])]
            assert all(seconds > 0.98 for seconds in apart), apart  # two clocks
            assert LINES_A_SECOND <= len(times) < 100
        assert series(relay, "log_lines_suppressed_total") == sum(told(relay, e)[1] for _, e in (UNKNOWN, MALFORMED))


def test_a_flood_of_one_event_costs_no_other_its_lines():
    with serving("--log-format=json") as relay:
        with closing([upgraded(relay)]) as (b,):
            flood(b, 500, UNKNOWN[0])
            flood(b, 3, MALFORMED[0])
            relay.wait_until(lambda: sum(told(relay, UNKNOWN[1])) == 500)
            relay.wait_until(lambda: told(relay, MALFORMED[1]) == (3, 0))


def test_ten_lines_are_no_flood():
    with serving("--log-format=json") as relay:
        with closing([upgraded(relay)]) as (b,):
            flood(b, LINES_A_SECOND, UNKNOWN[0])
            relay.wait_until(lambda: told(relay, UNKNOWN[1]) == (LINES_A_SECOND, 0))
            flood(b, LINES_A_SECOND, MALFORMED[0])
            relay.wait_until(lambda: told(relay, MALFORMED[1]) == (LINES_A_SECOND, 0))
        assert not lines_of(relay, "log_suppressed")


def test_floods_from_two_workers_share_the_limit():
    with serving("--log-format=json", "--threads=2") as relay:
        with closing([upgraded(relay, sid=f"s{i}") for i in range(16)]) as peers:
            for peer in peers:
                peer.s.sendall(RawPeer.frame(1, UNKNOWN[0]) * 100)
            for peer in peers:
                peer.send(9, b"")
                assert peer.recv()[0] == 10
            relay.wait_until(lambda: sum(told(relay, UNKNOWN[1])) == 1600)
            assert told(relay, UNKNOWN[1])[0] < 100


def test_what_was_left_out_is_said_at_the_end():
    """Before the last line, though no second has passed."""
    with serving("--log-format=json") as relay:
        with closing([upgraded(relay)]) as (b,):
            flood(b, 50, UNKNOWN[0])
        until(relay, "connected_binaries", 0)
    assert sum(told(relay, UNKNOWN[1])) == 50


def test_the_text_format_says_it_too():
    with serving() as relay:
        with closing([upgraded(relay)]) as (b,):
            flood(b, 300, UNKNOWN[0])
            relay.wait_event(UNKNOWN[1], 300)
            assert relay.happened(UNKNOWN[1]) == 300
            assert len(relay.events(UNKNOWN[1])) < 50


def test_a_reader_of_the_log_that_is_gone_ends_nothing():
    """A pipe without a reader raises SIGPIPE, pipe(7)."""
    relay = Relay(tls=False)
    reader, writer = os.pipe()
    process = subprocess.Popen(relay.command(), env=relay.env, stderr=writer)
    os.close(writer)
    try:
        relay.process = process
        relay.wait_until(relay._answers)
        os.close(reader)
        with closing([upgraded(relay), upgraded(relay, "/v1/client")]) as (b, p):
            for text in (b'"one"', b'"two"'):
                p.send(1, text)
                assert text in b.recv()[1]
        assert relay._answers() and process.poll() is None
        process.terminate()
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
