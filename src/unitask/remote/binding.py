"""From a validated input to a provider's request, by data: see docs/guide/providers.md for the language."""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from unitask.spec.media import MediaValue, media_values
from unitask.spec.product import Input

Hand = Callable[[MediaValue], Awaitable[Any]]
"""Hands a media file over in the provider's way; gives what stands for it in the request."""
_STEP: Final = re.compile(r"([^.\[\]]+)|\[(\d+|\*)\]")
_IN_TEXT: Final = re.compile(r"\{([^{}|]+)(?:\|([^{}|]*))?\}")
"""A field of the input, and after a stroke what stands for it where it is absent and another of the text is not."""


class BadMapping(ValueError):
    """A mapping that cannot be understood; its text names the place."""


class _Absent:
    """Stands for what is left out."""


_ABSENT: Final = _Absent()


def steps(path: str) -> list[str | int]:
    """Split `a.b[0].c`; `[*]` stays the text `*`."""
    found: list[str | int] = []
    for name, index in _STEP.findall(path):
        found.append(name or (index if index == "*" else int(index)))
    return found


def at(value: Any, path: str) -> Iterator[Any]:
    """Find every value at a path of a JSON document, in its order; nothing where it leads nowhere."""
    found = [value]
    for step in steps(path):
        found = [inner for one in found for inner in _within(one, step)]
    yield from (one for one in found if one is not None)


def _within(value: Any, step: str | int) -> list[Any]:
    if step == "*":
        return list(value) if isinstance(value, list) else []
    if isinstance(step, int):
        return [value[step]] if isinstance(value, list) and step < len(value) else []
    return [value[step]] if isinstance(value, Mapping) and step in value else []


def names(sources: Any) -> frozenset[str]:
    """List the fields of the input that sources read."""
    if isinstance(sources, Mapping):
        texts = _IN_TEXT.findall(sources["text"]) if isinstance(sources.get("text"), str) else []
        found = {str(steps(name)[0]) for name, _ in texts}
        return frozenset(found).union(*(names(one) for name, one in sources.items() if name not in {"text", "as"}))
    if isinstance(sources, list | tuple):
        return frozenset().union(*(names(one) for one in sources))
    is_path = isinstance(sources, str) and sources[:1] in {"$", "@"} and sources[:2] not in {"$$", "@@"}
    return frozenset({str(steps(sources[1:])[0])}) if is_path else frozenset()


def put(target: Any, path: str, value: Any) -> None:
    """Set the value at a path, making objects and lists on the way.

    Raises:
        BadMapping: something else is in the way.

    """
    *way, last = steps(path)
    try:
        for step, following in pairwise([*way, last]):
            target = _inner(target, step, [] if isinstance(following, int) else {})
        if isinstance(last, int):
            _reach(target, last, None)
        target[last] = value
    except (TypeError, AttributeError, IndexError) as error:
        raise BadMapping(f"nothing can be set at {path}") from error


def _inner(target: Any, step: str | int, empty: Any) -> Any:
    if isinstance(step, int):
        _reach(target, step, empty)
        if target[step] is None:
            target[step] = empty
        return target[step]
    return target.setdefault(step, empty)


def _reach(target: list[Any], index: int, empty: Any) -> None:
    while len(target) <= index:
        target.append(empty if len(target) == index else None)


@dataclass(frozen=True, slots=True)
class Binder:
    """Reads one input. `media`: its filled media fields by path; `seed`: the job's."""

    values: Mapping[str, Any]
    media: Mapping[str, MediaValue]
    seed: int
    hand: Hand

    @classmethod
    def of(cls, inputs: Input, seed: int, hand: Hand) -> "Binder":
        """Make one for an input."""
        media = {one.path.removeprefix("input."): one for one in media_values(inputs)}
        return cls(_plain(inputs), media, seed, hand)

    async def bound(self, sources: Mapping[str, Any]) -> dict[str, Any]:
        """Read every source that is not absent, by its target path."""
        found = {path: await self._read(source, self.values, "") for path, source in sources.items()}
        return {path: value for path, value in found.items() if value is not _ABSENT}

    async def document(self, sources: Mapping[str, Any]) -> dict[str, Any]:
        """Write every source that is not absent to its target path in a new document."""
        made: dict[str, Any] = {}
        for path, value in (await self.bound(sources)).items():
            put(made, path, value)
        return made

    def has(self, source: str) -> bool:
        """Tell whether the input has a value, and not no, for a source such as `$lora_settings[0].lora_type`."""
        return self._value(source.lstrip("$@"), self.values) not in (_ABSENT, False)

    async def _read(self, source: Any, scope: Any, at_path: str) -> Any:
        if isinstance(source, list):
            items = [await self._read(one, scope, at_path) for one in source]
            return [one for one in items if one is not _ABSENT]
        if isinstance(source, Mapping):
            return await self._table(source, scope)
        if not isinstance(source, str) or source[:1] not in {"$", "@"}:
            return source
        if source[:2] in {"$$", "@@"}:
            return source[1:]
        if source.startswith("@"):
            media = self.media.get(f"{at_path}{source[1:]}")
            return _ABSENT if media is None else await self.hand(media)
        return self._value(source[1:], scope)

    async def _table(self, source: Mapping[str, Any], scope: Any) -> Any:
        if "text" in source:
            return self._text(source["text"], scope)
        if "each" in source:
            return await self._each(source, scope)
        value = self._value(str(source["from"]).lstrip("$"), scope)
        if "map" in source:
            # What is not there is not one of those that the map does not name.
            return value if value is _ABSENT else await self._translated(source, value, scope)
        if value is _ABSENT:
            return await self._read(source.get("default", _ABSENT), scope, "")
        if "times" in source or "plus" in source:
            return round(value * source.get("times", 1) + source.get("plus", 0))
        return value

    async def _translated(self, source: Mapping[str, Any], value: Any, scope: Any) -> Any:
        name = str(value).lower() if isinstance(value, bool) else str(value)
        return await self._read(source["map"].get(name, source.get("default", _ABSENT)), scope, "")

    async def _each(self, source: Mapping[str, Any], scope: Any) -> Any:
        path = str(source["each"]).lstrip("$")
        items = self._value(path, scope)
        made = []
        for index, item in enumerate([] if items is _ABSENT else items):
            one: dict[str, Any] = {}
            for target, inner in source["as"].items():
                value = await self._read(inner, item, f"{path}[{index}].")
                if value is not _ABSENT:
                    put(one, target, value)
            made.append(one)
        return made or _ABSENT

    def _text(self, pattern: str, scope: Any) -> Any:
        values = {name: self._value(name, scope) for name, _ in _IN_TEXT.findall(pattern)}
        defaults = dict(_IN_TEXT.findall(pattern))
        absent = {name for name, value in values.items() if value is _ABSENT}
        if len(absent) == len(values) or any(not defaults[name] for name in absent):
            return _ABSENT
        return _IN_TEXT.sub(lambda found: str(found[2] if found[1] in absent else values[found[1]]), pattern)

    def _value(self, path: str, scope: Any) -> Any:
        if path == "seed":
            return self.seed
        found = next(at(scope, path), None)
        return _ABSENT if found is None or found in ("", []) else found


def _plain(inputs: Input) -> dict[str, Any]:
    left = {name for name in inputs.zero_is_default if getattr(inputs, name, None) == 0}
    return inputs.model_dump(mode="json", exclude_none=True, exclude=left)
