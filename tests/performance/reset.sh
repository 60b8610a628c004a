# Takes everything away that a deploy of either side leaves on a host, but for the bases; Ollama runs, and is empty.
systemctl disable --quiet --now ollama-warmup.service ollama-slots-watch.timer 2>/dev/null
rm -rf /etc/systemd/system/ollama-warmup.service /etc/systemd/system/ollama-slots-* /usr/local/lib/ollama-slots \
    /etc/systemd/system/ollama.service.d \
    /etc/ollama /var/lib/ollama-slots /var/lib/ollama-warmup /var/lib/private/ollama-warmup /run/ollama-slots* \
    /usr/share/ollama/.ollama/models/.ollama-slots
systemctl daemon-reload
systemctl reset-failed
systemctl restart ollama.service
api=http://127.0.0.1:11434/api
until curl -fs -o /dev/null $api/version; do sleep 0.1; done
curl -s $api/tags | grep -o '"name":"[^"/]*"' | cut -d '"' -f 4 | while read -r name; do
    curl -sS --fail-with-body -X DELETE -d "{\"model\":\"$name\"}" $api/delete || exit
done
