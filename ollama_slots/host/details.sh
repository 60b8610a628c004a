# Prints what models are made of, and what room there is. Changes nothing.
# needs: showing
# takes: url doubted
# lists: MODEL...
# doubted: weights whose digest is to be checked
store=$(model_store)
show "$@"
exit 0
