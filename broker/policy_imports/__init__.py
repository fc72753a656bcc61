"""Policies of peers, translated: never wider than their source, or not at all (contract §2)."""

from typing import Literal

from broker.core.errors import Problem
from broker.policy_imports import aws, octo_sts, vault
from broker.policy_imports.destination import Destination
from broker.policy_imports.policy_text import UNSAID, not_carried_text, policy_text
from broker.policy_imports.source import MAX_BYTES, NothingCarriedOver
from broker.policy_imports.translation import TranslatedPolicy, Translation

__all__ = [
    "MAX_BYTES",
    "UNSAID",
    "Destination",
    "Form",
    "TranslatedPolicy",
    "Translation",
    "not_carried_text",
    "policy_text",
    "translate",
]

Form = Literal["octo-sts", "aws", "vault"]
"""Whose policy a file is."""


def translate(
    form: Form, text: bytes, file: str, *, issuer: str | None = None, preset: str | None = None
) -> tuple[Translation | None, list[Problem]]:
    """Translate a policy; None, and every reason, where something does not carry over.

    `issuer` is the URL of the issuer where the file does not say it, `preset` the platform where
    the URL does not. Raises `ConfigurationError` where the file is no policy of this form.
    """
    problems: list[Problem] = []
    translation: Translation | None = None
    try:
        if form == "octo-sts":
            translation = octo_sts.translate(text, file, preset, problems)
        elif form == "aws":
            translation = aws.translate(text, file, preset, problems)
        else:
            translation = vault.translate(text, file, issuer, preset, problems)
    except NothingCarriedOver as error:
        problems += error.problems
    return (None if problems else translation), problems
