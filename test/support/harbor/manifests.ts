import { buffer } from 'node:stream/consumers'
import picomatch from 'picomatch'
import { digestOf } from '../../../src/oci/digest.ts'
import { answerJson, notFound, refuse, type Refusal, type Turn } from './answers.ts'
import type { Harbor } from './parts.ts'
import type { AskedOfRepository } from './registry-path.ts'
import type { Artifact, Project } from './state.ts'

/** One manifest's request of somebody who may. */
export interface ManifestTurn extends Turn {
  readonly asked: AskedOfRepository
  readonly project: Project
  readonly sender: string
}

export async function serveManifest(harbor: Harbor, turn: ManifestTurn): Promise<void> {
  const { method } = turn.request
  if (method === 'PUT') await put(harbor, turn)
  else if (method === 'DELETE') await remove(harbor, turn)
  else await get(harbor, turn)
}

async function get({ state, behind, webhooks }: Harbor, turn: ManifestTurn): Promise<void> {
  const { asked, project, request, response, sender } = turn
  const { repository, what } = asked
  const artifact = state.artifact(repository, what)
  if (artifact === undefined) {
    const known = state.artifacts(repository) !== undefined
    refuse(turn, notFound(known ? `artifact ${repository}:${what}` : `repository ${repository}`))
    return
  }
  if (project.contentTrust && !isSigned(state.artifacts(repository), artifact)) {
    const message = 'The image is not signed by cosign.'
    refuse(turn, { status: 412, code: 'PROJECTPOLICYVIOLATION', message })
    return
  }
  const path = `/v2/${repository}/manifests/${artifact.digest}`
  const answer = await behind.ask('GET', path, { headers: { accept: artifact.mediaType } })
  response.writeHead(answer.status, answer.headers)
  response.end(request.method === 'HEAD' ? undefined : answer.body)
  if (request.method === 'HEAD' || request.headers['user-agent'] === 'harbor-registry-client')
    return
  const tag = what
  webhooks.tell({ type: 'PULL_ARTIFACT', project, repository, artifact, tag, operator: sender })
}

/** A signature itself needs none. */
function isSigned(all: ReadonlyMap<string, Artifact> = new Map(), artifact: Artifact): boolean {
  const accessory = artifact.subject !== undefined || [...artifact.tags].some(isCosign)
  const sig = `${artifact.digest.replace(':', '-')}.sig`
  const signs = ({ tags, subject, artifactType = '' }: Artifact) =>
    tags.has(sig) || (subject === artifact.digest && artifactType.includes('sigstore'))
  return accessory || [...all.values()].some(signs)
}

function isCosign(tag: string): boolean {
  return /^sha256-[0-9a-f]{64}\.(sig|att|sbom)$/.test(tag)
}

async function put({ state, behind, webhooks }: Harbor, turn: ManifestTurn): Promise<void> {
  const { asked, project, request, sender } = turn
  const { repository, what } = asked
  const bytes = await buffer(request)
  const tagged = !what.includes(':')
  const forbidden = whyNot(state.artifact(repository, what) !== undefined, turn, bytes.length)
  if (forbidden !== undefined) {
    refuse(turn, forbidden)
    return
  }
  const digest = tagged ? digestOf(bytes) : what
  const mediaType = request.headers['content-type'] ?? ''
  const headers = { 'content-type': mediaType, 'content-length': String(bytes.length) }
  const path = `/v2/${repository}/manifests/${digest}`
  const answer = await behind.ask('PUT', path, { headers, body: bytes })
  const read = readManifest(bytes)
  const { subject } = answer.status === 201 ? read : {}
  const told = subject === undefined ? {} : { 'oci-subject': subject }
  turn.response.writeHead(answer.status, { ...answer.headers, ...told })
  turn.response.end(answer.body)
  if (answer.status !== 201) return
  const made = { digest, mediaType, size: bytes.length, pushedAt: new Date(), ...read }
  const artifact = keep(project, repository, { ...made, tags: new Set() })
  if (tagged) moveTag(state.artifacts(repository), artifact, what)
  const news = { project, repository, artifact, tag: what, operator: sender }
  webhooks.tell({ type: 'PUSH_ARTIFACT', ...news })
}

function whyNot(
  exists: boolean,
  { asked: { repository, what }, project }: ManifestTurn,
  size: number,
): Refusal | undefined {
  if (exists && !what.includes(':') && isImmutable(project, what)) {
    const message = `Failed to process request due to '${repository}:${what}' configured as immutable.`
    return { status: 412, code: 'PRECONDITION', message }
  }
  return exceeds(project, size) ? quotaExceeded(project, size) : undefined
}

/** The rule looks at the tag's name only: the same digest once more is refused, too. */
function isImmutable({ immutable }: Project, tag: string): boolean {
  return immutable !== undefined && picomatch.isMatch(tag, immutable)
}

/** The one that is known already, if it is. */
function keep(project: Project, repository: string, made: Artifact): Artifact {
  const all = project.repositories.get(repository) ?? new Map<string, Artifact>()
  project.repositories.set(repository, all)
  const known = all.get(made.digest)
  if (known !== undefined) return known
  all.set(made.digest, made)
  project.used += made.size
  return made
}

function moveTag(all: ReadonlyMap<string, Artifact> = new Map(), to: Artifact, tag: string): void {
  for (const { tags } of all.values()) tags.delete(tag)
  to.tags.add(tag)
}

async function remove(harbor: Harbor, turn: ManifestTurn): Promise<void> {
  const { repository, what } = turn.asked
  if (!what.includes(':')) {
    refuse(turn, { status: 400, code: 'UNSUPPORTED', message: 'unsupported digest 1.0' })
    return
  }
  const artifact = harbor.state.artifact(repository, what)
  if (artifact === undefined) {
    refuse(turn, notFound(`artifact ${repository}@${what}`))
    return
  }
  await removeArtifact(harbor, { ...turn, repository, artifact })
  answerJson(turn, 202)
}

/** Of an artifact with several tags one event is sent, with one of them. */
export async function removeArtifact(
  { behind, webhooks }: Harbor,
  gone: { project: Project; repository: string; artifact: Artifact; sender: string },
): Promise<void> {
  const { project, repository, artifact, sender } = gone
  await behind.ask('DELETE', `/v2/${repository}/manifests/${artifact.digest}`)
  project.repositories.get(repository)?.delete(artifact.digest)
  const [tag = artifact.digest] = artifact.tags
  webhooks.tell({ type: 'DELETE_ARTIFACT', project, repository, artifact, tag, operator: sender })
}

interface Read {
  readonly subject?: string
  readonly artifactType?: string
}

function readManifest(bytes: Buffer): Read {
  try {
    const json = JSON.parse(bytes.toString('utf8')) as {
      subject?: { digest: string }
      artifactType?: string
      config?: { mediaType?: string }
    }
    const artifactType = json.artifactType ?? json.config?.mediaType
    return {
      ...(json.subject && { subject: json.subject.digest }),
      ...(artifactType !== undefined && { artifactType }),
    }
  } catch {
    return {}
  }
}

export function exceeds({ quota, used }: Project, more: number): boolean {
  return quota >= 0 && used + more > quota
}

export function quotaExceeded({ quota, used }: Project, more: number) {
  const message = `adding ${more} B of storage resource, which when updated to current usage of ${used} B will exceed the configured upper limit of ${quota} B.`
  return { status: 403, code: 'DENIED', message }
}
