"""The image: what is in it, that the two ways to make it cannot differ, and
that the relay serves from it with nothing held and nothing writable."""
import hashlib
import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
import uuid

import pytest
from conftest import DOMAIN, PATIENCE, clean_environment, make_certificate
from test_posture_containers import UID, hardened

TOP = pathlib.Path(__file__).resolve().parents[2]
RELEASE = pathlib.Path(os.environ.get("RELEASE_DIR", TOP / "build/release"))
SIZE_MAX = 24 << 20  # bytes of all files
STATE = "var/lib/relay/autocert"

sys.path.insert(0, str(TOP / "tools"))
import image  # noqa: E402

pytestmark = pytest.mark.skipif(not (RELEASE / "src/pyrycode-relay").exists(), reason="needs the release build")
needs_runc = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("runc"), reason="needs root and runc")


@pytest.fixture(scope="module")
def root():
    with tempfile.TemporaryDirectory(prefix="image-", dir="/var/tmp") as top:
        os.chmod(top, 0o755)
        made = pathlib.Path(top) / "root"
        image.make_root(RELEASE, made)
        yield made


def needed_by(path, seen):
    """The files that the loader will map, by the NEEDED entries of each: another way than ldd's."""
    for name in re.findall(r"\(NEEDED\).*\[(.+)\]", subprocess.run(["readelf", "-d", path], capture_output=True, text=True).stdout):
        if name not in seen:
            seen.add(name)
            found = [*pathlib.Path("/usr/lib").glob(f"*/{name}"), *pathlib.Path("/usr/lib64").glob(name)]
            assert found, name
            needed_by(found[0], seen)
    return seen


def test_it_has_what_the_relay_needs_and_nothing_else(root):
    files = {str(p.relative_to(root)) for p in root.rglob("*") if not p.is_dir() and not p.is_symlink()}
    libraries = {pathlib.Path(f).name for f in files if ".so" in f}
    assert libraries == needed_by(RELEASE / "src/pyrycode-relay", set())
    assert [f for f in files if "/ld-linux" in f and f.startswith("usr/lib")]
    packages = {f.split("/")[3] for f in files if f.startswith("usr/share/doc/")}
    assert "libc6" in packages and len(packages) > 5
    assert files == {
        "pyrycode-relay", "etc/passwd", "etc/group", "etc/nsswitch.conf", "etc/os-release", "etc/ssl/certs/ca-certificates.crt",
        "usr/share/doc/pyrycode-relay/sbom.spdx.json", *(f for f in files if pathlib.Path(f).name in libraries),
        *(f"usr/share/doc/{p}/copyright" for p in packages), *(f"var/lib/dpkg/status.d/{p}" for p in packages - {"pyrycode-relay"})}
    assert {str(p.relative_to(root)): os.readlink(p) for p in root.rglob("*") if p.is_symlink()} == image.LINKS


def test_it_is_small_and_nobody_can_change_it(root):
    total = 0
    for path in root.rglob("*"):
        info = path.lstat()
        total += info.st_size if stat.S_ISREG(info.st_mode) else 0
        name = str(path.relative_to(root))
        if stat.S_ISLNK(info.st_mode):
            continue
        assert not info.st_mode & (stat.S_ISUID | stat.S_ISGID | stat.S_IWOTH | stat.S_IWGRP), name
        if os.geteuid() == 0:
            assert (info.st_uid, info.st_gid) == ((UID, UID) if name == STATE else (0, 0)), name
        if stat.S_ISREG(info.st_mode):
            executable = name == "pyrycode-relay" or "/ld-linux" in name
            assert stat.S_IMODE(info.st_mode) == (0o555 if executable else 0o444), name
    assert stat.S_IMODE((root / STATE).stat().st_mode) == 0o700
    assert total <= SIZE_MAX


