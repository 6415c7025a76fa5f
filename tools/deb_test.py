#!/usr/bin/env python3
"""The Debian packages: built twice, judged by lintian, installed into a clean
root, started there and purged.  Needs root.  usage: deb_test.py [WORK_DIR]

Prints a line a check, and the totals last.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
PACKAGES = ["libposture-dev", "libposture0", "posture", "pyrycode-relay"]
DEPENDENCIES = "libcurl4,libinih1,libjansson4,libseccomp2,libssl3,systemd,systemd-sysv"
BOOT_PATIENCE = 90  # seconds that nothing here may need


def run(*command, check=True, **options):
    r = subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)
    if check and r.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: {r.returncode}\n{r.stdout[-2000:]}{r.stderr[-2000:]}")
    return r


class Suite:
    """What the checks share: the packages, and the root."""

    def __init__(self, work):
        self.work = work
        self.root = work / "root"

    def build(self, name):
        (tarball,) = (self.work / "source").glob("*.tar.gz")
        run(TOP / "tools/deb.sh", tarball, self.work / name)

    def make_root(self):
        """From where this machine has its packages."""
        sources = [p for p in map(pathlib.Path, ("/etc/apt/sources.list", "/etc/apt/sources.list.d/debian.sources"))
                   if p.exists() and p.stat().st_size > 0]
        run("mmdebstrap", "--quiet", "--variant=apt", f"--include={DEPENDENCIES}", "bookworm", self.root, *sources, timeout=300)

    def prepare(self):
        """The two builds, in folders of different depth, and the root: the latter waits for the network mostly."""
        source = self.work / "source"
        source.mkdir()
        run(TOP / "tools/dist.sh")
        newest = max((TOP / "out").glob("pyrycode-relay-*.tar.gz"), key=lambda p: p.stat().st_mtime)
        shutil.copy(newest, source)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            jobs = [pool.submit(self.make_root), pool.submit(self.build, "one"), pool.submit(self.build, "some/where/else")]
            for job in jobs:
                job.result()

    def debs(self, name="one"):
        return {p.name.split("_")[0]: p for p in (self.work / name).glob("*.deb")}

    def inside(self, *command, check=True):
        """A command in the root, with a network and a /proc of its own."""
        script = 'mount -t proc proc "$1/proc" && ip link set lo up 2>/dev/null; root=$1; shift; exec chroot "$root" "$@"'
        return run("unshare", "--mount", "--pid", "--fork", "sh", "-c", script, "sh", self.root, *command, check=check,
                   timeout=60, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"})

    def files(self):
        """What is in the root but for dpkg's own records."""
        left_out = ("var/lib/dpkg/", "var/log/", "var/cache/", "etc/ld.so.cache", "tmp/", "proc/")
        names = (str(p.relative_to(self.root)) for p in self.root.rglob("*"))
        return {n for n in names if not n.startswith(left_out)}


def same_bytes_in_two_folders(suite):
    one, two = suite.debs("one"), suite.debs("some/where/else")
    assert set(one) == set(two) >= set(PACKAGES), set(one)
    for name in one:
        digests = {hashlib.sha256(p.read_bytes()).hexdigest() for p in (one[name], two[name])}
        assert len(digests) == 1, name


def lintian_finds_nothing(suite):
    (changes,) = (suite.work / "one").glob("*.changes")
    r = run("lintian", "--allow-root", "--fail-on", "error,warning", changes, check=False)
    assert r.returncode == 0 and not re.search("^[EW]:", r.stdout, re.M), r.stdout + r.stderr


def installs_into_a_clean_root(suite):
    suite.before = suite.files()
    (suite.root / "debs").mkdir()
    for name in PACKAGES:
        shutil.copy(suite.debs()[name], suite.root / "debs")
    suite.inside("sh", "-c", "dpkg --install /debs/*.deb")
    shutil.rmtree(suite.root / "debs")
    said = suite.inside("dpkg-query", "-W", "-f=${Package} ${db:Status-Status}\n", *PACKAGES).stdout.split("\n")
    assert said[:-1] == [f"{name} installed" for name in PACKAGES], said


def nothing_is_started_or_enabled(suite):
    """Before somebody has named the domain."""
    wants = [str(p) for p in (suite.root / "etc/systemd/system").rglob("*pyrycode*")]
    assert wants == []
    assert (suite.root / "lib/systemd/system/pyrycode-relay.service").exists()
    conffiles = suite.inside("dpkg-query", "-W", "-f=${Conffiles}", "pyrycode-relay").stdout.split()
    assert conffiles[0::2] == ["/etc/default/pyrycode-relay"], conffiles


def the_command_and_the_library_are_usable(suite):
    assert suite.inside("posture", "list").stdout.count("\n") > 20
    assert "libposture.so.0" in suite.inside("ldconfig", "-p").stdout
    assert "Libs:" in (next(suite.root.glob("usr/lib/*/pkgconfig/libposture.pc"))).read_text()


