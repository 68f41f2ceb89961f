"""Which interface has an address."""

import pytest

from netweft.dataplane.host.address_lookup import having


@pytest.mark.parametrize(
    ("address", "name"), [("127.0.0.1", "lo"), ("192.0.2.77", ""), ("2001:db8::77", ""), ("", ""), ("nonsense", "")]
)
def test_whose_an_address_is(address: str, name: str) -> None:
    assert having(address) == name
