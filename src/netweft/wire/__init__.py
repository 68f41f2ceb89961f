"""Server <-> agent: the messages, their encoding and the protocol version.  Imports only the model."""
