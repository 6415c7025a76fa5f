"""The servers that are measured, and the load generator: started on loopback,
each on a processor of its own where there are two, and ended."""
import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
NAME = "relay.example.com"
PATIENCE = 60  # seconds that no start may take, under callgrind neither
# All load comes from a few addresses of loopback, where a relay meets many:
# the limits of one address are off, nothing else differs from the defaults.
NO_ADDRESS_LIMITS = ["--upgrade-burst=0", "--max-connections-per-address=0", "--max-pending-per-address=0"]
FIRST_PORT = int(os.environ.get("BENCH_PORT", os.environ.get("TEST_PORT_BASE", "22000")))


class Failed(Exception):
    """A server did not start, or a run had a fault."""


def processors():
    """Which one the server gets, and which the load generator: two lists."""
    mine = sorted(os.sched_getaffinity(0))
    return ([mine[0]], mine[1:2]) if len(mine) > 1 else (mine, mine)


def pinned(cpus, command):
    return ["taskset", "-c", ",".join(map(str, cpus)), *map(str, command)] if cpus else list(map(str, command))


def free_port():
    """A port that nobody listens on now; each is given once."""
    while True:
        free_port.next = getattr(free_port, "next", FIRST_PORT - 1) + 1
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", free_port.next))
            return free_port.next


def make_certificate(directory):
    """A certificate with a P-256 key, which signs itself: two paths."""
    cert, key = directory / "cert.pem", directory / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                    key, "-out", cert, "-days", "2", "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"],
                   check=True, capture_output=True)
    key.chmod(0o600)
    return cert, key


def children_of(pid):
    with contextlib.suppress(OSError):
        return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def is_listening(port):
    """Told without a connection, which a proxy would pass on."""
    listening = f"0100007F:{port:04X} 00000000:0000 0A"
    return listening in pathlib.Path("/proc/net/tcp").read_text()


