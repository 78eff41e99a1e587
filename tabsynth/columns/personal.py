"""Personal data: names, e-mails, telephones, national ids; made up anew, never learnt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from tabsynth.columns import _documents as documents
from tabsynth.columns._detection import find_personal
from tabsynth.columns._people import Style, check_format, check_locale, make_details
from tabsynth.columns._shapes import Shapes
from tabsynth.columns._templates import Template, capacity, generate
from tabsynth.columns._unlearnt import (
    AbsentCodec,
    Distinct,
    UnlearntCodec,
    UnlearntType,
    distinct_texts,
    repeated,
)
from tabsynth.columns.base import Claim, Measure, Profile, Values, columns
from tabsynth.encoding.coding import Coding
from tabsynth.errors import SchemaError

KINDS: Mapping[str, str] = {
    "full_name": "name",
    "first_name": "first name",
    "last_name": "surname",
    "email": "e-mail",
    "phone": "telephone",
    "national_id": "national id",
    "address": "street address",
    "ip": "network address",
    "url": "web address",
    "iban": "account number",
    "credit_card": "card number",
}
"""Kinds of personal data, and what a reader calls them."""

TREATMENTS = ("regenerate", "drop", "blank")
_SHAPED = ("phone", "national_id", "iban", "credit_card")
_NAMES = ("full_name", "first_name", "last_name")


@dataclass(frozen=True)
class Details:
    """A mergeable summary of personal data.

    Attributes
    ----------
    present, gaps : int
        Number of cells with and without a value.
    distinct : Distinct
    shapes : Shapes
        Of kinds that are numbers; empty for others.
    texts, commas, upper, lower : int
        Number of different texts, and of those with a comma, all in capitals, all in small letters.
    """

    present: int
    gaps: int
    distinct: Distinct
    shapes: Shapes
    texts: int = 0
    commas: int = 0
    upper: int = 0
    lower: int = 0


class DetailCodec(UnlearntCodec):
    """Makes personal data of people who do not exist.

    Parameters
    ----------
    owner : str
    gaps : bool
    kind : str
    unique : bool
        Whether no value comes twice.
    share : float
        Different values per cell, where they may come more than once.
    style : Style
    stages : list of list of Template
        Of kinds that are numbers: templates to use, better ones first, which may be too few.
    """

    def __init__(
        self,
        owner: str,
        gaps: bool,
        *,
        kind: str,
        unique: bool,
        share: float,
        style: Style,
        stages: list[list[Template]],
    ) -> None:
        super().__init__(owner, gaps)
        self.kind, self.unique, self.share = kind, unique, share
        self.style, self.stages = style, stages

    def capacity(self) -> int | None:
        """Return the most cells that can be made, None where there is no limit or it is vast."""
        if not self.unique or not self.stages:
            return None
        return capacity(self.stages[-1], widen=False)

    def make(self, n: int, rng: np.random.Generator) -> Values:
        """Return `n` values, each once or, if they need not be unique, some again."""
        pool = n if self.unique else min(n, max(1, round(n * self.share)))
        if self.stages:
            labels = self._numbers(pool, rng)
        else:
            labels = make_details(
                self.kind, pool, rng, self.style, unique=self.unique, column=self.owner
            )
        index = np.arange(n) if self.unique else repeated(len(labels), n, rng)
        return Values(index, np.zeros(n, dtype=bool), tuple(labels))

    def _numbers(self, n: int, rng: np.random.Generator) -> list[str]:
        stage = next(
            (stage for stage in self.stages if (capacity(stage, widen=False) or 0) >= n),
            self.stages[-1],
        )
        if not self.unique:
            n = min(n, capacity(stage, widen=False) or 0)
        made = generate(stage, n, rng, column=self.owner, widen=False)
        if self.kind == "iban" and made:
            return documents.with_iban_check(made)
        return documents.with_luhn_check(made) if self.kind == "credit_card" and made else made

    def state(self) -> dict[str, Any]:
        """Return the JSON form: kind, style and shapes, no value."""
        return {
            "gaps": bool(self.blocks),
            "kind": self.kind,
            "unique": self.unique,
            "share": self.share,
            "locale": self.style.locale,
            "case": self.style.case,
            "format": self.style.format,
            "stages": [[template.state() for template in stage] for stage in self.stages],
        }

    @classmethod
    def load(cls, owner: str, state: Mapping[str, Any]) -> DetailCodec:
        """Rebuild from the JSON form."""
        return cls(
            owner,
            state["gaps"],
            kind=state["kind"],
            unique=state["unique"],
            share=state["share"],
            style=Style(state["locale"], state["case"], state["format"]),
            stages=[[Template.load(part) for part in stage] for stage in state["stages"]],
        )


@columns.register("personal")
class Personal(UnlearntType):
    """Names, e-mails, telephones, national ids, addresses and the like.

    They are not learnt: new ones are made up, in the way of writing of the source (telephone
    format, capitals, "Last, First"). E-mails end in domains kept free for examples, North American
    telephones have the fictional exchange 555, social security numbers begin with 9.

    Notes
    -----
    Privacy: the fitted state holds a kind, a way of writing, shapes with their counts and the
    share of different values, never a value. A new name may equal one of the source by chance.
    """

    name = "personal"
    description = "Names, e-mails, telephones, national ids: made up anew, never learnt."
    measure: ClassVar[Measure] = "none"
    parameters: ClassVar[Mapping[str, str]] = {
        "kind": f"one of {', '.join(KINDS)}",
        "locale": "language and country of names and streets, such as en_US (the default) or de_DE",
        "unique": "whether no value comes twice",
        "format": "way of writing: '{last}, {first}' for names, '+1 ### 555 01##' for numbers "
        "(# a digit, ? a letter), us_ssn",
        "treatment": "regenerate (the default), drop (leave the column out) or blank (empty it)",
        "missing_as": "text columns: how missing cells are written",
        "nullable": "whether cells may be missing although none is",
    }

    @classmethod
    def claims(cls, profile: Profile) -> Claim | None:
        """Claim columns whose name and values, or values alone, are those of personal data."""
        found = find_personal(profile)
        if found is None:
            return None
        texts = distinct_texts(profile)
        distinct = profile.n_distinct if texts is None else len(texts)
        unique = distinct == profile.n_present and distinct > 1
        parameters: dict[str, Any] = {"kind": found.kind, "unique": unique}
        if found.format is not None:
            parameters["format"] = found.format
        return Claim(0.9, found.words, parameters, "identifier")

    def summarise(self, values: Values) -> Details:
        """Return the way of writing of a chunk."""
        gaps = int(values.missing.sum())
        texts = pd.Series(values.labels or (), dtype="str").str.strip()
        shaped = self._kind() in _SHAPED
        return Details(
            present=len(values) - gaps,
            gaps=gaps,
            distinct=Distinct.of(texts.tolist()),
            shapes=Shapes.of(texts.tolist() if shaped else []),
            texts=len(texts),
            commas=int(texts.str.contains(",", regex=False).sum()),
            upper=int(texts.str.isupper().sum()),
            lower=int(texts.str.islower().sum()),
        )

    def merge(self, first: Details, second: Details) -> Details:
        """Return the summary of two chunks together."""
        return Details(
            first.present + second.present,
            first.gaps + second.gaps,
            first.distinct.merge(second.distinct),
            first.shapes.merge(second.shapes),
            first.texts + second.texts,
            first.commas + second.commas,
            first.upper + second.upper,
            first.lower + second.lower,
        )

    def fit(self, summary: Details, coding: Coding) -> UnlearntCodec:
        """Return the codec that makes details in the way of writing seen.

        Raises
        ------
        SchemaError
            If kind, locale, format or treatment are none.
        """
        kind, name = self._kind(), self.column.name
        if self._treatment() != "regenerate":
            return AbsentCodec(name)
        locale = str(self.column.get("locale", "en_US"))
        check_locale(locale, name)
        half = summary.texts / 2
        case = "upper" if summary.upper > half else "lower" if summary.lower > half else "title"
        written = self.column.get("format")
        stages: list[list[Template]] = []
        if kind == "full_name":
            if written is None and summary.commas > half:
                written = "{last}, {first}"
            if written is not None:
                check_format(str(written), name)
        elif kind in _SHAPED:
            stages = self._stages(kind, summary.shapes, locale, written)
        return DetailCodec(
            name,
            gaps=summary.gaps > 0 or bool(self.column.get("nullable", False)),
            kind=kind,
            unique=bool(self.column.get("unique", False)),
            share=min(1.0, summary.distinct.estimate() / summary.present)
            if summary.present
            else 1.0,
            style=Style(locale, case, written if kind == "full_name" else None),
            stages=stages,
        )

    def load(self, state: dict[str, Any]) -> UnlearntCodec:
        """Rebuild the codec from its JSON form."""
        if state.get("absent"):
            return AbsentCodec(self.column.name)
        return DetailCodec.load(self.column.name, state)

    def drops(self) -> bool:
        """Return whether the column is left out of the synthetic table."""
        return self._treatment() == "drop"

    def treatment(self) -> str:
        """Return what will happen to the column."""
        words = {"drop": "left out", "blank": "emptied"}
        return words.get(self._treatment(), f"regenerated ({KINDS[self._kind()]})")

    def _stages(
        self, kind: str, shapes: Shapes, locale: str, written: str | None
    ) -> list[list[Template]]:
        """Return the templates of a kind that is a number."""
        if kind == "national_id" and written == documents.US_SSN:
            return [[documents.ssn_template(shapes)]]
        if written:
            return [[Template.of(written)]]
        if kind == "phone":
            return [[template] for template in documents.phone_templates(shapes, locale)]
        if kind == "iban":
            return [[documents.iban_template(shapes)]]
        if kind == "credit_card":
            return [[documents.card_template(shapes)]]
        return [shapes.templates()]

    def _kind(self) -> str:
        kind = self.column.get("kind", "full_name")
        if kind not in KINDS:
            raise SchemaError(
                f"Column {self.column.name!r} (personal): kind must be one of {', '.join(KINDS)}."
            )
        return str(kind)

    def _treatment(self) -> str:
        treatment = self.column.get("treatment", "regenerate")
        if treatment not in TREATMENTS:
            raise SchemaError(
                f"Column {self.column.name!r} (personal): treatment must be one of "
                f"{', '.join(TREATMENTS)}."
            )
        return str(treatment)
