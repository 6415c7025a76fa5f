"""Command line and boot: numbers 1 to 17 of the compatibility checklist."""
import os
import pathlib
import socket
import subprocess

import pytest
from conftest import Relay, clean_environment, free_port, parse_line, plain_only, run_relay

NON_ROOT = ["setpriv", "--reuid", "65532", "--regid", "65532", "--clear-groups", "--inh-caps=-all",
            "--bounding-set=-all"]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def error_lines(result):
    return [f for f in map(parse_line, result.stderr.splitlines()) if f["level"] == "ERROR"]


def assert_nothing_listens(port):
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


def test_01_version_even_with_invalid_settings():
    r = run_relay("--version", "--max-connections=0", env={"PYRYCODE_RELAY_PRODUCTION": "maybe"})
    assert (r.returncode, r.stderr) == (0, "")
    assert r.stdout.count("\n") == 1 and len(r.stdout) > 1


def test_02_no_mode():
    r = run_relay("--metrics-listen=")
    assert r.returncode == 2
    assert ("either --domain (for autocert) or --insecure-listen (for behind-proxy mode) must be set"
            in [f["msg"] for f in error_lines(r)])


def test_03_exclusive_http_listen_even_with_its_default():
    r = run_relay("--insecure-listen", "127.0.0.1:18080", "--http-listen=:80")
    assert r.returncode == 2
    assert any("mutually exclusive" in f["msg"] and f["fix"] for f in error_lines(r))


@pytest.mark.parametrize("flag", ["--https-listen=:443", "--https-proxy-protocol", "-https-proxy-protocol=false"])
def test_04_exclusive_tls_flags(flag):
    r = run_relay("--insecure-listen", "127.0.0.1:18080", flag)
    assert r.returncode == 2
    assert "mutually exclusive" in r.stderr


@plain_only
def test_05_insecure_wins_over_domain():
    relay = Relay("--domain", "relay.example.com").start()
    assert relay.wait_event("starting")[0]["mode"] == "insecure"
    assert relay.stop() == 0


@pytest.mark.parametrize("value", ["0", "-1"])
def test_06_connection_cap_must_be_positive(value):
    r = run_relay("--insecure-listen", "127.0.0.1:18080", f"--max-connections={value}")
    assert r.returncode == 2
    line = [f for f in error_lines(r) if f["msg"] == "refusing to start: invalid --max-connections"][0]
    assert value in line["value"] and line["fix"]


@pytest.mark.parametrize("args", [["--nope"], ["--max-connections=many"], ["--domain"],
                                  ["--trust-x-forwarded-for=maybe"]])
def test_07_bad_flags_are_one_line(args):
    r = run_relay(*args)
    assert r.returncode == 2
    assert r.stdout == "" and r.stderr.count("\n") == 1 and args[0].split("=")[0] in r.stderr


@pytest.mark.parametrize("value", ["true", "0", "", " 1"])
def test_08_09_production_is_1_or_unset(value):
    port = free_port()
    r = run_relay("--insecure-listen", f"127.0.0.1:{port}", env={"PYRYCODE_RELAY_PRODUCTION": value})
    assert r.returncode == 2
    line = [f for f in error_lines(r) if f["msg"] == "refusing to start: invalid env-var config"][0]
    assert line["env_var"] == "PYRYCODE_RELAY_PRODUCTION"
    assert f'got "{value}"' in line["reason"] and line["fix"]
    assert_nothing_listens(port)


def test_10_credentials_never_appear():
    r = run_relay("--insecure-listen", "127.0.0.1:18080", env={"PYRYCODE_RELAY_FCM_CREDENTIALS": "garbage"})
    assert r.returncode == 2
    assert "garbage" not in r.stderr + r.stdout
    assert "PYRYCODE_RELAY_FCM_CREDENTIALS" in r.stderr


@plain_only
def test_11_scale_out_platform():
    """Warns in development, refuses in production, passes when asserted."""
    relay = Relay(env={"FLY_APP_NAME": "x"}).start()
    lines = [f for f in map(parse_line, relay.lines) if f.get("check") == "single-instance"]
    assert lines and lines[0]["bypass_env_var"] == "PYRYCODE_RELAY_SINGLE_INSTANCE" and lines[0]["level"] == "WARN"
    assert relay.stop() == 0
    r = run_relay("--insecure-listen", "127.0.0.1:18080",
                  env={"FLY_APP_NAME": "x", "PYRYCODE_RELAY_PRODUCTION": "1"})
    assert r.returncode == 2 and "PYRYCODE_RELAY_SINGLE_INSTANCE" in r.stderr
    relay = Relay(env={"FLY_APP_NAME": "x", "PYRYCODE_RELAY_SINGLE_INSTANCE": "1"}).start()
    assert "multi-instance" not in relay.text()
    assert relay.stop() == 0


def test_12_plaintext_in_production():
    port = free_port()
    r = run_relay("--insecure-listen", f"127.0.0.1:{port}", env={"PYRYCODE_RELAY_PRODUCTION": "1"})
    assert r.returncode == 2
    lines = [f for f in error_lines(r) if f.get("check") == "plaintext-listener"]
    assert lines[0]["msg"] == "refusing to start: production-mode misconfiguration"
    assert lines[0]["env_var"] == "PYRYCODE_RELAY_PRODUCTION"
    assert_nothing_listens(port)


