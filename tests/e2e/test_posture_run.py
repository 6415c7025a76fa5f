"""posture run, policy files and output formats, as a user meets them."""
import datetime
import json
import os
import pathlib
import re
import resource
import shutil
import socket
import subprocess
import tempfile
import xml.etree.ElementTree as ET

import pytest
from conftest import POSTURE_BIN, clean_environment, free_port

UID = 65532
# 1 stops files and programs; a limit that is 0 here already stays so.
NO_CORES = "--core=0" if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0 else "--core=1"
GOOD = ["prlimit", NO_CORES, "setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--inh-caps=-all",
        "--bounding-set=-all"]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: users are changed")
CORE_PATTERN = open("/proc/sys/kernel/core_pattern").read()
CORES_LEAK = CORE_PATTERN[0] == "@" or (CORE_PATTERN[0] == "|" and NO_CORES == "--core=0")
# For tests of something else, on hosts where no limit helps.
WAIVE = [] if not CORES_LEAK else ["--waive", f"core-dumps:{datetime.date.today() + datetime.timedelta(30)}:cores go to the host here"]
SANITIZED = b"__asan_init" in open(POSTURE_BIN, "rb").read()


@pytest.fixture
def home():
    path = pathlib.Path(tempfile.mkdtemp(prefix="posture-", dir="/var/tmp"))
    path.chmod(0o755)
    shutil.copy(POSTURE_BIN, path / "posture")
    yield path
    shutil.rmtree(path)


def run(home, *args, prefix=(), env=None, **options):
    return subprocess.run([*prefix, str(home / "posture"), *args], capture_output=True, text=True, timeout=20,
                          env=clean_environment(**(env or {})), **options)


# ---- run

@needs_root
def test_a_good_environment_becomes_the_program(home):
    r = run(home, "run", "--production", *WAIVE, "--", "sh", "-c", "echo $$ $0 $1; exit 7", "zero", "one", prefix=GOOD)
    assert r.returncode == 7, r.stderr
    assert r.stdout.split()[1:] == ["zero", "one"]


# Asked of the kernel one by one: a list of them would be open itself, and so may be a shell's pipes.
OPEN = "import os\nprint(os.getpid(), *[fd for fd in range(1024) if os.path.exists(f'/proc/self/fd/{fd}')])"


def test_the_program_has_the_same_pid_and_nothing_left_open(home):
    path = policy(home, "[policy]\ndescriptors = 10\n")
    p = subprocess.Popen([str(home / "posture"), "run", "--policy", str(path), "--", "/usr/bin/python3", "-c", OPEN],
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True)
    assert p.communicate(timeout=15)[0].split() == [str(p.pid), "0", "1", "2"]


def test_the_environment_is_untouched(home):
    r = run(home, "run", "env", env={"A_STRANGE_ONE": "x y=z"})
    assert r.returncode == 0
    assert "A_STRANGE_ONE=x y=z" in r.stdout.splitlines()


@needs_root
def test_a_bad_environment_is_refused_before_the_program(home):
    marker = home / "ran"
    r = run(home, "run", "--production", "--", "touch", str(marker))
    assert r.returncode == 78
    assert "ErrRunningAsRoot" in r.stderr and "fix" in r.stderr and "the program was not started" in r.stderr
    assert r.stdout == "" and not marker.exists()


def test_without_production_it_warns_and_goes_on(home):
    r = run(home, "run", "--", "echo", "ran")
    assert r.returncode == 0 and r.stdout == "ran\n"


def test_the_variable_says_production_and_strictly(home):
    for value in ("1", "true", ""):
        r = run(home, "run", "--allow-no-capability", "--", "true", env={"POSTURE_PRODUCTION": value, "LD_PRELOAD": "/x"})
        assert r.returncode == 78, value


@pytest.mark.parametrize("program, code", [("/nonexistent/x", 127), ("no-such-program-here", 127), ("/etc/passwd", 126),
                                           ("/etc", 126)])
def test_what_cannot_be_executed(home, program, code):
    r = run(home, "run", "--", program)
    assert r.returncode == code and f"posture: {program}:" in r.stderr


