"""From entries of `issuers` to trusted issuers."""

from collections.abc import Iterable
from typing import Final

from broker.core.claims import is_printable_ascii
from broker.core.conditions import Condition
from broker.core.errors import Problem
from broker.core.platforms import PRESETS, Platform, preset_of_host
from broker.core.policy import Issuer, Replay
from broker.core.vocabulary import ASYMMETRIC_ALGORITHMS, REGISTERED_CLAIMS
from broker.policy_files import urls
from broker.policy_files.deployment import Deployment
from broker.policy_files.document_entries import Entry
from broker.policy_files.key_sources import build_key_source
from broker.policy_files.matchers import claim_fault, read_conditions
from broker.policy_files.models import IssuerModel
from broker.policy_files.sentences import did_you_mean

DEFAULT_ALGORITHMS: Final = ("RS256", "ES256")
DEFAULT_TOKEN_LIFETIME: Final = 3600

# What tokens for other systems carry: accepting it would make those tokens count here (row 154).
_FOREIGN_AUDIENCES: Final = frozenset({
    "sigstore",
    "sts.amazonaws.com",
    "sts.amazonaws.com.cn",
    "api://azureadtokenexchange",
    "api://azureadtokenexchangeusgov",
    "api://azureadtokenexchangechina",
})  # fmt: skip
_FOREIGN_HOSTS: Final = ("github.com", "ghe.com", "gitlab.com", "iam.googleapis.com")


def build_issuers(
    entries: Iterable[Entry[IssuerModel]], deployment: Deployment, problems: list[Problem]
) -> dict[str, Issuer]:
    """Make issuers of the sound entries; what is wrong with the others goes to `problems`."""
    issuers: dict[str, Issuer] = {}
    place_of_url: dict[str, str] = {}
    for entry in entries:
        found: list[Problem] = []
        issuer = _build(entry, deployment, found)
        problems += found
        if issuer is None:
            continue
        if issuer.url in place_of_url:
            text = f"this issuer is already defined in {place_of_url[issuer.url]}; one entry each"
            problems.append(_problem(entry, "issuer", text))
            continue
        place_of_url[issuer.url] = entry.place
        if not found:
            issuers[issuer.name] = issuer
    return issuers


def _build(
    entry: Entry[IssuerModel], deployment: Deployment, problems: list[Problem]
) -> Issuer | None:
    model = entry.model
    platform = PRESETS[model.preset] if model.preset else None
    url = model.issuer or (platform.issuer if platform else None)
    if url is None:
        problems.append(
            entry.problem((), "name a `preset` (github, gitlab) or an `issuer` URL", at_key=True)
        )
        return None
    _check_url(entry, url, deployment, problems)
    _check_tenant(entry, platform, problems)
    _check_audiences(entry, url, platform, deployment, problems)
    algorithms = _algorithms(entry, problems)
    require = _require(entry, platform, problems)
    default_replay = Replay.SINGLE_USE if platform and platform.single_use else Replay.REUSABLE
    default_lifetime = platform.max_token_lifetime if platform else DEFAULT_TOKEN_LIFETIME
    return Issuer(
        name=entry.name,
        url=url,
        audiences=frozenset(model.audiences or [deployment.broker_issuer]),
        platform=platform,
        algorithms=algorithms,
        max_token_lifetime=model.max_token_lifetime or default_lifetime,
        replay=Replay(model.replay) if model.replay else default_replay,
        require=require,
        tenant=tuple(model.tenant or ()),
        single_tenant=model.single_tenant,
        enabled=model.enabled,
        keys=build_key_source(entry, algorithms, deployment, problems),
        contact=model.contact,
    )


def _problem(entry: Entry[IssuerModel], name: str, message: str) -> Problem:
    """Describe a fault of a field; of the entry where a preset stands in for the field."""
    written = getattr(entry.model, name) is not None
    return entry.problem((name,) if written else (), message, at_key=not written)


