"""Whose tokens a peer's policy is about: an issuer URL, and the preset that knows its claims."""

from typing import Final

from broker.core.errors import Problem
from broker.core.platforms import PRESETS, Platform, preset_of_host
from broker.yaml_document import Document, Path

_SCHEME: Final = "https://"


def platform_of(
    url: str, preset: str | None, document: Document, path: Path, problems: list[Problem]
) -> Platform | None:
    """Find the platform of an issuer; None, and a problem, where it has no preset.

    `preset` is what the operator says of a host that is not known.
    """
    known = preset_of_host(url)
    if not url.startswith(_SCHEME) or not url.isascii():
        problems.append(document.problem(path, "the issuer is no https URL"))
    elif known is not None and preset not in (None, known):
        text = f"this is an issuer of {known}, not of {preset}; leave --preset away"
        problems.append(document.problem(path, text))
    elif known is None and preset is None:
        problems.append(
            document.problem(
                path,
                "only tokens whose claims are known are translated: say with --preset whether this"
                f" is a {' or a '.join(PRESETS)} of your own, or write the policy by hand",
            )
        )
    else:
        return PRESETS[known or preset or ""]
    return None
