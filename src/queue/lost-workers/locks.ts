/** A worker that dies holds its jobs until their locks lapse; another sees that at the next check. */
export const LOCK_MS = 10_000
export const STALLED_CHECK_MS = 5_000
/** How often one job may lose its worker before it counts as what kills them. */
export const MAX_STALLS = 5
