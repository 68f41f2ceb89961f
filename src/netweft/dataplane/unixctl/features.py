"""What a bridge's datapath can do (`dpif/show-dp-features BRIDGE`): a line each, as `Check pkt length action: Yes`."""

COMMAND = "dpif/show-dp-features"
COMPARES_LENGTHS = "Check pkt length action"  # Linux 5.2 and the userspace datapath
WRITES_DISCOVERY = "IPv6 ND Extension"  # the userspace datapath: a solicitation can be turned into its answer
# what our flows cannot do without.  Linux has all of it since 4.15, where it is built with conntrack's zones, marks,
# labels and NAT
NEEDED = (
    *("Recirc", "Masked set action", "Clone action"),
    *("CT state", "CT zone", "CT mark", "CT label", "CT state NAT", "CT orig tuple", "CT orig tuple for IPv6"),
    "Conntrack clear",
)


def has(said: str, feature: str) -> bool:
    """False, too, for what this Open vSwitch does not know of."""
    return any(line.strip() == f"{feature}: Yes" for line in said.splitlines())


def lacking(said: str) -> list[str]:
    """Of what is needed, what this datapath has not."""
    there = {line.strip() for line in said.splitlines()}
    return [feature for feature in NEEDED if f"{feature}: No" in there]
