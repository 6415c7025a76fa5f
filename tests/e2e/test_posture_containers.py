"""Real containers: each state in a table with the verdict of every invariant."""
import json
import os
import pathlib
import re
import resource
import shutil
import socket
import subprocess
import tempfile
import time
import uuid

import pytest

from conftest import clean_environment

STATIC = os.environ.get("POSTURE_STATIC")
RELEASE = os.environ.get("RELEASE_DIR")
UID = 65532
NO_CORES = 0 if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0 else 1  # see test_posture_kernel.py
CORE_PATTERN = open("/proc/sys/kernel/core_pattern").read()
CORES_LEAK = CORE_PATTERN[0] == "@" or (CORE_PATTERN[0] == "|" and NO_CORES == 0)
SMALL_MACHINE = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") <= 4 << 30
DOCKER_CAPS = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID",
               "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL",
               "CAP_AUDIT_WRITE"]

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not STATIC or not shutil.which("runc"),
                                reason="needs root, runc and the static command")

# Of the hardened container.
ALL_FINE = {
    "config": "pass", "running-as-root": "pass", "capabilities": "pass", "cert-cache": "pass",
    "plaintext-listener": "pass", "listeners": "pass", "single-instance": "not-applicable", "no-way-back": "pass",
    "loader-environment": "pass", "traced": "pass", "executable": "pass", "inherited-descriptors": "pass",
    "runtime-socket": "pass", "descriptor-limit": "pass", "key-files": "pass", "clock": "pass", "entropy": "pass",
    "personality": "pass", "privileged-container": "pass", "host-namespaces": "pass", "privileged-group": "pass",
    "root-filesystem": "pass", "memory-limit": "pass", "confinement": "pass",
    "core-dumps": "fail" if CORES_LEAK else "pass",
}
NO_LIMIT = "pass" if SMALL_MACHINE else "fail"


def copy_with_libraries(binary, root, to):
    shutil.copy(binary, root / to)
    (root / to).chmod(0o555)
    for path in re.findall(r"(/\S+) \(0x", subprocess.run(["ldd", str(binary)], capture_output=True, text=True).stdout):
        target = root / path[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
        target.chmod(0o555)


@pytest.fixture(scope="module")
def rootfs():
    root = pathlib.Path(tempfile.mkdtemp(prefix="rootfs-", dir="/var/tmp"))
    root.chmod(0o755)
    for name in ("proc", "sys", "dev", "run", "etc", "usr", "lib", "tmp", "data", "secrets"):
        (root / name).mkdir()
    shutil.copy(STATIC, root / "posture")
    (root / "posture").chmod(0o555)
    copy_with_libraries(pathlib.Path(RELEASE) / "src" / "pyrycode-relay", root, "relay")
    os.chown(root / "data", UID, UID)
    (root / "data").chmod(0o700)
    (root / "secrets" / "key").write_text("secret")
    os.chown(root / "secrets" / "key", 0, UID)
    (root / "secrets" / "key").chmod(0o440)
    (root / "run" / "docker.sock").touch()
    probe = run(hardened(root, ["/posture", "list"]))
    try:
        if probe.returncode != 0:
            pytest.skip(f"runc cannot run a container here: {probe.stderr.strip()[-200:]}")
        yield root
    finally:
        shutil.rmtree(root)


def hardened(rootfs, args):
    """What the documents recommend: a user, nothing held, read-only, limited."""
    none = {name: [] for name in ("bounding", "effective", "permitted", "inheritable", "ambient")}
    return {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": UID, "gid": UID}, "args": args, "env": ["PATH=/"], "cwd": "/", "capabilities": none,
            "rlimits": [{"type": "RLIMIT_CORE", "hard": NO_CORES, "soft": NO_CORES}, {"type": "RLIMIT_NOFILE", "hard": 4096, "soft": 4096}],
            "noNewPrivileges": True,
        },
        "root": {"path": str(rootfs), "readonly": True},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
            {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
             "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]},
        ],
        "linux": {
            "resources": {"memory": {"limit": 256 << 20}},
            "cgroupsPath": f"/posture-{uuid.uuid4().hex[:8]}",
            "namespaces": [{"type": t} for t in ("pid", "ipc", "uts", "mount", "network")],
            "maskedPaths": ["/proc/acpi", "/proc/kcore", "/proc/keys", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
            "seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
                {"names": ["kexec_load"], "action": "SCMP_ACT_ERRNO"}]},
        },
    }


