"""The check against real kernel state: users, capabilities, directories,
descriptors, as root.  After every refusal nothing listens."""
import contextlib
import ctypes
import json
import os
import resource
import pathlib
import shutil
import signal
import socket
import stat
import struct
import subprocess
import tempfile
import threading
import time

import pytest
from conftest import PATIENCE, POSTURE_BIN, RELAY_BIN, Relay, clean_environment, free_port, parse_line, run_relay

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: users and capabilities are changed")

UID = 65532
CORE_PATTERN = open("/proc/sys/kernel/core_pattern").read()
# 1 stops files and programs; a limit that is 0 here already stays so.
NO_CORES = "--core=0" if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0 else "--core=1"
# Where that does not help, this host alone decides.
CORES_LEAK = CORE_PATTERN[0] == "@" or (CORE_PATTERN[0] == "|" and NO_CORES == "--core=0")
AS_NOBODY = ["prlimit", NO_CORES, "setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups"]
NO_CAPS = [*AS_NOBODY, "--inh-caps=-all", "--bounding-set=-all"]


@pytest.fixture
def home():
    """A directory of uid 65532 that only root and it can reach into."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="relay-", dir="/var/tmp"))
    os.chown(path, UID, UID)
    path.chmod(0o700)
    # The binaries as that user can run and not write them, wherever the build lies.
    bin_dir = pathlib.Path(tempfile.mkdtemp(prefix="relay-bin-", dir="/var/tmp"))
    bin_dir.chmod(0o755)
    for binary in map(pathlib.Path, (RELAY_BIN, POSTURE_BIN)):
        shutil.copy(binary.resolve(), bin_dir / binary.name)
        (bin_dir / binary.name).chmod(0o755)
        (path / binary.name).symlink_to(bin_dir / binary.name)
    yield path
    shutil.rmtree(path)
    shutil.rmtree(bin_dir)


def posture(home, *args, prefix=(), env=None, **options):
    r = subprocess.run([*prefix, str(home / "posture"), "check", "--format=json", *args], capture_output=True, text=True,
                       env=clean_environment(**(env or {})), timeout=15, **options)
    worst = {}
    for f in json.loads(r.stdout)["findings"]:
        if f["id"] not in worst or "none warn refuse".split().index(f["action"]) > \
                "none warn refuse".split().index(worst[f["id"]]["action"]):
            worst[f["id"]] = f
    return r, worst


def refused(found):
    """Ids of the rows that refuse, but those that this host alone decides."""
    return {i for i, f in found.items() if f["action"] == "refuse" and not (i == "core-dumps" and CORES_LEAK)}


def is_open(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def answers(port):
    """Somebody serves there; one that is still in its boot answers later."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: relay.example.com\r\n\r\n")
        return s.recv(4096).startswith(b"HTTP/1.1 ")
    return False


def has_served(r):
    """It was to order its certificate, and ended because we said so."""
    return r.returncode == 0 and "mode=autocert" in r.stderr and "shutdown complete" in r.stderr


def nobody():
    """No certificate is ordered anywhere."""
    return f"--acme-directory=https://127.0.0.1:{free_port()}/dir"


def relay_in(home, *args, prefix=(), env=None, **options):
    """The relay in TLS mode, until it refuses; or until it serves, and then to its end."""
    port, http_port = free_port(), free_port()
    command = [*prefix, str(home / "pyrycode-relay"), "--domain", "relay.example.com",
               f"--https-listen=127.0.0.1:{port}", f"--http-listen=127.0.0.1:{http_port}", "--metrics-listen=", nobody(), *args]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
                          env=clean_environment(**(env or {})), **options) as process:
        end = time.monotonic() + 15
        while process.poll() is None and not answers(http_port) and time.monotonic() < end:
            time.sleep(0.02)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        out, err = process.communicate(timeout=15)
    r = subprocess.CompletedProcess(command, process.returncode, out, err)
    assert not is_open(port)
    lines = [parse_line(line) for line in r.stderr.splitlines()]
    return r, {f["check"]: f for f in lines if "check" in f and f["level"] == "ERROR"}


# /proc is empty but for what keeps the leak sanitizer of a test build quiet, which cannot work there.
EMPTY_PROC = ("mount -t tmpfs none /proc && mkdir -p /proc/self /proc/thread-self && "
              "printf 'ASAN_OPTIONS=detect_leaks=0\\000' >/proc/self/environ")
WITHOUT_PROC = ["unshare", "-m", "sh", "-c", f'{EMPTY_PROC} && exec "$@"', "sh"]

PRODUCTION = {"PYRYCODE_RELAY_PRODUCTION": "1"}


def assert_refused(r, failed, check, *words):
    assert r.returncode == 2, r.stderr
    assert check in failed, r.stderr
    line = failed[check]
    for word in words:
        assert word in line["observed"], line
    assert line["err"].startswith("Err") and line["expected"] and line["fix"] and line["n"]


def test_root_in_production_is_refused(home):
    r, failed = relay_in(home, "--cert-cache", str(home / "none"), env=PRODUCTION)
    assert_refused(r, failed, "running-as-root", "effective=0")
    assert failed["running-as-root"]["effective_uid"] == "0"


def test_an_ordinary_user_without_capabilities_passes(home):
    r, found = posture(home, "--production", "--cert-cache", str(home / "c"), prefix=NO_CAPS)
    assert refused(found) == set(), r.stdout
    assert found["running-as-root"]["verdict"] == found["capabilities"]["verdict"] == "pass"
    r, failed = relay_in(home, "--cert-cache", str(home / "c"), env=PRODUCTION, prefix=NO_CAPS)
    assert failed == {} and has_served(r), r.stderr
    assert (home / "c").stat().st_mode & 0o7777 == 0o700 and (home / "c").stat().st_uid == UID


def test_bind_service_alone_passes(home):
    prefix = [*AS_NOBODY, "--inh-caps=-all,+net_bind_service", "--ambient-caps=+net_bind_service",
              "--bounding-set=-all,+net_bind_service"]
    r, found = posture(home, "--production", prefix=prefix)
    assert refused(found) == set(), r.stdout
    assert "CAP_NET_BIND_SERVICE" in found["capabilities"]["observed"]
    _, failed = relay_in(home, "--cert-cache", str(home / "c"), env=PRODUCTION, prefix=prefix)
    assert failed == {}


def test_an_effective_capability_is_refused_and_named(home):
    prefix = [*AS_NOBODY, "--inh-caps=+sys_admin", "--ambient-caps=+sys_admin"]
    r, failed = relay_in(home, "--cert-cache", str(home / "c"), env=PRODUCTION, prefix=prefix)
    assert_refused(r, failed, "capabilities", "effective: CAP_SYS_ADMIN (bit 21)")


