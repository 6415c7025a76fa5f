"""Push wakes: a relay and its push process against a server that answers as
Google does, or fails as ordered.  Everything is on loopback."""
import asyncio
import contextlib
import hashlib
import json
import os
import pathlib
import re
import signal
import time

import pytest
from authority import authority  # noqa: F401 (a fixture)
from conftest import RELAY_BIN, Relay, binary, free_port, learn_conn_id, phone, recv, run_relay
from fake_google import CUT, HANG, PROJECT, Google, failure, form
from test_metrics import FREE, documented, families

SANITIZED = any(name in open(RELAY_BIN, "rb").read() for name in (b"__asan_init", b"__tsan_init"))
OUTCOMES = ("sent", "unregistered", "send_failed", "token_fetch_failed", "dropped")
DROPPED = "binary_forwarder_push_wake_dropped"


@pytest.fixture
def google(tmp_path, authority):  # noqa: F811
    with Google(tmp_path, authority) as running:
        yield running


@contextlib.contextmanager
def relay_for(google, *flags, members=None, **options):
    """A relay with push; whatever happened, none of the secrets is in its log."""
    relay = Relay(*google.flags(), *flags, env=google.env(**(members or {})), metrics=True, **options).start()
    try:
        yield relay
    finally:
        assert relay.stop() == 0
    text = relay.text()
    for secret in [*google.account.secrets(), *google.tokens(), "device-"]:
        assert secret not in text
    assert "assertion" not in text


def wake(token, **members):
    return json.dumps({"push_wake": {"platform": "fcm", "token": token, **members}})


def fingerprint(token):
    return hashlib.sha256(token.encode()).hexdigest()[:8]


def metric(relay, name, **labels):
    text = relay.get("/metrics", port=relay.metrics_port).decode()
    wanted = "{" + ",".join(f'{k}="{v}"' for k, v in labels.items()) + "}" if labels else ""
    return float(re.search(rf"^pyrycode_relay_{name}{re.escape(wanted)} (\S+)$", text, re.M)[1])


def outcomes(relay):
    return {outcome: count for outcome in OUTCOMES if (count := metric(relay, "push_wakes_total", outcome=outcome))}


def refusals(relay, reason):
    return metric(relay, "push_wakes_refused_total", reason=reason)


