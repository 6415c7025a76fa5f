"""Alerts and dashboard: rules that promtool judges, metrics that the relay
has, and a section of the runbook for each alert."""
import json
import pathlib
import re
import subprocess

import pytest
import yaml
from test_documents import slug
from test_metrics import documented

TOP = pathlib.Path(__file__).resolve().parents[2]
PROMETHEUS = TOP / "packaging/prometheus"
ALERTS = PROMETHEUS / "alerts.yaml"
DASHBOARD = TOP / "packaging/grafana/dashboard.json"
FOREIGN = {"up"}  # Prometheus' own


def alerts():
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


def dashboard():
    return json.loads(DASHBOARD.read_text())


def panels():
    return dashboard()["panels"]


def expressions_of_dashboard():
    found = [t["expr"] for p in panels() for t in p["targets"]]
    return found + [a["expr"] for a in dashboard()["annotations"]["list"]]


def selectors(expression):
    """(metric, its label matchers) of an expression."""
    for name, labels in re.findall(r"\b((?:pyrycode_relay|process|promhttp|up)(?:_\w+)?)\b(?:\{([^}]*)\})?", expression):
        yield name, dict(re.findall(r'(\w+)(?:=~|!~|!=|=)"([^"]*)"', labels))


def promtool(*command):
    return subprocess.run(["promtool", *command], capture_output=True, text=True)


def test_the_alerts_are_valid_and_do_what_they_say():
    checked = promtool("check", "rules", ALERTS)
    assert checked.returncode == 0, checked.stderr
    tested = promtool("test", "rules", PROMETHEUS / "alerts_test.yaml")
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_alert_has_a_test_where_it_fires_and_one_where_it_does_not():
    tests = yaml.safe_load((PROMETHEUS / "alerts_test.yaml").read_text())["tests"]
    fires = {t["alertname"] for block in tests for t in block["alert_rule_test"] if t["exp_alerts"]}
    assert fires == set(alerts())
    for block in tests:
        good = [s["series"] for s in block["input_series"] if 'instance="good"' in s["series"]]
        for t in block["alert_rule_test"]:
            names = {name for name, _ in selectors(alerts()[t["alertname"]]["expr"])}
            assert any(s.startswith(n) for s in good for n in names), t["alertname"]
            assert not any(a["exp_labels"]["instance"] == "good" for a in t["exp_alerts"])


def test_a_changed_threshold_is_noticed(tmp_path):
    """So that the tests above can fail."""
    (tmp_path / "alerts.yaml").write_text(ALERTS.read_text().replace("> 0.8", "> 0.95"))
    (tmp_path / "alerts_test.yaml").write_text((PROMETHEUS / "alerts_test.yaml").read_text())
    assert promtool("test", "rules", tmp_path / "alerts_test.yaml").returncode != 0


def known_series():
    """Names of series with what is documented of their labels."""
    found = {}
    for name, (kind, labels) in documented().items():
        for suffix in ("_bucket", "_sum", "_count") if kind == "histogram" else ("",):
            found[name + suffix] = labels
    return found


@pytest.mark.parametrize("where, expressions", [
    ("alerts", lambda: [rule["expr"] for rule in alerts().values()]), ("dashboard", expressions_of_dashboard)],
    ids=["alerts", "dashboard"])
def test_every_metric_and_label_value_is_documented(where, expressions):
    known = known_series()
    used = [(name, labels) for e in expressions() for name, labels in selectors(e)]
    assert len(used) > 12
    for name, labels in used:
        assert name in FOREIGN or name in known, name
        for key, value in labels.items():
            if key in known.get(name, {}):
                assert set(value.split("|")) <= known[name][key], (name, key, value)


def test_every_alert_has_its_section():
    headings = set(map(slug, re.findall(r"^#+ (.*)$", (TOP / "docs/runbook.md").read_text(), re.M)))
    for name, rule in alerts().items():
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{name.lower()}"
        assert name.lower() in headings, name
        assert rule["labels"]["severity"] in ("page", "ticket") and rule["annotations"]["summary"]


# ---- the dashboard

def test_its_expressions_are_promql(tmp_path):
    """promtool parses them as rules; a variable stands for a value."""
    rules = [{"record": f"panel:{i}", "expr": e.replace("$__rate_interval", "5m").replace("$instance", ".*")}
             for i, e in enumerate(expressions_of_dashboard())]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    checked = promtool("check", "rules", file)
    assert checked.returncode == 0, checked.stderr
    file.write_text(file.read_text().replace("histogram_quantile(", "histogram_quantile((", 1))
    assert promtool("check", "rules", file).returncode != 0


def test_panels_do_not_overlap_and_have_their_data():
    taken = {}
    for p in panels():
        g = p["gridPos"]
        assert g["x"] + g["w"] <= 24
        for cell in ((x, y) for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])):
            assert cell not in taken, (p["title"], taken.get(cell))
            taken[cell] = p["title"]
        assert p["targets"] and p["title"] and p["datasource"]["uid"] == "${datasource}"
        assert all('instance=~"$instance"' in t["expr"] for t in p["targets"])
    ids = [p["id"] for p in panels()]
    assert len(ids) == len(set(ids)) > 15
    assert {v["name"] for v in dashboard()["templating"]["list"]} == {"datasource", "instance"}
