"""The model file: no code in it, the same bytes again, and damage is noticed."""

import json
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest

from tabsynth import ArtifactError, DataError, Synthesizer
from tabsynth.artifact import Artifact, read_artifact, read_manifest, write_artifact


@pytest.fixture
def path(tmp_path):
    table = pd.DataFrame({"x": [1, 2, 3, 4] * 10, "y": list("abab") * 10})
    Synthesizer("independent", seed=7).fit(table).save(tmp_path / "model.tabsynth")
    return tmp_path / "model.tabsynth"


def rewrite(path, change):
    """Write the zip again with `change(name, data)` applied to its members."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            changed = change(name, data)
            if changed is not None:
                archive.writestr(name, changed)


def test_the_same_content_gives_the_same_bytes(tmp_path):
    artifact = Artifact(
        {"model": "m"},
        {"schema": {}, "codec": {}, "model": {}, "ledger": {}},
        {"w": np.arange(5.0)},
    )
    for name in ("a", "b"):
        write_artifact(artifact, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    back = read_artifact(tmp_path / "a")
    assert back.tensors["w"].tolist() == [0, 1, 2, 3, 4]


def test_there_is_nothing_but_json_and_tensors_in_it(path):
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        for name in names:
            if name.endswith(".json"):
                json.loads(archive.read(name))
    assert {name.rsplit(".", 1)[1] for name in names} == {"json", "safetensors"}


def test_the_manifest_says_there_was_no_differential_privacy(path):
    manifest = read_manifest(path)
    assert "No differential privacy" in manifest["privacy"]
    assert manifest["shareable"] is False
    assert manifest["seed"] == 7


def test_an_existing_file_is_not_overwritten_unless_told(path):
    before = path.read_bytes()
    table = pd.DataFrame({"x": [1, 2] * 20})
    synth = Synthesizer("independent", seed=1).fit(table)
    with pytest.raises(DataError, match="exists"):
        synth.save(path)
    assert path.read_bytes() == before
    synth.save(path, force=True)
    assert path.read_bytes() != before


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_refused(path, share):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ArtifactError, match=r"model\.tabsynth"):
        Synthesizer.load(path)


@pytest.mark.parametrize(
    "member", ["schema.json", "codec.json", "ledger.json", "tensors.safetensors"]
)
def test_a_changed_member_is_refused(path, member):
    rewrite(path, lambda name, data: data + b" " if name == member else data)
    with pytest.raises(ArtifactError, match=f"{member} is not what was written"):
        Synthesizer.load(path)


@pytest.mark.parametrize("member", ["manifest.json", "codec.json", "tensors.safetensors"])
def test_a_missing_member_is_refused(path, member):
    rewrite(path, lambda name, data: None if name == member else data)
    with pytest.raises(ArtifactError, match=member.split(".")[0]):
        Synthesizer.load(path)


def test_flipped_bytes_are_refused_wherever_they_are(path):
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(data), 40):
        damaged = bytearray(data)
        damaged[place] ^= 0xFF
        path.write_bytes(bytes(damaged))
        try:
            again = Synthesizer.load(path)
        except ArtifactError:
            continue
        # Bytes outside the members (dates and the like) may change nothing that matters.
        assert again.seed_ == 7


def test_a_newer_format_is_refused_with_the_remedy(path):
    def newer(name, data):
        if name != "manifest.json":
            return data
        return json.dumps({**json.loads(data), "tabsynth_model": 99}).encode()

    rewrite(path, newer)
    with pytest.raises(ArtifactError, match=r"format 99.*Update tabsynth"):
        Synthesizer.load(path)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04junk"])
def test_something_else_is_refused(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ArtifactError, match="no model file"):
        Synthesizer.load(tmp_path / "file")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ArtifactError, match="There is no model file"):
        Synthesizer.load(tmp_path / "absent")


def test_another_zip_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "file", "w") as archive:
        archive.writestr("manifest.json", "{}")
    with pytest.raises(ArtifactError, match="no model file of tabsynth"):
        Synthesizer.load(tmp_path / "file")


def test_reading_the_manifest_does_not_import_torch(path):
    code = (
        "import sys; from tabsynth.artifact import read_manifest; "
        f"read_manifest({str(path)!r}); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
