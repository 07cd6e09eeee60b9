import { OCI_INDEX } from '../../../src/oci/media-types.ts'
import { answerJson, BASIC, notFound, refuse, type Turn } from './answers.ts'
import type { ManifestTurn } from './manifests.ts'
import type { Harbor } from './parts.ts'
import type { Account, Artifact } from './state.ts'

/** Only Basic will do for it, whatever a token allows. */
export function serveCatalog({ state }: Harbor, turn: Turn, basic: Account | undefined): void {
  const may = basic?.admin === true || basic?.rights.get('*')?.includes('catalog')
  if (may !== true) {
    const message = 'unauthorized to list catalog: unauthorized to list catalog'
    refuse(turn, { status: 401, code: 'UNAUTHORIZED', message, challenge: BASIC })
    return
  }
  const repositories = [...state.projects.values()].flatMap((project) => [
    ...project.repositories.keys(),
  ])
  answerJson(turn, 200, { repositories: repositories.sort() })
}

export function serveTags({ state }: Harbor, turn: ManifestTurn): void {
  const { repository } = turn.asked
  const all = state.artifacts(repository)
  if (all === undefined) {
    refuse(turn, notFound(`repository ${repository}`))
    return
  }
  const tags = [...all.values()].flatMap((artifact) => [...artifact.tags]).sort()
  answerJson(turn, 200, { name: repository, tags })
}

/** An empty index for whatever is not there. Cosign's tags of a signature count as referrers, too. */
export function serveReferrers({ state }: Harbor, turn: ManifestTurn): void {
  const { repository, what } = turn.asked
  const sig = `${what.replace(':', '-')}.sig`
  const refers = ({ subject, tags }: Artifact) => subject === what || tags.has(sig)
  const manifests = [...(state.artifacts(repository)?.values() ?? [])]
    .filter(refers)
    .map(({ digest, mediaType, size, artifactType }) => ({
      mediaType,
      digest,
      size,
      ...(artifactType !== undefined && { artifactType }),
    }))
  const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests }
  answerJson(turn, 200, index, { 'content-type': OCI_INDEX })
}
