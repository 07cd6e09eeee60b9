import { type Digest, parseDigest } from '../src/oci/digest.ts'
import { isTag } from '../src/oci/reference.ts'
import { parseReferrerTag } from '../src/oci/referrer-tag.ts'
import { Remembered } from '../src/pool/referrers/remembered.ts'
import type { ReplicationQueues } from '../src/queue/queues.ts'
import { retryJob } from '../src/queue/records/job-actions.ts'
import { ConcurrencyLimit } from '../src/waiting/concurrency-limit.ts'
import { ReplicationError } from '../src/replication/errors.ts'
import type { Outcome } from '../src/replication/outcome.ts'
import type { ReplicationRequest } from '../src/replication/request.ts'
import { asError } from '../src/thrown.ts'

const DAY_MS = 24 * 3_600_000
/** Looks at the local registry. */
const AT_ONCE = 8

/** Whether the local registry has the manifest. */
type Holds = (digest: Digest) => Promise<boolean>

/**
 * What a signature and its image owe each other, whichever comes first: one that comes while its image is
 * on its way follows when that is here, and an image that upstream withholds is tried again once
 * something has come that may be its signature. What Redis does not take now is found by later looks: never rejects.
 */
export class ReferrerNews {
  readonly #queues: ReplicationQueues
  readonly #onError: (error: Error) => void
  readonly #awaited: Remembered
  readonly #withheld: Remembered

  constructor(queues: ReplicationQueues, onError: (error: Error) => void) {
    const { redis } = queues
    this.#queues = queues
    this.#onError = onError
    this.#awaited = new Remembered(redis, { what: 'awaited', max: 64, keptMs: DAY_MS })
    this.#withheld = new Remembered(redis, { what: 'withheld', max: 64, keptMs: 7 * DAY_MS })
  }

  /** Something refers to it, and it is not held here: it may be on its way. */
  async awaits({ repository }: ReplicationRequest, subject: Digest): Promise<void> {
    await this.#attempt(() => this.#awaited.add(repository, subject))
  }

  async ended(request: ReplicationRequest, outcome: Outcome, holds: Holds): Promise<void> {
    if (outcome.kind === 'copied') await this.#attempt(() => this.#lookAtAwaited(request, holds))
    if (isReferrer(request, outcome)) await this.#attempt(() => this.#tryWithheld(request))
  }

  async failed({ repository }: ReplicationRequest, error: unknown, jobId: string): Promise<void> {
    if (!(error instanceof ReplicationError) || !error.withheld) return
    await this.#attempt(() => this.#withheld.add(repository, jobId))
  }

  async #lookAtAwaited(request: ReplicationRequest, holds: Holds): Promise<void> {
    const { announcedDigest: _tag, replaces: _before, followed: _by, ...about } = request
    const { repository } = request
    const names = await this.#awaited.take(repository)
    await new ConcurrencyLimit(AT_ONCE).each(names, async (name) => {
      const subject = parseDigest(name)
      if (!subject.ok) return
      const news = { reference: subject.value, trigger: 'push', onlyIfPresent: true } as const
      // Where that cannot be told now, the next copy asks again.
      if (await holds(subject.value).catch(() => false))
        await this.#queues.enqueue([{ ...about, ...news }])
      else await this.#awaited.add(repository, name)
    })
  }

  async #tryWithheld({ repository }: ReplicationRequest): Promise<void> {
    for (const id of await this.#withheld.take(repository)) await retryJob(this.#queues, id)
  }

  async #attempt(run: () => Promise<void>): Promise<void> {
    try {
      await run()
    } catch (error) {
      this.#onError(asError(error))
    }
  }
}

function isReferrer({ reference, trigger }: ReplicationRequest, outcome: Outcome): boolean {
  if (outcome.kind === 'refused') return outcome.awaits !== undefined
  const isNamedSo = !isTag(reference) || parseReferrerTag(reference) !== undefined
  return isNamedSo && trigger !== 'miss'
}
