"""Synthesizer: a table in, rows like it out."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pandas as pd

from tabsynth.artifact import read_artifact, write_artifact
from tabsynth.choice import Choice, choose_model
from tabsynth.codec import Fixed
from tabsynth.completion import draw_rows
from tabsynth.encoding.table import EncodedTable
from tabsynth.errors import ConfigError, DataError
from tabsynth.fair import Fair, Parity
from tabsynth.fitting import Fitted, Terms, Wish, fit_openly, fit_privately, terms_of
from tabsynth.given import Request
from tabsynth.model_file import from_artifact, seed_of, to_artifact
from tabsynth.models import MAX_TRIES, Effort
from tabsynth.monitor import Monitor, ignore
from tabsynth.random import Streams
from tabsynth.schema import Schema
from tabsynth.selection import Rejection, check_choice, select
from tabsynth.uses import Uses
from tabsynth.validation import check_integer

BUDGETED = ("delta", "public_rows", "accept_inferred_schema", "odometer", "debug_insecure_seed")
"""Parameters that say how a privacy budget is spent."""
PARAMETERS = (
    *("model", "parameters", "schema", "target", "seed", "conditional", "epsilon", *BUDGETED),
    "monitor",
)
logger = logging.getLogger("tabsynth")


class Synthesizer(Uses):
    """Learns a table and makes rows like it.

    Parameters
    ----------
    model : str
        Name of a registered model, or "auto".
    parameters : mapping, optional
        Hyper-parameters of the model by name.
    schema : Schema, optional
        What the columns are; inferred from the table where left out.
    target : str or sequence of str, optional
        Columns that people will predict; a model with a hyper-parameter `target` learns them first.
    seed : int, optional
        Makes `fit` and `sample` reproducible byte for byte on the CPU with the same number of
        threads. Without one a seed is drawn and kept in `seed_`.
    conditional : bool
        Whether rows that are given in part will be asked for; "auto" then suits that.
    epsilon : float, optional
        Makes the fit (epsilon, delta)-differentially private for adding or removing one row. Then
        `schema` must be declared, not inferred: what it does not say is bought with noise.
    delta : float, optional
        1e-6 where left out.
    public_rows : int, optional
        The number of rows, where it is no secret; otherwise a noisy number takes its place.
    accept_inferred_schema : bool
        Take column types, and nothing else, from the rows. The guarantee is void then.
    odometer : path, optional
        File that adds up what all fits on this table cost; a fit beyond its total is refused.
    debug_insecure_seed : int, optional
        For tests alone: makes noise repeatable, and the guarantee void. `seed` never touches noise.
    monitor : callable, optional
        Told of the progress (see `tabsynth.monitor.Progress`).

    Attributes
    ----------
    schema_ : Schema
    codec_ : TableCodec
    model_ : Model
    choice_ : Choice
    seed_ : int
    n_rows_ : int
        Rows learnt from; a public or noisy number under a privacy budget.
    ledger_ : Ledger or None
        What a privacy budget was spent on; None without one.
    seconds_ : float
        Wall-clock seconds that `fit` took.
    effort_ : Effort or None
        What it took the latest call of `sample` to meet `given`.
    fairness_ : Parity or None
        Demographic parity before and after `fair`, of the latest call of `sample`.
    rejected_ : tuple of int, or None
        Rows that `reject` left out in the latest call of `sample`, and rows drawn for it.
    imputation_ : Imputation or None
        What the latest call of `impute` did.

    Notes
    -----
    Privacy: without a privacy budget the model may remember rows, and so may its file. Values held
    by fewer than five rows are not released as they are, keys and personal data are never learnt,
    but this is no formal guarantee. With one, `ledger_.statement()` says what is guaranteed, for
    the model and everything made from it; not for other releases, nor for several rows of one
    person.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabsynth import Synthesizer
    >>> table = pd.DataFrame({"x": [1, 2, 3, 4] * 10, "y": list("abab") * 10})
    >>> synthesizer = Synthesizer("independent", seed=7).fit(table)
    >>> rows = synthesizer.sample(3)
    >>> rows.shape, rows.dtypes.astype(str).tolist()
    ((3, 2), ['int64', 'str'])
    >>> synthesizer.sample(2, given={"y": "b"})["y"].tolist()
    ['b', 'b']
    """

    def __init__(
        self,
        model: str = "auto",
        *,
        parameters: Mapping[str, Any] | None = None,
        schema: Schema | None = None,
        target: str | Sequence[str] | None = None,
        seed: int | None = None,
        conditional: bool = False,
        epsilon: float | None = None,
        delta: float | None = None,
        public_rows: int | None = None,
        accept_inferred_schema: bool = False,
        odometer: str | Path | None = None,
        debug_insecure_seed: int | None = None,
        monitor: Monitor | None = None,
    ) -> None:
        self.model = model
        self.parameters = parameters
        self.schema = schema
        self.target = target
        self.seed = seed
        self.conditional = conditional
        self.epsilon = epsilon
        self.delta = delta
        self.public_rows = public_rows
        self.accept_inferred_schema = accept_inferred_schema
        self.odometer = odometer
        self.debug_insecure_seed = debug_insecure_seed
        self.monitor = monitor

    def __repr__(self) -> str:
        state = f"fitted on {self.n_rows_:,} rows" if hasattr(self, "model_") else "not fitted"
        return f"Synthesizer(model={self.model!r}, seed={self.seed!r}; {state})"

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters of the constructor by name, as scikit-learn's `clone` expects."""
        return {name: getattr(self, name) for name in PARAMETERS}

    def set_params(self, **values: Any) -> Self:
        """Set parameters of the constructor by name and return self."""
        known = self.get_params()
        for name, value in values.items():
            if name not in known:
                raise ConfigError(
                    f"Synthesizer has no parameter {name!r}. Known: {', '.join(known)}."
                )
            setattr(self, name, value)
        return self

    def fit(self, table: pd.DataFrame, *, checkpoint: str | Path | None = None) -> Self:
        """Learn `table`.

        Ctrl-C while a network trains ends the training early and keeps the weights as they are; a
        second Ctrl-C, or one at another time, ends `fit`.

        Parameters
        ----------
        table : DataFrame of shape (n_rows, n_columns)
            Typed columns or texts (as read from a CSV file); the index is ignored.
        checkpoint : path, optional
            File that the state of a network's training is written to, about every ten seconds and
            at its end. Where the file exists already, training goes on from it, and gives what an
            uninterrupted one would have given; without a seed, the file's seed is taken. It is
            never removed.

        Returns
        -------
        self

        Raises
        ------
        DataError
            If the table has too few rows or nested values.
        SchemaError
            If the schema does not fit the table, with every problem.
        ConfigError
            If there is no such model or hyper-parameter, if the model is not trained in steps, or
            if the checkpoint is of another training.
        ArtifactError
            If the checkpoint is damaged.

        Notes
        -----
        Privacy: a checkpoint holds the exact state of a training on the rows. It is as confidential
        as the table.
        """
        started = time.perf_counter()
        if not isinstance(table, pd.DataFrame):
            raise DataError(f"fit takes a pandas DataFrame. Got {type(table).__name__}.")
        monitor, terms = self.monitor or ignore, self._terms()
        streams = Streams(seed_of(self.seed, checkpoint))
        wish = Wish(self.model, self.parameters, self.schema, self.target, self.conditional)
        if terms is None:
            found = fit_openly(table, wish, streams, monitor, checkpoint)
        else:
            found = fit_privately(table, wish, terms, streams, monitor, checkpoint)
        self._set(found, streams.seed)
        self.seconds_ = time.perf_counter() - started
        return self

    def _terms(self) -> Terms | None:
        """Return the terms of the privacy budget; None where there is none."""
        return terms_of(
            self.epsilon,
            self.delta,
            self.public_rows,
            self.accept_inferred_schema,
            self.odometer,
            self.debug_insecure_seed,
        )

    def sample(
        self,
        n_rows: int | None = None,
        *,
        given: Mapping[str, Any] | pd.DataFrame | None = None,
        fair: Fair | None = None,
        reject: Rejection | None = None,
        max_tries: int = MAX_TRIES,
        seed: int | None = None,
        monitor: Monitor | None = None,
    ) -> pd.DataFrame:
        """Make `n_rows` new rows.

        Parameters
        ----------
        n_rows : int
            0 gives an empty table with the right dtypes. May be left out where `given` is a
            data frame.
        given : mapping or DataFrame, optional
            What the rows hold, for any columns that are learnt; the others follow what the model
            learnt of rows that hold it. A mapping has a value for each column, which all rows
            hold; None asks for missing cells. A data frame has a row for each row to make; a
            missing cell asks for nothing, and the index is ignored.
        fair : Fair, optional
            Columns that a target shall not depend on. More rows are drawn, and some of them kept.
        reject : Rejection, optional
            What judges rows, and the share of the rows drawn that it leaves out.
        max_tries : int
            Values that come together less often than once in so many draws of the model are
            refused.
        seed : int, optional
            For these rows alone. Without it, successive calls continue from the seed of `fit`.
        monitor : callable, optional

        Returns
        -------
        DataFrame of shape (n_rows, n_columns)
            Names, order and dtypes as in the table learnt; free text is left out. What it took to
            meet `given` is told by `effort_`.

        Raises
        ------
        ConfigError
            If a column cannot hold what is given or cannot be balanced, with every problem, or if
            rows given one by one shall be chosen.
        SampleError
            If nothing was fitted, if so many unique keys cannot be made, or if the model makes
            rows with what is given, or of a group and a value of the target, too rarely: never
            are there fewer rows than asked for.

        Notes
        -----
        Privacy: `given` and `fair` look at rows made, never at those learnt. What `reject` looks at
        is for its judge to say.
        """
        self._require_fitted()
        if n_rows is not None or given is None:
            check_integer("n_rows", n_rows, 0)
        check_integer("max_tries", max_tries, 1)
        check_choice(self.schema_, fair, reject, isinstance(given, pd.DataFrame))
        self.effort_: Effort | None = None
        self.fairness_: Parity | None = None
        self.rejected_: tuple[int, int] | None = None
        request = None if given is None else Request.read(given, n_rows, self.codec_)
        streams = self._streams("sample", seed)
        watch = monitor or self.monitor or ignore

        def draw(size: int, inner: Streams) -> tuple[EncodedTable, Fixed | None]:
            new = request is not None and size != request.n_rows
            more = Request.read(given, size, self.codec_) if new and given is not None else request
            found = draw_rows(self.model_, self.codec_, size, more, inner, watch, max_tries)
            self.effort_ = found[2]
            return found[:2]

        size = request.n_rows if request is not None else int(n_rows or 0)
        made = select(size, draw, self.codec_, streams, watch, fair, reject)
        self.fairness_ = made.parity
        self.rejected_ = None if reject is None else (made.rejected, made.drawn)
        return made.table

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write the model file: JSON and safetensors in a zip, no code.

        Notes
        -----
        Privacy: without a budget the file may tell about rows; treat it like the source. With one
        it holds noisy releases and what was computed from them, and may be published.
        """
        self._require_fitted()
        found = Fitted(
            self.schema_, self.codec_, self.model_, self.choice_, self.n_rows_, self.ledger_
        )
        write_artifact(to_artifact(found, self.seed_, self.seconds_), path, force=force)

    @classmethod
    def load(cls, path: str | Path) -> Synthesizer:
        """Read a model file.

        Raises
        ------
        ArtifactError
            If the file is damaged, was changed, or comes from a newer version.
        """
        found, seed, seconds = from_artifact(read_artifact(path), path)
        name, parameters = found.model.name, found.model.parameters.to_dict()
        synthesizer = cls(name, parameters=parameters, seed=seed)
        synthesizer._set(found, seed)
        synthesizer.seconds_ = seconds
        return synthesizer

    def choose(self, n_rows: int) -> Choice:
        """Return the model that a table of `n_rows` rows gets, with the reason."""
        return choose_model(self.model, n_rows, conditional=self.conditional, epsilon=self.epsilon)

    def _set(self, found: Fitted, seed: int) -> None:
        self.schema_, self.codec_, self.model_ = found.schema, found.codec, found.model
        self.choice_, self.n_rows_, self.ledger_ = found.choice, found.n_rows, found.ledger
        self.seed_ = seed
        self.effort_, self.fairness_, self.rejected_, self.imputation_ = (None,) * 4
        self._calls = 0