def test_a_permitted_capability_is_refused_and_named(home):
    subprocess.run(["setcap", "cap_sys_admin=p", str((home / "pyrycode-relay").resolve())], check=True)
    r, failed = relay_in(home, "--cert-cache", str(home / "c"), env=PRODUCTION, prefix=AS_NOBODY)
    assert_refused(r, failed, "capabilities", "permitted: CAP_SYS_ADMIN (bit 21)")
    assert "effective" not in failed["capabilities"]["observed"]
    assert "effective" not in failed["capabilities"]["err"]


def test_the_inheritable_set_is_named_beside_the_others(home):
    prefix = [*AS_NOBODY, "--inh-caps=+sys_admin,+sys_ptrace", "--ambient-caps=+sys_admin"]
    r, _ = relay_in(home, "--cert-cache", str(home / "c"), env=PRODUCTION, prefix=prefix)
    observed = {f["level"]: f["observed"] for f in map(parse_line, r.stderr.splitlines()) if f.get("check") == "capabilities"}
    assert "effective: CAP_SYS_ADMIN (bit 21)" in observed["ERROR"]
    assert "inheritable: CAP_SYS_PTRACE (bit 19), CAP_SYS_ADMIN (bit 21)" in observed["WARN"]


@pytest.mark.parametrize("count", [0, 100, 311, 319, 327, 400, 5000])
def test_many_groups_are_no_contradiction(home, count):
    """They stand before the capabilities in the status file, which is long then."""
    groups = ["--groups", ",".join(str(100000 + i) for i in range(count))] if count else ["--clear-groups"]
    prefix = [*AS_NOBODY[:-1], *groups, "--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service",
              "--bounding-set=-all,+net_bind_service"]
    r, found = posture(home, "--production", prefix=prefix)
    assert refused(found) == set(), r.stdout
    assert "could not be read" not in found["capabilities"]["observed"]


@pytest.mark.parametrize("line, check", [
    ("Uid:\\t0\\t0\\t0\\t0", "running-as-root"),
    ("CapEff:\\t0000000000200000", "capabilities"),
    ("CapAmb:\\t0000000000200000", "capabilities"),
    ("NoNewPrivs:\\t1", "no-way-back"),
    ("CapBnd:\\t0000000000000000", "no-way-back"),
])
def test_a_proc_that_says_otherwise_is_refused(home, line, check):
    fake = f"{EMPTY_PROC} && printf '{line}\\n' >/proc/thread-self/status"
    who = NO_CAPS if check != "no-way-back" else [*AS_NOBODY, "--inh-caps=-all"]
    prefix = ["unshare", "-m", "sh", "-c", f'{fake} && exec "$@"', "sh", *who]
    r, found = posture(home, "--production", prefix=prefix)
    assert r.returncode == 70 and "contradict each other" in r.stderr and "internal" not in r.stderr
    assert found[check]["verdict"] == "fail" and found[check]["action"] == "refuse"
    assert "disagree" in found[check]["reason"]


def test_root_of_a_user_namespace_is_named_as_such(home):
    prefix = [*NO_CAPS, "unshare", "--user", "--map-root-user"]
    if subprocess.run([*prefix, "true"], capture_output=True).returncode != 0:
        pytest.skip("no user namespaces here")
    r, found = posture(home, "--production", prefix=prefix)
    assert r.returncode == 3
    assert f"0 maps to {UID} outside" in found["running-as-root"]["observed"]


# ---- the certificate cache

def cache_case(home, change, prefix=NO_CAPS):
    cache = home / "state" / "cache"
    cache.mkdir(parents=True)
    for p in (home / "state", cache):
        p.chmod(0o700)
        os.chown(p, UID, UID)
    where = change(cache) or cache
    return relay_in(home, "--cert-cache", str(where), prefix=prefix), where


def chmod_0750(cache):
    cache.chmod(0o750)


def somebody_elses(cache):
    os.chown(cache, 1234, 1234)


def world_writable_parent(cache):
    cache.parent.chmod(0o777)


def as_link(cache):
    link = cache.parent / "link"
    link.symlink_to(cache)
    os.chown(link, UID, UID, follow_symlinks=False)
    return link


def readable_key(cache):
    key = cache / "acme_account+key"
    key.write_text("secret")
    key.chmod(0o640)
    os.chown(key, UID, UID)


def foreign_key(cache):
    key = cache / "acme_account+key"
    key.write_text("secret")
    key.chmod(0o600)


def below_a_file(cache):
    (cache / "file").write_text("x")
    os.chown(cache / "file", UID, UID)
    return cache / "file" / "c"


@pytest.mark.parametrize("change, words", [
    (chmod_0750, ["mode 0750", "owner 65532"]),
    (somebody_elses, ["owner 1234"]),
    (world_writable_parent, ["/state: mode 0777"]),
    (as_link, ["/state/link"]),
    (readable_key, ["acme_account+key: mode 0640"]),
    (foreign_key, ["acme_account+key: mode 0600, owner 0"]),
    (below_a_file, ["Not a directory"]),
])
def test_an_insecure_cache_directory_is_refused(home, change, words):
    (r, failed), _ = cache_case(home, change)
    assert_refused(r, failed, "cert-cache", *words)
    assert failed["cert-cache"]["path"].startswith(str(home))


def test_a_cache_directory_widened_by_an_acl_is_refused(home):
    if subprocess.run(["setfacl", "-m", "u:1234:r", str(home)], capture_output=True).returncode != 0:
        pytest.skip("no ACLs on this file system")
    subprocess.run(["setfacl", "-b", str(home)], check=True)

    def acl(cache):
        subprocess.run(["setfacl", "-m", "u:1234:rx", str(cache)], check=True)

    (r, failed), _ = cache_case(home, acl)
    assert_refused(r, failed, "cert-cache", "mode 0750")


def foreign_link_above(cache):
    link = cache.parent / "link"
    link.symlink_to(cache.parent)
    os.chown(link, 1234, 1234, follow_symlinks=False)
    return link / "cache"


# The same tree without the files that mark a container.
BARE = ["unshare", "-m", "sh", "-c", """set -e
mount -t tmpfs -o mode=0755 none /mnt
for d in bin dev etc lib lib64 proc sbin sys tmp usr var; do
    test -d /$d || continue
    mkdir /mnt/$d
    mount --rbind /$d /mnt/$d
done
exec chroot /mnt "$@" """, "-"]


@pytest.mark.parametrize("change", [chmod_0750, somebody_elses, readable_key, foreign_key, foreign_link_above])
def test_the_fix_pasted_into_a_shell_fixes_it(home, change):
    if subprocess.run([*BARE, "true"], capture_output=True).returncode != 0:
        pytest.skip("nothing can be mounted here")
    (_, failed), where = cache_case(home, change, prefix=[*BARE, *NO_CAPS])
    subprocess.run(failed["cert-cache"]["fix"], shell=True, check=True)
    _, failed = relay_in(home, "--cert-cache", str(where), prefix=[*BARE, *NO_CAPS])
    assert "cert-cache" not in failed


