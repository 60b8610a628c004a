"""Each task file alone does its part, and nothing else."""

from __future__ import annotations

from tests.lab.fleet import SLOTS, Host, Project, model

DROP_IN = "/etc/systemd/system/ollama.service.d/zz-ollama-slots.conf"
ENVIRONMENT = "/etc/ollama/ollama-slots.env"
UNIT = "/etc/systemd/system/ollama-warmup.service"


def test_models_alone(project: Project, gpu1: Host) -> None:
    gpu1.run(f"systemctl disable --now ollama-warmup; echo '# edited' >>{UNIT}; echo '# edited' >>{DROP_IN}")
    files = gpu1.out(f"sha256sum {UNIT} {DROP_IN}")
    project.select(slot1_coding=model("smollm2-chat:135m"))
    run = project.deploy(tasks="tasks/models.py")
    assert run.code == 0, run.output
    assert gpu1.parent("coding-primary") == model("smollm2-chat:135m")
    assert gpu1.resident(*SLOTS)
    assert gpu1.out(f"sha256sum {UNIT} {DROP_IN}") == files
    assert gpu1.active("ollama-warmup") == "inactive"
    assert project.deploy(tasks="tasks/models.py").changes == 0


def test_warm_up_alone(project: Project, gpu1: Host) -> None:
    gpu1.run(f"systemctl disable --now ollama-warmup; rm {UNIT}; echo '# edited' >>{DROP_IN}")
    drop_in, made = gpu1.out(f"sha256sum {DROP_IN}"), gpu1.made()
    gpu1.unload("backup")
    run = project.deploy(tasks="tasks/warmup.py")
    assert run.code == 0, run.output
    assert gpu1.resident(*SLOTS)
    assert gpu1.out("systemctl is-enabled ollama-warmup") == "enabled"
    assert gpu1.active("ollama-warmup") == "active"
    assert gpu1.out(f"sha256sum {DROP_IN}") == drop_in
    assert gpu1.made() == made
    assert project.deploy(tasks="tasks/warmup.py").changes == 0


def test_service_alone(project: Project, gpu1: Host) -> None:
    made, process = gpu1.made(), gpu1.out("systemctl show -p MainPID --value ollama")
    run = project.deploy("max_loaded_models=7", tasks="tasks/service.py")
    assert run.code == 0, run.output
    assert gpu1.out("systemctl show -p MainPID --value ollama") != process
    assert "OLLAMA_MAX_LOADED_MODELS=7" in gpu1.out(
        "tr '\\0' '\\n' </proc/$(systemctl show -p MainPID --value ollama)/environ"
    )
    assert gpu1.made() == made
    assert project.deploy("max_loaded_models=7", tasks="tasks/service.py").changes == 0


def test_an_interrupted_restart_is_made_good(project: Project, gpu1: Host) -> None:
    """The file was written, and the run died before the restart: state decides, not what changed."""
    gpu1.run(
        f"sed -i s/=5/=6/ {ENVIRONMENT} && systemctl restart ollama && sleep 0.1 && sed -i s/=6/=5/ {ENVIRONMENT}"
    )
    run = project.deploy()
    assert run.code == 0, run.output
    assert run.lines("gpu1", "restart Ollama", "OLLAMA_MAX_LOADED_MODELS=5")
    assert gpu1.resident(*SLOTS)
