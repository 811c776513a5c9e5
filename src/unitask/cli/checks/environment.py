"""What is wrong with the variables beside the values of settings, which every command checks by itself."""

import difflib
import importlib.util
import logging
import os
import re
from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from typing import Final
from urllib.parse import urlsplit

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
_COLLECTORS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_SAMPLERS: Final = frozenset(
    f"{parent}{name}" for parent in ("", "parentbased_") for name in ("always_on", "always_off", "traceidratio")
)
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


def tracing(settings: Settings, variables: Mapping[str, str]) -> Findings:
    """Look at what traces need; the library takes what it cannot understand for its default, and says little."""
    if not settings.tracing:
        return
    if not _is_there("opentelemetry.sdk") or not _is_there("opentelemetry.exporter.otlp.proto.http"):
        yield found("tracing-missing")
    for name in _COLLECTORS:
        parts = urlsplit(variables.get(name, ""))
        if variables.get(name) and (parts.scheme not in {"http", "https"} or not parts.netloc):
            yield found("tracing-address", setting=name)
    sampler = variables.get("OTEL_TRACES_SAMPLER", "").lower().strip()
    if sampler and sampler not in _SAMPLERS and not entry_points(group="opentelemetry_traces_sampler", name=sampler):
        yield found("tracing-sampler", sampler=sampler)


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def warn() -> None:
    """Log them once, at the start of what runs for long."""
    for one in unknown(os.environ):
        log.warning(one.text)
