import type { Trigger } from '../replication/request.ts'

/** Somebody waits for what has this priority, or one before it. */
export const URGENT = 2

/** What has this priority, or one after it, only looks whether something has moved. */
export const LOOKS_FROM = 5

/** BullMQ takes the lowest number first. Somebody waits for a miss; nobody waits for a resync. */
export const PRIORITY: Readonly<Record<Trigger, number>> = {
  miss: 1,
  manual: 2,
  push: 3,
  delete: 4,
  revalidate: 5,
  resync: 6,
}
