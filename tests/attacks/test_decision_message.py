"""Row 174: names that a job chose, in the words that an operator reads of a decision or posts."""

import re
from collections.abc import Iterator

import pytest

from tests.audited_broker import AuditedStore
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

HOSTILE = [
    "refs/heads/`**bold** _it_ ~~no~~ |a|b|",
    "refs/heads/[log-in](https://evil.example)",
    "refs/heads/![x](https://evil.example/x.png)",
    "refs/heads/<!channel><@U0123><https://evil.example|log-in>",
    "refs/heads/@everyone",
    "refs/heads/x@here/@acme/security",
    "refs/heads/<script>alert(1)</script>",
    "refs/heads/x\n\n# forged\n\nfix: run evil",
    "refs/heads/\x1b[2K\x1b[1Apermitted: token.exchanged",
    "refs/heads/\u202eniam",
    "refs/heads/x\\",
    "`" * 250,
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuditedStore]:
    with special_broker(tmp_path_factory.mktemp("broker")) as broker:
        yield AuditedStore(broker)


def refused(broker: RunningBroker, ref: str) -> str:
    """Have a job with this branch refused; give the link of the refusal."""
    answer = broker.exchange(broker.github_token(ref=ref, sub=f"repo:octo-org/octo-repo:ref:{ref}"))
    assert answer.status_code == 400
    broker.events()
    link: str = answer.json()["error_uri"]
    return link


@pytest.mark.parametrize("ref", HOSTILE)
def test_a_message_for_a_chat_has_no_mark_up_link_or_mention_of_a_job(
    store: AuditedStore, ref: str
) -> None:
    message = store.audit("explain", refused(store.broker, ref), "--format", "markdown").stdout

    assert len(message) <= 3000
    assert all(line.isprintable() and line.count("`") % 2 == 0 for line in message.splitlines())
    assert "``" not in message
    outside = re.sub("`[^`\n]+`", "", message)
    # What stands outside of spans is the broker's own.
    assert re.fullmatch(r"[A-Za-z :*\n-]+", outside)
    assert "forged" not in outside
    assert not re.search(r"[<>]|(?<![A-Za-z0-9])@|@(everyone|here)|\]\(", message)


@pytest.mark.parametrize("ref", HOSTILE)
def test_no_line_of_an_explanation_begins_with_a_jobs_words(store: AuditedStore, ref: str) -> None:
    shown = store.audit("explain", refused(store.broker, ref)).stdout

    assert all(line.isprintable() for line in shown.splitlines())
    assert shown.startswith("refused: ")
    assert not re.search(r"^ *(permitted:|# forged|fix: run evil)", shown, re.MULTILINE)
