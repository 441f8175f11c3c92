import {
  byExpectation,
  type CompletedCommand,
  type Expected,
  offered,
  offeredArguments,
  valuedOptions,
} from './completion-tree.ts';

/** For fish 3: with what each command and option is for. */
export function fishCompletion(tree: readonly CompletedCommand[]): string {
  return `# fish completion for sallyport. Once:  sallyport completion fish > ~/.config/fish/completions/sallyport.fish
function __sallyport_commands
    switch "$argv[1]"
${tree.map(commandsBranch).join('')}    end
end

function __sallyport_options
    switch "$argv[1]"
${tree.map(optionsBranch).join('')}    end
end

# What may follow an option: empty, text, file, names:KIND, or the words themselves.
function __sallyport_value
    switch "$argv[1]"
${byExpectation(valuedOptions(tree)).map(valueBranch).join('')}    end
end

# What the first argument of a command may be.
function __sallyport_argument
    switch "$argv[1]"
${byExpectation(offeredArguments(tree)).map(valueBranch).join('')}    end
end

${FUNCTION}
complete -c sallyport -f -a '(__sallyport_complete)'
`;
}

/** Text as one word of fish. */
function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

function lines(words: readonly string[]): string {
  return `            printf '%s\\n' ${words.map(quoted).join(' ')}\n`;
}

function commandsBranch({ path, commands }: CompletedCommand): string {
  if (commands.length === 0) return '';
  return `        case ${quoted(path)}\n${lines(commands.map(({ name, summary }) => `${name}\t${summary}`))}`;
}

function optionsBranch({ path, options }: CompletedCommand): string {
  const words = options.flatMap(({ flags, summary }) => flags.map((flag) => `${flag}\t${summary}`));
  return `        case ${quoted(path)}\n${lines(words)}`;
}

function valueBranch({
  keys,
  value,
}: {
  readonly keys: readonly string[];
  readonly value: Expected;
}): string {
  return `        case ${keys.map(quoted).join(' ')}\n${lines(offered(value))}`;
}

const FUNCTION = `function __sallyport_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l at ''
    set -l pending ''
    set -l count 0
    for word in $words[2..-1]
        if test -n "$pending"
            set pending ''
        else if string match -q -- '-*' $word
            if not string match -q -- '*=*' $word; and test -n "$(__sallyport_value "$at $word")"
                set pending $word
            end
        else if contains -- $word (__sallyport_commands "$at" | string replace -r '\\t.*' '')
            set at (string trim -- "$at $word")
        else
            set count (math $count + 1)
        end
    end
    set -l before ''
    if test -z "$pending"; and string match -q -- '--*=*' $current
        set pending (string replace -r '=.*' '' -- $current)
        set before $pending=
        set current (string replace -r '^[^=]*=' '' -- $current)
    end
    set -l offer
    if test -n "$pending"
        set offer (__sallyport_value "$at $pending")
    else if string match -q -- '-*' $current
        set offer (__sallyport_options "$at")
    else
        set offer (__sallyport_commands "$at")
        if test -z "$offer"; and test $count -eq 0
            set offer (__sallyport_argument "$at")
        end
    end
    if test "$offer" = file
        set offer (__fish_complete_path $current)
    else if string match -q -- 'names:*' "$offer"
        set -l program (commandline -opc)[1]
        type -fq -- $program; or return
        set offer (command $program __complete -- (string replace names: '' -- $offer) "$current" (commandline -cp) 2>/dev/null </dev/null)
    else if test "$offer" = text
        return
    end
    for one in $offer
        printf '%s\\n' $before$one
    end
end
`;
