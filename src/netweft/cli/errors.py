"""What a command raises when it cannot go on.  Imports nothing."""


class CommandError(Exception):
    """One line for the person at the terminal; `netweft` prints it and exits with 1."""
