"""A source of tokens: which one it gives, when it asks for another, and for whom it asks once."""

import asyncio
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import freezegun
import pytest

from broker.client import (
    BrokerTrouble,
    ClientError,
    IdentityExpired,
    Misuse,
    NoIdentity,
    Refused,
    TokenSource,
)
from broker.client.held_token import HeldToken
from tests.client.stand_in import (
    HeldClock,
    a_token,
    an_id_token,
    answering,
    refusal,
    source_at,
    trouble,
)
from tests.client_secrets import an_account, give
from tests.consumers.loopback_server import Answer, LoopbackServer, Request
from tests.running_broker import RunningBroker
from tests.service_tokens import verified_token


class Gate:
    """A broker that answers once it is let; `asked` is set when the first request is there."""

    def __init__(self, answer: Answer) -> None:
        self.asked = threading.Event()
        self.open = threading.Event()
        self._answer = answer

    def __call__(self, _: Request) -> Answer:
        self.asked.set()
        assert self.open.wait(60)
        return self._answer


# --- one request for all ------------------------------------------------------------------------


def test_threads_that_ask_at_once_wait_for_one_request() -> None:
    gate = Gate(a_token("shared"))
    with answering(gate) as server, source_at(server.url) as source, ThreadPoolExecutor(8) as pool:
        tokens = [pool.submit(source.token) for _ in range(8)]
        assert gate.asked.wait(60)
        gate.open.set()

        assert {each.result().access_token for each in tokens} == {"shared"}
        assert len(server.requests) == 1


class CountingLock:
    """A lock that counts those who came to it."""

    def __init__(self) -> None:
        self.came = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self.came += 1
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_threads_that_wait_for_a_request_share_its_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate, lock = Gate(refusal()), CountingLock()
    with answering(gate) as server, source_at(server.url) as source, ThreadPoolExecutor(4) as pool:
        monkeypatch.setattr(source, "_lock", lock)
        first = pool.submit(source.token)
        assert gate.asked.wait(60)
        others = [pool.submit(source.token) for _ in range(3)]
        while lock.came < 4:
            time.sleep(0.001)
        gate.open.set()

        assert all(isinstance(each.exception(), Refused) for each in [first, *others])
        assert len(server.requests) == 1


def test_who_asks_after_a_failure_asks_anew() -> None:
    with answering(refusal(), a_token()) as server, source_at(server.url) as source:
        with pytest.raises(Refused):
            source.token()

        assert source.token().access_token == "one"


async def test_tasks_that_ask_at_once_wait_for_one_request() -> None:
    gate = Gate(a_token("shared"))
    with answering(gate) as server, source_at(server.url) as source:
        tasks = [asyncio.create_task(source.token_async()) for _ in range(20)]
        await asyncio.to_thread(gate.asked.wait, 60)
        gate.open.set()

        assert {each.access_token for each in await asyncio.gather(*tasks)} == {"shared"}
        assert len(server.requests) == 1


async def test_a_cancelled_task_takes_nothing_from_the_others() -> None:
    gate = Gate(a_token("shared"))
    with answering(gate) as server, source_at(server.url) as source:
        first, second = [asyncio.create_task(source.token_async()) for _ in range(2)]
        await asyncio.to_thread(gate.asked.wait, 60)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        gate.open.set()

        assert (await second).access_token == "shared"
        assert len(server.requests) == 1


async def test_a_failure_that_nobody_waits_for_any_more_is_nobodys(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gate = Gate(refusal())
    with answering(gate) as server, source_at(server.url) as source:
        alone = asyncio.create_task(source.token_async())
        await asyncio.to_thread(gate.asked.wait, 60)
        alone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await alone
        (renewal,) = source._renewals.values()
        gate.open.set()
        await asyncio.wait([renewal])

    assert "never retrieved" not in caplog.text


def test_two_event_loops_and_a_thread_wait_for_one_request() -> None:
    gate = Gate(a_token("shared"))
    with answering(gate) as server, source_at(server.url) as source, ThreadPoolExecutor(3) as pool:
        asking = [
            pool.submit(lambda: asyncio.run(source.token_async())),
            pool.submit(lambda: asyncio.run(source.token_async())),
            pool.submit(source.token),
        ]
        assert gate.asked.wait(60)
        gate.open.set()

        assert {each.result().access_token for each in asking} == {"shared"}
        assert len(server.requests) == 1
        assert source._renewals == {}


# --- renewal ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("life", "last"),
    [
        pytest.param(600, 480, id="a fifth of its life, which is more than a minute"),
        pytest.param(200, 140, id="a minute, which is more than a fifth"),
        pytest.param(60, 30, id="half of a life that is shorter than that"),
    ],
)
def test_a_token_is_given_until_it_is_nearly_over(life: int, last: int) -> None:
    clock = HeldClock()
    with (
        answering(a_token("old", life), a_token("new", life)) as server,
        source_at(server.url, clock) as source,
    ):
        assert source.renews_in() == 0
        assert source.token().access_token == "old"
        assert source.renews_in() == last
        clock.advance(last - 1)
        assert source.token().access_token == "old"
        clock.advance(1)
        assert source.renews_in() == 0
        assert source.token().access_token == "new"


