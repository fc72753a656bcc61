"""A job of GitHub Actions on a broker that spends ID tokens: what is bought, and how often."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from broker.client import BearerAuth, ServiceToken, TokenSource
from broker.client.patience import Patience
from tests.consumers.loopback_server import Answer, LoopbackServer, Request
from tests.github_runner import GithubRunner
from tests.running_broker import AUDIENCE, RunningBroker
from tests.service_tokens import verified_token

Source = Callable[..., TokenSource]


@pytest.fixture
def runner(live_broker: RunningBroker, tmp_path: Path) -> Iterator[GithubRunner]:
    """A runner whose jobs are pushes to main of octo-org/octo-repo."""
    with GithubRunner(tmp_path, lambda _: live_broker.github_token()).serving() as runner:
        yield runner


@pytest.fixture
def source(live_broker: RunningBroker, runner: GithubRunner) -> Iterator[Source]:
    """Make sources of the job's tokens for deploy-api, with these differences."""
    with ExitStack() as stack:

        def make(**options: Any) -> TokenSource:
            wanted = {
                "url": live_broker.url,
                "service": "deploy-api",
                "audience": AUDIENCE,
                "environment": runner.variables(),
                **options,
            }
            return stack.enter_context(TokenSource(**wanted))

        yield make


def test_threads_and_tasks_of_several_loops_share_one_exchange(
    source: Source, runner: GithubRunner
) -> None:
    wanted = source()
    together = threading.Barrier(8)

    def ask(number: int) -> ServiceToken:
        together.wait(timeout=60)
        return wanted.token() if number % 2 else asyncio.run(wanted.token_async())

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1
    assert len(runner.minted) == 1


def test_after_an_answer_that_did_not_come_github_gives_a_new_id_token(
    live_broker: RunningBroker, source: Source, runner: GithubRunner
) -> None:
    sent: list[str] = []

    def answer(request: Request) -> Answer:
        sent.append(request.form["subject_token"])
        done = live_broker.post(request.form)
        if len(sent) == 1:
            # The ID token is spent, and the service token is lost on its way.
            return Answer(b"<html>bad gateway</html>", status=502)
        return Answer(done.content, done.status_code, {"content-type": "application/json"})

    with LoopbackServer(answer).serving() as proxy:
        token = source(
            url=proxy.url, patience=lambda budget: Patience(budget, sleep=lambda _: None)
        ).token()

    assert verified_token(live_broker, token.access_token)
    assert len(set(sent)) == 2
    assert sent == runner.minted


def test_many_requests_that_are_refused_at_once_buy_one_new_token(
    source: Source, runner: GithubRunner
) -> None:
    wanted = source()
    old = wanted.token().access_token

    def answer(request: Request) -> Answer:
        return Answer(status=401 if request.headers["authorization"] == f"Bearer {old}" else 200)

    async def all_at_once(url: str) -> list[int]:
        async with httpx.AsyncClient(
            auth=BearerAuth(wanted), trust_env=False, timeout=60
        ) as client:
            answers = await asyncio.gather(*(client.get(url) for _ in range(10)))
            return [each.status_code for each in answers]

    with LoopbackServer(answer).serving() as server:
        assert asyncio.run(all_at_once(server.url)) == [200] * 10
    assert len(runner.minted) == 2
