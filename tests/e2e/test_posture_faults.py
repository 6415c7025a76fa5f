"""Every system call of the check fails in turn: it never crashes, and what it
would refuse never passes."""
import collections
import contextlib
import datetime
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile

import pytest

from conftest import clean_environment

STATIC = os.environ.get("POSTURE_STATIC")
UID = 65532

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not STATIC or not shutil.which("strace"),
                                reason="needs root, strace and the static command")

# Errors that say nothing of what was asked, and those of a sandbox.
ERRORS = ["EIO", "ENOMEM", "EINTR", "ENOSYS", "EMFILE", "EPERM", "EACCES"]
# Where those of a sandbox are the answer: it may not be written, reached or opened.
ANSWERS = {("faccessat2", "executable"), ("faccessat2", "root-filesystem"), ("faccessat2", "privileged-container"),
           ("faccessat2", "runtime-socket"), ("newfstatat", "runtime-socket"), ("openat", "privileged-container")}
# What starts and ends any program, and what strace cannot fail.
NOT_OURS = {"execve", "exit_group", "arch_prctl", "set_tid_address", "set_robust_list", "rseq", "mprotect", "rt_sigreturn",
            "clone", "fork", "vfork", "wait4", "exit"}


class Scenario:
    """A state in which almost every row fails, and how to check in it."""

    def __init__(self, top, who):
        self.top = top
        self.stack = contextlib.ExitStack()
        certs = top / "certs"
        certs.mkdir()
        certs.chmod(0o777)
        key = top / "key"
        key.write_text("secret")
        key.chmod(0o644)
        self.binary = top / "posture"
        shutil.copy(STATIC, self.binary)
        os.chown(self.binary, UID, UID)
        runtime = top / "docker.sock"
        server = self.stack.enter_context(socket.socket(socket.AF_UNIX))
        server.bind(str(runtime))
        server.listen()
        runtime.chmod(0o666)
        mounted = top / "mounted"
        mounted.touch()
        stray = self.stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        directory = os.open("/etc", os.O_RDONLY)
        self.stack.callback(os.close, directory)
        self.fds = [stray.fileno(), directory]
        shim = f'mount --bind {runtime} {mounted} && mount -t tmpfs -o mode=0777 none /etc && exec "$@"'
        self.prefix = ["unshare", "-m", "sh", "-c", shim, "sh", *who]
        self.command = [str(self.binary), "check", "--production", "--format=json", "--container", "--cert-cache",
                        str(certs), "--key-file", str(key), "--descriptors", "1000000000"]

    def run(self, *strace):
        return subprocess.run([*self.prefix, "strace", "-qq", *strace, *self.command], capture_output=True, text=True,
                              timeout=20, pass_fds=self.fds,
                              env=clean_environment(SSLKEYLOGFILE="/tmp/keys"))


WHO = {
    "root": [],
    "user": ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--inh-caps=+sys_admin",
             "--ambient-caps=+sys_admin"],
}


@pytest.fixture(params=list(WHO))
def scenario(request):
    top = pathlib.Path(tempfile.mkdtemp(prefix="faults-", dir="/var/tmp"))
    top.chmod(0o755)
    made = Scenario(top, WHO[request.param])
    yield made
    made.stack.close()
    shutil.rmtree(top)


def worst(text):
    """The verdicts by row; a failure weighs most."""
    order = ["not-applicable", "pass", "enforced", "unknown", "fail"]
    rows = {}
    for f in json.loads(text)["findings"]:
        rows[f["id"]] = max(rows.get(f["id"], "not-applicable"), f["verdict"], key=order.index)
    return rows


