/** What a shell runs to complete the words of `mintaka`. Each asks `mintaka __complete`, which knows everything. */
export const scripts = {
  bash: `# Completes the words of mintaka. In ~/.bashrc:  eval "$(mintaka completion bash)"
_mintaka() {
  local words=() word= glue= i
  # bash divides words at = and : as well.
  for ((i = 1; i <= COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ ( $word == [=:]* || $glue ) && \${#words[@]} -gt 0 ]]; then words[\${#words[@]}-1]+=$word; else words+=("$word"); fi
    if [[ $word == [=:] ]]; then glue=1; else glue=; fi
  done
  local current=\${words[\${#words[@]}-1]} cut line file
  cut=\${current%"\${current##*[=:]}"}
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      compopt -o filenames 2>/dev/null
      while IFS= read -r file; do COMPREPLY+=("$file"); done < <(compgen -f -- "\${current#"$cut"}")
    else
      line=\${line%%$'\\t'*}
      printf -v line %q "\${line#"$cut"}"
      COMPREPLY+=("$line")
    fi
  done < <(mintaka __complete -- "\${words[@]}" 2>/dev/null)
}
complete -F _mintaka mintaka
`,
  zsh: `#compdef mintaka
# Completes the words of mintaka. In ~/.zshrc, after compinit:  eval "$(mintaka completion zsh)"
_mintaka() {
  local line
  local -a described
  for line in "\${(@f)$(mintaka __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    case $line in
      '') ;;
      :files) _files ;;
      *$'\\t'*) described+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}") ;;
      *) described+=("\${line//:/\\\\:}") ;;
    esac
  done
  (( $#described )) && _describe -V mintaka described
}
if [[ $funcstack[1] == _mintaka ]]; then _mintaka "$@"; else compdef _mintaka mintaka; fi
`,
  fish: `# Completes the words of mintaka:  mintaka completion fish >~/.config/fish/completions/mintaka.fish
function __mintaka_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    for line in (mintaka __complete -- $before[2..-1] "$current" 2>/dev/null)
        if test "$line" = :files
            __fish_complete_path "$current"
        else
            printf '%s\\n' $line
        end
    end
end
complete -c mintaka -f -k -a '(__mintaka_complete)'
`,
} as const