CHECK = ["/posture", "check", "--production", "--format=json", "--container", "--cert-cache", "/data", "--key-file",
         "/secrets/key", "--descriptors", "4096"]


def run(spec, *options, **more):
    with tempfile.TemporaryDirectory(prefix="bundle-") as bundle:
        (pathlib.Path(bundle) / "config.json").write_text(json.dumps(spec))
        return subprocess.run(["runc", "run", *options, "--bundle", bundle, f"posture-{uuid.uuid4().hex[:12]}"],
                              capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL,
                              env=clean_environment(), **more)


def verdicts(r):
    assert r.stdout.startswith("{"), r.stdout + r.stderr
    order = ["none", "warn", "refuse"]
    rows = {}
    for f in json.loads(r.stdout)["findings"]:
        if f["id"] not in rows or order.index(f["action"]) > order.index(rows[f["id"]]["action"]):
            rows[f["id"]] = f
    return rows


# ---- what is changed in the hardened container, and what that row says then ----

def hold(*names, ambient=True):
    def change(spec):
        caps = spec["process"]["capabilities"]
        for kind in ("bounding", "effective", "permitted") + (("inheritable", "ambient") if ambient else ()):
            caps[kind] = list(names)
    return change


def uid_0(spec):
    spec["process"]["user"] = {"uid": 0, "gid": 0}


def bounding_of_docker(spec):
    spec["process"]["capabilities"]["bounding"] = DOCKER_CAPS


def no_new_privs_off(spec):
    spec["process"]["noNewPrivileges"] = False


def writable_root(spec):
    spec["root"]["readonly"] = False


def without_namespace(kind):
    def change(spec):
        spec["linux"]["namespaces"] = [n for n in spec["linux"]["namespaces"] if n["type"] != kind]
    return change


def no_seccomp(spec):
    del spec["linux"]["seccomp"]


def no_memory_limit(spec):
    spec["linux"]["resources"] = {}


def cores(spec):
    spec["process"]["rlimits"][0] = {"type": "RLIMIT_CORE", "hard": 1 << 30, "soft": 0}


