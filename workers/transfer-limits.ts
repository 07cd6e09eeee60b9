import type { Config } from '../src/config/config.ts'
import type { Presence } from '../src/queue/presence.ts'
import { TransferSlots } from '../src/replication/transfer-slots.ts'

/** The slots for transfers of each upstream: this worker's share of what the configuration allows. */
export class TransferLimits {
  readonly #config: () => Config
  readonly #presence: Presence
  readonly #slots = new Map<string, TransferSlots>()

  constructor(config: () => Config, presence: Presence) {
    this.#config = config
    this.#presence = presence
  }

  of(upstream: string): TransferSlots {
    const known = this.#slots.get(upstream)
    if (known !== undefined) return known
    const slots = new TransferSlots(() => {
      const limit = this.#config().upstreams.get(upstream)?.concurrency ?? 1
      return this.#presence.share(upstream, limit)
    })
    this.#slots.set(upstream, slots)
    return slots
  }
}
