# The GPUs that Ollama found when it started, one by one.
# needs: gpus

# cards_found [FOUND]: TOTAL AVAILABLE ID NAME of each GPU that Ollama found, in bytes. Two of one id would be one series, for
# which node_exporter would give no metric at all. FOUND: what found said, where it was asked a moment ago.
cards_found() {
    printf '%s\n' "${1-$(found)}" | LC_ALL=C awk '
        function said(key) {
            if (!match($0, " " key "=(\"([^\"\\\\]|\\\\.)*\"|[^ \"]+)")) return ""
            text = substr($0, RSTART + length(key) + 2, RLENGTH - length(key) - 2)
            gsub(/["\\]/, "", text)
            return text
        }
        function bytes(text) {
            split(text, part, " ")
            return part[1] * 1024 ^ (index("BKMGT", substr(part[2], 1, 1)) - 1)
        }
        { library = tolower(said("library")) }
        library != "" && library != "cpu" {
            id = said("id")
            if (id == "" || seen[id]++) id = id "#" NR
            name = said("description")
            if (name == "") name = said("name")
            printf "%.0f %.0f %s %s\n", bytes(said("total")), bytes(said("available")), id, name
        }'
}
