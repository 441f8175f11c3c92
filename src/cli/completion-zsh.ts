import {
  byExpectation,
  type CompletedCommand,
  type CompletedOption,
  type Expected,
  offered,
  offeredArguments,
  quoted,
  valuedOptions,
} from './completion-tree.ts';

/** For zsh 5: with what each command and option is for. */
export function zshCompletion(tree: readonly CompletedCommand[]): string {
  return `#compdef sallyport
# zsh completion for sallyport. In ~/.zshrc, below compinit:  source <(sallyport completion zsh)
_sallyport_commands() {
  case $1 in
${tree.map(commandsBranch).join('')}    (*) reply=() ;;
  esac
}

_sallyport_options() {
  case $1 in
${tree.map(optionsBranch).join('')}    (*) reply=() ;;
  esac
}

# What may follow an option: empty, text, file, names:KIND, or the words themselves.
_sallyport_value() {
  case $1 in
${byExpectation(valuedOptions(tree)).map(valueBranch).join('')}    (*) reply=() ;;
  esac
}

# What the first argument of a command may be.
_sallyport_argument() {
  case $1 in
${byExpectation(offeredArguments(tree)).map(valueBranch).join('')}    (*) reply=() ;;
  esac
}

${FUNCTION}
# Saved as a file of $fpath it is called at once; read by source it is only made known.
if [[ $funcstack[1] == _sallyport ]]; then _sallyport "$@"; else compdef _sallyport sallyport; fi
`;
}

function commandsBranch({ path, commands }: CompletedCommand): string {
  if (commands.length === 0) return '';
  return `    (${quoted(path)}) reply=(${commands.map(({ name, summary }) => described(name, summary)).join(' ')}) ;;\n`;
}

function optionsBranch({ path, options }: CompletedCommand): string {
  const words = options.flatMap(({ flags, summary }: CompletedOption) =>
    flags.map((flag) => described(flag, summary)),
  );
  return `    (${quoted(path)}) reply=(${words.join(' ')}) ;;\n`;
}

function described(name: string, summary: string): string {
  return quoted(`${name}:${summary.replaceAll('\\', '\\\\').replaceAll(':', '\\:')}`);
}

function valueBranch({
  keys,
  value,
}: {
  readonly keys: readonly string[];
  readonly value: Expected;
}): string {
  return `    (${keys.map(quoted).join('|')}) reply=(${offered(value).map(quoted).join(' ')}) ;;\n`;
}

const FUNCTION = `_sallyport() {
  local at='' pending='' word count=0 i
  local -a reply
  for ((i = 2; i < CURRENT; i++)); do
    word=$words[i]
    if [[ -n $pending ]]; then
      pending=''
      continue
    fi
    case $word in
      (--*=*) ;;
      (-*)
        _sallyport_value "$at $word"
        if (( $#reply )); then pending=$word; fi
        ;;
      (*)
        _sallyport_commands "$at"
        if (( $reply[(I)$word:*] )); then at=\${at:+$at }$word; else (( ++count )); fi
        ;;
    esac
  done
  if [[ -z $pending && $PREFIX == --*=* ]]; then
    pending=\${PREFIX%%=*}
    compset -P '*='
  fi
  if [[ -n $pending ]]; then
    _sallyport_value "$at $pending"
  elif [[ $PREFIX == -* ]]; then
    _sallyport_options "$at"
    _describe -o 'option' reply
    return
  else
    _sallyport_commands "$at"
    if (( $#reply )); then
      _describe 'command' reply
      return
    fi
    if (( count == 0 )); then _sallyport_argument "$at"; fi
  fi
  case "$reply" in
    ('' | text) _message 'a value' ;;
    (file) _files ;;
    (names:*)
      reply=(\${(f)"$(command "\${(Q)words[1]}" __complete -- \${reply#names:} "$PREFIX" "\${(j: :)words[1,CURRENT]}" 2>/dev/null </dev/null)"})
      compadd -a reply
      ;;
    (*) compadd -a reply ;;
  esac
}
`;