@needs_root
def test_13_root_in_production():
    r = run_relay("--domain", "relay.example.com", env={"PYRYCODE_RELAY_PRODUCTION": "1"})
    assert r.returncode == 2
    line = [f for f in error_lines(r) if f.get("check") == "running-as-root"][0]
    assert line["effective_uid"] == "0" and line["observed"] and line["expected"] and line["fix"]
    assert "ErrRunningAsRoot" in line["err"]


@needs_root
def test_14_capabilities(tmp_path):
    env = {"PYRYCODE_RELAY_PRODUCTION": "1"}
    base = ["setpriv", "--reuid", "65532", "--regid", "65532", "--clear-groups"]
    args = ["--domain", "relay.example.com", "--metrics-listen=", "--cert-cache", str(tmp_path / "missing"),
            f"--acme-directory=https://127.0.0.1:{free_port()}/dir"]
    r = run_relay(*args, env=env, prefix=[*base, "--inh-caps=+sys_admin,+chown", "--ambient-caps=+sys_admin,+chown"])
    assert r.returncode == 2
    line = [f for f in error_lines(r) if f.get("check") == "capabilities"][0]
    assert line["msg"] == "refusing to start: unexpected Linux capabilities"
    assert "CAP_SYS_ADMIN (bit 21)" in line["observed"] and "CAP_CHOWN (bit 0)" in line["observed"]
    r = run_relay(*args, env=env,
                  prefix=[*base, "--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service"])
    assert not [f for f in error_lines(r) if f.get("check") == "capabilities"], r.stderr


@pytest.mark.parametrize("value", ["0.0.0.0:9090", "localhost:9090", "127.0.0.1:0", ":9090", "127.0.0.1"])
def test_15_metrics_address(value):
    r = run_relay("--insecure-listen", "127.0.0.1:18080", f"--metrics-listen={value}")
    assert r.returncode == 2
    line = [f for f in error_lines(r) if f["msg"] == "refusing to start: invalid --metrics-listen address"][0]
    assert line["value"] == value and line["fix"]


def test_15_metrics_off():
    relay = Relay().start()
    assert not relay.events("starting metrics listener")
    assert relay.stop() == 0


@pytest.mark.parametrize("value", ["127.0.0.1:0", "127.0.0.1:http", "127.0.0.1", "example.com:80", "127.0.0.1:65536"])
def test_16_listener_address(value):
    r = run_relay("--insecure-listen", value)
    assert r.returncode == 2
    assert "refusing to start: invalid listener address" in [f["msg"] for f in error_lines(r)]


def test_17_bind_conflict():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        r = run_relay("--insecure-listen", address, "--metrics-listen=")
    assert r.returncode == 1
    line = [f for f in error_lines(r) if f["msg"] == "listener failed"][0]
    assert line["addr"] == address and line["err"]


def test_several_failures_several_lines_one_exit():
    port = free_port()
    r = run_relay("--insecure-listen", f"127.0.0.1:{port}", "--max-connections=0", "--metrics-listen=localhost:1",
                  env={"PYRYCODE_RELAY_PRODUCTION": "1", "PYRYCODE_RELAY_SINGLE_INSTANCE": "yes"})
    lines = [f for f in error_lines(r) if "check" in f]
    assert r.returncode == 2 and len(lines) >= 4
    assert [f["n"] for f in lines] == [f"{i + 1} of {len(lines)}" for i in range(len(lines))]
    for line in lines:
        assert line["err"] and line["observed"] and line["expected"] and line["fix"]
    assert_nothing_listens(port)


@pytest.mark.parametrize("page", ["--help", "--help-certificates", "--help-limits"])
def test_help_fits_a_screen(page):
    r = run_relay(page)
    assert r.returncode == 0 and r.stderr == ""
    assert len(r.stdout.splitlines()) <= 24 and max(map(len, r.stdout.splitlines())) <= 80


@needs_root
def test_inherited_listener_is_named(tmp_path):
    with socket.socket() as leaked:
        leaked.bind(("127.0.0.1", 0))
        leaked.listen()
        port = leaked.getsockname()[1]
        own = free_port()
        code = (f"import os; os.dup2({leaked.fileno()}, 5); os.execv({clean_relay()!r}, ['relay', "
                f"'--domain', 'relay.example.com', '--metrics-listen=', '--https-listen=127.0.0.1:{own}', "
                f"'--cert-cache', {str(tmp_path / 'c')!r}])")
        r = subprocess.run(["/usr/bin/python3", "-c", code], pass_fds=[leaked.fileno()], capture_output=True,
                           text=True, env=clean_environment(), timeout=15)
    line = [f for f in error_lines(r) if f.get("check") == "listeners"][0]
    assert r.returncode == 2
    assert str(port) in line["observed"] and "5" in line["observed"]
    assert_nothing_listens(own)


def clean_relay():
    from conftest import RELAY_BIN
    return str(pathlib.Path(RELAY_BIN).resolve())