@pytest.mark.parametrize("error", ERRORS)
def test_each_call_fails_in_turn(scenario, error):
    calm = scenario.run("-o", "/dev/null", "-e", "trace=none")
    assert calm.returncode == 3, calm.stderr
    failing = {name for name, verdict in worst(calm.stdout).items() if verdict == "fail"}
    assert len(failing) >= 10, failing
    trace = scenario.top / "trace"
    trace.touch()
    trace.chmod(0o666)
    assert scenario.run("-o", str(trace)).returncode == 3
    calls = collections.Counter(m[1] for m in re.finditer(r"^([a-z0-9_]+)\(", trace.read_text(), flags=re.M))
    tried = 0
    for name, count in calls.items():
        if name in NOT_OURS:
            continue
        for n in range(1, count + 1):
            r = scenario.run("-o", "/dev/null", "-e", "trace=none", "-e", f"inject={name}:error={error}:when={n}")
            where = f"{name} number {n}: {error}"
            assert r.returncode in (3, 70), f"{where}: exit {r.returncode} {r.stderr}"
            tried += 1
            if r.returncode == 70:
                continue  # out of memory, or no output
            now = worst(r.stdout)
            passed = {row for row in failing if now.get(row) not in ("fail", "unknown")}
            if error in ("EPERM", "EACCES"):
                passed -= {row for call, row in ANSWERS if call == name}
            assert not passed, f"{where}: {passed} became {[now.get(row) for row in passed]}"
    assert tried > 100


# A state in which one row of the core refuses and no other: whatever fails, the program does not start.
NOBODY = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--no-new-privs", "--bounding-set=-all"]
CORE = {
    "running-as-root": (["setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"], []),
    "capabilities": ([*NOBODY[:-1], "--inh-caps=+sys_admin", "--ambient-caps=+sys_admin"], []),
    "cert-cache": ([*NOBODY, "--inh-caps=-all"], ["--cert-cache", "/var/tmp"]),
    "listeners": ([*NOBODY, "--inh-caps=-all"], []),
    "config": ([*NOBODY, "--inh-caps=-all"], ["--require-variable", "NEEDED"]),
}


UNTIL = datetime.datetime.now(datetime.timezone.utc).date() + datetime.timedelta(30)
WAIVERS = [f"--waive=traced:{UNTIL}:strace makes the calls fail", f"--waive=core-dumps:{UNTIL}:of the host that tests"]


@pytest.mark.parametrize("row", list(CORE))
def test_nothing_that_fails_starts_the_program(row):
    who, options = CORE[row]
    with tempfile.TemporaryDirectory(dir="/var/tmp") as top, socket.create_server(("127.0.0.1", 0)) as stray:
        os.chmod(top, 0o755)
        binary, trace = pathlib.Path(top) / "posture", pathlib.Path(top) / "trace"
        shutil.copy(STATIC, binary)
        trace.touch()
        trace.chmod(0o666)
        fds = [stray.fileno()] if row == "listeners" else []

        def start(*strace):
            return subprocess.run(["prlimit", "--core=0", *who, "strace", "-qq", *strace, str(binary), "run", "--production",
                                   *WAIVERS, *options, "--", "/bin/echo", "started"], capture_output=True, text=True, timeout=20,
                                  pass_fds=fds, env=clean_environment())

        calm = start("-o", str(trace))
        refused = {line.split()[1] for line in calm.stderr.splitlines() if line.startswith("REFUSE")}
        assert calm.returncode == 78 and refused == {row}, calm.stderr
        calls = collections.Counter(m[1] for m in re.finditer(r"^([a-z0-9_]+)\(", trace.read_text(), flags=re.M))
        for name, count in calls.items():
            if name in NOT_OURS:
                continue
            for n in range(1, count + 1):
                for error in ("EIO", "EPERM", "ENOENT"):
                    if (row, name, error) == ("cert-cache", "newfstatat", "ENOENT"):
                        continue  # then it is not there
                    r = start("-o", "/dev/null", "-e", "trace=none", "-e", f"inject={name}:error={error}:when={n}")
                    assert "started" not in r.stdout and r.returncode != 0, f"{name} number {n}: {error}: {r.stderr}"
