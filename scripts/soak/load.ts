import { createHash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { History, Image } from './history.ts'
import type { Random } from './random.ts'
import type { Shelf } from './shelf.ts'
import { post, type Site } from './site.ts'
import { fetchManifest, referencesOf } from './registry-reader.ts'

const REPOSITORIES = 5
const TAGS = 4

/** What was done, for the summary. */
export interface Counts {
  pushes: number
  events: number
  pulls: number
  pulled: number
  unavailable: number
}

export interface Load {
  readonly site: Site
  readonly shelf: Shelf
  readonly history: History
  readonly counts: Counts
  readonly random: Random
  readonly signal: AbortSignal
}

/** Moves a tag upstream and tells pullsync, as upstream's own notification would. */
export async function pushers(load: Load): Promise<void> {
  const { site, shelf, history, counts, random, signal } = load
  for (let number = 0; !signal.aborted; number += 1) {
    const repository = `team/r${random.between(1, REPOSITORIES)}`
    const tag = `v${random.between(1, TAGS)}`
    const image: Image = `${repository}:${tag}`
    try {
      const target = { url: site.publishing.url, repository, tag }
      const manifest = await shelf.push(random.between(0, shelf.shapes - 1), `${number}`, target)
      history.pushed(image, manifest.digest)
      counts.pushes += 1
      await tell(load, image, manifest)
    } catch {
      // It was not pushed, and nothing was promised.
    }
    await pause(random.between(50, 600))
  }
}

async function tell(
  { site, history, counts, random }: Load,
  image: Image,
  { mediaType, digest }: { readonly mediaType: string; readonly digest: string },
): Promise<void> {
  const version = history.newest(image)
  const [repository, tag] = image.split(':')
  const target = { mediaType, digest, repository, tag, size: 1, length: 1, url: '' }
  const event = { id: `soak-${image}-${version}`, action: 'push', target }
  const body = { events: [{ ...event, timestamp: new Date().toISOString(), actor: {} }] }
  const answered = await post(random.of(site.urls), 'hq-push', body)
  counts.events += 1
  if (answered === 202) history.promised(image, version)
}

/** A client that pulls a tag through a gateway and looks at every byte that it gets. */
export async function client(load: Load): Promise<void> {
  const { site, history, counts, random, signal } = load
  while (!signal.aborted) {
    const images = history.images()
    if (images.length > 0) {
      counts.pulls += 1
      const whole = await pullImage(load, random.of(site.urls), random.of(images))
      if (whole) counts.pulled += 1
      else counts.unavailable += 1
    }
    await pause(random.between(100, 800))
  }
}

async function pullImage({ history }: Load, url: string, image: Image): Promise<boolean> {
  const [repository = '', tag = ''] = image.split(':')
  const top = await fetchManifest(url, repository, tag)
  if (top === undefined) return false
  if (history.versionOf(image, top.digest) < 0) {
    history.violated(`a client got ${top.digest} as ${image}, which upstream never had there`)
  }
  const { blobs, manifests } = referencesOf(top.bytes)
  const child = manifests[0]
  const below = child === undefined ? undefined : await fetchManifest(url, repository, child)
  if (child !== undefined && below === undefined) return false
  const wanted = below === undefined ? blobs : referencesOf(below.bytes).blobs
  const got = await Promise.all(
    wanted.map(async ({ digest, size }) => {
      const answer = await readBlob(`${url}/v2/${repository}/blobs/${digest}`)
      if (answer?.bytes !== size) return false
      if (answer.digest !== digest) history.violated(`a client got wrong bytes for ${digest}`)
      return true
    }),
  )
  return got.every(Boolean)
}

async function readBlob(url: string): Promise<{ digest: string; bytes: number } | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(60_000) })
    const hash = createHash('sha256')
    let bytes = 0
    for await (const piece of response.body ?? []) {
      hash.update(piece as Uint8Array)
      bytes += (piece as Uint8Array).length
    }
    return response.status === 200 ? { digest: `sha256:${hash.digest('hex')}`, bytes } : undefined
  } catch {
    return undefined
  }
}
