"""User instructions per message, by callgrind: the difference of two runs that
differ in nothing but how many messages they send, so that the start and the
end of the relay are no part of it."""
import pathlib
import re
import tempfile

import bench_servers

# What is sent, and how many messages the two runs differ by.
PATTERNS = {
    "up_128": (dict(size=128, direction="up"), 6000),
    "down_128": (dict(size=128, direction="down"), 6000),
    "up_4096": (dict(size=4096, direction="up"), 3000),
    "down_4096": (dict(size=4096, direction="down"), 3000),
    "up_65536": (dict(size=65536, direction="up"), 500),
    "burst_up_128": (dict(size=128, direction="up", window=16, burst=16), 16000),
    "burst_down_128": (dict(size=128, direction="down", window=16, burst=16), 16000),
}
FIRST = 160  # messages of the shorter run: what happens once has happened


def total(build, options, messages):
    """Instructions of one worker's whole life with that many messages of one pair."""
    with tempfile.TemporaryDirectory() as tmp:
        out = pathlib.Path(tmp) / "out"
        prefix = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]
        with bench_servers.relay(build, prefix=prefix, env={"LD_PRELOAD": str(build / "bench/unsealed.so")}) as server:
            bench_servers.Generator(build, server).run("flood", messages=messages, **options)
        found = re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.M)
    if not found:
        raise bench_servers.Failed("callgrind wrote no total")
    return int(found[1])


class Count:
    """Of one pattern.  Whatever disturbs a run adds to it: the least counts."""

    def __init__(self, build, name):
        self.build = build
        self.options, self.more = PATTERNS[name]
        self.short, self.long = [], []

    def measure(self):
        self.short.append(total(self.build, self.options, FIRST))
        self.long.append(total(self.build, self.options, FIRST + self.more))
        return self.per_message()

    def per_message(self):
        return (min(self.long) - min(self.short)) / self.more