async def until(condition, seconds=20):
    """Without holding up those who are served meanwhile."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.02)


async def event(relay, msg, count=1):
    await until(lambda: len(relay.events(msg)) >= count)
    return relay.events(msg)


async def failed_with(relay, google, token, answers, sid="sid-1"):
    """The line of a wake that is answered so."""
    google.answers[token] = answers
    before = len(relay.events("push_wake_send_failed"))
    async with binary(relay, sid) as b:
        await b.send(wake(token))
        line = (await event(relay, "push_wake_send_failed", before + 1))[before]
    assert line["level"] == "WARN" and line["server_id"] == sid and line["token_fp"] == fingerprint(token)
    assert set(line) == {"time", "level", "msg", "server_id", "token_fp", "duration", "err"}
    return line["err"]


def children(pid):
    """Processes by name, whoever of ours made them."""
    found = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            name, rest = re.fullmatch(r"\d+ \((.*)\) (.*)\n", path.read_text()).groups()
            found.setdefault(int(rest.split()[1]), {})[name] = int(path.parent.name)
    mine = dict(found.get(pid, {}))
    for child in found.get(pid, {}).values():
        mine.update(found.get(child, {}))
    return mine


# ---- what is sent

async def test_64_a_wake_is_content_free_and_its_token_is_fetched_once(google):
    with relay_for(google) as relay:
        assert outcomes(relay) == {}
        async with binary(relay, "sid-1") as b:
            for i in range(5):
                await b.send(wake(f"device-{i}"))
            lines = await event(relay, "push_wake_sent", 5)
        assert outcomes(relay) == {"sent": 5}
        assert metric(relay, "push_wakes_under_way") == 0
        assert metric(relay, "push_duration_seconds_count") == 5
        assert [relay.events("push on")[0]["addr"]] == [google.url]
    assert len(google.fetches) == 1 and len(google.sends) == 5
    for path, headers, body in google.sends:
        assert path == f"/v1/projects/{PROJECT}/messages:send"
        assert headers["Authorization"] == "Bearer access-token-1"
        assert headers["Content-Type"] == "application/json"
        token = json.loads(body)["message"]["token"]
        assert body == f'{{"message":{{"token":"{token}","android":{{"priority":"HIGH"}}}}}}'.encode()
    assert sorted(google.sent_tokens()) == [f"device-{i}" for i in range(5)]
    assert {li["token_fp"] for li in lines} == {fingerprint(f"device-{i}") for i in range(5)}
    for line in lines:
        assert line["level"] == "INFO" and line["server_id"] == "sid-1"
        assert re.fullmatch(rf"projects/{PROJECT}/messages/0:\d", line["fcm_message_id"])
        assert re.fullmatch(r"\d+(\.\d+)?m?s", line["duration"])


async def test_64_the_assertion_is_of_the_account(google):
    with relay_for(google) as relay:
        async with binary(relay) as b:
            await b.send(wake("device-1"))
            await event(relay, "push_wake_sent")
    headers, body = google.fetches[0]
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    fields = form(body)
    assert fields["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer" and len(fields) == 2
    head, claims = google.account.verified(fields["assertion"])
    assert head == {"alg": "RS256", "typ": "JWT", "kid": "key-1"}
    assert claims.pop("exp") - claims["iat"] == 3600 and abs(claims.pop("iat") - time.time()) < 60
    assert claims == {"iss": google.account.email, "aud": f"{google.url}/token",
                      "scope": "https://www.googleapis.com/auth/firebase.messaging"}


async def test_a_token_is_what_json_makes_of_it(google):
    with relay_for(google, members={"project_id": None}) as relay:
        async with binary(relay) as b:
            await b.send('{"PUSH_WAKE":{"Platform":"\\u0066cm","TOKEN":"device-\\u00e4\\"\\n\\ud83d\\ude42"}}')
            line = (await event(relay, "push_wake_sent"))[0]
    assert google.sent_tokens() == ['device-ä"\n🙂']
    assert line["token_fp"] == fingerprint('device-ä"\n🙂')
    assert google.sends[0][0] == "/v1/projects/pyrycode-mobile/messages:send"


# ---- what is refused

async def test_what_is_no_wish_is_refused_in_this_order(google):
    cases = (("1", "malformed push_wake"), ('{"platform":"fcm","token":1}', "malformed push_wake"),
             ('{"platform":"apns","token":""}', "push_wake platform not supported"),
             ('{"platform":"fcm"}', "push_wake token is empty"),
             (f'{{"platform":"fcm","token":"device-{"x" * 4096}"}}', "push_wake token is too long"))
    with relay_for(google) as relay:
        async with binary(relay) as b, phone(relay) as p:
            for value, _ in cases:
                await b.send(f'{{"push_wake":{value}}}')
            lines = await event(relay, DROPPED, len(cases))
            await learn_conn_id(b, p)  # the connection stays
        assert [li["err"] for li in lines] == [f"relay: {err}" for _, err in cases]
        for line in lines:
            assert set(line) == {"time", "level", "msg", "server_id", "binary_conn_id", "err"}
            assert line["level"] == "WARN" and line["server_id"] == "sid-1"
        assert outcomes(relay) == {}
        assert [refusals(relay, r) for r in ("malformed", "platform", "token")] == [2, 1, 2]
    assert google.sends == []


async def test_65_a_server_id_has_a_burst_of_six(google):
    with relay_for(google) as relay:
        async with binary(relay, "sid-1") as b, binary(relay, "sid-2") as other:
            for i in range(7):
                await b.send(wake(f"device-{i}"))
            await other.send(wake("device-other"))
            await event(relay, "push_wake_sent", 7)
            line = (await event(relay, DROPPED))[0]
        assert line["err"] == "relay: push_wake rate-limited for server-id" and line["server_id"] == "sid-1"
        assert outcomes(relay) == {"sent": 7, "dropped": 1} and refusals(relay, "server_id") == 1
    assert "device-6" not in google.sent_tokens()


async def test_65_a_new_connection_has_no_new_burst(google):
    with relay_for(google) as relay:
        began = time.monotonic()
        while not relay.events(DROPPED):
            ended = len(relay.events("push_wake_sent"))
            async with binary(relay, "sid-1") as b:
                await b.send(wake(f"device-{ended}"))
                await until(lambda: len(relay.events("push_wake_sent")) + len(relay.events(DROPPED)) > ended)
        earned = (time.monotonic() - began) // 10  # however slow this machine is
        assert 6 <= outcomes(relay)["sent"] <= 6 + earned and outcomes(relay)["dropped"] == 1


async def test_65_thirty_two_are_under_way_and_delay_no_frame(google):
    with relay_for(google, "--max-wakes-per-second=0") as relay:
        async with contextlib.AsyncExitStack() as stack:
            binaries = [await stack.enter_async_context(binary(relay, f"sid-{i}")) for i in range(6)]
            p = await stack.enter_async_context(phone(relay, "sid-5"))
            for i, b in enumerate(binaries):
                for k in range(6 if i < 5 else 2):
                    google.answers[f"device-{i}-{k}"] = [HANG]
                    await b.send(wake(f"device-{i}-{k}"))
            await until(lambda: len(google.sends) == 32)
            assert metric(relay, "push_wakes_under_way") == 32
            await binaries[5].send(wake("device-more"))
            line = (await event(relay, DROPPED))[0]
            assert line["err"] == "relay: push_wake in-flight cap reached" and line["server_id"] == "sid-5"
            assert outcomes(relay) == {"dropped": 1} and refusals(relay, "in_flight") == 1
            conn_id = await learn_conn_id(binaries[5], p)
            for i in range(100):  # the server hangs, and frames go on
                await p.send(str(i))
                assert json.loads(await recv(binaries[5]))["frame"] == i
                await binaries[5].send(json.dumps({"conn_id": conn_id, "frame": i}))
                assert await recv(p) == str(i)
            assert outcomes(relay) == {"dropped": 1}, "none has ended meanwhile"
    # the relay has ended: what was under way was given up, and its cap is known
    lines = relay.events("push_wake_send_failed")
    assert relay.happened("push_wake_send_failed") == 32
    assert {li["err"] for li in lines} == {"relay: fcm send failed: cancelled"}
    assert len(google.fetches) == 1


async def test_a_ceiling_for_all_server_ids(google):
    with relay_for(google, "--max-wakes-per-second=2") as relay:
        async with contextlib.AsyncExitStack() as stack:
            binaries = [await stack.enter_async_context(binary(relay, f"sid-{i}")) for i in range(10)]
            for i, b in enumerate(binaries):
                await b.send(wake(f"device-{i}"))
            await until(lambda: len(relay.events("push_wake_sent")) + relay.happened(DROPPED) == 10)
        dropped = relay.events(DROPPED)
        assert {li["err"] for li in dropped} == {"relay: push_wake rate-limited relay-wide"}
        assert outcomes(relay)["sent"] >= 2 and refusals(relay, "ceiling") == outcomes(relay)["dropped"] >= 1


# ---- what FCM answers

async def test_66_an_unregistered_device(google):
    with relay_for(google) as relay:
        err = await failed_with(relay, google, "device-gone", [failure(404, "NOT_FOUND", "UNREGISTERED")])
        assert err == "relay: fcm send failed: status 404 (NOT_FOUND, UNREGISTERED)"
        assert outcomes(relay) == {"unregistered": 1}
    assert len(google.sends) == 1


async def test_answers_that_are_final(google):
    cases = {"403": [failure(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH")], "400": [failure(400, "INVALID_ARGUMENT")],
             "302": [(302, {"Location": f"{google.url}/v1/projects/elsewhere/messages:send"}, b"")],
             "404": [(404, {}, b"<html>device-secret</html>")]}
    said = {"403": " (PERMISSION_DENIED, SENDER_ID_MISMATCH)", "400": " (INVALID_ARGUMENT)", "302": "", "404": ""}
    with relay_for(google) as relay:
        for status, answers in cases.items():
            err = await failed_with(relay, google, f"device-{status}", answers, f"sid-{status}")
            assert err == f"relay: fcm send failed: status {status}{said[status]}"
        assert outcomes(relay) == {"send_failed": 4}
        assert metric(relay, "push_retries_total") == 0
    assert len(google.sends) == 4, "no redirect was followed, nothing sent twice"


async def test_an_access_token_that_is_refused_is_fetched_anew_once(google):
    google.answers = {"device-1": [failure(401, "UNAUTHENTICATED"), None], "device-2": [failure(401, "UNAUTHENTICATED")]}
    with relay_for(google) as relay:
        async with binary(relay) as b:
            await b.send(wake("device-1"))
            await event(relay, "push_wake_sent")
        assert [h["Authorization"][-1] for _, h, _ in google.sends] == ["1", "2"]
        assert await failed_with(relay, google, "device-2", google.answers["device-2"]) == (
            "relay: fcm send failed: status 401 (UNAUTHENTICATED)")
        assert len(google.sends) == 4 and len(google.fetches) == 3
        assert outcomes(relay) == {"sent": 1, "send_failed": 1}


async def test_what_will_pass_is_tried_again(google):
    google.answers = {"device-503": [failure(503, "UNAVAILABLE"), failure(500, "INTERNAL"), None],
                      "device-429": [failure(429, "RESOURCE_EXHAUSTED", Retry_After="2"), None]}
    with relay_for(google) as relay:
        async with binary(relay) as b:
            began = time.monotonic()
            await b.send(wake("device-429"))
            await event(relay, "push_wake_sent")
            assert time.monotonic() - began >= 2, "not before the time that was asked for"
            await b.send(wake("device-503"))
            await event(relay, "push_wake_sent", 2)
        assert outcomes(relay) == {"sent": 2} and metric(relay, "push_retries_total") == 3
        assert relay.events("push_wake_send_failed") == []
    assert google.sent_tokens().count("device-503") == 3 and len(google.fetches) == 1


async def test_a_wait_that_is_too_long_is_not_waited(google):
    with relay_for(google) as relay:
        err = await failed_with(relay, google, "device-1", [failure(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", Retry_After="3600")])
        assert err == "relay: fcm send failed: status 429 (RESOURCE_EXHAUSTED, QUOTA_EXCEEDED)"
    assert len(google.sends) == 1


async def test_answers_that_are_broken(google):
    cases = {"cut": ([CUT], "the connection broke"), "garbage": ([b"\0\1\2 no HTTP at all\r\n\r\n"], "the answer makes no sense")}
    with relay_for(google) as relay:
        for name, (answers, said) in cases.items():
            err = await failed_with(relay, google, f"device-{name}", answers, f"sid-{name}")
            assert err == f"relay: fcm send failed: {said}"
        google.answers = {"device-large": [(200, {}, b'{"name":"' + b"x" * 1000000 + b'"}')],
                          "device-text": [(200, {}, b"ok")], "device-name": [(200, {}, b'{"name":"a b=c"}')]}
        async with binary(relay, "sid-3") as b:
            for i, token in enumerate(google.answers):
                await b.send(wake(token))
                line = (await event(relay, "push_wake_sent", i + 1))[i]
                assert "fcm_message_id" not in line, token
        assert outcomes(relay) == {"sent": 3, "send_failed": 2}


async def test_an_answer_that_does_not_come(google):
    with relay_for(google) as relay:
        assert await failed_with(relay, google, "device-1", [HANG]) == "relay: fcm send failed: timed out"


def name_of_the_hosts_file():
    """One of ours that libcurl does not know by itself, as it does localhost."""
    for line in pathlib.Path("/etc/hosts").read_text().splitlines():
        address, *names = line.split("#")[0].split() or [""]
        if address in ("127.0.0.1", "127.0.1.1", "::1"):
            found = [n for n in names if "localhost" not in n and "_" not in n]
            if found:
                return found[0]
    return None


async def test_a_server_that_is_not_reached_or_not_trusted(google, tmp_path):
    with relay_for(google, f"--push-endpoint=https://localhost:{free_port()}") as relay:
        assert await failed_with(relay, google, "device-1", []) == "relay: fcm send failed: not reached"
    if name := name_of_the_hosts_file():  # resolved by the sealed process, and nobody listens there
        with relay_for(google, f"--push-endpoint=https://{name}:{free_port()}") as relay:
            assert await failed_with(relay, google, "device-1", []) == "relay: fcm send failed: not reached"
    foreign = tmp_path / "foreign.pem"
    foreign.write_text(Relay(tls=True).cert.read_text())
    with relay_for(google, "--push-ca-file", str(foreign)) as relay:
        assert await failed_with(relay, google, "device-1", []) == (
            "relay: fcm access-token fetch failed: the server's certificate does not verify")
        assert outcomes(relay) == {"token_fetch_failed": 1}


# ---- the access token

@pytest.mark.parametrize("answer, said", [((400, {}, b'{"error":"invalid_grant"}'), ": status 400"),
                                          ((200, {}, b"garbage"), ": no token in the answer"),
                                          ((200, {}, b'{"access_token":"a b"}'), ": no token in the answer"),
                                          ((200, {}, b'{"access_token":"' + b"x" * 9000 + b'"}'), ": no token in the answer"),
                                          (CUT, ": the connection broke")],
                         ids=["refused", "garbage", "header", "large", "cut"])
async def test_no_access_token(google, answer, said):
    google.token_answers = [answer]
    with relay_for(google) as relay:
        async with binary(relay) as b:
            await b.send(wake("device-1"))
            await b.send(wake("device-2"))
            lines = await event(relay, "push_wake_send_failed", 2)
        assert {li["err"] for li in lines} == {"relay: fcm access-token fetch failed" + said}
        assert outcomes(relay) == {"token_fetch_failed": 2}
    assert google.sends == []


async def test_a_token_endpoint_that_is_down_for_a_moment(google):
    google.token_answers = [(503, {}, b""), None]
    with relay_for(google) as relay:
        async with binary(relay) as b:
            await b.send(wake("device-1"))
            await event(relay, "push_wake_sent")
    assert len(google.fetches) == 2


async def test_a_token_without_a_lifetime_serves_who_waits_for_it(google):
    google.token_answers = [(200, {}, b'{"access_token":"access-token-1","expires_in":0}')]
    with relay_for(google) as relay:
        async with binary(relay) as b:
            for i in range(2):
                await b.send(wake("device-1"))
                await event(relay, "push_wake_sent", i + 1)
    assert len(google.fetches) == 2 and len(google.sends) == 2


# ---- the processes

def test_push_is_off_and_says_so(relay):
    assert relay.events("push off: PYRYCODE_RELAY_FCM_CREDENTIALS unset")
    assert "relay-push" not in children(relay.process.pid)


@pytest.mark.parametrize("endpoint", ["", "http://localhost", "https://", "https://host/path", "https://u@host", "https://h h"])
def test_an_endpoint_that_is_none_is_refused(endpoint):
    r = run_relay("--insecure-listen", "127.0.0.1:18080", f"--push-endpoint={endpoint}")
    assert r.returncode == 2 and "refusing to start: invalid --push-endpoint" in r.stderr


def test_credentials_for_an_insecure_token_endpoint_are_refused(google):
    r = run_relay("--insecure-listen", "127.0.0.1:18080", env=google.env(token_uri="http://localhost/token"))
    assert r.returncode == 2
    assert not any(secret in r.stderr for secret in google.account.secrets())


async def test_a_process_that_is_killed_is_started_anew(google):
    google.answers["device-1"] = [HANG]
    with relay_for(google) as relay:
        await event(relay, "push_process_started")
        async with binary(relay) as b, phone(relay) as p:
            await b.send(wake("device-1"))
            await until(lambda: google.sends)
            os.kill(children(relay.process.pid)["relay-push"], signal.SIGKILL)
            line = (await event(relay, "push_process_died"))[0]
            assert line["err"] == "the push process was killed by signal 9"
            line = (await event(relay, "push_wake_send_failed"))[0]
            assert line["err"] == "relay: push process died"
            await learn_conn_id(b, p)
            await event(relay, "push_process_started", 2)
            await b.send(wake("device-2"))
            await event(relay, "push_wake_sent")
        assert outcomes(relay) == {"sent": 1, "send_failed": 1}
        assert metric(relay, "push_process_deaths_total") == 1
        assert metric(relay, "push_wakes_under_way") == 0
    assert google.sent_tokens() == ["device-1", "device-2"]


async def test_a_supervisor_that_is_killed_ends_push_and_nothing_else(google):
    google.answers["device-1"] = [HANG]
    with relay_for(google) as relay:
        async with binary(relay) as b, phone(relay) as p:
            await b.send(wake("device-1"))
            await until(lambda: google.sends)
            pids = children(relay.process.pid)
            os.kill(pids["relay-push-sv"], signal.SIGKILL)
            line = (await event(relay, "push_process_lost"))[0]
            assert line["level"] == "ERROR" and line["fix"]
            assert (await event(relay, "push_wake_send_failed"))[0]["err"] == "relay: push process is gone"
            await until(lambda: not pathlib.Path(f"/proc/{pids['relay-push']}/exe").exists())
            await b.send(wake("device-2"))
            assert (await event(relay, DROPPED))[0]["err"] == "relay: push process takes no wakes"
            await learn_conn_id(b, p)
        assert outcomes(relay) == {"send_failed": 1, "dropped": 1} and refusals(relay, "process") == 1


async def test_the_processes_end_with_a_relay_that_is_killed(google):
    relay = Relay(*google.flags(), env=google.env()).start()
    await event(relay, "push_process_started")
    pids = children(relay.process.pid)
    assert {"relay-push", "relay-push-sv"} <= set(pids)
    relay.process.kill()
    relay.process.wait()
    await until(lambda: not any(pathlib.Path(f"/proc/{pid}/exe").exists() for pid in pids.values()))


async def test_a_stopped_process_delays_no_frame_and_not_the_end(google):
    with relay_for(google) as relay:
        await event(relay, "push_process_started")
        pid = children(relay.process.pid)["relay-push"]
        os.kill(pid, signal.SIGSTOP)
        try:
            async with binary(relay) as b, phone(relay) as p:
                for i in range(6):
                    await b.send(wake(f"device-{i}" + "x" * 4000))
                for i in range(20):
                    await p.send(str(i))
                    assert json.loads(await recv(b))["frame"] == i
            assert metric(relay, "push_wakes_under_way") == 6
            relay.process.send_signal(signal.SIGTERM)
            await until(lambda: relay.process.poll() is not None)
        finally:  # it holds the end of the log, too
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    assert {li["err"] for li in relay.events("push_wake_send_failed")} == {"relay: push process did not answer"}
    assert relay.happened("push_wake_send_failed") == 6


# ---- who holds what

async def test_the_push_process_is_sealed(google):
    with relay_for(google) as relay:
        async with binary(relay) as b:
            await b.send(wake("device-1"))
            await event(relay, "push_wake_sent")  # by a process that is sealed
        pids = children(relay.process.pid)
        for name in ("relay-push", "relay-push-sv"):
            lines = pathlib.Path(f"/proc/{pids[name]}/status").read_text().splitlines()
            facts = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
            assert facts["NoNewPrivs"] == "1"
            assert {int(facts[k], 16) for k in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {0}
            assert SANITIZED or facts["Seccomp"] == "2"
        lines = relay.events("agent sealed") + relay.events("agent seal incomplete")
        assert [li["agent"] for li in lines] == ["push"]


def environment_of(pid):
    return pathlib.Path(f"/proc/{pid}/environ").read_bytes()


def memory_of(pid):
    """All of it that can be read, mapping by mapping."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            start, end = (int(part, 16) for part in line.split()[0].split("-"))
            if line.split()[1].startswith("r"):
                with contextlib.suppress(OSError, ValueError, OverflowError):
                    memory.seek(start)
                    yield memory.read(end - start)


