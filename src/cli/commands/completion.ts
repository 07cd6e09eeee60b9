import { Argument, Command } from 'commander'
import type { Cli } from '../cli.ts'
import { candidates } from '../completion/candidates.ts'
import { COMPLETE, SCRIPTS, type Shell, SHELLS } from '../completion/scripts.ts'
import { valuesOf } from '../completion/values.ts'
import { globalOptions } from '../global-options.ts'
import { writeJson, writeLine } from '../screen/io.ts'

export function completionCommand({ streams }: Cli): Command {
  return new Command('completion')
    .addArgument(new Argument('<shell>', 'whose').choices(SHELLS))
    .addHelpText('after', EXAMPLES)
    .action((shell: Shell, _options: unknown, command: Command) => {
      const script = SCRIPTS[shell]
      if (globalOptions(command).json) writeJson(streams.stdout, { shell, script })
      else writeLine(streams.stdout, script)
    })
}

const EXAMPLES = `
Examples:
  $ pullsync completion bash > /etc/bash_completion.d/pullsync
  $ pullsync completion zsh > "\${fpath[1]}/_pullsync"
  $ pullsync completion fish > ~/.config/fish/completions/pullsync.fish
  > pullsync completion powershell >> $PROFILE`

/** What the scripts ask. */
export function completeCommand({ streams, env }: Cli): Command {
  return new Command(COMPLETE)
    .argument('[words...]')
    .action(async (words: readonly string[], _options: unknown, command: Command) => {
      const program = command.parent ?? command
      const { words: known, value } = candidates(program, words)
      const typed = words.at(-1) ?? ''
      const path = words.filter((word) => !word.startsWith('-')).slice(0, 2)
      const values =
        value === undefined
          ? []
          : await valuesOf(value, path.join(' '), globalOptions(command), env)
      for (const { text, about } of [...known, ...values]) {
        if (!text.startsWith(typed)) continue
        writeLine(streams.stdout, about === '' ? text : `${text}\t${about}`)
      }
    })
}
