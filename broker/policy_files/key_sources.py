"""Where the keys of an issuer come from: files beside the policy file are read and checked here.

What reads them is imported when there are some: it takes a quarter of the time that a process needs
to begin reading policies.
"""

from broker.core.errors import Problem
from broker.core.policy import KeySource
from broker.policy_files import urls
from broker.policy_files.deployment import Deployment
from broker.policy_files.document_entries import Entry
from broker.policy_files.models import IssuerModel


def build_key_source(
    entry: Entry[IssuerModel],
    algorithms: frozenset[str],
    deployment: Deployment,
    problems: list[Problem],
) -> KeySource:
    """Read where an issuer's keys come from; what is wrong with it goes to `problems`."""
    model = entry.model
    if model.jwks_file and model.jwks_uri:
        text = "either `jwks_file` or `jwks_uri`, not both"
        problems.append(entry.problem(("jwks_uri",), text, at_key=True))
    if model.jwks_uri:
        fault = urls.fetch_fault(model.jwks_uri, http_on_loopback=deployment.loopback)
        if fault is not None:
            problems.append(entry.problem(("jwks_uri",), f"`jwks_uri` {fault}"))
    if model.proxy:
        fault = urls.proxy_fault(model.proxy)
        if fault is not None:
            problems.append(entry.problem(("proxy",), f"`proxy` {fault}"))
    document = _jwks_document(entry, algorithms, deployment, problems)
    certificates = _ca_certificates(entry, deployment, problems)
    return KeySource(document, model.jwks_uri, certificates, model.proxy)


def _jwks_document(
    entry: Entry[IssuerModel],
    algorithms: frozenset[str],
    deployment: Deployment,
    problems: list[Problem],
) -> bytes | None:
    name = entry.model.jwks_file
    if name is None:
        return None
    from broker.core.issuer_keys import KeysRefused, read_jwks  # noqa: PLC0415

    try:
        document = deployment.read_attachment(entry.document.file, name).content
        read_jwks(document, algorithms)
    except OSError as error:
        text = f"`{name}` cannot be read: {error.strerror}"
    except KeysRefused as error:
        text = f"`{name}`: {error}"
    else:
        return document
    problems.append(entry.problem(("jwks_file",), text))
    return None


def _ca_certificates(
    entry: Entry[IssuerModel], deployment: Deployment, problems: list[Problem]
) -> bytes | None:
    name = entry.model.ca_file
    if name is None:
        return None
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415

    try:
        content = deployment.read_attachment(entry.document.file, name).content
        certificates = x509.load_pem_x509_certificates(content)
    except OSError as error:
        text = f"`{name}` cannot be read: {error.strerror}"
    except ValueError:
        text = f"`{name}` holds no certificates in PEM form"
    else:
        return b"".join(each.public_bytes(Encoding.DER) for each in certificates)
    problems.append(entry.problem(("ca_file",), text))
    return None