def test_a_good_cache_directory_passes(home):
    (r, failed), _ = cache_case(home, lambda cache: None)
    assert failed == {}, r.stderr


def test_a_sticky_parent_is_accepted(home):
    def sticky(cache):
        cache.parent.chmod(0o1777)
        os.chown(cache.parent, 0, 0)

    (_, failed), _ = cache_case(home, sticky)
    assert failed == {}


def findings_of(home, where, *args, **options):
    """What the posture command says of a cache directory, in its order."""
    r = subprocess.run([*NO_CAPS, str(home / "posture"), "check", "--format=json", "--cert-cache", str(where), *args],
                       capture_output=True, text=True, timeout=15,
                       env=clean_environment(**options.pop("env", {})), **options)
    return [f for f in json.loads(r.stdout)["findings"] if f["id"] == "cert-cache"]


def test_everything_about_a_directory_is_said_in_one_boot(home):
    cache = home / "state" / "cache"
    cache.mkdir(parents=True)
    (cache / "key").write_text("secret")
    os.chown(cache.parent, 1234, 1234)
    for p in (cache.parent, cache):
        p.chmod(0o777)
    (cache / "key").chmod(0o644)
    observed = [f["observed"] for f in findings_of(home, cache)]
    assert observed == [f"{cache.parent}: mode 0777, owner 1234"] * 2 + [f"{cache}: mode 0777, owner 0"] * 2 \
        + [f"{cache}/key: mode 0644, owner 0"]


@pytest.mark.parametrize("mode", [0o777, 0o2775])
def test_the_fix_for_a_volume_of_kubernetes_can_pass(home, mode):
    """An emptyDir, and a volume with an fsGroup, as the kubelet makes them."""
    volume = home / "volume"
    volume.mkdir()
    os.chown(volume, 0, UID)
    volume.chmod(mode)
    env = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    for where in (volume, volume / "certs"):
        found = findings_of(home, where, env=env)
        assert {f["verdict"] for f in found} == {"fail"}
        assert all("initContainer" in f["fix"] for f in found), found
    command = found[0]["fix"].split("that runs: ")[1].split(";")[0].replace("MOUNT", str(volume))
    subprocess.run(command, shell=True, check=True)
    assert [f["verdict"] for f in findings_of(home, volume / "certs", env=env)] == ["pass"]


def test_an_owner_that_is_not_mapped_is_named_as_such(home):
    prefix = [*NO_CAPS, "unshare", "--user", "--map-root-user"]
    if subprocess.run([*prefix, "true"], capture_output=True).returncode != 0:
        pytest.skip("no user namespaces here")
    r = subprocess.run([*prefix, str(home / "posture"), "check", "--format=json", "--cert-cache", str(home / "c")],
                       capture_output=True, text=True, timeout=15, env=clean_environment())
    above = [f for f in json.loads(r.stdout)["findings"] if f.get("object") == "/"]
    assert [f["reason"] for f in above] == ["its owner is not mapped into this user namespace"]
    assert "chown" not in above[0]["fix"]


def test_an_unknown_cache_directory_warns_in_public_mode(home):
    (home / "locked").mkdir(mode=0o700)
    r, failed = relay_in(home, "--cert-cache", str(home / "locked" / "c"), prefix=NO_CAPS)
    assert failed == {} and r.returncode == 1
    warned = [f for f in map(parse_line, r.stderr.splitlines()) if f.get("check") == "cert-cache"]
    assert [(f["level"], f["verdict"]) for f in warned] == [("WARN", "unknown")]
    r, failed = relay_in(home, "--cert-cache", str(home / "locked" / "c"), prefix=NO_CAPS, env=PRODUCTION)
    assert_refused(r, failed, "cert-cache", "Permission denied")


@pytest.mark.parametrize("below, verdict, reason, observed", [
    ("x" * 300 + "/y", "fail", "a name in the path is longer than a name can be", "File name too long"),
    ("./" * 80 + "c", "unknown", "the path has more components than are examined", "more than 64 components"),
    (("x" * 200 + "/") * 6, "unknown", "the path is longer than is examined", "more than 1023 bytes"),
    ("posture", "fail", "it is not a directory", "mode 0666"),
])
def test_a_path_that_cannot_be_walked_says_why(home, below, verdict, reason, observed):
    (home / "posture").chmod(0o777)
    file = home / "file"
    shutil.copy2(home / "posture", file)
    file.chmod(0o666)
    found = findings_of(home, f"{home}/{below}" if below != "posture" else file, "--production")
    assert [(f["verdict"], f["action"], f["reason"]) for f in found] == [(verdict, "refuse", reason)]
    assert observed in found[0]["observed"] and str(home) in found[0]["object"]


def test_an_empty_cache_directory_is_a_problem_of_the_configuration(home):
    r, failed = relay_in(home, "--cert-cache=", prefix=NO_CAPS)
    assert_refused(r, failed, "config")
    assert failed["config"]["flag"] == "--cert-cache" and set(failed) == {"config"}


def test_a_link_on_the_way_is_judged_by_its_owner(home):
    os.symlink(home, home / "link")
    assert [f["verdict"] for f in findings_of(home, home / "link" / "c")] == ["pass"]
    os.chown(home / "link", 1234, 1234, follow_symlinks=False)
    [found] = findings_of(home, home / "link" / "c")
    assert found["verdict"] == "fail" and found["reason"] == "a link above the directory belongs to somebody else"


def test_what_was_accepted_above_is_named(home):
    parent = home / "sticky"
    parent.mkdir()
    parent.chmod(0o1777)
    os.chown(parent, 0, 0)
    assert findings_of(home, parent / "c")[0]["observed"].startswith("missing;")
    assert f"; accepted above: {parent} (sticky)" in findings_of(home, parent / "c")[0]["observed"]


def test_a_read_only_mount_above_is_accepted(home):
    parent = home / "open"
    (parent / "c").mkdir(parents=True)
    parent.chmod(0o777)
    (parent / "c").chmod(0o700)
    os.chown(parent / "c", UID, UID)
    assert [f["verdict"] for f in findings_of(home, parent / "c")] == ["fail"]
    mount = f"mount --bind {parent} {parent} && mount -o remount,bind,ro {parent}"
    if subprocess.run(["unshare", "-m", "sh", "-c", mount], capture_output=True).returncode != 0:
        pytest.skip("nothing can be mounted here")
    r = subprocess.run(["unshare", "-m", "sh", "-c", mount + ' && exec "$@"', "-", *NO_CAPS, str(home / "posture"),
                        "check", "--format=json", "--cert-cache", str(parent / "c")],
                       capture_output=True, text=True, timeout=15, env=clean_environment())
    [found] = [f for f in json.loads(r.stdout)["findings"] if f["id"] == "cert-cache"]
    assert found["verdict"] == "pass"
    assert f"{parent} (read-only mount)" in found["observed"]


