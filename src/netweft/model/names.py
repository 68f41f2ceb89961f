"""Names of ports in DNS: what the API shows, and what agents answer."""

from ipaddress import IPv4Address, IPv6Address


def rooted(domain: str) -> str:
    """With the dot at its end; empty stays empty."""
    return domain if not domain or domain.endswith(".") else f"{domain}."


def host_name(address: str) -> str:
    """Of a port that has no name, as Neutron makes it: `host-10-0-0-5`."""
    return f"host-{address.replace('.', '-').replace(':', '-')}"


def fully_qualified(name: str, domain: str) -> str:
    """name: as the API keeps it, fully qualified already where it ends with a dot.  domain: rooted, or empty."""
    return name if name.endswith(".") else f"{name}.{domain}"


def pointer(address: str) -> str:
    """The name of an address's PTR record (RFC 1035 3.5, RFC 3596 2.5)."""
    found = IPv6Address(address) if ":" in address else IPv4Address(address)
    return f"{found.reverse_pointer}."
