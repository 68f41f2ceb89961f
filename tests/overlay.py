"""What Open vSwitch's overlay does by itself in the userspace datapath, whoever writes flows."""

FEW = 10  # packets that it may lose when links or routes of the host change: docs/decisions/0172
