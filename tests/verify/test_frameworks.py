"""A service answers who may come in, and says to all others what is missing (RFC 6750)."""

import base64
from collections.abc import Iterator

import httpx
import pytest

from broker.testing import FrozenClock
from broker.verify import NoToken, Verifier, asgi
from broker.verify.bearer import token_of
from tests.verify.publishing import AUDIENCE, Publisher, signing_key, token
from tests.verify.serving import FRAMEWORKS, METADATA, service


@pytest.fixture(params=FRAMEWORKS)
def url(request: pytest.FixtureRequest, verifier: Verifier) -> Iterator[str]:
    with service(request.param, verifier) as served:
        yield served


@pytest.fixture
def good(publisher: Publisher) -> str:
    return token(signing_key("ES256"), publisher.url)


def get(url: str, *authorization: str, method: str = "GET") -> httpx.Response:
    headers = [("authorization", each) for each in authorization]
    return httpx.request(method, url, headers=headers, trust_env=False)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_who_has_a_good_token_comes_in(url: str, good: str) -> None:
    for authorization in (f"Bearer {good}", f"bearer {good}", basic("oauth2", good)):
        answer = get(url, authorization)
        assert answer.status_code == 200
        assert answer.json() == {"caller": "deploy-web"}


def test_without_credentials_there_is_a_challenge_and_no_error_code(url: str) -> None:
    for authorization in ([], ["Negotiate abc"]):
        answer = get(url, *authorization)
        assert answer.status_code == 401
        challenge = answer.headers["www-authenticate"]
        assert challenge.startswith(f'Bearer realm="{AUDIENCE}", resource_metadata="{METADATA}"')
        assert "error" not in challenge
        assert f'Basic realm="{AUDIENCE}"' in challenge
        assert answer.headers["cache-control"] == "no-store"


def test_a_bad_token_is_told_why(url: str, publisher: Publisher, good: str) -> None:
    late = token(signing_key("ES256"), publisher.url, exp=1)
    for bad, told in (
        (good[:-6] + "AAAAAA", "signature"),
        (late, "expired"),
        ("x.y.z", "malformed"),
    ):
        answer = get(url, f"Bearer {bad}")
        assert answer.status_code == 401
        challenge = answer.headers["www-authenticate"]
        assert 'error="invalid_token"' in challenge
        assert told in challenge
        assert bad not in answer.text + challenge


def test_a_token_without_the_scope_is_told_which(url: str, publisher: Publisher) -> None:
    answer = get(url, "Bearer " + token(signing_key("RS256"), publisher.url, scope="deploy:read"))

    assert answer.status_code == 403
    challenge = answer.headers["www-authenticate"]
    assert 'error="insufficient_scope"' in challenge
    assert 'scope="deploy:write"' in challenge


def test_credentials_that_can_be_read_in_two_ways_are_refused(url: str, good: str) -> None:
    for authorization in (
        [f"Bearer {good}", f"Bearer {good}"],
        [f"Bearer {good}, Bearer {good}"],
        ["Bearer"],
        [f"Bearer {good} x"],
        [basic("admin", good)],
        [basic("oauth2", "")],
        ["Basic !!!"],
    ):
        answer = get(url, *authorization)
        assert answer.status_code == 400, authorization
        assert 'error="invalid_request"' in answer.headers["www-authenticate"]


def test_while_nobody_can_tell_it_is_no_fault_of_the_caller_s(
    url: str, publisher: Publisher, good: str
) -> None:
    publisher.status = 503
    answer = get(url, f"Bearer {good}")

    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert "www-authenticate" not in answer.headers


def test_what_is_excepted_is_served_to_all(url: str) -> None:
    assert get(url + "/healthz").json() == {"status": "ok"}
    # By its exact path: what is routed alike is none of it.
    for path in ("/healthz/", "/healthz/x", "/healthzz", "/healthz;x"):
        assert get(url + path).status_code != 200


def test_a_refusal_of_a_head_request_has_no_body(url: str) -> None:
    answer = get(url, method="HEAD")

    assert answer.status_code in (401, 405)
    assert answer.content == b""


def test_basic_counts_only_where_it_is_allowed(
    publisher: Publisher, good: str, clock: FrozenClock
) -> None:
    with pytest.raises(NoToken):
        token_of([basic("oauth2", good)])


async def test_a_websocket_without_a_good_token_is_closed_before_it_opens(
    verifier: Verifier, publisher: Publisher, good: str
) -> None:
    came: list[object] = []
    sent: list[dict[str, object]] = []

    async def app(scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        came.append(scope.get("state"))

    async def receive() -> dict[str, object]:
        return {}

    async def send(message: object) -> None:
        assert isinstance(message, dict)
        sent.append(message)

    guarded = asgi.RequireToken(app, verifier)
    scope = {"type": "websocket", "path": "/", "headers": []}
    await guarded(scope, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]
    assert came == []

    shared = {"pool": 7}
    headers = [(b"authorization", f"Bearer {good}".encode())]
    await guarded(
        {"type": "websocket", "path": "/", "headers": headers, "state": shared}, receive, send
    )
    assert shared == {"pool": 7}
    [state] = came
    assert isinstance(state, dict)
    assert state["service_token"].client_id == "deploy-web"
    await guarded({"type": "lifespan"}, receive, send)
    assert len(came) == 2
