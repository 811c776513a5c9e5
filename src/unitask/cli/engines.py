"""The engines and providers that the operator chose."""

import logging

from unitask.engines import installed
from unitask.routing import Routing
from unitask.settings import Settings, WrongSetting, key_variable

log = logging.getLogger(__name__)


def check_engines(settings: Settings) -> None:
    """Refuse the name of an engine that is not there: a typing error would silently take products off the list.

    Raises:
        WrongSetting: names it and those that there are.

    """
    known = {*installed(), *settings.routing().providers}
    for name in settings.engines or ():
        if name not in known:
            there = ", ".join(sorted(known))
            raise WrongSetting(f"UNITASK_ENGINES is wrong: no engine {name!r} is installed; there are: {there}")


def usable_providers(settings: Settings) -> Routing:
    """Give the routing with the providers that a worker here can use; the log says of which the key is missing."""
    routing = settings.routing().among(settings.engines)
    for name in sorted(routing.keyless):
        log.warning("the provider %s is not used: it serves nobody without a key; set %s", name, key_variable(name))
    return routing.among(routing.providers.keys() - routing.keyless)


def without_key(name: str) -> str:
    """Say of a provider that serves nobody without a key what to do."""
    return (
        f"it serves nobody without a key: set {key_variable(name)}, "
        "or own_key_only = true if accounts are to bring their own"
    )
