"""Synthesizer: a table in, rows like it out."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pandas as pd

from tabsynth.artifact import Artifact, read_artifact, versions, write_artifact
from tabsynth.choice import Choice, choose_model, with_target
from tabsynth.codec import Fixed, TableCodec
from tabsynth.completion import draw_rows
from tabsynth.encoding.layout import Layout
from tabsynth.encoding.table import EncodedTable
from tabsynth.errors import ArtifactError, ConfigError, DataError, TabsynthError
from tabsynth.fair import Fair, Parity
from tabsynth.given import Request
from tabsynth.models import MAX_TRIES, Effort, IterativeModel, Model, ModelState, models
from tabsynth.monitor import Monitor, ignore
from tabsynth.privacy.training import ExactTrainingData
from tabsynth.random import Streams
from tabsynth.schema import Schema
from tabsynth.schema.infer import check_schema, infer_schema, require_rows, with_dtypes
from tabsynth.selection import Rejection, check_choice, select
from tabsynth.uses import Uses
from tabsynth.validation import check_integer

NO_PRIVACY = (
    "No differential privacy was used: the model was fitted to the rows exactly, and nothing "
    "here is a formal guarantee."
)
"""The statement that goes with every model fitted without a budget."""

PARAMETERS = ("model", "parameters", "schema", "target", "seed", "conditional", "monitor")
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
        Rows learnt from.
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
    but this is no formal guarantee.

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
        monitor: Monitor | None = None,
    ) -> None:
        self.model = model
        self.parameters = parameters
        self.schema = schema
        self.target = target
        self.seed = seed
        self.conditional = conditional
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
        monitor = self.monitor or ignore
        streams = Streams(seed_of(self.seed, checkpoint))
        require_rows(len(table))
        choice = self.choose(len(table))
        kind = models.get(choice.model)
        if checkpoint is not None and not issubclass(kind, IterativeModel):
            raise ConfigError(
                f"Model {choice.model!r} is not trained in steps, so it has no checkpoint. Leave "
                "the checkpoint out."
            )
        parameters = with_target(
            kind, dict(self.parameters or {}), self.target, list(table.columns)
        )
        model = kind(kind.parameters_type.from_dict(parameters, choice.model))
        if self.schema is None:
            schema = infer_schema(table)
        else:
            check_schema(self.schema, table)
            schema = with_dtypes(self.schema, table)
        codec = TableCodec.fit(schema, [table], model.coding, monitor)
        encoded = codec.encode(table, streams.child("encode"), monitor)
        data = ExactTrainingData(encoded)
        if isinstance(model, IterativeModel):
            model.fit(data, streams.child("fit"), monitor, checkpoint=checkpoint)
        else:
            model.fit(data, streams.child("fit"), monitor)
        self._set(schema, codec, model, choice, streams.seed, len(table))
        self.seconds_ = time.perf_counter() - started
        return self

    def choose(self, n_rows: int) -> Choice:
        """Return the model that a table of `n_rows` rows gets, with the reason."""
        return choose_model(self.model, n_rows, conditional=self.conditional)

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
        Privacy: without a budget the file may tell about rows; treat it like the source.
        """
        self._require_fitted()
        state = self.model_.state()
        manifest = {
            "model": self.model_.name,
            "description": self.model_.description,
            "parameters": self.model_.parameters.to_dict(),
            "choice": self.choice_.reason,
            "seed": self.seed_,
            "rows": self.n_rows_,
            "columns": len(self.schema_),
            "seconds": round(self.seconds_, 3),
            "training": training_of(self.model_),
            "privacy": f"{NO_PRIVACY} {self.model_.notice}".strip(),
            "shareable": False,
            "versions": versions(),
        }
        documents = {
            "schema": self.schema_.to_dict(),
            "codec": self.codec_.state(),
            "model": {"layout": self.codec_.layout.to_list(), "values": state.values},
            "ledger": {"mechanism": "none", "statement": NO_PRIVACY},
        }
        write_artifact(Artifact(manifest, documents, state.tensors), path, force=force)

    @classmethod
    def load(cls, path: str | Path) -> Synthesizer:
        """Read a model file.

        Raises
        ------
        ArtifactError
            If the file is damaged, was changed, or comes from a newer version.
        """
        artifact = read_artifact(path)
        try:
            schema = Schema.from_dict(artifact.documents["schema"])
            codec = TableCodec.load(schema, artifact.documents["codec"])
            name = artifact.manifest["model"]
            kind = models.get(name)
            parameters = kind.parameters_type.from_dict(artifact.manifest["parameters"], name)
            saved = artifact.documents["model"]
            model = kind.from_state(
                parameters,
                Layout.from_list(saved["layout"]),
                ModelState(saved["values"], dict(artifact.tensors)),
            )
            choice = Choice(name, artifact.manifest["choice"])
            seed, n_rows = artifact.manifest["seed"], artifact.manifest["rows"]
            seconds = float(artifact.manifest["seconds"])
        except TabsynthError as error:
            raise ArtifactError(f"Model file {path} cannot be used: {error}") from error
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise ArtifactError(
                f"Model file {path} cannot be used: its content is not what this version of "
                "tabsynth writes."
            ) from error
        synthesizer = cls(name, parameters=artifact.manifest["parameters"], seed=seed)
        synthesizer._set(schema, codec, model, choice, seed, n_rows)
        synthesizer.seconds_ = seconds
        return synthesizer

    def _set(
        self,
        schema: Schema,
        codec: TableCodec,
        model: Model,
        choice: Choice,
        seed: int,
        n_rows: int,
    ) -> None:
        self.schema_ = schema
        self.codec_ = codec
        self.model_ = model
        self.choice_ = choice
        self.seed_ = seed
        self.n_rows_ = n_rows
        self.effort_, self.fairness_, self.rejected_, self.imputation_ = (None,) * 4
        self._calls = 0


def seed_of(seed: int | None, checkpoint: str | Path | None) -> int | None:
    """Return `seed`, or where there is none that of the checkpoint, or None.

    Raises
    ------
    ArtifactError
        If the file exists and is no checkpoint.
    """
    if seed is not None or checkpoint is None or not Path(checkpoint).exists():
        return seed
    from tabsynth.models.neural.checkpoint import read_seed

    return read_seed(checkpoint)


def training_of(model: Model) -> dict[str, Any] | None:
    """Return how many steps a model was trained, and why no more; None where it was not."""
    if not isinstance(model, IterativeModel):
        return None
    return {"steps": model.steps_, "stopped": model.stopped_}
