"""What a bridge's datapath can do (`dpif/show-dp-features BRIDGE`): a line each, as `Check pkt length action: Yes`."""

COMMAND = "dpif/show-dp-features"
COMPARES_LENGTHS = "Check pkt length action"  # Linux 5.2 and the userspace datapath
WRITES_DISCOVERY = "IPv6 ND Extension"  # the userspace datapath: a solicitation can be turned into its answer


def has(said: str, feature: str) -> bool:
    """False, too, for what this Open vSwitch does not know of."""
    return any(line.strip() == f"{feature}: Yes" for line in said.splitlines())
