import { Command } from 'commander'
import type { Config } from '../../config/config.ts'
import { loadConfig } from '../../config/load-config.ts'
import { urlArgument } from '../arguments.ts'
import type { Cli } from '../cli.ts'
import { CommandError } from '../command-error.ts'
import { globalOptions } from '../global-options.ts'
import { dockerDaemon } from '../nodes/docker.ts'
import { hostsToml } from '../nodes/hosts-toml.ts'
import { k3s } from '../nodes/k3s.ts'
import { mirrored, type NodeRequest, type NodeSnippet } from '../nodes/node-snippet.ts'
import { crio, podman } from '../nodes/registries-conf.ts'
import { reachableUrl } from '../reachable-url.ts'
import { writeJson, writeLine } from '../screen/io.ts'

interface NodeOptions {
  readonly gateway?: string
  readonly ca?: string
}

const NODES: readonly (readonly [
  name: string,
  description: string,
  snippet: (request: NodeRequest) => NodeSnippet,
])[] = [
  [
    'hosts.toml',
    "containerd's mirrors: a file, or the commands that write one for each",
    hostsToml,
  ],
  ['docker', "Docker Engine's daemon.json, which mirrors Docker Hub", dockerDaemon],
  ['podman', 'registries.conf of podman, skopeo and Buildah', podman],
  ['crio', 'registries.conf of CRI-O', crio],
  ['k3s', 'registries.yaml of k3s and RKE2', k3s],
]

/** What the nodes need that shall pull through the gateway, one command for each kind of client. */
export function nodeCommands(cli: Cli): readonly Command[] {
  return NODES.map(([name, description, snippet]) =>
    new Command(name)
      .description(description)
      .argument('[upstreams...]', 'ids of upstreams in the configuration; all of them unless told')
      .option(
        '--gateway <url>',
        'how the nodes reach the gateway (default: where it listens, on this machine)',
        urlArgument,
      )
      .option('--ca <file>', "a file on the nodes: the authority of the gateway's certificate")
      .addHelpText('after', examplesOf(name))
      .action(async (ids: readonly string[], _options: unknown, command: Command) => {
        await printNode(cli, command, { ids, snippet })
      }),
  )
}

function examplesOf(name: string): string {
  return `
Examples:
  $ pullsync print ${name} --gateway https://registry.edge.example
  $ pullsync print ${name} hub --gateway http://10.0.0.7:8080`
}

interface Wanted {
  readonly ids: readonly string[]
  readonly snippet: (request: NodeRequest) => NodeSnippet
}

async function printNode(
  { streams, env }: Cli,
  command: Command,
  { ids, snippet }: Wanted,
): Promise<void> {
  const { config: file, json } = globalOptions(command)
  const { gateway, ca } = command.opts<NodeOptions>()
  const config = await loadConfig(file, env)
  const registries = chosen(config, ids).map(({ id, url }) => mirrored(id, url))
  const url = new URL(gateway ?? reachableUrl(config.listen))
  const { text, remarks } = snippet({ gateway: url, ca, registries })
  if (json) {
    writeJson(streams.stdout, { text, remarks })
    return
  }
  // JSON has no comments.
  const beside = text.startsWith('{') ? streams.stderr : streams.stdout
  for (const remark of remarks) writeLine(beside, remark)
  writeLine(streams.stdout, text)
}

function chosen({ file, upstreams }: Config, ids: readonly string[]) {
  if (ids.length === 0) return [...upstreams.values()]
  return ids.map((id) => {
    const upstream = upstreams.get(id)
    if (upstream !== undefined) return upstream
    const known = [...upstreams.keys()].join(', ')
    throw new CommandError(
      `there is no upstream ${JSON.stringify(id)} in ${file}; there is ${known}`,
    )
  })
}
