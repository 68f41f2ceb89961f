"""The one part that is not Python: STT's loops, a plain C library that ctypes loads (docs/stt.md).

Optional: where it cannot be compiled all but STT works, and agents say why they do not offer it.
"""

from pathlib import Path

from setuptools import Extension, setup

NATIVE = Path("src/netweft/dataplane/stt/native")

setup(
    ext_modules=[
        Extension(
            "netweft.dataplane.stt._native",
            sources=sorted(map(str, NATIVE.glob("*.c"))),
            depends=[str(NATIVE / "stt.h")],
            extra_compile_args=["-std=gnu11", "-O2", "-Wall", "-Wextra", "-fvisibility=default"],
            libraries=["pthread"],
            py_limited_api=True,
            optional=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
