import { type Breakers, type Hold, type HoldKind, LOCAL, parkedName } from '../../pool/breaker.ts'
import { type Outage, ReplicationError } from '../../replication/errors.ts'
import type { ContentSource } from '../../replication/ports.ts'
import type { ReplicationRequest } from '../../replication/request.ts'

/** A registry that nobody asks now. It is no failure of the job. */
export class HeldError extends ReplicationError {
  override readonly name = 'HeldError'
  readonly registry: string
  readonly kind: HoldKind
  readonly forMs: number

  constructor(registry: string, { kind, reason, forMs }: Hold) {
    super(`"${registry}" is not asked, it is ${kind}: ${reason}`, { disposition: 'transient' })
    this.registry = registry
    this.kind = kind
    this.forMs = forMs
  }
}

/** What became of the breakers that one job met. */
export interface GuardListener {
  /** Nobody is to ask it for so long: awaited. */
  readonly opened: (
    registry: string,
    failure: { kind: Hold['kind']; forMs: number },
  ) => Promise<void>
  /** It answers, and had not. */
  readonly closed: (registry: string) => void
  /** An upstream has what the job asked for. Called once. */
  readonly found?: () => void
}

/** Of the local registry's: it may take nothing more of one project while it takes all else. */
export async function enterLocal(
  guard: RegistryGuard,
  { repository }: Pick<ReplicationRequest, 'repository'>,
): Promise<void> {
  await Promise.all([guard.enter(LOCAL), guard.enter(parkedName(repository))])
}

type Standing = 'admitted' | 'probing' | 'answered'

/** Between one job and the registries that it asks: lets it ask what is not held, and tells how that went. */
export class RegistryGuard {
  readonly #breakers: Breakers
  readonly #listener: GuardListener
  readonly #standings = new Map<string, Standing>()
  #lookedAt: number | undefined
  #found = false

  constructor(breakers: Breakers, listener: GuardListener) {
    this.#breakers = breakers
    this.#listener = listener
  }

  /** How many milliseconds ago the job first asked an upstream for a manifest; undefined when it did not. */
  sinceLook(): number | undefined {
    return this.#lookedAt === undefined ? undefined : performance.now() - this.#lookedAt
  }

  /** Whether an upstream has given a manifest, or said that it has it. */
  get found(): boolean {
    return this.#found
  }

  /** @throws HeldError */
  async enter(registry: string): Promise<void> {
    if (this.#standings.has(registry)) return
    const admission = await this.#breakers.admit(registry)
    if (admission.kind === 'open') throw new HeldError(registry, admission.hold)
    this.#standings.set(registry, admission.kind === 'probe' ? 'probing' : 'admitted')
  }

  /** The same source; it is asked for manifests only as long as the upstream is not held. */
  guard(source: ContentSource): ContentSource {
    const { registry } = source
    const ask = <T>(request: () => Promise<T>): Promise<T> =>
      this.#breakers.firstAnswers(registry, async () => {
        await this.enter(registry)
        this.#lookedAt ??= performance.now()
        const answer = await request()
        await this.#answered(registry)
        if (answer !== undefined) this.#isThere()
        return answer
      })
    return {
      ...(source.landed && { landed: (digest) => source.landed?.(digest) }),
      ...(source.getBlobPart && {
        getBlobPart: async (...args) => {
          await this.enter(registry)
          return await source.getBlobPart?.(...args)
        },
      }),
      registry,
      headManifest: (...args) => ask(() => source.headManifest(...args)),
      getManifest: (...args) => ask(() => source.getManifest(...args)),
      listReferrers: (...args) => source.listReferrers(...args),
      listReferrersByApi: (...args) => source.listReferrersByApi(...args),
      getBlob: (...args) => source.getBlob(...args),
      givesBlob: (...args) => source.givesBlob(...args),
    }
  }

  /** The job has ended as expected; `used` are the registries that have done what they were to do. */
  async ended(used: readonly string[]): Promise<void> {
    await Promise.all(used.map((registry) => this.#answered(registry)))
    await this.left()
  }

  /**
   * The job has failed, for a reason that lies with a registry.
   * @returns for how many milliseconds nobody asks it now; 0 when it is asked still
   */
  async failed(outage: Outage, failure: { reason: string; image: string }): Promise<number> {
    const { kind, registry, retryAfterMs, isSure, isUnreachable } = outage
    this.#standings.delete(registry)
    const { forMs, opened } = await this.#breakers.failed(registry, {
      kind,
      reason: failure.reason,
      forMs: retryAfterMs,
      ...(!isSure && { culprit: failure.image }),
      suffices: isUnreachable,
    })
    if (opened) await this.#listener.opened(registry, { kind, forMs })
    await this.left()
    return forMs
  }

  /** The job is over for this worker: whatever it was the probe of, another may be. */
  async left(): Promise<void> {
    for (const [registry, standing] of this.#standings) {
      if (standing === 'probing') await this.#breakers.release(registry)
    }
    this.#standings.clear()
  }

  #isThere(): void {
    if (this.#found) return
    this.#found = true
    this.#listener.found?.()
  }

  async #answered(registry: string): Promise<void> {
    const standing = this.#standings.get(registry)
    if (standing === undefined || standing === 'answered') return
    this.#standings.set(registry, 'answered')
    if (await this.#breakers.succeeded(registry)) this.#listener.closed(registry)
  }
}
