"""What no module may use: pickle, unsafe loading, global random state, prints."""

from __future__ import annotations

import ast

import pytest

# A model file that runs code when it is opened is no model file.
BANNED_MODULES = {"pickle", "_pickle", "cloudpickle", "joblib", "dill", "shelve", "marshal"}
BANNED_NAMES = {
    "torch.load": "use safetensors",
    "torch.save": "use safetensors",
    "pandas.read_pickle": "use Parquet or JSON",
    "torch.manual_seed": "use tabsynth.random.Streams",
    "torch.seed": "use tabsynth.random.Streams",
    "torch.random.manual_seed": "use tabsynth.random.Streams",
    "torch.random.seed": "use tabsynth.random.Streams",
    "torch.cuda.manual_seed": "use tabsynth.random.Streams",
    "torch.cuda.manual_seed_all": "use tabsynth.random.Streams",
}
# What is left of these modules when everything that shares one global state is taken away.
WITHOUT_GLOBAL_STATE = {
    "numpy.random": {"Generator", "BitGenerator", "PCG64", "PCG64DXSM", "Philox", "SeedSequence"},
    "random": {"Random", "SystemRandom"},
}


def offences(module):
    """Return a sentence for every banned thing that `module` uses."""
    found = [
        f"{module.where(item.line)}: {item.name}; model files are JSON and safetensors"
        for item in module.imports
        if item.name.split(".")[0] in BANNED_MODULES
    ]
    names = {(item.name, item.line) for item in module.imports} | set(module.uses)
    for name, line in sorted(names):
        if name in BANNED_NAMES:
            found.append(f"{module.where(line)}: {name}; {BANNED_NAMES[name]}")
        above, _, last = name.rpartition(".")
        if above in WITHOUT_GLOBAL_STATE and last not in WITHOUT_GLOBAL_STATE[above]:
            found.append(f"{module.where(line)}: {name}; use tabsynth.random.Streams")
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id == "print" and module.room != "cli":
            found.append(f"{module.where(node.lineno)}: print; use logging or a monitor")
        for keyword in node.keywords:
            if keyword.arg == "allow_pickle" and getattr(keyword.value, "value", True):
                found.append(f"{module.where(node.lineno)}: allow_pickle; use safetensors")
    return found


def test_the_package_uses_nothing_that_is_banned(modules):
    assert [offence for module in modules for offence in offences(module)] == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "def load():\n    import joblib",
        "from dill import loads",
        "import torch as t\nt.load('model.pt')",
        "from torch import manual_seed",
        "import torch\ntorch.random.manual_seed(1)",
        "import numpy as np\nnp.random.seed(1)",
        "import numpy as np\nx = np.random.normal(size=3)",
        "import numpy as np\nrng = np.random.default_rng()",
        "import numpy.random\nnumpy.random.shuffle([1])",
        "from numpy import random\nrandom.rand(3)",
        "from numpy.random import choice",
        "import random\nrandom.shuffle([1])",
        "import numpy as np\nnp.load('a.npy', allow_pickle=True)",
        "print('hello')",
    ],
)
def test_a_banned_thing_is_found(parse, source):
    assert len(offences(parse("models/new.py", source))) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("models/new.py", "import numpy as np\nrng = np.random.Generator(np.random.PCG64(1))"),
        ("models/new.py", "import random\nrng = random.Random(1)\nrng.shuffle([1])"),
        ("models/new.py", "from tabsynth.random import Streams\nStreams(1).numpy('a').random()"),
        ("models/new.py", "from tabsynth import random\nrandom.Streams(1)"),
        ("models/new.py", "def f(x):\n    'Print or pickle, said in words.'\n    return x.load()"),
        ("cli/main.py", "print('hello')"),
    ],
)
def test_what_is_not_banned_passes(parse, path, source):
    assert offences(parse(path, source)) == []
