"""What of our environment Lean may see. It runs the workspace's code, which has no business with keys and tokens."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WORDS: Final = (
    "PATH HOME USER LOGNAME SHELL PWD TZ TERM LANG LANGUAGE LOCALE_ARCHIVE TMPDIR TMP TEMP "
    "HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY SSL_CERT_FILE SSL_CERT_DIR CURL_CA_BUNDLE NIX_SSL_CERT_FILE "
    "GIT_SSL_CAINFO GIT_SSL_CAPATH GIT_EXEC_PATH "
    "CC CXX AR SDKROOT DEVELOPER_DIR MACOSX_DEPLOYMENT_TARGET LD_LIBRARY_PATH DYLD_LIBRARY_PATH "
    "DYLD_FALLBACK_LIBRARY_PATH MATHLIB_CACHE_DIR LLMSTEP_HOST LLMSTEP_PORT "
    "SYSTEMROOT SYSTEMDRIVE WINDIR COMSPEC PATHEXT OS USERPROFILE USERNAME USERDOMAIN HOMEDRIVE HOMEPATH APPDATA "
    "LOCALAPPDATA PROGRAMDATA PROGRAMFILES PROGRAMFILES(X86) PROGRAMW6432 COMMONPROGRAMFILES COMMONPROGRAMFILES(X86) "
    "COMMONPROGRAMW6432 ALLUSERSPROFILE PUBLIC NUMBER_OF_PROCESSORS PSMODULEPATH MSYSTEM "
)
"""Names that Lean, lake, elan, git, curl and the system's libraries read, in capitals."""
_NEEDED: Final = frozenset(_WORDS.split())
_FAMILIES: Final = ("LC_", "ELAN_", "LAKE_", "LEAN_", "LEANSHARED", "XDG_", "PROCESSOR_")
_LAKE: Final = frozenset({"LAKE", "LEAN", "ELAN"})
_SECRET: Final = re.compile(r"KEY|TOKEN|SECRET|PASS|.PWD|CREDENTIAL|AUTH|COOKIE|SESSION|PRIVATE|SIGNATURE")
"""What a name has that may hold a secret. `PWD` itself is the folder."""


def lean_environment(further: Sequence[str] = (), source: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables that Lean, lake and what they start are given.

    Names that look like those of secrets are always left out, also when a setting asks for them.

    Args:
        further: Names that the user wants to hand on too.
        source: Where they come from; None is the environment of this process.
    """
    wanted = {name.upper() for name in further}
    given = {
        name: value
        for name, value in (os.environ if source is None else source).items()
        if _is_needed(name.upper(), wanted) and not _SECRET.search(name.upper())
    }
    given["GIT_TERMINAL_PROMPT"] = "0"  # there is nobody to answer
    return given


def _is_needed(name: str, wanted: set[str]) -> bool:
    return name in _NEEDED or name in _LAKE or name in wanted or name.startswith(_FAMILIES)
