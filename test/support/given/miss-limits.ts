import type { MissLimitsConfig } from '../../../src/config/config.ts'

/** The defaults: more noise than most tests make. */
export const MISS_LIMITS: MissLimitsConfig = {
  perSource: { burst: 600, perSecond: 10 },
  perRepository: { burst: 60, perSecond: 1 },
}
