"""The status page in a browser, from what the program renders: by its
contents, not its pixels."""
import contextlib
import http.server
import json
import os
import pathlib
import re
import subprocess
import threading

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

TOP = pathlib.Path(__file__).resolve().parents[2]
DRIVER = pathlib.Path(os.environ.get("BUILD_DIR", TOP / "build/asan")) / "tests/relay/status_driver"
SCREENSHOTS = os.environ.get("SCREENSHOTS")  # a directory to keep them in
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage"]
WIDTHS = {1280: 900, 375: 812}


def made(what):
    return subprocess.run([DRIVER, what], capture_output=True, check=True).stdout


class Site(http.server.ThreadingHTTPServer):
    """Serves the page as the relay does; what /status.json says can change."""

    def __init__(self):
        self.page, self.policy = made("html"), made("policy").decode()
        self.status = made("json")
        self.fetched = threading.Semaphore(0)
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        site = self.server
        if self.path == "/":
            self.answer(200, "text/html; charset=utf-8", site.page)
        elif self.path == "/status.json" and site.status is not None:
            self.answer(200, "application/json", site.status)
        else:
            self.answer(503, "text/plain", b"no\n")
        if self.path == "/status.json":
            site.fetched.release()

    def answer(self, code, kind, body):
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Security-Policy", self.server.policy)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def site():
    with Site() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@contextlib.contextmanager