class Fuse:
    """A FUSE file system of one empty directory of uid 65532, mode 0700."""

    ENOENT, ENOSYS = 2, 38

    def __init__(self, where, options=""):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.where = str(where).encode()
        self.fd = os.open("/dev/fuse", os.O_RDWR)
        data = f"fd={self.fd},rootmode=40000,user_id=0,group_id=0,allow_other{options}"
        if self.libc.mount(b"test", self.where, b"fuse", 0, data.encode()) != 0:
            os.close(self.fd)
            raise OSError(ctypes.get_errno(), "mount")
        threading.Thread(target=self.serve, daemon=True).start()

    def answer(self, opcode):
        """The body of an answer by linux/fuse.h, or an errno."""
        attributes = struct.pack("=6Q10I", 1, 0, 0, 0, 0, 0, 0, 0, 0, 0o40700, 2, UID, UID, 0, 4096, 0)
        bodies = {
            3: struct.pack("=QII", 0, 0, 0) + attributes,  # GETATTR
            17: struct.pack("=5Q10I", 0, 0, 0, 0, 0, 512, 255, 512, 0, 0, 0, 0, 0, 0, 0),  # STATFS
            26: struct.pack("=4I2H2I2H8I", 7, 31, 4096, 0, 16, 12, 4096, 1, 1, 0, *[0] * 8),  # INIT
            27: struct.pack("=QII", 1, 0, 0),  # OPENDIR
            28: b"", 29: b"",  # READDIR, RELEASEDIR
        }
        return bodies.get(opcode, self.ENOENT if opcode == 1 else self.ENOSYS)

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                _, opcode, unique = struct.unpack_from("=IIQ", os.read(self.fd, 1 << 17))
                if opcode in (2, 36, 42):  # FORGET, INTERRUPT, BATCH_FORGET have no answer
                    continue
                body = self.answer(opcode)
                error, body = (-body, b"") if isinstance(body, int) else (0, body)
                os.write(self.fd, struct.pack("=IiQ", 16 + len(body), error, unique) + body)

    def close(self):
        self.libc.umount2(self.where, 2)
        os.close(self.fd)


@pytest.mark.parametrize("options, verdict", [("", "unknown"), (",default_permissions", "pass")])
def test_modes_of_fuse_count_where_the_kernel_looks_at_them(home, options, verdict):
    where = home / "fuse"
    where.mkdir()
    try:
        fuse = Fuse(where, options)
    except OSError:
        pytest.skip("no FUSE here")
    try:
        assert [f["verdict"] for f in findings_of(home, where)] == [verdict]
        made = findings_of(home, where / "certs")
    finally:
        fuse.close()
    assert [f["verdict"] for f in made] == [verdict], made
    assert verdict == "pass" or "FUSE" in made[0]["observed"]


def test_a_pipe_in_the_place_of_the_lock_does_not_hold_the_boot(home):
    def pipe(cache):
        os.mkfifo(cache / "instance.lock", 0o600)
        os.chown(cache / "instance.lock", UID, UID)

    (r, failed), _ = cache_case(home, pipe)
    assert_refused(r, failed, "cert-cache", "instance.lock")
    assert "the lock is not a regular file" in r.stderr


@pytest.mark.parametrize("mask", [0o277, 0o777])
def test_the_umask_does_not_lock_us_out(home, mask):
    for _ in range(2):
        r, failed = relay_in(home, "--cert-cache", str(home / "a" / "c"), prefix=NO_CAPS, umask=mask)
        assert failed == {} and has_served(r), r.stderr
    assert (home / "a").stat().st_mode & 0o7777 == (home / "a" / "c").stat().st_mode & 0o7777 == 0o700