def its_bill_is_of_its_files(suite):
    bill = json.loads((suite.root / "usr/share/doc/pyrycode-relay/sbom.spdx.json").read_text())
    listed = {c["checksumValue"] for f in bill["files"] for c in f["checksums"] if c["algorithm"] == "SHA256"}
    library = next(suite.root.glob("usr/lib/*/libposture.so.0.1.0"))
    files = [suite.root / "usr/bin/pyrycode-relay", suite.root / "usr/bin/posture", library]
    assert listed == {hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


PROBE_UNIT = """
[Unit]
After=pyrycode-relay.service
[Service]
Type=oneshot
ExecStart=/bin/sh /root/probe.sh
ExecStopPost=/bin/systemctl poweroff --force --force
[Install]
WantedBy=multi-user.target
"""
PROBE = """
exec >/root/probe.log 2>&1
systemctl show --property=ActiveState,StatusText,DynamicUser pyrycode-relay.service
systemctl show --property=ActiveState pyrycode-relay-https.socket pyrycode-relay-http.socket
relay=$(systemctl show --property=MainPID --value pyrycode-relay.service)
grep -E '^(Uid|Cap|NoNewPrivs)' /proc/$relay/status
ls -ld /var/lib/pyrycode-relay/certs
/usr/bin/pyrycode-relay --healthcheck
systemctl restart pyrycode-relay.service
/usr/bin/pyrycode-relay --healthcheck
systemctl stop pyrycode-relay.service
journalctl --no-pager --output=cat --unit=pyrycode-relay.service
echo probed
"""
UNITS = ["pyrycode-relay-https.socket", "pyrycode-relay-http.socket", "pyrycode-relay.service"]


class NotHere(Exception):
    """What a check needs, this machine does not permit."""


def starts_under_systemd(suite):
    """The unit as it is shipped, with every sandbox of it, in production: ready, healthy, restarted, drained."""
    (suite.root / "etc/systemd/system/probe.service").write_text(PROBE_UNIT)
    (suite.root / "root/probe.sh").write_text(PROBE)
    suite.inside("systemctl", "enable", *UNITS, "probe.service")
    run(TOP / "tools/boot_root.sh", suite.root, BOOT_PATIENCE)
    log = suite.root / "root/probe.log"
    said = log.read_text() if log.exists() else ""
    if not said.endswith("probed\n"):
        raise NotHere(f"systemd does not boot here: {said[-200:]}")
    assert said.count("ActiveState=active") == 3 and "StatusText=serving" in said and "DynamicUser=yes" in said, said
    assert said.count("healthy: 127.0.0.1:9090") == 2 and said.count("unhealthy") == 0, said
    assert len(re.findall(r"^Cap\w+:\t0+$", said, re.M)) == 5 and "NoNewPrivs:\t1" in said, said
    uid = int(re.search(r"^Uid:\t(\d+)", said, re.M)[1])
    assert 61184 <= uid <= 65519, uid  # those of DynamicUser=
    assert re.search("^drwx------", said, re.M), said
    assert said.count("msg=sealed") == 2, said
    assert "refusing to start" not in said and "seal violated" not in said, said
    assert said.count("shutdown complete") == 2, said


def leaves_nothing_behind(suite):
    state = suite.root / "var/lib/private/pyrycode-relay"
    (state / "certs").mkdir(parents=True, exist_ok=True)
    link = suite.root / "var/lib/pyrycode-relay"
    if not link.is_symlink():
        link.symlink_to("private/pyrycode-relay")
    suite.inside("dpkg", "--remove", *PACKAGES)
    assert (suite.root / "etc/default/pyrycode-relay").exists() and state.exists()
    suite.inside("dpkg", "--purge", *PACKAGES)
    assert not state.exists() and not (suite.root / "var/lib/pyrycode-relay").is_symlink()
    left = {n for n in suite.files() - suite.before if "pyrycode" in n or "posture" in n}
    assert left == set(), left


CHECKS = [same_bytes_in_two_folders, lintian_finds_nothing, installs_into_a_clean_root, nothing_is_started_or_enabled,
          the_command_and_the_library_are_usable, its_bill_is_of_its_files, starts_under_systemd, leaves_nothing_behind]


def run_checks(work):
    suite, failed, skipped = Suite(work), 0, 0
    began = time.monotonic()
    suite.prepare()
    for check in CHECKS:
        try:
            check(suite)
            print(f"ok      {check.__name__}", flush=True)
        except NotHere as why:
            skipped += 1
            print(f"skipped {check.__name__}: {why}", flush=True)
        except AssertionError as why:
            failed += 1
            print(f"FAILED  {check.__name__}\n{why}", flush=True)
    print(f"packages: {time.monotonic() - began:.0f} s")
    print(f"{len(CHECKS) - failed - skipped} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return failed


def main():
    if os.geteuid() != 0:
        sys.exit("needs root: a chroot is made and dpkg runs in it")
    if len(sys.argv) > 1:
        return run_checks(pathlib.Path(sys.argv[1]))
    with tempfile.TemporaryDirectory(prefix="deb-", dir="/var/tmp") as work:
        os.chmod(work, 0o755)
        return run_checks(pathlib.Path(work))


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
