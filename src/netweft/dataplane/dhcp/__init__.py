"""DHCP as bytes, and back: frames, messages, options by name.  Knows no port and no subnet."""
