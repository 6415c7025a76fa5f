"""The seal of a serving relay, read from the kernel."""
import os
import shutil
import signal
import subprocess

import pytest
from conftest import RELAY_BIN, Relay, run_relay

SANITIZED = any(name in open(RELAY_BIN, "rb").read() for name in (b"__asan_init", b"__tsan_init"))


def status(relay):
    with open(f"/proc/{relay.process.pid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def test_the_kernel_says_that_it_is_sealed(relay):
    facts = status(relay)
    assert facts["NoNewPrivs"] == "1"
    assert {int(facts[k], 16) for k in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {0}
    if not SANITIZED:
        assert facts["Seccomp"] == "2"
        relay.wait_until(lambda: relay.events("sealed") + relay.events("seal incomplete"))
        events = relay.events("sealed") + relay.events("seal incomplete")
        assert len(events) == 1 and "syscalls" in events[0].get("enforced", "syscalls")
    assert relay.get("/healthz").startswith(b"HTTP/1.1 200")


@pytest.mark.skipif(not SANITIZED, reason="only a build with sanitizers lacks a part of the seal for certain")
def test_an_incomplete_seal_is_refused_when_it_is_required():
    r = run_relay("--insecure-listen", "127.0.0.1:18090", "--metrics-listen=", "--require-seal")
    assert r.returncode == 2
    assert "refusing to start: the seal is incomplete" in r.stderr and "syscalls (this build has sanitizers)" in r.stderr


@pytest.mark.skipif(SANITIZED, reason="a build with sanitizers lacks a part of the seal")
def test_a_whole_seal_satisfies_the_requirement():
    relay = Relay("--require-seal").start()
    assert len(relay.wait_event("sealed")) == 1
    assert relay.stop() == 0


# Once it is sealed, the first close makes a call that the seal does not know.
VIOLATOR = """
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int close(int fd)
{
    if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 2)
        (void)syscall(SYS_sethostname, "x", 1);
    return (int)syscall(SYS_close, fd);
}
"""


@pytest.mark.skipif(SANITIZED or not shutil.which("cc"), reason="a build with sanitizers has no filter; needs a compiler")
def test_a_violation_is_named_before_the_end(tmp_path):
    (tmp_path / "violator.c").write_text(VIOLATOR)
    library = tmp_path / "violator.so"
    subprocess.run(["cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", str(library), str(tmp_path / "violator.c")], check=True)
    relay = Relay(env={"LD_PRELOAD": str(library)})
    with pytest.raises(AssertionError, match="did not start"):
        relay.start()
    assert relay.process.wait(timeout=15) == -signal.SIGSYS
    relay.reader.join(timeout=15)
    [violation] = relay.events("seal violated: system call refused; ending")
    assert violation["level"] == "ERROR" and violation["syscall"] == "sethostname"


@pytest.mark.skipif(os.geteuid() != 0, reason="reads the environment of another process")
def test_nothing_dumps_a_sealed_relay(relay):
    with open(f"/proc/{relay.process.pid}/limits") as f:
        core = [line for line in f if line.startswith("Max core file size")][0].split()
    assert SANITIZED or core[4:6] == ["0", "0"]
