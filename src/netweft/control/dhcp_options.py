"""The extra DHCP options of a port: an update names those that change, and a value of null takes one away."""

from collections.abc import Iterable

from netweft.store import Object

EXTRA = "extra_dhcp_opts"


def merged(kept: Iterable[Object], changes: Iterable[Object] | None) -> list[Object]:
    """Each option once for an IP version, in the order in which they came."""
    found = {(one["opt_name"], one["ip_version"]): one for one in kept}
    for change in changes or ():
        option = {"ip_version": 4, **change}
        key = (option["opt_name"], option["ip_version"])
        if option.get("opt_value") is None:
            found.pop(key, None)
        else:
            found[key] = option
    return list(found.values())
