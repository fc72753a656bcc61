"""What a store keeps of accounts and secrets reads back as it was written."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.account_text import read_account, read_override, read_secret, written
from broker.core.managed_account import AccountOverride, ClientSecret, ManagedAccount

texts = st.text(max_size=20)
instants = st.floats(0, 4e9)
accounts = st.builds(
    ManagedAccount,
    client_id=texts,
    incarnation=texts,
    name=texts,
    organization=st.none() | texts,
    grants=st.dictionaries(texts, st.lists(texts, max_size=3).map(tuple), max_size=3),
    metadata=st.dictionaries(texts, texts | st.integers() | st.booleans(), max_size=3),
    jwks=st.none() | st.just({"keys": [{"kty": "EC"}]}),
    expires_at=st.none() | instants,
    allowed_networks=st.lists(texts, max_size=3).map(tuple),
    deleted_at=st.none() | instants,
)
secrets = st.builds(
    ClientSecret,
    secret_id=texts,
    client_id=texts,
    incarnation=texts,
    digest=st.binary(min_size=32, max_size=32),
    created_at=instants,
    expires_at=st.none() | instants,
    replaces=st.none() | texts,
)


@given(accounts)
def test_an_account_is_read_back(account: ManagedAccount) -> None:
    assert read_account(written(account)) == account


@given(secrets)
def test_a_secret_is_read_back(secret: ClientSecret) -> None:
    assert read_secret(written(secret)) == secret


def test_an_override_is_read_back() -> None:
    override = AccountOverride("web", enabled=False, updated_at=1.5)

    assert read_override(written(override)) == override


@pytest.mark.parametrize("read", [read_account, read_override, read_secret])
@pytest.mark.parametrize("text", [b"[]", b'{"more": 1}', b"7"])
def test_anything_else_is_refused(read: object, text: bytes) -> None:
    with pytest.raises(ValueError, match="not what was kept"):
        read(text)  # type: ignore[operator]


def test_a_member_that_a_later_version_added_has_its_default() -> None:
    members = json.loads(written(ManagedAccount("web", "i", "Web")))
    del members["deleted_at"]

    assert read_account(json.dumps(members).encode()).deleted_at is None