def remote_ports(pid):
    """Where its TCP sockets are connected to."""
    sockets = set()
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            sockets.add(os.readlink(fd))
    table = [line.split() for line in pathlib.Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return {int(row[2].split(":")[1], 16) for row in table if f"socket:[{row[9]}]" in sockets}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: the processes are not dumpable")
async def test_who_serves_strangers_connects_to_nobody_and_holds_no_key(google):
    with relay_for(google) as relay:
        async with binary(relay) as b:
            await b.send(wake("device-1"))
            await event(relay, "push_wake_sent")
            pids = children(relay.process.pid)
            assert google.port not in remote_ports(relay.process.pid)
            assert google.port in remote_ports(pids["relay-push"]), "this is how it would be seen"
            secrets = [s.encode() for s in google.account.secrets()]
            assert not any(s in environment_of(relay.process.pid) for s in secrets)
            if SANITIZED:
                return  # a sanitizer keeps a copy of the environment
            for block in memory_of(relay.process.pid):
                assert not any(s in block for s in secrets)
            assert any(secrets[0] in block for block in memory_of(pids["relay-push-sv"])), "this is how it would be found"


async def test_30_with_push_the_live_text_is_what_is_documented(google):
    with relay_for(google) as relay:
        text = relay.get("/metrics", port=relay.metrics_port).split(b"\r\n\r\n", 1)[1].decode()
    found = {name: (kind, {k: v for k, v in labels.items() if k not in FREE})
             for name, (kind, labels) in families(text).items()}
    assert found == documented()
