import {
  byExpectation,
  type CompletedCommand,
  type Expected,
  offered,
  offeredArguments,
  quoted,
  valuedOptions,
} from './completion-tree.ts';

/**
 * For bash 3.2 (which macOS has) and later: no associative arrays, and no package
 * `bash-completion`.
 */
export function bashCompletion(tree: readonly CompletedCommand[]): string {
  return `# bash completion for sallyport. In ~/.bashrc:  source <(sallyport completion bash)
_sallyport_commands() {
  case $1 in
${tree.map(commandsBranch).join('')}  esac
}

_sallyport_options() {
  case $1 in
${tree.map(optionsBranch).join('')}  esac
}

# What may follow an option: empty, text, file, names:KIND, or the words themselves.
_sallyport_value() {
  case $1 in
${byExpectation(valuedOptions(tree)).map(valueBranch).join('')}  esac
}

# What the first argument of a command may be.
_sallyport_argument() {
  case $1 in
${byExpectation(offeredArguments(tree)).map(valueBranch).join('')}  esac
}

${FUNCTION}
complete -F _sallyport sallyport
`;
}

function commandsBranch({ path, commands }: CompletedCommand): string {
  return commands.length === 0
    ? ''
    : `    ${quoted(path)}) echo ${quoted(commands.map(({ name }) => name).join(' '))} ;;\n`;
}

function optionsBranch({ path, options }: CompletedCommand): string {
  return `    ${quoted(path)}) echo ${quoted(options.flatMap(({ flags }) => flags.filter((flag) => flag.startsWith('--'))).join(' '))} ;;\n`;
}

function valueBranch({
  keys,
  value,
}: {
  readonly keys: readonly string[];
  readonly value: Expected;
}): string {
  return `    ${keys.map(quoted).join(' | ')}) echo ${quoted(offered(value).join(' '))} ;;\n`;
}

/** Bash gives \`--status=active\` as three words, and whatever holds a colon as several too. */
const FUNCTION = `_sallyport() {
  local current=\${COMP_WORDS[COMP_CWORD]} path='' pending='' count=0 i word offer
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ $word == = ]]; then
      continue
    elif [[ $word == : ]]; then
      i=$((i + 1))
    elif [[ $word == -* ]]; then
      pending=
      [[ -n $(_sallyport_value "$path $word") ]] && pending=$word
    elif [[ -n $pending ]]; then
      # Of a value that is given after a sign of equality, or after a space, this was the word.
      pending=
    elif [[ " $(_sallyport_commands "$path") " == *" $word "* ]]; then
      path=\${path:+$path }$word
    else
      count=$((count + 1))
    fi
  done
  [[ $current == = ]] && current=''
  COMPREPLY=()
  if [[ -n $pending ]]; then
    offer=$(_sallyport_value "$path $pending")
  elif [[ $current == -* ]]; then
    offer=$(_sallyport_options "$path")
  else
    offer=$(_sallyport_commands "$path")
    if [[ -z $offer && $count == 0 ]]; then offer=$(_sallyport_argument "$path"); fi
  fi
  case $offer in
    '' | text) ;;
    names:*)
      while IFS= read -r word; do
        COMPREPLY+=("$word")
      done < <(command "\${COMP_WORDS[0]}" __complete -- "\${offer#names:}" "$current" "\${COMP_LINE-}" 2>/dev/null </dev/null)
      ;;
    file)
      compopt -o filenames 2>/dev/null
      local IFS=$'\\n'
      COMPREPLY=($(compgen -f -- "$current"))
      ;;
    *) COMPREPLY=($(compgen -W "$offer" -- "$current")) ;;
  esac
}
`;
