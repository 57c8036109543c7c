"""Shell completion: the scripts for bash, zsh and fish, and the words that they ask for.

The script runs ``_TODO_SQL_COMPLETE=1 todo-sql WORDS…``, where the last word is the one
to be completed, and is answered with a candidate per line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from todo_sql.cli.context import FLAGS, VALUES, Context, split_options
from todo_sql.cli.output import Output
from todo_sql.cli.table import PROGRAM, available, find
from todo_sql.errors import TodoSqlError, UsageError

VARIABLE = "_TODO_SQL_COMPLETE"

SCRIPTS = {
    "bash": """\
_todo_sql() {
    local words=("${COMP_WORDS[@]:1:COMP_CWORD}")
    mapfile -t COMPREPLY < <(_TODO_SQL_COMPLETE=1 "${COMP_WORDS[0]}" "${words[@]}")
    [[ ${#COMPREPLY[@]} -gt 0 ]] || compopt -o default
}
complete -F _todo_sql todo-sql""",
    "zsh": """\
#compdef todo-sql
_todo_sql() {
    local -a candidates
    candidates=(${(f)"$(_TODO_SQL_COMPLETE=1 "${words[1]}" "${(@)words[2,$CURRENT]}")"})
    (( $#candidates )) && compadd -- $candidates || _files
}
compdef _todo_sql todo-sql""",
    "fish": """\
function _todo_sql
    set -lx _TODO_SQL_COMPLETE 1
    set -l last (commandline -ct)
    set -l found (todo-sql (commandline -opc)[2..-1] "$last")
    if test (count $found) -gt 0
        printf '%s\\n' $found
    else
        __fish_complete_path "$last"
    end
end
complete -c todo-sql -f -a '(_todo_sql)'""",
}


def script(shell: str) -> str:
    """Return the script that teaches a shell to complete our words."""
    if shell not in SCRIPTS:
        raise UsageError(
            f"no completion for the shell `{shell}`",
            fix=f'use one of {", ".join(SCRIPTS)}; in bash: eval "$({PROGRAM} --completion bash)"',
        )
    return SCRIPTS[shell]


def candidates(words: Sequence[str]) -> list[str]:
    """Return what the last of `words` can become; nothing where that cannot be told."""
    *before, last = words or [""]
    try:
        found = _candidates(list(before), last)
    except TodoSqlError:
        return []
    return sorted(word for word in found if word.startswith(last))


def _candidates(before: list[str], last: str) -> list[str]:
    if before and before[-1] in VALUES:
        return []  # a folder or a URL: the shell's own completion
    options, rest = split_options(before)
    global_options = [*FLAGS, *VALUES, "--help"] if last.startswith("-") else []
    if not rest:
        return global_options or [verb.name for verb in available()]
    from todo_sql.cli.parse import command_of

    verb = find(rest[0])
    command = command_of(verb)
    by_name = {name: entry for entry in command.params for name in entry.opts}
    parsed = command.make_context(
        verb.name, [], resilient_parsing=True, obj=Context(options, Output())
    )
    value_of = by_name.get(rest[-1])
    if value_of and not value_of.is_flag:
        return _values(value_of, parsed, last)
    if last.startswith("-"):
        return [*(name for name in by_name if name.startswith("-")), *global_options]
    arguments = [entry for entry in command.params if entry.param_type_name == "argument"]
    given = _count_arguments(rest[1:], by_name)
    if given < len(arguments):
        return _values(arguments[given], parsed, last)
    if arguments and arguments[-1].nargs == -1:
        return _values(arguments[-1], parsed, last)
    return []


def _values(parameter: Any, parsed: Any, last: str) -> list[str]:
    items = parameter.shell_complete(parsed, last)
    return [item.value for item in items if item.type == "plain"]


def _count_arguments(words: Sequence[str], options: dict[str, Any]) -> int:
    count = 0
    remaining = iter(words)
    for word in remaining:
        if word in options:
            if not options[word].is_flag:
                next(remaining, None)
        elif not word.startswith("-"):
            count += 1
    return count
