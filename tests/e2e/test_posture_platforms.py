"""A false positive is a defect: what the documents recommend for a platform
passes production there, with its preset and without a waiver."""
import json
import os
import pathlib
import resource
import shutil
import subprocess
import tempfile

import pytest

from conftest import POSTURE_BIN, clean_environment
from test_posture_containers import CORES_LEAK, RELEASE, STATIC, UID, hardened, rootfs, run, user_namespace

__all__ = ["rootfs"]  # a fixture

PRESETS = pathlib.Path(__file__).parents[2] / "posture" / "presets"
CORES_ARE_POSSIBLE = resource.getrlimit(resource.RLIMIT_CORE)[1] != 0
# Of a host that sends cores to a socket no limit is enough.
FROM_HOST = {"core-dumps"} if CORES_LEAK else set()

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: users and namespaces are made")
needs_runc = pytest.mark.skipif(not STATIC or not RELEASE or not shutil.which("runc"),
                                reason="needs runc and the static command")


# ---- containers ----

def bind(source, destination, *options):
    return {"destination": destination, "type": "bind", "source": str(source), "options": ["bind", *options]}


def with_preset(rootfs, name, *options):
    """The entrypoint of the documents, and the preset mounted as a file of root's."""
    spec = hardened(rootfs, ["/posture", "run", "--policy", "/etc/posture.ini", *options, "--", "/relay", "--version"])
    spec["mounts"].append(bind(PRESETS, "/etc", "ro"))
    spec["process"]["args"][3] = f"/etc/{name}.ini"
    return spec


def cores_as_the_runtime_has_them(spec):
    if CORES_ARE_POSSIBLE:
        spec["process"]["rlimits"][0] = {"type": "RLIMIT_CORE", "hard": (1 << 64) - 1, "soft": (1 << 64) - 1}


def assert_becomes_the_program(spec):
    r = run(spec)
    refused = {line.split()[1] for line in r.stderr.splitlines() if line.startswith("REFUSE")}
    assert refused <= FROM_HOST, r.stderr
    if not FROM_HOST:
        assert r.returncode == 0 and r.stdout.strip(), r.stderr
    return r


@needs_runc
def test_docker(rootfs):
    spec = with_preset(rootfs, "docker")
    (rootfs / ".dockerenv").touch()
    try:
        assert "WARN" not in assert_becomes_the_program(spec).stderr
    finally:
        (rootfs / ".dockerenv").unlink()


@needs_runc
def test_docker_with_a_user_and_no_capabilities_and_nothing_else(rootfs):
    """docker run --user --cap-drop=ALL: new privileges are possible, and there are none to be had."""
    spec = with_preset(rootfs, "docker")
    spec["process"]["noNewPrivileges"] = False
    spec["root"]["readonly"] = False
    assert_becomes_the_program(spec)


@needs_runc
@pytest.mark.parametrize("held", [[], ["effective", "permitted"], ["effective", "permitted", "inheritable", "ambient"]],
                         ids=["docker", "containerd", "podman"])
def test_a_port_below_1024(rootfs, held):
    """--cap-add=NET_BIND_SERVICE gives other sets with each runtime."""
    spec = hardened(rootfs, ["/posture", "run", "--production", "--", "/relay", "--version"])
    for kind in ["bounding", *held]:
        spec["process"]["capabilities"][kind] = ["CAP_NET_BIND_SERVICE"]
    assert_becomes_the_program(spec)


@needs_runc
def test_podman_without_root(rootfs):
    """A user namespace, and an ordinary user within; the image is unpacked for its root."""
    image = pathlib.Path(tempfile.mkdtemp(prefix="image-", dir="/var/tmp"))
    try:
        shutil.copytree(rootfs, image, symlinks=True, dirs_exist_ok=True)
        shutil.copy(PRESETS / "docker.ini", image / "etc")
        for path in [image, *image.rglob("*")]:
            os.chown(path, 100000, 100000, follow_symlinks=False)
        spec = hardened(image, ["/posture", "run", "--policy", "/etc/docker.ini", "--", "/relay", "--version"])
        user_namespace(spec)
        spec["process"]["user"] = {"uid": UID, "gid": UID}
        if "posture" not in (r := run(spec)).stderr + r.stdout and r.returncode not in (0, 78):
            pytest.skip(f"no user namespaces here: {r.stderr.strip()[-100:]}")
        assert_becomes_the_program(spec)
    finally:
        shutil.rmtree(image)


@needs_runc
def test_kubernetes_restricted(rootfs, tmp_path):
    """A secret with fsGroup, a volume that an initContainer prepared, a random group, service links, no field for cores."""
    spec = with_preset(rootfs, "kubernetes-restricted", "--seal=no-core", "--require-seal", "--cert-cache",
                       "/data/volume/certs", "--key-file", "/secrets/tls.key", "--require-variable", "MODE")
    secret, volume = tmp_path / "secret", tmp_path / "volume"
    for directory in (tmp_path, secret / "..2026_11_24", volume / "certs"):
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o755)
    (secret / "..2026_11_24" / "tls.key").write_text("secret")
    (secret / "..2026_11_24" / "tls.key").chmod(0o440)
    os.chown(secret / "..2026_11_24" / "tls.key", 0, UID)
    (secret / "..data").symlink_to("..2026_11_24")
    (secret / "tls.key").symlink_to("..data/tls.key")
    os.chown(secret, 0, UID)
    secret.chmod(0o3777)
    for directory in (volume, volume / "certs"):  # chown 65532:65532 MOUNT && chmod 0700 MOUNT
        os.chown(directory, UID, UID)
        directory.chmod(0o700)
    spec["mounts"] += [bind(secret, "/secrets", "ro"), bind(tmp_path, "/data", "rw")]
    spec["process"]["user"] = {"uid": UID, "gid": 0, "additionalGids": [UID]}
    spec["process"]["env"] += ["KUBERNETES_SERVICE_HOST=10.0.0.1", "KUBERNETES_PORT=tcp://10.0.0.1:443", "MODE=x"]
    cores_as_the_runtime_has_them(spec)
    assert_becomes_the_program(spec)


