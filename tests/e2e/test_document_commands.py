"""Every command of the documents is run here as it is written, or by what is named here for it."""
import os
import pathlib
import re
import shlex
import signal
import subprocess

import pytest
from conftest import PATIENCE, clean_environment, parse_line
from test_documents import DOCUMENTS, TOP, cases_in, flags_of_help

RELEASE = pathlib.Path(os.environ.get("RELEASE_DIR", str(TOP / "build" / "release"))).resolve()
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="makes namespaces")
PROGRAMS = ("posture", "out/bin/posture", "out/bin/pyrycode-relay", "pyrycode-relay", "make", "curl", "cc", "docker", "kubectl",
            "skopeo", "fly", "sudo", "sudoedit", "systemctl", "chmod", "chown", "ls", "meson", "/usr/bin/python3", "podman")
RUNBOOK_FIX = re.compile(r"    (bare|docker|podman|kubernetes|fly|systemd) {2,}")  # compared with `posture explain`


def commands_of(document):
    """The command lines of its blocks, continued ones joined, without what a comment says of them."""
    text = document.read_text().replace("\\\n", " ")
    for line in re.findall(r"^    (.*)$", text, re.M):
        command = re.sub(r"\s+#( .*)?$", "", re.sub(r"^\$ ", "", line)).strip()
        words = [word for word in command.split() if not re.match(r"[A-Z_]+=", word)]
        if words and words[0] in PROGRAMS and not RUNBOOK_FIX.match("    " + line):
            yield " ".join(command.split())


def all_commands():
    return {command: document.name for document in DOCUMENTS for command in commands_of(document)
            if document.name != "architecture.md"}


# ---- those that something else runs

GATE = ".ci/run"  # the command of the document is a line of it
ELSEWHERE = {
    "make test": GATE, "make lint": GATE, "make bench-guard": GATE, "make deb-test": GATE,
    "make ci": "is " + GATE,
    "make deb": "tools/deb_test.py",
    "make image": "test_packaging_image.py::test_*",
    "make bench": "test_bench.py::test_*", "make bench-posture": "test_posture_run.py::test_*",
    "make soak": "test_relay_misbehaviour.py::test_*", "make fuzz": "fuzz/meson.build",
    "meson test -C build/asan wire/json relay/races": "tools/run_tests.py",
    "RELAY_BIN=build/asan/src/pyrycode-relay RELAY_THREADS=2 /usr/bin/python3 -m pytest tests/e2e/test_relay_data.py -k test_56":
        "tools/run_tests.py",
    "cc -o myd myd.c $(pkg-config --cflags --libs libposture)": "test_library.py::test_the_daemon_of_the_document_works",
    # by systemd in a root of its own, from the package
    "sudo apt install ./out/deb/pyrycode-relay_*.deb": "tools/deb_test.py",
    "sudoedit /etc/default/pyrycode-relay": "tools/deb_test.py",
    "sudo systemctl enable --now pyrycode-relay-https.socket pyrycode-relay-http.socket pyrycode-relay.service":
        "tools/deb_test.py",
    "systemctl status pyrycode-relay": "tools/deb_test.py",
}


def test_what_runs_a_command_elsewhere_is_there():
    for command, where in ELSEWHERE.items():
        if where == GATE:
            assert f"run {command}\n" in (TOP / GATE).read_text(), command
        elif "::" in where:
            assert cases_in(where.split("::")[0]), where
        else:
            assert (TOP / where.removeprefix("is ")).exists(), where


# ---- those whose program is of a platform that is not here

ABSENT = ("docker", "kubectl", "skopeo", "fly")


@pytest.mark.parametrize("command", [c for c in all_commands() if c.split()[0] in ABSENT])
def test_what_a_platform_is_given_is_there(command):
    """The files exist (test_packaging_*.py judge what is in them), and so do the flags of ours that it passes on."""
    words = shlex.split(command)
    for path in (word for word in words if word.startswith("packaging/")):
        assert (TOP / path).exists(), path
    if "--domain=relay.example.com" in words:
        ours = words[words.index("--domain=relay.example.com"):]
        assert {word.split("=")[0] for word in ours} <= {flag.split()[0] for flag in flags_of_help()}


# ---- those that are run

