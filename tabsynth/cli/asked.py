"""What 'plan', 'fit' and 'deidentify' are asked alike: a table, a model, and on what terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypedDict

from tabsynth.cli.arguments import check_model, check_settings, read_settings
from tabsynth.cli.files import (
    check_inputs,
    check_missing,
    check_standard_input,
    read,
    read_schema,
    shown,
)
from tabsynth.cli.plan import show_plan
from tabsynth.cli.privacy import read_terms
from tabsynth.cli.terminal import Terminal

if TYPE_CHECKING:
    import pandas as pd

    from tabsynth.fitting import Terms
    from tabsynth.io import TableFile
    from tabsynth.plan import Plan


class Budget(TypedDict):
    """The options of a privacy budget, by the names that `Synthesizer` takes."""

    epsilon: float | None
    delta: float | None
    public_rows: int | None
    accept_inferred_schema: bool
    odometer: str | None


@dataclass(frozen=True)
class Asked:
    """A table that shall be learnt, checked as far as that can be done without reading it.

    Attributes
    ----------
    table : str
    model : str
    settings : list of str or None
        What --set says.
    schema : str or None
        File.
    missing : list of str or None
    seed : int or None
    budget : Budget
    checkpoint : str or None
    reading : tuple of str or None
        Format, delimiter and encoding of the table.

    Raises
    ------
    ConfigError, DataError
        If options contradict each other, or files are not there.
    """

    table: str
    model: str
    settings: list[str] | None
    schema: str | None
    missing: list[str] | None
    seed: int | None
    budget: Budget
    reading: tuple[str | None, str | None, str | None]
    checkpoint: str | None = None

    def __post_init__(self) -> None:
        read_settings(self.settings)
        check_model(self.model)
        check_missing(self.missing, self.schema)
        check_standard_input(self.reading[0], self.table)
        check_inputs(self.table, self.schema)

    @property
    def inputs(self) -> list[str | None]:
        """Files that no output may take the place of."""
        return [self.table, self.schema, self.checkpoint]

    @property
    def missing_values(self) -> tuple[str, ...]:
        """Cell texts that mean missing, where there is no schema to say it."""
        return ("", *(self.missing or ()))

    @cached_property
    def terms(self) -> Terms | None:
        """Those of a privacy budget, None where there is none (see `read_terms`)."""
        return read_terms(self.table, self.schema, **self.budget)

    @cached_property
    def known_seed(self) -> int | None:
        """The seed that was given, or that a checkpoint goes on with."""
        from tabsynth.model_file import seed_of

        return seed_of(self.seed, self.checkpoint)

    @cached_property
    def used_seed(self) -> int:
        """The same, drawn where there is none."""
        from tabsynth.random import Streams

        return Streams(self.known_seed).seed

    def read(self, terminal: Terminal) -> TableFile:
        """Read the table."""
        source = read(terminal, self.table, *self.reading)
        terminal.begin("finding out what the columns are")
        return source

    def plan(self, frame: pd.DataFrame, **more: Any) -> Plan:
        """Return what will happen to the table that was read.

        Parameters
        ----------
        frame : DataFrame
        **more
            What else `make_plan` takes.
        """
        from tabsynth.plan import make_plan

        made = make_plan(
            frame,
            model=self.model,
            schema=None if self.schema is None else read_schema(self.schema),
            missing_values=self.missing_values,
            terms=self.terms,
            **more,
        )
        # Which hyper-parameters there are is known once there is a model.
        asked = read_settings(self.settings)
        return made.with_parameters(check_settings(made.choice.model, asked))

    def show(
        self,
        terminal: Terminal,
        plan: Plan,
        outputs: Mapping[str, str],
        *,
        makes_rows: bool = True,
    ) -> None:
        """Print the plan."""
        show_plan(
            terminal,
            plan,
            source=shown(self.table),
            seed=self.used_seed,
            drawn=self.known_seed is None,
            outputs=outputs,
            makes_rows=makes_rows,
        )
