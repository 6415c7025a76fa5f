#!/usr/bin/env python3
"""The relay's image without an engine.

usage: image.py root BUILD_DIR ROOT     the root filesystem: the last stage's COPY
       image.py oci ROOT OUT.tar        that root as an OCI image, with the configuration of packaging/image/Containerfile

The root has the relay, the libraries that it loads, their licences and what
vulnerability scanners read of them, certificates of authorities, and the user
65532.  The same inputs give the same bytes; dates are SOURCE_DATE_EPOCH's.
"""
import datetime
import gzip
import hashlib
import io
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tarfile

import sbom

TOP = pathlib.Path(__file__).resolve().parent.parent
CONTAINERFILE = TOP / "packaging/image/Containerfile"
UID = 65532
STATE = "var/lib/relay/autocert"
AUTHORITIES = "etc/ssl/certs/ca-certificates.crt"
TEXTS = {
    "etc/passwd": f"root:x:0:0:root:/:/nonexistent\nnonroot:x:{UID}:{UID}:nonroot:/:/nonexistent\n",
    "etc/group": f"root:x:0:\nnonroot:x:{UID}:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
LINKS = {"lib": "usr/lib", "lib64": "usr/lib64"}  # as Debian has them


# ---- the root filesystem

def put(root, name, data, mode=0o444):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)


def put_library(root, path):
    """Under /usr, where the links lead that its name goes through."""
    name = path.lstrip("/")
    inside = name if name.startswith("usr/") else f"usr/{name}"
    put(root, inside, pathlib.Path(path).read_bytes(), 0o555 if "/ld-linux" in path else 0o444)


def put_package(root, name):
    """Its licence, and its record: scanners look for the latter here in images without dpkg."""
    licence = pathlib.Path(f"/usr/share/doc/{name}/copyright")
    put(root, f"usr/share/doc/{name}/copyright", licence.read_bytes())
    record = sbom.output_of("dpkg-query", "-s", name)
    put(root, f"var/lib/dpkg/status.d/{name}", re.sub(r"^Conffiles:\n( .*\n)+", "", record, flags=re.M).encode())


def bill_of(binary, build):
    """The SBOM of the image's own file, with the version and date of the build's."""
    built = json.loads((build / "sbom.spdx.json").read_text())
    created = datetime.datetime.strptime(built["creationInfo"]["created"] + "+0000", "%Y-%m-%dT%H:%M:%SZ%z")
    os.environ.setdefault("SOURCE_DATE_EPOCH", str(int(created.timestamp())))
    return (json.dumps(sbom.document(built["packages"][0]["versionInfo"], [binary]), indent=1) + "\n").encode()


def make_root(build, root):
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    for name, target in LINKS.items():
        (root / target).mkdir(parents=True)
        (root / name).symlink_to(target)
    binary = root / "pyrycode-relay"
    shutil.copy(build / "src/pyrycode-relay", binary)
    subprocess.run(["strip", binary], check=True)
    binary.chmod(0o555)
    libraries = sbom.libraries_of(build / "src/pyrycode-relay")
    for path in libraries:
        put_library(root, path)
    packages = {found[0] for path in libraries if (found := sbom.package_of(path))}
    for name in sorted(packages | {"ca-certificates"}):
        put_package(root, name)
    for name, text in TEXTS.items():
        put(root, name, text.encode())
    put(root, AUTHORITIES, pathlib.Path("/", AUTHORITIES).read_bytes())
    put(root, "etc/os-release", pathlib.Path("/etc/os-release").read_bytes())
    put(root, "usr/share/doc/pyrycode-relay/copyright", (TOP / "LICENSE").read_bytes())
    put(root, "usr/share/doc/pyrycode-relay/sbom.spdx.json", bill_of(binary, build))
    for name in ("dev", "proc", "sys", "run", "tmp", STATE):
        (root / name).mkdir(parents=True)
    (root / STATE).chmod(0o700)
    if os.geteuid() == 0:
        os.chown(root / STATE, UID, UID)


# ---- what the last stage says