def blocked_relay(home, where):
    """A relay that has checked, and waits for a reader of its first warning
    before it goes on: an inheritable capability warns in every mode."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"\n" * 4096)
    os.set_blocking(writer, True)
    process = subprocess.Popen([*AS_NOBODY, "--inh-caps=-all,+net_admin", str(home / "pyrycode-relay"), "--domain",
                                "relay.example.com", "--metrics-listen=", nobody(), "--cert-cache", str(where)],
                               stderr=writer, env=clean_environment())
    os.close(writer)
    deadline = time.monotonic() + PATIENCE
    while "pipe" not in pathlib.Path(f"/proc/{process.pid}/wchan").read_text():
        assert process.poll() is None and time.monotonic() < deadline
    return process, open(reader)


def test_who_makes_the_directory_between_check_and_creation_is_refused(home):
    home.chmod(0o755)
    parent = home / "shared"
    parent.mkdir()
    parent.chmod(0o1777)
    os.chown(parent, 0, 0)
    process, log = blocked_relay(home, parent / "certs")
    (parent / "certs").mkdir()
    lock = parent / "certs" / "instance.lock"
    lock.touch()
    for path, mode in ((parent / "certs", 0o777), (lock, 0o666)):
        os.chown(path, 1234, 1234)
        path.chmod(mode)
    with log:
        text = log.read()
    assert process.wait(15) == 2
    assert "ErrCacheDirInsecure" in text and "owner 1234" in text
    assert lock.read_text() == "", "nothing is written there"


# ---- sockets

@contextlib.contextmanager
def leaked(family=socket.AF_INET, address=("127.0.0.1", 0), listen=True, kind=socket.SOCK_STREAM):
    with socket.socket(family, kind) as s:
        s.bind(address)
        if listen and kind == socket.SOCK_STREAM:
            s.listen()
        yield s


def on_descriptor_5(home, s, *args, env=None, prefix=NO_CAPS):
    """Run the relay with the socket as its descriptor 5."""
    shim = ["/usr/bin/python3", "-c", f"import os, sys; os.dup2({s.fileno()}, 5); {s.fileno()} == 5 or os.close({s.fileno()}); os.execvp(sys.argv[1], sys.argv[1:])"]
    return relay_in(home, "--cert-cache", str(home / "c"), *args, prefix=[*shim, *prefix], pass_fds=[s.fileno()], env=env)


def test_an_inherited_listener_is_refused_with_its_port(home):
    with leaked() as s:
        r, failed = on_descriptor_5(home, s)
        assert_refused(r, failed, "listeners", "descriptor 5:", f"127.0.0.1:{s.getsockname()[1]}")


def test_an_inherited_unix_listener_is_refused(home):
    with leaked(socket.AF_UNIX, "\0relay-test-%d" % os.getpid()) as s:
        r, failed = on_descriptor_5(home, s)
        assert_refused(r, failed, "listeners", "@relay-test-")


def test_an_inherited_datagram_socket_is_refused(home):
    with leaked(kind=socket.SOCK_DGRAM) as s:
        r, failed = on_descriptor_5(home, s)
        assert_refused(r, failed, "listeners", "udp", str(s.getsockname()[1]))


def test_an_inherited_socket_that_does_not_listen_is_no_matter(home):
    with leaked(listen=False) as s:
        _, failed = on_descriptor_5(home, s)
        assert failed == {}


def test_a_bound_unix_datagram_socket_is_refused(home):
    with leaked(socket.AF_UNIX, "\0relay-test-%d" % os.getpid(), kind=socket.SOCK_DGRAM) as s:
        r, failed = on_descriptor_5(home, s)
        assert_refused(r, failed, "listeners", "unix datagram @relay-test-")


def test_a_connected_datagram_socket_is_no_matter(home):
    with leaked(kind=socket.SOCK_DGRAM) as s:
        s.connect(("127.0.0.1", 514))
        _, failed = on_descriptor_5(home, s)
        assert failed == {}


def test_a_family_that_is_not_known_here_has_a_number(home):
    try:
        s = socket.socket(socket.AF_VSOCK)
        s.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
        s.listen()
    except OSError:
        pytest.skip("no vsock here")
    with s:
        r, failed = on_descriptor_5(home, s)
        assert_refused(r, failed, "listeners", f"descriptor 5: family {int(socket.AF_VSOCK)}")


def posture_with(home, sockets, *args, activated=None, prefix=(), first=3):
    """posture check with those sockets from that descriptor on."""
    shim = ("import fcntl, os, sys\n"
            "high = [fcntl.fcntl(int(f), fcntl.F_DUPFD, 500) for f in sys.argv[1].split(',')]\n"
            "os.closerange(3, 500)\n"
            "for i, f in enumerate(high): os.dup2(f, int(sys.argv[3]) + i)\n"
            "os.closerange(500, 1000)\n"
            "if sys.argv[2]: os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=sys.argv[2])\n"
            "os.execvp(sys.argv[4], sys.argv[4:])")
    numbers = [s.fileno() for s in sockets]
    shimmed = ["/usr/bin/python3", "-c", shim, ",".join(map(str, numbers)), str(activated or ""), str(first),
               *prefix, *NO_CAPS]
    r = subprocess.run([*shimmed, str(home / "posture"), "check", "--format=json", "--production", *args],
                       capture_output=True, text=True, timeout=15, pass_fds=numbers, env=clean_environment())
    return r, [f for f in json.loads(r.stdout)["findings"] if f["id"] == "listeners"]


def test_a_listener_above_a_lowered_limit_is_not_missed_without_proc(home):
    """No scan can be complete there, so production refuses."""
    with leaked() as s:
        r, found = posture_with(home, [s], first=9, prefix=[*WITHOUT_PROC, "prlimit", "--nofile=9:9"])
    assert r.returncode == 3
    assert [f["verdict"] for f in found] == ["unknown"]
    assert "/proc/thread-self/fd: No such file or directory" in found[0]["observed"]


def test_a_listener_is_named_without_proc_where_a_scan_finds_it(home):
    with leaked() as s:
        r, found = posture_with(home, [s], prefix=WITHOUT_PROC)
        assert r.returncode == 3
        assert [f["verdict"] for f in found] == ["unknown", "fail"]
        assert found[1]["observed"] == f"descriptor 3: tcp 127.0.0.1:{s.getsockname()[1]}"


def test_activation_is_only_for_those_who_ask_for_it(home):
    with leaked() as s, leaked() as other:
        assert posture_with(home, [s], activated=1)[0].returncode == 3
        assert posture_with(home, [s], "--allow-activation", activated=1)[0].returncode == 0
        assert posture_with(home, [s], "--allow-activation")[0].returncode == 3
        r, found = posture_with(home, [s, other], "--allow-activation", activated=1)
        assert r.returncode == 3
        assert [f["observed"] for f in found] == [f"descriptor 4: tcp 127.0.0.1:{other.getsockname()[1]}"]


@pytest.mark.parametrize("count", [64, 200])
def test_a_stray_listener_behind_many_sockets_is_refused(home, count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(leaked()) for _ in range(count + 1)]
        r, found = posture_with(home, sockets, "--allow-activation", activated=count)
    assert r.returncode == 3
    assert all(f["verdict"] == "fail" for f in found)


@contextlib.contextmanager
def listening(address, family=socket.AF_INET, v6_only=False):
    with socket.socket(family) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(v6_only))
        s.bind(address)
        s.listen()
        yield s


def test_two_sockets_on_one_address_are_two(home):
    port = free_port()
    expect = ["--phase=bound", f"--expect-listener=127.0.0.1:{port}"]
    with listening(("127.0.0.1", port)) as one, listening(("127.0.0.1", port)) as two:
        assert posture_with(home, [one], *expect)[0].returncode == 0
        r, found = posture_with(home, [one, two], *expect)
        assert r.returncode == 3 and found[-1]["observed"] == f"descriptor 4: tcp 127.0.0.1:{port}"
        assert posture_with(home, [one, two], *expect, expect[1])[0].returncode == 0
        assert posture_with(home, [one], *expect, expect[1])[0].returncode == 3


def test_every_address_is_both_families(home):
    if not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    port = free_port()
    expect = ["--phase=bound", f"--expect-listener=:{port}"]
    with listening(("::", port), socket.AF_INET6) as s:
        assert posture_with(home, [s], *expect)[0].returncode == 0
    with listening(("::", port), socket.AF_INET6, v6_only=True) as s:
        r, found = posture_with(home, [s], *expect)
        assert r.returncode == 3 and "(IPv6 only)" in found[-1]["observed"]
    with listening(("0.0.0.0", port)) as s:
        assert posture_with(home, [s], *expect)[0].returncode == 3


def test_the_bound_phase_looks_again(home):
    """In development an inherited listener warns twice and the relay serves."""
    with leaked() as s:
        os.set_inheritable(s.fileno(), True)
        relay = Relay()
        popen = subprocess.Popen
        relay.process = popen(relay.command(), env=relay.env, stderr=subprocess.PIPE, text=True, pass_fds=[s.fileno()])
        relay.reader = threading.Thread(target=relay._read, daemon=True)
        relay.reader.start()
        relay.wait_until(relay._answers)

        def findings():
            return [f for f in map(parse_line, relay.lines) if f.get("check") == "listeners"]

        relay.wait_until(lambda: len(findings()) == 2)
        lines = findings()
        assert all(f["unexpected_ports"] == f"[{s.getsockname()[1]}]" for f in lines)
        assert all(str(s.getsockname()[1]) in f["observed"] for f in lines)
        assert relay.stop() == 0


# ---- instances, configuration, several at once

def test_a_second_instance_is_refused(home):
    cache = home / "c"
    assert relay_in(home, "--cert-cache", str(cache), prefix=NO_CAPS)[1] == {}
    hold = subprocess.Popen(["/usr/bin/python3", "-c",
                             "import fcntl, struct, sys, time\n"
                             f"f = open({str(cache / 'instance.lock')!r}, 'r+')\n"
                             "fcntl.fcntl(f, 37, struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 0, 0))\n"
                             "f.write('4711\\n'); f.flush(); print('held', flush=True); sys.stdin.read()"],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert hold.stdout.readline() == "held\n"
        r, failed = relay_in(home, "--cert-cache", str(cache), prefix=NO_CAPS)
        assert_refused(r, failed, "single-instance", "4711")
        line = failed["single-instance"]
        assert line["path"].endswith("/instance.lock")
        assert "bypass" not in line["err"] and "bypass_env_var" not in line, "no variable frees a lock"
    finally:
        hold.stdin.close()
        hold.wait(10)


@pytest.mark.parametrize("value", ["true", "yes", "0", ""])
def test_production_is_1_or_unset(home, value):
    r, failed = relay_in(home, "--cert-cache", str(home / "c"), env={"PYRYCODE_RELAY_PRODUCTION": value}, prefix=NO_CAPS)
    assert_refused(r, failed, "config", value)


def test_several_failures_give_several_lines_and_one_exit(home):
    (home / "c").mkdir(mode=0o755)
    with leaked() as s:
        r, failed = on_descriptor_5(home, s, "--max-connections=0", prefix=[],
                                    env={**PRODUCTION, "KUBERNETES_SERVICE_HOST": "10.0.0.1"})
    assert r.returncode == 2
    assert {"config", "running-as-root", "capabilities", "cert-cache", "listeners", "single-instance"} <= set(failed)
    assert "kubernetes" not in failed["cert-cache"]["fix"]
    assert "securityContext" in failed["running-as-root"]["fix"]
    lines = [parse_line(line) for line in r.stderr.splitlines()]
    refusals = [f for f in lines if "check" in f and f["level"] == "ERROR"]
    assert [f["n"] for f in refusals] == [f"{i + 1} of {len(refusals)}" for i in range(len(refusals))]
    assert int(lines[-1]["failed"]) == len(refusals)


def test_the_bind_refusal_of_a_privileged_port_is_not_a_posture_failure(home):
    """Not every error is the check's: a port below 1024 without the capability."""
    r = subprocess.run([*NO_CAPS, str(home / "pyrycode-relay"), "--insecure-listen", "127.0.0.1:1",
                        "--metrics-listen="], capture_output=True, text=True, timeout=15, env=clean_environment())
    if r.returncode == 0:
        pytest.skip("this kernel lets everybody bind low ports")
    assert r.returncode == 1 and 'msg="listener failed"' in r.stderr


