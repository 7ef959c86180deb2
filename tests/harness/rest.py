"""The gateway, as a plain HTTP client sees it."""

import http.client
import json
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from .waiting import seconds

LIST = "/api/plugins/plugins/"


class Response(NamedTuple):
    status: int
    data: Any  # The JSON of the body; None when it is not JSON.
    headers: dict  # Names in lower case.
    body: bytes

    def ok(self):
        assert self.status == 200, f"{self.status}: {self.body[:2000]!r}"
        return self.data


class Rest:
    def __init__(self, url: str, token: str | None):
        self.address = urlsplit(url)
        self.url = url
        self.token = token

    def connection(self, within: float = 60.0) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(
            self.address.hostname, self.address.port, timeout=seconds(within)
        )

    def __call__(
        self, method: str, path: str, body=None, headers=None, token=..., within=60.0
    ) -> Response:
        """`body` is sent as it is when it is bytes, else as JSON."""
        token = self.token if token is ... else token
        sent = {"Connection": "close", **(headers or {})}
        if token is not None:
            sent.setdefault("Authorization", f"Bearer {token}")
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        connection = self.connection(within)
        try:
            connection.request(method, path, body=body, headers=sent)
            return read_response(connection)
        finally:
            connection.close()

    def get(self, path: str, **more) -> Response:
        return self("GET", path, **more)

    def post(self, path: str, body=None, **more) -> Response:
        return self("POST", path, body, **more)

    # The plugin endpoints.

    def plugins(self) -> dict:
        return {p["key"]: p for p in self.get(LIST).ok()["plugins"]}

    def plugin(self, key: str) -> dict:
        return self.plugins()[key]

    def enable(self, key: str, enabled=True) -> Response:
        return self.post(f"{LIST}{key}/enabled/", {"enabled": enabled})

    def run(self, key: str, action: str, params=None, **more) -> Response:
        body = {"action": action} if params is None else {"action": action, "params": params}
        return self.post(f"{LIST}{key}/run/", body, **more)

    def settings(self, key: str, settings) -> Response:
        return self.post(f"{LIST}{key}/settings/", {"settings": settings})


def read_response(connection) -> Response:
    answer = connection.getresponse()
    body = answer.read()
    try:
        data = json.loads(body)
    except ValueError:
        data = None
    return Response(answer.status, data, {k.lower(): v for k, v in answer.getheaders()}, body)


def refused(response, status, code=None):
    """Every error body has the same shape, and says something."""
    assert response.status == status, response
    assert response.data["success"] is False
    assert response.data["error"]
    assert response.data["code"]
    if code:
        assert response.data["code"] == code
    return response.data
