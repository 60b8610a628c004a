"""Faults that are planted in the product one at a time, and the unit tests that have to turn red for each.

    .venv/bin/python -m tests.mutants             all of them, some seconds to a minute each
    .venv/bin/python -m tests.mutants rotate      those whose file or name has this in it

Each is planted in a copy of the tree, where the tests named for it are run. The table says which test caught it,
or LIVED; the exit code is 1 where one lived. A fault whose old text is gone is told of: the code has moved on, and
the fault has to.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
HOST, TEMPLATE = "ollama_slots/host", "templates/ollama-warmup.sh.j2"
ROTATE, REMOVE, LOOKS, WARM, AHEAD, PULLS, AWAIT, FETCH, KINDS = (
    f"host/test_{it}.py"
    for it in (
        "rotate",
        "remove",
        "looks",
        "warm_up",
        "ahead",
        "unfinished_pulls",
        "await_and_install",
        "fetch_into_a_store",
        "kinds",
    )
)


@dataclass(frozen=True)
class Fault:
    """One fault: in a file, text that is replaced, and the tests, below tests/unit, that are to see it."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


def fault(name: str, file: str, old: str, new: str, *tests: str) -> Fault:
    path = file if "/" in file else f"{HOST}/{file}.sh"
    return Fault(name, path, old, new, tests)


