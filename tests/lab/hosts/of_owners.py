"""What an owner has configured already."""

from __future__ import annotations

from tests.lab.hosts.flavour import OWN, RESTART, UNDO, UNITS, flavour, unit, write

# The host as before any deploy: what ours sets is not there yet.
OURS = f"rm -f /etc/ollama/ollama-slots.env {UNITS}/ollama.service.d/zz-ollama-slots.conf\n"
# The warm-up would load one slot after the other, and Ollama unload one for each.
TWO = """
systemctl stop ollama-warmup
until curl -q -fs -o /dev/null localhost:11434/api/version; do sleep 0.1; done
for it in coding-primary general-primary; do
    echo '{"model":"NAME","prompt":"Hi","options":{"num_predict":1}}' | sed "s/NAME/$it/" |
        curl -q -sS --max-time 60 -o /dev/null -d @- localhost:11434/api/generate
done
"""
SETTINGS = ("OLLAMA_HOST=0.0.0.0", "OLLAMA_KEEP_ALIVE=24h", "OLLAMA_MAX_LOADED_MODELS=2")
PROXY = "http://10.79.0.250:3128"  # nobody has this address

flavour(
    "An override.conf of `systemctl edit` with OLLAMA_HOST=0.0.0.0, KEEP_ALIVE=24h and MAX_LOADED_MODELS=2",
    OURS + unit(*(f"Environment={it}" for it in SETTINGS)) + TWO,
    restarts=1,
    walks=True,
)
flavour(
    "The same in an EnvironmentFile",
    OURS + write("/etc/default/ollama", *SETTINGS) + unit("EnvironmentFile=-/etc/default/oll*") + TWO,
    undo=f"rm /etc/default/ollama; {UNDO}",
    restarts=1,
    walks=True,
)
flavour(
    "A proxy in /etc/environment and in /root/.curlrc",
    write("/etc/environment", *(f"{it}={PROXY}" for it in ("http_proxy", "https_proxy", "ALL_PROXY")))
    + write("/root/.curlrc", f"proxy = {PROXY}"),
    undo=": >/etc/environment; rm /root/.curlrc",
)
for at, url in {
    "127.0.0.1:8080": "http://127.0.0.1:8080",
    "10.79.0.11, an address of the host": "http://10.79.0.11:11434",
    "[::]:12434": "http://[::1]:12434",
}.items():
    listens = at.partition(",")[0]
    flavour(f"An Ollama that listens at {at}", unit(f"Environment=OLLAMA_HOST={listens}"), url=url)

# There is no tzdata on the lab's hosts: a zone of 13 hours, as a file.
ZONE = "TZif" + "\\0" * 32 + "\\0\\0\\0\\1\\0\\0\\0\\4" + "\\0\\0\\266\\320\\0\\0NZT\\0"
flavour(
    "An engine whose time zone is not the host's",
    f"mkdir -p /usr/share/zoneinfo/Pacific; printf '{ZONE}' >/usr/share/zoneinfo/Pacific/Auckland\n"
    "TZ=Pacific/Auckland date | grep -q NZT\n" + unit("Environment=TZ=Pacific/Auckland"),
    walks=True,
)
flavour(
    "A start script that exports OLLAMA_KEEP_ALIVE=24h, and a deploy that would restart Ollama",
    write("/usr/local/bin/start-it", "#!/bin/sh", "export OLLAMA_KEEP_ALIVE=24h", "exec ollama serve", mode="755")
    + write(OWN, "[Service]", "ExecStart=", "ExecStart=/usr/local/bin/start-it")
    + "systemctl daemon-reload",
    undo=f"rm -f /usr/local/bin/start-it {OWN}; {RESTART}",
    own={"max_loaded_models": 7},
    code=1,
    says="start-it:2: expected OLLAMA_KEEP_ALIVE=-1 to hold, found that it sets OLLAMA_KEEP_ALIVE=24h",
)
# As docker does it: what the unit runs asks a daemon, and Ollama is that one's child, with files of its own.
flavour(
    "An Ollama in a container",
    write(
        "/usr/local/bin/docker",
        "#!/bin/sh",
        "exec systemd-run --quiet --pipe --wait --collect --unit=container -p User=ollama "
        "-p BindPaths=/srv/container:/usr/share/ollama -E HOME=/usr/share/ollama /usr/local/bin/ollama serve",
        mode="755",
    )
    + "mkdir -p /srv/container && chown ollama: /srv/container\n"
    + unit("User=root", "Group=root", "ExecStart=", "ExecStart=/usr/local/bin/docker run --rm ollama/ollama"),
    undo=f"rm /usr/local/bin/docker; systemctl stop container; {UNDO}; rm -r /srv/container",
    code=1,
    says="expected that it runs on the host itself, found it in a container",
    after=None,
)
SECOND = write(
    f"{UNITS}/second.service",
    "[Service]",
    "User=ollama",
    "Environment=OLLAMA_HOST=127.0.0.1:11435 OLLAMA_NOPRUNE=1 OLLAMA_KEEP_ALIVE=-1",
    "ExecStart=/usr/local/bin/ollama serve",
)
ASK = """curl -q -sS -o /dev/null -d '{"model":"backup","prompt":"Hi","stream":false}'"""
flavour(
    "A second Ollama on the same models, which nobody declared, that has a slot in memory; the first has not",
    f"{SECOND}systemctl daemon-reload; systemctl start second; ollama stop backup; sleep 8\n"
    f"until curl -q -fs localhost:11435/api/version; do sleep 0.2; done; {ASK} localhost:11435/api/generate",
    undo=f"systemctl stop second; rm {UNITS}/second.service; systemctl daemon-reload",
)
SECOND_OF_ITS_OWN = SECOND.replace("OLLAMA_NOPRUNE=1", "OLLAMA_MODELS=/srv/second")
flavour(
    "Two Ollamas, each declared by a name of its own",
    f"mkdir -p /srv/second; chown ollama: /srv/second\n{SECOND_OF_ITS_OWN}"
    "systemctl daemon-reload; systemctl start second",
    undo="systemctl disable -q --now second second-warmup; systemctl daemon-reload\n"
    f"rm -rf {UNITS}/second* /etc/ollama-second /srv/second /var/lib/ollama-second* /var/lib/second*",
    also={
        "ssh_hostname": "gpu1",
        "ollama_unit": "second.service",
        "slot1_name": "coding-second",
        "slot2_name": "general-second",
        "slot3_model": "none",
        "slot4_model": "none",
    },
    says="second .*general-second.* yes$",
)