def test_scanners_find_its_packages(root):
    """Each record names its package and version, as dpkg has them."""
    records = sorted((root / "var/lib/dpkg/status.d").iterdir())
    for record in records:
        fields = dict(re.findall(r"^(Package|Version|Status): (.*)$", record.read_text(), re.M))
        version = subprocess.run(["dpkg-query", "-W", "-f=${Version}", record.name], capture_output=True, text=True).stdout
        assert fields == {"Package": record.name, "Version": version, "Status": "install ok installed"}
    bill = json.loads((root / "usr/share/doc/pyrycode-relay/sbom.spdx.json").read_text())
    named = {p["name"] for p in bill["packages"]}
    (file,) = bill["files"]
    digest = hashlib.sha256((root / "pyrycode-relay").read_bytes()).hexdigest()
    assert {"algorithm": "SHA256", "checksumValue": digest} in file["checksums"]
    assert {r.name for r in records} - {"ca-certificates"} <= named


# ---- the Containerfile and the OCI image

def test_the_last_stage_is_understood_whole():
    config = image.configuration(image.CONTAINERFILE.read_text())
    assert config["User"] == f"{UID}:{UID}" and config["Entrypoint"] == ["/pyrycode-relay"]
    assert config["Healthcheck"]["Test"] == ["CMD", "/pyrycode-relay", "--healthcheck"]
    assert config["Env"] == ["PYRYCODE_RELAY_PRODUCTION=1"]
    assert list(config["Volumes"]) == ["/" + STATE]
    text = image.CONTAINERFILE.read_text()
    with pytest.raises(KeyError):
        image.configuration(text + "RUN true\n")
    with pytest.raises(SystemExit):
        image.configuration(text.replace("FROM scratch", "FROM debian"))
    with pytest.raises(SystemExit):
        image.configuration(text.replace("/image/ /", "/image/ /more"))


def test_its_first_stage_makes_that_root():
    """With the packages of the list, and the tool that makes the one that is tested here."""
    first = image.CONTAINERFILE.read_text().split("\nFROM scratch")[0]
    assert "packages/build.txt" in first and "tools/image.py root /build /image" in first
    for name in re.findall(r"[\w/.-]+/[\w.-]+\.(?:py|txt)", first):
        assert (TOP / name).exists(), name


