"""Manifests of kubernetes, compose and fly: that they say what the runbook's
fixes say, and that the relay starts in production with what they give it."""
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile
import tomllib

import pytest
import yaml
from conftest import DOMAIN, PATIENCE, RELAY_BIN, clean_environment, free_port
from test_packaging_image import Container, UID, certificate, needs_runc, root  # noqa: F401: fixtures

TOP = pathlib.Path(__file__).resolve().parents[2]
PACKAGING = TOP / "packaging"
KUBERNETES = PACKAGING / "kubernetes"
RUNBOOK = (TOP / "docs/runbook.md").read_text()
IMAGE_STATE = "/var/lib/relay/autocert"


def documents(folder):
    return [d for f in sorted(folder.glob("*.yaml")) for d in yaml.safe_load_all(f.read_text())]


def of_kind(kind, folder=KUBERNETES):
    (found,) = [d for d in documents(folder) if d["kind"] == kind]
    return found


def pod():
    return of_kind("Deployment")["spec"]["template"]["spec"]


def service_of_compose():
    return yaml.safe_load((PACKAGING / "compose/compose.yaml").read_text())["services"]["relay"]


def fly():
    return tomllib.loads((PACKAGING / "fly/fly.toml").read_text())


DEPLOYMENTS = {
    "kubernetes": lambda: (pod()["containers"][0]["args"], {e["name"]: e["value"] for e in pod()["containers"][0]["env"]}),
    "compose": lambda: (service_of_compose()["command"], service_of_compose()["environment"]),
    "fly": lambda: (fly()["processes"]["relay"].split(), fly()["env"]),
}


# ---- what all have in common

@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_it_is_production_by_flags_that_exist(name):
    args, env = DEPLOYMENTS[name]()
    assert env == {"PYRYCODE_RELAY_PRODUCTION": "1", "PYRYCODE_RELAY_SINGLE_INSTANCE": "1"}
    pages = [subprocess.run([RELAY_BIN, page], capture_output=True, text=True).stdout
             for page in ("--help", "--help-certificates", "--help-limits")]
    known = set(re.findall(r"^  --([a-z-]+)", "".join(pages), re.M))
    assert {re.match(r"--([a-z-]+)", a)[1] for a in args} <= known
    assert not any(a.startswith("--insecure") for a in args)
    # No privilege is needed for the ports.
    assert all(int(a.rsplit(":", 1)[1]) >= 1024 for a in args if "-listen=" in a)


@needs_runc
@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_the_relay_starts_with_what_it_gives(name, root, certificate, tmp_path):  # noqa: F811
    """In a container as the manifests harden it; the state directory as the documents prepare it."""
    args, env = DEPLOYMENTS[name]()
    args = [a.replace("relay.example.com", DOMAIN) for a in args]
    mounts = []
    if name == "kubernetes":
        mounts = [(certificate, "/run/secrets/tls", "ro")]
        (certificate / "cert.pem").rename(certificate / "tls.crt")
        (certificate / "key.pem").rename(certificate / "tls.key")
    else:
        (state,) = [a.split("=", 1)[1] for a in args if a.startswith("--cert-cache=")]
        volume = tmp_path / "volume"
        inner = volume / pathlib.Path(state).relative_to("/data") if name == "fly" else volume
        inner.mkdir(parents=True)
        for made in {volume, inner}:
            made.chmod(0o755 if name == "fly" and made == volume else 0o700)
            os.chown(made, *((0, 0) if made != inner else (UID, UID)))
        mounts = [(volume, "/data" if name == "fly" else IMAGE_STATE, "rw")]
        if name == "fly":
            (root / "data").mkdir(exist_ok=True)
    with Container(root, *args, mounts=mounts) as c:
        spec = json.loads((pathlib.Path(c.bundle.name) / "config.json").read_text())
        assert f"PYRYCODE_RELAY_PRODUCTION={env['PYRYCODE_RELAY_PRODUCTION']}" in spec["process"]["env"]
        said = c.wait_line("starting metrics listener", "fix the lines above", "runc")
        if "runc" in said and "level=" not in said:
            pytest.skip(f"runc cannot run a container here: {said[-200:]}")
        assert "starting metrics listener" in said and "level=ERROR" not in said, said
        code, _ = c.stop()
    assert code == 0


# ---- kubernetes

def test_every_manifest_is_listed_and_every_listed_one_is_there():
    for folder in (KUBERNETES, KUBERNETES / "metrics"):
        kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
        named = kustomization["resources"] + [p["path"] for p in kustomization.get("patches", [])]
        assert sorted(named) == sorted(f.name for f in folder.glob("*.yaml") if f.name != "kustomization.yaml")
        for d in documents(folder):
            assert set(d) >= {"apiVersion", "kind"}


