"""The library as others get it: installed, found by pkg-config, with a stable ABI."""
import json
import os
import pathlib
import re
import shlex
import subprocess

import pytest

from conftest import clean_environment, free_port

TOP = pathlib.Path(__file__).resolve().parents[2]
RELEASE = os.environ.get("RELEASE_DIR")
STATIC = os.environ.get("POSTURE_STATIC")

pytestmark = pytest.mark.skipif(not RELEASE, reason="RELEASE_DIR is not set")


def sh(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **options)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    r = sh("meson", "install", "-C", RELEASE, "--no-rebuild", "--destdir", str(root))
    assert r.returncode == 0, r.stdout + r.stderr
    [pc] = root.rglob("libposture.pc")
    return root, pc.parents[2]


@pytest.fixture(scope="module")
def flags(installed):
    root, prefix = installed
    env = {**os.environ, "PKG_CONFIG_PATH": str(prefix / "lib" / "pkgconfig"), "PKG_CONFIG_SYSROOT_DIR": str(root)}
    r = sh("pkg-config", "--cflags", "--libs", "libposture", env=env)
    assert r.returncode == 0, r.stderr
    return shlex.split(r.stdout)


def compiled(tmp_path, flags, text, compiler="cc", suffix=".c", options=("-std=c17",)):
    source = tmp_path / f"program{suffix}"
    source.write_text(text)
    program = tmp_path / "program"
    r = sh(compiler, *options, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-o", str(program), str(source), *flags)
    assert r.returncode == 0, r.stderr
    return program


def test_everything_is_installed(installed):
    _, prefix = installed
    for path in ("bin/posture", "bin/pyrycode-relay", "lib/libposture.so", "lib/libposture.a",
                 "include/posture/posture.h", "lib/pkgconfig/libposture.pc", "share/man/man1/posture.1",
                 "share/man/man3/libposture.3", "share/man/man8/pyrycode-relay.8",
                 "share/bash-completion/completions/posture", "share/posture/presets/docker.ini"):
        assert (prefix / path).exists(), path


def test_the_daemon_of_the_document_works(installed, flags, tmp_path):
    _, prefix = installed
    [text] = re.findall(r"```c\n(.*?)```", (TOP / "docs" / "library.md").read_text(), flags=re.S)
    port = free_port()
    program = compiled(tmp_path, flags, text.replace("8080", str(port)))
    env = clean_environment(LD_LIBRARY_PATH=str(prefix / "lib"))
    r = sh(str(program), env=env)
    assert r.returncode == 0 and r.stdout == "serving\n", r.stderr
    r = sh(str(program), env={**env, "MYD_PRODUCTION": "true"})
    assert r.returncode == 2 and "err=ErrInvalidConfig" in r.stderr and "MYD_PRODUCTION" in r.stderr


def test_a_listener_that_was_not_expected_is_refused_when_bound(installed, flags, tmp_path):
    _, prefix = installed
    [text] = re.findall(r"```c\n(.*?)```", (TOP / "docs" / "library.md").read_text(), flags=re.S)
    text = text.replace('"127.0.0.1:8080"', '"127.0.0.1:1"').replace("8080", str(free_port()))
    text = text.replace("struct posture_policy *policy = posture_policy_new();",
                        "struct posture_policy *policy = posture_policy_new();\n"
                        "posture_policy_set_mode(policy, POSTURE_MODE_PUBLIC);\n"
                        "posture_policy_set_capabilities(policy, ~0ULL);")
    r = sh(str(compiled(tmp_path, flags, text)), env=clean_environment(LD_LIBRARY_PATH=str(prefix / "lib")))
    assert r.returncode == 2 and "err=ErrUnexpectedListener" in r.stderr


def test_cpp_can_include_it(flags, tmp_path):
    text = ("#include <posture/posture.h>\n"
            "int main() { auto *policy = posture_policy_new(); posture_policy_free(policy); return !policy; }\n")
    compiled(tmp_path, flags, text, "g++", ".cc", ("-std=c++17",))


def test_the_static_library_stands_alone(installed, tmp_path):
    _, prefix = installed
    text = "#include <posture/posture.h>\nint main(void) { return posture_invariant_count() < 7; }\n"
    program = compiled(tmp_path, ["-I", str(prefix / "include"), str(prefix / "lib" / "libposture.a")], text)
    assert sh(str(program)).returncode == 0


STRUCTS = {
    "posture_variable": "name shape required secret check pattern fix",
    "posture_problem": "key observed expected reason fix",
    "posture_finding": "id sentinel error verdict action error_number object observed expected reason fix impact runbook",
    "posture_invariant": "id sentinel error rule why fix impact action on_unknown linux_only phases runbook since",
}


def test_the_abi_is_what_it_was(installed, flags, tmp_path):
    """tests/posture/abi.txt: a symbol or a layout that changes takes a new soname."""
    _, prefix = installed
    r = sh("nm", "-D", "--defined-only", "--with-symbol-versions", str(prefix / "lib" / "libposture.so"))
    symbols = sorted(line.split()[2] for line in r.stdout.splitlines() if " T " in line)
    lines = "\n".join(
        f'printf("{name}.{member} %zu\\n", offsetof(struct {name}, {member}));' for name, members in STRUCTS.items()
        for member in members.split()) + "\n" + "\n".join(
        f'printf("sizeof {name} %zu\\n", sizeof(struct {name}));' for name in STRUCTS)
    text = ("#include <posture/posture.h>\n#include <stddef.h>\n#include <stdio.h>\n"
            f'int main(void) {{ {lines} printf("errors %d\\n", POSTURE_ERR_CORE_DUMP_POSSIBLE); return 0; }}\n')
    r = sh(str(compiled(tmp_path, flags, text)), env=clean_environment(LD_LIBRARY_PATH=str(prefix / "lib")))
    now = symbols + r.stdout.split("\n")[:-1]
    assert now == (TOP / "tests" / "posture" / "abi.txt").read_text().splitlines()


def test_only_symbols_of_its_own_are_exported(installed):
    _, prefix = installed
    r = sh("nm", "-D", "--defined-only", str(prefix / "lib" / "libposture.so"))
    names = [line.split()[2] for line in r.stdout.splitlines() if " A " not in line]
    assert names and all(name.startswith("posture_") for name in names)


# ---- the manual pages ----

def source_of(name):
    """The page of the relay is made by the build, from the table behind --help."""
    made = pathlib.Path(os.environ["BUILD_DIR"]) / "src" / name
    return made if made.exists() else TOP / "man" / name


def page(name):
    return source_of(name).read_text().replace("\\-", "-")


def test_manual_pages_are_well_formed():
    for name in ("posture.1", "libposture.3", "pyrycode-relay.8"):
        r = sh("groff", "-man", "-Tutf8", "-P-cbou", "-ww", str(source_of(name)))
        assert r.returncode == 0 and r.stderr == "" and "NAME" in r.stdout


def test_the_page_of_the_command_and_its_help_have_the_same_options():
    said = {f"--{name}" for name in re.findall(r"^  ([a-z-]+)", sh(os.environ["POSTURE_BIN"], "options").stdout, re.M)}
    said |= set(re.findall(r"--[a-z-]+", sh(os.environ["POSTURE_BIN"], "--help").stdout))
    section = page("posture.1").split(".SH OPTIONS\n")[1].split("\n.SH ")[0]
    described = set(re.findall(r"^\.BI? (--[a-z-]+)", section, re.M))
    # --for is of a command alone, and --print-policy is for who writes policies.
    assert described - said == {"--print-policy"} and said - described == {"--for"}
    assert "--for" in page("posture.1") and "--for" in sh(os.environ["POSTURE_BIN"], "--help").stdout


def test_the_page_of_the_relay_has_every_flag():
    for name in re.findall(r"--[a-z-]+", sh(os.environ["RELAY_BIN"], "--help").stdout):
        assert name in page("pyrycode-relay.8"), name


def test_the_page_of_the_command_has_every_exit_code():
    for code in re.findall(r"^\| (\d+)", (TOP / "docs" / "posture.md").read_text(), flags=re.M):
        assert re.search(rf"^{code} ", page("posture.1"), flags=re.M), code


# ---- completion and presets ----

def complete(*words):
    script = (f'source {TOP}/completion/posture; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _posture; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    return sh("bash", "-c", script, "bash", os.environ["POSTURE_BIN"], *words).stdout.split()


def test_completion():
    assert "check" in complete("ch")
    assert complete("explain", "runn") == ["running-as-root"]
    assert complete("check", "--allow-act") == ["--allow-activation"]
    assert complete("check", "--format", "j") == ["json", "junit"]
    assert complete("run", "--seal", "no-") == ["no-new-privs", "no-core"]
    assert complete("suggest", "--for", "kube") == ["kubernetes"]


@pytest.mark.parametrize("name", ["bare", "docker", "fly", "kubernetes-restricted", "systemd"])
def test_presets_are_right_policies(name, tmp_path):
    copy = tmp_path / "preset.ini"
    copy.write_text((TOP / "posture" / "presets" / f"{name}.ini").read_text())
    copy.chmod(0o600)
    r = sh(os.environ["POSTURE_BIN"], "policy", "lint", str(copy))
    assert r.returncode == 0, r.stderr
    r = sh(os.environ["POSTURE_BIN"], "check", "--policy", str(copy), "--format=json", env=clean_environment())
    assert json.loads(r.stdout)["mode"] == "production"


# ---- the static command ----

@pytest.mark.skipif(not STATIC or os.geteuid() != 0, reason="needs root: a root directory is changed")
def test_the_static_command_runs_in_an_empty_image(tmp_path):
    size = os.stat(STATIC).st_size
    assert size <= 1.5 * (1 << 20), size
    image = tmp_path / "image"
    image.mkdir()
    (image / "posture").write_bytes(pathlib.Path(STATIC).read_bytes())
    (image / "posture").chmod(0o555)
    image.chmod(0o755)
    tmp_path.chmod(0o755)
    into = ["unshare", "-m", "chroot", "--userspec=65532:65532", "--groups=", str(image)]
    r = sh(*into, "/posture", "check", "--format=json", env=clean_environment())
    assert r.returncode == 0, r.stderr
    ids = {f["id"]: f for f in json.loads(r.stdout)["findings"]}
    assert ids["running-as-root"]["verdict"] == "pass"
    assert ids["listeners"]["verdict"] == "unknown"  # an image without /proc
    r = sh(*into, "/posture", "run", "--", "/posture", "list", env=clean_environment())
    assert r.returncode == 0 and "running-as-root" in r.stdout
