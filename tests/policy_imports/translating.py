"""Translating a text, for tests that look at what came of it."""

from typing import Any, Literal

from broker.core.condition_text import written
from broker.policy_imports import Form, Translation, translate

Preset = Literal["github", "gitlab"]


def translated(
    form: Form, text: str, *, issuer: str | None = None, preset: Preset | None = None
) -> Translation:
    translation, problems = translate(form, text.encode(), "source", issuer=issuer, preset=preset)
    assert translation is not None, [str(each) for each in problems]
    return translation


def conditions(
    form: Form, text: str, *, issuer: str | None = None, preset: Preset | None = None
) -> list[dict[str, Any]]:
    return [
        {each.claim: written(each.matcher) for each in policy.conditions}
        for policy in translated(form, text, issuer=issuer, preset=preset).policies
    ]


def refusals(
    form: Form, text: str, *, issuer: str | None = None, preset: Preset | None = None
) -> list[str]:
    translation, problems = translate(form, text.encode(), "source", issuer=issuer, preset=preset)
    assert translation is None
    return [str(each) for each in problems]
