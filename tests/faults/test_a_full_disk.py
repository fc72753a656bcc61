"""The disk takes no more: no token without a record, and all is well again once there is room."""

import resource

from chaos.installation import Installation
from tests.faults.job import Job, assert_token, assert_unavailable, judged


def let_files_grow_to(pid: int, size: int) -> None:
    """Bound the size of the files that a process writes; beyond it, writing fails."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))


def size_of_log(broker: Installation) -> int:
    """Give the size of the write-ahead log, which takes what is written first."""
    return broker.database.with_name("broker.db-wal").stat().st_size


def test_nothing_is_granted_that_cannot_be_recorded(broker: Installation, job: Job) -> None:
    broker.start()
    [pid] = broker.processes()
    answers = [job.exchange() for _ in range(3)]
    let_files_grow_to(pid, size_of_log(broker))

    refused_token = job.token()
    refused = [job.exchange(refused_token) for _ in range(3)]
    for answer in refused:
        assert_unavailable(answer)
    assert (job.status("/healthz"), job.status("/readyz")) == (200, 503)

    let_files_grow_to(pid, resource.RLIM_INFINITY)
    # What was refused was not spent.
    answers += [job.exchange(refused_token), job.exchange()]
    for answer in answers:
        assert_token(answer)
    broker.stop()
    assert judged(broker, [*answers, *refused]).good


def test_a_broker_that_is_killed_on_a_full_disk_has_lost_nothing(
    broker: Installation, job: Job
) -> None:
    broker.start()
    [pid] = broker.processes()
    answers = [job.exchange() for _ in range(20)]
    let_files_grow_to(pid, size_of_log(broker) + 4096)
    answers += [job.exchange() for _ in range(5)]
    assert {answer.status_code for answer in answers} == {200, 503}
    broker.kill()

    broker.start()
    answers.append(job.exchange())
    assert_token(answers[-1])
    broker.stop()
    assert judged(broker, answers).good