def _check_url(
    entry: Entry[IssuerModel], url: str, deployment: Deployment, problems: list[Problem]
) -> None:
    fault = urls.issuer_fault(url, http_on_loopback=deployment.loopback)
    if fault is not None:
        problems.append(_problem(entry, "issuer", f"`issuer` {fault}"))
        return
    if url.rstrip("/").lower() == deployment.broker_issuer.rstrip("/").lower():
        text = "this is the broker itself; its own tokens are never exchanged"
        problems.append(_problem(entry, "issuer", text))
    needed = preset_of_host(url)
    if needed is not None and entry.model.preset != needed:
        text = f"tokens of this host need `preset: {needed}`"
        problems.append(_problem(entry, "preset" if entry.model.preset else "issuer", text))


def _check_tenant(
    entry: Entry[IssuerModel], platform: Platform | None, problems: list[Problem]
) -> None:
    model = entry.model
    for index, claim in enumerate(model.tenant or ()):
        fault = claim_fault(claim)
        if claim in REGISTERED_CLAIMS - {"sub"}:
            fault = f"`{claim}` names no tenant; name the claim that does, as `organization_id`"
        if fault is not None:
            problems.append(entry.problem(("tenant", index), fault))
    if platform is not None:
        for name, stated in (("tenant", model.tenant), ("single_tenant", model.single_tenant)):
            if stated:
                text = f"`{name}` has no effect beside `preset: {platform.name}`; delete it"
                problems.append(entry.problem((name,), text, at_key=True))
    elif model.single_tenant and model.tenant:
        text = "either `tenant` or `single_tenant: true`, not both"
        problems.append(entry.problem(("single_tenant",), text, at_key=True))
    elif not model.single_tenant and not model.tenant:
        text = (
            "an issuer without preset says who its tenants are: `tenant: [organization_id]`,"
            " or `single_tenant: true` where all of its tokens are yours"
        )
        problems.append(entry.problem((), text, at_key=True))


def _check_audiences(
    entry: Entry[IssuerModel],
    url: str,
    platform: Platform | None,
    deployment: Deployment,
    problems: list[Problem],
) -> None:
    for index, audience in enumerate(entry.model.audiences or ()):
        fault = None
        if not is_printable_ascii(audience) or " " in audience:
            fault = "an audience is printable ASCII without spaces"
        elif audience != deployment.broker_issuer and _is_foreign(audience, url, platform):
            fault = (
                f"`{audience}` is the audience of tokens for another system;"
                f" write `{deployment.broker_issuer}` and let jobs ask for that"
            )
        if fault is not None:
            problems.append(entry.problem(("audiences", index), fault))


def _is_foreign(audience: str, url: str, platform: Platform | None) -> bool:
    """Tell whether tokens that were never meant for this broker carry an audience (row 49)."""
    if audience.lower() in _FOREIGN_AUDIENCES or audience.rstrip("/") == url.rstrip("/"):
        return True
    parts = urls.split("https:" + audience if audience.startswith("//") else audience)
    host = (parts.hostname or "").rstrip(".") if parts else ""
    if any(host == known or host.endswith("." + known) for known in _FOREIGN_HOSTS):
        return True
    own = urls.split(url)
    if parts is None or own is None or platform is None or parts.netloc != own.netloc:
        return False
    # A GitHub server's default audience is https://HOST/OWNER, a GitLab server's https://HOST.
    return parts.path.strip("/").count("/") == 0 and platform.name == "github"


def _algorithms(entry: Entry[IssuerModel], problems: list[Problem]) -> frozenset[str]:
    algorithms = entry.model.algorithms or DEFAULT_ALGORITHMS
    for index, algorithm in enumerate(algorithms):
        if algorithm in ASYMMETRIC_ALGORITHMS:
            continue
        if algorithm.upper().startswith("HS") or algorithm.lower() == "none":
            fault = f"`{algorithm}` proves no issuer; only asymmetric algorithms, as `RS256`"
        else:
            known = did_you_mean(algorithm, ASYMMETRIC_ALGORITHMS)
            fault = f"there is no algorithm `{algorithm}`{known}"
        problems.append(entry.problem(("algorithms", index), fault))
    return frozenset(algorithms)


def _require(
    entry: Entry[IssuerModel], platform: Platform | None, problems: list[Problem]
) -> tuple[Condition, ...]:
    folded = platform.folded if platform else frozenset()
    return (
        read_conditions(
            entry.model.require or {},
            folded,
            lambda path, text: problems.append(entry.problem(("require", *path), text)),
        )
        or ()
    )