LOOPBACK_UP = """import fcntl, socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
fcntl.ioctl(s, 0x8914, struct.pack("16sh22x", b"lo", 0x49))"""
# A machine of its own as far as the documents touch one: its network, its
# /etc, the directories that are written to.
NETWORK = '/usr/bin/python3 -c "$LOOPBACK_UP"'
WORLD = """set -e
mkdir "$SCRATCH/etc" "$SCRATCH/bin"
cp -a /etc/. "$SCRATCH/etc"
mount --bind "$SCRATCH/etc" /etc
for directory in /var/lib /usr/local/bin /run; do
    mount -t tmpfs -o mode=755 none "$directory"
done
printf '#!/bin/sh\\nexec "$@"\\n' >"$SCRATCH/bin/sudo"
chmod 755 "$SCRATCH/bin/sudo"
ln -s "$RELEASE/src/pyrycode-relay" "$RELEASE/posture/posture" "$SCRATCH/bin"
export PATH="$SCRATCH/bin:$PATH:/usr/sbin:/sbin"
set +e
""" + NETWORK
SERVING = "pyrycode-relay --insecure-listen 127.0.0.1:8080 2>$SCRATCH/log & " \
          "until grep -q 'msg=sealed' $SCRATCH/log; do sleep 0.05; done; sleep 0; "