def started_browser(profile):
    options = webdriver.ChromeOptions()
    for flag in [*FLAGS, f"--user-data-dir={profile}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
    try:
        yield browser
    finally:
        browser.quit()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with started_browser(tmp_path_factory.mktemp("profile")) as b:
        yield b


def command(browser, name, **arguments):
    return browser.execute_cdp_cmd(name, arguments)


def resize(browser, width):
    command(browser, "Emulation.setDeviceMetricsOverride", width=width, height=WIDTHS[width],
            deviceScaleFactor=1, mobile=False)


def wait(browser, condition):
    return WebDriverWait(browser, 20, poll_frequency=0.05).until(lambda _: condition())


def drawn(browser):
    return int(browser.execute_script("return document.documentElement.dataset.drawn ?? 0"))


def load(browser, site, width=1280):
    resize(browser, width)
    browser.get_log("browser")  # what was said before is not ours
    browser.get(f"http://127.0.0.1:{site.server_port}/")
    wait(browser, lambda: drawn(browser) > 0)


def text(browser, selector="body"):
    return browser.find_element(By.CSS_SELECTOR, selector).text


def said(browser):
    """What the console holds: violations of the policy are there, too."""
    return [entry["message"] for entry in browser.get_log("browser")]


def screenshot(browser, name):
    shot = browser.get_screenshot_as_png()
    if SCREENSHOTS:
        pathlib.Path(SCREENSHOTS, name + ".png").write_bytes(shot)
    return shot


def whole_page(browser):
    """A screenshot of all of it, as high as it is."""
    size = browser.execute_script("return [innerWidth, document.documentElement.scrollHeight]")
    command(browser, "Emulation.setDeviceMetricsOverride", width=size[0], height=size[1], deviceScaleFactor=1, mobile=False)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_shows_what_the_status_says(browser, site, width, scheme):
    command(browser, "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    load(browser, site, width)
    status = json.loads(site.status)
    body = text(browser)
    assert "1.4.0 · up 1 d 2 h" in body and text(browser, "#state") == "ready"
    tiles = text(browser, "#now")
    for name, value in [("Binaries", "16"), ("Phones", "30"), ("Connections", "47\nof 65,472"), ("Workers", "2\nalive of 2"),
                        ("Certificate", "60 days\nleft; next "),
                        ("Queued", "80.0 KiB"), ("Descriptors", "71\nof 65,536"), ("Latency", "1.8 ms\n99th percentile")]:
        assert f"{name}\n{value}" in tiles, (name, tiles)
    assert "2 of 4 invariants that apply do not hold, in development mode." in body
    for finding in status["posture"]["findings"]:
        if finding["verdict"] in ("fail", "waived"):
            for member in ("id", "observed", "expected", "reason", "fix"):
                assert finding[member] in body
    assert "<b>rw</b> & \"quoted\"" in body
    assert browser.execute_script(
        "return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    dark = browser.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 27)"
    assert dark == (scheme == "dark")
    browser.find_element(By.CSS_SELECTOR, "summary").click()
    for finding in status["posture"]["findings"]:
        assert finding["id"] in text(browser, "#invariants")
    assert browser.execute_script(
        "return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    whole_page(browser)
    shot = screenshot(browser, f"{width}-{scheme}")
    assert shot.startswith(b"\x89PNG") and len(shot) > 20_000
    assert said(browser) == []


def test_every_member_of_the_status_is_documented():
    section = (TOP / "docs/operations.md").read_text().split("## Status\n")[1].split("\n## ")[0]
    status = json.loads(made("json"))
    members = {*status, *(m for v in status.values() if isinstance(v, dict) for m in v), *status["posture"]["findings"][0]}
    assert members == set(re.findall(r"`([a-z0-9_]+)`", section)) - {"null", "ready", "draining", "overloaded"}


def test_every_chart_has_its_points(browser, site):
    load(browser, site)
    charts = browser.find_elements(By.CSS_SELECTOR, "#charts figure")
    assert len(charts) == 6
    for chart in charts:
        paths = [p.get_attribute("d") for p in chart.find_elements(By.CSS_SELECTOR, "path.one, path.two")]
        assert len(paths) == 2
        for path in paths:
            assert path.count("L") + path.count("M") >= 150
            assert "NaN" not in path and "Infinity" not in path and "undefined" not in path
        label = chart.find_element(By.CSS_SELECTOR, ".plot").get_attribute("aria-label")
        assert ", now: " in label and "NaN" not in label
    latency = charts[3].find_element(By.CSS_SELECTOR, "path.one").get_attribute("d")
    assert latency.count("M") == 2, "where nobody spoke there is a gap"
    heights = [c.find_element(By.CSS_SELECTOR, "path.one").rect["height"] for c in charts]
    assert all(h > 5 for h in heights), heights


def test_a_relay_that_just_started_has_a_page_too(browser, site):
    site.status = made("empty")
    load(browser, site)
    assert "NaN" not in text(browser) and "undefined" not in text(browser)
    assert "Binaries\n0" in text(browser, "#now")
    assert said(browser) == []


def focused(browser):
    return browser.execute_script("""
        const e = document.activeElement, style = getComputedStyle(e);
        return [e.tagName.toLowerCase() + (e.id ? '#' + e.id : '') + (e.className ? '.' + e.className : ''),
                style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2]""")


def test_the_keyboard_reaches_everything_and_one_sees_where_it_is(browser, site):
    load(browser, site)
    stops = []
    for _ in range(10):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        name, visible = focused(browser)
        assert visible, f"the focus on {name} is not seen"
        stops.append(name)
    assert stops == ["button#pause", *["div.plot"] * 6, "summary", "a", "a"]
    browser.execute_script("document.querySelector('summary').focus()")
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert browser.execute_script("return document.querySelector('details').open")


def test_arrow_keys_read_a_chart_sample_by_sample(browser, site):
    load(browser, site)
    phones = json.loads(site.status)["history"]["phones"]
    plot = browser.find_element(By.CSS_SELECTOR, ".plot")

    def label():
        return plot.get_attribute("aria-label")

    assert f"now: phones {phones[-1]}," in label()
    browser.execute_script("arguments[0].focus()", plot)
    plot.send_keys(Keys.ARROW_LEFT)
    assert f": phones {phones[-2]}," in label() and "now" not in label()
    plot.send_keys(Keys.HOME)
    assert f": phones {phones[0]}," in label()
    plot.send_keys(Keys.ARROW_LEFT)
    assert f": phones {phones[0]}," in label()
    plot.send_keys(Keys.ESCAPE)
    assert f"now: phones {phones[-1]}," in label()


def test_landmarks_and_tables_are_what_they_look_like(browser, site):
    load(browser, site)
    nodes = command(browser, "Accessibility.getFullAXTree")["nodes"]
    roles = [n.get("role", {}).get("value") for n in nodes if not n.get("ignored")]
    assert {"banner", "main", "contentinfo", "region", "button", "heading"} <= set(roles)
    assert roles.count("main") == 1 and roles.count("banner") == 1
    names = [n["name"]["value"] for n in nodes if n.get("role", {}).get("value") == "region"]
    assert names == ["Now", "The last 15 minutes", "Posture"]
    browser.find_element(By.CSS_SELECTOR, "summary").click()
    nodes = command(browser, "Accessibility.getFullAXTree")["nodes"]
    roles = [n.get("role", {}).get("value") for n in nodes if not n.get("ignored")]
    assert roles.count("columnheader") == 3 and roles.count("rowheader") == 5
    assert browser.execute_script("return document.querySelectorAll('[aria-live]').length") == 1


def test_it_refreshes_pauses_and_says_when_nobody_answers(browser, site):
    load(browser, site)
    changed = json.loads(site.status)
    changed["connections"]["phones"] = 4711
    changed["state"] = "draining"
    site.status = json.dumps(changed).encode()
    wait(browser, lambda: "Phones\n4,711" in text(browser, "#now"))
    assert text(browser, "#state") == "draining" and text(browser, "#notice") == ""
    site.status = None
    wait(browser, lambda: "No answer from the relay (status 503)" in text(browser, "#notice"))
    assert "Phones\n4,711" in text(browser, "#now")
    pause = browser.find_element(By.ID, "pause")
    pause.click()
    assert pause.get_attribute("aria-pressed") == "true" and pause.text == "Resume"
    site.status = json.dumps(changed).encode()
    pause.click()
    wait(browser, lambda: text(browser, "#notice") == "")
    assert pause.get_attribute("aria-pressed") == "false"


def test_a_status_of_another_schema_is_not_drawn(browser, site):
    load(browser, site)
    site.status = json.dumps({"schema": 2}).encode()
    wait(browser, lambda: "reload it" in text(browser, "#notice"))


def test_the_policy_stops_a_script_that_is_not_ours(browser, site):
    site.page = site.page.replace(b"</main>", b"<img src=x onerror=\"document.title='broken in'\"></main><script>document.title='broken in'</script>")
    load(browser, site)
    assert browser.title == "pyrycode-relay"
    assert any("Content Security Policy" in line for line in said(browser))


def test_without_script_it_says_where_the_numbers_are(browser, site):
    command(browser, "Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.get(f"http://127.0.0.1:{site.server_port}/")
        assert "the same numbers are at /metrics" in " ".join(text(browser, "noscript").split())
    finally:
        command(browser, "Emulation.setScriptExecutionDisabled", value=False)
