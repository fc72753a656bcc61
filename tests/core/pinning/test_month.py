"""A month of the dev platform's jobs: what is learned is what its runs show one by one."""

import json
import re
from collections import defaultdict

from broker.core.decision import Permit
from broker.core.pinning.proposals import Standing
from tests.core.pinning.learning import learned, outcome
from tests.month_of_traffic import Month, loaded, texts_of_the_month

REPOSITORIES, PROJECTS = 20, 10


def by_name(text: str) -> str:
    """Take the ids out of a policy that has its name beside them."""
    beside = re.sub(r"(      repository: \S+\n)      repository_id: [0-9]+\n", r"\1", text)
    return re.sub(r", project_id: [0-9]+", "", beside)


def test_what_is_learned_is_what_the_runs_show() -> None:
    month = Month(3_000, REPOSITORIES, PROJECTS)
    events = [json.loads(line) for line in month.lines()]
    texts = texts_of_the_month(REPOSITORIES, PROJECTS)
    named = loaded({name: by_name(text) for name, text in texts.items()})

    shown: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for run in month.runs:
        if isinstance(run.decision, Permit) and not run.explained:
            found = run.claims.get("repository_id") or run.claims["project_id"]
            for policy in run.decision.policies:
                shown[policy][str(found)] += 1
    report = learned(named, *events)

    mains = [name for name in named.policies if name.endswith("-main")]
    assert len(mains) == REPOSITORIES + PROJECTS
    for name in mains:
        [pin] = outcome(report, name).pins
        [of_name] = pin.found
        assert {each.id: each.runs for each in of_name.ids} == shown[name]
        assert pin.standing is (Standing.PROPOSED if shown[name] else Standing.NOT_SEEN)
    assert sum(len(each) for each in shown.values()) > len(mains)