def test_setting_the_wall_clock_changes_nothing() -> None:
    clock = HeldClock()
    with (
        answering(a_token("old"), a_token("new")) as server,
        source_at(server.url, clock) as source,
    ):
        source.token()
        for wrong in ("1971-01-01", "2200-01-01"):
            with freezegun.freeze_time(wrong):
                assert source.token().access_token == "old"
        clock.advance(480)

        assert source.token().access_token == "new"


def test_the_time_of_the_request_counts() -> None:
    clock = HeldClock()

    def slow(_: Request) -> Answer:
        clock.advance(100)
        return a_token()

    with answering(slow) as server, source_at(server.url, clock) as source:
        source.token()

        assert source.renews_in() == 380


def test_what_cannot_be_renewed_is_given_while_it_is_good_and_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = HeldClock()
    with (
        answering(a_token("old"), refusal()) as server,
        source_at(server.url, clock) as source,
        caplog.at_level(logging.WARNING, "broker.client"),
    ):
        source.token()
        clock.advance(569)

        assert source.token().access_token == "old"
        assert "could not be renewed" in caplog.text
        assert "old" not in caplog.text
        clock.advance(11)
        with pytest.raises(Refused):
            source.token()


def test_after_a_failed_renewal_there_is_a_pause() -> None:
    clock = HeldClock()
    with (
        answering(a_token("old"), refusal(), a_token("new")) as server,
        source_at(server.url, clock) as source,
    ):
        source.token()
        clock.advance(500)
        for _ in range(5):
            assert source.token().access_token == "old"
        assert source.renews_in() == 10
        clock.advance(9.5)
        assert source.token().access_token == "old"
        assert len(server.requests) == 2
        clock.advance(1)

        assert source.token().access_token == "new"


def test_no_pause_lasts_longer_than_the_token_is_good() -> None:
    clock = HeldClock()
    with answering(a_token(life=20), refusal()) as server, source_at(server.url, clock) as source:
        source.token()
        clock.advance(14)
        assert source.token().access_token == "one"

        assert source.renews_in() == 1


def test_a_renewal_is_tried_within_the_budget_alone() -> None:
    clock = HeldClock()
    with (
        answering(a_token("old"), trouble()) as server,
        source_at(server.url, clock, budget=5.0) as source,
    ):
        source.token()
        clock.advance(500)
        began = clock.now

        assert source.token().access_token == "old"
        assert clock.now - began < 5
        assert len(server.requests) > 2


# --- what a source forgets, takes and ends ------------------------------------------------------


def test_a_token_that_is_forgotten_is_not_given_again() -> None:
    with answering(a_token("one"), a_token("two")) as server, source_at(server.url) as source:
        old = source.token()
        source.forget(old)
        new = source.token()
        # What was forgotten by several at once costs one request.
        source.forget(old)

        assert (new.access_token, source.token()) == ("two", new)
        assert len(server.requests) == 2


def test_a_token_that_is_adopted_is_given() -> None:
    with answering(a_token("one")) as server, source_at(server.url) as source:
        held = HeldToken(source.token(), 1000.0)
        other = source_at(server.url)
        other.adopt(held)

        assert other.token().access_token == "one"
        assert other.held() == held
        assert len(server.requests) == 1


def test_to_revoke_ends_the_token_at_the_broker(today_broker: RunningBroker) -> None:
    with source_for(today_broker) as source:
        token = source.token()
        assert not is_revoked(today_broker, token.token_id)
        source.revoke()

        assert is_revoked(today_broker, token.token_id)
        assert source.held() is None
        source.revoke()


def is_revoked(broker: RunningBroker, token_id: str) -> bool:
    return any(
        each["type"] == "token.revoked" and token_id in str(each) for each in broker.events()
    )


def test_what_is_over_is_not_revoked() -> None:
    clock = HeldClock()
    with answering(a_token()) as server, source_at(server.url, clock) as source:
        source.token()
        clock.advance(601)
        source.revoke()

        assert len(server.requests) == 1


def test_a_source_that_is_closed_connects_again() -> None:
    with answering(a_token(life=60)) as server:
        clock = HeldClock()
        with source_at(server.url, clock) as source:
            source.token()
            client = source.client()
        assert client.is_closed
        clock.advance(59)

        assert source.token().access_token == "one"
        source.close()
        source.close()


# --- what it is made of -------------------------------------------------------------------------


