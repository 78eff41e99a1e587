"""What the texts after options mean: rows, and hyper-parameters of models."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_type_hints

from tabsynth.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from tabsynth.codec import TableCodec
    from tabsynth.fair import Fair


@dataclass(frozen=True)
class RowCount:
    """How many rows to make: a number, or a multiple of the rows that are there.

    Attributes
    ----------
    value : float
    relative : bool
        Whether `value` is a multiple.
    """

    value: float
    relative: bool = False

    @classmethod
    def parse(cls, text: str) -> RowCount:
        """Read "500" or "2x".

        Raises
        ------
        ConfigError
            If it is neither, or negative.
        """
        relative = text.strip().lower().endswith("x")
        number = text.strip()[:-1] if relative else text.strip()
        try:
            value = float(number) if relative else int(number.replace("_", ""))
        except ValueError:
            value = -1
        if not (math.isfinite(value) and value >= 0):
            raise ConfigError(
                "--rows takes 0 or a positive integer, or a multiple of the rows of the input such "
                f"as 2x. Got {text!r}."
            )
        return cls(value, relative)

    def of(self, n_rows: int) -> int:
        """Return the number of rows where the input has `n_rows`."""
        return round(self.value * n_rows) if self.relative else int(self.value)


def read_settings(texts: Sequence[str] | None) -> dict[str, Any]:
    """Return what --set says; values are JSON where they can be, else text.

    Raises
    ------
    ConfigError
        If a text is not NAME=VALUE, or a name is given twice.

    Examples
    --------
    >>> read_settings(["epochs=50", "coding=bins"])
    {'epochs': 50, 'coding': 'bins'}
    """
    settings: dict[str, Any] = {}
    for text in texts or ():
        name, mark, value = text.partition("=")
        name = name.strip()
        if not mark or not name:
            raise ConfigError(f"--set takes NAME=VALUE, such as epochs=50. Got {text!r}.")
        if name in settings:
            raise ConfigError(f"--set gives {name!r} twice. Give it once.")
        try:
            settings[name] = json.loads(value)
        except ValueError:
            settings[name] = value
    return settings


def read_given(texts: Sequence[str], codec: TableCodec) -> dict[str, Any]:
    """Return what --given says, by column.

    Raises
    ------
    ConfigError
        If a text is not COLUMN=VALUE, or a column is given twice.
    """
    given: dict[str, Any] = {}
    for text in texts:
        # A column's name may hold the mark itself.
        places = [place for place, mark in enumerate(text) if mark == "="]
        named = [place for place in places if text[:place] in codec.schema]
        if not places or not places[0]:
            raise ConfigError("--given takes COLUMN=VALUE, such as sex=Female.")
        place = named[0] if named else places[0]
        name = text[:place]
        if name in given:
            raise ConfigError(f"--given gives {name!r} twice. Give it once.")
        given[name] = text[place + 1 :]
    import pandas as pd

    frame = as_labels(pd.DataFrame({name: [value] for name, value in given.items()}), codec)
    return {name: frame[name].iloc[0] for name in given}


def read_fair(text: str, names: Sequence[str]) -> Fair:
    """Return what --fair says about a table with the columns `names`.

    Raises
    ------
    ConfigError
        If it is not TARGET:COLUMN[,COLUMN...].

    Examples
    --------
    >>> read_fair("income:sex,age", ["sex", "age", "income"])
    Fair(protected=('sex', 'age'), target='income', bins=10)
    """
    from tabsynth.fair import Fair

    # A column's name may hold the marks themselves.
    places = [place for place, mark in enumerate(text) if mark == ":"]
    named = [place for place in places if text[:place] in names]
    place = named[0] if named else places[0] if places else 0
    if not place or not text[place + 1 :]:
        raise ConfigError("--fair takes TARGET:COLUMN[,COLUMN...], such as income:sex,age.")
    protected: list[str] = []
    for part in text[place + 1 :].split(","):
        if protected and protected[-1] not in names:
            protected[-1] = f"{protected[-1]},{part}"
        else:
            protected.append(part)
    return Fair(tuple(protected), text[:place])


def as_labels(frame: pd.DataFrame, codec: TableCodec) -> pd.DataFrame:
    """Return a table of texts in which categories that are no texts are what they are."""
    changed = {}
    for name in frame.columns:
        if name not in codec.schema or codec.schema[name].type != "category":
            continue
        labels = getattr(codec.codecs[name], "labels", ())
        if labels and not any(isinstance(label, str) for label in labels):
            known = {_label_text(label): label for label in labels}
            changed[name] = frame[name].map(lambda cell, known=known: known.get(cell, cell))
    return frame.assign(**changed)


def _label_text(label: Any) -> str:
    """Return how a person writes a label."""
    return str(label).lower() if isinstance(label, bool) else str(label)


def check_model(name: str) -> None:
    """Raise ConfigError where no model has that name; imports no model that is there."""
    from tabsynth.models import models

    if name != "auto" and name not in models.names():
        models.get(name)


def check_settings(model: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the hyper-parameters of `model` in the types that it wants.

    Raises
    ------
    ConfigError
        If there is no such hyper-parameter, or its value is of the wrong type or not allowed.
    """
    if not settings:
        return {}
    from pydantic import TypeAdapter, ValidationError

    from tabsynth.models import models

    kind = models.get(model).parameters_type
    hints = get_type_hints(kind)
    checked = {}
    for name, value in settings.items():
        if name not in hints:
            kind.from_dict({name: value}, model)
        try:
            checked[name] = TypeAdapter(hints[name]).validate_python(value)
        except ValidationError as error:
            why = error.errors()[0]["msg"]
            raise ConfigError(
                f"--set {name}: {why}. Model {model!r} takes {_written(hints[name])} there. "
                f"Got {value!r}."
            ) from None
    kind.from_dict(checked, model)
    return checked


def _written(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "")
