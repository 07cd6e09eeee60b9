import type { Config } from '../src/config/config.ts'
import type { Presence } from '../src/pool/presence.ts'
import { TransferSchedule } from '../src/replication/pace/transfer-schedule.ts'

/**
 * Uploads at once to the local registry, over all workers: those of four upstreams at the default
 * concurrency. More do not make a registry faster that writes to a disk or an object store, they only
 * leave less of it to the clients that pull.
 */
export const LOCAL_UPLOADS = 32

/** The presence of workers as far as they push to the local registry; no upstream has this id. */
export const LOCAL = 'local'

/** This worker's share of what the configuration allows all workers together. */
export function transferSchedule(config: () => Config, presence: Presence): TransferSchedule {
  return new TransferSchedule({
    upstream: (id) => presence.share(id, config().upstreams.get(id)?.concurrency ?? 1),
    local: () => presence.share(LOCAL, LOCAL_UPLOADS),
    bytesPerSecond: (id) => {
      const limit = config().upstreams.get(id)?.maxBytesPerSecond
      return limit === undefined ? undefined : limit * presence.fraction(id)
    },
  })
}