def instructions(text):
    """(word, rest) of the last stage, lines joined."""
    lines = [li for li in re.sub(r"\\\n", " ", text).splitlines() if li.strip() and not li.startswith("#")]
    start = max(i for i, li in enumerate(lines) if li.startswith("FROM "))
    return [tuple(li.split(None, 1)) for li in lines[start:]]


def seconds(text):
    return int(text.removesuffix("s")) * 10 ** 9


def health(rest):
    options, command = rest.split(" CMD ", 1)
    found = dict(re.findall(r"--([\w-]+)=(\S+)", options))
    return {"Test": ["CMD", *json.loads(command)], "Interval": seconds(found["interval"]), "Timeout": seconds(found["timeout"]),
            "StartPeriod": seconds(found["start-period"]), "Retries": int(found["retries"])}


def configuration(text):
    """Of an image that consists of one COPY: a word that is not known here is an error."""
    config = {"Env": []}
    apply = {
        "FROM": lambda r: r == "scratch" or sys.exit(f"not from scratch: {r}"),
        "COPY": lambda r: r.split()[1:] == ["/image/", "/"] or sys.exit(f"another COPY: {r}"),
        "LABEL": lambda r: config.update(Labels=dict(part.split("=", 1) for part in shlex.split(r))),
        "USER": lambda r: config.update(User=r),
        "WORKDIR": lambda r: config.update(WorkingDir=r),
        "VOLUME": lambda r: config.update(Volumes={v: {} for v in json.loads(r)}),
        "EXPOSE": lambda r: config.update(ExposedPorts={p: {} for p in r.split()}),
        "ENV": lambda r: config["Env"].extend(shlex.split(r)),
        "STOPSIGNAL": lambda r: config.update(StopSignal=r),
        "HEALTHCHECK": lambda r: config.update(Healthcheck=health(r)),
        "ENTRYPOINT": lambda r: config.update(Entrypoint=json.loads(r)),
    }
    for word, rest in instructions(text):
        apply[word](rest)
    return config


# ---- the image

def layer_of(root, epoch):
    """An uncompressed archive in order of names, of root but for the state directory."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path in sorted(root.rglob("*")):
            name = str(path.relative_to(root))
            info = tar.gettarinfo(path, name)
            info.uid = info.gid = UID if name == STATE else 0
            info.uname = info.gname = ""
            info.mtime = epoch
            if info.isreg():
                with path.open("rb") as f:
                    tar.addfile(info, f)
            else:
                tar.addfile(info)
    return out.getvalue()


def descriptor(data, kind, **more):
    return {"mediaType": kind, "digest": f"sha256:{hashlib.sha256(data).hexdigest()}", "size": len(data), **more}


def as_json(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def architecture():
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)


def make_oci(root, out):
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    created = datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    plain = layer_of(root, epoch)
    layer = gzip.compress(plain, 6, mtime=0)
    config = as_json({
        "architecture": architecture(), "os": "linux", "created": created, "config": configuration(CONTAINERFILE.read_text()),
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(plain).hexdigest()}"]},
        "history": [{"created": created, "created_by": "packaging/image/Containerfile"}]})
    kinds = "application/vnd.oci.image"
    manifest = as_json({
        "schemaVersion": 2, "mediaType": f"{kinds}.manifest.v1+json", "config": descriptor(config, f"{kinds}.config.v1+json"),
        "layers": [descriptor(layer, f"{kinds}.layer.v1.tar+gzip")]})
    index = as_json({"schemaVersion": 2, "manifests": [descriptor(
        manifest, f"{kinds}.manifest.v1+json", annotations={"org.opencontainers.image.ref.name": "latest"})]})
    blobs = {f"blobs/sha256/{hashlib.sha256(b).hexdigest()}": b for b in (layer, config, manifest)}
    files = {"oci-layout": as_json({"imageLayoutVersion": "1.0.0"}), "index.json": index, **blobs}
    with tarfile.open(out, "w", format=tarfile.GNU_FORMAT) as tar:
        for name in sorted(files):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(files[name]), epoch
            tar.addfile(info, io.BytesIO(files[name]))


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in ("root", "oci"):
        sys.exit(__doc__)
    work = {"root": make_root, "oci": make_oci}[sys.argv[1]]
    work(pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))


if __name__ == "__main__":
    main()
