import { Command } from 'commander'
import type { Address, Config, SourceConfig } from '../../config/config.ts'
import { loadConfig } from '../../config/load-config.ts'
import { addressArgument, urlArgument } from '../arguments.ts'
import type { Cli } from '../cli.ts'
import { CommandError, usageError } from '../command-error.ts'
import { globalOptions } from '../global-options.ts'
import { type Streams, writeJson, writeLine } from '../screen/io.ts'
import { nodeCommands } from './print-nodes.ts'
import { authorityOf, reachableUrl } from '../reachable-url.ts'
import type { HarborInstall, Roots, Snippet } from '../root-options.ts'
import { HARBOR_EXAMPLES, harborOption, printHarbor } from './print-harbor.ts'

interface PrintOptions {
  readonly source?: string
  readonly url?: string
  readonly listen?: Address
  readonly withSecrets?: true
  readonly harbor?: HarborInstall
}

/** What can be printed: for sources of some formats, made by one snippet. */
interface Printable {
  readonly name: string
  readonly fits: (format: SourceConfig['format']) => boolean
  /** The formats in words, and one of them for an example. */
  readonly formats: string
  readonly example: SourceConfig['format']
  readonly description: string
  readonly snippet: () => Promise<Snippet>
  /** Whole files for Harbor, where there are any. */
  readonly harbor?: Roots['harborNginx']
  readonly examples: string
}

export function printCommand(cli: Cli, roots: Roots): Command {
  const notifications: Printable = {
    name: 'notifications',
    fits: (format) => format !== 'pull-miss',
    formats: 'of a registry',
    example: 'distribution',
    description: 'what a registry needs to send its events: configuration, or commands',
    snippet: () => roots.notificationsSnippet(),
    examples: `
Examples:
  $ pullsync print notifications edge --url http://pullsync.example:8080
  $ pullsync print notifications --source hq-push --url https://pullsync.example
  $ pullsync print notifications edge --with-secrets >> /etc/docker/registry/config.yml`,
  }
  const nginx: Printable = {
    name: 'nginx',
    fits: (format) => format === 'pull-miss',
    formats: 'with format: pull-miss',
    example: 'pull-miss',
    description: 'the nginx configuration that reports the pulls which miss',
    snippet: () => roots.nginxSnippet(),
    harbor: () => roots.harborNginx(),
    examples: `
Examples:
  $ pullsync print nginx misses --with-secrets > /etc/nginx/conf.d/registry.conf
  $ pullsync print nginx --listen 127.0.0.1:5080`,
  }
  const print = new Command('print')
    .addCommand(printable(cli, notifications))
    .addCommand(
      printable(cli, nginx)
        .option(
          '--listen <host:port>',
          'where clients pull (default: port 80, every address)',
          addressArgument,
        )
        .addOption(harborOption())
        .addHelpText('after', HARBOR_EXAMPLES),
    )
  for (const command of nodeCommands(cli)) print.addCommand(command)
  return print
}

function printable(cli: Cli, what: Printable): Command {
  return new Command(what.name)
    .description(what.description)
    .argument('[source]', 'the id of a source in the configuration; needed when several fit')
    .option('--source <id>', 'the same, as an option')
    .option(
      '--url <url>',
      'how the sender reaches pullsync (default: where it listens, on this machine)',
      urlArgument,
    )
    .option('--with-secrets', 'with the real secret instead of a placeholder')
    .addHelpText('after', what.examples)
    .action(async (id: string | undefined, _options: unknown, command: Command) => {
      await print(cli, command, what, id)
    })
}

async function print(
  { streams, env }: Cli,
  command: Command,
  what: Printable,
  id: string | undefined,
): Promise<void> {
  const { config: file, json } = globalOptions(command)
  const { url, listen, withSecrets, harbor, source: named } = command.opts<PrintOptions>()
  const config = await loadConfig(file, env)
  if (harbor !== undefined) {
    await printHarbor(streams, what.harbor, config, { install: harbor, url, json })
    return
  }
  const source = chosenSource(config, what, named ?? id)
  const snippet = await what.snippet()
  const text = snippet({
    sourceId: source.id,
    format: source.format,
    token: source.token,
    webhookUrl: url ?? reachableUrl(config.listen),
    secret: (withSecrets === true ? source.secrets[0] : undefined) ?? placeholderOf(source),
    registryAddress: addressOf(config, source),
    isLocal: source.registry === 'local',
    ...(listen !== undefined && { listen: authorityOf(listen) }),
  }).trimEnd()
  if (json) {
    writeJson(streams.stdout, { source: source.id, text })
    return
  }
  writeSnippet(streams, text, remarks(config, source, command.opts<PrintOptions>()))
}

/** What is on standard output can be pasted as it is: JSON has no comments, so they go beside it. */
function writeSnippet({ stdout, stderr }: Streams, text: string, remarks: readonly string[]): void {
  const [, comments = '', rest = text] = /^((?:#.*\n)*)([^]*)$/.exec(text) ?? []
  const beside = rest.startsWith('{') ? stderr : stdout
  for (const remark of remarks) writeLine(beside, remark)
  if (comments !== '') writeLine(beside, comments.trimEnd())
  writeLine(stdout, rest)
}

function chosenSource(config: Config, what: Printable, id: string | undefined): SourceConfig {
  const { name, formats } = what
  const fitting = [...config.sources.values()].filter(({ format }) => what.fits(format))
  const [first, ...others] = fitting
  if (first === undefined) throw new CommandError(noneFits(config, what))
  const ids = fitting.map((source) => source.id).join(', ')
  if (id === undefined && others.length > 0) {
    throw usageError(`which source? Name one of ${ids}, as in "pullsync print ${name} ${first.id}"`)
  }
  const chosen = id === undefined ? first : fitting.find((source) => source.id === id)
  if (chosen !== undefined) return chosen
  throw new CommandError(
    `there is no source ${JSON.stringify(id)} ${formats} in the configuration; there is ${ids}`,
  )
}

function noneFits({ file }: Config, { name, formats, example }: Printable): string {
  const id = name === 'nginx' ? 'misses' : 'edge'
  return `${file} has no source ${formats}, which "print ${name}" is for. Add one, for example:

sources:
  ${id}: { format: ${example}, registry: local, secretFile: /run/secrets/${id} }`
}

function remarks(
  { listen }: Config,
  { secrets }: SourceConfig,
  { url, withSecrets }: PrintOptions,
): readonly string[] {
  const everywhere = listen.host === '0.0.0.0' || listen.host === '::'
  return [
    ...(url === undefined && everywhere
      ? ['# This reaches pullsync on the same machine; from elsewhere, print it with --url.']
      : []),
    ...(withSecrets === true || secrets.length === 0
      ? []
      : ['# Put the secret in, or print this with --with-secrets.']),
  ]
}

function placeholderOf({ id }: SourceConfig): string {
  return `SECRET-OF-SOURCE-${id}`
}

function addressOf({ local, upstreams }: Config, { registry }: SourceConfig): string {
  return (upstreams.get(registry) ?? local).url.origin
}
