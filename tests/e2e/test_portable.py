"""The relay built with the facts of other systems than Linux: it says once
what it does not look at, and still judges what every system tells."""
import os
import platform
import subprocess

import pytest

from conftest import PORTABLE_RELAY_BIN, Relay, clean_environment, free_port


@pytest.fixture
def portable():
    relay = Relay(binary=PORTABLE_RELAY_BIN, metrics=True)
    yield relay.start()
    relay.stop()


def test_skipped_checks_are_said_once_and_it_serves(portable):
    system = platform.system().lower()
    notices = portable.events(f"running on {system}, skipping linux-only checks")
    assert [n["level"] for n in notices] == ["WARN"]
    assert portable.get("/healthz").startswith(b"HTTP/1.1 200")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_is_refused_there_too():
    port = free_port()
    run = subprocess.run([PORTABLE_RELAY_BIN, "--insecure-listen", f"127.0.0.1:{port}"],
                         env=clean_environment(PYRYCODE_RELAY_PRODUCTION="1"), capture_output=True, text=True, timeout=15)
    assert run.returncode == 2
    assert "ErrRunningAsRoot" in run.stderr
    assert "ErrInsecureListenInProduction" in run.stderr
