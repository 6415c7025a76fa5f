"""The rules of docs/posture.md once more, in Python, against 10,000 random
processes: the judges must say the same of each."""
import datetime
import os
import random
import re
import subprocess

import pytest

DRIVER = os.environ.get("JUDGE_DRIVER")
CASES = 10000
SEED = int(os.environ.get("ORACLE_SEED", "20261124"))
UNREAD = "?"
UNLIMITED = (1 << 64) - 1
ME = 65532
SOURCE_DATE = 1735689600
NOW = 1900000000  # 2030-03-17
NONE, WARN, REFUSE = 0, 1, 2
DEVELOPMENT, PUBLIC, PRODUCTION = 0, 1, 2
BOOT, BOUND, SEALED = 0, 1, 2
GiB = 1 << 30

pytestmark = pytest.mark.skipif(not DRIVER, reason="JUDGE_DRIVER is not set")

# docs/posture.md: id, letter, Linux only, phases
TABLE = [
    ("config", "A", False, {BOOT}), ("running-as-root", "P", False, {BOOT}), ("capabilities", "E", True, {BOOT}),
    ("cert-cache", "A", False, {BOOT}), ("plaintext-listener", "P", False, {BOOT}),
    ("listeners", "E", True, {BOOT, BOUND}), ("single-instance", "E", False, {BOOT}),
    ("no-way-back", "P", True, {BOOT, SEALED}), ("loader-environment", "P", True, {BOOT}), ("traced", "P", True, {BOOT}),
    ("executable", "P", True, {BOOT}), ("inherited-descriptors", "P", True, {BOOT}), ("runtime-socket", "P", True, {BOOT}),
    ("descriptor-limit", "P", True, {BOOT}), ("key-files", "A", False, {BOOT}), ("clock", "P", False, {BOOT}),
    ("entropy", "A", True, {BOOT}), ("personality", "P", True, {BOOT}), ("privileged-container", "W", True, {BOOT}),
    ("host-namespaces", "W", True, {BOOT}), ("privileged-group", "W", True, {BOOT}), ("root-filesystem", "W", True, {BOOT}),
    ("memory-limit", "W", True, {BOOT}), ("confinement", "W", True, {BOOT}), ("core-dumps", "P", True, {BOOT, SEALED}),
]
CORE = [row[0] for row in TABLE[:7]]
REFUSED_IN = {"A": {DEVELOPMENT, PUBLIC, PRODUCTION}, "E": {PUBLIC, PRODUCTION}, "P": {PRODUCTION}, "W": set()}

WEIGHT = ["not-applicable", "pass", "enforced", "unknown", "waived", "fail"]


# ---- a random process: a dictionary; a list is a word that comes several times ----

