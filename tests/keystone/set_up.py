"""A Keystone's tables, keys and administrator: what `keystone-manage` makes, a command on each line of the input.

Run by the Python of its own virtual environment: `set_up.py FOLDER` with FOLDER/keystone.conf.  Each command is a child
of one process, since to import Keystone takes longer than most of them.
"""

import os
import sys
import warnings

warnings.simplefilter("ignore")  # its libraries' own

from keystone.cmd import manage  # type: ignore[import-not-found]  # noqa: E402

for command in sys.stdin.read().splitlines():
    child = os.fork()
    if not child:
        sys.argv = ["keystone-manage", "--config-file", f"{sys.argv[1]}/keystone.conf", *command.split()]
        sys.exit(manage.main())
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        sys.exit(f"this failed: {command}")
