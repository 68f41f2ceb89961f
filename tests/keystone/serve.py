"""A real Keystone on one port of the loopback, until it is ended.  Run by the Python of its own virtual environment:
`serve.py FOLDER PORT` with FOLDER/keystone.conf.  Standard library, Keystone and what it needs; nothing of ours.
"""

import os
import sys
import warnings

warnings.simplefilter("ignore")  # its libraries' own
folder, port = sys.argv[1], int(sys.argv[2])
os.environ["OS_KEYSTONE_CONFIG_FILES"] = f"{folder}/keystone.conf"
sys.argv = ["keystone-wsgi-public"]

from keystone.server.wsgi import initialize_public_application  # type: ignore[import-not-found]  # noqa: E402
from werkzeug.serving import run_simple  # type: ignore[import-not-found]  # noqa: E402

# one request at a time: clouds run Keystone in processes, and with threads it did not find, now and then, a role
# that it had granted before
run_simple("127.0.0.1", port, initialize_public_application(), threaded=False)