def few_descriptors(spec):
    spec["process"]["rlimits"][1] = {"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}


def preload(spec):
    spec["process"]["env"].append("LD_PRELOAD=/nonexistent.so")


def group_999(spec):
    spec["process"]["user"]["additionalGids"] = [42]


def proc_option(*options):
    def change(spec):
        spec["mounts"][0]["options"] = list(options)
    return change


def docker_defaults(spec):
    for change in (uid_0, hold(*DOCKER_CAPS, ambient=False), no_new_privs_off, writable_root, no_memory_limit):
        change(spec)


def privileged(spec):
    for change in (docker_defaults, no_seccomp):
        change(spec)
    spec["linux"]["maskedPaths"] = spec["linux"]["readonlyPaths"] = []
    hold(*ALL_CAPS, ambient=False)(spec)
    spec["mounts"][2]["options"] = ["nosuid", "noexec", "nodev"]
    spec["mounts"][1] = {"destination": "/dev", "type": "bind", "source": "/dev", "options": ["rbind", "rw"]}


def user_namespace(spec):
    uid_0(spec)
    spec["linux"]["namespaces"].append({"type": "user"})
    spec["linux"]["uidMappings"] = spec["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]


def all_caps():
    last = int(open("/proc/sys/kernel/cap_last_cap").read())
    held = int(re.search(r"CapBnd:\t(\w+)", open("/proc/self/status").read())[1], 16)
    names = subprocess.run(["capsh", f"--decode={held & ((2 << last) - 1):x}"], capture_output=True, text=True).stdout
    return [name.upper() for name in names.strip().split("=")[1].split(",") if name.startswith("cap_")]


ALL_CAPS = all_caps() if shutil.which("capsh") else DOCKER_CAPS
NOT_DUMPED = ALL_FINE["core-dumps"]
CASES = {
    "hardened": ([], {}),
    "uid 0": ([uid_0], {"running-as-root": "fail", "cert-cache": "fail", "key-files": "fail"}),
    "docker's defaults": ([docker_defaults], {
        "running-as-root": "fail", "capabilities": "fail", "no-way-back": "fail", "cert-cache": "fail", "key-files": "fail",
        "root-filesystem": "not-applicable", "memory-limit": NO_LIMIT}),
    "no_new_privs off, bounding set empty": ([no_new_privs_off], {}),
    "no_new_privs off": ([no_new_privs_off, bounding_of_docker], {"no-way-back": "fail"}),
    "no_new_privs on, bounding set of docker": ([bounding_of_docker], {}),
    "writable root": ([writable_root], {}),
    "host pid namespace": ([without_namespace("pid")], {"host-namespaces": "fail"}),
    "host ipc namespace": ([without_namespace("ipc")], {"host-namespaces": "fail"}),
    "host uts namespace": ([without_namespace("uts")], {"host-namespaces": "fail"}),
    "host network": ([without_namespace("network")], {}),
    "seccomp unconfined": ([no_seccomp], {"confinement": "fail"}),
    "no memory limit": ([no_memory_limit], {"memory-limit": NO_LIMIT}),
    "core dumps": ([cores], {"core-dumps": "fail"}),
    "few descriptors": ([few_descriptors], {"descriptor-limit": "fail"}),
    "LD_PRELOAD": ([preload], {"loader-environment": "fail"}),
    "a group of the host": ([group_999], {"privileged-group": "fail"}),
    "hidepid=2": ([proc_option("hidepid=2")], {}),
    "privileged": ([privileged], {
        "running-as-root": "fail", "capabilities": "fail", "no-way-back": "fail", "cert-cache": "fail", "key-files": "fail",
        "root-filesystem": "not-applicable", "memory-limit": NO_LIMIT, "confinement": "fail",
        "privileged-container": "fail"}),
    **{f"{name} alone": ([hold(name)], {} if name == "CAP_NET_BIND_SERVICE" else {"capabilities": "fail"})
       for name in DOCKER_CAPS},
}


@pytest.mark.parametrize("name", list(CASES))
def test_the_verdict_of_every_invariant(rootfs, name):
    changes, differs = CASES[name]
    spec = hardened(rootfs, CHECK)
    for change in changes:
        change(spec)
    r = run(spec)
    found = verdicts(r)
    assert {row: f["verdict"] for row, f in found.items()} == {**ALL_FINE, **differs}
    # The first seven refuse in production, and so do the rows P.
    refused = {row for row, f in found.items() if f["action"] == "refuse"}
    assert (r.returncode == 3) == bool(refused)
    for row in ("running-as-root", "capabilities", "cert-cache", "no-way-back", "loader-environment", "descriptor-limit"):
        assert (row in refused) == (found[row]["verdict"] == "fail"), row


def test_a_proc_of_processes_alone_refuses_nothing(rootfs):
    """subset=pid: /proc/sys is not there, so a few rows do not know and warn."""
    spec = hardened(rootfs, CHECK)
    spec["mounts"][0]["options"] = ["subset=pid"]
    spec["linux"]["readonlyPaths"] = spec["linux"]["maskedPaths"] = []
    r = run(spec)
    if "invalid argument" in r.stderr:
        pytest.skip("this kernel has no subset=pid")
    found = verdicts(r)
    assert r.returncode == 0, r.stdout
    assert {row for row, f in found.items() if f["verdict"] == "unknown"} <= {"core-dumps", "personality"}
    assert not {row for row, f in found.items() if f["verdict"] == "fail"}


def test_root_of_a_user_namespace_is_named_as_such(rootfs):
    spec = hardened(rootfs, CHECK)
    user_namespace(spec)
    r = run(spec)
    if not r.stdout:
        pytest.skip(f"no user namespaces here: {r.stderr.strip()[-100:]}")
    found = verdicts(r)["running-as-root"]
    assert found["verdict"] == "fail" and "0 maps to 100000 outside" in found["observed"]


def test_a_mounted_runtime_socket_is_refused(rootfs):
    with tempfile.TemporaryDirectory() as top, socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{top}/docker.sock")
        server.listen()
        os.chmod(f"{top}/docker.sock", 0o666)
        spec = hardened(rootfs, CHECK)
        spec["mounts"].append({"destination": "/run/docker.sock", "type": "bind", "source": f"{top}/docker.sock",
                               "options": ["bind", "ro"]})
        found = verdicts(run(spec))
        assert {row: f["verdict"] for row, f in found.items()} == {**ALL_FINE, "runtime-socket": "fail"}
        assert found["runtime-socket"]["action"] == "refuse" and found["runtime-socket"]["object"] == "/run/docker.sock"


def test_an_inherited_directory_is_refused(rootfs):
    # runc passes on those from 3: a directory, as in the leaks that it had.
    with tempfile.TemporaryDirectory(prefix="bundle-") as bundle:
        (pathlib.Path(bundle) / "config.json").write_text(json.dumps(hardened(rootfs, CHECK)))
        r = subprocess.run(["sh", "-c", 'exec 3</etc && exec runc run --preserve-fds 1 --bundle "$1" "$2"', "sh", bundle,
                            f"posture-{uuid.uuid4().hex[:12]}"], capture_output=True, text=True, timeout=30,
                           stdin=subprocess.DEVNULL, env=clean_environment())
    found = verdicts(r)
    if found["inherited-descriptors"]["verdict"] == "pass":
        pytest.skip("this runc refuses to pass a directory on")
    assert {row: f["verdict"] for row, f in found.items()} == {**ALL_FINE, "inherited-descriptors": "fail"}
    assert found["inherited-descriptors"]["action"] == "refuse"
    assert "a directory" in found["inherited-descriptors"]["observed"]


def test_posture_run_is_an_entrypoint(rootfs):
    spec = hardened(rootfs, ["/posture", "run", "--production", "--", "/relay", "--version"])
    r = run(spec)
    if not CORES_LEAK:
        assert r.returncode == 0 and r.stdout.strip(), r.stderr
    uid_0(spec)
    r = run(spec)
    assert r.returncode == 78 and r.stdout == "" and "ErrRunningAsRoot" in r.stderr


def test_the_relay_refuses_for_what_is_wrong_and_nothing_else(rootfs):
    spec = hardened(rootfs, ["/relay", "--insecure-listen", "0.0.0.0:8080"])
    spec["process"]["env"].append("PYRYCODE_RELAY_PRODUCTION=1")
    r = run(spec)
    assert r.returncode == 2
    assert re.findall(r"level=ERROR .*check=([a-z-]+)", r.stderr) == ["plaintext-listener"], r.stderr
    uid_0(spec)
    r = run(spec)
    assert re.findall(r"level=ERROR .*check=([a-z-]+)", r.stderr) == ["running-as-root", "plaintext-listener"]


def test_the_relay_serves_and_drains_in_a_container(rootfs):
    spec = hardened(rootfs, ["/relay", "--insecure-listen", "127.0.0.1:8080", "--require-seal"])
    name = f"posture-{uuid.uuid4().hex[:12]}"
    with tempfile.TemporaryDirectory(prefix="bundle-") as bundle:
        (pathlib.Path(bundle) / "config.json").write_text(json.dumps(spec))
        with subprocess.Popen(["runc", "run", "--bundle", bundle, name], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, text=True, env=clean_environment()) as process:
            lines = []
            for line in process.stderr:
                lines.append(line)
                if "starting metrics listener" in line:
                    break
            for _ in range(100):
                if subprocess.run(["runc", "kill", name, "TERM"], capture_output=True).returncode == 0:
                    break
                time.sleep(0.05)
            rest = process.stderr.read()
            assert process.wait(timeout=20) == 0, "".join(lines) + rest
    assert any("msg=sealed" in line for line in lines)
    assert "shutdown complete" in rest
