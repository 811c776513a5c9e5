"""The engines that the operator chose."""

from unitask.engines import installed
from unitask.settings import Settings, WrongSetting


def check_engines(settings: Settings) -> None:
    """Refuse the name of an engine that is not there: a typing error would silently take products off the list.

    Raises:
        WrongSetting: names it and those that there are.

    """
    for name in settings.engines or ():
        if name not in installed():
            there = ", ".join(sorted(installed()))
            raise WrongSetting(f"UNITASK_ENGINES is wrong: no engine {name!r} is installed; there are: {there}")
