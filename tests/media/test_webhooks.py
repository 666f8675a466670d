"""Webhooks: signatures that receivers can check, and addresses that are never called."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from media.errors import InputError
from media.webhooks import _public, check_url, post, sign, verify


class Receiver:
    """A web server that keeps what it is sent, and answers as it is told to."""

    def __init__(self) -> None:
        self.status = 200
        self.received: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(receiver.status)
                if receiver.status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://localhost:{self._server.server_port}/hook?x=1"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.stop()


def test_the_signature_is_that_of_standard_webhooks() -> None:
    # The example of the specification's reference libraries.
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    signature = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_receiver_can_check_who_sent_it_and_when(receiver: Receiver) -> None:
    secret = "a secret of the two of us"
    assert post(receiver.url, "msg_1", {"to": "done", "name": "Zoë"}, secret, 1000, allow_private=True) is None
    ((headers, body),) = receiver.received
    assert headers["webhook-id"] == "msg_1" and headers["host"].startswith("localhost:")
    assert verify(secret, headers, body, now=1000 + 299)
    assert not verify(secret, headers, body, now=1000 + 301)
    assert not verify("another secret", headers, body, now=1000)
    assert not verify(secret, headers, body + b" ", now=1000)
    assert not verify(secret, headers | {"webhook-id": "msg_2"}, body, now=1000)
    assert not verify(secret, {}, body, now=1000)


@pytest.mark.parametrize("status", [302, 404, 500])
def test_only_a_2xx_counts_as_delivered_and_redirects_are_not_followed(receiver: Receiver, status: int) -> None:
    receiver.status = status
    assert post(receiver.url, "msg_1", {}, "s" * 16, 1, allow_private=True) == f"it answered {status}"
    assert len(receiver.received) == 1


def test_nothing_is_sent_to_a_private_address_unless_that_is_allowed(receiver: Receiver) -> None:
    for url in (receiver.url, receiver.url.replace("http:", "https:")):
        assert post(url, "msg_1", {}, "s" * 16, 1) is not None
    assert receiver.received == []


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0.0.0.0/",
        "https://10.0.0.8/",
        "https://169.254.169.254/latest/meta-data",
        "https://192.168.1.1:8443/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[fe80::1]/",
        "https://[64:ff9b::a00:1]/",
        "https://[2002:a00:1::]/",
        "https://user:password@example.org/",
        "http://93.184.215.14/",
        "ftp://example.org/",
        "https:///path",
        "https://[::1",
        "https://exa mple.org/",
    ],
)
def test_such_an_address_is_refused(url: str) -> None:
    with pytest.raises(InputError) as caught:
        check_url(url)
    assert "password@" not in str(caught.value)


def test_public_addresses_are_public() -> None:
    assert all(map(_public, ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"]))
    assert not any(map(_public, ["100.64.0.1", "224.0.0.1", "255.255.255.255", "fc00::1", "192.0.2.1"]))
