import { type GoProgram, goProgram, missingProgram } from '../../test/support/process/go-program.ts'
import { run } from '../../test/support/process/run.ts'
import type { Entry, Pair, Wanted } from '../copies/contestant.ts'
import { measuredCommand } from '../copies/measured-command.ts'

type Arguments = (pair: Pair, wanted: Wanted) => readonly string[]

/** How each copies one image. Over plain http, some have to be told so. */
const COPY_ONE: readonly (readonly [GoProgram, Arguments])[] = [
  ['crane', (pair, wanted) => ['copy', ...images(pair, wanted)]],
  ['regctl', (pair, wanted) => [...plainHosts(pair), 'image', 'copy', ...images(pair, wanted)]],
  ['oras', (pair, wanted) => ['cp', ...plainSides(pair), ...images(pair, wanted)]],
]

/** All tags of a repository in one run, which only one of them can. */
const COPY_TAGS: readonly (readonly [GoProgram, Arguments])[] = [
  ['crane', (pair, { repository }) => ['copy', '--all-tags', ...repositories(pair, repository)]],
]

/** Other people's programs beside skopeo, as far as they are here. */
export async function copiersOfOne(): Promise<readonly Entry[]> {
  return await entriesOf(COPY_ONE)
}

export async function copiersOfTags(): Promise<readonly Entry[]> {
  return await entriesOf(COPY_TAGS)
}

async function entriesOf(all: typeof COPY_ONE): Promise<readonly Entry[]> {
  const entries: Entry[] = []
  for (const [name, argumentsFor] of all) {
    const program = goProgram(name)
    if (program === undefined) console.error(`no ${name}${missingProgram(name)}`)
    else entries.push(entryOf(await named(name, program), program, argumentsFor))
  }
  return entries
}

function entryOf(name: string, program: string, argumentsFor: Arguments): Entry {
  return {
    name,
    isPeer: true,
    remembers: true,
    enter: (pair) =>
      Promise.resolve({
        copy: (wanted) => measuredCommand(program, argumentsFor(pair, wanted), trusting(pair)),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      }),
  }
}

async function named(name: string, program: string): Promise<string> {
  const { stdout } = await run(program, ['version'])
  return `${name} ${/\d+\.\d+\.\d+/.exec(stdout.toString('utf8'))?.[0] ?? 'of an unknown version'}`
}

// All of them are Go programs, which heed this.
function trusting({ caFile }: Pair): Readonly<Record<string, string>> {
  return caFile === undefined ? {} : { SSL_CERT_FILE: caFile }
}

function images(pair: Pair, { repository, tags: [tag = ''] }: Wanted): readonly string[] {
  return repositories(pair, repository).map((name) => `${name}:${tag}`)
}

function repositories({ upstream, local }: Pair, repository: string): readonly string[] {
  return [upstream, local].map(({ host }) => `${host}/${repository}`)
}

function plainHosts({ upstream, local, caFile }: Pair): readonly string[] {
  if (caFile !== undefined) return []
  return [upstream, local].flatMap(({ host }) => ['--host', `reg=${host},tls=disabled`])
}

function plainSides({ caFile }: Pair): readonly string[] {
  return caFile === undefined ? ['--from-plain-http', '--to-plain-http'] : []
}
