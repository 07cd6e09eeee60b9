import { Command } from 'commander'
import { expect, it } from 'vitest'
import { COMMANDS } from '../../../src/cli/command-list.ts'
import { addGlobalOptions } from '../../../src/cli/global-options.ts'
import { blocksOf, pages } from '../../support/process/pages.ts'

const neverRun = () => Promise.reject(new Error('no command is run here'))
const ROOTS = {
  serve: neverRun,
  worker: neverRun,
  notificationsSnippet: neverRun,
  nginxSnippet: neverRun,
  harborNginx: neverRun,
}
const CLI = { env: {}, streams: { stdout: process.stdout, stderr: process.stderr, stdin: process.stdin } }

const program = addGlobalOptions(new Command('pullsync'), {})
for (const { load } of COMMANDS) program.addCommand(await load(CLI, ROOTS))

const LINES = pages()
  .filter(({ path }) => !path.startsWith('findings/'))
  .flatMap(blocksOf)
  .filter(({ language }) => language === 'sh' || language === 'console')
  .flatMap(({ page, language, text }) => commandsIn(text, language).map((line) => [page, line]))

it.each(LINES)('%s shows a command that there is: %s', (_, line = '') => {
  expect(whyWrong(program, line.split(/\s+/).slice(1))).toBeUndefined()
})

it('there are such lines', () => {
  expect(LINES.length).toBeGreaterThan(40)
})

/** Lines that begin with it, in a console behind a prompt; without what the shell does with them. */
function commandsIn(text: string, language: string): readonly string[] {
  const prompt = language === 'console' ? String.raw`\$ ` : ''
  return [...text.matchAll(new RegExp(`^${prompt}(pullsync .*)$`, 'gm'))].map(([, line = '']) =>
    line.replace(/\s(?:#|>|\||&|;).*$/, '').trim(),
  )
}

function whyWrong(command: Command, words: readonly string[]): string | undefined {
  const [word, ...rest] = words
  if (word === undefined) return undefined
  if (word.startsWith('-')) return whyWrongOption(command, word, rest)
  if (command.commands.length === 0) return whyWrong(command, rest)
  const below = command.commands.find((each) => each.name() === word)
  return below === undefined ? `there is no command ${word}` : whyWrong(below, rest)
}

function whyWrongOption(command: Command, word: string, rest: readonly string[]) {
  const [name = ''] = word.split('=')
  const known = [...ancestry(command)].flatMap(({ options }) => options)
  const option = known.find(({ long, short }) => long === name || short === name)
  if (option === undefined) return `${command.name()} has no option ${name}`
  const takesNext = (option.required || option.optional) && !word.includes('=')
  return whyWrong(command, takesNext ? rest.slice(1) : rest)
}

function* ancestry(command: Command): Generator<Command> {
  for (let each: Command | null = command; each !== null; each = each.parent) yield each
}
