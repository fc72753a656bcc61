"""Where a Redis store is reached, as its URL says."""

from string import printable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.redis_address import (
    AddressRefused,
    RedisAddress,
    RedisLogin,
    is_redis,
    read_redis_address,
)
from broker.core.secret_text import Secret


def login(user: str, password: str) -> RedisLogin:
    return RedisLogin(user, Secret(password))


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://db", RedisAddress((("db", 6379),))),
        ("redis://db:7000/3", RedisAddress((("db", 7000),), database=3)),
        ("redis://db/", RedisAddress((("db", 6379),))),
        ("redis://:a%40b%25@db", RedisAddress((("db", 6379),), login=login("", "a@b%"))),
        ("redis://broker:p:w@db", RedisAddress((("db", 6379),), login=login("broker", "p:w"))),
        ("redis://[::1]:7/0", RedisAddress((("::1", 7),))),
        ("rediss://db", RedisAddress((("db", 6379),), tls=True)),
        ("rediss://db?ca_file=a%20b", RedisAddress((("db", 6379),), tls=True, ca_file="a b")),
        (
            "redis+sentinel://a,b:7/main",
            RedisAddress((("a", 26379), ("b", 7)), sentinel_name="main"),
        ),
        (
            "redis+sentinel://u:p@a/main/2?tls=true&ca_file=ca&sentinel_user=s&sentinel_password=q",
            RedisAddress(
                (("a", 26379),),
                database=2,
                sentinel_name="main",
                login=login("u", "p"),
                sentinel_login=login("s", "q"),
                tls=True,
                ca_file="ca",
            ),
        ),
        (
            "redis+sentinel://a/main?sentinel_password=q",
            RedisAddress((("a", 26379),), sentinel_name="main", sentinel_login=login("", "q")),
        ),
    ],
)  # fmt: skip
def test_an_address_is_read(url: str, address: RedisAddress) -> None:
    assert is_redis(url)
    assert read_redis_address(url) == address


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("sqlite:x", "begins with none of"),
        ("redis://", "has no host in its place"),
        ("redis://:p/w@db", "has no host in its place"),
        ("redis://:p?w@db", "has an option without a value"),
        ("redis://:p#w@db", "holds a sign that no URL has"),
        ("redis://d b", "holds a sign that no URL has"),
        ("redis://dö", "holds a sign that no URL has"),
        ("redis://db\n", "holds a sign that no URL has"),
        ("redis://:100%@db", "holds a % that is not followed"),
        ("redis://:%ff@db", "is no UTF-8"),
        ("redis://user@db", "has a user without a password"),
        ("redis://user:@db", "has a user without a password"),
        ("redis://:a@b@db", "has an @ in its password"),
        ("redis://db:0", "has a port that is not from 1 to 65535"),
        ("redis://db:65536", "has a port that is not from 1 to 65535"),
        ("redis://db/01", "has a database that is no number"),
        ("redis://db/-1", "has a database that is no number"),
        ("redis://a,b", "names several servers"),
        ("redis://db?ca_file=x", "has a `ca_file` without TLS; write rediss://"),
        ("redis://db?tls=true", "has an option that it does not know: ca_file"),
        ("rediss://db?ca_file=a&ca_file=b", "has an option twice"),
        ("rediss://db?ca_file", "has an option without a value"),
        ("redis+sentinel://a", "does not say what the Sentinels call the server"),
        ("redis+sentinel://a/na me", "holds a sign"),
        ("redis+sentinel://a,/main", "has no host in its place"),
        ("redis+sentinel://a/main/x", "has a database that is no number"),
        ("redis+sentinel://a/main?tls=false", "has a `tls` that is not `true`"),
        ("redis+sentinel://a/main?ca_file=x", "has a `ca_file` without TLS; add `tls=true`"),
        ("redis+sentinel://a/main?sentinel_user=x", "has a `sentinel_user` without"),
        ("redis+sentinel://a/main?x=1", "has an option that it does not know"),
    ],
)
def test_a_url_that_is_no_address_is_refused_with_what_is_wrong(url: str, fault: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        read_redis_address(url)

    assert fault in str(refused.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://u:hunter2@db/1", "redis://db:6379/1"),
        ("rediss://:hunter2@[::1]", "rediss://[::1]:6379/0"),
        ("redis+sentinel://:hunter2@a,b/main/2", "redis+sentinel://a:26379,b:26379/main/2"),
    ],
)
def test_an_address_is_shown_without_its_user_and_password(url: str, shown: str) -> None:
    assert read_redis_address(url).shown == shown
    assert "hunter2" not in repr(read_redis_address(url))


@given(
    st.sampled_from(["redis://", "rediss://", "redis+sentinel://"]),
    st.text(st.one_of(st.sampled_from(printable + ":/?@,%&=[]"), st.characters()), max_size=40),
)
def test_whatever_is_written_is_read_or_refused_without_repeating_it(
    scheme: str, rest: str
) -> None:
    try:
        address = read_redis_address(f"{scheme}hunter2{rest}:hunter3@db{rest}")
        shown = f"{address!r} {address.shown}"
    except AddressRefused as refused:
        shown = str(refused)

    assert "hunter3" not in shown


@given(st.text(min_size=1, max_size=40))
def test_every_password_can_be_written(password: str) -> None:
    written = "".join(f"%{byte:02X}" for byte in password.encode("utf-8", "replace"))
    address = read_redis_address(f"redis://:{written}@db")

    assert address.login is not None
    assert address.login.password.reveal() == password.encode("utf-8", "replace").decode()
