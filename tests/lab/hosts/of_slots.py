"""What a slot is."""

from __future__ import annotations

import json
import shutil
from typing import Any

from lab import registry
from tests.lab.fleet import REGISTRY, Project, model
from tests.lab.hosts.flavour import flavour

NOTHING = "true"


def slot(has: str, **more: Any) -> None:
    """A flavour that is of what is declared, not of the host."""
    flavour(has, NOTHING, undo=more.pop("undo", NOTHING), **more)


slot("A slot that is meant for the CPU: num_gpu 0", own={"slot3_parameters": {"num_gpu": 0}}, gpu=True)
slot(
    "An embedding model in a fifth slot",
    own={"slot5_name": "embedding", "slot5_num_ctx": 2048, "slot5_model": model("smollm2-embed:135m")},
    more=("embedding",),
    after=5,
    restarts=1,  # for a fifth one
    undo="ollama stop embedding; ollama rm embedding",
)
slot("A model whose weights are in two files", own={"slot3_model": model("smollm2-split:135m")})


def safetensors(_: Project) -> None:
    """Publishes a model as MLX has it: many tensors, and no GGUF."""
    manifest = registry.manifest("smollm2:135m")
    content = json.loads(manifest.read_text())
    for layer in content["layers"]:
        layer["mediaType"] = layer["mediaType"].replace("image.model", "image.tensor")
    manifest.with_name("mlx").write_text(json.dumps(content))


slot(
    "A model of safetensors, as for MLX",
    prepare=safetensors,
    own={"slot3_model": model("smollm2:mlx")},
    code=1,
    says="found safetensors",
)


def team(_: Project) -> None:
    """Publishes a model by a name whose case counts in this registry."""
    tree = registry.TREE / "v2"
    shutil.copytree(tree / "lab/smollm2-spare", tree / "Team/Model-GGUF", symlinks=True, dirs_exist_ok=True)
    manifests = tree / "Team/Model-GGUF/manifests"
    (manifests / "135m").rename(manifests / "Q4_K_M")


slot(
    "A model in a registry where case counts",
    prepare=team,
    own={"slot3_model": f"{REGISTRY.replace('/lab', '/Team')}/Model-GGUF:Q4_K_M"},
)


def modelfile(text: str) -> dict[str, Any]:
    """The flavour whose third slot has a template of its own."""
    return {
        "prepare": lambda project: (project.path / "own.j2").write_text(text),
        "own": {"slot3_modelfile": "own.j2"},
    }


FROM = "FROM {{ model }}\nPARAMETER num_ctx {{ num_ctx }}\n"
slot(
    "A template of a Modelfile with Go's braces in it",
    **modelfile(f'{FROM}TEMPLATE """{{{{ .Prompt }}}}"""\n'),
    code=1,
    says="slot3_modelfile: .*raw",
)
slot(
    "A template of a Modelfile with another model's FROM",
    **modelfile(FROM.replace("{{ model }}", model("gemma3:270m"))),
    code=1,
    says="slot3_modelfile: expected FROM",
)


def select(change: Any) -> Any:
    """What changes the selection file of a project: its text, by a function."""
    return lambda project: project.selection.write_bytes(change(project.selection.read_text()))


slot(
    "A selection file with a byte order mark, NaN and a cloud model among its results",
    prepare=select(
        lambda text: text.replace(
            '"results": {',
            '"results": {"gpt-oss:120b-cloud": {"coding_composite": 0.99, "general_composite": 0.99}, '
            f'"{model("smollm2-math:135m")}": {{"coding_composite": NaN, "general_composite": null}}, ',
        ).encode("utf-8-sig")
    ),
)
slot(
    'A selection file whose third slot is "none", for no model qualified, and nothing to choose from',
    prepare=select(
        lambda _: json.dumps({"slot1_coding": model("smollm2-coder:135m"), "slot3_backup": "none"}).encode()
    ),
    code=1,
    says="slot[23]_(general|backup): expected a model name, or results",
)
