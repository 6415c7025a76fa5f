"""A server that answers as Google does: the token endpoint of OAuth and the
send method of FCM, on loopback, with the faults that a test orders."""
import base64
import contextlib
import http.server
import json
import socket
import ssl
import subprocess
import threading
import urllib.parse

from authority import openssl
from conftest import free_port

PROJECT = "test-project"
FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
HANG = "hang"  # an answer that never comes
CUT = "cut"  # an answer that ends in its middle


def failure(status, name, code=None, **headers):
    details = [{"@type": FCM_ERROR, "errorCode": code}] if code else []
    return status, headers, json.dumps({"error": {"code": status, "status": name, "details": details}}).encode()


def unpadded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Account:
    """A service account: its key, and the document that an operator is given."""

    def __init__(self, folder, port):
        self.private = openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
        self.public = folder / "public.pem"
        self.public.write_text(openssl("pkey", "-pubout", text=self.private))
        self.email = f"push@{PROJECT}.iam.gserviceaccount.example"
        self.members = {"type": "service_account", "project_id": PROJECT, "private_key_id": "key-1",
                        "private_key": self.private, "client_email": self.email,
                        "token_uri": f"https://localhost:{port}/token"}
        self.folder = folder

    def document(self, **members):
        return json.dumps({k: v for k, v in {**self.members, **members}.items() if v is not None})

    def secrets(self):
        """Lines of the key that occur nowhere else."""
        return self.private.splitlines()[1:-1]

    def verified(self, assertion):
        """Head and claims of an assertion whose signature holds."""
        head, claims, signature = assertion.split(".")
        (self.folder / "signature").write_bytes(unpadded(signature))
        said = subprocess.run(["openssl", "dgst", "-sha256", "-verify", self.public, "-signature",
                               self.folder / "signature"], input=f"{head}.{claims}".encode(), capture_output=True)
        assert said.stdout == b"Verified OK\n", said
        return json.loads(unpadded(head)), json.loads(unpadded(claims))


class Google:
    """answers[device token] is a list: each request takes the next, the last one stays."""

    def __init__(self, folder, authority):
        self.port = free_port()
        self.url = f"https://localhost:{self.port}"
        self.account = Account(folder, self.port)
        self.ca = authority.ca
        self.answers, self.token_answers = {}, []
        self.sends, self.fetches = [], []  # (seconds, headers, body) in the order in which they came
        self.lock, self.released = threading.Lock(), threading.Event()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.cert, authority.key)
        self.server = Server(("127.0.0.1", self.port), handler_of(self), context)

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()

    def flags(self):
        return ["--push-endpoint", self.url, "--push-ca-file", str(self.ca)]

    def env(self, **members):
        return {"PYRYCODE_RELAY_FCM_CREDENTIALS": self.account.document(**members)}

    def tokens(self):
        """Access tokens in the order in which they were given out."""
        return [f"access-token-{i}" for i in range(1, len(self.fetches) + 1)]

    def answer(self, path, headers, body):
        with self.lock:
            if path == "/token":
                self.fetches.append((headers, body))
                given = {"access_token": f"access-token-{len(self.fetches)}", "expires_in": 3599, "token_type": "Bearer"}
                return self.next_of(self.token_answers) or (200, {}, json.dumps(given).encode())
            self.sends.append((path, headers, body))
            token = json.loads(body)["message"]["token"]
            sent = {"name": f"projects/{PROJECT}/messages/0:{len(self.sends)}"}
            return self.next_of(self.answers.get(token, [])) or (200, {}, json.dumps(sent).encode())

    @staticmethod
    def next_of(answers):
        return None if not answers else answers[0] if len(answers) == 1 else answers.pop(0)

    def sent_tokens(self):
        return [json.loads(body)["message"]["token"] for _, _, body in self.sends]


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address, handler, context):
        super().__init__(address, handler)
        self.context = context

    def finish_request(self, request, address):
        """The handshake is of the connection's own thread."""
        with contextlib.suppress(ssl.SSLError, ConnectionError), self.context.wrap_socket(request, server_side=True) as s:
            self.RequestHandlerClass(s, address, self)

    def handle_error(self, request, address):
        pass  # clients that hang up are a part of the tests


def handler_of(google):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = google.answer(self.path, dict(self.headers), body)
            if answer == HANG:
                google.released.wait()
                self.close_connection = True
            elif answer == CUT:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"name\":")
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
            elif isinstance(answer, bytes):
                self.wfile.write(answer)
                self.close_connection = True
            else:
                self.reply(*answer)

        def reply(self, status, headers, body):
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


def form(body):
    return {k: v[0] for k, v in urllib.parse.parse_qs(body.decode(), strict_parsing=True).items()}
