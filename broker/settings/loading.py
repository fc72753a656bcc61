"""From a file, variables and options to settings, or to every problem in them at once."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from broker.core.delegation import Delegation
from broker.core.errors import ConfigurationError, Problem
from broker.core.limits import Rate
from broker.core.loopback import is_loopback
from broker.core.redis_address import RedisAddress
from broker.settings import keys, rules
from broker.settings.addresses import default_issuer, host_of
from broker.settings.kinds import Key
from broker.settings.model import (
    AuditSettings,
    MetricsSettings,
    RateLimitSettings,
    Settings,
    SigningSettings,
    SqliteStoreLocation,
    TokenSettings,
)
from broker.settings.reading import Reading
from broker.settings.sources import (
    Given,
    KeyPath,
    from_document,
    from_environment,
    read_document,
)
from broker.settings.store_text import located
from broker.settings.tracing import traces_endpoint

DEFAULT_FILE: Final = "broker.yaml"


def load(
    config_file: Path | None,
    environment: Mapping[str, str],
    *,
    listen: str | None = None,
    dev: bool = False,
    data_dir: Path = Path("data"),
    working_directory: Path,
    serving: bool = True,
) -> Settings:
    """Read the settings of a broker (contract §3).

    An option wins over a variable, a variable over the file. Without `config_file`, `broker.yaml`
    in the working directory is read if it is there. `listen` is `HOST:PORT`; store and master key
    lie in `data_dir` unless they are configured; `dev` demands loopback. What is not `serving`
    needs no master key and no policies here. Raises `ConfigurationError` with every problem: its
    `file` is the file's name as given, or a variable's or option's with line 0. That there is no
    policy folder is a problem like others, but not the only one: then `policies_fault` tells it.
    """
    file = config_file or Path(DEFAULT_FILE)
    problems: list[Problem] = []
    given: dict[KeyPath, Given] = {}
    readable = True
    try:
        path = working_directory / file
        document = read_document(path, str(file), required=config_file is not None)
        if document is not None:
            given = from_document(document, path.parent, problems)
    except ConfigurationError as error:
        problems += error.problems
        readable = False
    overriding = from_environment(environment, working_directory, problems)
    if listen is not None:
        overriding[keys.LISTEN.path] = Given(listen, working_directory, "--listen")
    if keys.RATE_LIMITS.path in overriding:
        for member in (keys.CLIENT_LIMIT, keys.ADDRESS_LIMIT, keys.FAILED_LIMIT):
            given.pop(member.path, None)
    reading = Reading(
        given | overriding, problems, file=str(file), working_directory=working_directory
    )
    settings = replace(
        _read(reading, dev=dev, data_dir=working_directory / data_dir),
        traces_endpoint=traces_endpoint(reading, environment, serving=serving),
    )
    policies_fault: Problem | None = None
    # Without its file a broker would lack settings that stand in it.
    if readable:
        rules.check(settings, reading)
        if serving:
            rules.check_files(settings, reading)
            policies_fault = rules.policies_fault(settings, reading)
    if problems:
        problems += [policies_fault] if policies_fault else []
        ordered = sorted(
            problems, key=lambda each: (each.file != str(file), each.line, each.column)
        )
        raise ConfigurationError(ordered)
    return replace(settings, policies_fault=policies_fault)


def _read(reading: Reading, *, dev: bool, data_dir: Path) -> Settings:
    listen = reading.value(keys.LISTEN)
    admin_listen = reading.value(keys.ADMIN_LISTEN)
    issuer = reading.value(keys.ISSUER) or default_issuer(listen)
    max_ttl = reading.value(keys.MAX_TTL)
    ttl = reading.value(keys.TTL)
    hosts = [listen[0], host_of(issuer)] + ([admin_listen[0]] if admin_listen else [])
    return Settings(
        issuer=issuer,
        listen=listen,
        policies=reading.path(keys.POLICIES),
        store=_store(reading, data_dir / "broker.db"),
        master_key_file=reading.path(keys.MASTER_KEY_FILE, data_dir / "master.key"),
        master_key=reading.value(keys.MASTER_KEY),
        signing=SigningSettings(
            algorithms=reading.value(keys.ALGORITHMS),
            rotate_every=reading.value(keys.ROTATE_EVERY),
            publish_before_use=reading.value(keys.PUBLISH_BEFORE_USE),
        ),
        tokens=TokenSettings(
            ttl=ttl if reading.given(keys.TTL) else min(ttl, max_ttl),
            max_ttl=max_ttl,
        ),
        secret_prefix=reading.value(keys.SECRET_PREFIX),
        max_accounts=reading.value(keys.MAX_ACCOUNTS),
        leeway=reading.value(keys.LEEWAY),
        trusted_proxies=reading.value(keys.TRUSTED_PROXIES),
        jwks_hosts=reading.value(keys.JWKS_HOSTS),
        rate_limits=_rate_limits(reading),
        audit=AuditSettings(
            retention=reading.value(keys.RETENTION), stdout=reading.value(keys.STDOUT)
        ),
        metrics=MetricsSettings(public=reading.value(keys.PUBLIC_METRICS)),
        folders=_folders(reading),
        loopback=all(is_loopback(host) for host in hosts),
        dev=dev,
        admin_listen=admin_listen,
    )


def _store(reading: Reading, default: Path) -> SqliteStoreLocation | RedisAddress:
    chosen, given = reading.value(keys.STORE), reading.given(keys.STORE)
    if given is None:
        return SqliteStoreLocation(default)
    return located(chosen, given.base)


def _rate_limits(reading: Reading) -> RateLimitSettings:
    off = reading.value(keys.RATE_LIMITS)

    def limit(key: Key[Rate | None]) -> Rate | None:
        return None if off and reading.given(key) is None else reading.value(key)

    return RateLimitSettings(
        client=limit(keys.CLIENT_LIMIT),
        address=limit(keys.ADDRESS_LIMIT),
        failed=limit(keys.FAILED_LIMIT),
    )


def _folders(reading: Reading) -> tuple[Delegation, ...]:
    """Read the delegations, each with its place, for problems that only show in the folder."""
    found = reading.value(keys.FOLDERS)
    given = reading.given(keys.FOLDERS)
    if given is None:
        return found
    return tuple(
        replace(each, place=given.place_of_key(each.folder, f"{each.folder}/")) for each in found
    )
