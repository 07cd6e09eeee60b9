import type { Config } from '../config/config.ts'
import { ConfigError } from '../config/config-error.ts'
import type { RedisAddress } from '../pool/connection.ts'
import { suitabilityOf } from '../queue/suitable-redis.ts'
import type { ProcessReporter } from '../telemetry/reports/report-process.ts'

export interface RedisWanted {
  /** Goes before the one in the configuration. */
  readonly redisUrl?: string
  readonly signal: AbortSignal
  readonly reporter: Pick<ProcessReporter, 'redisUnsuitable'>
}

/**
 * The Redis that this process shares with the others. One that does not answer now is waited for later.
 *
 * @throws ConfigError when neither the command line nor the configuration names one, or the one named
 * can never do pullsync's work
 */
export async function suitableRedis(
  { redisUrl, signal, reporter }: RedisWanted,
  config: Config,
): Promise<RedisAddress> {
  const url = redisUrl ?? config.redis
  if (url === undefined) {
    throw new ConfigError(config.file, [
      { path: 'redis', message: 'no Redis is named; set redis.url, or run "pullsync up"' },
    ])
  }
  const { unusable, warnings } = await suitabilityOf(url, signal)
  if (unusable !== undefined) {
    throw new ConfigError(config.file, [{ path: 'redis', message: unusable }])
  }
  for (const reason of warnings) reporter.redisUnsuitable({ reason })
  return url
}
