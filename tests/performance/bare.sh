# What somebody would write who knows the host: pulls, makes and loads, and nothing is looked at but what there is already.
# After it come calls of these two, each with a file on stdin.
set -eu
api=http://127.0.0.1:11434/api
kept=/etc/ollama

service() { # Ollama runs with this environment
    mkdir -p $kept /etc/systemd/system/ollama.service.d
    cat >$kept/new
    ! cmp -s $kept/new $kept/ollama-slots.env || return 0
    mv $kept/new $kept/ollama-slots.env
    printf '[Service]\nEnvironmentFile=%s\n' $kept/ollama-slots.env >/etc/systemd/system/ollama.service.d/bare.conf
    systemctl daemon-reload
    systemctl restart ollama.service
    until curl -fs -o /dev/null $api/version; do sleep 0.1; done
}

slot() { # slot NAME BASE: is made of this Modelfile, and is in memory
    cat >$kept/new
    ! cmp -s $kept/new "$kept/$1" || return 0
    ollama list | grep -q "^$2 " || ollama pull --insecure "$2"
    ollama create "$1" -f $kept/new >/dev/null 2>&1
    curl -fsS -o /dev/null -d "{\"model\":\"$1\",\"keep_alive\":-1}" $api/generate
    mv $kept/new "$kept/$1"
    echo "made and loaded $1"
}

