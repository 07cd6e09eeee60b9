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

// Image names say docker.io; the registry itself is elsewhere.
const DOCKER_HUB = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io'])

function canonical(host: string): string {
  const lower = host.toLowerCase().replace(/:443$/, '')
  return DOCKER_HUB.has(lower) ? 'docker.io' : lower
}
