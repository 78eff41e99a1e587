"""Tests of the registries, on packages made for the purpose."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import EntryPoint

import pytest

import tabsynth.registry
from tabsynth.errors import ConfigError
from tabsynth.registry import Registry

MEMBER = "from animals.base import ANIMALS\n\n@ANIMALS.register('{name}')\nclass Animal: pass\n"


@pytest.fixture
def build(tmp_path, monkeypatch):
    """A function that makes a package `animals` with the members cat and dog, and its registry."""

    def make(**options):
        folder = tmp_path / "animals"
        folder.mkdir()
        (folder / "__init__.py").touch()
        (folder / "base.py").write_text(
            "from tabsynth.registry import Registry\n"
            f"ANIMALS = Registry('animal', 'animals', **{options!r})\n"
        )
        for name in ("dog", "cat"):
            (folder / f"{name}.py").write_text(MEMBER.format(name=name))
        (folder / "_private.py").write_text("raise RuntimeError('never imported')\n")
        (folder / "inner").mkdir()
        (folder / "inner" / "__init__.py").write_text("raise RuntimeError('never imported')\n")
        monkeypatch.syspath_prepend(tmp_path)
        return importlib.import_module("animals.base").ANIMALS

    yield make
    for name in [name for name in sys.modules if name.split(".")[0] == "animals"]:
        del sys.modules[name]


@pytest.fixture
def plugin(monkeypatch):
    """Pretend that an installed package offers a fox, and a cat of its own."""
    offered = [
        EntryPoint("fox", "collections:OrderedDict", "animals"),
        EntryPoint("cat", "collections:Counter", "animals"),
    ]

    def entry_points(group):
        return [point for point in offered if point.group == group]

    monkeypatch.setattr(tabsynth.registry, "entry_points", entry_points)


def imported():
    """Return the members of the package that have been imported."""
    return {name for name in ("cat", "dog") if f"animals.{name}" in sys.modules}


def test_a_member_is_known_by_being_a_file(build):
    animals = build()
    assert animals.names() == ["cat", "dog"]
    assert animals.get("dog").__module__ == "animals.dog"


def test_making_a_registry_imports_no_member(build):
    build()
    assert imported() == set()


def test_an_eager_registry_imports_all_members_at_the_first_look_up(build):
    animals = build()
    animals.get("cat")
    assert imported() == {"cat", "dog"}


def test_a_lazy_registry_lists_its_members_without_importing_them(build):
    animals = build(lazy=True)
    assert animals.names() == ["cat", "dog"]
    assert imported() == set()


def test_a_lazy_registry_imports_only_the_member_that_is_asked_for(build):
    animals = build(lazy=True)
    assert animals.get("cat").__module__ == "animals.cat"
    assert imported() == {"cat"}


@pytest.mark.parametrize("lazy", [False, True])
def test_items_are_all_members_in_the_order_of_their_names(build, lazy):
    animals = build(lazy=lazy)
    assert [(name, member.__module__) for name, member in animals.items()] == [
        ("cat", "animals.cat"),
        ("dog", "animals.dog"),
    ]


@pytest.mark.parametrize("lazy", [False, True])
def test_hidden_modules_are_no_members(build, lazy):
    assert build(lazy=lazy, hidden=("base", "dog")).names() == ["cat"]


@pytest.mark.parametrize("lazy", [False, True])
def test_a_user_can_register_a_member(build, lazy):
    animals = build(lazy=lazy)

    @animals.register("eel")
    class Eel:
        pass

    assert animals.get("eel") is Eel
    assert animals.names() == ["cat", "dog", "eel"]


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.usefixtures("plugin")
def test_an_entry_point_adds_a_member_and_replaces_none(build, lazy):
    animals = build(lazy=lazy)
    assert animals.names() == ["cat", "dog", "fox"]
    assert animals.get("fox").__name__ == "OrderedDict"
    assert animals.get("cat").__module__ == "animals.cat"


@pytest.mark.parametrize("lazy", [False, True])
def test_an_unknown_name_is_refused_with_all_names_and_the_nearest_one(build, lazy):
    animals = build(lazy=lazy)
    with pytest.raises(ConfigError) as caught:
        animals.get("dogg")
    assert str(caught.value) == (
        "There is no animal called 'dogg'. Did you mean 'dog'? Known: cat, dog."
    )


def test_a_name_that_is_like_no_other_gets_no_hint(build):
    with pytest.raises(ConfigError, match=r"^There is no animal called 'xyz'\. Known: cat, dog\.$"):
        build().get("xyz")


@pytest.mark.parametrize("name", ["base", "_private", "inner"])
@pytest.mark.parametrize("lazy", [False, True])
def test_a_module_that_is_no_member_cannot_be_had(build, lazy, name):
    with pytest.raises(ConfigError, match="There is no animal called"):
        build(lazy=lazy).get(name)


def test_registries_of_different_kinds_share_nothing():
    one, other = Registry("model", "json"), Registry("measure", "json")
    one.register("a")(object)
    assert one.get("a") is object
    assert "a" not in other.names()
