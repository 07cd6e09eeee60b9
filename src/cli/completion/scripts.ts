/** The command that the scripts ask at each press of the key; people need not know it. */
export const COMPLETE = '__complete'

// Each asks with the words as far as they are typed, and gets a line for each that fits: the word, and behind a tab
// what it is. Without any, the shell completes names of files.

const BASH = `_pullsync() {
  local word lines
  COMPREPLY=()
  word="\${COMP_WORDS[COMP_CWORD]}"
  mapfile -t lines < <(pullsync ${COMPLETE} -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  local line
  for line in "\${lines[@]}"; do
    line="\${line%%$'\\t'*}"
    [[ $line == "$word"* ]] && COMPREPLY+=("$line")
  done
  [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == */ ]] && compopt -o nospace
}
complete -o default -F _pullsync pullsync`

const ZSH = `#compdef pullsync
_pullsync() {
  local -a described
  local line
  for line in "\${(@f)$(pullsync ${COMPLETE} -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    [[ -n $line ]] && described+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done
  if (( \${#described} )); then _describe pullsync described; else _files; fi
}
compdef _pullsync pullsync`

const FISH = `function __pullsync_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l lines (pullsync ${COMPLETE} -- $words[2..-1] 2>/dev/null)
    if test (count $lines) -gt 0
        printf '%s\\n' $lines
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c pullsync -f -a '(__pullsync_complete)'`

const POWERSHELL = `Register-ArgumentCompleter -Native -CommandName pullsync -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $words = @($commandAst.CommandElements | Select-Object -Skip 1 | ForEach-Object { "$_" })
  if ($wordToComplete -eq '') { $words += '' }
  pullsync ${COMPLETE} -- @words 2>$null | ForEach-Object {
    $text, $about = $_ -split "\`t", 2
    if ($text -like "$wordToComplete*") {
      $tip = if ($about) { $about } else { $text }
      [System.Management.Automation.CompletionResult]::new($text, $text, 'ParameterValue', $tip)
    }
  }
}`

export const SCRIPTS = { bash: BASH, zsh: ZSH, fish: FISH, powershell: POWERSHELL } as const

export type Shell = keyof typeof SCRIPTS

export const SHELLS = Object.keys(SCRIPTS).filter((name): name is Shell => name in SCRIPTS)
