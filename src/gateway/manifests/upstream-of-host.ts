import type { ReplicationRequest } from '../../replication/request.ts'

/** Where each upstream is, by its id. */
export type UpstreamUrls = ReadonlyMap<string, { readonly url: URL }>

/**
 * Those of a project's upstreams that are the registry which the client means. containerd tells a
 * mirror the host of the image's name as `?ns=`; clients that say nothing mean all of them.
 */
export function upstreamsOfHost(
  ids: readonly string[],
  upstreams: UpstreamUrls,
  host: string | undefined,
): readonly string[] {
  if (host === undefined) return ids
  const wanted = canonical(host)
  return ids.filter((id) => canonical(upstreams.get(id)?.url.host ?? '') === wanted)
}

/** The request, of the upstreams that the client means; undefined when it means none of them. */
export function forUpstreamOfHost(
  request: ReplicationRequest,
  upstreams: UpstreamUrls,
  host: string | undefined,
): ReplicationRequest | undefined {
  const [first, ...rest] = upstreamsOfHost(request.upstreams, upstreams, host)
  return first === undefined ? undefined : { ...request, upstreams: [first, ...rest] }
}

// Image names say docker.io; the registry itself is elsewhere.
const DOCKER_HUB = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io'])

function canonical(host: string): string {
  const lower = host.toLowerCase().replace(/:443$/, '')
  return DOCKER_HUB.has(lower) ? 'docker.io' : lower
}
