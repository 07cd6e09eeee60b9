import type { Argument, Command, Option } from 'commander'

/** What can stand where the cursor is: words of the command line itself, or a value that is told by its name. */
export interface Candidates {
  readonly words: readonly Word[]
  /** What the argument or option is called: `upstream`, `image`, `file`. */
  readonly value?: string
}

export interface Word {
  readonly text: string
  readonly about: string
}

/**
 * From the tree of commands alone.
 *
 * @param words what was typed behind the program's name; the last one is what is being typed, perhaps empty
 */
export function candidates(program: Command, words: readonly string[]): Candidates {
  const before = words.slice(0, -1)
  const typed = words.at(-1) ?? ''
  const { command, operands, awaiting } = walked(program, before)
  if (awaiting !== undefined) return valueOf(awaiting, awaiting.argChoices)
  if (typed.startsWith('-')) return { words: optionsOf(command) }
  if (command.commands.length > 0) return { words: commandsOf(command) }
  const taken = command.registeredArguments
  const next = taken[operands] ?? taken.findLast(({ variadic }) => variadic)
  return next === undefined ? { words: optionsOf(command) } : valueOf(next, next.argChoices)
}

interface Walked {
  readonly command: Command
  /** How many arguments were given. */
  readonly operands: number
  /** The option whose value comes next. */
  readonly awaiting?: Option
}

function walked(program: Command, words: readonly string[]): Walked {
  let command = program
  let operands = 0
  let awaiting: Option | undefined
  for (const word of words) {
    if (awaiting !== undefined) awaiting = undefined
    else if (word.startsWith('-')) awaiting = takesValue(command, word)
    else {
      const below = command.commands.find((each) => each.name() === word)
      if (below === undefined) operands += 1
      else command = below
    }
  }
  return { command, operands, ...(awaiting && { awaiting }) }
}

function takesValue(command: Command, word: string): Option | undefined {
  return allOptions(command).find(
    (option) =>
      (option.long === word || option.short === word) && (option.required || option.optional),
  )
}

function allOptions(command: Command): readonly Option[] {
  const above = command.parent === null ? [] : allOptions(command.parent)
  return [...command.options, ...above]
}

function optionsOf(command: Command): readonly Word[] {
  const help = { text: '--help', about: 'show what it takes' }
  const words = allOptions(command)
    .filter(({ hidden }) => !hidden)
    .map(({ long, description }) => ({ text: long ?? '', about: description }))
  return [...words.filter(({ text }) => text !== ''), help]
}

function commandsOf(command: Command): readonly Word[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .map((each) => ({ text: each.name(), about: each.summary() || each.description() }))
}

function valueOf(of: Option | Argument, choices: readonly string[] | undefined): Candidates {
  if (choices !== undefined) return { words: choices.map((text) => ({ text, about: '' })) }
  // Of `--upstream <id>` the option's name says more than what it takes.
  const name = 'long' in of ? (of.long ?? '').replace('--', '') : of.name()
  return { words: [], value: name }
}
