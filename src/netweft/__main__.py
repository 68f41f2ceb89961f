"""`python -m netweft` is `netweft`."""

from netweft.cli.main import main

main()