def start(tmp_path, script, world=WORLD):
    env = clean_environment(SCRATCH=str(tmp_path), RELEASE=str(RELEASE), LOOPBACK_UP=LOOPBACK_UP, HOME=str(tmp_path))
    return subprocess.Popen(["unshare", "--mount", "--net", "bash", "-c", f"{world}\n{script}"], cwd=TOP, env=env,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(tmp_path, script):
    process = start(tmp_path, script)
    try:
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, out, err


def serve(tmp_path, script):
    """A relay that serves, is told to end, and ends well; its log."""
    process = start(tmp_path, script)
    lines = []
    try:
        for line in process.stderr:
            lines.append(parse_line(line.rstrip("\n")))
            if lines[-1]["msg"] == "starting metrics listener":
                process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0, [line for line in lines if line["level"] == "ERROR"]
    finally:
        process.kill()
    events = [line["msg"] for line in lines]
    assert "sealed" in events and events[-1] == "shutdown complete", lines
    return lines


MAKE_TAKE_OVER_DIRECTORY = "mkdir -m 0700 /run/pyrycode-relay; "
# Whoever serves TLS on every address is not root with all that root may.
AS_SERVICE = "install -d -m 0700 -o 65532 -g 65532 /run/home /var/lib/staging; export HOME=/run/home; set -- setpriv " \
             "--reuid=65532 --regid=65532 --clear-groups --bounding-set=-all,+net_bind_service " \
             "--inh-caps=-all,+net_bind_service --ambient-caps=-all,+net_bind_service --no-new-privs; "
BARE = [c for c in commands_of(TOP / "docs/deployment.md") if c.startswith(("make build", "sudo install", "sudo useradd", "sudo env"))]

SERVES = {  # what comes first, where something must
    "pyrycode-relay --domain relay.example.com": AS_SERVICE,
    "pyrycode-relay --insecure-listen 127.0.0.1:8080": "",
    "pyrycode-relay --insecure-listen 127.0.0.1:8080 --trusted-proxy 127.0.0.1": "",
    "pyrycode-relay --insecure-listen 127.0.0.1:8080 --take-over /run/pyrycode-relay/take-over": MAKE_TAKE_OVER_DIRECTORY,
    "pyrycode-relay --domain relay.example.com --cert-cache /var/lib/staging "
    "--acme-directory https://acme-staging-v02.api.letsencrypt.org/directory": AS_SERVICE,
}


@needs_root
@pytest.mark.parametrize("command", SERVES)
def test_a_relay_serves(tmp_path, command):
    tmp_path.chmod(0o755)
    serve(tmp_path, f'{SERVES[command]}exec "$@" {command}')


ASKS = {  # what it needs; its exit statuses; what it says
    "out/bin/posture check --production": ("", {0, 3}, r"running-as-root"),
    "out/bin/posture explain running-as-root": ("", {0}, r"ErrRunningAsRoot"),
    "PYRYCODE_RELAY_PRODUCTION=1 out/bin/pyrycode-relay --insecure-listen 0.0.0.0:8080": ("", {2}, r"ErrInsecureListenInProduction"),
    "curl -s http://127.0.0.1:9090/readyz": (SERVING, {0}, r"ready"),
    "pyrycode-relay --healthcheck": (SERVING, {0}, r"^healthy"),
    "posture check": ("", {0}, r"running-as-root"),
    "posture check --format=json": ("", {0}, r'"findings"'),
    "posture check --production --cert-cache /var/lib/relay/certs --expect-listener 0.0.0.0:443 --phase=bound":
        ("", {3}, r"ErrUnexpectedListener"),
    "posture check --allow-activation": ("", {0}, r"listeners"),
    "posture check --production": ("", {0, 3}, r"running-as-root"),
    "posture list": ("", {0}, r"running-as-root"),
    "posture explain capabilities": ("", {0}, r"kubernetes"),
    "posture suggest --for kubernetes": ("", {0}, r"runAsNonRoot: true"),
    "posture run --production -- PROGRAM ARGS…": ("", {0, 78}, r""),
    "posture run --seal=no-new-privs,bind=8080,write=/var/lib/app,syscalls -- PROGRAM": ("mkdir /var/lib/app; ", {0}, r""),
    "posture policy lint FILE": ("", {0}, r""),
    "posture check --production --format=json | jq '.findings[] | select(.action==\"refuse\") | .fix'": ("", {0}, r""),
    "ls -l /proc/PID/fd; ss -lntp": (SERVING, {0}, r"socket:"),
    "sudo install -d -m 0700 -o USER /var/lib/relay/certs": ("", {0}, r""),
    "chmod 0600 DIR/*": ("mkdir $SCRATCH/dir; touch $SCRATCH/dir/key; ", {0}, r""),
    "chown 65532:65532 /data && chmod 0700 /data": ("mkdir $SCRATCH/data; ", {0}, r""),
}
STANDS_FOR = {"PROGRAM ARGS…": "true", "PROGRAM": "true", "FILE": "posture/presets/docker.ini", "PID": "$!", "USER": "nobody",
              "DIR": "$SCRATCH/dir",
              "/data": "$SCRATCH/data"}


def ask(tmp_path, command):
    first, statuses, said = ASKS[command]
    script = command
    for word, stand_in in STANDS_FOR.items():
        script = re.sub(rf"(?<!\w){re.escape(word)}", lambda _, text=stand_in: text, script)
    if command.startswith("chown"):
        script += ' && test "$(stat -c %u:%a $SCRATCH/data)" = 65532:700'
    status, out, err = run(tmp_path, f"{first}{script}; status=$?; kill $! 2>/dev/null; exit $status" if first else script)
    assert status in statuses, out + err
    assert re.search(said, out + err, re.M), out + err


@needs_root
@pytest.mark.parametrize("command", [command for command in ASKS if "out/bin" not in command])
def test_a_command_does_what_is_said(tmp_path, command):
    ask(tmp_path, command)


def make_run(tmp_path):
    """As the README has it: it builds, serves, says what to try, and ends when told to."""
    process = start(tmp_path, "exec make run", NETWORK)
    try:
        for line in process.stdout:
            if line.startswith("listening on http://127.0.0.1:8080"):
                break
        else:
            pytest.fail(process.stderr.read())
        subprocess.run(["pkill", "-TERM", "-P", str(process.pid), "run.sh"], check=True)
        process.wait(PATIENCE)
    finally:
        process.kill()
    assert "shutdown complete" in process.stderr.read()


@needs_root
def test_the_commands_of_a_build_from_source(tmp_path):
    """One after the other: all of them write to out/, or read what is there."""
    tmp_path.chmod(0o755)
    make_run(tmp_path)
    for number, command in enumerate(command for command in ASKS if "out/bin" in command):
        (tmp_path / str(number)).mkdir()
        ask(tmp_path / str(number), command)
    assert subprocess.run(BARE[0].split(), cwd=TOP, capture_output=True).returncode == 0
    serve(tmp_path, "; ".join(["set -e", *BARE[1:-1], f"exec {BARE[-1].removeprefix('sudo ')}"]))


def test_every_command_is_run_somewhere():
    there = {command for command in all_commands() if command.split()[0] not in ABSENT}
    here = {*ELSEWHERE, *SERVES, *ASKS, "make run", "make build", *BARE,
            "curl -s https://relay.example.com/healthz"}  # test_relay_health.py asks it over TLS
    assert there == here | set(BARE)
