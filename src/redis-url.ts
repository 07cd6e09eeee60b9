import type { Config } from './config/config.ts'
import { ConfigError } from './config/config-error.ts'

/**
 * The Redis that this process shares with the others.
 *
 * @throws ConfigError when neither the command line nor the configuration names one
 */
export function redisUrlOf(options: { readonly redisUrl?: string }, config: Config): string {
  const url = options.redisUrl ?? config.redis?.url
  if (url !== undefined) return url
  throw new ConfigError(config.file, [
    { path: 'redis', message: 'no Redis is named; set redis.url, or run "pullsync up"' },
  ])
}
