"""The Open_vSwitch database: JSON-RPC client, replica, and a driver for the rows we own."""
