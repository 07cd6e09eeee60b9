import type { Redis } from 'ioredis'
import type { Descriptor } from '../oci/descriptor.ts'
import { type Digest, parseDigest } from '../oci/digest.ts'
import { type Manifest, parseManifest } from '../oci/manifest.ts'
import { MANIFESTS } from './announced/announcements.ts'
import { isTag, type Reference, type Repository } from '../oci/reference.ts'
import { Together } from '../waiting/together.ts'
import { unlessRedisFails } from './redis-errors.ts'

/** Long enough for the largest image; a worker that dies leaves nothing behind for longer. */
const KEPT_SECONDS = 6 * 3_600
/**
 * After the end of an attempt. What was copied is in the registry by then, and some clients are a step
 * behind; what failed may be tried again meanwhile.
 */
const LINGERS_SECONDS = 30
/** A client that waits for longer asks again. */
const ASKED_SECONDS = 60

// What is published is a hash: the value, and a field for each job that copies it.
const VALUE = 'value'
/** Commands for Redis in one go: a manifest can name tens of thousands of parts. */
const BATCH = 500

// KEYS: what is published. ARGV: the job, how long it is kept, the value of each, and of what listeners are told.
const PUBLISH = `
for at, key in ipairs(KEYS) do
  redis.call('HSET', key, '${VALUE}', ARGV[at + 2], ARGV[1], '')
  redis.call('EXPIRE', key, ARGV[2])
end
for at = #KEYS + 3, #ARGV do redis.call('PUBLISH', '${MANIFESTS}', ARGV[at]) end
return 0`

// Of a job that has ended its field goes, and with the last one the key, a little later.
const LEAVE = `
local job, lingers = ARGV[1], ARGV[2]
for _, key in ipairs(KEYS) do
  redis.call('HDEL', key, job)
  if redis.call('HLEN', key) == 1 then redis.call('EXPIRE', key, lingers) end
end
return 0`

// The digest of a tag. What only lingers must not do so for as long as Redis' clock was set back: the tag may have moved.
const TAG = `
if redis.call('HLEN', KEYS[1]) == 1 and redis.call('TTL', KEYS[1]) > tonumber(ARGV[1]) then
  redis.call('EXPIRE', KEYS[1], ARGV[1])
end
return redis.call('HGET', KEYS[1], '${VALUE}')`

export interface Publication {
  readonly repository: Repository
  readonly reference: Reference
  readonly manifest: Manifest
  /** Those of an index that come with it; all unless told. */
  readonly children?: readonly Descriptor[]
  /** That gave it. */
  readonly upstream: string
}

/** What of an image that is being copied clients can be told already. */
export interface InFlightPart {
  readonly kind: 'manifest' | 'blob'
  /** In bytes. */
  readonly size: number
  /** That names it: only what comes from there may stand for it. */
  readonly upstream: string
}

/** A blob as one upstream has it. */
export interface UpstreamBlob {
  readonly upstream: string
  readonly digest: Digest
}

/**
 * Images on their way to the local registry, over all workers and gateways, by the local repository's
 * name: manifests as soon as upstream has given them, what they name, and where each blob can be
 * followed. Never rejects: without Redis nothing is on its way.
 */
export class InFlight {
  readonly #redis: Redis
  readonly #onError: (error: Error) => void
  readonly #looks: Together<readonly string[], readonly boolean[]>

  constructor(redis: Redis, onError: (error: Error) => void) {
    this.#redis = redis
    this.#onError = onError
    this.#looks = new Together((questions) => this.#exist(questions))
  }

