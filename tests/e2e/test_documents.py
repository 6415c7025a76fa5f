"""The documents and the program say the same: flags, limits, log lines, the
tests that are named, and every file that is linked to."""
import fnmatch
import functools
import os
import pathlib
import re
import subprocess

import pytest
from test_metrics import documented as documented_metrics

TOP = pathlib.Path(__file__).resolve().parents[2]
RELAY_BIN = os.environ.get("RELAY_BIN", str(TOP / "out/bin/pyrycode-relay"))
DOCUMENTS = sorted([*TOP.glob("*.md"), *TOP.glob("docs/*.md")])
MANUAL = pathlib.Path(os.environ.get("BUILD_DIR", TOP / "build/release")) / "src/pyrycode-relay.8"  # made by the build
OPERATIONS = TOP / "docs/operations.md"
NUMBERS = range(1, 76)  # of the checklist


def rows(document, section):
    """The cells of the tables in a section, without their first two lines."""
    text = document.read_text().split(f"\n## {section}\n")[1].split("\n## ")[0]
    for table in re.findall(r"(?:^\|.*\n)+", text, re.M):
        for line in table.splitlines()[2:]:
            yield [cell.strip() for cell in line.strip("|").split("|")]


# ---- what is linked to and named ----

def slug(heading):
    return re.sub(r"[^\w -]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.name)
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if target.startswith(("https://", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        file = document.parent / name if name else document
        assert file.exists(), target
        if anchor:
            assert anchor in map(slug, re.findall(r"^#+ (.*)$", file.read_text(), re.M)), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.name)
def test_paths_that_are_named_exist(document):
    folders = "src|posture|tests|fuzz|tools|docs|man|packages|packaging|bench|completion"
    for path in re.findall(rf"`((?:{folders})/[\w./*-]*)(?:::\S*)?`", document.read_text()):
        assert list(TOP.glob(path)), path


def test_documents_that_sources_name_exist():
    files = [TOP / "meson.build", TOP / "Makefile",
             *(f for folder in ("src", "posture", "tests", "tools") for f in (TOP / folder).rglob("*.[chpsi]*"))]
    named = {name for file in files if file.is_file() for name in re.findall(r"docs/[a-z-]+\.md", file.read_text())}
    assert len(named) > 5
    assert all((TOP / name).exists() for name in named), named


@functools.cache
def cases_in(path):
    """The names of the tests of a file; those of C are in its table of cases."""
    text = (TOP / path if "/" in path else TOP / "tests/e2e" / path).read_text()
    if path.endswith(".py"):
        return re.findall(r"^(?:async )?def (test_\w+)\(", text, re.M)
    return re.findall(r"\b(?:CASE|cmocka_unit_test\w*)\((\w+)[,)]", text.split("RUN_TESTS(", 1)[1])


def named_tests(text):
    return re.findall(r"`((?:tests/\w+/)?test_\w+\.(?:py|c))::([\w*]+)`", text)


def test_tests_that_are_named_exist():
    for document in DOCUMENTS:
        for path, pattern in named_tests(document.read_text()):
            assert fnmatch.filter(cases_in(path), pattern), f"{document.name}: {path}::{pattern}"


def checklist():
    table = list(rows(TOP / "docs/compatibility.md", "The checklist"))
    assert [int(row[0]) for row in table] == list(NUMBERS)
    return {int(row[0]): row[2] for row in table}


def test_every_number_has_its_tests_or_says_why_not():
    for number, where in checklist().items():
        assert named_tests(where) or re.match(r"not (in this build|run here|yet)", where), number


def test_every_test_with_a_number_is_in_its_row():
    missing = {}
    for file in sorted((TOP / "tests/e2e").glob("test_relay_*.py")):
        for name in cases_in(file.name):
            for number in re.findall(r"(?<=_)\d\d(?=_)", re.match(r"test(_\d\d)*_", name)[0]):
                patterns = [p for f, p in named_tests(checklist()[int(number)]) if f == file.name]
                if not any(fnmatch.fnmatch(name, p) for p in patterns):
                    missing.setdefault(int(number), []).append(f"`{file.name}::{name}`")
    assert not missing, "rows of docs/compatibility.md lack these"


def test_make_targets_that_are_named_exist():
    targets = set(re.findall(r"^([a-z-]+):", (TOP / "Makefile").read_text(), re.M))
    for document in DOCUMENTS:
        for block in re.findall(r"^    make (\S+)|`make ([\w-]+)`", document.read_text(), re.M):
            assert set(block) - {""} <= targets, f"{document.name}: {block}"


# ---- flags ----

def flags_of_help():
    """Flag with its value to its default, as the program says them."""
    found = {}
    for option in ("--help", "--help-certificates", "--help-limits"):
        text = subprocess.run([RELAY_BIN, option], capture_output=True, text=True, check=True).stdout
        for flag, said in re.findall(r"^  (--[a-z-]+(?: [A-Z]+)?) +(.*)$", text, re.M):
            pattern = r"\(default:? ([^)]*)\)" if option != "--help-limits" else r"\(([^)]*)\)(; 0: off)?$"
            match = re.search(pattern, said)
            found[flag] = "".join(filter(None, match.groups())) if match else ""
    assert len(found) > 25
    return found


def flags_of_operations():
    found = {}
    for section in ("Flags", "Limits"):
        for flag, default in (row[:2] for row in rows(OPERATIONS, section) if row[0].startswith("`--")):
            assert flag not in found, flag
            found[flag.strip("`")] = default.replace("`", "")
    return found


def flags_of_manual():
    text = MANUAL.read_text().split(".SH OPTIONS\n")[1].split("\n.SH ")[0].replace("\\-", "-")
    found = {}
    for entry in text.split(".TP\n")[1:]:
        head, body = entry.split("\n", 1)
        name = re.fullmatch(r"\.BI? (--[a-z-]+)(?: \"( [A-Z]+)\")?", head)
        default = re.search(r"^Default: (.*)\.$", body, re.M)
        found[name[1] + (name[2] or "")] = default[1] if default else ""
    return found


@pytest.mark.parametrize("where", [flags_of_operations, flags_of_manual], ids=["operations", "manual"])
def test_flags_and_their_defaults(where):
    said = where()
    switches = {flag for flag, default in said.items() if " " not in flag and default == "off"}
    assert {**said, **{flag: "" for flag in switches}} == flags_of_help()


def test_limits_name_metrics_that_exist():
    metrics = documented_metrics()
    named = [m for row in rows(OPERATIONS, "Limits")
             for m in re.findall(r"`([a-z_]+)\{([a-z_]+)=\"(\w+)\"\}`", row[-1])]
    assert len(named) > 12
    for name, label, value in named:
        assert value in metrics[f"pyrycode_relay_{name}"][1][label], name


def test_the_document_has_the_environment_of_help():
    text = subprocess.run([RELAY_BIN, "--help"], capture_output=True, text=True, check=True).stdout
    names = set(re.findall(r"PYRYCODE_[A-Z_]+", text))
    assert len(names) == 3
    for file in (OPERATIONS, MANUAL):
        assert set(re.findall(r"PYRYCODE_RELAY_[A-Z_]+", file.read_text())) == names, file


def test_commands_use_flags_that_exist():
    known = {flag.split()[0] for flag in flags_of_help()}
    commands = [line for document in DOCUMENTS
                for line in re.findall(r"^    (?:\$ )?(?:\S+=\S+ )*\S*pyrycode-relay (.*)$", document.read_text(), re.M)]
    assert len(commands) > 3
    for command in commands:
        assert set(re.findall(r"--[a-z-]+", command.split("#")[0])) <= known, command


# ---- what peers observe ----

PHRASES = {  # of docs/protocol.md; the constants are those of limits.h
    "One message is at most {:,} bytes": ["LIMIT_MESSAGE_BYTES"],
    "A message must be\ncomplete {} s after its first byte": ["LIMIT_MESSAGE_MS"],
    "a handshake waits up to {} s for it": ["LIMIT_CERTIFICATE_MS"],
    "The head must be complete {} s after the connection was accepted": ["LIMIT_HEAD_MS"],
    "phone | {} ‡ phones are there": ["LIMIT_PHONES"],
    "its server-id stays for {} s": ["LIMIT_GRACE_MS"],
    "which answers a ping within {} s": ["LIMIT_PROBE_MS"],
    "The relay pings every {} s and waits {} s for the pong": ["LIMIT_HEARTBEAT_MS", "LIMIT_PONG_MS"],
    "queued for a phone | {} MiB ‡, each message charged its length and {} bytes": ["LIMIT_OUTBOX_BYTES", "LIMIT_OUTBOX_ITEM"],
    "queued for all phones of a server-id | {} MiB ‡": ["LIMIT_SERVER_OUTBOX_BYTES"],
    "queued for a binary | {} KiB | its phones are not read until {} KiB": ["LIMIT_UPLINK_HIGH", "LIMIT_UPLINK_LOW"],
    "a binary that reads nothing | {} s": ["LIMIT_WRITE_MS"],
    "a phone that reads nothing | {} s": ["LIMIT_WRITE_MS"],
    "answers to pings, unread | {} KiB": ["LIMIT_CONTROL_BYTES"],
    "a server-id above {} bytes ‡": ["LIMIT_SERVER_ID_BYTES"],
    "a head above {} KiB ‡": ["LIMIT_HEAD_BYTES"],
    "the relay waits {} s for the peer's and {} s for the end": ["LIMIT_CLOSE_MS", "LIMIT_LINGER_MS"],
}


PUSH_PHRASES = {  # the same of docs/push.md
    "wakes of one server-id | {} at once, one more each {} s": ["LIMIT_WAKE_BURST", "LIMIT_WAKE_INTERVAL_MS"],
    "wakes under way | {} |": ["LIMIT_WAKES"],
}


def in_unit(phrase, constants):
    """The phrase with each value in the unit behind its place."""
    limits = {name: int(value) for name, value in
              re.findall(r"(LIMIT_[A-Z_]+) = (\d+)", (TOP / "src/relay/limits.h").read_text())}
    units = re.findall(r"\{[:,]*\} (MiB|KiB|s|\w*)", phrase)
    scale = {"MiB": 1 << 20, "KiB": 1 << 10, "s": 1000}
    values = [limits[name] / scale.get(unit, 1) for name, unit in zip(constants, units, strict=True)]
    assert all(value == int(value) for value in values)
    return phrase.format(*map(int, values))


@pytest.mark.parametrize("phrase", PHRASES, ids=lambda p: PHRASES[p][0])
def test_the_protocol_has_the_limits_of_the_source(phrase):
    assert in_unit(phrase, PHRASES[phrase]) in (TOP / "docs/protocol.md").read_text()


@pytest.mark.parametrize("phrase", PUSH_PHRASES, ids=lambda p: PUSH_PHRASES[p][0])
def test_push_has_the_limits_of_the_source(phrase):
    assert in_unit(phrase, PUSH_PHRASES[phrase]) in (TOP / "docs/push.md").read_text()


def test_the_protocol_has_every_reason_of_a_close():
    reasons = set()
    for file in (TOP / "src/relay").glob("*.c"):
        text = file.read_text()
        for match in re.finditer(r"\b(?:conn_close|session_expel|session_evicted)\(", text):
            reasons |= set(literals(arguments(text, match.end() - 1)[-1]))
    assert len(reasons - {""}) > 5
    for reason in reasons - {""}:
        assert f"`{reason}`" in (TOP / "docs/protocol.md").read_text(), reason


# ---- the log ----

def arguments(text, at):
    """The arguments of the C call that opens at that parenthesis."""
    found, depth, start, quoted = [], 0, at + 1, False
    for i in range(at, len(text)):
        c = text[i]
        if c == '"' and text[i - 1] != "\\":
            quoted = not quoted
        elif not quoted and c in "([{":
            depth += 1
        elif not quoted and c in ")]}":
            depth -= 1
        if not quoted and (depth == 0 or (depth == 1 and c == ",")):
            found.append(text[start:i])
            start = i + 1
            if depth == 0:
                return found
    raise AssertionError("a call without an end")


def constants():
    text = (TOP / "src/relay/config.h").read_text()
    return dict(re.findall(r'^#define (CONFIG_[A-Z_]+) +"([^"]*)"$', text, re.M))


def literals(expression):
    """The strings that a C expression may have as its value."""
    for name, value in constants().items():
        expression = expression.replace(name, f'"{value}"')
    groups = re.findall(r'"(?:[^"\\]|\\.)*"(?:\s*"(?:[^"\\]|\\.)*")*', expression)
    return ["".join(re.findall(r'"((?:[^"\\]|\\.)*)"', group)) for group in groups]


def events_of_source():
    """Event to its levels: what the calls that log pass as a constant."""
    found = {}
    for file in sorted((TOP / "src").rglob("*.c")):
        text = file.read_text()
        for match in re.finditer(r"\b(?:LOG|log_write|log_phone|log_conn)\(", text):
            level, msg = (arguments(text, match.end() - 1) + [""])[:2]
            for event in literals(msg):
                found.setdefault(event, set()).update(re.findall(r"\bLOG_(INFO|WARN|ERROR)\b", level))
        for expression in re.findall(r"\.msg = ([^;}]*?),\n", text):
            for event in literals(expression):
                found.setdefault(event, set()).add("ERROR")
    found["log_suppressed"] = {"WARN"}  # log.c writes it below log_write()
    assert len(found) > 40
    return found


FAMILIES = ("refusing to start: ", "insecure posture: ")  # documented as one, with the runbook


def events_of_operations():
    found = {}
    for row in rows(OPERATIONS, "Log"):
        if row[1] in ("INFO", "WARN", "ERROR"):
            for event in re.findall(r"`([^`]+)`", row[0]):
                assert event not in found, event
                found[event] = row[1]
    return found


def test_log_events():
    said = events_of_operations()
    assert {f"{family}…" for family in FAMILIES} <= set(said)
    said = {event: level for event, level in said.items() if not event.startswith(FAMILIES)}
    logged = {event: levels for event, levels in events_of_source().items() if not event.startswith(FAMILIES)}
    assert set(said) == set(logged)
    for event, level in said.items():
        assert level in logged[event], event


def keys_of_operations():
    found = {}
    for row in rows(OPERATIONS, "Log"):
        if row[1] not in ("INFO", "WARN", "ERROR"):
            for key, dagger in re.findall(r"`([a-z_]+)`( †)?", row[0]):
                assert key not in found, key
                found[key] = bool(dagger)
    return found


def test_log_keys_and_which_are_numbers():
    known = dict(re.findall(r'X\((LOG_[A-Z_]+), "([a-z_]+)"\)', (TOP / "src/relay/log.h").read_text()))
    numbers = {known[key] for file in (TOP / "src").rglob("*.c")
               for key in re.findall(r"LOG_INT\(\s*(LOG_[A-Z_]+)", file.read_text())}
    assert keys_of_operations() == {key: key in numbers for key in known.values()}