def test_the_oci_image_is_consistent_and_reproducible(root, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    one, two = tmp_path / "one.tar", tmp_path / "two.tar"
    image.make_oci(root, one)
    os.utime(root / "pyrycode-relay")  # dates of files stay out of it
    image.make_oci(root, two)
    assert one.read_bytes() == two.read_bytes()
    with tarfile.open(one) as tar:
        files = {m.name: tar.extractfile(m).read() for m in tar}
    for name, data in files.items():
        if name.startswith("blobs/"):
            assert hashlib.sha256(data).hexdigest() == pathlib.Path(name).name

    def blob(descriptor):
        data = files["blobs/sha256/" + descriptor["digest"].removeprefix("sha256:")]
        assert len(data) == descriptor["size"]
        return data
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    manifest = json.loads(blob(json.loads(files["index.json"])["manifests"][0]))
    config = json.loads(blob(manifest["config"]))
    assert config["config"]["User"] == f"{UID}:{UID}" and config["created"].startswith("2023-11-14")
    (layer,) = manifest["layers"]
    (tmp_path / "layer.tar.gz").write_bytes(blob(layer))
    with tarfile.open(tmp_path / "layer.tar.gz") as tar:
        members = {m.name: m for m in tar}
    assert set(members) == {str(p.relative_to(root)) for p in root.rglob("*")}
    assert {m.mtime for m in members.values()} == {1700000000}
    owned = {name for name, m in members.items() if (m.uid, m.gid) != (0, 0)}
    assert owned == {STATE} and members[STATE].uid == UID


# ---- a container of it

class Container:
    """Runs as the image says, hardened as the documents say."""

    def __init__(self, root, *flags, mounts=()):
        config = image.configuration(image.CONTAINERFILE.read_text())
        spec = hardened(root, [*config["Entrypoint"], *flags])
        spec["process"]["env"] += config["Env"]
        spec["mounts"] += [{"destination": to, "type": "bind", "source": str(source), "options": ["bind", mode]}
                           for source, to, mode in mounts]
        self.bundle = tempfile.TemporaryDirectory(prefix="bundle-")
        self.name = f"relay-{uuid.uuid4().hex[:12]}"
        self.health = config["Healthcheck"]["Test"][1:]
        (pathlib.Path(self.bundle.name) / "config.json").write_text(json.dumps(spec))

    def __enter__(self):
        self.process = subprocess.Popen(["runc", "run", "--bundle", self.bundle.name, self.name], stderr=subprocess.PIPE,
                                        stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True, env=clean_environment())
        return self

    def wait_line(self, *events):
        """The lines until one of those events, or the end."""
        lines = []
        for line in self.process.stderr:
            lines.append(line)
            if any(event in line for event in events):
                break
        return "".join(lines)

    def exec(self, *command):
        return subprocess.run(["runc", "exec", self.name, *command], capture_output=True, text=True, timeout=PATIENCE,
                              stdin=subprocess.DEVNULL, env=clean_environment())

    def stop(self):
        subprocess.run(["runc", "kill", self.name, "TERM"], check=True, timeout=PATIENCE)
        rest = self.process.stderr.read()
        return self.process.wait(PATIENCE), rest

    def __exit__(self, *_):
        if self.process.poll() is None:
            subprocess.run(["runc", "kill", self.name, "KILL"], capture_output=True, timeout=PATIENCE)
            self.process.wait(PATIENCE)
        subprocess.run(["runc", "delete", "--force", self.name], capture_output=True, timeout=PATIENCE)
        self.process.stderr.close()
        self.bundle.cleanup()


@pytest.fixture
def certificate(tmp_path):
    tmp_path.chmod(0o755)
    secrets = tmp_path / "secrets"
    secrets.mkdir(0o755)
    cert, key = make_certificate(secrets)
    cert.chmod(0o444)
    os.chown(key, 0, UID)
    key.chmod(0o440)
    return secrets


@needs_runc
def test_it_serves_in_production_and_is_healthy(root, certificate):
    flags = [f"--domain={DOMAIN}", "--https-listen=:8443", "--http-listen=:8080", "--tls-cert=/secrets/cert.pem",
             "--tls-key=/secrets/key.pem"]
    with Container(root, *flags, mounts=[(certificate, "/secrets", "ro")]) as c:
        said = c.wait_line("starting metrics listener", "refusing to start")
        if "runc" in said and "starting" not in said:
            pytest.skip(f"runc cannot run a container here: {said[-200:]}")
        assert "starting metrics listener" in said, said
        assert "level=ERROR" not in said
        end = time.monotonic() + PATIENCE
        while (asked := c.exec(*c.health)).returncode != 0 and time.monotonic() < end:
            time.sleep(0.05)
        assert (asked.returncode, asked.stdout.split(":")[0]) == (0, "healthy"), asked
        assert c.exec("/bin/sh", "-c", "true").returncode != 0  # there is none
        assert c.exec("/pyrycode-relay", "--healthcheck", "--metrics-listen=127.0.0.1:1").returncode == 1
        code, rest = c.stop()
    assert code == 0 and "shutdown complete" in rest


@needs_runc
def test_it_refuses_root(root, certificate):
    """The same as uid 0: production says no, and nothing listens."""
    c = Container(root, f"--domain={DOMAIN}", "--https-listen=:8443", "--http-listen=:8080")
    path = pathlib.Path(c.bundle.name) / "config.json"
    spec = json.loads(path.read_text())
    spec["process"]["user"] = {"uid": 0, "gid": 0}
    path.write_text(json.dumps(spec))
    with c:
        said = c.wait_line("fix the lines above")
        assert "ErrRunningAsRoot" in said
        assert c.process.wait(PATIENCE) == 2
