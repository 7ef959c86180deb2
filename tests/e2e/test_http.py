"""HTTP itself: paths, methods, tokens, bodies, connections, health."""

import http.client
import json
import socket

import pytest

from harness.rest import LIST, read_response, refused

ADMIN = [
    ("GET", LIST),
    ("POST", LIST + "reload/"),
    ("POST", LIST + "hello/settings/"),
    ("POST", LIST + "hello/run/"),
    ("POST", LIST + "hello/enabled/"),
    ("POST", LIST + "hello/ui/resource/"),
]


@pytest.fixture(scope="module", autouse=True)
def enabled(ctl):
    ctl.enable("hello", "results")


@pytest.mark.parametrize("method, path", ADMIN)
def test_a_path_is_the_same_with_and_without_the_trailing_slash(rest, method, path):
    with_slash = rest(method, path, {} if method == "POST" else None)
    without = rest(method, path.rstrip("/"), {} if method == "POST" else None)
    assert with_slash.status == without.status
    assert set(with_slash.data) == set(without.data)


@pytest.mark.parametrize("method, path", ADMIN)
def test_without_a_token_nothing_is_told_or_done(rest, method, path):
    response = rest(method, path, {"enabled": False} if method == "POST" else None, token=None)
    refused(response, 401, "unauthenticated")
    assert "www-authenticate" in response.headers


@pytest.mark.parametrize(
    "header", ["Bearer wrong", "Bearer ", "Bearer", "Basic dTpw", "", "bearer\t"]
)
def test_a_wrong_token_is_401(rest, header):
    refused(rest.get(LIST, token=None, headers={"Authorization": header}), 401, "unauthenticated")


@pytest.mark.parametrize(
    "method, path, allowed",
    [
        ("POST", LIST, "GET"),
        ("DELETE", LIST, "GET"),
        ("GET", LIST + "reload/", "POST"),
        ("GET", LIST + "hello/run/", "POST"),
        ("PUT", LIST + "hello/settings/", "POST"),
        ("GET", LIST + "hello/enabled/", "POST"),
        ("POST", LIST + "hello/logo/", "GET"),
        ("POST", "/healthz", "GET"),
    ],
)
def test_another_method_is_405_and_tells_which_are_allowed(rest, method, path, allowed):
    response = rest(method, path, {} if method in ("POST", "PUT") else None)
    refused(response, 405, "method_not_allowed")
    assert allowed in response.headers["allow"]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api/",
        "/api/plugins/",
        "/api/plugins/plugins/hello/",
        "/api/plugins/plugins/hello/nothing/",
        "/api/plugins/plugins/hello/run/more/",
        "/healthz/x",
        "/api/plugins/plugins//run/",
    ],
)
def test_an_unknown_path_is_404(rest, path):
    refused(rest.get(path), 404, "not_found")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml"]
)
def test_a_body_of_another_type_is_415(rest, kind):
    refused(
        rest.post(LIST + "hello/run/", b"action=greet", headers={"Content-Type": kind}),
        415,
        "unsupported_media",
    )


def test_a_body_over_the_limit_is_413_without_being_read(rest):
    connection = rest.connection()
    connection.putrequest("POST", LIST + "hello/run/")
    for name, value in {
        "Authorization": f"Bearer {rest.token}",
        "Content-Type": "application/json",
        "Content-Length": str(10**12),
    }.items():
        connection.putheader(name, value)
    connection.endheaders()
    refused(read_response(connection), 413, "request_too_large")
    connection.close()


def test_a_header_over_the_limit_is_refused_and_others_are_served(rest):
    connection = rest.connection()
    connection.putrequest("GET", LIST)
    connection.putheader("X-Long", "x" * 200_000)
    try:
        connection.endheaders()
        assert read_response(connection).status in (400, 413, 431)
    except (ConnectionError, http.client.BadStatusLine):
        pass  # Closed while we were still sending: refused as well.
    finally:
        connection.close()
    rest.get(LIST).ok()


@pytest.mark.parametrize(
    "garbage",
    [
        b"\0\1\2\3\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST " + LIST.encode() + b"hello/run/ HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_and_others_are_served(rest, garbage):
    with socket.create_connection((rest.address.hostname, rest.address.port), 10) as raw:
        raw.sendall(garbage)
        answer = raw.recv(4096)
        assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5"))
    rest.get(LIST).ok()


def test_connections_are_kept_and_requests_may_follow_each_other(rest):
    connection = rest.connection()
    for n in range(5):
        connection.request(
            "POST",
            LIST + "results/run/",
            json.dumps({"action": "echo", "params": {"n": n}}),
            {"Authorization": f"Bearer {rest.token}", "Content-Type": "application/json"},
        )
        assert read_response(connection).ok()["result"]["params"] == {"n": n}
    connection.close()


def test_an_error_leaves_the_connection_usable(rest):
    connection = rest.connection()
    headers = {"Authorization": f"Bearer {rest.token}", "Content-Type": "application/json"}
    connection.request("POST", LIST + "nobody/run/", json.dumps({"action": "x"}), headers)
    assert read_response(connection).status == 404
    connection.request("GET", LIST, headers=headers)
    assert read_response(connection).status == 200
    connection.close()


# Health


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/healthz/", "/readyz/"])
def test_health_is_open_to_anyone(rest, path):
    assert rest.get(path, token=None).status == 200
