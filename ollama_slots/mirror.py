"""Fill a mirror from which hosts pull: each blob is downloaded once, whatever the fleet's size.

``ollama-slots-mirror DIR`` fills DIR with all models that the inventory's hosts declare, or with those
that are named. DIR is what mirror/nginx.conf serves (``model_registry``), and what is carried by disk into a
network that has no way out; ``--check`` verifies it there.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import requests
from pydantic import ValidationError

from ollama_slots.core import names
from ollama_slots.core.settings import EMPTY
from ollama_slots.registry import client
from ollama_slots.registry.download import MB, download
from ollama_slots.registry.tree import Tree
from ollama_slots.run.inventory import declared

PLAIN_HTTP = "name the MODEL and give --insecure, or set pull_insecure for the inventory's hosts"
Models = dict[str, tuple[names.Name, bool]]  # by canonical key, and whether its registry speaks plain HTTP


def main() -> int:
    """Fill a mirror's directory, or verify it; return the exit code."""
    parser = argparse.ArgumentParser(prog="ollama-slots-mirror", description=main.__doc__)
    parser.add_argument("directory", type=Path, metavar="DIR", help="the mirror's, made where it is not there")
    parser.add_argument(
        "models", nargs="*", metavar="MODEL", help="default: all that the inventory's hosts declare"
    )
    parser.add_argument("--inventory", default="inventory.py", metavar="FILE", help="default: inventory.py")
    parser.add_argument("--insecure", action="store_true", help="the registry of the MODELs speaks plain HTTP")
    parser.add_argument("--check", action="store_true", help="verify all that is in DIR, without any network")
    arguments = parser.parse_intermixed_args()
    if arguments.check and (arguments.models or arguments.insecure):
        parser.error("--check looks at all that is in DIR: expected no MODEL and no --insecure with it")
    if arguments.insecure and not arguments.models:
        parser.error("--insecure is for MODELs that are named; the inventory's have their pull_insecure")
    os.umask(0o022)  # who serves it need not be who fills it
    try:
        if arguments.check:
            return check(Tree(arguments.directory))
        wanted = named(arguments.models, arguments.insecure) or of_inventory(arguments.inventory)
        tree = Tree(arguments.directory)
        with tree.alone():
            return fill(tree, wanted)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: the next run resumes", file=sys.stderr)
        return 130


def named(models: list[str], insecure: bool) -> Models:
    """Return models by the names that were given. Raises ValueError for what is no name."""
    parsed = [names.parse(model) for model in models]
    return {name.key: (name, insecure) for name in parsed}


def of_inventory(inventory: str) -> Models:
    """Return the models that the hosts of an inventory declare, for the benchmark too; slot 4 where the data do.

    Raises ValueError where there are none.
    """
    wanted: Models = {}
    for host in declared(Path.cwd(), inventory):
        for model in (*(it.model for it in host.settings.slots), *host.settings.benchmark_models):
            if model not in (None, EMPTY):
                name = names.parse(model)
                wanted.setdefault(name.key, (name, host.settings.pull_insecure))
    if not wanted:
        raise ValueError(f"{inventory}: expected hosts whose slots declare models, found none")
    return wanted


def fill(tree: Tree, wanted: Models) -> int:
    """Fill the tree with every model; report each that failed, and return the exit code."""
    code = 0
    for name, insecure in wanted.values():
        try:
            print(f"{name.short}: {_fill(tree, name, insecure)}", flush=True)
            continue
        except requests.RequestException as error:  # which is an OSError as well
            why = f"{name.host}: {client.reason(error, PLAIN_HTTP)}"
        except (ValueError, OSError) as error:
            why = f"{error}"
        print(f"{name.short}: failed: {why}", file=sys.stderr, flush=True)
        code = 1
    return code


def _fill(tree: Tree, name: names.Name, insecure: bool) -> str:
    repository = client.upstream(name, insecure)
    text = client.manifest_text(repository, name.tag)
    if text is None:
        raise ValueError(f"{name.host} has no such model: correct its name")
    try:
        blobs = client.Manifest.model_validate_json(text).blobs
    except ValidationError:
        raise ValueError(f"{name.host} did not answer with a manifest") from None
    came = 0
    for digest, size in blobs.items():
        for path in tree.damaged(digest):
            print(f"{name.short}: blob {digest} is damaged in {path.parent.parent}: to be replaced", flush=True)
        file = tree.whole(digest)
        if file is None:
            file = tree.unfinished(digest)
            came += download(f"{repository}/blobs/{digest}", file, digest, size, name.short)
        tree.put(file, name.repository, digest)
    tree.publish(name, text)
    return f"{len(blobs)} blobs, {sum(blobs.values()) / MB:.1f} MB, of which {came / MB:.1f} MB were fetched"


def check(tree: Tree) -> int:
    """Report whether each model in the tree is whole; return the exit code."""
    models, broken = 0, 0
    for model, wrong in tree.check():
        models, broken = models + 1, broken + bool(wrong)
        for line in wrong:
            print(f"{model}: {line}", file=sys.stderr, flush=True)
        if not wrong:
            print(f"{model}: whole", flush=True)
    if not models:
        raise ValueError(f"{tree.root}: expected a mirror, found no model in it")
    if broken:
        raise ValueError(f"{broken} of {models} models are not whole: fill {tree.root} again")
    return 0


if __name__ == "__main__":
    sys.exit(main())
