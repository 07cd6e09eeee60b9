import type { OutagesConfig } from '../../../src/config/config.ts'

/** As the defaults, only faster. */
export const OUTAGES: OutagesConfig = { failures: 3, pauseMs: 100, maxPauseMs: 400 }
