"""The source tarball, the SBOM, and that a build says nothing of where it was
made: the same source elsewhere gives the same bytes."""
import datetime
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import tarfile
import tempfile

import pytest
from conftest import clean_environment
from test_packaging_image import needed_by

TOP = pathlib.Path(__file__).resolve().parents[2]
RELEASE = pathlib.Path(os.environ.get("RELEASE_DIR", TOP / "build/release"))
PRODUCTS = ["src/pyrycode-relay", "posture/posture", "posture/libposture.so.0.1.0", "sbom.spdx.json"]

needs_release = pytest.mark.skipif(not (RELEASE / "sbom.spdx.json").exists(), reason="needs the release build")
needs_git = pytest.mark.skipif(not (TOP / ".git").exists(), reason="a tarball is made in the repository")


def run(*command, cwd=TOP, **env):
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=clean_environment(**env))


def names(path):
    with tarfile.open(path) as tar:
        return {m.name.split("/", 1)[1] for m in tar if not m.isdir()}


@pytest.fixture(scope="module")
def top():
    with tempfile.TemporaryDirectory(prefix="source-", dir="/var/tmp") as made:
        yield pathlib.Path(made)


@pytest.fixture(scope="module")
def tarball(top):
    """Of a clone of what is in the working tree, so that it is what is tested, committed or not."""
    clone = top / "clone"
    listed = run("git", "-C", str(TOP), "ls-files", "-z", "--cached", "--others", "--exclude-standard").stdout.split("\0")
    for name in filter(None, listed):
        if (TOP / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(TOP / name, clone / name)
    date = str(int(run("git", "-C", str(TOP), "log", "-1", "--format=%ct").stdout))
    identity = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@t", "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@t",
                "GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "source"], ["tag", "v9.8.7"]):
        r = run("git", *command, cwd=clone, **identity)
        assert r.returncode == 0, r.stderr
    r = run("tools/dist.sh", cwd=clone)
    assert r.returncode == 0, r.stderr
    return clone / "out/pyrycode-relay-9.8.7.tar.gz"


@needs_git
def test_the_tarball_is_what_is_committed(tarball):
    clone = tarball.parents[1]
    listed = set(run("git", "ls-files", cwd=clone).stdout.splitlines())
    assert names(tarball) == listed | {".tarball-version", ".tarball-date"}
    again = tarball.read_bytes()
    assert run("tools/dist.sh", cwd=clone).returncode == 0
    assert tarball.read_bytes() == again


@pytest.fixture(scope="module")
def unpacked(tarball, top):
    """Deeper than the first one, and its version and date are those of the release build."""
    where = top / "some/where/else"
    where.mkdir(parents=True)
    with tarfile.open(tarball) as tar:
        tar.extractall(where)
    return where / "pyrycode-relay-9.8.7"


@needs_git
def test_it_knows_its_version_and_date_without_git(unpacked, tarball):
    assert not (unpacked / ".git").exists()
    assert run("tools/version.sh", cwd=unpacked).stdout == "9.8.7\n"
    clone = tarball.parents[1]
    assert run("tools/source_date.sh", cwd=unpacked).stdout == run("git", "log", "-1", "--format=%ct", cwd=clone).stdout
    assert run("tools/source_date.sh", cwd=unpacked, SOURCE_DATE_EPOCH="1").stdout == "1\n"


@needs_git
def test_a_tarball_makes_the_tarball_again(unpacked, tarball):
    """The same files with the same contents, and the same bytes each time."""
    again = unpacked / "out" / tarball.name
    made = []
    for _ in range(2):
        r = run("tools/dist.sh", cwd=unpacked)
        assert r.returncode == 0, r.stderr
        made.append(again.read_bytes())
    assert made[0] == made[1]
    with tarfile.open(tarball) as one, tarfile.open(again) as two:
        first = {m.name: (m.mode & 0o111, one.extractfile(m).read()) for m in one if m.isfile()}
        second = {m.name: (m.mode & 0o111, two.extractfile(m).read()) for m in two if m.isfile()}
    shutil.rmtree(unpacked / "out")
    assert first == second


def rebuild(unpacked):
    """As the release build was made, elsewhere."""
    version = subprocess.run([RELEASE / "src/pyrycode-relay", "--version"], capture_output=True, text=True).stdout.strip()
    created = json.loads((RELEASE / "sbom.spdx.json").read_text())["creationInfo"]["created"]
    date = datetime.datetime.strptime(created + "+0000", "%Y-%m-%dT%H:%M:%SZ%z").timestamp()
    build = unpacked / "build/release"
    cache = {k: v for k, v in os.environ.items() if k.startswith("CCACHE_") and k != "CCACHE_BASEDIR"}
    as_released = ["--strip", "-Dlto=true", "-Doptimization=3", f"-Dversion={version}"]
    for command in (["meson", "setup", str(build), *as_released], ["ninja", "-C", str(build), "-j2"]):
        r = run(*command, cwd=unpacked, CC="gcc", SOURCE_DATE_EPOCH=str(int(date)), **cache)
        assert r.returncode == 0, r.stdout[-2000:] + r.stderr
    return build


@needs_git
@needs_release
def test_it_builds_the_same_bytes_elsewhere_and_has_its_tests(unpacked):
    rebuilt = rebuild(unpacked)
    assert len(str(rebuilt)) != len(str(RELEASE))
    for name in PRODUCTS:
        one, two = RELEASE / name, rebuilt / name
        assert hashlib.sha256(one.read_bytes()).digest() == hashlib.sha256(two.read_bytes()).digest(), name
        for path in (str(TOP), str(RELEASE), str(rebuilt)):
            assert path.encode() not in two.read_bytes(), name
    # Those of the command line, run by the tree that was unpacked.
    r = run("/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/e2e/test_relay_cli.py", "-k",
            "version or help or no_mode", cwd=unpacked, RELAY_BIN=str(rebuilt / "src/pyrycode-relay"),
            TEST_PORT_BASE=os.environ.get("TEST_PORT_BASE", "20000"), PYTHONDONTWRITEBYTECODE="1")
    assert r.returncode == 0 and re.search(r"\d+ passed", r.stdout), r.stdout[-2000:]


# ---- the SBOM

@pytest.fixture(scope="module")
def sbom():
    return json.loads((RELEASE / "sbom.spdx.json").read_text())


@needs_release
def test_it_has_what_spdx_requires(sbom):
    """SPDX 2.3, sections 6 to 11: members without which a reader refuses it."""
    assert (sbom["spdxVersion"], sbom["dataLicense"], sbom["SPDXID"]) == ("SPDX-2.3", "CC0-1.0", "SPDXRef-DOCUMENT")
    assert re.fullmatch(r"https://spdx\.org/spdxdocs/pyrycode-relay-\S+", sbom["documentNamespace"]) and sbom["name"]
    created = datetime.datetime.strptime(sbom["creationInfo"]["created"], "%Y-%m-%dT%H:%M:%SZ")
    assert created.year >= 2025 and all(re.match(r"(Tool|Organization|Person): ", c) for c in sbom["creationInfo"]["creators"])
    ids = ["SPDXRef-DOCUMENT"]
    for package in sbom["packages"]:
        assert {"SPDXID", "name", "versionInfo", "downloadLocation", "filesAnalyzed", "licenseConcluded",
                "licenseDeclared", "copyrightText", "supplier"} <= set(package)
        assert all(ref["referenceLocator"].startswith("pkg:") for ref in package["externalRefs"])
        ids.append(package["SPDXID"])
    for file in sbom["files"]:
        assert {"SPDXID", "fileName", "checksums", "licenseConcluded", "copyrightText"} <= set(file)
        assert "SHA1" in {c["algorithm"] for c in file["checksums"]}
        ids.append(file["SPDXID"])
    assert len(ids) == len(set(ids)) and all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", i) for i in ids)
    for r in sbom["relationships"]:
        assert {r["spdxElementId"], r["relatedSpdxElement"]} <= set(ids)
    assert {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES",
            "relatedSpdxElement": "SPDXRef-Package-pyrycode-relay"} in sbom["relationships"]


@needs_release
@pytest.mark.parametrize("name", ["src/pyrycode-relay", "posture/posture", "posture/libposture.so.0.1.0"])
def test_it_names_what_is_linked(sbom, name):
    """Against the NEEDED entries of the file and of all that they lead to."""
    path = RELEASE / name
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (file,) = [f for f in sbom["files"] if {"algorithm": "SHA256", "checksumValue": digest} in f["checksums"]]
    linked = {library for r in sbom["relationships"] if r["spdxElementId"] == file["SPDXID"] and
              r["relationshipType"] == "DYNAMIC_LINK" for library in r["comment"].split()}
    assert linked == needed_by(path, set()) | {li for li in linked if li.startswith("ld-linux")}
    packages = {p["SPDXID"]: p for p in sbom["packages"]}
    for r in sbom["relationships"]:
        if r["spdxElementId"] == file["SPDXID"] and r["relationshipType"] == "DYNAMIC_LINK":
            package = packages[r["relatedSpdxElement"]]
            installed = subprocess.run(["dpkg-query", "-W", "-f=${Version}", package["name"]], capture_output=True, text=True)
            assert package["versionInfo"] == installed.stdout
