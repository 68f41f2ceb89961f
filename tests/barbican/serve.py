"""A real Barbican on one port of the loopback, until it is ended.  Run by the Python of its own virtual environment:
`serve.py FOLDER PORT` with FOLDER/barbican.conf.  Standard library, Barbican and what it needs; nothing of ours.
"""

import os
import sys
import warnings
from wsgiref.simple_server import make_server

warnings.simplefilter("ignore")  # its libraries' own
folder, port = sys.argv[1], int(sys.argv[2])
os.environ["HOME"] = folder  # where each of its parts looks for barbican.conf by itself
sys.argv = ["barbican-api"]

from paste import deploy  # type: ignore[import-not-found]  # noqa: E402

application = deploy.loadapp(f"config:{sys.prefix}/etc/barbican/barbican-api-paste.ini")
make_server("127.0.0.1", port, application).serve_forever()
