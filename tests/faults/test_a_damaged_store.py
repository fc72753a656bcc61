"""Pages of the database are damaged: the broker says so, and grants nothing any more."""

from pathlib import Path

import pytest

from chaos.installation import Installation
from tests.faults.job import Job, assert_unavailable
from tests.stores.damage import overwrite

PAGE = 4096


@pytest.fixture
def database(broker: Installation, job: Job) -> Path:
    """The database of a broker that has served and ended; it is one file then."""
    broker.start()
    for _ in range(20):
        job.exchange()
    broker.stop()
    return broker.database


def test_a_store_of_rubbish_starts_no_broker(broker: Installation, database: Path) -> None:
    overwrite(database, 0)

    with pytest.raises(SystemExit, match="is not a SQLite database"):
        broker.start()


def test_a_damage_that_is_met_at_the_start_ends_it_with_one_line(
    broker: Installation, database: Path
) -> None:
    overwrite(database, PAGE)

    with pytest.raises(SystemExit) as ended:
        broker.start()
    last = str(ended.value).splitlines()[-1]
    assert last.startswith(str(database))
    assert "damaged" in last
    assert "Traceback" not in str(ended.value)
    assert broker.exit_status() == 2


def test_a_damage_that_is_met_while_serving_ends_all_granting(
    broker: Installation, job: Job, database: Path
) -> None:
    content = database.read_bytes()
    refused = False
    for page in range(2, len(content) // PAGE):
        database.write_bytes(content)
        overwrite(database, page * PAGE, (page + 1) * PAGE)
        try:
            broker.start()
        except SystemExit:
            continue
        first = job.exchange()
        if first.status_code != 200:
            refused = True
            for answer in (first, job.exchange(), job.exchange()):
                assert_unavailable(answer)
            assert (job.status("/healthz"), job.status("/readyz")) == (200, 503)
            break
        broker.kill()

    assert refused
