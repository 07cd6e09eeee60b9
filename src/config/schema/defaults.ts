import type { Address } from '../config.ts'

/** What holds where the file says nothing, and a rule has to know of it. */
export const LISTEN: Address = { host: '0.0.0.0', port: 8080 }
export const ADMIN_LISTEN: Address = { host: '127.0.0.1', port: 9090 }
export const MAX_BACKOFF_MS = 300_000
export const MAX_PAUSE_MS = 120_000