def make_case(rng):
    c = {}
    wild = rng.random() < 0.7  # the others are good but for a fault or two

    def maybe(p):
        return rng.random() < (p if wild else p / 12)

    def number(good, bad, unread=0.08):
        if maybe(unread):
            return UNREAD
        return rng.choice(bad) if maybe(0.3) else rng.choice(good)

    def add(name, probability, values):
        if maybe(probability):
            c[name] = rng.choice(values)

    c["phase"] = rng.choice([BOOT] * 6 + [BOUND, SEALED])
    c["mode"] = rng.randrange(3)
    c["now"] = NOW if not maybe(0.1) else rng.choice([0, SOURCE_DATE - 1, SOURCE_DATE])
    c["platform"] = rng.randrange(6)
    add("otheros", 0.03, ["1"])
    add("modevalue", 0.2, ["1", "0", "true", "11"])
    add("FLAG", 0.2, ["1", "0", "yes"])
    if not maybe(0.1):
        c["NEEDED"] = "x"
    add("DIGITS", 0.2, ["1", "12a", "a", "007"])
    add("problem", 0.05, ["1"])
    c["ids"] = [ME] * 4
    if maybe(0.2):
        c["ids"][rng.randrange(4)] = 0
    add("noids", 0.03, ["1"])
    add("nosaved", 0.05, ["1"])
    add("idscontra", 0.03, ["1"])
    c["caps"] = [rng.choice([0, 1 << 10]) for _ in range(4)]
    if maybe(0.25):
        c["caps"][rng.randrange(4)] |= 1 << rng.randrange(41)
    add("nocaps", 0.03, ["1"])
    add("noambient", 0.03, ["1"])
    add("capscontra", 0.03, ["1"])
    add("allow", 0.1, [0, 1 << 10, 1 << 21])
    # listeners
    ports = [80, 443, 8080]
    c["want"] = [rng.choice(ports) for _ in range(rng.randrange(3))]
    if c["phase"] == BOOT:
        c["plan"] = list(c["want"]) if not maybe(0.15) else [rng.choice(ports)]
        c["s"] = [(rng.choice(ports), rng.randrange(2)) for _ in range(1 if maybe(0.15) else 0)]
    else:
        c["s"] = [(port, 0) for port in c["want"]]
        if maybe(0.2) and c["s"]:
            c["s"].pop()
        if maybe(0.2):
            c["s"].append((rng.choice(ports), 0))
    add("activation", 0.2, ["1"])
    add("moresockets", 0.03, ["1"])
    add("nosockets", 0.05, ["1"])
    add("plaintext", 0.1, ["1"])
    add("single", 0.4, ["1"])
    add("scales", 0.3, ["1"])
    add("asserted", 0.3, ["1", "0", "yes"])
    add("backend", 0.1, ["1"])
    add("lock", 0.1, ["h", "n", "?"])
    # process
    c["nnp"] = number([1], [0])
    c["bounding"] = number([0, 1 << 10], [1 << 21, (1 << 41) - 1])
    c["dumpable"] = number([0, 1], [1])
    c["core"] = number([0, 1], [2, UNLIMITED])
    c["soft"] = number([0, 1], [0])
    c["sink"] = number([0], [1, 2])
    add("nnpcontra", 0.02, ["1"])
    add("bndcontra", 0.02, ["1"])
    add("seals", 0.4, [1, 2, 3])
    c["tracer"] = number([0], [1, 4711])
    c["limit"] = number([1000, UNLIMITED], [10])
    add("need", 0.5, [10, 999, 1000, 1001])
    c["persona"] = number([0], [0x40000, 0x40001])
    c["randomize"] = number([2], [0, 1])
    add("noentropy", 0.06, ["blocks", "unread"])
    add("container", 0.4, ["1"])
    for name, host in (("pid", 0xEFFFFFFC), ("ipc", 0xEFFFFFFF), ("uts", 0xEFFFFFFE)):
        c[name] = number([4026532000], [host])
    add("group", 0.1, ["4", "999", UNREAD])
    c["seccomp"] = number([2], [0], 0.15)
    add("label", 0.2, ["docker-default", "unconfined", "kernel", "cri-containerd(enforce)", "x(complain)", "a-kernel(enforce)",
                       "unconfined_u:r:container_t:s0:c1,c2", "u:r:unconfined_t:s0", "u:r:spc_t:s0"])
    if "label" not in c:
        add("nolabel", 0.2, ["e", "a"])
    c["loader"] = [rng.choice(["/a.so", "/b.so"]) for _ in range(1 if maybe(0.15) else 0)]
    add("allowloader", 0.3, ["/a.so"])
    c["l"] = way(rng, maybe) + [("f", rng.choice([0, ME]) if not maybe(0.1) else 1000, 0,
                                 0o644 if not maybe(0.1) else rng.choice([0o666, 0o664]), 1, "")]
    if maybe(0.1):
        c["lmissing"] = "1"
        c["l"].pop()
    elif maybe(0.05):
        c["lerror"] = rng.choice([5, 13, 20, 40])
        c["l"].pop()
    c["preload"] = number([0], [1], 0.03)
    # files
    for who in ("exe", "target"):
        add(who, 0.12, ["hidden", "memory", "deleted", "setuid"])
        c[f"{who}writable"] = number([0], [1], 0.03)
        c[f"{who}dir"] = number([0], [1], 0.03)
        c[f"{who}caps"] = number([0, 1 << 10], [1 << 21], 0.03)
    add("program", 0.3, ["1"])
    add("needed", 0.1, [1 << 10, 1 << 21])
    c["fd"] = [rng.randrange(4) for _ in range(rng.randrange(1, 3) if maybe(0.15) else 0)]
    add("closed", 0.05, [1, 2, 4, 7])
    add("nofds", 0.03, ["1"])
    add("morefds", 0.03, ["1"])
    for name, p in (("runtime", 0.2), ("knob", 0.1), ("device", 0.1), ("kmsg", 0.1), ("system", 0.15)):
        c[name] = [rng.choice(["0", "1", UNREAD]) for _ in range(rng.randrange(1, 3) if maybe(p) else 0)]
    add("nomounts", 0.03, ["1"])
    c["sysro"] = number([1], [0])
    c["rootro"] = number([0, 1], [0], 0.02)
    c["memlimit"] = number([GiB // 2], [UNLIMITED, 64 * GiB, 63 * GiB])
    c["memory"] = number([64 * GiB], [2 * GiB, 4 * GiB, 4 * GiB + 1])
    # paths
    add("cert", 0.5, ["1"])
    c["c"] = way(rng, maybe) + [("d", ME if not maybe(0.15) else rng.choice([0, 1000]), 1,
                                 0o700 if not maybe(0.2) else rng.choice([0o750, 0o755, 0o1700, 0o2700, 0o500]), 2,
                                 "m" if maybe(0.05) else "")]
    if maybe(0.08):
        kind, *rest = c["c"][-1]
        c["c"][-1] = (rng.choice("lf"), *rest)
    c["cfile"] = [(rng.choice("fffl"), rng.choice([ME, ME, 0]), rng.choice([0o640, 0o644, 0o600]))
                  for _ in range(1 if maybe(0.1) else 0)]
    add("cunlisted", 0.05, ["1"])
    if maybe(0.1):
        c["cmissing"] = "1"
        c["c"].pop()
    elif maybe(0.05):
        c["cerror"] = rng.choice([5, 13, 20, 40])
        c["c"].pop()
    add("keyfile", 0.4, ["1"])
    c["k"] = way(rng, maybe) + [(rng.choice("fffd") if maybe(0.1) else "f", rng.choice([ME, 0, 1000]) if maybe(0.5) else ME,
                                 rng.choice([2000, 3000, ME]), rng.choice([0o600, 0o400, 0o440, 0o640, 0o644, 0o700, 0o660])
                                 if maybe(0.5) else 0o600, rng.choice([1, 1, 2]), "")]
    if maybe(0.08):
        c["kmissing"] = "1"
        c["k"].pop()
    elif maybe(0.05):
        c["kerror"] = rng.choice([5, 13, 20, 40])
        c["k"].pop()
    if maybe(0.2):
        day = datetime.datetime.fromtimestamp(NOW, datetime.timezone.utc).date()
        c["waive"] = (rng.choice([row[0] for row in TABLE[7:]]),
                      (day + datetime.timedelta(days=rng.choice([-1, 0, 1, 89, 90, 91]))).isoformat())
    return c


def way(rng, maybe):
    """Directories above."""
    steps = [("d", 0, 0, 0o755, 2, "o")]
    for _ in range(rng.randrange(1, 3)):
        kind = "l" if maybe(0.1) else "d"
        steps.append((kind, rng.choice([0, ME]) if not maybe(0.1) else 1000, 0,
                      0o777 if kind == "l" else (0o755 if not maybe(0.15) else rng.choice([0o777, 0o1777, 0o775, 0o3777])), 2,
                      "".join(flag for flag, p in (("r", 0.1), ("m", 0.05), ("o", 0.3)) if maybe(p))))
    return steps


def words(c):
    out = []
    for name, value in c.items():
        if name in ("ids", "caps"):
            out.append(f"{name}={':'.join(map(str, value))}")
        elif name in ("c", "k", "l"):
            out += [f"{name}={t}:{u}:{g}:{m:o}:{n}:{flags}" for t, u, g, m, n, flags in value]
        elif name == "cfile":
            out += [f"{name}={t}:{u}:{m:o}" for t, u, m in value]
        elif name == "s":
            out += [f"{name}={port}:{activated}" for port, activated in value]
        elif name == "waive":
            out.append(f"{name}={value[0]}:{value[1]}")
        elif isinstance(value, list):
            out += [f"{name}={each}" for each in value]
        else:
            out.append(f"{name}={value}")
    return " ".join(out)


# ---- the rules: findings are (verdict, only a warning) ----

PASS, FAIL, UNKNOWN, NA, ENFORCED = [("pass", False)], [("fail", False)], [("unknown", False)], [("not-applicable", False)], \
    [("enforced", False)]
ONLY_WARNS = [("fail", True)]


def config(c):
    bad = [c[name] for name in ("modevalue", "FLAG") if c.get(name, "1") != "1"]
    bad += [1] if "NEEDED" not in c else []
    bad += [1] if not re.fullmatch("[0-9]+", c.get("DIGITS", "1")) else []
    return FAIL if bad or "problem" in c else PASS


def running_as_root(c):
    if "noids" in c:
        return UNKNOWN
    real, effective, saved, filesystem = c["ids"]
    known = [real, effective] + ([] if "nosaved" in c else [saved]) + [filesystem]
    found = FAIL if "idscontra" in c or 0 in known else []
    if not found and "nosaved" in c and "otheros" not in c:
        return UNKNOWN
    return found or PASS


def capabilities(c):
    allowed = c.get("allow", 1 << 10)
    effective, permitted, inheritable, ambient = (bits & ~allowed for bits in c["caps"])
    if "nocaps" in c:
        return UNKNOWN
    found = FAIL if "capscontra" in c else []
    found = found + (UNKNOWN if "noambient" in c else [])
    held = effective | permitted | (0 if "noambient" in c else ambient)
    found = found + (FAIL if held else [])
    found = found + (ONLY_WARNS if inheritable & ~held or (inheritable and not held) else [])
    return found or PASS


def ancestors(c, steps, missing):
    found = []
    for i, (kind, uid, _, mode, _, flags) in enumerate(steps):
        following = steps[i + 1] if i + 1 < len(steps) else None
        here = c["last"] if following is None else following
        safe_next = here is None or here[1] in (0, me(c))
        if "m" in flags and "r" not in flags:
            found.append(("unknown", "o" in flags and not (missing and i == len(steps) - 1)))
            if "o" not in flags:
                continue
        if uid not in (0, me(c)):
            found.append(("fail", False))
        if kind != "l" and mode & 0o022 and "r" not in flags and not (mode & 0o1000 and safe_next):
            found.append(("fail", False))
    return found


def me(c):
    return c["ids"][1]


def ended(error):
    return FAIL if error in (20, 40) else UNKNOWN


def cert_cache(c):
    if "cert" not in c:
        return NA
    reached = "cmissing" not in c and "cerror" not in c
    steps = c["c"][:-1] if reached else c["c"]
    found = ancestors({**c, "last": c["c"][-1] if reached else None}, steps, "cmissing" in c)
    if "cerror" in c:
        return found + ended(c["cerror"])
    if "cmissing" in c:
        return found or PASS
    kind, uid, _, mode, _, flags = c["c"][-1]
    mine = []
    if kind != "d":
        mine = FAIL
    elif "m" in flags:
        return found + UNKNOWN
    else:
        mine = FAIL if uid != me(c) or mode & 0o777 != 0o700 else []
    if "m" in flags:
        return found + mine
    files = FAIL if c["cfile"] else []
    unlisted = UNKNOWN if not mine and "cunlisted" in c else []
    return found + mine + files + unlisted or PASS


def key_files(c):
    if "keyfile" not in c:
        return NA
    reached = "kmissing" not in c and "kerror" not in c
    steps = c["k"][:-1] if reached else c["k"]
    found = ancestors({**c, "last": c["k"][-1] if reached else None}, steps, "kmissing" in c)
    if "kerror" in c:
        return found + ended(c["kerror"])
    if "kmissing" in c:
        return found + FAIL
    kind, uid, gid, mode, links, _ = c["k"][-1]
    ours = uid == me(c) and mode & 0o177 == 0
    lent = uid == 0 and mode & 0o137 == 0 and (mode & 0o040 == 0 or gid in (ME, 2000))
    lent = lent and uid != me(c)
    if kind != "f" or not (ours or lent):
        found = found + FAIL
    if not found and links > 1:
        return ONLY_WARNS
    return found or PASS


def plaintext_listener(c):
    return FAIL if "plaintext" in c else PASS


def listeners(c):
    found = (FAIL if "moresockets" in c else []) + (UNKNOWN if "nosockets" in c else [])
    if c["phase"] == BOOT:
        for _, activated in c["s"]:
            found = found + ([] if "activation" in c and activated else FAIL)
        for i, port in enumerate(c["plan"]):
            if c["plan"][:i + 1].count(port) > c["want"].count(port):
                found = found + FAIL
        return found or PASS
    have = [port for port, _ in c["s"]]
    for port in c["want"]:
        if port in have:
            have.remove(port)
        elif "moresockets" not in c and "nosockets" not in c:
            found = found + FAIL
    return found + FAIL * len(have) or PASS


def single_instance(c):
    if "single" not in c:
        return NA
    found = []
    if "scales" in c and "backend" not in c and c.get("asserted") != "1":
        found = found + FAIL
    found = found + {"h": FAIL, "n": UNKNOWN, "?": UNKNOWN, None: []}[c.get("lock")]
    return found or PASS


def sealed(c, part, holds, otherwise):
    declared = c.get("seals", 0) & part
    if holds:
        return ENFORCED if declared and c["phase"] == SEALED else PASS
    if declared and c["phase"] == BOOT:
        return NA
    return otherwise


def no_way_back(c):
    if "nnpcontra" in c or "bndcontra" in c:
        return FAIL
    surplus = UNREAD if c["bounding"] == UNREAD else c["bounding"] & ~c.get("allow", 1 << 10)
    unknown = UNREAD in (c["nnp"], c["bounding"])
    return sealed(c, 1, c["nnp"] == 1 or surplus == 0, UNKNOWN if unknown else FAIL)


def core_dumps(c):
    """Not dumpable for good; or too small a limit for a file; or 1 where a program is fed."""
    def possible(name, values):
        return [c[name]] if c[name] != UNREAD else values

    dumpable = possible("dumpable", [0, 1]) if "program" not in c else [1]
    outcomes = {d == 0 or (hard <= 1 and sink == 0) or (hard == soft == 1 and sink == 1)
                for d in dumpable for hard in possible("core", [0, 1, 2]) for soft in possible("soft", [0, 1, 2])
                for sink in possible("sink", [0, 1, 2])}
    return sealed(c, 2, outcomes == {True}, FAIL if outcomes == {False} else UNKNOWN)


def loader_environment(c):
    found = FAIL if any(value != c.get("allowloader") for value in c["loader"]) else []
    for _ in [value for value in c["loader"] if value == c.get("allowloader")]:
        found = found + loaded_file(c)
    return found + {0: [], 1: FAIL, UNREAD: UNKNOWN}[c["preload"]] or PASS


def loaded_file(c):
    """What an allowed value names: others can neither write nor replace it."""
    reached = "lmissing" not in c and "lerror" not in c
    steps = c["l"][:-1] if reached else c["l"]
    found = ancestors({**c, "last": c["l"][-1] if reached else None}, steps, "lmissing" in c)
    if "lerror" in c:
        return found + ended(c["lerror"])
    if reached:
        _, uid, _, mode, _, _ = c["l"][-1]
        found = found + (FAIL if uid not in (0, me(c)) or mode & 0o022 else [])
    return found


def traced(c):
    return {0: PASS, UNREAD: UNKNOWN}.get(c["tracer"], FAIL)


def program(c, who):
    state, found = c.get(who), []
    if state == "hidden":
        return UNKNOWN
    if state == "memory":
        return FAIL
    found = found + (FAIL if state == "setuid" else [])
    caps = c[f"{who}caps"]
    found = found + (UNKNOWN if caps == UNREAD else FAIL if caps & ~c.get("allow", 1 << 10) else [])
    if state == "deleted":
        return found + ONLY_WARNS
    if me(c) != 0:
        writable = [c[f"{who}writable"], c[f"{who}dir"]]
        found = found + UNKNOWN * writable.count(UNREAD) + (FAIL if 1 in writable else [])
    return found


def executable(c):
    target = program(c, "target") if "program" in c else []
    # Exec fails where the file asks for what the bounding set does not hold.
    if "program" in c and c["bounding"] != UNREAD and c.get("needed", 0) & ~c["bounding"]:
        target = target + FAIL
    return program(c, "exe") + target or PASS


def inherited_descriptors(c):
    found = FAIL if "closed" in c or "morefds" in c or any(kind > 0 for kind in c["fd"]) else []
    found = found + (ONLY_WARNS if 0 in c["fd"] else []) + (UNKNOWN if "nofds" in c else [])
    return found or PASS


def accesses(values):
    return (FAIL if "1" in values else []) + (UNKNOWN if UNREAD in values else [])


def runtime_socket(c):
    return accesses(c["runtime"]) + (UNKNOWN if "nomounts" in c else []) or PASS


def in_container(c):
    return "container" in c or c["platform"] in (1, 2, 3)  # docker, podman, kubernetes


def privileged_container(c):
    found = accesses(c["knob"]) + accesses(c["device"])
    if in_container(c):
        found = found + accesses(c["kmsg"]) + (FAIL if c["sysro"] == 0 else [])
    return found or PASS


def root_filesystem(c):
    if me(c) == 0 and c["rootro"] != 1:
        return NA
    return accesses(c["system"]) or PASS


def memory_limit(c):
    limit, memory = c["memlimit"], c["memory"]
    if limit != UNREAD and limit != UNLIMITED and (memory == UNREAD or limit < memory):
        return PASS
    if memory != UNREAD and (memory <= 4 * GiB or c["platform"] == 4):  # fly
        return PASS
    return UNKNOWN if limit == UNREAD else FAIL


def descriptor_limit(c):
    if "need" not in c:
        return NA
    return UNKNOWN if c["limit"] == UNREAD else PASS if c["limit"] >= c["need"] else FAIL


def clock(c):
    return PASS if c["now"] >= SOURCE_DATE else FAIL


def entropy(c):
    return {"blocks": FAIL, "unread": UNKNOWN, None: PASS}[c.get("noentropy")]


def personality(c):
    found = UNKNOWN if c["persona"] == UNREAD else FAIL if c["persona"] & 0x40000 else []
    found = found + (UNKNOWN if c["randomize"] == UNREAD else ONLY_WARNS if c["randomize"] != 2 else [])
    return found or PASS


def host_namespaces(c):
    if "container" not in c:
        return NA
    hosts = {"pid": 0xEFFFFFFC, "ipc": 0xEFFFFFFF, "uts": 0xEFFFFFFE}
    found = []
    for name, host in hosts.items():
        found = found + (UNKNOWN if c[name] == UNREAD else FAIL if c[name] == host else [])
    return found or PASS


def privileged_group(c):
    return {None: PASS, UNREAD: UNKNOWN}.get(c.get("group"), FAIL)


def confinement(c):
    if c["seccomp"] not in (UNREAD, 0):
        return PASS
    label = c.get("label", "")
    kind = label.split(":")[2] if label.count(":") >= 2 else label
    if label and kind not in ("unconfined", "unconfined_t", "spc_t", "kernel") and "(complain)" not in label:
        return PASS
    if c.get("nolabel") == "a":
        return UNKNOWN
    return NA if c["seccomp"] == UNREAD else FAIL


def expected(c):
    # A malformed mode counts as production; config says that it is malformed.
    mode = PRODUCTION if "modevalue" in c else c["mode"]
    out = {}
    for name, letter, linux, phases in TABLE:
        if c["phase"] not in phases:
            continue
        if linux and "otheros" in c:
            out[name] = ("not-applicable", NONE)
            continue
        scored = []
        for verdict, only_warns in globals()[name.replace("-", "_")](c):
            action = NONE
            if verdict == "fail":
                action = REFUSE if mode in REFUSED_IN[letter] else WARN
            if verdict == "unknown":
                action = REFUSE if name in CORE and mode == PRODUCTION else WARN
            if only_warns:
                action = min(action, WARN)
            if verdict == "fail" and waived(c, name):
                verdict, action = "waived", WARN
            scored.append((action, WEIGHT.index(verdict), verdict))
        action, _, verdict = max(scored)
        out[name] = (verdict, action)
    return out


def waived(c, name):
    if "waive" not in c or c["waive"][0] != name:
        return False
    today = datetime.datetime.fromtimestamp(c["now"], datetime.timezone.utc).date()
    return 0 <= (datetime.date.fromisoformat(c["waive"][1]) - today).days <= 90


def test_the_table_is_the_documents():
    listed = subprocess.run([os.environ["POSTURE_BIN"], "list"], capture_output=True, text=True, check=True).stdout
    assert [line.split()[0] for line in listed.splitlines() if line] == [row[0] for row in TABLE]


def test_ten_thousand_processes_are_judged_alike():
    rng = random.Random(SEED)
    cases = [make_case(rng) for _ in range(CASES)]
    r = subprocess.run([DRIVER], input="\n".join(map(words, cases)) + "\n", capture_output=True, text=True, timeout=120)
    assert r.returncode == 0, r.stderr
    lines = r.stdout.splitlines()
    assert len(lines) == CASES
    seen = set()
    for c, line in zip(cases, lines):
        now = {}
        for word in line.split():
            name, said = word.split("=")
            verdict, action = said.split("/")
            now[name] = (verdict, int(action))
        want = expected(c)
        differs = {name: (now.get(name), want.get(name)) for name in {*now, *want} if now.get(name) != want.get(name)}
        assert not differs, f"{differs}\nof {words(c)}"
        seen |= {(name, verdict) for name, (verdict, _) in now.items()}
    # Nothing was left out: each row failed, and each passed.
    for name, *_ in TABLE:
        assert (name, "fail") in seen and ((name, "pass") in seen or (name, "enforced") in seen), name
