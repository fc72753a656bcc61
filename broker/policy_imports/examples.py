"""Tests of a translated policy: a job that is admitted, and jobs that miss it by one claim."""

from collections.abc import Iterator, Mapping, Sequence

from broker.core.claims import Claims
from broker.core.conditions import (
    AnyOf,
    Condition,
    Effect,
    Equals,
    Glob,
    Matcher,
    Present,
    all_hold,
)
from broker.core.platforms import GITHUB, Platform
from broker.core.sub_forms import tenant_in
from broker.core.typical_claims import TYPICAL_EVENTS, typical_claims
from broker.policy_imports.destination import Destination
from broker.policy_imports.translation import TranslatedPolicy, Translation

Test = dict[str, object]


def policy_tests(translation: Translation, destination: Destination) -> list[Test]:
    """Give tests that the policies pass; none for one of which no admitted job could be made up."""
    return [
        test
        for index, policy in enumerate(translation.policies)
        for test in _tests(
            policy,
            translation,
            destination,
            destination.policy_name(index, len(translation.policies)),
        )
    ]


def _tests(
    policy: TranslatedPolicy, translation: Translation, destination: Destination, name: str
) -> Iterator[Test]:
    platform = translation.platform
    event = _event(policy, platform)
    given = _admitted(policy, platform, event)
    if event is None or given is None:
        return
    request = _request(destination)

    def test(what: str, base: str, claims: Mapping[str, str], expect: str) -> Test:
        return {
            "name": f"{name}: {what}",
            "issuer": destination.issuer,
            "base": base,
            "claims": dict(claims),
            "request": request,
            "expect": expect,
        }

    yield test("a job that its source admits", event, given, "permit")
    for condition in policy.conditions:
        missed = _missed(condition, given, event, translation)
        if missed is not None:
            yield test(f"another {condition.claim}", event, missed, "deny")
    outside = "pull_request_target" if platform is GITHUB else "merge_request_event"
    if not any(each.claim == platform.event_claim for each in policy.conditions):
        yield test(f"the same at {outside}", outside, given, "deny")


def _request(destination: Destination) -> dict[str, str]:
    service, scopes = next(iter(destination.grants.items()))
    request = {"audience": service, "client_id": destination.account}
    if scopes and not any("*" in scope for scope in scopes):
        request["scope"] = " ".join(scopes)
    return request


def _event(policy: TranslatedPolicy, platform: Platform) -> str | None:
    """Choose an event that the policy admits and whose typical claims are known."""
    named = next((each for each in policy.conditions if each.claim == platform.event_claim), None)
    if named is None:
        return "push"
    events = [*named.named_literals(), "push"]
    usable = (
        event
        for event in events
        if event in TYPICAL_EVENTS[platform.name]
        and named.holds({named.claim: event})
        and (event in platform.trusted_events or event in named.named_literals())
    )
    return next(usable, None)


def _admitted(
    policy: TranslatedPolicy, platform: Platform, event: str | None
) -> dict[str, str] | None:
    """Give claims that all conditions hold for; None where none were found."""
    given: dict[str, str] = {}
    for condition in policy.conditions:
        if condition.claim == platform.event_claim:
            continue
        value = next(filter(lambda each: _holds(condition, each), _values(condition, policy)), None)
        if value is not None:
            given[condition.claim] = value
    tenant = tenant_in(given.get("sub", ""))
    if tenant is not None:
        given = {tenant[0]: tenant[1]} | given
    if event is None or not all_hold(
        policy.conditions, typical_claims(platform.name, event, given), Effect.ALLOW
    ):
        return None
    return given


def _values(condition: Condition, policy: TranslatedPolicy) -> Iterator[str]:
    if condition.claim in policy.samples:
        yield policy.samples[condition.claim]
    yield from _of_matcher(condition.matcher)


def _of_matcher(matcher: Matcher) -> Iterator[str]:
    for item in matcher.items if isinstance(matcher, AnyOf) else (matcher,):
        if isinstance(item, Equals):
            yield item.text
        elif isinstance(item, Glob):
            yield item.pattern.replace("**", "x")
        elif isinstance(item, Present):
            yield "x"


def _missed(
    condition: Condition, given: Mapping[str, str], event: str, translation: Translation
) -> Mapping[str, str] | None:
    """Give the claims with one changed, so that none of the policies holds any more."""
    platform = translation.platform
    value = given.get(condition.claim)
    if value is None:
        return None
    for other in (f"{value}-x", f"x-{value}", f"{value}0"):
        claims = {**given, condition.claim: other}
        whole = typical_claims(platform.name, event, claims)
        if not _holds(condition, other) and not _any_holds(translation.policies, whole):
            return claims
    return None


def _any_holds(policies: Sequence[TranslatedPolicy], claims: Claims) -> bool:
    return any(all_hold(policy.conditions, claims, Effect.ALLOW) for policy in policies)


def _holds(condition: Condition, value: str) -> bool:
    return condition.holds({condition.claim: value})
