"""What is wrong with the variables beside the values of settings, which every command checks by itself."""

import difflib
import logging
import os
import re
from collections.abc import Iterable
from typing import Final

from unitask.cli.checks.known import Findings, found
from unitask.settings import PROVIDER_KEYS, Settings

_PREFIX: Final = "UNITASK_"
NAMES: Final = frozenset(
    {f"{_PREFIX}{name.upper()}" for name in Settings.model_fields}
    | {"UNITASK_ADDRESS", "UNITASK_DEVICE", "UNITASK_FAULT", "UNITASK_URL"}
)
"""All that something of ours reads, but for the keys of providers."""
_OF_KUBERNETES: Final = re.compile(r"UNITASK_(.+_)?(SERVICE_(HOST|PORT)(_.+)?|PORT(_\d+_(TCP|UDP)(_\w+)?)?)")
"""What it sets in every container for a service whose name begins with ours."""
log = logging.getLogger(__name__)


def unknown(names: Iterable[str]) -> Findings:
    """Find variables that look like settings and are none; letter case does not matter to a setting either."""
    for name in sorted(names):
        upper = name.upper()
        if not upper.startswith(_PREFIX) or upper in NAMES or upper.startswith(PROVIDER_KEYS):
            continue
        if not _OF_KUBERNETES.fullmatch(upper):
            known = [one.removeprefix(_PREFIX) for one in NAMES]
            near = difflib.get_close_matches(upper.removeprefix(_PREFIX), known, n=1)
            guess = f"did you mean {_PREFIX}{near[0]}" if near else "none is like it"
            yield found("setting-unknown", variable=name, guess=guess)


def warn() -> None:
    """Log them once, at the start of what runs for long."""
    for one in unknown(os.environ):
        log.warning(one.text)