@needs_runc
@pytest.mark.parametrize("options", [["hidepid=2"], ["hidepid=2", "subset=pid"]])
def test_a_proc_that_hides(rootfs, options):
    spec = with_preset(rootfs, "docker")
    spec["mounts"][0]["options"] = options
    spec["linux"]["readonlyPaths"] = spec["linux"]["maskedPaths"] = []
    r = run(spec)
    if "invalid argument" in r.stderr:
        pytest.skip("this kernel has no subset=pid")
    assert "REFUSE" not in r.stderr and r.returncode == 0, r.stderr


# ---- no containers ----

@pytest.fixture
def command():
    """The command where only root can write, and anybody run it."""
    home = pathlib.Path(tempfile.mkdtemp(prefix="posture-", dir="/var/tmp"))
    home.chmod(0o755)
    shutil.copy(POSTURE_BIN, home / "posture")
    for preset in PRESETS.glob("*.ini"):
        shutil.copy(preset, home)
        (home / preset.name).chmod(0o644)
    yield home
    shutil.rmtree(home)


def as_user(*more):
    return ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--inh-caps=-all", *more]


def refused(command, prefix, *args, env, **options):
    r = subprocess.run([*prefix, str(command / "posture"), *args, "--", "true"], capture_output=True, text=True, timeout=20,
                       env=clean_environment(**env), **options)
    refused = {line.split()[1] for line in r.stderr.splitlines() if line.startswith("REFUSE")}
    assert r.returncode == (78 if refused else 0), r.stderr
    return refused


def test_a_hardened_systemd_unit(command):
    """NoNewPrivileges=, CapabilityBoundingSet=, LimitCORE=1, a private mount namespace."""
    prefix = ["unshare", "-m", "prlimit", "--core=1" if CORES_ARE_POSSIBLE else "--core=0",
              *as_user("--bounding-set=-all", "--no-new-privs")]
    env = {"INVOCATION_ID": "0123456789abcdef0123456789abcdef"}
    assert refused(command, prefix, "run", "--policy", str(command / "systemd.ini"), env=env) <= FROM_HOST


@pytest.mark.skipif(not CORES_ARE_POSSIBLE, reason="cores are taken away already")
def test_a_fly_machine(command):
    """A guest of its own: initial namespaces, every device, no field for anything; an image's USER and its ENTRYPOINT."""
    args = ["run", "--policy", str(command / "fly.ini"), "--seal=no-new-privs,no-core", "--require-seal"]
    env = {"FLY_APP_NAME": "relay", "FLY_MACHINE_ID": "e286"}
    assert refused(command, as_user(), *args, env=env) <= FROM_HOST
    assert refused(command, as_user(), *[a for a in args if "seal" not in a], env=env) - FROM_HOST == {
        "no-way-back", "core-dumps"} - FROM_HOST


GVISOR_STATUS = """Name:\tposture
State:\tR (running)
Tgid:\t1
Pid:\t1
PPid:\t0
TracerPid:\t0
Uid:\t{uid}\t{uid}\t{uid}\t{uid}
Gid:\t{uid}\t{uid}\t{uid}\t{uid}
FDSize:\t4
Groups:\t
VmSize:\t1000 kB
VmRSS:\t1000 kB
Threads:\t1
CapInh:\t0000000000000000
CapPrm:\t0000000000000000
CapEff:\t0000000000000000
CapBnd:\t0000000000000000
Seccomp:\t0
Mems_allowed:\t1
Mems_allowed_list:\t0
"""


def test_the_facts_of_a_gvisor_sandbox(command):
    """No NoNewPrivs, no Umask, no CapAmb, Seccomp 0, no attr: what is absent is not 0, and not wrong."""
    (command / "status").write_text(GVISOR_STATUS.format(uid=UID))
    (command / "none").mkdir()
    shim = (f"mount --bind {command}/status /proc/$$/task/$$/status && mount --bind {command}/status /proc/$$/status && "
            f"mount --bind {command}/none /proc/$$/task/$$/attr && exec \"$@\"")
    prefix = ["unshare", "-m", "sh", "-c", shim, "sh", "prlimit", "--core=1" if CORES_ARE_POSSIBLE else "--core=0",
              *as_user("--bounding-set=-all", "--no-new-privs")]
    if subprocess.run([*prefix, "true"], capture_output=True).returncode != 0:
        pytest.skip("nothing can be mounted over /proc here")
    assert refused(command, prefix, "run", "--policy", str(command / "docker.ini"), env={}) <= FROM_HOST
    r = subprocess.run([*prefix, str(command / "posture"), "check", "--production", "--format=json"], capture_output=True,
                       text=True, timeout=20, env=clean_environment())
    verdict = {f["id"]: f["verdict"] for f in json.loads(r.stdout)["findings"]}
    assert verdict["no-way-back"] == "pass" and verdict["traced"] == "pass" and verdict["confinement"] == "fail"