def test_a_descriptor_limit_bounds_the_default_cap(home):
    r = run_relay("--insecure-listen", "127.0.0.1:70000", "--metrics-listen=", prefix=["prlimit", "--nofile=128:128"])
    assert r.returncode == 2  # the port; the check still runs with few descriptors
    assert "check=config" in r.stderr


# ---- the process itself

def test_no_new_privs_closes_the_way_back(home):
    _, found = posture(home, "--production", prefix=AS_NOBODY)
    assert found["no-way-back"]["verdict"] == "fail" and "CAP_SYS_ADMIN (bit 21)" in found["no-way-back"]["observed"]
    _, found = posture(home, "--production", prefix=[*AS_NOBODY, "--no-new-privs"])
    assert found["no-way-back"]["verdict"] == "pass"
    _, found = posture(home, "--production", prefix=[*AS_NOBODY, "--bounding-set=-all"])
    assert found["no-way-back"]["verdict"] == "pass"


@pytest.mark.parametrize("variable", ["LD_PRELOAD", "LD_LIBRARY_PATH", "LD_DEBUG_OUTPUT", "GLIBC_TUNABLES", "GCONV_PATH",
                                      "OPENSSL_CONF", "OPENSSL_MODULES", "SSLKEYLOGFILE"])
def test_a_loader_variable_is_refused_with_its_value(home, variable):
    r, found = posture(home, "--production", prefix=NO_CAPS, env={variable: "/nonexistent"})
    assert r.returncode == 3
    line = found["loader-environment"]
    assert line["action"] == "refuse" and line["observed"] == f"{variable}=/nonexistent" and line["object"] == variable


def test_a_tracer_is_refused_and_named(home):
    tracer = ("import ctypes, os, sys\n"
              "libc = ctypes.CDLL(None)\n"
              "pid = os.fork()\n"
              "if pid == 0:\n"
              "    libc.ptrace(0, 0, 0, 0)\n"
              "    os.execv(sys.argv[1], sys.argv[1:])\n"
              "while True:\n"
              "    _, status = os.waitpid(pid, 0)\n"
              "    if os.WIFEXITED(status): sys.exit(os.WEXITSTATUS(status))\n"
              "    libc.ptrace(7, pid, 0, 0)\n")
    # A leak check would need to trace the process itself.
    r, found = posture(home, "--production", prefix=["/usr/bin/python3", "-c", tracer],
                       env={"ASAN_OPTIONS": "detect_leaks=0"})
    assert r.returncode == 3
    assert found["traced"]["verdict"] == "fail" and "(python3)" in found["traced"]["observed"]


def test_setarch_without_randomization_is_refused(home):
    r, found = posture(home, "--production", prefix=["setarch", "-R"])
    assert r.returncode == 3
    assert found["personality"]["observed"] == "personality has ADDR_NO_RANDOMIZE"


def test_core_dumps(home):
    """RLIMIT_CORE 0 counts only where no program is fed; 1 counts there too."""
    # sudo takes the right to have cores, and root cannot everywhere take it back.
    if resource.getrlimit(resource.RLIMIT_CORE)[1] != 0:
        _, found = posture(home, "--production", prefix=["prlimit", "--core=1:"])
        assert found["core-dumps"]["verdict"] == "fail"
        _, found = posture(home, "--production", prefix=["prlimit", "--core=1"])
        assert found["core-dumps"]["verdict"] == ("fail" if CORE_PATTERN[0] == "@" else "pass")
    _, found = posture(home, "--production", prefix=["prlimit", "--core=0"])
    assert found["core-dumps"]["verdict"] == ("fail" if CORE_PATTERN[0] in "|@" else "pass")


def test_a_privileged_group_warns_by_its_name(home):
    r, found = posture(home, "--production", prefix=["setpriv", "--groups=42"])
    assert found["privileged-group"]["action"] == "warn" and "42 (shadow)" in found["privileged-group"]["observed"]
    r, found = posture(home, "--production", prefix=["setpriv", "--groups=65532"])
    assert found["privileged-group"]["verdict"] == "pass"


