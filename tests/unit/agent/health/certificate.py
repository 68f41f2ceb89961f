"""A certificate that nobody has signed."""

import subprocess
from pathlib import Path


def self_signed(folder: Path) -> Path:
    path = folder / "both.pem"
    words = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    more = ("-keyout", str(path), "-out", str(folder / "cert.pem"), "-days", "2", "-subj", "/CN=none")
    subprocess.run((*words, *more), check=True, capture_output=True)
    path.write_text(path.read_text() + (folder / "cert.pem").read_text())
    return path
