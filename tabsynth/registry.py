"""Registries: how a new column type, model, measure or format becomes known by being a file."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from tabsynth.errors import ConfigError

T = TypeVar("T")


class Registry(Generic[T]):
    """Things of one kind by name.

    Members come from three places: the modules of `package` (a module registers what it defines
    with `register`), entry points of the group `package`, and calls of `register` by users.

    Parameters
    ----------
    kind : str
        What is registered, as a reader would say it ("model").
    package : str
        Dotted name of the package whose modules are members, and the entry-point group.
    lazy : bool
        Where true, a member is a module of its own name, imported when asked for: listing names
        then imports nothing. Where false, the first look-up imports the whole package.
    hidden : tuple of str
        Modules of the package that are no members.
    """

    def __init__(
        self, kind: str, package: str, *, lazy: bool = False, hidden: tuple[str, ...] = ("base",)
    ) -> None:
        self.kind = kind
        self.package = package
        self.lazy = lazy
        self.hidden = hidden
        self._members: dict[str, T] = {}
        self._complete = False

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that registers its argument under `name`."""

        def decorate(member: T) -> T:
            self._members[name] = member
            return member

        return decorate

    def _modules(self) -> list[str]:
        package = importlib.import_module(self.package)
        return sorted(
            module.name
            for module in pkgutil.iter_modules(package.__path__)
            if not module.ispkg
            and not module.name.startswith("_")
            and module.name not in self.hidden
        )

    def _complete_now(self) -> None:
        if not self._complete:
            self._complete = True
            for name in self._modules():
                importlib.import_module(f"{self.package}.{name}")
            for point in entry_points(group=self.package):
                self._members.setdefault(point.name, point.load())

    def names(self) -> list[str]:
        """Return the names of all members, sorted."""
        if self.lazy:
            plugins = {point.name for point in entry_points(group=self.package)}
            return sorted({*self._modules(), *plugins, *self._members})
        self._complete_now()
        return sorted(self._members)

    def get(self, name: str) -> T:
        """Return the member called `name`.

        Raises
        ------
        ConfigError
            If there is none; the message names the nearest one.
        """
        if name in self._members:
            return self._members[name]
        if self.lazy and name in self._modules():
            importlib.import_module(f"{self.package}.{name}")
        elif self.lazy:
            for point in entry_points(group=self.package):
                if point.name == name:
                    self._members[name] = point.load()
        else:
            self._complete_now()
        if name in self._members:
            return self._members[name]
        near = get_close_matches(str(name), self.names(), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ConfigError(
            f"There is no {self.kind} called {name!r}.{hint} Known: {', '.join(self.names())}."
        )

    def items(self) -> Iterator[tuple[str, T]]:
        """Yield (name, member) for every member, importing what is needed."""
        for name in self.names():
            yield name, self.get(name)
