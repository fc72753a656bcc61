"""A job that is blocked while its exchange is under way gets nothing (contract §5, blocks)."""

import threading
from pathlib import Path

from tests.http.test_introspection import policies
from tests.registry_api import calling
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker


def test_no_exchange_is_answered_with_a_token_after_the_block_was(tmp_path: Path) -> None:
    with special_broker(tmp_path, policies()) as broker:
        admin = calling(broker, "admin")
        tokens = [broker.github_token(environment="guarded") for _ in range(60)]
        set_at = threading.Event()
        late: list[int] = []
        jobs = [
            threading.Thread(target=exchange_all, args=(broker, tokens[n::4], set_at, late))
            for n in range(4)
        ]
        for job in jobs:
            job.start()

        body = {"where": {"environment": "guarded"}, "reason": "INC-7"}
        answer = broker.request("POST", "/api/v1/blocks", headers=admin.headers, json=body)
        set_at.set()
        for job in jobs:
            job.join()

        assert answer.status_code == 201
        assert set(late) == {400}
        chain = [(e["type"], e["reason"]) for e in broker.events()]
        after = chain[chain.index(("block.created", None)) :]
        assert ("token.exchanged", None) not in after


def exchange_all(
    broker: RunningBroker, tokens: list[str], set_at: threading.Event, late: list[int]
) -> None:
    *racing, last = tokens
    for token in racing:
        was_set = set_at.is_set()
        status = broker.exchange(token, audience="guarded").status_code
        if was_set:
            late.append(status)
    assert set_at.wait(60)
    late.append(broker.exchange(last, audience="guarded").status_code)
