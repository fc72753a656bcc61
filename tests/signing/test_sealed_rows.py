"""Named rows under seal: nobody without the master key reads, changes or moves one (row 183)."""

from hypothesis import given
from hypothesis import strategies as st

from broker.signing.master_key import MasterKey
from broker.signing.sealed_rows import SealedBox

KEY = MasterKey(bytes(range(32)))
BOX = SealedBox(KEY)


@given(name=st.text(max_size=30), plain=st.binary(max_size=200))
def test_what_was_sealed_is_unsealed_under_its_name(name: str, plain: bytes) -> None:
    assert SealedBox(KEY).unseal(name, BOX.seal(name, plain)) == plain


def test_the_store_sees_nothing_of_the_content() -> None:
    sealed = BOX.seal("head", b"the private part")

    assert b"private" not in sealed
    assert BOX.seal("head", b"the private part") != sealed


@given(data=st.data())
def test_no_changed_byte_passes(data: st.DataObject) -> None:
    sealed = bytearray(BOX.seal("head", b"content"))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))

    assert BOX.unseal("head", bytes(sealed)) is None


@given(length=st.integers(0, 34))
def test_no_shortened_content_passes(length: int) -> None:
    assert BOX.unseal("head", BOX.seal("head", b"content")[:length]) is None


def test_a_row_copied_to_another_name_counts_as_absent() -> None:
    assert BOX.unseal("tail", BOX.seal("head", b"content")) is None


def test_another_master_key_opens_nothing() -> None:
    assert SealedBox(MasterKey(bytes(32))).unseal("head", BOX.seal("head", b"content")) is None
