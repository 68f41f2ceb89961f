"""Address groups: lists of prefixes that security group rules name as the far end."""

from collections.abc import Sequence

from netweft.control.errors import AddressesAlreadyExist, AddressesNotFound, AddressGroupInUse, InvalidInput
from netweft.control.standard import Plain, bumped
from netweft.store import Object, WriteTransaction

KIND = "address_groups"
MOST = 16_384


class AddressGroups(Plain):
    def __init__(self) -> None:
        super().__init__(KIND)

    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        return super().create(tx, [{"addresses": []} | one for one in wanted])

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        if tx.referrers(KIND, current["id"]):
            raise AddressGroupInUse(address_group_id=current["id"])
        super().delete(tx, current)

    def add(self, tx: WriteTransaction, current: Object, addresses: Sequence[str]) -> Object:
        held = set(current["addresses"])
        there = [address for address in addresses if address in held]
        if there:
            raise AddressesAlreadyExist(addresses=there, address_group_id=current["id"])
        if len(held) + len(addresses) > MOST:
            raise InvalidInput(f"an address group holds at most {MOST} addresses")
        return self.update(tx, current, {"addresses": [*current["addresses"], *addresses]})

    def remove(self, tx: WriteTransaction, current: Object, addresses: Sequence[str]) -> Object:
        held, gone = set(current["addresses"]), set(addresses)
        missing = [address for address in addresses if address not in held]
        if missing:
            raise AddressesNotFound(addresses=missing, address_group_id=current["id"])
        left = [address for address in current["addresses"] if address not in gone]
        return tx.update(KIND, current["id"], bumped(current, {"addresses": left}))
