"""Take-over of a relay that orders its certificate: two agents have one directory for a while."""
import contextlib
import os

import pytest
from authority import authority, cache, children, pebble, wait_until  # noqa: F401 (fixtures)
from conftest import OVER_TLS, PATIENCE
from test_relay_certificates import Issuing, leaf_of, write_due, write_fresh

from conftest import DOMAIN

pytestmark = pytest.mark.skipif(os.environ.get("RELAY_THREADS") == "1" and not OVER_TLS,
                                reason="TLS all the time: the pass over TLS has them")
NOBODY = "https://127.0.0.1:1/directory"


def successor(old, path, cache, url, ca=None):
    new = Issuing(cache, url, ca, "--take-over", str(path), "--drain-seconds", "1", port=old.port if old else None)
    if old:
        new.http_port, new.metrics_port = old.http_port, old.metrics_port
        new.ready = lambda relay: relay.events("took over")
    return new.start()


@contextlib.contextmanager
def ending(*relays):
    yield
    for relay in relays:
        assert relay.stop() == 0


@pytest.fixture
def path(tmp_path):
    directory = tmp_path / "run"
    directory.mkdir(mode=0o700)
    return directory / "take-over"


def test_the_successor_shows_the_certificate_at_once(cache, path):  # noqa: F811
    write_fresh(cache)
    old = successor(None, path, cache, NOBODY)
    assert old.shown() == leaf_of(cache / DOMAIN)
    agents = [old.supervisor(), old.agent()]
    new = successor(old, path, cache, NOBODY)
    with ending(old, new):
        assert new.shown() == leaf_of(cache / DOMAIN)
        assert old.process.wait(2 * PATIENCE) == 0
        assert not [pid for pid in agents if os.path.exists(f"/proc/{pid}")]
        assert (cache / "instance.lock").read_text().strip() == str(new.process.pid)
        assert len(children(new.process.pid)) == 1


def test_the_successor_orders_when_the_first_agent_has_ended(pebble, cache, authority, path):  # noqa: F811
    """What the first could not get, the second does; its directory's lock says that the first is gone."""
    write_due(cache)
    due = leaf_of(cache / DOMAIN)
    old = Issuing(cache, NOBODY, None, "--take-over", str(path), "--drain-seconds", "1", port=pebble.tls_port).start()
    old.wait_event("certificate_failed")
    agent = old.agent()
    new = successor(old, path, cache, pebble.url, authority.ca)
    with ending(old, new):
        new.wait_until(lambda: len(new.events("certificate_installed")) >= 2)
        wait_until(lambda: leaf_of(cache / DOMAIN) != due)
        assert not os.path.exists(f"/proc/{agent}")
        assert new.shown() == leaf_of(cache / DOMAIN)
        assert not new.events("certificate_failed")
