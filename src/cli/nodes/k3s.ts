import type { NodeRequest, NodeSnippet } from './node-snippet.ts'

/** The file that k3s and RKE2 make containerd's own out of. */
export function k3s({ gateway, ca, registries }: NodeRequest): NodeSnippet {
  const mirrors = registries.flatMap(({ host }) => [
    `  ${JSON.stringify(host)}:`,
    `    endpoint: [${JSON.stringify(gateway.origin)}]`,
  ])
  const tls =
    ca === undefined
      ? []
      : [
          'configs:',
          `  ${JSON.stringify(gateway.host)}:`,
          '    tls:',
          `      ca_file: ${JSON.stringify(ca)}`,
        ]
  return {
    text: ['mirrors:', ...mirrors, ...tls].join('\n'),
    remarks: [
      '# /etc/rancher/k3s/registries.yaml (RKE2: /etc/rancher/rke2); then: systemctl restart k3s, or k3s-agent',
    ],
  }
}
