import { setTimeout as pause } from 'node:timers/promises'
import { Readable } from 'node:stream'
import { digestOf } from '../../oci/digest.ts'
import { parseManifest } from '../../oci/manifest.ts'
import { OCI_MANIFEST } from '../../oci/media-types.ts'
import type { Parsed } from '../../oci/parsed.ts'
import { parseRepository } from '../../oci/reference.ts'
import { RegistryError } from '../../registry/errors/registry-error.ts'
import { removeRepository } from '../../registry/harbor/make-project.ts'
import {
  findPolicy,
  listExecutions,
  type WebhookPolicy,
} from '../../registry/harbor/webhook-policies.ts'
import type { Done } from './done.ts'
import { POLICY } from './set-up-webhook.ts'
import type { Side, SideProject } from './sides.ts'
import type { SetupRun } from './setup-run.ts'

/** Harbor's job service is asked every so often; its first try comes within seconds. */
const TRIES = 60
const ASK_EVERY_MS = 500
const REPOSITORY = 'pullsync-setup'

/**
 * Pushes an artifact of a few bytes, pulls it where pulls are what is told of, and takes it away again: Harbor has
 * to tell pullsync of that, and says itself whether that was taken.
 */
export async function tryDelivery(side: Side, at: SideProject, run: SetupRun): Promise<Done> {
  const { ask, config } = side
  const done = { what: `a delivery of the webhook of ${at.name}`, at: config.id }
  const policy = await findPolicy(ask, at.name, POLICY, run.signal)
  if (policy === undefined) return { ...done, did: 'left', note: 'there is no webhook' }
  const place = { project: at.name, id: policy.id }
  const [latest] = await listExecutions(ask, place, run.signal)
  try {
    if (!(await touchArtifact(side, at, run.signal))) {
      return { ...done, did: 'left', note: WITHHELD }
    }
    for (let tried = 0; tried < TRIES; tried += 1) {
      const [newest] = await listExecutions(ask, place, run.signal)
      if (newest?.status === 'Success' && newest.id > (latest?.id ?? 0)) {
        return { ...done, did: 'made', note: 'pullsync took it' }
      }
      await pause(ASK_EVERY_MS, undefined, { signal: run.signal })
    }
  } finally {
    const repository = { project: at.name, repository: REPOSITORY }
    await removeRepository(ask, repository, run.signal)
  }
  return { ...done, did: 'failed', note: notTaken(policy) }
}

// Of a pull that is refused, no event tells.
const WITHHELD =
  'a policy of the project refuses what it is tried with: see that Harbor shows a delivery after the first pull'
const REFUSED_BY_POLICY = 412

function notTaken({ address }: WebhookPolicy): string {
  return `Harbor did not hand it over at ${address}: see that pullsync runs, and that Harbor reaches it there (--url), then run this again`
}

/**
 * Without a tag: one that the project's rules keep for ever could not be taken away again, and pullsync would bring
 * it here. False where Harbor does not give out what it has just taken.
 */
async function touchArtifact(
  { admin, config }: Side,
  { name }: SideProject,
  signal: AbortSignal,
): Promise<boolean> {
  const repository = admin.repository(certain(parseRepository(`${name}/${REPOSITORY}`)))
  const blob = Buffer.from('{}')
  const empty = {
    mediaType: 'application/vnd.oci.empty.v1+json',
    digest: digestOf(blob),
    size: blob.length,
  }
  if (!(await repository.hasBlob(empty.digest, signal))) {
    await repository.putBlob(empty, Readable.from([blob]), signal)
  }
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    artifactType: 'application/vnd.pullsync.setup',
    config: empty,
    layers: [empty],
  })
  const bytes = Buffer.from(text)
  const digest = digestOf(bytes)
  await repository.putManifest(digest, certain(parseManifest(bytes, OCI_MANIFEST)), signal)
  if (config.id !== 'local') return true
  try {
    await repository.getManifest(digest, signal)
    return true
  } catch (error) {
    if (error instanceof RegistryError && error.status === REFUSED_BY_POLICY) return false
    throw error
  }
}

function certain<T>(result: Parsed<T>): T {
  if (result.ok) return result.value
  throw new Error(result.reason)
}
