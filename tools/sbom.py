#!/usr/bin/env python3
"""What the built files are linked with, as SPDX 2.3 in JSON on stdout.

usage: sbom.py --version VERSION FILE...

The facts are the loader's (ldd) and dpkg's: which libraries are loaded, all of
them, and which packages they are of.  Without dpkg a library stands for
itself, without a version.  The same inputs give the same bytes: the date is
SOURCE_DATE_EPOCH's, the namespace a digest of the rest.
"""
import argparse
import datetime
import functools
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import uuid

NAME = "pyrycode-relay"
LICENSE = "MIT"


def spdx_id(*parts):
    return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", "-".join(parts))


def output_of(*command):
    r = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    return r.stdout if r.returncode == 0 else ""


def libraries_of(file):
    """Paths that the loader takes for a file, without the kernel's own."""
    return sorted({os.path.normpath(p) for p in re.findall(r"(/\S+) \(0x", output_of("ldd", file))})


@functools.cache
def package_of(path):
    """The dpkg package that has the file: (name, version, architecture, source), or None.  Of merged directories, dpkg
    knows either name."""
    if not shutil.which("dpkg-query"):
        return None
    real = os.path.realpath(path)
    for name in (path, real, real.removeprefix("/usr"), "/usr" + path):
        owner = output_of("dpkg-query", "-S", name).split(": ")[0].split(", ")[0]
        if owner:
            fields = output_of("dpkg-query", "-W", "-f=${Package}|${Version}|${Architecture}|${source:Package}", owner)
            return tuple(fields.split("|"))
    return None


def distribution():
    release = pathlib.Path("/etc/os-release")
    text = release.read_text() if release.exists() else ""
    found = dict(re.findall(r'^(ID|VERSION_ID)="?([^"\n]*)"?$', text, re.M))
    return found.get("ID", "linux"), found.get("VERSION_ID", "")


def sha256(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def package_entry(name, version, url, **more):
    return {
        "SPDXID": spdx_id("Package", name), "name": name, "versionInfo": version, "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False, "licenseConcluded": "NOASSERTION", "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": url}], **more}


def library_entry(path):
    found = package_of(path)
    if found is None:
        return package_entry(os.path.basename(path), "NOASSERTION", f"pkg:generic/{os.path.basename(path)}",
                             supplier="NOASSERTION")
    name, version, architecture, source = found
    vendor, release = distribution()
    quoted = version.replace("+", "%2B").replace(":", "%3A").replace("~", "~")
    return package_entry(name, version, f"pkg:deb/{vendor}/{name}@{quoted}?arch={architecture}&distro={vendor}-{release}",
                         supplier=f"Organization: {vendor.capitalize()}", sourceInfo=f"built from the source package {source}")


def file_entry(path):
    name = os.path.basename(path)
    return {"SPDXID": spdx_id("File", name), "fileName": f"./{name}", "fileTypes": ["BINARY"],
            "checksums": [{"algorithm": a, "checksumValue": hashlib.new(a.lower(), pathlib.Path(path).read_bytes()).hexdigest()}
                          for a in ("SHA1", "SHA256")],
            "licenseConcluded": LICENSE, "licenseInfoInFiles": [LICENSE], "copyrightText": "NOASSERTION"}


def relation(one, kind, other):
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}


def document(version, files):
    packages, relations, entries = {}, [], []
    relay = package_entry(NAME, version, f"pkg:generic/{NAME}@{version}", licenseConcluded=LICENSE, licenseDeclared=LICENSE,
                          supplier="NOASSERTION", primaryPackagePurpose="APPLICATION")
    for file in files:
        entry = file_entry(file)
        entries.append(entry)
        relations.append(relation(relay["SPDXID"], "CONTAINS", entry["SPDXID"]))
        linked = {}
        for path in libraries_of(file):
            library = library_entry(path)
            packages[library["name"]] = library
            linked.setdefault(library["SPDXID"], []).append(os.path.basename(path))
        for where, names in sorted(linked.items()):
            relations.append({**relation(entry["SPDXID"], "DYNAMIC_LINK", where), "comment": " ".join(sorted(names))})
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    rest = {"packages": [relay, *(packages[name] for name in sorted(packages))], "files": entries,
            "relationships": [relation("SPDXRef-DOCUMENT", "DESCRIBES", relay["SPDXID"]), *relations]}
    digest = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(rest, sort_keys=True))
    return {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"{NAME}-{version}",
        "documentNamespace": f"https://spdx.org/spdxdocs/{NAME}-{version}-{digest}",
        "creationInfo": {"created": datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
                         "creators": [f"Tool: {NAME}-sbom"]},
        **rest}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--version", required=True)
    parser.add_argument("files", nargs="+")
    args = parser.parse_args()
    json.dump(document(args.version, args.files), sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
