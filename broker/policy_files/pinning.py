"""From proposals of ids to edits of the files that they are for, tests included."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from broker.core.claims import fold_ascii, text_of
from broker.core.pinning.proposals import Pin, PinOutcome, PinReport
from broker.core.pinning.targets import POLICIES
from broker.core.typical_claims import typical_claims
from broker.policy_files.build import LoadedPolicies
from broker.policy_files.document_entries import TESTS
from broker.policy_files.insertions import Addition, Edited, edited
from broker.policy_files.policy_tests import PolicyTest
from broker.yaml_document import Document, Path


@dataclass(frozen=True, slots=True)
class ToPaste:
    """What could not be put into a file, and why."""

    file: str
    line: int
    mapping: Path
    text: str
    why: str


@dataclass(frozen=True, slots=True)
class PinEdits:
    """What becomes of the files."""

    edits: tuple[Edited, ...] = ()
    to_paste: tuple[ToPaste, ...] = ()
    tests: tuple[PolicyTest, ...] = field(default=(), repr=False)
    """Those whose claims get an id."""

    @property
    def texts(self) -> Mapping[str, tuple[bytes, bytes]]:
        """The files that change: what each holds, and what it is to hold."""
        return {each.file: (each.before.encode(), each.after.encode()) for each in self.edits}


def edits_of(loaded: LoadedPolicies, report: PinReport) -> PinEdits:
    """Put the proposals of a report into the files that a set was loaded from.

    A test that names what is pinned gets the id as well: its token would have had it.
    """
    homes = _homes(loaded)
    additions: dict[str, list[Addition]] = defaultdict(list)
    for outcome in report.proposals:
        home = homes.get((outcome.target.section, outcome.target.name))
        # The dev platform's issuers are in no file.
        for pin in outcome.proposed if home else ():
            additions[home.file if home else ""].append(_addition(outcome, pin))
    known = _known_ids(report)
    tests = []
    for test, path in _tests(loaded) if known else ():
        found = list(_for_test(test, path, loaded, known))
        if found:
            tests.append(test)
            additions[test.file] += found
    edits, to_paste = [], []
    for file, wanted in sorted(additions.items()):
        document = loaded.sources[file]
        edit, refused = edited(document, wanted)
        if edit.insertions:
            edits.append(edit)
        to_paste += [_to_paste(document, each, why) for each, why in refused.items()]
    return PinEdits(tuple(edits), tuple(to_paste), tuple(tests))


def _homes(loaded: LoadedPolicies) -> dict[tuple[str, str], Document]:
    """Give the file of each entry, by map and name."""
    return {
        (section, name): document
        for document in loaded.sources.values()
        for section, entries in document.value.items()
        if isinstance(entries, dict)
        for name in entries
    }


def _addition(outcome: PinOutcome, pin: Pin) -> Addition:
    target = outcome.target
    inner = "match" if target.section == POLICIES else "require"
    mapping = (target.section, target.name, inner)
    return Addition(mapping, pin.named.claim, pin.named.id_claim, pin.ids)


def _known_ids(report: PinReport) -> Mapping[tuple[str, str, str], Mapping[str, str]]:
    """Give the ids that are proposed: by issuer, claim and claim of the id, then by name."""
    known: dict[tuple[str, str, str], dict[str, str]] = defaultdict(dict)
    for outcome in report.proposals:
        for pin in outcome.proposed:
            names = known[outcome.target.issuer, pin.named.claim, pin.named.id_claim]
            for found in pin.found:
                names[pin.named.key(found.name)] = found.ids[0].id
    return known


def _tests(loaded: LoadedPolicies) -> Iterator[tuple[PolicyTest, Path]]:
    """Give the tests with their paths."""
    paths = {
        (document.file, *document.place((TESTS, index))): (TESTS, index)
        for document in loaded.sources.values()
        if isinstance(items := document.value.get(TESTS), list)
        for index in range(len(items))
    }
    for test in loaded.tests:
        yield test, paths[test.file, test.line, test.column]


def _for_test(
    test: PolicyTest,
    path: Path,
    loaded: LoadedPolicies,
    known: Mapping[tuple[str, str, str], Mapping[str, str]],
) -> Iterator[Addition]:
    issuer = loaded.policy_set.issuers[test.issuer]
    platform = issuer.platform
    if platform is None or not test.claims:
        return
    claims = test.claims
    if test.base is not None:
        claims = typical_claims(platform.name, test.base, claims)
    for (of, claim, id_claim), names in known.items():
        name = text_of(claims.get(claim))
        if of != issuer.name or name is None or id_claim in test.claims:
            continue
        found = names.get(fold_ascii(name) if claim in platform.folded else name)
        if found is not None:
            beside = claim if claim in test.claims else next(iter(test.claims))
            yield Addition((*path, "claims"), beside, id_claim, (found,))


def _to_paste(document: Document, addition: Addition, why: str) -> ToPaste:
    line, _ = document.key_place((*addition.mapping, addition.beside))
    return ToPaste(document.file, line, addition.mapping, addition.line(), why)
