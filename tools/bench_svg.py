"""Bar charts as SVG, readable on a light and on a dark page."""
from xml.sax.saxutils import escape

WIDTH, LABEL, RIGHT = 760, 190, 70  # pixels; of them for labels left and values right
BAR, GAP, GROUP_GAP, TOP = 16, 3, 16, 64

# Told apart by lightness too, for those who do not see colours.
COLOURS = {
    "floor": ("#8a8f98", "#9aa0aa"),
    "relay": ("#0b57d0", "#7cb0ff"),
    "haproxy": ("#b3541e", "#f0a070"),
    "nginx": ("#2e7d32", "#7fd083"),
    "node": ("#7b3fa0", "#cf9cf0"),
}


def style():
    light = "".join(f".{name}{{fill:{pair[0]}}}" for name, pair in COLOURS.items())
    dark = "".join(f".{name}{{fill:{pair[1]}}}" for name, pair in COLOURS.items())
    return ("<style>text{font:13px system-ui,sans-serif;fill:#1f2328}.page{fill:#ffffff}.title{font-size:15px;font-weight:600}"
            f".axis{{stroke:#d0d7de}}{light}"
            "@media (prefers-color-scheme:dark){text{fill:#e6edf3}.page{fill:#0d1117}.axis{stroke:#30363d}" + dark + "}</style>")


def legend(names):
    parts, x = [], 16
    for name in names:
        parts.append(f'<rect class="{name}" x="{x}" y="38" width="12" height="12"/><text x="{x + 17}" y="49">{name}</text>')
        x += 34 + 8 * len(name)
    parts.append(f'<text x="{WIDTH - 16}" y="49" text-anchor="end">each group has its own scale</text>')
    return parts


def group(title, values, y, scale, number):
    """The bars of one group from y on, and where the next one may begin."""
    parts = [f'<text x="{LABEL - 10}" y="{y + len(values) * (BAR + GAP) / 2 + 3:.0f}" text-anchor="end">{escape(title)}</text>']
    for name, value in values.items():
        width = max(1.0, value * scale)
        parts.append(f'<rect class="{name}" x="{LABEL}" y="{y}" width="{width:.1f}" height="{BAR}"><title>{name}: '
                     f'{number(value)}</title></rect><text x="{LABEL + width + 6:.1f}" y="{y + BAR - 3}">{number(value)}</text>')
        y += BAR + GAP
    return parts, y + GROUP_GAP


def bars(title, groups, number):
    """groups: pairs of a title and values by server.  Each group has its own
    scale, its longest bar as long as the chart is wide: groups differ by far."""
    names = [name for name in COLOURS if any(name in values for _, values in groups)]
    parts, y = [], TOP
    for name, values in groups:
        scale = (WIDTH - LABEL - RIGHT) / max(values.values(), default=1)
        more, y = group(name, values, y, scale, number)
        parts += more
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}" role="img">'
            f'<title>{escape(title)}</title>{style()}<rect class="page" width="{WIDTH}" height="{y}" rx="6"/>'
            f'<text class="title" x="16" y="25">{escape(title)}</text>' + "".join(legend(names)) +
            f'<line class="axis" x1="{LABEL}" y1="{TOP - 6}" x2="{LABEL}" y2="{y - GROUP_GAP + 4}"/>' + "".join(parts) +
            "</svg>\n")
