"""Netweft: Network-as-a-Service on Open vSwitch.

The folders are the stages of a change's life; `docs/architecture.md` walks through them.
"""

__version__ = "0.1.0"
