"""A translation as a policy file: what is written is read again, and must say the same.

Values go through the writer that quotes whatever a reader might take for something else; comments
hold no line end and no further `#` (attacks row 175).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from broker.core.condition_text import written, yaml
from broker.core.errors import ConfigurationError, Problem
from broker.policy_imports.destination import Destination
from broker.policy_imports.examples import policy_tests
from broker.policy_imports.quoting import escaped
from broker.policy_imports.translation import TranslatedPolicy, Translation
from broker.yaml_document import read

UNSAID: Final = "what the account may do is not said: give it with --grant SERVICE=SCOPE,…"


def policy_text(translation: Translation, destination: Destination, origin: str) -> str:
    """Write a translation; `origin` says where it comes from.

    Raises `ConfigurationError` where the text does not say what was to be said, or is too long.
    """
    tests = policy_tests(translation, destination) if destination.grants else []
    about = [f"Translated from {origin}.", *_rights(translation, destination)]
    if destination.grants and not tests:
        about.append("No job that it admits could be made up: write `tests` by hand.")
    lines = [
        *_comments(about, ""),
        *_issuer(destination),
        *_account(destination),
        "policies:",
    ]
    number = len(translation.policies)
    for index, policy in enumerate(translation.policies):
        lines += _policy(policy, destination, destination.policy_name(index, number))
    lines += _tests(tests)
    text = "".join(f"{line}\n" for line in lines)
    if read(text, origin).value != _meant(translation, destination, tests):
        raise ConfigurationError([Problem(origin, 0, 0, "it cannot be written without a loss")])
    return text


def not_carried_text(problems: Sequence[Problem], origin: str) -> str:
    """Write, as comments alone, why there is no policy."""
    said = [f"Not translated: {origin}. What does not carry over:"]
    return "".join(f"{line}\n" for line in _comments([*said, *map(str, problems)], ""))


def _rights(translation: Translation, destination: Destination) -> Iterator[str]:
    if translation.rights:
        yield "What its source allows has to be said anew, as grants; there it is:"
        yield from (f"- {right}" for right in translation.rights)
    if not destination.grants and not destination.account_exists:
        yield f"This does not load yet: {UNSAID}"


def _issuer(destination: Destination) -> Iterator[str]:
    if destination.new_issuer:
        yield "issuers:"
        yield f"  {_key(destination.issuer)}: {_value(destination.new_issuer)}"


def _account(destination: Destination) -> Iterator[str]:
    if destination.account_exists:
        return
    if destination.grants:
        yield "service_accounts:"
        yield f"  {_key(destination.account)}:"
        yield f"    grants: {_value(destination.grants)}"
    else:
        yield "# service_accounts:"
        yield f"#   {_key(destination.account)}:"
        yield "#     grants: {SERVICE: [SCOPE]}"


def _policy(policy: TranslatedPolicy, destination: Destination, name: str) -> Iterator[str]:
    yield f"  {_key(name)}:"
    yield from _comments(policy.notes, "    ")
    yield f"    issuer: {_value(destination.issuer)}"
    yield "    match:"
    for condition in policy.conditions:
        yield from _comments(policy.remarks.get(condition.claim, ()), "      ")
        yield f"      {_key(condition.claim)}: {_value(written(condition.matcher))}"
    for member, value in _further(policy, destination).items():
        yield f"    {member}: {_value(value)}"
    # NOTE: last, because nothing loads without it: a text that was cut off while it was written
    # never leaves a policy with half of its conditions.
    yield f"    service_account: {_value(destination.account)}"


def _further(policy: TranslatedPolicy, destination: Destination) -> dict[str, object]:
    further: dict[str, object] = {}
    if destination.account_exists and destination.grants:
        further["grants"] = _plain(destination.grants)
    if policy.ttl is not None:
        further["ttl"] = f"{policy.ttl}s"
    if policy.max_ttl is not None:
        further["max_ttl"] = f"{policy.max_ttl}s"
    return further


def _tests(tests: Sequence[Mapping[str, object]]) -> Iterator[str]:
    if tests:
        yield "tests:"
    for test in tests:
        for index, (member, value) in enumerate(test.items()):
            yield f"  {'- ' if index == 0 else '  '}{member}: {_value(value)}"


def _meant(
    translation: Translation, destination: Destination, tests: Sequence[Mapping[str, object]]
) -> dict[str, object]:
    """Give the tree that a reader of the text has to see."""
    meant: dict[str, object] = {}
    if destination.new_issuer:
        meant["issuers"] = {destination.issuer: dict(destination.new_issuer)}
    if destination.grants and not destination.account_exists:
        meant["service_accounts"] = {destination.account: {"grants": _plain(destination.grants)}}
    number = len(translation.policies)
    meant["policies"] = {
        destination.policy_name(index, number): {
            "service_account": destination.account,
            "issuer": destination.issuer,
            "match": {
                condition.claim: written(condition.matcher) for condition in policy.conditions
            },
            **_further(policy, destination),
        }
        for index, policy in enumerate(translation.policies)
    }
    if tests:
        meant["tests"] = list(tests)
    return meant


def _plain(grants: Mapping[str, Sequence[str]]) -> dict[str, object]:
    return {service: list(scopes) for service, scopes in grants.items()}


def _comments(texts: Sequence[str], indent: str) -> Iterator[str]:
    for text in texts:
        yield f"{indent}# {escaped(text)}"


def _key(text: str) -> str:
    return _value(text)


def _value(value: object) -> str:
    """Write a value on one line; texts that read as numbers or truth values stay texts."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)}: {_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_value, value)) + "]"
    text = yaml(value)
    is_other = isinstance(value, str) and (text.isdigit() or text in ("true", "false"))
    return f'"{text}"' if is_other else text
