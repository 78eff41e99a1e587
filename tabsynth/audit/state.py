"""State: a folder with the runs that are done, so that an audit goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tabsynth.audit.running import Seen
from tabsynth.errors import DataError
from tabsynth.io import atomic_path

VERSION = 1
"""Version of the files in the folder."""
PLAN = "audit.json"
_PARTS = {
    "table": "the table",
    "schema": "the schema",
    "model": "the model",
    "parameters": "the hyper-parameters",
    "seed": "the seed",
    "settings": "the size of the audit, epsilon, delta or the set of methods",
    "versions": "the version of tabsynth or of what it uses",
}


class State:
    """The finished runs of one method of one audit.

    Parameters
    ----------
    folder : Path or None
        Where they are kept; None keeps nothing.
    identity : mapping
        What must be the same for runs to be taken up again, one entry for each of `_PARTS`.
    n_runs : int

    Privacy
    -------
    What is kept was computed from private rows: the folder is confidential.
    """

    def __init__(self, folder: Path | None, identity: Mapping[str, Any], n_runs: int) -> None:
        self.folder = folder
        self.identity = {"tabsynth_audit_state": VERSION, **identity}
        self.n_runs = n_runs

    def open(self) -> dict[int, np.ndarray]:
        """Return the values of the runs that are done, by their places; begin where none is.

        Raises
        ------
        DataError
            If the folder holds another audit, holds something else, or cannot be written.
        """
        if self.folder is None:
            return {}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            plan = self.folder / PLAN
            if plan.exists():
                self._compare(plan)
            elif any(not path.name.startswith(".") for path in self.folder.iterdir()):
                raise DataError(
                    f"{self.folder} holds files that no audit wrote. Name an empty folder for the "
                    "state, or one that does not exist."
                )
            else:
                self._write(PLAN, self.identity)
            done = {}
            for place in range(self.n_runs):
                path = self.folder / _name(place)
                if path.exists():
                    done[place] = _read(path, place)
        except OSError as error:
            raise DataError(
                f"The state folder {self.folder} cannot be used: {error.strerror}. Choose another "
                "one or change its permissions."
            ) from None
        return done

    def keep(self, seen: Seen) -> None:
        """Keep a run, whole or not at all."""
        if self.folder is not None:
            values = seen.values
            finite = [value if math.isfinite(value) else None for value in values.ravel().tolist()]
            document = {"run": seen.place, "shape": list(values.shape), "values": finite}
            self._write(_name(seen.place), {**document, "seconds": round(seen.seconds, 3)})

    def _write(self, name: str, document: Mapping[str, Any]) -> None:
        assert self.folder is not None
        text = json.dumps(document, allow_nan=False, sort_keys=True) + "\n"
        with atomic_path(self.folder / name, force=True) as temporary:
            temporary.write_text(text, encoding="utf-8")

    def _compare(self, path: Path) -> None:
        """Raise DataError where the folder belongs to another audit."""
        written = _json(path)
        mine = json.loads(json.dumps(self.identity))
        if written == mine:
            return
        if not isinstance(written, dict) or "tabsynth_audit_state" not in written:
            raise DataError(f"{path} was not written by an audit. Name another folder.")
        differs = [words for part, words in _PARTS.items() if written.get(part) != mine[part]]
        raise DataError(
            f"{self.folder} holds the state of another audit and was left as it is. Not the same: "
            f"{', '.join(differs) or 'the format of the files'}. Repeat the call that began it, or "
            "name another folder."
        )


def _name(place: int) -> str:
    return f"run-{place + 1:05d}.json"


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError):
        raise DataError(
            f"{path} is damaged: it is no JSON. Remove this file; its run is then done again."
            if path.name != PLAN
            else f"{path} is damaged: it is no JSON. Name another folder."
        ) from None


def _read(path: Path, place: int) -> np.ndarray:
    """Return the values of a run."""
    document = _json(path)
    try:
        if document["run"] != place:
            raise ValueError
        shape = tuple(document["shape"])
        return np.array(document["values"], dtype=np.float64).reshape(shape)
    except (KeyError, TypeError, ValueError):
        raise DataError(
            f"{path} is damaged: it does not hold what an audit wrote. Remove this file; its run "
            "is then done again."
        ) from None


def digest_of(frame: pd.DataFrame) -> str:
    """Return a digest of the names, dtypes and cells of a table.

    Examples
    --------
    >>> one, other = pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"a": [1, 3]})
    >>> digest_of(one) == digest_of(one.copy()), digest_of(one) == digest_of(other)
    (True, False)
    """
    hashed = hashlib.sha256()
    for name in frame.columns:
        cells = pd.util.hash_pandas_object(frame[name], index=False, categorize=False)
        hashed.update(f"{name}\x1f{frame[name].dtype}\x1f".encode())
        hashed.update(cells.to_numpy(dtype=np.uint64).tobytes())
    return hashed.hexdigest()
