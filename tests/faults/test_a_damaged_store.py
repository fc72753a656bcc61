"""Pages of the database are damaged: the broker says so and grants nothing."""

from pathlib import Path

import pytest

from chaos.installation import Installation
from tests.faults.job import Job, assert_unavailable
from tests.stores.damage import overwrite

PAGE = 4096


def filled(broker: Installation, job: Job) -> Path:
    """Let a broker serve a while and end; its database is one file then."""
    broker.start()
    for _ in range(20):
        job.exchange()
    broker.stop()
    return broker.database


def test_a_damaged_page_among_the_records_means_no_token(broker: Installation, job: Job) -> None:
    database = filled(broker, job)
    overwrite(database, PAGE)
    with pytest.raises(SystemExit, match="damaged"):
        broker.start()


@pytest.mark.parametrize("page", range(1, 12))
def test_whatever_page_is_damaged_nothing_is_granted_without_its_record(
    broker: Installation, job: Job, page: int
) -> None:
    database = filled(broker, job)
    overwrite(database, page * PAGE, (page + 1) * PAGE)
    try:
        broker.start()
    except SystemExit as ended:
        assert "damaged" in str(ended) or "master key" in str(ended)
        return
    answers = [job.exchange() for _ in range(3)]
    granted = [answer for answer in answers if answer.status_code == 200]
    for answer in answers:
        if answer not in granted:
            assert_unavailable(answer)
