"""The model file: a zip of JSON documents and safetensors, with nothing in it that can run.

Members: `manifest.json` (format version, versions of the software, model, hyper-parameters, seed,
and the sha256 of every other member), `schema.json`, `codec.json`, `model.json`, `ledger.json` and
`tensors.safetensors`. Digests detect damage and careless edits; they are no signature.
"""

from __future__ import annotations

import hashlib
import json
import platform
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from tabsynth.errors import ArtifactError
from tabsynth.io import atomic_path

FORMAT = 1
"""Version of the file format; files of a newer one are refused."""

DOCUMENTS = ("schema", "codec", "model", "ledger")
TENSORS = "tensors.safetensors"
MANIFEST = "manifest.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MOST_BYTES = 8 << 30


@dataclass(frozen=True)
class Artifact:
    """What a model file holds.

    Attributes
    ----------
    manifest : mapping
        What `tabsynth model show` prints.
    documents : mapping of str to JSON
        `schema`, `codec`, `model`, `ledger`.
    tensors : mapping of str to ndarray
    """

    manifest: Mapping[str, Any]
    documents: Mapping[str, Any] = field(default_factory=dict)
    tensors: Mapping[str, np.ndarray] = field(default_factory=dict)


def write_artifact(artifact: Artifact, path: str | Path, *, force: bool = False) -> None:
    """Write a model file; the same content gives the same bytes.

    Raises
    ------
    DataError
        If the file exists (without `force`) or cannot be written; what was there stays.
    """
    from safetensors.numpy import save

    members = {f"{name}.json": _json(artifact.documents[name]) for name in DOCUMENTS}
    members[TENSORS] = save({k: np.ascontiguousarray(v) for k, v in artifact.tensors.items()})
    manifest = {
        "tabsynth_model": FORMAT,
        **artifact.manifest,
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in members.items()},
    }
    with (
        atomic_path(path, force=force) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name, data in {MANIFEST: _json(manifest), **members}.items():
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, data)


def read_manifest(path: str | Path) -> dict[str, Any]:
    """Return the manifest of a model file without reading the rest.

    Raises
    ------
    ArtifactError
        If the file is no model file, is damaged, or comes from a newer version.
    """
    with _opened(path) as archive:
        return _manifest(archive, path)


def read_artifact(path: str | Path) -> Artifact:
    """Read a model file and check it whole.

    Raises
    ------
    ArtifactError
        If the file is no model file, is damaged or was changed, or comes from a newer version.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    with _opened(path) as archive:
        manifest = _manifest(archive, path)
        digests = manifest.get("sha256")
        names = [*(f"{name}.json" for name in DOCUMENTS), TENSORS]
        if not isinstance(digests, dict) or sorted(digests) != sorted(names):
            raise ArtifactError(f"Model file {path}: its manifest does not list its members.")
        members: dict[str, bytes] = {}
        for name in names:
            data = _member(archive, name, path)
            if hashlib.sha256(data).hexdigest() != digests[name]:
                raise ArtifactError(
                    f"Model file {path}: {name} is not what was written (its sha256 differs). "
                    "The file was damaged or changed; get it again from its source."
                )
            members[name] = data
    try:
        documents = {name: json.loads(members[f"{name}.json"]) for name in DOCUMENTS}
        tensors = load(members[TENSORS])
    except (ValueError, SafetensorError) as error:
        raise ArtifactError(f"Model file {path}: a member cannot be read.") from error
    return Artifact(manifest, documents, tensors)


def _opened(path: str | Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except FileNotFoundError:
        raise ArtifactError(f"There is no model file {path}.") from None
    except (zipfile.BadZipFile, OSError, EOFError):
        raise ArtifactError(
            f"{path} is no model file of tabsynth, or it is cut off. Model files are written by "
            "'tabsynth fit' or Synthesizer.save."
        ) from None


def _manifest(archive: zipfile.ZipFile, path: str | Path) -> dict[str, Any]:
    try:
        manifest = json.loads(_member(archive, MANIFEST, path))
    except ValueError:
        raise ArtifactError(f"Model file {path}: its manifest cannot be read.") from None
    version = manifest.get("tabsynth_model") if isinstance(manifest, dict) else None
    if not isinstance(version, int):
        raise ArtifactError(f"{path} is a zip file, but no model file of tabsynth.")
    if version > FORMAT:
        raise ArtifactError(
            f"Model file {path} is of format {version}; this version of tabsynth reads formats "
            f"up to {FORMAT}. Update tabsynth."
        )
    return dict(manifest)


def _member(archive: zipfile.ZipFile, name: str, path: str | Path) -> bytes:
    try:
        if archive.getinfo(name).file_size > _MOST_BYTES:
            raise ArtifactError(f"Model file {path}: {name} is unreasonably large.")
        return archive.read(name)
    except KeyError:
        raise ArtifactError(f"{path} is no model file of tabsynth: it has no {name}.") from None
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError) as error:
        raise ArtifactError(f"Model file {path}: {name} is damaged.") from error
    except Exception as error:  # zlib.error has no public base class of its own
        if type(error).__module__ == "zlib":
            raise ArtifactError(f"Model file {path}: {name} is damaged.") from error
        raise


def _json(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1).encode()


def versions() -> dict[str, str]:
    """Return the versions of what a result depends on."""
    found = {"python": platform.python_version()}
    for name in ("pytabsynth", "numpy", "pandas", "torch", "scikit-learn", "pyarrow"):
        try:
            found["tabsynth" if name == "pytabsynth" else name] = version(name)
        except PackageNotFoundError:
            continue
    return found
