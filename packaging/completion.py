"""Completion for bash, made of the commands and options that a program's own help tells."""

import command_tree

TEMPLATE = """\
# bash completion of %(program)s, made from its help.
declare -gA %(name)s_words=(
%(words)s
)
declare -gA %(name)s_values=(
%(values)s
)

%(name)s() {
  local current=${COMP_WORDS[COMP_CWORD]} path=%(program)s word i values
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    [[ $word == -* || -z ${%(name)s_words[$path $word]+there} ]] || path+=" $word"
  done
  COMPREPLY=()
  word=${COMP_WORDS[COMP_CWORD - 1]}
  values=${%(name)s_values[$path $word]-${%(name)s_values[%(program)s $word]-}}
  if [[ -n $values ]]; then
    # A value is asked for: one of those there are, or else (the dash) a file or something that only the caller knows.
    [[ $values == - ]] || mapfile -t COMPREPLY < <(compgen -W "$values" -- "$current")
    return
  fi
  for word in ${%(name)s_words[$path]}; do
    [[ $word != "$current"* || ($word == -* && $current != -*) ]] || COMPREPLY+=("$word")
  done
}
complete -o default -F %(name)s %(program)s
"""


def quoted(key, words):
    return f'  ["{key}"]="{" ".join(words)}"'


def script(program, path):
    tree = command_tree.read(path)
    name = "_" + program.replace("-", "_")
    words, values = [], []
    above = [one for option in tree.options for one in option.names if one != "--version"]
    for command in tree.walk():
        key = " ".join([program, *command.words])
        options = [one for option in command.options for one in option.names]
        # Options of the whole program may stand behind its commands, but for those that PostgreSQL calls.
        falls_through = program == "backstay" and command.words and command.words[0] not in ("wal-push", "wal-fetch")
        further = above if falls_through else []
        words.append(quoted(key, [one.words[-1] for one in command.commands] + options + further + ["--help"]))
        values += [quoted(f"{key} {one}", option.choices or ["-"]) for option in command.options for one in option.names if option.value]
    return TEMPLATE % {"program": program, "name": name, "words": "\n".join(words), "values": "\n".join(values)}
