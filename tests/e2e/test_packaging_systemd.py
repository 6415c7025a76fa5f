"""The units: what systemd says of them, and that the relay can live in them."""
import os
import pathlib
import re
import shutil
import signal
import subprocess

import pytest
from conftest import PATIENCE, RELAY_BIN, clean_environment
from test_relay_activation import listening, port_of, shim

TOP = pathlib.Path(__file__).resolve().parents[2]
UNITS = TOP / "packaging/systemd"
SERVICE = UNITS / "pyrycode-relay.service"
RELEASE = pathlib.Path(os.environ.get("RELEASE_DIR", TOP / "build/release")) / "src/pyrycode-relay"
EXPOSURE = 1.5  # at most, of 10

pytestmark = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")


def settings(unit):
    """Each setting's values, in order; as systemd reads them."""
    found = {}
    for line in unit.read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            found.setdefault(key, []).append(value)
    return found


def test_the_units_are_valid(tmp_path):
    """Of the paths that they name, the program's is the one that is installed."""
    for unit in UNITS.glob("pyrycode-relay*.s*"):
        text = unit.read_text().replace("/usr/bin/pyrycode-relay", RELAY_BIN)
        (tmp_path / unit.name).write_text(text)
    units = sorted(tmp_path.iterdir())
    assert [u.name for u in units] == ["pyrycode-relay-http.socket", "pyrycode-relay-https.socket", "pyrycode-relay.service"]
    r = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True)
    assert (r.returncode, [li for li in r.stderr.splitlines() if "pyrycode" in li]) == (0, [])


def test_verify_finds_what_is_wrong(tmp_path):
    """So that the test above can fail."""
    unit = tmp_path / "pyrycode-relay.service"
    unit.write_text(SERVICE.read_text().replace("/usr/bin/pyrycode-relay", RELAY_BIN).replace("UMask=0077", "UMask=x"))
    r = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True)
    assert "UMask" in r.stderr or "mode" in r.stderr


def exposure(*more):
    r = subprocess.run(["systemd-analyze", "security", "--offline=true", f"--threshold={int(EXPOSURE * 10)}", *more],
                       capture_output=True, text=True, env={**os.environ, "SYSTEMD_PAGER": ""})
    return r.returncode, float(re.search(r"Overall exposure level for \S+: ([\d.]+)", r.stdout)[1])


def test_its_exposure_is_low(tmp_path):
    code, level = exposure(SERVICE)
    assert code == 0 and level <= EXPOSURE
    bare = tmp_path / "bare.service"
    bare.write_text("[Service]\nExecStart=/bin/true\n")
    code, level = exposure(bare)
    assert code != 0 and level > 9


def test_it_is_what_the_runbook_says():
    """Each fix of the runbook for systemd that is a setting of a unit."""
    unit = settings(SERVICE)
    fixes = re.findall(r"^    systemd     systemctl edit UNIT: (.*)$", (TOP / "docs/runbook.md").read_text(), re.M)
    wanted = {}
    for fix in fixes:
        for key, value in re.findall(r"\b([A-Z]\w+)=([\w@~./-]*)", fix):
            wanted.setdefault(key, set()).add(value)
    named = ["DynamicUser", "NoNewPrivileges", "CapabilityBoundingSet", "AmbientCapabilities", "LimitCORE", "ProtectSystem",
             "ProtectKernelTunables", "PrivateDevices", "ProtectKernelLogs", "PrivateIPC", "ProtectHostname",
             "LockPersonality", "SystemCallArchitectures", "SupplementaryGroups", "StateDirectoryMode"]
    for key in named:
        assert key in wanted, key
        assert unit[key][-1] in wanted[key], key
    assert unit["SystemCallFilter"][0] in wanted["SystemCallFilter"]
    assert {"MemoryMax", "LimitNOFILE", "InaccessiblePaths"} <= set(unit) & set(wanted)
    assert "PYRYCODE_RELAY_SINGLE_INSTANCE=1" in unit["Environment"]
    assert "PYRYCODE_RELAY_PRODUCTION=1" in unit["Environment"]


def test_sockets_have_names_and_addresses_of_options():
    """What the boot would refuse: a name that is no option's, an address that is not its default."""
    defaults = {"https-listen": "443", "http-listen": "80"}
    found = {s["FileDescriptorName"][0]: s["ListenStream"][0] for s in map(settings, UNITS.glob("*.socket"))}
    assert found == defaults
    flags = re.search(r'^RELAY_FLAGS="(.*)"$', (UNITS / "pyrycode-relay.default").read_text(), re.M)[1]
    assert "listen" not in flags and "--domain=" in flags
    for s in map(settings, UNITS.glob("*.socket")):
        assert s["BindIPv6Only"] == ["both"]  # :443 is both families


def allowed_calls():
    """The unit's SystemCallFilter= as names, by systemd's own groups."""
    def members(group):
        text = subprocess.run(["systemd-analyze", "syscall-filter", group], capture_output=True, text=True, check=True).stdout
        names = re.findall(r"^    (@?\w[\w-]*)$", text, re.M)
        return {m for n in names for m in (members(n) if n.startswith("@") else {n})}
    allowed = set()
    for line in settings(SERVICE)["SystemCallFilter"]:
        names = {m for n in line.lstrip("~").split() for m in (members(n) if n.startswith("@") else {n})}
        allowed = allowed - names if line.startswith("~") else allowed | names
    return allowed


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("strace") or not RELEASE.exists(),
                    reason="needs root, strace and the release build")
def test_it_makes_no_call_that_the_unit_refuses(tmp_path):
    """Boot as the unit starts it (but for TLS, which needs a certificate), serve, ask, drain."""
    trace = tmp_path / "trace"
    with listening() as s, listening() as metrics:
        command = [*shim([("insecure-listen", s), ("metrics-listen", metrics)]), "setpriv", "--reuid=65532", "--regid=65532",
                   "--clear-groups", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", str(RELEASE), f"--insecure-listen=127.0.0.1:{port_of(s)}",
                   f"--metrics-listen=127.0.0.1:{port_of(metrics)}"]
        p = subprocess.Popen(["strace", "-f", "-o", trace, *command], stderr=subprocess.PIPE, text=True,
                             pass_fds=[s.fileno(), metrics.fileno()], env=clean_environment())
        try:
            lines = []
            for line in p.stderr:
                lines.append(line)
                if "starting metrics listener" in line:
                    break
            assert lines and "starting metrics listener" in lines[-1], lines
            asked = subprocess.run([RELEASE, "--healthcheck", f"--metrics-listen=127.0.0.1:{port_of(metrics)}"], timeout=PATIENCE)
            assert asked.returncode == 0
        finally:
            pid = int(re.search(rf'^(\d+) +execve\("{RELEASE}"', trace.read_text(), re.M)[1])
            os.kill(pid, signal.SIGTERM)
            p.stderr.read()
            p.wait(PATIENCE)
    text = trace.read_text()
    text = text[text.index(f'execve("{RELEASE}"'):]
    made = set(re.findall(r"^\d+ +(\w+)\(", text, re.M))
    assert {"seccomp", "accept4", "getsockname"} <= made and len(made) > 40
    assert made - allowed_calls() == set()
