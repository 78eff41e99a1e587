"""Synthesizer: a table in, rows like it out."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self

import pandas as pd

from tabsynth.artifact import Artifact, read_artifact, write_artifact
from tabsynth.codec import TableCodec
from tabsynth.encoding.layout import Layout
from tabsynth.errors import ArtifactError, ConfigError, DataError, SampleError, TabsynthError
from tabsynth.models import Model, ModelState, models
from tabsynth.monitor import Monitor, ignore
from tabsynth.privacy.training import ExactTrainingData
from tabsynth.random import Streams
from tabsynth.schema import Schema
from tabsynth.schema.infer import MINIMUM_ROWS, check_schema, infer_schema, with_dtypes

NO_PRIVACY = (
    "No differential privacy was used: the model was fitted to the rows exactly, and nothing "
    "here is a formal guarantee."
)
"""The statement that goes with every model fitted without a budget."""

FEW_ROWS = 200
"""Below this many rows `auto` does not train a network."""


@dataclass(frozen=True)
class Choice:
    """Which model is used, and why.

    Attributes
    ----------
    model : str
        Registered name.
    reason : str
        In words for the plan.
    notice : str
        What a person must know before using that model.
    """

    model: str
    reason: str
    notice: str = ""


class Synthesizer:
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
    >>> rows = Synthesizer("independent", seed=7).fit(table).sample(3)
    >>> rows.shape, rows.dtypes.astype(str).tolist()
    ((3, 2), ['int64', 'str'])
    """

    def __init__(
        self,
        model: str = "auto",
        *,
        parameters: Mapping[str, Any] | None = None,
        schema: Schema | None = None,
        target: str | Sequence[str] | None = None,
        seed: int | None = None,
        monitor: Monitor | None = None,
    ) -> None:
        self.model = model
        self.parameters = parameters
        self.schema = schema
        self.target = target
        self.seed = seed
        self.monitor = monitor

    def __repr__(self) -> str:
        state = f"fitted on {self.n_rows_:,} rows" if hasattr(self, "model_") else "not fitted"
        return f"Synthesizer(model={self.model!r}, seed={self.seed!r}; {state})"

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters of the constructor by name, as scikit-learn's `clone` expects."""
        return {
            name: getattr(self, name)
            for name in ("model", "parameters", "schema", "target", "seed", "monitor")
        }

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

    def fit(self, table: pd.DataFrame) -> Self:
        """Learn `table`.

        Parameters
        ----------
        table : DataFrame of shape (n_rows, n_columns)
            Typed columns or texts (as read from a CSV file); the index is ignored.

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
            If there is no such model or hyper-parameter.
        """
        started = time.perf_counter()
        if not isinstance(table, pd.DataFrame):
            raise DataError(f"fit takes a pandas DataFrame. Got {type(table).__name__}.")
        monitor = self.monitor or ignore
        streams = Streams(self.seed)
        require_rows(len(table))
        choice = self.choose(len(table))
        kind = models.get(choice.model)
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
        model.fit(ExactTrainingData(encoded), streams.child("fit"), monitor)
        self._set(schema, codec, model, choice, streams.seed, len(table))
        self.seconds_ = time.perf_counter() - started
        return self

    def choose(self, n_rows: int) -> Choice:
        """Return the model that a table of `n_rows` rows gets, with the reason."""
        if self.model != "auto":
            return Choice(self.model, "asked for", models.get(self.model).notice)
        if n_rows < FEW_ROWS:
            return Choice(
                "independent",
                f"fewer than {FEW_ROWS} rows are too few to learn how columns depend on each "
                "other without remembering rows",
            )
        return Choice("tvae", "the most faithful of the models here")

    def sample(
        self, n_rows: int, *, seed: int | None = None, monitor: Monitor | None = None
    ) -> pd.DataFrame:
        """Make `n_rows` new rows.

        Parameters
        ----------
        n_rows : int
            0 gives an empty table with the right dtypes.
        seed : int, optional
            For these rows alone. Without it, successive calls continue from the seed of `fit`.
        monitor : callable, optional

        Returns
        -------
        DataFrame of shape (n_rows, n_columns)
            Names, order and dtypes as in the table learnt; free text is left out.

        Raises
        ------
        SampleError
            If nothing was fitted, or so many unique keys cannot be made.
        """
        if not hasattr(self, "model_"):
            raise SampleError("Nothing was learnt yet. Call fit first.")
        if isinstance(n_rows, bool) or not isinstance(n_rows, int) or n_rows < 0:
            raise ConfigError(f"The number of rows must be 0 or a positive integer. Got {n_rows}.")
        if seed is None:
            streams = Streams(self.seed_).child(f"sample {self._calls}")
            self._calls += 1
        else:
            streams = Streams(seed).child("sample 0")
        watch = monitor or self.monitor or ignore
        encoded = self.model_.sample(n_rows, streams.child("model"), watch)
        return self.codec_.decode(encoded, streams.child("decode"), watch)

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write the model file: JSON and safetensors in a zip, no code.

        Notes
        -----
        Privacy: without a budget the file may tell about rows; treat it like the source.
        """
        if not hasattr(self, "model_"):
            raise SampleError("Nothing was learnt yet. Call fit first.")
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
        self._calls = 0


def with_target(
    kind: type[Model],
    parameters: dict[str, Any],
    target: str | Sequence[str] | None,
    names: Sequence[str],
) -> dict[str, Any]:
    """Return the hyper-parameters of a model, `target` among them where the model has such one.

    Raises
    ------
    ConfigError
        If a target is no column.
    """
    if not any(item.name == "target" for item in fields(kind.parameters_type)):
        return parameters
    if target is not None:
        parameters.setdefault("target", target)
    given = parameters.get("target", ())
    wanted = (given,) if isinstance(given, str) else tuple(given)
    for name in wanted:
        if name not in names:
            raise ConfigError(f"The target {name!r} is no column of the table.")
    return {**parameters, "target": wanted} if wanted else parameters


def require_rows(n_rows: int) -> None:
    """Raise DataError where a table has too few rows to learn from."""
    if n_rows < MINIMUM_ROWS:
        raise DataError(
            f"The table has {n_rows} rows; at least {MINIMUM_ROWS} are needed to learn from."
        )


def versions() -> dict[str, str]:
    """Return the versions of what a result depends on."""
    found = {"python": platform.python_version()}
    for name in ("pytabsynth", "numpy", "pandas", "torch", "scikit-learn", "pyarrow"):
        try:
            found["tabsynth" if name == "pytabsynth" else name] = version(name)
        except PackageNotFoundError:
            continue
    return found
