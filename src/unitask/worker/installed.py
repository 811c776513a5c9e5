"""Which engines can run here, and on which devices."""

from collections.abc import Iterable, Sequence

from unitask.engines import installed
from unitask.settings import WrongSetting
from unitask.spec.engine import DeviceEngine


def usable_engines(allowed: tuple[str, ...] | None) -> tuple[str, ...]:
    """List the engines that have all they need here."""
    return tuple(
        sorted(
            name
            for name, engine in installed().items()
            if (allowed is None or name in allowed) and engine.missing() is None
        )
    )


def devices_of(engines: Iterable[str], allowed: Sequence[str] | None) -> dict[str, tuple[str, ...]]:
    """List the devices to use, each with the engines that run there.

    Raises:
        WrongSetting: a device of `allowed` is not there, or none of an engine's devices is in it.

    """
    found = {name: engine.devices() for name in engines if isinstance(engine := installed()[name], DeviceEngine)}
    there = list(dict.fromkeys(device for devices in found.values() for device in devices))
    chosen = there if allowed is None else list(dict.fromkeys(allowed))
    listed = f"there are: {', '.join(there) or 'none'}"
    for device in chosen:
        if device not in there:
            raise WrongSetting(f"UNITASK_DEVICES is wrong: no engine runs on {device!r}; {listed}")
    for name, devices in found.items():
        if not set(devices) & set(chosen):
            raise WrongSetting(f"UNITASK_DEVICES is wrong: it leaves the engine {name} no device; {listed}")
    return {device: tuple(name for name, devices in found.items() if device in devices) for device in chosen}
