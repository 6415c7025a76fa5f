#!/usr/bin/env python3
"""A page as a C array, and the content security policy that allows it its own
inline style and script and nothing else.  usage: embed_page.py PAGE.html"""
import base64
import hashlib
import pathlib
import re
import sys

page = pathlib.Path(sys.argv[1]).read_bytes()


def source(tag):
    """The hash of the one inline element of that kind, CSP level 3 section 6.7."""
    found = re.findall(rb"<%s>(.*?)</%s>" % (tag, tag), page, re.S)
    assert len(found) == 1, f"{len(found)} inline elements {tag.decode()}"
    return f"'sha256-{base64.b64encode(hashlib.sha256(found[0]).digest()).decode()}'"


policy = "; ".join([
    "default-src 'none'",
    f"script-src {source(b'script')}",
    f"style-src {source(b'style')}",
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
])
print("/* Made of page.html by tools/embed_page.py. */")
print("#pragma once\n\n#include <stdint.h>\n")
print(f'#define PAGE_POLICY "{policy}"\n')
print("static const uint8_t page_html[] = {")
for at in range(0, len(page), 20):
    print("    " + ",".join(map(str, page[at:at + 20])) + ",")
print("};")
