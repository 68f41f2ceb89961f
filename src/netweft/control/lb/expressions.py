"""Whether HAProxy takes a regular expression: compiled as HAProxy compiles it, by PCRE2 itself (pcre2api(3)).

One that is not taken is refused by HAProxy with all of the balancer's configuration, long after the answer.  Each
Debian has the library; where it is missing, what Python makes of it has to do.
"""

import ctypes
import re
from ctypes import byref, c_char_p, c_int, c_size_t, c_uint32, c_void_p
from functools import cache
from typing import Any, Final

_LIBRARY: Final = "libpcre2-8.so.0"
_NO_AUTO_CAPTURE: Final = 0x2000  # HAProxy's regex_comp() for ACLs
_JIT_COMPLETE: Final = 1
_NO_JIT: Final = -45  # PCRE2_ERROR_JIT_BADOPTION: HAProxy goes on without


def problem(text: str) -> str:
    """Why it is no such expression; empty: it is one."""
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        return str(error)
    library = _pcre2()
    return _compiled(library, text.encode()) if library is not None else ""


@cache
def _pcre2() -> Any:
    try:
        found = ctypes.CDLL(_LIBRARY)
    except OSError:
        return None
    found.pcre2_compile_8.restype = c_void_p
    found.pcre2_compile_8.argtypes = (c_char_p, c_size_t, c_uint32, c_void_p, c_void_p, c_void_p)
    found.pcre2_jit_compile_8.argtypes = (c_void_p, c_uint32)
    found.pcre2_code_free_8.argtypes = (c_void_p,)
    found.pcre2_get_error_message_8.argtypes = (c_int, c_char_p, c_size_t)
    return found


def _compiled(library: Any, text: bytes) -> str:
    error, at = c_int(), c_size_t()
    code = library.pcre2_compile_8(text, len(text), _NO_AUTO_CAPTURE, byref(error), byref(at), None)
    if not code:
        said = ctypes.create_string_buffer(256)
        library.pcre2_get_error_message_8(error, said, len(said))
        return f"{said.value.decode(errors='replace')} at position {at.value}"
    made = library.pcre2_jit_compile_8(code, _JIT_COMPLETE)
    library.pcre2_code_free_8(code)
    return "" if made in (0, _NO_JIT) else "it is too large"
