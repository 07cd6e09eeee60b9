import { isDockerHub, type NodeRequest, type NodeSnippet } from './node-snippet.ts'

/** Docker Engine's `daemon.json`. It has mirrors for Docker Hub alone; other images are pulled under the gateway's name. */
export function dockerDaemon({ gateway, ca, registries }: NodeRequest): NodeSnippet {
  const hasHub = registries.some(isDockerHub)
  const settings = {
    ...(hasHub && { 'registry-mirrors': [gateway.origin] }),
    ...(gateway.protocol === 'http:' && { 'insecure-registries': [gateway.host] }),
  }
  const others = registries.filter((registry) => !isDockerHub(registry))
  return {
    text: JSON.stringify(settings, undefined, 2),
    remarks: [
      '# /etc/docker/daemon.json, merged with what is there; then: systemctl reload docker',
      ...(others.length === 0
        ? []
        : [
            `# Docker has mirrors for Docker Hub alone: images of ${others.map(({ host }) => host).join(', ')} are pulled as ${gateway.host}/…`,
          ]),
      ...(ca === undefined
        ? []
        : [`# And: install -D ${ca} /etc/docker/certs.d/${gateway.host}/ca.crt`]),
    ],
  }
}