@pytest.mark.parametrize("args", [["run"], ["run", "--"], ["run", "--nope", "--", "true"], ["run", "--format=json", "true"],
                                  ["run", "--seal=everything", "--", "true"], ["run", "--seal=bind=http", "--", "true"],
                                  ["run", "--seal=write=relative", "--", "true"], ["check", "--phase=later"],
                                  ["check", "--format=xml"], ["check", "--format=json="], ["check", "--production=yes"],
                                  ["check", "--allow-capability"], ["check", "--allow-capability=CAP_NONSENSE"],
                                  ["check", "--descriptors=0"], ["check", "--cert-cache=relative"], ["check", "extra"],
                                  ["check", "--waive=core-dumps"], ["check", "--require-variable=A=["], ["suggest"],
                                  ["suggest", "--for=mainframe"], ["policy", "lint"], ["explain"], ["explain", "nope"]])
def test_usage_errors_say_what_is_wrong(home, args):
    r = run(home, *args)
    assert r.returncode == 64, r.stderr
    assert r.stderr.startswith("posture: ") and "--help" in r.stderr and len(r.stderr.splitlines()) == 1
    assert r.stdout == ""


@needs_root
def test_it_refuses_to_be_setuid(home):
    (home / "posture").chmod(0o4755)
    # A leak check does not work in a setuid program.
    r = run(home, "run", "--", "true", prefix=GOOD, env={"ASAN_OPTIONS": "detect_leaks=0"})
    assert r.returncode == 78 and "setuid" in r.stderr
    # For the one whom the bit names it changes nothing, and is there all the same.
    r = run(home, "run", "--", "true")
    assert r.returncode == 78 and "setuid" in r.stderr


@needs_root
@pytest.mark.skipif(not shutil.which("setcap"), reason="there is no setcap")
def test_a_program_whose_capabilities_exec_cannot_give(home):
    """Without the check it is an exec that fails with EPERM, and nobody knows why."""
    shutil.copy(shutil.which("true"), home / "app")
    subprocess.run(["setcap", "cap_net_bind_service+ep", str(home / "app")], check=True)
    r = run(home, "run", "--production", *WAIVE, "--", str(home / "app"), prefix=GOOD)
    assert r.returncode == 78 and "exec fails with EPERM" in r.stderr and "setcap -r" in r.stderr
    r = run(home, "run", "--", str(home / "app"), prefix=GOOD)
    assert r.returncode == 126 and "Operation not permitted" in r.stderr
    allowed = [*GOOD[:-1], "--bounding-set=-all,+net_bind_service"]
    assert run(home, "run", "--production", *WAIVE, "--", str(home / "app"), prefix=allowed).returncode == 0


@needs_root
def test_an_allowed_value_and_the_file_that_it_names(home):
    conf = home / "openssl.cnf"
    args = ["check", "--production", "--format=json", "--allow-environment", f"OPENSSL_CONF={conf}"]

    def row():
        r = run(home, *args, prefix=GOOD, env={"OPENSSL_CONF": str(conf)})
        return [f for f in json.loads(r.stdout)["findings"] if f["id"] == "loader-environment"]

    assert [f["verdict"] for f in row()] == ["pass"]  # it is not there, and nobody else can make it
    conf.write_text("")
    conf.chmod(0o644)
    assert [f["verdict"] for f in row()] == ["pass"]
    conf.chmod(0o666)
    (found,) = row()
    assert found["verdict"] == "fail" and found["action"] == "refuse" and found["object"] == str(conf)
    conf.chmod(0o644)
    home.chmod(0o777)
    (found,) = row()
    assert found["verdict"] == "fail" and found["object"] == str(home)


# ---- the seal of a program

def bind_in(home, seal, port):
    code = f"import socket; s = socket.socket(); s.bind(('127.0.0.1', {port})); print('bound')"
    return run(home, "run", f"--seal={seal}", "--", "/usr/bin/python3", "-c", code)


def landlock_abi():
    import ctypes
    return ctypes.CDLL(None, use_errno=True).syscall(444, None, 0, 1)


@pytest.mark.skipif(landlock_abi() < 4, reason="this kernel's Landlock knows no ports")
def test_a_sealed_program_binds_its_port_alone(home):
    mine, other = free_port(), free_port()
    assert bind_in(home, f"bind={mine}", mine).stdout == "bound\n"
    r = bind_in(home, f"bind={mine}", other)
    assert r.returncode != 0 and "PermissionError" in r.stderr
    assert "PermissionError" in bind_in(home, "bind=none", mine).stderr


