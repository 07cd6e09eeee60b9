/** A registry whose images nodes shall pull through the gateway. */
export interface MirroredRegistry {
  /** The upstream's id. */
  readonly id: string
  /** As it stands in image names: `harbor.hq.example`, `docker.io`. */
  readonly host: string
  /** Where clients go when the gateway has nothing. */
  readonly server: string
}

export interface NodeRequest {
  /** How the nodes reach the gateway: `https://registry.edge.example`. */
  readonly gateway: URL
  /** A file on the nodes with the authority of the gateway's certificate. */
  readonly ca?: string | undefined
  readonly registries: readonly MirroredRegistry[]
}

/** What to put on a node, and what to say about it. */
export interface NodeSnippet {
  /** To be pasted as it is. */
  readonly text: string
  /** Where it goes, and what takes it up; where the text can have no comments, it is told beside it. */
  readonly remarks: readonly string[]
}

const DOCKER_HUB = 'docker.io'

/** How images of the registry at this URL are named. */
export function mirrored(id: string, { host, origin }: URL): MirroredRegistry {
  const isHub = host === 'registry-1.docker.io'
  return { id, host: isHub ? DOCKER_HUB : host, server: origin }
}

export function isDockerHub({ host }: MirroredRegistry): boolean {
  return host === DOCKER_HUB
}
