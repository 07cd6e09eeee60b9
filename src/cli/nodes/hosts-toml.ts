import type { MirroredRegistry, NodeRequest, NodeSnippet } from './node-snippet.ts'

const FOLDER = '/etc/containerd/certs.d'

/** containerd's, one file for each registry: as it is for one of them, else the commands that write all. */
export function hostsToml({ registries, ...request }: NodeRequest): NodeSnippet {
  const [first, ...others] = registries
  if (first !== undefined && others.length === 0) {
    return { text: fileOf(first, request), remarks: [`# ${pathOf(first)}`, ...TAKEN_UP] }
  }
  const text = registries.map((registry) => commandOf(registry, request)).join('\n')
  return { text, remarks: ['# To be run as root on each node.', ...TAKEN_UP] }
}

const TAKEN_UP = [
  '# containerd reads it at each pull, once its configuration has config_path = "/etc/containerd/certs.d".',
]

function pathOf({ host }: MirroredRegistry): string {
  return `${FOLDER}/${host}/hosts.toml`
}

function fileOf(
  { server }: MirroredRegistry,
  { gateway, ca }: Pick<NodeRequest, 'gateway' | 'ca'>,
): string {
  return [
    `server = ${JSON.stringify(server)}`,
    '',
    `[host.${JSON.stringify(gateway.origin)}]`,
    '  capabilities = ["pull", "resolve"]',
    ...(ca === undefined ? [] : [`  ca = ${JSON.stringify(ca)}`]),
  ].join('\n')
}

function commandOf(
  registry: MirroredRegistry,
  request: Pick<NodeRequest, 'gateway' | 'ca'>,
): string {
  return `mkdir -p '${FOLDER}/${registry.host}'
cat > '${pathOf(registry)}' <<'END'
${fileOf(registry, request)}
END`
}
