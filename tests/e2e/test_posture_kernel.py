"""The check against real kernel state: users, capabilities, directories,
descriptors, as root.  After every refusal nothing listens."""
import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

import pytest
from conftest import POSTURE_BIN, RELAY_BIN, Relay, clean_environment, free_port, parse_line, run_relay

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: users and capabilities are changed")

UID = 65532
# Where a program is fed with cores, only the process itself can say no.
CORES_ARE_PIPED = open("/proc/sys/kernel/core_pattern").read()[0] in "|@"
AS_NOBODY = ["prlimit", "--core=0", "setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups"]
NO_CAPS = [*AS_NOBODY, "--inh-caps=-all", "--bounding-set=-all"]


@pytest.fixture
def home():
    """A directory of uid 65532 that only root and it can reach into."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="relay-", dir="/var/tmp"))
    os.chown(path, UID, UID)
    path.chmod(0o700)
    # The binaries as that user can run them, wherever the build lies.
    for binary in (RELAY_BIN, POSTURE_BIN):
        shutil.copy2(pathlib.Path(binary).resolve(), path / pathlib.Path(binary).name)
        os.chmod(path / pathlib.Path(binary).name, 0o755)
    yield path
    shutil.rmtree(path)


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
    return {i for i, f in found.items() if f["action"] == "refuse" and not (i == "core-dumps" and CORES_ARE_PIPED)}


def relay_in(home, *args, prefix=(), env=None, **options):
    """The relay in TLS mode: its listeners named, so that one can look."""
    port = free_port()
    r = subprocess.run([*prefix, str(home / "pyrycode-relay"), "--domain", "relay.example.com",
                        f"--https-listen=127.0.0.1:{port}", f"--http-listen=127.0.0.1:{free_port()}",
                        "--metrics-listen=", *args], capture_output=True, text=True, timeout=15,
                       env=clean_environment(**(env or {})), **options)
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1)
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
    assert failed == {} and "TLS is not in this build" in r.stderr
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
    subprocess.run(["setcap", "cap_sys_admin=p", str(home / "pyrycode-relay")], check=True)
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
    prefix = ["setpriv", f"--reuid={UID}", f"--regid={UID}", *groups, "--inh-caps=+net_bind_service",
              "--ambient-caps=+net_bind_service", "--bounding-set=-all,+net_bind_service"]
    r, found = posture(home, "--production", prefix=prefix)
    assert r.returncode == 0, r.stdout
    assert "could not be read" not in found["capabilities"]["observed"]


@pytest.mark.parametrize("line, check", [
    ("Uid:\\t0\\t0\\t0\\t0", "running-as-root"),
    ("CapEff:\\t0000000000200000", "capabilities"),
    ("CapAmb:\\t0000000000200000", "capabilities"),
])
def test_a_proc_that_says_otherwise_is_refused(home, line, check):
    fake = f"{EMPTY_PROC} && printf '{line}\\n' >/proc/thread-self/status"
    prefix = ["unshare", "-m", "sh", "-c", f'{fake} && exec "$@"', "sh", *NO_CAPS]
    r, found = posture(home, "--production", prefix=prefix)
    assert r.returncode == 3
    assert found[check]["verdict"] == "fail" and "disagree" in found[check]["reason"]


def test_root_of_a_user_namespace_is_named_as_such(home):
    prefix = [*NO_CAPS, "unshare", "--user", "--map-root-user"]
    if subprocess.run([*prefix, "true"], capture_output=True).returncode != 0:
        pytest.skip("no user namespaces here")
    r, found = posture(home, "--production", prefix=prefix)
    assert r.returncode == 3
    assert f"0 maps to {UID} outside" in found["running-as-root"]["observed"]


# ---- the certificate cache

def cache_case(home, change):
    cache = home / "state" / "cache"
    cache.mkdir(parents=True)
    for p in (home / "state", cache):
        p.chmod(0o700)
        os.chown(p, UID, UID)
    where = change(cache) or cache
    return relay_in(home, "--cert-cache", str(where), prefix=NO_CAPS), where


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


@pytest.mark.parametrize("change", [chmod_0750, somebody_elses, readable_key])
def test_the_fix_pasted_into_a_shell_fixes_it(home, change):
    (_, failed), where = cache_case(home, change)
    subprocess.run(failed["cert-cache"]["fix"], shell=True, check=True)
    _, failed = relay_in(home, "--cert-cache", str(where), prefix=NO_CAPS)
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
        import threading
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
    """RLIMIT_CORE alone counts only where cores are not piped."""
    _, found = posture(home, "--production", prefix=["prlimit", "--core=unlimited"])
    assert found["core-dumps"]["verdict"] == "fail"
    _, found = posture(home, "--production", prefix=["prlimit", "--core=0"])
    assert found["core-dumps"]["verdict"] == ("fail" if CORES_ARE_PIPED else "pass")


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
    r, failed = relay_in(home, "--cert-cache", str(home / "c"), "--max-connections=500", env=PRODUCTION, prefix=prefix)
    assert_refused(r, failed, "descriptor-limit", "hard limit 100", "needed 564 (500 connections and 64")


def test_without_proc_what_is_not_known_is_said(home):
    """No /proc: nothing passes silently, and the core refuses in production."""
    shim = ["unshare", "-m", "sh", "-c", 'umount -l /proc && exec "$@"', "sh"]
    _, found = posture(home, "--production", prefix=[*shim, *NO_CAPS])
    assert found["traced"]["verdict"] == "unknown" and found["traced"]["errno"] != 0
    assert found["no-way-back"]["verdict"] == "pass", "prctl says it too"
    assert found["personality"]["verdict"] in ("pass", "unknown")
