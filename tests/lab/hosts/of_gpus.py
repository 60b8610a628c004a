"""What a GPU is."""

from __future__ import annotations

from typing import Any

from tests.lab.fleet import model
from tests.lab.hosts.flavour import RESTART, UNDO, flavour, unit

CARDS = "/etc/simulated-gpu"
SMI, KFD = "/usr/local/bin/nvidia-smi", "/dev/kfd"
ONE = f"rm -f {CARDS}; echo 24576 >{CARDS}"
NO_SMI, SMI_AGAIN = f"mv {SMI} {SMI}.away", f"mv {SMI}.away {SMI}"
WITH_KFD = f"[ -e {KFD} ] || mknod -m 666 {KFD} c 1 11"

# As on a host whose last deploy found no GPU.
NEVER_ONE = "sed -i 's/^gpu=yes/gpu=no/' /usr/local/lib/ollama-slots/ollama-warmup.sh\n"


def cards(*lines: str) -> str:
    """The command that gives a host these cards."""
    return f"printf '%s\\n' {' '.join(repr(it) for it in lines)} >{CARDS}\n" if lines else f": >{CARDS}\n"


def gpu(has: str, make: str, undo: str = "true", **more: Any) -> None:
    """A flavour that Ollama sees when it starts."""
    flavour(has, f"{make}\n{RESTART}", undo=f"{ONE}; {undo}; {UNDO}", gpu=True, **more)


gpu("Two cards, of 24 and 12 GiB", cards("24576", "12288"), walks=True)
gpu("Two cards that take some of the slots each", cards("3000", "2900"))
gpu(
    "CUDA_VISIBLE_DEVICES=1 hides the larger one of two cards",
    cards("24576", "12288") + unit("Environment=CUDA_VISIBLE_DEVICES=1"),
    walks=True,
)
gpu(
    "The same, and more slots than the other one has room for",
    cards("24576", "5000") + unit("Environment=CUDA_VISIBLE_DEVICES=1"),
    own={
        "slot5_name": "fifth",
        "slot5_model": model("smollm2-spare:135m"),
        "slot5_num_ctx": 8192,
        "slot6_name": "sixth",
        "slot6_model": model("smollm2-slow:135m"),
        "slot6_num_ctx": 8192,
    },
    code=1,
    says=r"GPU memory: expected .* found 4\.\d GB",
)
gpu("A card that Ollama leaves alone beside one that it uses", cards("8192 CUDA unused", "24576"), walks=True)
gpu("Only a card that Ollama leaves alone", NEVER_ONE + cards("24576 CUDA unused"))
gpu(
    "An AMD-like card, and no nvidia-smi", f"{NO_SMI}; {WITH_KFD}; {cards('16384 ROCm')}", f"{SMI_AGAIN}; rm {KFD}"
)
gpu(
    "The /dev/kfd of a processor's own graphics, which Ollama does not use",
    f"{NEVER_ONE}{NO_SMI}; {WITH_KFD}; rm {CARDS}",
    f"{SMI_AGAIN}; rm {KFD}",
)
gpu(
    "A card of which neither nvidia-smi nor /dev/kfd tells",
    f"{NO_SMI}; {cards('16384 Vulkan')}",
    SMI_AGAIN,
    walks=True,
)
gpu("No GPU at all", f"{NEVER_ONE}{NO_SMI}; rm {CARDS}", SMI_AGAIN)
gpu("An nvidia-smi, and no card", NEVER_ONE + cards())
gpu(
    "No GPU any more, of which the last deploy made use",
    f"rm {CARDS}",
    code=1,
    says="GPU: expected one, as at the last deploy, found none when Ollama was started",
    after=1,  # the warm-up ends with the first one that is not in GPU memory
)
flavour(
    "A driver that stops answering, and a deploy that would restart Ollama",
    f"rm {CARDS}; mkfifo {CARDS}",
    undo=f"timeout 2 sh -c ': >{CARDS}'; {ONE}",
    own={"max_loaded_models": 7},
    code=1,
    says="expected nvidia-smi to answer before Ollama is restarted",
    gpu=True,
)
