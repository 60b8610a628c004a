# Makes a slot's variant over its name, and writes down what the warm-up unit is to prove.
# Environment: NAME BASE TOKENS
set -eu
url=http://127.0.0.1:11434
modelfile=/etc/ollama/modelfiles/$NAME.Modelfile
ollama create "$NAME" -f "$modelfile" 2>&1
variant=$(digest_of "$NAME:latest")
install -d "$state_dir"
cat >"$state_dir/$NAME.slot" <<END
model=$BASE
modelfile=$(sha256sum "$modelfile" | cut -d ' ' -f 1)
base=$(digest_of "$BASE")
weights=$(weights_of "$variant")
context=$TOKENS
variant=$variant
loaded=$variant
END
