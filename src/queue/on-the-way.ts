import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { type Digest, parseDigest } from '../oci/digest.ts'
import { type Manifest, parseManifest } from '../oci/manifest.ts'
import { isTag, type Reference, type Repository } from '../oci/reference.ts'

/** Long enough for the largest image; a worker that dies leaves nothing behind for longer. */
const KEPT_SECONDS = 6 * 3_600
/**
 * After the end of an attempt. What was copied is in the registry by then, and some clients are a step
 * behind; what failed may be tried again meanwhile.
 */
const LINGERS_SECONDS = 30
/** A client that waits for longer asks again. */
const ASKED_SECONDS = 60
const LOOK_AFTER_MS = 5
const LOOK_AT_MOST_EVERY_MS = 100

/** What of an image that is being copied clients can be told already. */
export interface OnTheWayPart {
  readonly kind: 'manifest' | 'blob'
  /** In bytes. */
  readonly size: number
}

/**
 * Images on their way to the local registry, over all workers and gateways, by the local repository's
 * name: manifests as soon as upstream has given them, what they name, and where each blob can be
 * followed. Never rejects: without Redis nothing is on its way.
 */
export class OnTheWay {
  readonly #redis: Redis
  readonly #onError: (error: Error) => void

  constructor(redis: Redis, onError: (error: Error) => void) {
    this.#redis = redis
    this.#onError = onError
  }

  /** Tells of a manifest that is being copied. Gives back the keys, to be handed to `ended`. */
  async publish(
    repository: Repository,
    reference: Reference,
    manifest: Manifest,
  ): Promise<readonly string[]> {
    const parts = [
      ...manifest.children.map((child) => ({ ...child, kind: 'manifest' })),
      ...manifest.blobs.map((blob) => ({ ...blob, kind: 'blob' })),
    ]
    const own = manifestKey(repository, manifest.digest)
    const values = new Map<string, string | Buffer>([
      [own, manifest.bytes],
      [`${own}:type`, manifest.mediaType],
      ...parts.map(
        ({ digest, size, kind }) => [partKey(repository, digest), `${kind} ${size}`] as const,
      ),
      ...(isTag(reference) ? [[tagKey(repository, reference), manifest.digest] as const] : []),
    ])
    await this.#attempt(undefined, async () => {
      const all = this.#redis.multi()
      for (const [key, value] of values) all.set(key, value, 'EX', KEPT_SECONDS)
      await all.exec()
    })
    return [...values.keys()]
  }

  /** This attempt at the copy has ended: what it published is forgotten soon. */
  async ended(keys: Iterable<string>): Promise<void> {
    await this.#attempt(undefined, async () => {
      const all = this.#redis.multi()
      for (const key of keys) all.expire(key, LINGERS_SECONDS)
      await all.exec()
    })
  }

  async manifest(repository: Repository, reference: Reference): Promise<Manifest | undefined> {
    return await this.#attempt(undefined, async () => {
      const told = isTag(reference)
        ? await this.#redis.get(tagKey(repository, reference))
        : reference
      const digest = parseDigest(told ?? '')
      if (!digest.ok) return undefined
      const key = manifestKey(repository, digest.value)
      const [bytes, mediaType] = await Promise.all([
        this.#redis.getBuffer(key),
        this.#redis.get(`${key}:type`),
      ])
      if (bytes === null || mediaType === null) return undefined
      const manifest = parseManifest(bytes, mediaType, digest.value)
      return manifest.ok ? manifest.value : undefined
    })
  }

  /** Rejects when the signal is aborted before the manifest is here. */
  async waitForManifest(
    repository: Repository,
    reference: Reference,
    signal: AbortSignal,
  ): Promise<Manifest> {
    for (let wait = LOOK_AFTER_MS; ; wait = Math.min(wait * 1.1, LOOK_AT_MOST_EVERY_MS)) {
      const manifest = await this.manifest(repository, reference)
      if (manifest !== undefined) return manifest
      await delay(wait, undefined, { signal })
    }
  }

  /** What an image on its way to this repository names by this digest. */
  async part(repository: Repository, digest: Digest): Promise<OnTheWayPart | undefined> {
    const told = await this.#attempt(null, () => this.#redis.get(partKey(repository, digest)))
    const [, kind, size] = /^(manifest|blob) (\d+)$/.exec(told ?? '') ?? []
    if (kind !== 'manifest' && kind !== 'blob') return undefined
    return { kind, size: Number(size) }
  }

  /** The blob can be followed there, for as long as the worker lives and keeps it. */
  async follow(digest: Digest, url: string): Promise<void> {
    await this.#attempt(null, () => this.#redis.set(spoolKey(digest), url, 'EX', KEPT_SECONDS))
  }

  /** Where the blob can be followed, if anywhere. */
  async spoolOf(digest: Digest): Promise<string | undefined> {
    return (await this.#attempt(null, () => this.#redis.get(spoolKey(digest)))) ?? undefined
  }

  /** A client wants that manifest or blob now. */
  async ask(repository: Repository, digest: Digest): Promise<void> {
    const key = askedKey(repository, digest)
    await this.#attempt(null, () => this.#redis.set(key, '1', 'EX', ASKED_SECONDS))
  }

  /** Which of these clients have asked for in the last minute. */
  async asked(repository: Repository, digests: readonly Digest[]): Promise<ReadonlySet<Digest>> {
    const keys = digests.map((digest) => askedKey(repository, digest))
    const told = await this.#attempt([], () => this.#redis.mget(keys))
    return new Set(digests.filter((_, at) => (told[at] ?? null) !== null))
  }

  async #attempt<T>(otherwise: T, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask()
    } catch (error) {
      this.#onError(error instanceof Error ? error : new Error(String(error)))
      return otherwise
    }
  }
}

function manifestKey(repository: Repository, digest: Digest): string {
  return `pullsync:way:${repository}@${digest}:manifest`
}

function partKey(repository: Repository, digest: Digest): string {
  return `pullsync:way:${repository}@${digest}:part`
}

function askedKey(repository: Repository, digest: Digest): string {
  return `pullsync:way:${repository}@${digest}:asked`
}

function tagKey(repository: Repository, tag: string): string {
  return `pullsync:way:${repository}:${tag}`
}

function spoolKey(digest: Digest): string {
  return `pullsync:spool:${digest}`
}