  /**
   * Tells of a manifest that this job is copying: what it names first, some at a time, so that one of tens of thousands
   * holds up nothing else. Gives back the keys, to be handed to `ended`.
   *
   * @param job unlike every other attempt at a copy
   */
  async publish(job: string, publication: Publication): Promise<readonly string[]> {
    const { repository, reference, manifest } = publication
    const keys: string[] = []
    const tell = async (some: readonly Told[], news: readonly string[]) => {
      const told = some.map(([key]) => key)
      keys.push(...told)
      const values = some.map(([, value]) => value)
      await this.#redis.eval(PUBLISH, some.length, ...told, job, KEPT_SECONDS, ...values, ...news)
    }
    await this.#attempt(undefined, async () => {
      let before: readonly Told[] | undefined
      for (const some of inBatches(toldOf(publication))) {
        if (before !== undefined) await tell(before, [])
        before = some
      }
      // When all of it is there.
      const names = [...new Set([manifest.digest, reference])]
      await tell(
        before ?? [],
        names.map((name) => `${repository} ${name}`),
      )
    })
    return keys
  }

  /**
   * This attempt at the copy has ended: what it published is forgotten soon, but for what another one
   * has published, too, and still copies.
   */
  async ended(job: string, keys: Iterable<string>): Promise<void> {
    await this.#attempt(undefined, async () => {
      for (const some of inBatches([...keys])) {
        await this.#redis.eval(LEAVE, some.length, ...some, job, LINGERS_SECONDS)
      }
    })
  }

  async manifest(repository: Repository, reference: Reference): Promise<Manifest | undefined> {
    return await this.#attempt(undefined, async () => {
      const told = isTag(reference)
        ? await this.#redis.eval(TAG, 1, tagKey(repository, reference), LINGERS_SECONDS)
        : reference
      const digest = parseDigest(typeof told === 'string' ? told : '')
      if (!digest.ok) return undefined
      const published = await this.#redis.hgetBuffer(manifestKey(repository, digest.value), VALUE)
      const end = published?.indexOf('\n') ?? -1
      if (published === null || end < 0) return undefined
      const mediaType = published.subarray(0, end).toString('utf8')
      const manifest = parseManifest(published.subarray(end + 1), mediaType, digest.value)
      return manifest.ok ? manifest.value : undefined
    })
  }

  /** What an image on its way to this repository names by this digest. */
  async part(repository: Repository, digest: Digest): Promise<InFlightPart | undefined> {
    const told = await this.#attempt(null, () =>
      this.#redis.hget(partKey(repository, digest), VALUE),
    )
    const [, kind, size, upstream = ''] = /^(manifest|blob) (\d+) (\S+)$/.exec(told ?? '') ?? []
    if (kind !== 'manifest' && kind !== 'blob') return undefined
    return { kind, size: Number(size), upstream }
  }

  /** The blob comes from that upstream and can be followed there, while the worker lives and keeps it. */
  async follow({ upstream, digest }: UpstreamBlob, url: string): Promise<void> {
    const key = spoolKey(upstream, digest)
    await this.#attempt(null, () => this.#redis.set(key, url, 'EX', KEPT_SECONDS))
  }

  /** Where the blob, as that upstream gives it, can be followed, if anywhere. */
  async spoolOf({ upstream, digest }: UpstreamBlob): Promise<string | undefined> {
    const key = spoolKey(upstream, digest)
    return (await this.#attempt(null, () => this.#redis.get(key))) ?? undefined
  }

  /** A client wants that manifest or blob now. */
  async ask(repository: Repository, digest: Digest): Promise<void> {
    const key = askedKey(repository, digest)
    await this.#attempt(null, () => this.#redis.set(key, '1', 'EX', ASKED_SECONDS))
  }

  /** Which of these clients have asked for in the last minute. */
  async asked(repository: Repository, digests: readonly Digest[]): Promise<ReadonlySet<Digest>> {
    const keys = digests.map((digest) => askedKey(repository, digest))
    const told = await this.#attempt([], () => this.#looks.ask(keys))
    return new Set(digests.filter((_, at) => told[at] === true))
  }

  async #exist(
    questions: readonly (readonly string[])[],
  ): Promise<readonly (readonly boolean[])[]> {
    // All blobs of an image are asked for with the same manifests.
    const keys = [...new Set(questions.flat())]
    if (keys.length === 0) return questions.map(() => [])
    const values = await this.#redis.mget(keys)
    const there = new Set(keys.filter((_, at) => (values[at] ?? null) !== null))
    return questions.map((some) => some.map((key) => there.has(key)))
  }

  #attempt<T>(otherwise: T, ask: () => Promise<T>): Promise<T> {
    return unlessRedisFails(otherwise, ask, this.#onError)
  }
}

/** A key, and its value. */
type Told = readonly [key: string, value: string | Buffer]

/** Each key once; the manifest itself comes last. */
function* toldOf({ repository, reference, manifest, upstream, ...wanted }: Publication) {
  const { children = manifest.children } = wanted
  const told = new Set<Digest>([manifest.digest])
  for (const [kind, parts] of [
    ['manifest', children],
    ['blob', manifest.blobs],
  ] as const) {
    for (const { digest, size } of parts) {
      if (told.has(digest)) continue
      told.add(digest)
      yield [partKey(repository, digest), `${kind} ${size} ${upstream}`] as const
    }
  }
  const bytes = Buffer.concat([Buffer.from(`${manifest.mediaType}\n`), manifest.bytes])
  yield [manifestKey(repository, manifest.digest), bytes] as const
  if (isTag(reference)) yield [tagKey(repository, reference), manifest.digest] as const
}

function* inBatches<Item>(items: Iterable<Item>): Generator<readonly Item[]> {
  let batch: Item[] = []
  for (const item of items) {
    batch.push(item)
    if (batch.length < BATCH) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

function manifestKey(repository: Repository, digest: Digest): string {
  return `pullsync:coming:${repository}@${digest}:manifest`
}

function partKey(repository: Repository, digest: Digest): string {
  return `pullsync:coming:${repository}@${digest}:part`
}

function askedKey(repository: Repository, digest: Digest): string {
  return `pullsync:coming:${repository}@${digest}:asked`
}

function tagKey(repository: Repository, tag: string): string {
  return `pullsync:coming:${repository}:${tag}`
}

// By upstream: one that only names a digest of another's must not have its clients given that.
function spoolKey(upstream: string, digest: Digest): string {
  return `pullsync:spool:${upstream}:${digest}`
}
