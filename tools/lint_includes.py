#!/usr/bin/env python3
"""Fail if a file includes a folder above its layer, or if wire/ reaches for
the outside world."""
import pathlib
import re
import sys

MAY_INCLUDE = {
    "src/base": {"base"},
    "src/wire": {"wire", "base"},
    "src/net": {"net", "base"},
    "src/outward": {"outward", "base"},
    "src/acme": {"acme", "outward", "wire", "base"},
    "src/push": {"push", "outward", "wire", "base"},
    "src/relay": {"relay", "net", "wire", "base", "posture/posture.h", "posture/seal.h"},
    "src": {"agents.h", "relay", "acme", "push", "outward", "net", "wire", "base", "posture/posture.h", "posture/seal.h"},
    "posture": {"posture", "base", "syscall_names.h"},
    "posture/cmd": {"posture", "base"},
    "bench": {"bench", "base", "posture/posture.h"},
}
PURE = {"assert.h", "limits.h", "inttypes.h", "stdbool.h", "stddef.h", "stdint.h", "string.h", "immintrin.h",
        "emmintrin.h"}


def findings():
    for folder, allowed in MAY_INCLUDE.items():
        for path in sorted(pathlib.Path(folder).glob("*.[ch]")):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                own = re.match(r'#\s*include "(([^"/]+)[^"]*)"', line)
                up = own and own[1].startswith("posture/cmd/") and folder != "posture/cmd"
                if own and (up or not {own[1], own[2]} & allowed):
                    yield f"{path}:{number}: {folder} must not include {own[1]}"
                system = re.match(r"#\s*include <([^>]+)>", line)
                if system and folder == "src/wire" and system[1] not in PURE:
                    yield f"{path}:{number}: wire/ is pure, no <{system[1]}>"
    header = pathlib.Path("posture/posture.h").read_text()
    if re.search(r'#\s*include "', header):
        yield "posture/posture.h: the public header includes standard headers only"


bad = list(findings())
print("\n".join(bad))
sys.exit(bool(bad))
