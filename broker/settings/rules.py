"""What must hold between several settings, and between settings and the machine."""

from typing import Any

from broker.core.durations import duration_text
from broker.core.errors import Problem
from broker.core.loopback import is_loopback
from broker.settings import keys
from broker.settings.addresses import host_of
from broker.settings.files import file_fault, folder_fault
from broker.settings.kinds import Key
from broker.settings.model import Settings
from broker.settings.reading import Reading


def check(settings: Settings, reading: Reading) -> None:
    """Add the problems of settings whose keys were read; a key refused by itself is left out."""
    _signing(settings, reading)
    _tokens(settings, reading)
    _addresses(settings, reading)


def check_files(settings: Settings, reading: Reading) -> None:
    """Add the problems of the files that a broker reads when it starts."""
    _master_key(settings, reading)


def policies_fault(settings: Settings, reading: Reading) -> Problem | None:
    """Say why the policy folder cannot be read; a broker may have a last good set all the same."""
    fault = folder_fault(settings.policies) if reading.sound(keys.POLICIES) else None
    return None if fault is None else reading.problem(keys.POLICIES, fault)


def _signing(settings: Settings, reading: Reading) -> None:
    if not reading.sound(keys.ROTATE_EVERY, keys.PUBLISH_BEFORE_USE):
        return
    rotate_every, before_use = settings.signing.rotate_every, settings.signing.publish_before_use
    if before_use >= rotate_every:
        given = reading.given(keys.PUBLISH_BEFORE_USE)
        key = keys.PUBLISH_BEFORE_USE if given is not None else keys.ROTATE_EVERY
        reading.report(
            key,
            f"`publish_before_use` ({duration_text(before_use)}) must be shorter than"
            f" `rotate_every` ({duration_text(rotate_every)})",
        )


def _tokens(settings: Settings, reading: Reading) -> None:
    ttl, max_ttl = settings.tokens.ttl, settings.tokens.max_ttl
    if reading.sound(keys.TTL, keys.MAX_TTL) and ttl > max_ttl:
        reading.report(
            keys.TTL,
            f"{duration_text(ttl)} is longer than `max_ttl` ({duration_text(max_ttl)});"
            " lower the one or raise the other",
        )


def _addresses(settings: Settings, reading: Reading) -> None:
    if not reading.sound(keys.ISSUER, keys.LISTEN, keys.ADMIN_LISTEN):
        return
    _ports(settings, reading)
    key, host = _outermost(settings)
    issuer_is_local = is_loopback(host_of(settings.issuer))
    if settings.dev and not settings.loopback:
        what = "the issuer is" if is_loopback(host) else f"the listen address {host} is"
        fault = f"{what} not on loopback; listen on 127.0.0.1 or [::1] and set no other issuer"
        reading.problems.append(Problem("--dev", 0, 0, fault))
    elif reading.given(keys.ISSUER) is None:
        if not is_loopback(host):
            reading.report(
                key,
                f"{host} is not on loopback, so `issuer` is required: the public URL, such as"
                " https://broker.example.com",
            )
    elif settings.issuer.startswith("http:") and not issuer_is_local:
        reading.report(keys.ISSUER, "http is for loopback alone; write https")
    elif settings.issuer.startswith("http:") and not settings.loopback:
        # Attacks row 186.
        reading.report(
            key,
            f"{host} is not on loopback, but the issuer is a loopback URL; listen on 127.0.0.1 or"
            " [::1], or set `issuer` to the public https URL",
        )


def _outermost(settings: Settings) -> tuple[Key[Any], str]:
    """Find a listen address that is not on loopback, or else any of them."""
    key, host = keys.LISTEN, settings.listen[0]
    if settings.admin_listen is not None and is_loopback(host):
        return keys.ADMIN_LISTEN, settings.admin_listen[0]
    return key, host


def _ports(settings: Settings, reading: Reading) -> None:
    """See to it that the port tells which of the two addresses a request came to."""
    if settings.admin_listen is None:
        return
    port = settings.admin_listen[1]
    if port != 0 and port == settings.listen[1]:
        reading.report(keys.ADMIN_LISTEN, f"{port} is the port of `listen`, too; choose another")


def _master_key(settings: Settings, reading: Reading) -> None:
    named = reading.given(keys.MASTER_KEY_FILE)
    if reading.given(keys.MASTER_KEY) is not None:
        if named is not None and named.document is None:
            fault = f"{keys.MASTER_KEY.variable} is set, too; unset one of them"
            reading.report(keys.MASTER_KEY_FILE, fault)
        return
    if not reading.sound(keys.MASTER_KEY_FILE, keys.ISSUER, keys.LISTEN, keys.ADMIN_LISTEN):
        return
    fault_of_file = file_fault(settings.master_key_file, may_be_absent=settings.loopback)
    if fault_of_file is not None:
        reading.report(
            keys.MASTER_KEY_FILE,
            f"{fault_of_file}; off loopback the key must be there before the first start, in this"
            f" file or in {keys.MASTER_KEY.variable}"
            if not settings.loopback
            else f"{fault_of_file}; mend it, or name another file",
        )