def test_a_seccomp_filter_confines(home):
    install = ("import ctypes, os, struct, sys\n"
               "libc = ctypes.CDLL(None)\n"
               "allow = ctypes.create_string_buffer(struct.pack('HBBI', 6, 0, 0, 0x7fff0000))\n"
               "prog = ctypes.create_string_buffer(struct.pack('HxxxxxxP', 1, ctypes.addressof(allow)))\n"
               "assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, prog) == 0\n"
               "os.execv(sys.argv[1], sys.argv[1:])\n")
    _, found = posture(home, prefix=["/usr/bin/python3", "-c", install])
    assert found["confinement"]["verdict"] == "pass" and "seccomp mode 2" in found["confinement"]["observed"]


def test_too_few_descriptors_for_the_declared_connections(home):
    prefix = ["prlimit", "--nofile=100:100", *NO_CAPS]
    r, failed = relay_in(home, "--cert-cache", str(home / "c"), "--max-connections=500", "--threads=1",
                         env=PRODUCTION, prefix=prefix)
    assert_refused(r, failed, "descriptor-limit", "hard limit 100",
                   "needed 668 (500 connections, 16 before their upgrade, and 152 for handshakes")


def test_without_proc_what_is_not_known_is_said(home):
    """No /proc: nothing passes silently, and the core refuses in production."""
    shim = ["unshare", "-m", "sh", "-c", 'umount -l /proc && exec "$@"', "sh"]
    _, found = posture(home, "--production", prefix=[*shim, *NO_CAPS])
    assert found["traced"]["verdict"] == "unknown" and found["traced"]["errno"] != 0
    assert found["no-way-back"]["verdict"] == "pass", "prctl says it too"
    assert found["personality"]["verdict"] in ("pass", "unknown")


# ---- files and the host ----

def test_a_program_of_ours_is_refused(home):
    program = home / "mine"
    shutil.copy((home / "posture").resolve(), program)
    os.chown(program, UID, UID)
    r = subprocess.run([*NO_CAPS, str(program), "check", "--production", "--format=json"], capture_output=True, text=True,
                       timeout=15, env=clean_environment())
    [line] = [f for f in json.loads(r.stdout)["findings"] if f["id"] == "executable"]
    assert r.returncode == 3 and line["action"] == "refuse"
    assert line["observed"] == f"{program} can be written by us"
    os.chown(program, 0, 0)
    r = subprocess.run([*NO_CAPS, str(program), "check", "--production", "--format=json"], capture_output=True, text=True,
                       timeout=15, env=clean_environment())
    [line] = [f for f in json.loads(r.stdout)["findings"] if f["id"] == "executable"]
    assert line["observed"] == f"the directory of {program} can be written by us"


def test_a_program_that_is_ours_on_a_read_only_mount_passes(home):
    program = (home / "posture").resolve()
    os.chown(program, UID, UID)
    os.chown(program.parent, UID, UID)
    assert posture(home, "--production", prefix=NO_CAPS)[1]["executable"]["action"] == "refuse"
    shim = f'mount --bind {program.parent} {program.parent} && mount -o remount,bind,ro {program.parent} && exec "$@"'
    _, found = posture(home, "--production", prefix=["unshare", "-m", "sh", "-c", shim, "sh", *NO_CAPS])
    assert found["executable"]["verdict"] == "pass"


@pytest.mark.parametrize("mode, observed", [(0o4755, "mode 4755"), (0o2755, "mode 2755")])
def test_a_setuid_target_is_refused(home, mode, observed):
    target = (home / "posture").resolve().parent / "target"
    shutil.copy("/bin/true", target)
    target.chmod(mode)
    r = subprocess.run([*NO_CAPS, str(home / "posture"), "run", "--production", "--", str(target)], capture_output=True,
                       text=True, timeout=15, env=clean_environment())
    assert r.returncode == 78 and f"{target}: {observed}" in r.stderr


def test_file_capabilities_of_a_target_are_refused_and_named(home):
    target = (home / "posture").resolve().parent / "target"
    shutil.copy("/bin/true", target)
    target.chmod(0o755)
    command = [*NO_CAPS, str(home / "posture"), "run", "--production", "--", str(target)]
    subprocess.run(["setcap", "cap_sys_admin,cap_net_bind_service=ep", str(target)], check=True)
    r = subprocess.run(command, capture_output=True, text=True, timeout=15, env=clean_environment())
    assert r.returncode == 78 and "file capabilities: CAP_SYS_ADMIN (bit 21)\n" in r.stderr
    # One that is allowed, and that the bounding set lets exec give.
    subprocess.run(["setcap", "cap_net_bind_service=ep", str(target)], check=True)
    command = [part.replace("--bounding-set=-all", "--bounding-set=-all,+net_bind_service") for part in command]
    r = subprocess.run(command, capture_output=True, text=True, timeout=15, env=clean_environment())
    assert "file capabilities" not in r.stderr


def run_with_descriptor(home, fd, *args, prefix=()):
    """The descriptor becomes number 7 of the program."""
    shim = ("import os, sys\n"
            "os.dup2(int(sys.argv[1]), 7)\n"
            "os.execvp(sys.argv[2], sys.argv[2:])")
    r = subprocess.run([*prefix, "/usr/bin/python3", "-c", shim, str(fd), *NO_CAPS, str(home / "posture"), "check",
                        "--production", "--format=json", *args],
                       capture_output=True, text=True, timeout=15, pass_fds=[fd], env=clean_environment())
    return [f for f in json.loads(r.stdout)["findings"]
            if f["id"] == "inherited-descriptors" and f["object"] in ("fd=7", "")]


def test_an_inherited_directory_is_refused(home):
    fd = os.open("/etc", os.O_RDONLY)
    [line] = run_with_descriptor(home, fd)
    os.close(fd)
    assert line["action"] == "refuse" and line["observed"] == "descriptor 7: a directory, /etc"


def test_an_inherited_device_is_refused_and_a_common_one_warns(home):
    node = (home / "posture").resolve().parent / "loop"
    os.mknod(node, 0o600 | stat.S_IFCHR, os.makedev(10, 200))  # /dev/net/tun
    try:
        fd = os.open(node, os.O_RDWR)
    except OSError:
        pytest.skip("this machine has no /dev/net/tun")
    [line] = run_with_descriptor(home, fd)
    os.close(fd)
    assert line["action"] == "refuse" and "a device, " in line["observed"]
    fd = os.open("/dev/zero", os.O_RDONLY)
    [line] = run_with_descriptor(home, fd)
    os.close(fd)
    assert line["action"] == "warn" and line["observed"] == "descriptor 7: /dev/zero"


def test_an_inherited_pipe_warns(home):
    r, w = os.pipe()
    [line] = run_with_descriptor(home, r)
    assert line["action"] == "warn" and "pipe:[" in line["observed"]
    os.close(r)
    os.close(w)


