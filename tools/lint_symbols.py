#!/usr/bin/env python3
"""Per object: no mutable global data, and exported names carry the module's,
its family's or the folder's name: src/wire/ws_frame.c exports ws_frame_* or
ws_*, posture/policy.c policy_* or posture_*.  usage: lint_symbols.py BUILD_DIR"""
import json
import pathlib
import subprocess
import sys

build = pathlib.Path(sys.argv[1])
bad = 0
# stderr is one for the process, and a line may be logged where no context
# reaches, in a signal handler: the log is found through one pointer, set at boot.
EXCEPTIONS = {("relay", "log.c", "installed")}


def is_mutable(section):
    if section.startswith(".data.rel.ro"):
        return False
    return section == "*COM*" or section.startswith((".data", ".bss", ".tdata", ".tbss"))


for entry in json.loads((build / "compile_commands.json").read_text()):
    src = pathlib.Path(entry["file"])
    obj = build / entry["output"]
    if not obj.exists() or src.parent.parts[-1] in ("tests", "fuzz") or {"tests", "fuzz"} & set(src.parts):
        continue
    prefixes = (src.stem.split("_")[0] + "_", src.parent.name + "_")
    table = subprocess.run(["objdump", "-t", obj], capture_output=True, text=True).stdout
    for line in table.splitlines():
        if "\t" not in line or len(line.split()) < 5:
            continue
        left, right = line.split("\t", 1)
        section, name, flags = left.split()[-1], right.split()[-1], left[17:24]
        size = int(right.split()[0], 16)
        if is_mutable(section) and size and "O" in flags and src.name != "main.c" and \
                (src.parent.name, src.name, name) not in EXCEPTIONS:
            print(f"{src}: mutable global {name}")
            bad = 1
        if flags[0] == "g" and "F" in flags and name not in ("main", src.stem) and not name.startswith(prefixes):
            print(f"{src}: exports {name}")
            bad = 1
sys.exit(bad)