ASKING = "ollama_slots/benchmark/asking"
CANDIDATES, MAKES_WAY, SPEED, TIMING = (
    f"benchmark/asking/test_{it}.py" for it in ("candidates", "makes_way", "speed", "timing")
)
RUN, RUNS, TASK = "ollama_slots/benchmark/run", "benchmark/run/test_run.py", "benchmark/run/test_task.py"
SHAPE = "ollama_slots/core/shape.py"
NAMED = [
    fault(
        "a candidate is never refused",
        "rotate",
        'refuse "the candidate is refused: $why"',
        ":",
        ROTATE,
    ),
    fault("the GPU check is reversed", "residency", '[ "$in_gpu" != "$size" ]', '[ "$in_gpu" = "$size" ]', ROTATE),
    fault("the lock is shared", "engine", 'flock -w "$1" 9', 'flock -s -w "$1" 9', ROTATE),
    fault(
        "an exchange does not keep what served",
        "moves",
        '[ -z "$(digest_of "$1:latest" "$now")" ] || mean "$1:previous" "$1:latest" "$now" || return',
        ":",
        ROTATE,
    ),
    fault(
        "an unload does not wait",
        "engine",
        'while [ -n "$holding" ] && [ "$(clock)" -lt "$end" ]; do',
        "while false; do",
        REMOVE,
    ),
    fault(
        "a runner is found by its digest only",
        "models",
        '[ "$(weights_of "$digest")" = "$1" ] || continue',
        "continue",
        ROTATE,
        WARM,
    ),
    fault(
        "an expiry is no fault",
        "residency",
        "case $keep_alive in *-*) ! leaves",
        "case x in *-*) ! leaves",
        ROTATE,
    ),
    fault("blindness is never seen", TEMPLATE, 'exit "$blind"', ": ", WARM),
    fault(
        "large blobs are read for manifests",
        "store",
        '"$store/blobs" -type f -size -200k',
        '"$store/blobs" -type f',
        PULLS,
    ),
    fault(
        "large blobs are swept",
        "store",
        "-type f -size -200k -name 'sha256-*'",
        "-type f -name 'sha256-*'",
        ROTATE,
    ),
    fault(
        "a large blob is printed for a manifest",
        "stored",
        "-size -200k -exec cat",
        "-exec cat",
        LOOKS,
    ),
    fault(
        "the fewest heads hold the cache",
        SHAPE,
        "            return said\n",
        "            return [min(said)] * self.layers\n",
        "core/test_gpu_memory.py",
    ),
    fault(
        "batches stay at 1,024",
        SHAPE,
        "1024 if tokens <= 32768 else 2048",
        "1024",
        "core/test_gpu_memory.py",
    ),
]
WATCH, LOOK_AT = "host/test_watch.py", "templates/ollama-slots-watch.sh.j2"
WAITS, TAKEN_BACK = "host/test_watch_waits.py", "host/test_taken_back.py"
OF_THE_WATCH = [
    fault("a runner at work is ended", "look", '[ "$(ticks "$@")" != "$spent" ]', "false", WATCH),
    fault("it is always time", "look", '[ "${times:-0}" -le 1 ] ||', "true ||", WATCH),
    fault("a slot that goes soon is let go", "mend", '&& soon "$1"', "&& false", WATCH),
    fault("stays are loads", "look", "tries_key=stays last_key=stayed", "tries_key=tries last_key=tried", WATCH),
    fault("a slot has no place", "look", "awk -F '\\t' -v own=\"$own\" '$1 != \"\" && $1 != own' |", "", WATCH),
    fault("what failed is forgotten", "mend", '"wrong=${wrong:+yes}"', '"wrong="', WATCH),
    fault("a heal keeps the lock", LOOK_AT, "        flock -u 9\n", "", WATCH),
    fault("a heal is not known of", LOOK_AT, "&& healing=yes;", ";", WATCH),
    fault("notes come between", "records", "flock -w 5 7 || return", ":", WATCH),
    fault("a driver keeps the lock", "gpus", "8>&- 9>&- &", "&", "host/test_gpus.py"),
    fault("a dead runner is resident", "look", 'lives "$weights" ||', "true ||", WATCH),
    fault("an expiry is well", "look", 'for_ever "$expires" ||', "true ||", WATCH),
    fault("whose room it is does not matter", "look", '[ -n "$strangers" ] || return 0', "return 0", WATCH),
    fault("a load has a keep_alive", "mend", "    keep_alive='' #", "    : #", WATCH),
    fault("a GPU that is lost is not missed", "mend", '! driven "$1"', "false", WATCH),
    fault("a slot of the CPU waits for a GPU", "mend", 'if in_gpu_memory "$1" &&', "if", WAITS),
    fault("nothing is at work", "mend", '[ -z "$busy" ] ||', "true ||", WAITS),
    fault("what was converted is somebody else's", "look", ' || lives "$(entry "$1" weights)"', "", WAITS),
    fault(
        "a window in part on the CPU will do",
        "rotate",
        "case $seen in only*)",
        "case $seen in never*)",
        TAKEN_BACK,
    ),
    fault("what shares a runner is left away", "rotate", "|| back=$(shares)", "|| back=", TAKEN_BACK),
    fault(
        "a rollback deletes what is damaged",
        "rotate",
        '[ "$rolls_back" = no ] || refuse',
        ": || refuse",
        TAKEN_BACK,
    ),
    fault("what is loaded is not proven", "mend", "wrong=${wrong:-${after#*\t}}", ":", WATCH),
    fault("a deploy is not seen", LOOK_AT, "! warming || exit 0\n\nresident", "\nresident", WATCH),
    fault(
        "a num_batch takes nothing",
        SHAPE,
        "load.embeds or load.batch > 0",
        "load.embeds",
        "core/test_gpu_memory.py",
    ),
    fault(
        "a rollback pushes others out",
        "ollama_slots/core/rollback.py",
        "return ahead.keys() - back",
        "return set()",
        "core/test_rollback.py",
    ),
    fault(
        "a former base is ours",
        "ollama_slots/core/plan.py",
        " - observed.digests(state.model)",
        "",
        "core/test_plan_killed.py",
    ),
    fault(
        "an unloaded runner is known by its last name",
        "ollama_slots/core/plan.py",
        "own | {state.loaded}",
        "own",
        "core/test_plan_killed.py",
    ),
    fault(
        "Ollama is restarted for too few",
        "ollama_slots/run/gather.py",
        "if why := preflight.too_many(snapshot):",
        "if why := None:",
        "core/test_preflight.py",
    ),
    fault(
        "undeclared slots take nothing",
        "ollama_slots/core/preflight.py",
        "room(ahead), stays(ahead)",
        "room(ahead), dict[str, Taken]()",
        "core/test_preflight.py",
    ),
    fault("slots are healed by name", LOOK_AT, "in $(by_size)", "in $(slots)", "host/test_crowded.py"),
    fault("none makes way", "mend", 'unload "$it:latest"\n        made_way=', "made_way=", "host/test_crowded.py"),
    fault("a crowded card stays so", "warm", "&& crowded; then", "&& false; then", "host/test_crowded.py"),
    fault("a report heals", LOOK_AT, "watch={{ settings.watch }}", "watch=heal", WATCH),
]
MORE = [
    fault("a whole blob is discarded", "pulling", '[ ! -e "$blobs/sha256-$blob" ] && ', "", PULLS),
    fault("what was not compared is whole", "unfinished", ' || [ "$whose" = "$model" ]; }', "; }", PULLS),
    fault(
        "what others brought is written over",
        "fetch",
        'rm -f "$fetched/sha256-${it%:*}-partial" #',
        ": #",
        "host/test_fetch.py",
    ),
    fault("what is not heard is gone", "engine", 'echo "Ollama does not answer" && return 1', "return 0", REMOVE),
    fault("a slot that fails tells of the GPU", TEMPLATE, '[ ! -e "$told/$name.failed" ] ||', "true ||", WARM),
    fault("any HTTP status is an answer", "ask", """0,*" 2"??)""", "0,*)", ROTATE),
    fault("a connection is a listener", "ask", "case $state_now,", "case 0A,", LOOKS, "host/test_ask.py"),
    fault("an answer need not be done", "engine", "generate,true | embed,?*)", "generate,* | embed,?*)", ROTATE),
    fault("any window will do", "residency", '    *" $window "*) ;;', "    *) ;;", ROTATE),
    fault(
        "what has a slot's name is its variant",
        "residency",
        """case "$own " in *" $(value variant "$1") "*) digests="$digests$own" ;; esac""",
        'digests="$digests$own"',
        WARM,
    ),
    fault(
        "an unload is asked for once",
        "engine",
        '[ -z "$holding" ] || api 10 /api/generate "{\\"model\\":\\"$1\\",\\"keep_alive\\":0}" >/dev/null',
        ":",
        REMOVE,
    ),
    fault(
        "what has gone is not asked again",
        "engine",
        '"$away",) again=yes ;;',
        '"$away",never) again=yes ;;',
        ROTATE,
    ),
    fault("a file is replaced before it is on the disk", "replace", 'sync "$@" || return', ":", AWAIT),
    fault(
        "a name is not looked at again",
        "moves",
        '[ "$(digest_of "$1")" = "$meant" ] || ! api',
        "true || ! api",
        "host/test_moves.py",
        ROTATE,
    ),
    fault("two names have one file", "moves", 'cp -p "$file"', 'ln "$file"', "host/test_moves.py", ROTATE),
    fault("a candidate is left", "moves", 'mean "$1:current" "$1:latest"', ":", ROTATE),
    fault(
        "the old one is not put back into memory",
        "rotate",
        '[ -z "$back" ] || { not_back=$(answer "$back:latest" "$(value asks "$back")")',
        "{ false",
        ROTATE,
    ),
    fault("the old one is not unloaded", "rotate", '[ "$unload_old" = no ] || unload', "true || unload", ROTATE),
    fault(
        "the state of what was before is not written",
        "rotate",
        'write "$candidate.state" "$previous_states/$slot.slot"',
        ":",
        ROTATE,
    ),
    fault("what is made may not be on the disk", "rotate", "why=$(on_disk 2>&1) || refuse", ": || refuse", ROTATE),
    fault(
        "a rotation that died forgets what was before",
        "rotate",
        "! serves_as_known previous || known_before=yes",
        ":",
        ROTATE,
    ),
    fault("no room is made", "rotate", '[ "$make_room" = no ] || unload "$slot:latest"', ":", ROTATE),
    fault("a shared runner is unloaded", "rotate", '[ "$alone" = no ] || unload', "false || unload", ROTATE),
    fault("a slot loses its runner's digest", "remove", 'pass_on "$model" || exit 1', ":", REMOVE),
    fault(
        "a rollback that died loses its way back",
        "remove",
        'mean "$1:previous" "$1:current" || return',
        ":",
        REMOVE,
    ),
    fault("one look keeps another out", "probe", "flock -s -n 9", "flock -n 9", LOOKS),
    fault("a host in change is looked at", "probe", "if ! flock -s -n 9; then", "if false; then", LOOKS),
    fault("no process is live", "ask", "'sha256-[0-9a-f]{64}|", "'sha255-[0-9a-f]{64}|", LOOKS),
    fault("no process of split weights is live", "ask", "|\\.ollama-split-", "|\\.ollama-splits-", KINDS),
    fault("an embedding need not be there", "engine", "embed,?*)", "embed,*)", KINDS),
    fault(
        "an embedding slot is asked to generate",
        "rotate",
        'set -- "$slot:current" "$(stated asks)"',
        'set -- "$slot:current" ""',
        KINDS,
    ),
    fault(
        "a candidate is asked as the slot was",
        "rotate",
        '(answer "$slot:current" "$(stated asks)")',
        '(answer "$slot:current" "$(value asks "$slot")")',
        KINDS,
    ),
    fault("every slot has to be in GPU memory", "residency", "*no*) placed=no ;;", "*no*) placed=yes ;;", KINDS),
    fault(
        "a slot on the CPU shows that the GPU is not seen",
        TEMPLATE,
        '[ "$placed" = yes ] && [',
        '[ "$gpu" = yes ] && [',
        KINDS,
    ),
    fault("a slot on the CPU comes first", "residency", "sort -s -k 1,1r -k 2,2rn", "sort -s -k 2,2rn", KINDS),
    fault(
        "an unload does not wait for split weights", "engine", "[.]ollama-split-$(", "[.]ollama-splits-$(", KINDS
    ),
    fault(
        "only the first part of weights is looked at",
        "showing",
        "split(shown[at] with[shown[at]], blob",
        "split(shown[at], blob",
        KINDS,
    ),
    fault(
        "a cut blob is whole",
        "showing",
        "(!(blob[it] in expected) || expected[blob[it]] == bytes)",
        "1",
        LOOKS,
    ),
    fault("doubted weights are not read", "showing", 'case " $doubted " in', "case x in", LOOKS),
    fault("what is in memory is read ahead", "ahead", 'in_memory "$name" ||', ":;", AHEAD),
    fault("what a rotation loaded is read ahead", "residency", "$its_digests $its_load", "$its_digests", AHEAD),
    fault("shared weights are read twice", "ahead", '*"$blob"*) continue ;;', "x) ;;", AHEAD),
    fault("a type that is not told is discrete", "ahead", "grep -qav ' type='", "grep -qav ' total='", AHEAD),
    fault("twice is once", "ahead", "-ge $((2 * bytes))", "-ge $bytes", AHEAD),
    fault("only the first part is read ahead", "ahead", "    } | awk '!seen[$0]++'", "    } | head -n 1", AHEAD),
    fault("nothing is read", "ahead", 'cat "$store/blobs/sha256-$blob" >/dev/null', ":", AHEAD),
    fault("what Ollama reads past the cache is read", "ahead", "*type=iGPU*", "*type=none*", AHEAD),
    fault("what is no JSON has leaves", "json", "{ count = 0; failed = 1 }", "failed = 1", "host/test_json.py"),
    fault("a mount is its filesystem", "beside", '[ "$1" = "$2" ] && [ "${3-}"', '[ "${3-}"', "host/test_sees.py"),
    fault("the smallest comes first", "residency", "-k 2,2rn", "-k 2,2n", WARM),
    fault(
        "what was resident still is",
        TEMPLATE,
        "{ asked_again=yes && proof=$(kept",
        "{ proof=$(kept",
        WARM,
    ),
    fault("old figures stay", TEMPLATE, 'publish "$resident" 0\n', "", WARM),
    fault("what leaves is loaded at once", TEMPLATE, "while some_leave &&", "while false &&", WARM),
    fault("a restart follows each failure", TEMPLATE, '[ "${EXIT_STATUS-}" = "$blind" ] &&', "true &&", WARM),
    fault("it is restarted again and again", TEMPLATE, '[ ! -e "$restarted" ] || exit 0', "true || exit 0", WARM),
    fault("a stranger's runner stays", "warm", '{ unload "$name:latest" && again=yes; }', "again=yes", WARM),
    fault("a pull is not recorded as ours", "pulling", 'note_pulled "$model") ||', ":) ||", PULLS),
    fault("all that was left is ours", "unfinished", '[ "${when:-$now}" = "$now" ]', "true", PULLS),
    fault("what is being pulled is discarded", "remove", 'in_pull "$blob" ||', "false ||", PULLS),
    fault("what came is on the disk or not", "pulling", '[ "$1" -ne 0 ] || on_disk ||', "true ||", PULLS),
    fault("a mirror is believed", "fetch", '[ "$(sha256sum 2>/dev/null <"$1")" = "$2  -" ]', "true", FETCH),
    fault("two fetch at once", "pulling", "flock -n 8 ||", "true ||", FETCH),
    fault(
        "a file may be half written",
        "install",
        "replace $paths",
        'for it in $paths; do mv "$it.new" "$it"; done',
        AWAIT,
    ),
    fault("a dot in a name is any letter", "bases", "sed 's/\\./\\\\./g'", "cat", "host/test_bases.py", REMOVE),
    fault(
        "an old manifest comes first",
        "stored",
        "manifests-v2/*/*/*/* manifests/*/*/*/*",
        "manifests/*/*/*/* manifests-v2/*/*/*/*",
        LOOKS,
    ),
    fault(
        "what is being written now is a scrap", "beside", "set -- -mmin +1", "set -- -true", "host/test_scraps.py"
    ),
    fault(
        "a fetch's own files are scraps", "beside", '[ ! -e "$fetch_lock" ] ||', "true ||", "host/test_scraps.py"
    ),
    fault("scraps are found and stay", "remove", "! use_store || clear ||", "use_store ||", "host/test_scraps.py"),
    fault(
        "what takes connections answers",
        "await",
        '[ -n "$asked" ] && (url=$asked && api 5 /api/version >/dev/null)',
        '[ -n "$asked" ]',
        AWAIT,
    ),
    fault(
        "a slot that has gone is asked on",
        "asking",
        "            is=$(resident)\n            is_resident ||",
        "            is_resident ||",
        "host/test_questions.py",
    ),
    fault(
        "a slot that is not resident is asked",
        "asking",
        "            is_resident || break\n",
        "",
        "host/test_questions.py",
    ),
    fault(
        "another variant is asked",
        "questions",
        '"$(value variant "$slot" 2>/dev/null)" != "$variant"',
        '"$variant" = ""',
        "host/test_questions.py",
    ),
    fault("users are not waited for", "asking", '[ "$polite" = yes ] && works', "false && works", SPEED),
    fault("it asks at any time", "asking", "open_now || { echo closed", "true || { echo closed", SPEED),
    fault("one GPU is all of them", "asking", "sort -n | tail -n 1", "head -n 1", SPEED),
    fault("a candidate finds room always", "trial", "why=$(no_room)\n    if", "why=''\n    if", CANDIDATES),
    fault(
        "a slot that was lost is not missed",
        "trial",
        "ask_all\ncome_back\ngone=$(lost)",
        "ask_all\ncome_back\ngone=",
        CANDIDATES,
    ),
    fault("slots that made way stay away", "trial", "ask_all\ncome_back\n", "ask_all\n", MAKES_WAY),
    fault("all slots make way", "trial", '[ -z "$full" ] || [ -n "$why" ] || break', ":", MAKES_WAY),
    fault("none makes way on a host that cannot tell", "trial", '[ -z "$full" ] || [ -n', "[ -n", MAKES_WAY),
    fault("what is loaded alone has no room", "trial", '[ "$held" -gt 0 ] || return 0', ":", MAKES_WAY),
    fault("slots make way until the connection breaks", "trial", "trap '' HUP PIPE #", "#", MAKES_WAY),
    fault("a candidate takes no lock", "trial", "one_at_a_time", ": one_at_a_time", CANDIDATES),
    fault("a slot gets a keep_alive", "trial", "again=$(keep_alive='' &&", "again=$(", CANDIDATES),
    fault("a candidate may lie anywhere", "trial", '"$context" "$whole"', '"$context" no', CANDIDATES),
    fault("a candidate shares with a slot", "trial", "[ $# -eq 0 ] ||", ": ||", CANDIDATES),
    fault("what was left stays", "candidate", '    unload "$candidate:latest"', "    :", CANDIDATES),
    fault("a candidate stays", f"{ASKING}/candidates.py", '"keep_alive": STAY', '"keep_alive": -1', CANDIDATES),
    fault("a busy host counts", f"{ASKING}/speed.py", "reply.busy > self.by.busy", "False", TIMING),
    fault("a short answer is timed", f"{ASKING}/timing.py", " or made < tokens", "", TIMING),
    fault("a load is waited for", f"{ASKING}/timing.py", ' - figures.get("load_duration", 0)', "", TIMING),
    fault("nobody is dropped", f"{RUN}/compare.py", "bool(race.open_to(candidate, holders, by))", "True", RUNS),
    fault(
        "a candidate is as fast as the others", f"{RUN}/compare.py", "max(it.fastest, speed)", "it.fastest", RUNS
    ),
    fault("silence is waited for", f"{RUN}/measure.py", "count - missing < ANSWERED * count", "False", RUNS),
    fault("silence of all is held against one", f"{RUN}/measure.py", "it.id in known or not others", "True", RUNS),
    fault("one name is two models", f"{RUN}/measure.py", "    if len(by) > 1:\n", "    if False:\n", RUNS),
    fault(
        "what follows a load counts",
        f"{ASKING}/speed.py",
        "min(1, self.by.warm_ups)\n                if",
        "0\n                if",
        SPEED,
    ),
    fault("a look waits for the benchmark", "trial", "    flock -u 9\n", "", CANDIDATES),
    fault("all sets fit", f"{RUN}/compare.py", "return fit(in_order", "return True or fit(in_order", RUNS),
    fault("slot 4 takes no memory", f"{RUN}/compare.py", "dict(room.others)", "{}", RUNS),
    fault(
        "who was not measured loses",
        f"{RUN}/compare.py",
        "if slot and (name not in",
        "if False and (name in",
        RUNS,
    ),
    fault("a rerun has a new time", f"{RUN}/choose.py", "if wrote else now", "if False else now", RUNS),
    fault("a rerun is written", f"{RUN}/choose.py", "elif read(target) == text:", "elif False:", RUNS),
    fault("its own file is somebody's", f"{RUN}/week.py", " or bool(self.wrote and file == self.wrote)", "", RUNS),
    fault(
        "its own choice is an incumbent", f"{RUN}/week.py", "self.file or self.wrote else", "self.file else", RUNS
    ),
    fault("any items do", f"{RUN}/measure.py", "and model.settled == self.digest:", "and model.settled:", RUNS),
    fault("no answer is a wrong one", f"{RUN}/marks.py", "if found and not found.error:", "if found:", RUNS),
    fault(
        "families come one by one",
        f"{RUN}/course.py",
        "sorted(places, key=lambda place: place[:2])",
        "places",
        RUNS,
    ),
    fault("any host is asked", f"{RUN}/session.py", "GROUP not in host.inventory.groups or", "True or", TASK),
    fault("two runs meet", f"{RUN}/session.py", "LOCK_EX | fcntl", "LOCK_SH | fcntl", TASK),
    fault("a twin is a candidate", f"{RUN}/hosts.py", "_on(there, there.detailed.weights(model))", "None", TASK),
    fault("a pull needs no disk", f"{RUN}/bring.py", "preflight.no_disk(found, [model])", '""', TASK),
    fault(
        "a request may have anything",
        f"{ASKING}/request.py",
        "{*body} - MAY[request.way]",
        "()",
        "benchmark/asking/test_request.py",
    ),
    fault(
        "requests are not checked",
        f"{ASKING}/ask.py",
        "if why := refusal(it, slot.name):",
        "if why := None:",
        "benchmark/asking/test_ask.py",
    ),
    fault("half a line stays", f"{ASKING}/kept.py", "if half:", "if False:", "benchmark/asking/test_kept.py"),
]