@pytest.mark.skipif(landlock_abi() < 1, reason="this kernel has no Landlock")
def test_a_sealed_program_writes_its_paths_alone(home):
    (home / "mine").mkdir()
    r = run(home, "run", f"--seal=write={home / 'mine'}", "--", "sh", "-c",
            f"echo 1 > {home}/mine/f && echo inside; echo 1 > {home}/g && echo outside")
    assert r.stdout == "inside\n" and not (home / "g").exists()


@pytest.mark.skipif(SANITIZED, reason="a build with sanitizers has no filter")
def test_a_sealed_program_may_not_trace(home):
    code = "import ctypes; l = ctypes.CDLL(None, use_errno=True); print(l.ptrace(0, 0, 0, 0), ctypes.get_errno())"
    assert run(home, "run", "--seal=syscalls", "--", "/usr/bin/python3", "-c", code).stdout == "-1 1\n"


@needs_root
def test_a_declared_seal_satisfies_its_row(home):
    prefix = [p for p in GOOD if p != "--bounding-set=-all"]
    args = ["run", "--production", *WAIVE, "--seal=no-new-privs", "--require-seal", "--", "grep", "NoNewPrivs", "/proc/self/status"]
    assert run(home, *[a for a in args if not a.startswith("--seal")], prefix=prefix).returncode == 78
    r = run(home, *args, prefix=prefix)
    assert r.returncode == 0 and r.stdout == "NoNewPrivs:\t1\n", r.stderr


@needs_root
@pytest.mark.skipif(CORES_LEAK or NO_CORES == "--core=0", reason="cores are taken away already, or no limit helps")
def test_a_program_that_cannot_be_dumped(home):
    """What a pod has no field for: cores are possible, and the entrypoint takes them away."""
    prefix = ["prlimit", "--core=0:unlimited", *GOOD[2:]]
    limits = "import resource; print(*resource.getrlimit(resource.RLIMIT_CORE))"
    r = run(home, "run", "--production", "--", "/usr/bin/python3", "-c", limits, prefix=prefix)
    assert r.returncode == 78 and "the program is dumpable, RLIMIT_CORE above 1" in r.stderr
    r = run(home, "run", "--production", "--seal=no-core", "--require-seal", "--", "/usr/bin/python3", "-c", limits,
            prefix=prefix)
    assert r.returncode == 0 and r.stdout == "1 1\n", r.stderr


# ---- policy files

def policy(home, text, mode=0o644):
    path = home / "policy.ini"
    path.write_text(text)
    path.chmod(mode)
    return path


@needs_root
def test_a_policy_file_says_what_flags_say(home):
    path = policy(home, "[policy]\n; a comment\nproduction = yes\nallow-capability = CAP_SYS_ADMIN\n"
                        "allow-capability = chown\nrequire-variable = MODE=(a|b)\n")
    r = run(home, "check", f"--policy={path}", "--format=json", env={"MODE": "c"})
    report = json.loads(r.stdout)
    by_id = {f["id"]: f for f in report["findings"]}
    assert report["mode"] == "production" and r.returncode == 3
    assert by_id["config"]["object"] == "MODE" and '"c"' in by_id["config"]["observed"]
    assert "CAP_SYS_ADMIN" not in by_id["capabilities"]["observed"] and "CAP_KILL" in by_id["capabilities"]["observed"]
    r = run(home, "check", f"--policy={path}", "--format=json", env={"MODE": "b"})
    assert {f["id"]: f for f in json.loads(r.stdout)["findings"]}["config"]["verdict"] == "pass"


def test_the_effective_policy_is_a_policy_file(home):
    path = policy(home, "[policy]\ndescriptors = 100\nallow-capability = CAP_CHOWN\n")
    r = run(home, "check", f"--policy={path}", "--descriptors=200", "--container", "--print-policy")
    assert r.stdout == "[policy]\ndescriptors = 200\nallow-capability = CAP_CHOWN\ncontainer = yes\n"
    again = policy(home, r.stdout)
    assert run(home, "policy", "lint", str(again)).stdout == f"{again}: ok\n"


