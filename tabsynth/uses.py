"""What a fitted model is used for beside making rows: filling tables up, and adding to them."""

from __future__ import annotations

import logging
from typing import Any, Literal, overload

import pandas as pd

from tabsynth.augmentation import REAL_ROWS, append_rows, check_augmentation, wanted_classes
from tabsynth.codec import TableCodec
from tabsynth.errors import SampleError
from tabsynth.imputation import TRIES, Imputation, impute
from tabsynth.models import Model
from tabsynth.monitor import Monitor, ignore
from tabsynth.random import Streams
from tabsynth.validation import check_integer

logger = logging.getLogger("tabsynth")


class Uses:
    """The part of `Synthesizer` that takes real rows and gives them back with more in them.

    Attributes
    ----------
    imputation_ : Imputation or None
        What the latest call of `impute` did.
    """

    codec_: TableCodec
    model_: Model
    seed_: int
    monitor: Monitor | None
    imputation_: Imputation | None = None
    _calls: int

    def sample(self, *rest: Any, **options: Any) -> pd.DataFrame:
        """Make rows; see `Synthesizer.sample`."""
        raise NotImplementedError

    @overload
    def impute(
        self,
        table: pd.DataFrame,
        *,
        draws: Literal[1] = 1,
        max_tries: int = TRIES,
        seed: int | None = None,
        monitor: Monitor | None = None,
    ) -> pd.DataFrame: ...

    @overload
    def impute(
        self,
        table: pd.DataFrame,
        *,
        draws: int,
        max_tries: int = TRIES,
        seed: int | None = None,
        monitor: Monitor | None = None,
    ) -> pd.DataFrame | list[pd.DataFrame]: ...

    def impute(
        self,
        table: pd.DataFrame,
        *,
        draws: int = 1,
        max_tries: int = TRIES,
        seed: int | None = None,
        monitor: Monitor | None = None,
    ) -> pd.DataFrame | list[pd.DataFrame]:
        """Fill the missing cells of a table by draws from the model, given the cells there are.

        Cells that are there stay as they are, with index, dtypes and order. So do columns that are
        never learnt (keys, personal data, free text, constants).

        Parameters
        ----------
        table : DataFrame of shape (n_rows, n_columns)
            Any rows of the columns learnt, typed or texts. Columns may be absent: then nothing is
            known of them, and they stay absent.
        draws : int
            How many tables to make. Several differ where cells were missing, which shows how
            uncertain these are (multiple imputation).
        max_tries : int
            A row that the model makes less often than once in so many draws is drawn from a part of
            its cells: from two thirds of them, then two thirds of these, and so on. Cells go first
            whose columns say least, in what the model learnt, about those that the row lacks.
            Models that complete rows directly (`independent`, `autoregressive`) never need that.
        seed : int, optional
            For this table alone. Without it, successive calls continue from the seed of `fit`.
        monitor : callable, optional

        Returns
        -------
        DataFrame, or list of DataFrame where `draws` is more than 1
            No cell of a learnt column is missing. What was done is told by `imputation_`, and
            logged.

        Raises
        ------
        DataError
            If columns are not known, or stored in a dtype that cannot hold what is drawn.
        SchemaError
            If cells are not what their columns are, with every problem.
        SampleError
            If nothing was fitted, or if the model nearly always draws a missing cell where one is
            to be filled; it says how many cells of which columns.
        ConfigError
            If `draws` or `max_tries` is not a positive integer.

        Notes
        -----
        A cell that the model cannot be asked for (a value that was not learnt, or lies beyond the
        range learnt) is kept and passed over: the rest of its row is drawn without it.

        All missing cells of a row are drawn together, up to 85 times until none of them is missing.
        After that, those drawn are kept and the others drawn given them; so where several columns
        are mostly missing the dependence between them is approximate. Constraints of the schema
        hold for what is filled in.

        Privacy: the result holds the real rows as they are. What is filled in follows a model that
        was fitted without a budget, which may have learnt these very cells.

        Examples
        --------
        >>> import pandas as pd
        >>> from tabsynth import Synthesizer
        >>> table = pd.DataFrame({"x": [1, 2, 3, 4] * 10, "y": list("abab") * 10})
        >>> synthesizer = Synthesizer("independent", seed=7).fit(table)
        >>> filled = synthesizer.impute(pd.DataFrame({"x": [1, 2], "y": ["b", None]}))
        >>> filled["x"].tolist(), bool(filled["y"].isna().any())
        ([1, 2], False)
        """
        self._require_fitted()
        check_integer("draws", draws, 1)
        check_integer("max_tries", max_tries, 1)
        self.imputation_ = None
        tables, self.imputation_ = impute(
            table,
            self.model_,
            self.codec_,
            draws,
            self._streams("impute", seed),
            monitor or self.monitor or ignore,
            max_tries,
        )
        return tables[0] if draws == 1 else tables

    def augment(
        self,
        table: pd.DataFrame,
        n_rows: int,
        *,
        mark: str | None = None,
        seed: int | None = None,
        monitor: Monitor | None = None,
    ) -> pd.DataFrame:
        """Return the rows of a table, and `n_rows` synthetic ones after them.

        Parameters
        ----------
        table : DataFrame
            Real rows, of the columns learnt or some of them.
        n_rows : int
            Rows to make.
        mark : str, optional
            Name of a further column, which is true in synthetic rows.
        seed : int, optional
            For these rows alone. Without it, successive calls continue from the seed of `fit`.
        monitor : callable, optional

        Returns
        -------
        DataFrame
            Columns and dtypes of `table`. Synthetic rows have keys that no real row has, and
            missing cells in columns that are left out of rows made. The index counts from 0.

        Raises
        ------
        DataError
            If columns are not known, or stored in a dtype that cannot hold what is made.
        ConfigError
            If `n_rows` is no integer of at least 0, or the name of the mark is taken.
        SampleError
            If nothing was fitted, or if so many unique keys cannot be made.

        Notes
        -----
        Privacy: **the result holds real rows and is not de-identified**; a warning is logged.

        Examples
        --------
        >>> import pandas as pd
        >>> from tabsynth import Synthesizer
        >>> table = pd.DataFrame({"x": [1, 2, 3, 4] * 10, "y": list("abab") * 10})
        >>> more = Synthesizer("independent", seed=7).fit(table).augment(table, 5, mark="made")
        >>> len(more), int(more["made"].sum())
        (45, 5)
        """
        self._require_fitted()
        check_integer("n_rows", n_rows, 0)
        check_augmentation(table, self.codec_, mark)
        streams = self._streams("augment", seed)
        made = self.sample(n_rows, seed=streams.integer("rows"), monitor=monitor)
        logger.warning(REAL_ROWS)
        return append_rows(table, made, self.codec_, mark, streams)

    def rebalance(
        self,
        table: pd.DataFrame,
        column: str,
        *,
        ratio: float = 1.0,
        mark: str | None = None,
        seed: int | None = None,
        monitor: Monitor | None = None,
    ) -> pd.DataFrame:
        """Return the rows of a table, and synthetic ones after them that balance a column.

        Parameters
        ----------
        table : DataFrame
            Real rows, of the columns learnt or some of them.
        column : str
            A column of categories or truth values, of at most 100 different ones. Missing cells are
            no class.
        ratio : float
            In (0, 1]: rows that every value has at least, as a share of those of the most common
            one.
        mark, seed, monitor
            As for `augment`.

        Returns
        -------
        DataFrame
            As that of `augment`.

        Raises
        ------
        DataError
            If columns are not known, or stored in a dtype that cannot hold what is made.
        ConfigError
            If the column is none of the table, has no classes or too many, or has some that the
            model cannot make; if `ratio` is not allowed, or the name of the mark is taken.
        SampleError
            If nothing was fitted, if the model makes rows of a class too rarely, or if so many
            unique keys cannot be made.

        Notes
        -----
        Privacy: **the result holds real rows and is not de-identified**; a warning is logged.

        Examples
        --------
        >>> import pandas as pd
        >>> from tabsynth import Synthesizer
        >>> table = pd.DataFrame({"x": [1, 2, 3, 4] * 10, "y": list("aaab") * 10})
        >>> fitted = Synthesizer("independent", seed=7).fit(table)
        >>> fitted.rebalance(table, "y", ratio=0.5)["y"].value_counts().tolist()
        [30, 15]
        """
        self._require_fitted()
        check_augmentation(table, self.codec_, mark)
        wanted = wanted_classes(table, column, ratio, self.codec_)
        streams = self._streams("rebalance", seed)
        made = self.sample(given=wanted, seed=streams.integer("rows"), monitor=monitor)
        logger.warning(REAL_ROWS)
        return append_rows(table, made, self.codec_, mark, streams)

    def _require_fitted(self) -> None:
        if not hasattr(self, "model_"):
            raise SampleError("Nothing was learnt yet. Call fit first.")

    def _streams(self, use: str, seed: int | None) -> Streams:
        """Return the streams of one call: of its own seed, or going on from that of `fit`."""
        if seed is not None:
            return Streams(seed).child(f"{use} 0")
        self._calls += 1
        return Streams(self.seed_).child(f"{use} {self._calls - 1}")
