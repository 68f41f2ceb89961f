"""Ports' names in DNS: `dns_name` as it was requested, `dns_assignment` as it comes to, for each address.

A port's domain is its own, else its network's, else the setting's: as Neutron shows it where names are published.
"""

from netweft.control.errors import InvalidInput
from netweft.model.names import fully_qualified, host_name, rooted
from netweft.store import Object

NAME, DOMAIN, ASSIGNMENT = "dns_name", "dns_domain", "dns_assignment"
MOST = 255  # of a name with its domain


def refuse(name: str, domain: str) -> None:
    """Raises InvalidInput.  domain: the setting's."""
    rest = f".{rooted(domain)}" if domain else ""
    if not name.endswith("."):
        if name and len(name) + len(rest) > MOST:
            raise InvalidInput(
                f"dns_name '{name}' is {len(name)} characters long; with the domain '{domain}' it would have more than"
                f" {MOST}"
            )
    elif not name.endswith(rest) or len(name) <= len(rest):
        raise InvalidInput(
            f"dns_name '{name}' is a FQDN: it must end with the domain of this cloud, '{domain}', and have a label"
            " before that"
        )


def assignment(port: Object, network: Object, domain: str) -> list[Object]:
    """Neutron's form, in the order of fixed_ips."""
    name: str = port.get(NAME) or ""
    own = rooted((name and (port.get(DOMAIN) or network.get(DOMAIN))) or domain)
    return [
        {
            "ip_address": address,
            "hostname": name or host_name(address),
            "fqdn": fully_qualified(name or host_name(address), own),
        }
        for address in (fixed["ip_address"] for fixed in port["fixed_ips"])
    ]