@pytest.mark.parametrize("text, line, words", [
    ("[policy]\nproducton = yes\n", 2, "unknown key: producton"),
    ("[policy]\nproduction = yes\nproduction = yes\n", 3, "key given twice: production"),
    ("[policy]\nproduction = maybe\n", 2, "production = maybe: expected yes"),
    ("[policies]\nproduction = yes\n", 2, "unknown section, expected [policy]: policies"),
    ("production = yes\n", 1, "unknown section"),
    ("[policy]\n\nallow-capability = CAP_NOPE\n", 3, "no such capability"),
    ("[policy]\nrequire-variable = A=(\n", 2, "regular expression"),
    ("[policy]\nwaive = running-as-root:2030-01-01:we like to be root\n", 2, "can be waived"),
    ("[policy]\nwaive = core-dumps:2030-02-30:there is no such day\n", 2, "YYYY-MM-DD"),
    ("[policy]\nwaive = core-dumps:2030-01-01:short\n", 2, "at least 10 characters"),
    ("[policy]\nthis is no line\n", 2, "key = value"),
    ("[policy]\nallow-environment = LD_PRELOAD=/" + "x" * 300 + "\n", 2, "line too long"),
])
def test_a_wrong_policy_names_line_and_key(home, text, line, words):
    path = policy(home, text)
    for args in (["policy", "lint", str(path)], ["check", "--policy", str(path)], ["run", "--policy", str(path), "true"]):
        r = run(home, *args)
        assert r.returncode == 66
        assert f"posture: {path}:{line}: " in r.stderr and words in r.stderr, r.stderr
        assert r.stdout == ""


def test_a_policy_that_others_can_write_is_refused(home):
    r = run(home, "policy", "lint", str(policy(home, "[policy]\n", 0o666)))
    assert r.returncode == 66 and "others can write this policy" in r.stderr and "chmod go-w" in r.stderr


def test_every_wrong_line_is_named_at_once(home):
    path = policy(home, "[policy]\nno line\nproducton = yes\n\n  \nno line either\n; a comment\nproduction = maybe\n")
    r = run(home, "policy", "lint", str(path))
    assert re.findall(r"policy\.ini:(\d+):", r.stderr) == ["2", "3", "6", "8"], r.stderr


@needs_root
def test_a_policy_that_others_can_replace_is_refused(home):
    path = policy(home, "[policy]\nproduction = yes\n")
    assert run(home, "policy", "lint", str(path)).returncode == 0
    home.chmod(0o777)
    r = run(home, "policy", "lint", str(path))
    assert r.returncode == 66 and f"others can replace this policy: {home} (owner 0, mode 0777)" in r.stderr
    home.chmod(0o1777)
    assert run(home, "policy", "lint", str(path)).returncode == 0
    home.chmod(0o755)
    os.chown(home, UID, UID)
    assert run(home, "policy", "lint", str(path)).returncode == 66


def test_a_catalogue(home):
    assert json.loads(run(home, "check", "--format=json", "--catalogue=1").stdout)["catalogue"] == 1
    r = run(home, "check", "--catalogue=99")
    assert r.returncode == 64 and "does not have that catalogue" in r.stderr


def test_a_policy_that_is_not_there(home):
    r = run(home, "check", "--policy=/nonexistent.ini")
    assert r.returncode == 66 and "/nonexistent.ini: No such file" in r.stderr


# ---- waivers

def days_ahead(days):
    return datetime.datetime.now(datetime.timezone.utc).date() + datetime.timedelta(days)


def loader_finding(home, days):
    r = run(home, "check", "--production", f"--waive=loader-environment:{days_ahead(days)}:a profiler is attached",
            "--format=json", env={"SSLKEYLOGFILE": "/tmp/keys"})
    return {f["id"]: f for f in json.loads(r.stdout)["findings"]}["loader-environment"]


@pytest.mark.parametrize("days", [0, 1, 90])
def test_a_waiver_downgrades_and_says_so(home, days):
    f = loader_finding(home, days)
    assert (f["verdict"], f["action"]) == ("waived", "warn")
    assert f"waived until {days_ahead(days)} (a profiler is attached)" in f["reason"]


@pytest.mark.parametrize("days, words", [(-1, "its waiver ended on"), (91, "more than 90 days away")])
def test_a_waiver_that_is_over_or_too_long_is_none(home, days, words):
    f = loader_finding(home, days)
    assert (f["verdict"], f["action"]) == ("fail", "refuse") and words in f["reason"]


