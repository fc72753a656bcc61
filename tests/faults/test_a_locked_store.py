"""Another program holds the database locked: requests wait a while, then there is no token."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import apsw

from broker.stores.sqlite_file import BUSY_TIMEOUT_SECONDS
from chaos.installation import Installation
from tests.faults.job import Job, assert_token, assert_unavailable, judged


@contextmanager
def locked(broker: Installation) -> Iterator[apsw.Connection]:
    """Hold the database as whoever writes to it does, until the connection is rolled back."""
    connection = apsw.Connection(str(broker.database))
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        connection.close()


def test_a_short_lock_is_waited_for(broker: Installation, job: Job) -> None:
    broker.start()
    answers = []
    with locked(broker) as holder:
        asking = threading.Thread(target=lambda: answers.append(job.exchange()))
        asking.start()
        asking.join(timeout=0.5)
        assert asking.is_alive()
        holder.execute("ROLLBACK")
        asking.join()

    assert_token(answers[0])
    broker.stop()
    assert judged(broker, answers).good


def test_a_lock_that_stays_means_no_token_and_ends_with_the_lock(
    broker: Installation, job: Job
) -> None:
    broker.start()
    token = job.token()
    with locked(broker):
        refused = job.exchange(token, seconds=6 * BUSY_TIMEOUT_SECONDS)
    assert_unavailable(refused)

    answers = [job.exchange(token)]
    assert_token(answers[0])
    broker.stop()
    assert judged(broker, answers).good