def test_a_connection_to_a_runtime_is_refused(home):
    path = home / "docker.sock"
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(str(path))
        server.listen()
        client.connect(str(path))
        [line] = run_with_descriptor(home, client.fileno())
    assert line["action"] == "refuse" and "container runtime's socket" in line["observed"]


@pytest.mark.parametrize("fd", [0, 1, 2])
def test_a_closed_standard_descriptor_is_refused(home, fd):
    out = home / "out"
    command = f'exec "$@" --format=json={out} {fd}<&-' if fd == 0 else f'exec "$@" --format=json={out} {fd}>&-'
    out.touch()
    os.chown(out, UID, UID)
    subprocess.run(["sh", "-c", command, "sh", *NO_CAPS, str(home / "posture"), "check", "--production"],
                   stdin=subprocess.DEVNULL, capture_output=True, timeout=15, env=clean_environment())
    lines = [f for f in json.loads(out.read_text())["findings"] if f["id"] == "inherited-descriptors"]
    assert [(f["action"], f["observed"]) for f in lines if f["object"] == f"fd={fd}"] == [
        ("refuse", f"descriptor {fd} is closed")]


def test_a_runtime_socket_that_we_can_write_to_is_refused(home):
    """Mounted under another name and read-only: neither helps."""
    path = home / "docker.sock"
    mounted = home / "other-name"
    mounted.touch()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        path.chmod(0o666)
        shim = (f'mount --bind {path} {mounted} && mount -o remount,bind,ro {mounted} && exec "$@"')
        prefix = ["unshare", "-m", "sh", "-c", shim, "sh", *NO_CAPS]
        _, found = posture(home, "--production", prefix=prefix)
        assert found["runtime-socket"]["action"] == "refuse"
        assert found["runtime-socket"]["object"] == str(mounted)
        path.chmod(0o600)
        _, found = posture(home, "--production", prefix=prefix)
        assert found["runtime-socket"]["verdict"] == "pass"
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()  # nobody has connected


def test_key_files(home):
    def verdict():
        line = posture(home, "--production", "--key-file", str(key), prefix=NO_CAPS)[1]["key-files"]
        return line["verdict"], line["action"]

    key = home / "key"
    assert verdict() == ("fail", "refuse")  # missing
    key.write_text("secret")
    os.chown(key, UID, UID)
    key.chmod(0o600)
    assert verdict() == ("pass", "none")
    key.chmod(0o640)
    assert verdict() == ("fail", "refuse")
    os.chown(key, 0, UID)
    assert verdict() == ("pass", "none")
    os.chown(key, 0, 1)
    assert verdict() == ("fail", "refuse")
    os.chown(key, UID, UID)
    key.chmod(0o400)
    os.link(key, home / "second")
    assert verdict() == ("fail", "warn")
    (home / "second").unlink()
    data = home / "..data"
    data.mkdir(mode=0o755)
    key.rename(data / "key")
    key.symlink_to("..data/key")  # as kubernetes does
    assert verdict() == ("pass", "none")
    data.chmod(0o777)
    assert verdict() == ("fail", "refuse")


def test_sockets_of_other_kinds_are_expected_by_name(home):
    """UDP and unix sockets that a program means to have: exactly those, in the phase bound."""
    path = home / "service.sock"
    with contextlib.ExitStack() as stack:
        udp = stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
        udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        udp.bind(("::", 0))
        named = stack.enter_context(socket.socket(socket.AF_UNIX))
        named.bind(str(path))
        named.listen()
        abstract = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        abstract.bind(f"\0{home.name}")
        abstract.listen()
        port = udp.getsockname()[1]
        fds = [s.fileno() for s in (udp, named, abstract)]
        expected = [f"udp::{port}", f"unix:{path}", f"unix:@{home.name}"]
        for left_out in (None, *expected):
            args = [word for e in expected if e != left_out for word in ("--expect-listener", e)]
            _, found = posture(home, "--production", "--phase=bound", *args, pass_fds=fds)
            assert found["listeners"]["verdict"] == ("pass" if left_out is None else "fail"), found["listeners"]


def test_what_is_writable_of_the_system_is_named(home):
    shim = "mount -t tmpfs -o mode=0777 none /etc && exec \"$@\""
    _, found = posture(home, "--production", prefix=["unshare", "-m", "sh", "-c", shim, "sh", *NO_CAPS])
    assert found["root-filesystem"]["action"] == "warn"
    assert found["root-filesystem"]["observed"] == "/etc can be written by us"


def test_a_writable_knob_and_a_readable_disk_are_named(home):
    shim = ("mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && mknod -m 644 /dev/sdq3 b 240 1 && mknod -m 600 /dev/sdr b 240 2 && mknod -m 644 /dev/loop7 b 7 7 && "
            "mount --bind /dev/null /proc/sys/kernel/core_pattern && exec \"$@\"")
    _, found = posture(home, "--production", prefix=["unshare", "-m", "sh", "-c", shim, "sh", *NO_CAPS])
    assert found["privileged-container"]["action"] == "warn"
    r = subprocess.run(["unshare", "-m", "sh", "-c", shim, "sh", *NO_CAPS, str(home / "posture"), "check",
                        "--format=logfmt"], capture_output=True, text=True, timeout=15, env=clean_environment())
    assert "/dev/sdq3 can be read by us" in r.stdout and "/dev/sdr" not in r.stdout and "loop7" not in r.stdout
    assert "/proc/sys/kernel/core_pattern can be written by us" in r.stdout


@pytest.mark.parametrize("kind, files, observed", [
    ("cgroup2", {"memory.max": "max", "a/memory.max": "268435456", "a/b/memory.max": "max"}, "256 MiB"),
    ("cgroup2", {"a/b/memory.max": "max", "a/memory.max": "max"}, "no limit"),
    ("cgroup2", {"a/b/memory.max": "1073741824"}, "1024 MiB"),
])
def test_the_memory_limit_of_any_ancestor_counts(home, kind, files, observed):
    """A hierarchy of our own: the kernel's texts, where the kernel has them."""
    tree = home / "cgroup"
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text + "\n")
    tree.chmod(0o755)
    home.chmod(0o755)
    mounts = home / "mountinfo"
    mounts.write_text(f"1 0 0:1 / / rw - tmpfs none rw\n30 1 0:26 / {tree} rw - {kind} cgroup rw\n")
    groups = home / "groups"
    groups.write_text("0::/a/b\n")
    shim = ('pid=$$; mount --bind "$1" /proc/$pid/mountinfo && mount --bind "$2" /proc/$pid/cgroup && shift 2 && '
            'exec "$@"')
    r, found = posture(home, "--production", prefix=["unshare", "-m", "sh", "-c", shim, "sh", str(mounts), str(groups),
                                                     *NO_CAPS])
    if observed == "no limit" and os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") <= 4 << 30:
        observed = "the machine itself"
    assert found["memory-limit"]["observed"].startswith(observed)