def test_a_waiver_of_what_holds_changes_nothing(home):
    r = run(home, "check", f"--waive=clock:{days_ahead(5)}:clocks are hard", "--format=json")
    assert {f["id"]: f for f in json.loads(r.stdout)["findings"]}["clock"]["verdict"] == "pass"


# ---- formats

EVIL = {"LD_PRELOAD": "/<a>&\"b\"\\\x1b[31m\n\xff"}


def test_strict_counts_warnings(home):
    r = run(home, "check", "--strict", env={"SSLKEYLOGFILE": "/x"})
    assert r.returncode == 4
    assert run(home, "check", env={"SSLKEYLOGFILE": "/x"}).returncode == 0


def test_several_formats_at_once(home):
    r = run(home, "check", "--production", f"--format=json={home}/r.json", f"--format=junit={home}/r.xml", "--format", "text",
            env=EVIL)
    assert r.returncode == 3 and "REFUSE" in r.stdout and "\x1b" not in r.stdout
    report = json.loads((home / "r.json").read_text())
    suite = ET.parse(home / "r.xml").getroot()
    refused = [f for f in report["findings"] if f["action"] == "refuse"]
    assert int(suite.get("tests")) == len(report["findings"]) == len(suite.findall("testcase"))
    assert int(suite.get("failures")) == len(refused) == len(suite.findall("testcase/failure"))
    assert {t.get("type") for t in suite.findall("testcase/failure")} == {f["sentinel"] for f in refused}


def test_sarif_has_a_rule_for_every_result(home):
    report = json.loads(run(home, "check", "--production", "--format=sarif", env=EVIL).stdout)
    assert report["version"] == "2.1.0"
    driver = report["runs"][0]["tool"]["driver"]
    rules = {rule["id"] for rule in driver["rules"]}
    results = report["runs"][0]["results"]
    assert len(rules) == len(driver["rules"]) and results and {r["ruleId"] for r in results} <= rules
    assert {r["level"] for r in results} <= {"error", "warning"}
    assert "ErrLoaderInjection" in {r["ruleId"] for r in results}


def test_prometheus_has_one_series_for_each_row(home):
    text = run(home, "check", "--production", "--format=prometheus", env=EVIL).stdout
    samples = re.findall(r'^posture_invariant\{id="([a-z-]+)",verdict="([a-z-]+)",action="([a-z]+)"\} 1$', text, re.M)
    ids = [line.split()[0] for line in run(home, "list").stdout.splitlines()]
    assert [s[0] for s in samples] == ids
    assert dict((s[0], s[1:]) for s in samples)["loader-environment"] == ("fail", "refuse")
    for line in text.splitlines():
        assert re.match(r"# (HELP|TYPE) [a-z_]+ |[a-z_]+\{[^}]*\} [0-9]+$", line), line


def test_a_report_that_cannot_be_written(home):
    r = run(home, "check", "--format=json=/nonexistent/x.json")
    assert r.returncode == 70 and "/nonexistent/x.json" in r.stderr


@pytest.mark.parametrize("platform, words", [("docker", "--cap-drop=ALL"), ("podman", "--cap-drop=all"),
                                             ("kubernetes", "runAsNonRoot: true"), ("systemd", "NoNewPrivileges=yes"),
                                             ("fly", "USER 65532"), ("bare", "setpriv")])
def test_suggest_prints_the_manifest(home, platform, words):
    r = run(home, "suggest", "--for", platform)
    assert r.returncode == 0 and words in r.stdout and r.stderr == ""


@needs_root
def test_the_suggestion_for_a_bare_machine_passes(home):
    """What it says, pasted with the program in place of COMMAND."""
    command = run(home, "suggest", "--for=bare").stdout.replace("COMMAND", f"{home}/posture check --production --format=json")
    r = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=20, env=clean_environment())
    refused = {f["id"] for f in json.loads(r.stdout)["findings"] if f["action"] == "refuse"}
    assert refused <= ({"core-dumps"} if CORES_LEAK else set()), r.stdout


def test_help_fits_a_screen(home):
    lines = run(home, "--help").stdout.splitlines()
    assert len(lines) <= 24 and max(map(len, lines)) <= 80
