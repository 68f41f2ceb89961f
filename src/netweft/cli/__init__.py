"""The command line: a file per noun.  Talks HTTP to the server, or to the agent's local socket."""
