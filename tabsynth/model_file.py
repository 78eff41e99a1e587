"""Model files: what was fitted, as a manifest, documents and arrays, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tabsynth.artifact import Artifact, versions
from tabsynth.choice import Choice
from tabsynth.codec import TableCodec
from tabsynth.encoding.layout import Layout
from tabsynth.errors import ArtifactError, TabsynthError
from tabsynth.fitting import Fitted
from tabsynth.models import IterativeModel, Model, ModelState, models
from tabsynth.privacy.ledger import Ledger
from tabsynth.schema import Schema

NO_PRIVACY = (
    "No differential privacy was used: the model was fitted to the rows exactly, and nothing "
    "here is a formal guarantee."
)
"""The statement that goes with every model fitted without a budget."""


def to_artifact(found: Fitted, seed: int, seconds: float) -> Artifact:
    """Return the content of a model file.

    Parameters
    ----------
    found : Fitted
    seed : int
    seconds : float
        How long the fit took; left out under a budget, as it tells about rows.
    """
    state, ledger = found.model.state(), found.ledger
    manifest = {
        "model": found.model.name,
        "description": found.model.description,
        "parameters": found.model.parameters.to_dict(),
        "choice": found.choice.reason,
        "seed": seed,
        "rows": found.n_rows,
        "columns": len(found.schema),
        "seconds": round(seconds, 3) if ledger is None else None,
        "training": training_of(found.model),
        "privacy": f"{privacy_of(ledger)['statement']} {found.model.notice}".strip(),
        "shareable": ledger is not None and ledger.holds,
        "versions": versions(),
    }
    documents = {
        "schema": found.schema.to_dict(),
        "codec": found.codec.state(),
        "model": {"layout": found.codec.layout.to_list(), "values": state.values},
        "ledger": privacy_of(ledger),
    }
    return Artifact(manifest, documents, state.tensors)


def from_artifact(artifact: Artifact, path: str | Path) -> tuple[Fitted, int, float]:
    """Return what was fitted, the seed, and the seconds that it took (0 where unknown).

    Raises
    ------
    ArtifactError
        If the content is not that of a model file.
    """
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
        seconds = float(artifact.manifest["seconds"] or 0.0)
        account = artifact.documents["ledger"]
        ledger = Ledger.from_dict(account) if "spends" in account else None
    except TabsynthError as error:
        raise ArtifactError(f"Model file {path} cannot be used: {error}") from error
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise ArtifactError(
            f"Model file {path} cannot be used: its content is not what this version of "
            "tabsynth writes."
        ) from error
    return Fitted(schema, codec, model, choice, n_rows, ledger), seed, seconds


def privacy_of(ledger: Ledger | None) -> dict[str, Any]:
    """Return what is guaranteed, as JSON for reports and model files."""
    if ledger is None:
        return {"mechanism": "none", "statement": NO_PRIVACY}
    return ledger.to_dict()


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