class Server:
    """A process that serves on self.port; form is how the load generator must speak to it."""

    def __init__(self, command, port, form, backend=None, cpus=None, env=None):
        self.command = pinned(processors()[0] if cpus is None else cpus, command)
        self.port, self.form, self.backend, self.env = port, form, backend, env
        self.process = self.log = None

    def __enter__(self):
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        env={**os.environ, **(self.env or {})})
        give_up = time.monotonic() + PATIENCE
        while not is_listening(self.port):
            if self.process.poll() is not None or time.monotonic() > give_up:
                said = self.said()
                self.__exit__()
                raise Failed(f"{self.command[-1]} does not serve: {said[-600:]}")
            time.sleep(0.02)
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()

    def said(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def pids(self):
        """The process and all that it has started."""
        found, todo = [], [self.process.pid]
        while todo:
            found.append(todo.pop())
            todo += children_of(found[-1])
        return found


def relay(build, tls=None, threads=1, prefix=(), env=None, cpus=None, flags=()):
    port = free_port()
    command = [*prefix, build / "src/pyrycode-relay", f"--threads={threads}", "--metrics-listen=", *NO_ADDRESS_LIMITS, *flags]
    if tls:
        command += [f"--domain={NAME}", f"--tls-cert={tls[0]}", f"--tls-key={tls[1]}", f"--https-listen=127.0.0.1:{port}",
                    f"--http-listen=127.0.0.1:{free_port()}"]
        if os.geteuid() == 0:  # which a relay in public refuses to have all rights of
            command = ["setpriv", "--inh-caps=-all", "--bounding-set=-all", *command]
    else:
        command += [f"--insecure-listen=127.0.0.1:{port}"]
    return Server(command, port, "relay", cpus=cpus, env=env)


def floor(build, tls=None):
    port = free_port()
    return Server([build / "bench/floor", port, *(tls or ())], port, "pairs")


class Generator:
    """The load generator, at a server; run() waits, hold() does not."""

    def __init__(self, build, server, tls=None):
        self.server = server
        self.base = [build / "bench/load"]
        self.to = ["--port", server.port, "--form", server.form]
        if server.backend:
            self.to += ["--backend", server.backend]
        if tls:
            self.to += ["--tls", "--name", NAME, "--cert", tls[0], "--key", tls[1]]

    def _command(self, mode, options):
        words = []
        for name, value in options.items():
            words += [f"--{name.replace('_', '-')}"] + ([] if value is True else [value])
        pids = [word for pid in self.server.pids() for word in ("--pid", pid)]
        return pinned(processors()[1], [*self.base, mode, *self.to, *pids, *words])

    def run(self, mode, **options):
        """The report; Failed if anything was not as it must be."""
        done = subprocess.run(self._command(mode, options), capture_output=True, text=True)
        try:
            report = json.loads(done.stdout)
        except ValueError:
            raise Failed(done.stderr.strip() or f"the load generator ended with {done.returncode}") from None
        if report["fault"] or done.returncode:
            raise Failed(report["fault"])
        return report

    @contextlib.contextmanager
    def hold(self, **options):
        """Connections that stay open inside."""
        process = subprocess.Popen(self._command("idle", {"measure": 600000, "limit": 1200000, **options}),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            if process.stderr.readline() != "holding\n":
                raise Failed(process.stdout.read())
            yield process
            if process.poll() is not None:
                raise Failed(process.stdout.read())
        finally:
            process.kill()
            process.communicate()


def haproxy(directory, tls=None):
    """TCP mode, one thread; TLS on both sides.  Its backend is the load generator itself."""
    port, backend = free_port(), free_port()
    pem = directory / "haproxy.pem"
    if tls:
        pem.write_text(tls[0].read_text() + tls[1].read_text())
        pem.chmod(0o600)
    bind, to = (f"ssl crt {pem} ssl-min-ver TLSv1.3", "ssl verify none ssl-min-ver TLSv1.3") if tls else ("", "")
    config = directory / f"haproxy-{port}.cfg"
    config.write_text(f"""global
    nbthread 1
    maxconn 8000
defaults
    mode tcp
    retries 0
    timeout connect 1s
    timeout client 1h
    timeout server 1h
listen bench
    bind 127.0.0.1:{port} {bind}
    server load 127.0.0.1:{backend} {to}
""")
    return Server(["haproxy", "-db", "-f", config], port, "proxy", backend)


def nginx(directory, tls=None):
    """WebSocket proxying as its documents have it, one worker; TLS on both sides."""
    port, backend = free_port(), free_port()
    scheme, ssl = ("https", " ssl") if tls else ("http", "")
    certificate = f"""ssl_certificate {tls[0]};
            ssl_certificate_key {tls[1]};
            ssl_protocols TLSv1.3;""" if tls else ""
    config = directory / f"nginx-{port}.conf"
    config.write_text(f"""user {'root' if os.geteuid() == 0 else 'nobody'};
    worker_processes 1;
    worker_rlimit_nofile 20000;
    daemon off;
    pid {directory}/nginx-{port}.pid;
    error_log stderr;
    events {{ worker_connections 16384; }}
    http {{
        access_log off;
        server {{
            listen 127.0.0.1:{port}{ssl} backlog=4096;
            {certificate}
            location / {{
                proxy_pass {scheme}://127.0.0.1:{backend};
                proxy_ssl_protocols TLSv1.3;
                proxy_http_version 1.1;
                proxy_set_header Upgrade $http_upgrade;
                proxy_set_header Connection "upgrade";
                proxy_set_header Host $host;
                proxy_read_timeout 1h;
                proxy_send_timeout 1h;
            }}
        }}
    }}
""")
    return Server(["nginx", "-c", config], port, "proxy", backend)


def install_node_relay(build):
    """bench/node with its packages, as its lock file names them, in the build."""
    home = build / "node"
    home.mkdir(exist_ok=True)
    for source in (TOP / "bench/node").iterdir():
        if source.is_file():
            shutil.copy(source, home)
    done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=home, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"npm ci: {done.stderr.strip()[-600:]}")
    return home


def node(home, tls=None):
    port = free_port()
    return Server(["node", home / "relay.js", port, *(tls or ())], port, "relay")
