import { Command } from 'commander'
import { resolve } from 'node:path'
import type { Config } from '../../config/config.ts'
import { loadConfigBeforeSecrets } from '../../config/load-config.ts'
import { readBounded } from '../../config/reading/read-bounded.ts'
import { secretIn } from '../../config/reading/file-references.ts'
import { Stack } from '../../lifecycle/stack.ts'
import { registryOpener } from '../open-registries.ts'
import { urlArgument } from '../arguments.ts'
import type { Cli } from '../cli.ts'
import { CommandError, usageError } from '../command-error.ts'
import { globalOptions } from '../global-options.ts'
import { reachableUrl } from '../reachable-url.ts'
import { type Streams, writeJson, writeLine } from '../screen/io.ts'
import type { Done } from '../setup/done.ts'
import { type SetUp, setUpHarbor } from '../setup/set-up-harbor.ts'
import { type Administrator, sidesOf } from '../setup/sides.ts'

interface SetupOptions {
  readonly admin: readonly string[]
  readonly project: readonly string[]
  readonly url?: string
  readonly payloadFormat: string
  readonly dryRun?: boolean
  readonly undo?: boolean
  readonly delivery: boolean
}

export function setupCommand(cli: Cli): Command {
  const harbor = new Command('harbor')
    .description(
      'make the Harbors of the configuration have its projects, robot accounts and webhooks',
    )
    .option(
      '--admin <side=user:file>',
      "an administrator of one Harbor, and the file with the password: local=admin:/run/secrets/harbor, or with an upstream's id; repeatable. A side without one is left alone",
      collected,
      [],
    )
    .option(
      '--project <name>',
      'only this project; repeatable (default: all but "*")',
      collected,
      [],
    )
    .option(
      '--url <url>',
      'how Harbor reaches pullsync (default: where it listens, on this machine)',
      urlArgument,
    )
    .option('--payload-format <format>', 'CloudEvents, or Default before Harbor 2.8', 'CloudEvents')
    .option('--dry-run', 'say what would be done, and do nothing')
    .option('--undo', 'take away what this command made, and nothing else')
    .option('--no-delivery', 'do not have the webhooks prove themselves with a delivery')
    .addHelpText('after', EXAMPLES)
    .action(async (_options: unknown, command: Command) => {
      await setUp(cli, command)
    })
  return new Command('setup').addCommand(harbor)
}

const EXAMPLES = `
Examples:
  $ pullsync setup harbor --admin local=admin:edge-admin.password --admin hq=admin:hq-admin.password --url https://pullsync.example
  $ pullsync setup harbor --project team --admin local=admin:edge-admin.password --dry-run`

function collected(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}

async function setUp({ streams, env }: Cli, command: Command): Promise<void> {
  const { config: file, json } = globalOptions(command)
  const options = command.opts<SetupOptions>()
  if (options.admin.length === 0) throw usageError(`name an administrator: ${ADMIN_EXAMPLE}`)
  const administrators = await administratorsOf(options.admin)
  const before = await loadConfigBeforeSecrets(file, env)
  const open = await registryOpener()
  await using stack = new Stack()
  const sides = sidesOf({
    before,
    administrators,
    projects: options.project,
    open,
  })
  for (const { admin } of sides) stack.use(admin)
  const all: Done[] = []
  for await (const done of setUpHarbor(sides, wishOf(options, before.config))) {
    all.push(done)
    if (!json) writeDone(streams, done, options.dryRun === true)
  }
  if (json) writeJson(streams.stdout, all)
  const failed = all.filter(({ did }) => did === 'failed').length
  if (failed > 0) throw new CommandError(`${failed} of ${all.length} are not as they should be`)
}

const WITHIN_MS = 300_000

function wishOf(
  { url, payloadFormat, dryRun = false, undo = false, delivery }: SetupOptions,
  { listen }: Config,
): SetUp {
  return {
    ...{ dryRun, undo, payloadFormat: formatOf(payloadFormat), tryDeliveries: delivery },
    url: url ?? reachableUrl(listen),
    signal: AbortSignal.timeout(WITHIN_MS),
  }
}

function formatOf(text: string): SetUp['payloadFormat'] {
  if (text === 'CloudEvents' || text === 'Default') return text
  const expected = 'expected CloudEvents or Default for --payload-format'
  throw usageError(`${expected}, got ${JSON.stringify(text)}`)
}

const ADMIN_EXAMPLE = '--admin SIDE=USER:FILE, like --admin local=admin:/run/secrets/harbor'

async function administratorsOf(
  given: readonly string[],
): Promise<ReadonlyMap<string, Administrator>> {
  const read = given.map(async (text) => {
    const [, side = '', username = '', file = ''] = /^([^=]+)=([^:]+):(.+)$/.exec(text) ?? []
    if (side === '') {
      throw usageError(`expected ${ADMIN_EXAMPLE}, got ${JSON.stringify(text)}`)
    }
    const content = await readBounded(resolve(file))
    if (!content.ok) throw new CommandError(`cannot read the file ${file}: ${content.reason}`)
    return [side, { username, password: secretIn(content.text) }] as const
  })
  return new Map(await Promise.all(read))
}

function writeDone({ stdout }: Streams, { what, at, did, note }: Done, dryRun: boolean): void {
  const words = dryRun ? WOULD[did] : did
  writeLine(
    stdout,
    `${at.padEnd(8)}  ${words.padEnd(13)}  ${what}${note === undefined ? '' : ` (${note})`}`,
  )
}

const WOULD: Readonly<Record<Done['did'], string>> = {
  ...{ made: 'would be made', changed: 'would change', removed: 'would go' },
  ...{ kept: 'kept', left: 'left', failed: 'failed' },
}