def restricted(container, spec):
    """Rules of the pod security standard "restricted", that are not of a volume."""
    own, shared = container["securityContext"], spec["securityContext"]
    return {
        "escalation": own["allowPrivilegeEscalation"] is False,
        "capabilities": own["capabilities"] == {"drop": ["ALL"]},
        "privileged": not own.get("privileged"),
        "non-root": shared["runAsNonRoot"] is True and shared["runAsUser"] != 0,
        "seccomp": shared["seccompProfile"]["type"] == "RuntimeDefault",
        "host": not any(spec.get(f"host{ns}") for ns in ("PID", "IPC", "Network")),
        "ports": not any("hostPort" in p for p in container.get("ports", [])),
    }


def test_the_pod_is_restricted():
    spec = pod()
    sidecar = documents(KUBERNETES / "metrics")
    (patch,) = [d for d in sidecar if d["kind"] == "Deployment"]
    for container in spec["containers"] + patch["spec"]["template"]["spec"]["containers"]:
        assert all(restricted(container, spec).values()), restricted(container, spec)
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["resources"]["limits"]["memory"]
    assert "initContainers" not in spec
    assert {k for v in spec["volumes"] for k in v} <= {"name", "secret", "configMap", "emptyDir", "projected"}
    assert of_kind("Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_pod_is_what_the_runbook_says():
    """Each of its fixes for kubernetes that is YAML, merged: all of it is in the pod or its container."""
    spec, container = pod(), pod()["containers"][0]
    said = {}
    for fix in re.findall(r"^    kubernetes  (?:securityContext|resources|secret): (\{.*?\})(?:,? .*)?$", RUNBOOK, re.M):
        said.update(yaml.safe_load(balanced(fix)))
    assert {"runAsNonRoot", "capabilities", "readOnlyRootFilesystem", "limits"} <= set(said)
    has = {**spec["securityContext"], **container["securityContext"], "limits": container["resources"]["limits"],
           "defaultMode": spec["volumes"][0]["secret"]["defaultMode"]}
    for key, value in said.items():
        assert has[key] == value, key
    assert spec["enableServiceLinks"] is False
    deployment = of_kind("Deployment")["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})


def balanced(text):
    """The text up to the brace that closes its first one."""
    depth = 0
    for i, c in enumerate(text):
        depth += (c == "{") - (c == "}")
        if depth == 0:
            return text[:i + 1]
    raise AssertionError(text)


def test_labels_and_ports_meet():
    labels = of_kind("Deployment")["spec"]["template"]["metadata"]["labels"]
    ports = {p["name"]: p["containerPort"] for p in pod()["containers"][0]["ports"]}
    assert of_kind("Deployment")["spec"]["selector"]["matchLabels"] == labels
    for kind in ("NetworkPolicy", "PodDisruptionBudget"):
        spec = of_kind(kind)["spec"]
        assert spec.get("podSelector", spec.get("selector"))["matchLabels"] == labels
    service = of_kind("Service")["spec"]
    assert service["selector"] == labels and [p["targetPort"] for p in service["ports"]] == ["https"]
    assert f"--https-listen=:{ports['https']}" in pod()["containers"][0]["args"]
    assert of_kind("NetworkPolicy")["spec"]["ingress"] == [{"ports": [{"port": ports["https"], "protocol": "TCP"}]}]
    monitor, metrics = of_kind("ServiceMonitor", KUBERNETES / "metrics"), of_kind("Service", KUBERNETES / "metrics")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= metrics["metadata"]["labels"].items()
    assert monitor["spec"]["endpoints"][0]["port"] in [p["name"] for p in metrics["spec"]["ports"]]


def test_probes_ask_what_the_relay_answers():
    container = pod()["containers"][0]
    for probe in ("startupProbe", "livenessProbe"):
        assert container[probe]["exec"]["command"] == ["/pyrycode-relay", "--healthcheck"]
        assert container[probe]["timeoutSeconds"] > 3  # it waits so long at most
    assert container["readinessProbe"]["tcpSocket"]["port"] == "https"
    # A drain takes 10 s at most.
    assert pod()["terminationGracePeriodSeconds"] > 10


# ---- compose, fly

def test_compose_is_what_the_runbook_says():
    relay = service_of_compose()
    assert (relay["user"], relay["read_only"], relay["cap_drop"]) == (f"{UID}:{UID}", True, ["ALL"])
    for option, has in [("--user 65532:65532", relay["user"] == "65532:65532"), ("--cap-drop=ALL", relay["cap_drop"] == ["ALL"]),
                        ("no-new-privileges:true", "no-new-privileges:true" in relay["security_opt"]),
                        ("--read-only", relay["read_only"]), ("--memory 512m", relay["mem_limit"] == "512m"),
                        ("--ulimit core=1", relay["ulimits"]["core"] == 1), ("--ulimit nofile=", "nofile" in relay["ulimits"])]:
        assert option in RUNBOOK and has, option
    assert relay["volumes"] == [f"certificates:{IMAGE_STATE}"] and f"--cert-cache={IMAGE_STATE}" in relay["command"]
    assert "privileged" not in relay and not any("docker.sock" in v for v in relay["volumes"])
    inside = {p.split(":")[1] for p in relay["ports"]}
    assert inside == {a.rsplit(":", 1)[1] for a in relay["command"] if "-listen=" in a}
    assert (PACKAGING / "compose" / relay["build"]["context"] / relay["build"]["dockerfile"]).exists()


def test_fly_is_what_the_runbook_says():
    config = fly()
    (mount,) = config["mounts"]
    args = config["processes"]["relay"]
    assert f"--cert-cache={mount['destination']}/certs" in args
    command = 'fly ssh console -C "install -d -m 0700 -o 65532 -g 65532 /data/certs"'
    assert command in RUNBOOK and command in (PACKAGING / "fly/fly.toml").read_text()
    ports = {s["internal_port"]: s["ports"][0] for s in config["services"]}
    assert set(ports) == {int(p) for p in re.findall(r"-listen=:(\d+)", args)}
    # A PROXY header comes exactly where the relay expects one.
    assert ports[8443]["handlers"] == ["proxy_proto"] and ports[8443]["proxy_proto_options"] == {"version": "v2"}
    assert "--https-proxy-protocol" in args and "handlers" not in ports[8080]
    assert all(s["auto_stop_machines"] == "off" and s["min_machines_running"] == 1 for s in config["services"])
    assert (PACKAGING / "fly" / config["build"]["dockerfile"]).exists()
    assert int(config["kill_timeout"].rstrip("s")) > 10 and PATIENCE > 10


# ---- the commands of docs/deployment.md

def commands(section):
    """The commands of a section, with their continuations joined."""
    text = (TOP / "docs/deployment.md").read_text().split(f"\n## {section}\n")[1].split("\n## ")[0]
    return [shlex.split(li) for li in re.sub(r" \\\n\s*", " ", text).splitlines() if li.startswith("    ")]


def test_docker_by_hand_is_what_compose_does():
    (command,) = [c for c in commands("Docker and compose") if c[:2] == ["docker", "run"]]
    relay = service_of_compose()
    image_at = command.index(relay["image"])
    assert sorted(command[image_at + 1:]) == sorted(relay["command"])
    options = " ".join(command[2:image_at])
    for option in ("--read-only", "--cap-drop=ALL", "no-new-privileges:true", "--ulimit core=1", f"--memory {relay['mem_limit']}",
                   f"nofile={relay['ulimits']['nofile']['soft']}:{relay['ulimits']['nofile']['hard']}",
                   *(f"--publish {p}" for p in relay["ports"]), f"--volume {relay['volumes'][0]}",
                   "--env PYRYCODE_RELAY_SINGLE_INSTANCE=1"):  # production is the image's own
        assert option in options, option


def test_files_and_targets_of_the_commands_exist():
    targets = set(re.findall(r"^([a-z-]+):", (TOP / "Makefile").read_text(), re.M))
    for section in ("Systemd", "Docker and compose", "Kubernetes", "Fly", "Bare"):
        for command in commands(section):
            for word in command:
                assert not word.startswith("packaging/") or (TOP / word).exists(), word
            assert command[0] != "make" or set(command[1:]) <= targets


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: the user is another one")
def test_the_bare_command_boots_in_production():
    """As it stands, but for the names of user and files, and with ports of ours."""
    (command,) = [c for c in commands("Bare") if c[:2] == ["sudo", "env"]]
    release = pathlib.Path(os.environ.get("RELEASE_DIR", TOP / "build/release")) / "src/pyrycode-relay"
    with tempfile.TemporaryDirectory(prefix="bare-", dir="/var/tmp") as top:
        os.chmod(top, 0o755)
        shutil.copy(release, f"{top}/pyrycode-relay")
        state = pathlib.Path(top) / "state"
        state.mkdir(0o700)
        os.chown(state, UID, UID)
        words = [w.replace("=relay", f"={UID}") if w.startswith("--re") else w for w in command[1:]]
        words = [w.replace("/usr/local/bin", top).replace("/var/lib/relay", str(state)) for w in words]
        ports = [f"--{name}=127.0.0.1:{free_port()}" for name in ("https-listen", "http-listen", "metrics-listen")]
        p = subprocess.Popen([*words, *ports], stderr=subprocess.PIPE, text=True, env=clean_environment())
        try:
            lines = []
            for line in p.stderr:
                lines.append(line)
                if "starting metrics listener" in line:
                    break
            said = "".join(lines)
            assert "starting metrics listener" in said and "level=ERROR" not in said, said
            assert "mode=autocert" in said
        finally:
            p.terminate()
            p.stderr.read()
            assert p.wait(PATIENCE) == 0
