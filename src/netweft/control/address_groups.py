"""Address groups: lists of prefixes that security group rules name as the far end."""

from collections.abc import Sequence

from netweft.control import rbac
from netweft.control.errors import AddressesAlreadyExist, AddressesNotFound, AddressGroupInUse
from netweft.control.standard import Plain, bumped
from netweft.store import Object, WriteTransaction

KIND = "address_groups"


class AddressGroups(Plain):
    def __init__(self) -> None:
        super().__init__(KIND)

    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        return super().create(tx, [{"addresses": []} | one for one in wanted])

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        if tx.referrers(KIND, current["id"]):
            raise AddressGroupInUse(address_group_id=current["id"])
        rbac.forget(tx, KIND, current["id"])
        super().delete(tx, current)

    def add(self, tx: WriteTransaction, current: Object, addresses: Sequence[str]) -> Object:
        there = [address for address in addresses if address in current["addresses"]]
        if there:
            raise AddressesAlreadyExist(addresses=there, address_group_id=current["id"])
        return self.update(tx, current, {"addresses": [*current["addresses"], *addresses]})

    def remove(self, tx: WriteTransaction, current: Object, addresses: Sequence[str]) -> Object:
        missing = [address for address in addresses if address not in current["addresses"]]
        if missing:
            raise AddressesNotFound(addresses=missing, address_group_id=current["id"])
        left = [address for address in current["addresses"] if address not in addresses]
        return tx.update(KIND, current["id"], bumped(current, {"addresses": left}))
