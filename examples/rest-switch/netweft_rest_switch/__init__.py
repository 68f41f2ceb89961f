"""Switches with a REST API as a mechanism of Netweft: the example of such a plug-in."""