def test_nothing_shows_a_secret() -> None:
    id_token = an_id_token()
    source = source_at("https://broker.example", environment={"BROKER_ID_TOKEN": id_token})
    secret = source_at(
        "https://broker.example", client_secret="s3cret", service_account="deploy-web"
    )

    assert repr(source) == "TokenSource('https://broker.example', service='deploy-api')"
    shown = repr([source, source.identity, secret, secret._secret])
    assert id_token not in shown
    assert "s3cret" not in shown
    with answering(a_token("t0ken")) as server, source_at(server.url) as asked:
        assert "t0ken" not in repr([asked.token(), asked.held()])


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({"ttl": "10 minutes"}, id="ttl"),
        pytest.param({"ttl": 0}, id="no ttl"),
        pytest.param({"ttl": -5}, id="negative ttl"),
        pytest.param({"ttl": True}, id="a ttl that is no number"),
        pytest.param({"ttl": "2d"}, id="ttl of days"),
        pytest.param({"client_secret": "x"}, id="a secret of nobody"),
    ],
)
def test_what_cannot_work_is_refused_at_once(members: dict[str, Any]) -> None:
    with pytest.raises(Misuse):
        source_at("https://broker.example", **members)


def test_without_an_identity_there_is_no_source() -> None:
    with pytest.raises(NoIdentity, match="id-token: write"):
        source_at("https://broker.example", environment={"GITHUB_ACTIONS": "true"})


def test_the_url_may_come_of_the_environment() -> None:
    environment = {"BROKER_ID_TOKEN": an_id_token(), "BROKER_URL": "https://broker.example/"}

    assert source_at("", environment=environment).url == "https://broker.example"
    with pytest.raises(Misuse, match="BROKER_URL"):
        source_at("", environment={"BROKER_ID_TOKEN": an_id_token()})


def test_what_is_asked_for_is_sent() -> None:
    with (
        answering(a_token()) as server,
        source_at(server.url, scope="a b", ttl="10m", service_account="deploy-web") as source,
    ):
        source.token()

    (request,) = server.requests
    assert request.form == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": an_id_token(),
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "audience": "deploy-api",
        "scope": "a b",
        "expires_in": "600",
        "client_id": "deploy-web",
    }
    assert request.target == "/oauth/token"
    assert request.headers["user-agent"].startswith("ci-token-broker/")
    assert "authorization" not in request.headers


# --- against the broker -------------------------------------------------------------------------


def source_for(broker: RunningBroker, **members: Any) -> TokenSource:
    return source_at(broker.url, environment={"BROKER_ID_TOKEN": broker.gitlab_token()}, **members)


def test_the_broker_gives_a_token_for_an_id_token(today_broker: RunningBroker) -> None:
    with source_for(today_broker, scope="deploy:read", ttl=300) as source:
        token = source.token()

    claims = verified_token(today_broker, token.access_token)
    assert (token.service_account, token.scope, token.expires_in) == (
        "deploy-web", "deploy:read", 300,
    )  # fmt: skip
    assert claims["jti"] == token.token_id
    assert abs(token.expires_at - time.time() - 300) < 120


def test_a_refusal_says_what_the_broker_says(today_broker: RunningBroker) -> None:
    with source_for(today_broker, scope="no:such") as source, pytest.raises(Refused) as refused:
        source.token()

    error = refused.value
    assert (error.status, error.error, error.exit_code) == (400, "invalid_scope", 4)
    assert error.reason == "scope_not_allowed"
    assert error.decision_id
    assert error.request_id.startswith("cli-")
    assert error.claims["project_path"] == "acme/web"
    assert "user_email" not in error.claims


def test_an_account_gets_a_token_for_its_secret(own_broker: RunningBroker) -> None:
    account = an_account()
    secret = give(own_broker, account)
    asked: list[str] = []

    def read() -> str:
        asked.append("read")
        return secret

    with source_at(
        own_broker.url, client_secret=read, service_account=account.client_id, environment={}
    ) as source:
        assert asked == []
        assert source.identity is None
        assert verified_token(own_broker, source.token().access_token)
        assert asked == ["read"]
        fingerprint = source.fingerprint()

    with source_at(
        own_broker.url, client_secret=secret, service_account=account.client_id, environment={}
    ) as same:
        assert same.fingerprint() == fingerprint
        assert secret not in fingerprint
        assert same.token().access_token


def test_a_wrong_secret_is_refused_and_not_tried_again(own_broker: RunningBroker) -> None:
    with (
        source_at(
            own_broker.url, client_secret="n0t-it", service_account="m-0", environment={}
        ) as source,
        pytest.raises(Refused) as refused,
    ):
        source.token()

    assert (refused.value.status, refused.value.error) == (401, "invalid_client")
    assert "n0t-it" not in f"{refused.value}{refused.value.__dict__}"


def test_a_broker_that_is_not_there_is_trouble() -> None:
    with LoopbackServer(lambda _: Answer()).serving() as gone:
        url = gone.url
    clock = HeldClock()
    with source_at(url, clock) as source, pytest.raises(BrokerTrouble, match="did not answer"):
        source.token()

    assert 50 < clock.now - 1000 <= 60
    assert max(clock.pauses) <= 8


def test_errors_are_all_of_one_kind() -> None:
    kinds = (Misuse, NoIdentity, Refused, BrokerTrouble, IdentityExpired)
    assert all(issubclass(each, ClientError) for each in kinds)
    codes = {each.__name__: each.exit_code for each in kinds}

    assert codes == {
        "Misuse": 2, "NoIdentity": 3, "Refused": 4, "BrokerTrouble": 5, "IdentityExpired": 6,
    }  # fmt: skip
