import type { NodeRequest, NodeSnippet } from './node-snippet.ts'

/** containers-registries.conf(5), for podman, skopeo and Buildah. */
export function podman(request: NodeRequest): NodeSnippet {
  return registriesConf(request, [])
}

export function crio(request: NodeRequest): NodeSnippet {
  return registriesConf(request, ['# Then: systemctl reload crio'])
}

function registriesConf(
  { gateway, ca, registries }: NodeRequest,
  takenUp: readonly string[],
): NodeSnippet {
  const insecure = gateway.protocol === 'http:' ? ['insecure = true'] : []
  const blocks = registries.map(({ host }) =>
    [
      '[[registry]]',
      `location = ${JSON.stringify(host)}`,
      '',
      '[[registry.mirror]]',
      `location = ${JSON.stringify(gateway.host)}`,
      ...insecure,
    ].join('\n'),
  )
  return {
    text: blocks.join('\n\n'),
    remarks: [
      '# /etc/containers/registries.conf.d/pullsync.conf',
      ...takenUp,
      ...(ca === undefined
        ? []
        : [`# And: install -D ${ca} /etc/containers/certs.d/${gateway.host}/ca.crt`]),
    ],
  }
}