def run(tests: tuple[str, ...], tree: Path) -> str | None:
    """The first test that fails, if one does."""
    paths = [f"tests/unit/{it}" for it in tests]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "2", "--no-header", *paths]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return None
    caught = re.search(r"^(?:FAILED|ERROR) \S+::([^\s\[]+)", done.stdout, re.MULTILINE)
    return caught[1] if caught else f"?? {done.stdout[-200:]}"


def plant(one: Fault, tree: Path) -> str:
    """What caught a fault, in a copy of the tree."""
    path = tree / one.file
    before = path.read_text()
    if before.count(one.old) != 1:
        return f"?? its old text is there {before.count(one.old)} times"
    path.write_text(before.replace(one.old, one.new))
    caught = run(one.tests, tree)
    path.write_text(before)
    return caught or "LIVED"


def main(which: str = "") -> int:
    faults = [it for it in (*NAMED, *OF_THE_WATCH, *MORE) if which in it.name or which in it.file]
    bad = 0
    with tempfile.TemporaryDirectory() as directory:
        tree = Path(directory) / "tree"
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".*", "__pycache__"))
        whole = tuple(sorted({test for one in faults for test in one.tests}))
        if red := run(whole, tree):
            print(f"{red} fails without any fault")
            return 2
        print("| fault | file | caught by |\n|---|---|---|")
        for one in faults:
            caught = plant(one, tree)
            bad += caught.startswith(("LIVED", "??"))
            print(f"| {one.name} | {one.file.rpartition('/')[2]} | {caught} |", flush=True)
    print(f"{len(faults) - bad} of {len(faults)} caught")
    return min(bad, 1)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
