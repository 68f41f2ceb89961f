"""A real Barbican on one port of the loopback, until it is ended.  Run by the Python of its own virtual environment:
`serve.py FOLDER PORT` with FOLDER/barbican.conf.  Standard library, Barbican and what it needs; nothing of ours.
"""

import sys
import warnings
from wsgiref.simple_server import make_server

warnings.simplefilter("ignore")  # its libraries' own
folder, port = sys.argv[1], int(sys.argv[2])

from barbican.common import config  # type: ignore[import-not-found]  # noqa: E402
from paste import deploy  # type: ignore[import-not-found]  # noqa: E402

config.CONF([], project="barbican", default_config_files=[f"{folder}/barbican.conf"])
application = deploy.loadapp(f"config:{sys.prefix}/etc/barbican/barbican-api-paste.ini")
make_server("127.0.0.1", port, application).serve_forever()
