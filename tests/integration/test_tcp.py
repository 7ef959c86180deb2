"""The supervisor over TCP: mutual TLS or nothing."""

import contextlib
import json
import re
import socket
import ssl
import subprocess
from pathlib import Path

import pytest

from harness.ctl import UNREACHABLE
from harness.waiting import build_dir, eventually

GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])


class Authority:
    """Signs certificates, as openssl does."""

    def __init__(self, directory: Path, name: str):
        self.directory = directory
        self.key, self.certificate = directory / f"{name}.key", directory / f"{name}.pem"
        self._openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", f"/CN={name}", "-days", "30", "-keyout", self.key, "-out", self.certificate,
        )  # fmt: skip

    def issue(self, name: str, days: str = "30") -> dict:
        key, request = self.directory / f"{name}.key", self.directory / f"{name}.csr"
        certificate, more = self.directory / f"{name}.pem", self.directory / f"{name}.ext"
        more.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        self._openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", f"/CN={name}", "-keyout", key, "-out", request,
        )  # fmt: skip
        self._openssl(
            "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key,
            "-CAcreateserial", "-days", days, "-extfile", more, "-out", certificate,
        )  # fmt: skip
        key.chmod(0o600)
        return {"tls_cert": certificate, "tls_key": key}

    @staticmethod
    def _openssl(*words):
        done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"), "ours")


@pytest.fixture
def over_tcp(fresh, authority):
    """The address of a supervisor that serves there."""
    server = authority.issue("server")
    daemon = fresh.spawn_supervisor(
        listen_tcp="127.0.0.1:0", tls_client_ca=authority.certificate, **server
    )
    address = daemon.ready_line()["tcp"]
    assert re.fullmatch(r"127\.0\.0\.1:[1-9]\d*", address)
    return address


def greeting(address, authority, tls_cert=None, tls_key=None) -> str:
    """What comes of it when a client with this certificate begins to speak HTTP/2."""
    context = ssl.create_default_context(cafile=str(authority))
    context.set_alpn_protocols(["h2"])
    if tls_cert:
        context.load_cert_chain(str(tls_cert), str(tls_key))
    host, port = address.split(":")
    try:
        with socket.create_connection((host, int(port)), timeout=15) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as peer:
                peer.sendall(GREETING)
                return "answered" if peer.recv(1) else "refused"
    except (ssl.SSLError, ConnectionError):
        return "refused"


def test_over_tcp_a_certificate_of_the_right_authority_is_let_in(over_tcp, authority):
    admin = authority.issue("admin")
    assert greeting(over_tcp, authority.certificate, **admin) == "answered"


def test_over_tcp_everybody_else_is_refused(over_tcp, authority, tmp_path):
    ours = authority.certificate
    other = Authority(tmp_path, "other")
    assert greeting(over_tcp, ours) == "refused"
    assert greeting(over_tcp, ours, **other.issue("stranger")) == "refused"
    assert greeting(over_tcp, ours, **authority.issue("late", days="-1")) == "refused"
    # It is refused by the client itself, which knows another authority.
    assert greeting(over_tcp, other.certificate, **authority.issue("admin")) == "refused"
    host, port = over_tcp.split(":")
    for words in (GREETING, b"GET / HTTP/1.1\r\n\r\n"):
        with socket.create_connection((host, int(port)), timeout=15) as plain:
            plain.sendall(words)
            with contextlib.suppress(ConnectionError):
                # A TLS alert at most: no frame of HTTP/2.
                assert plain.recv(100)[:1] in (b"", b"\x15")


@pytest.mark.parametrize("left_out", ["tls_cert", "tls_key", "tls_client_ca", "all", "listen_tcp"])
def test_tcp_without_mutual_tls_refuses_the_start(fresh, authority, left_out):
    flags = {
        "listen_tcp": "127.0.0.1:0",
        "tls_client_ca": authority.certificate,
        **authority.issue("server"),
    }
    for name in list(flags):
        if name == left_out or (left_out == "all" and name != "listen_tcp"):
            del flags[name]
    daemon = fresh.spawn_supervisor(**flags)
    assert daemon.wait(30) == 2
    assert "--tls-client-ca" in daemon.log() and len(daemon.log().splitlines()) == 1


def test_a_key_that_everybody_can_read_refuses_the_start(fresh, authority):
    server = authority.issue("server")
    server["tls_key"].chmod(0o644)
    daemon = fresh.spawn_supervisor(
        listen_tcp="127.0.0.1:0", tls_client_ca=authority.certificate, **server
    )
    assert daemon.wait(30) == 1
    assert "everybody can read the key" in daemon.log()


# --- The clients --------------------------------------------------------------------------------


def calling(address, ca, tls_cert=None, tls_key=None):
    words = ["--supervisor", address, "--tls-ca", ca]
    if tls_cert:
        words += ["--tls-cert", tls_cert, "--tls-key", tls_key]
    done = subprocess.run(
        [build_dir() / "supervisor/cli/pluginctl", *words, "--json", "list"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, json.loads(done.stdout)


def test_pluginctl_calls_over_tcp_with_its_certificate(over_tcp, authority, tmp_path):
    code, told = calling(over_tcp, authority.certificate, **authority.issue("admin"))
    assert (code, told["plugins"]) == (0, [])
    other = Authority(tmp_path, "other")
    code, told = calling(over_tcp, authority.certificate, **other.issue("stranger"))
    assert (code, told["code"]) == (UNREACHABLE, "supervisor_unavailable")


def test_without_a_certificate_pluginctl_says_what_is_missing(over_tcp, authority):
    code, told = calling(over_tcp, authority.certificate)
    assert code == 2 and "--tls-cert" in told["hint"]


def test_the_gateway_serves_over_tcp_as_well(fresh, over_tcp, authority):
    client = authority.issue("gateway")
    gateway = fresh.start_gateway(
        supervisor_socket=None, supervisor=over_tcp, tls_ca=authority.certificate, **client
    )
    answer = eventually(
        lambda: (a := gateway.rest.get("/api/plugins/plugins/")).status == 200 and a, "it answers"
    )
    assert answer.data == {"plugins": []}
