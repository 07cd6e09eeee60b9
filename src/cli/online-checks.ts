import type { Config, RegistryConfig } from '../config/config.ts'
import { openQueues } from './open-queues.ts'
import { socketPathOf, socketUrl, withoutPassword } from './redis-location.ts'
import { redisAnswers } from '../queue/ready.ts'
import { USER_AGENT } from '../version.ts'

/** What was found at one place that the configuration names. */
export interface CheckResult {
  /** `redis`, `local`, or an upstream's id. */
  readonly name: string
  readonly at: string
  readonly ok: boolean
  readonly message: string
}

const REGISTRY_WITHIN_MS = 10_000

/** Everything at once; each check has its own bound, the longest ten seconds. */
export async function checkOnline(
  config: Config,
  dataDir: string,
): Promise<readonly CheckResult[]> {
  const registries = [config.local, ...config.upstreams.values()]
  return await Promise.all([checkRedis(config, dataDir), ...registries.map(checkRegistry)])
}

async function checkRedis(config: Config, dataDir: string): Promise<CheckResult> {
  if (config.redis === undefined) return await checkOwnRedis(dataDir)
  const place = { name: 'redis', at: withoutPassword(config.redis.url) }
  return await outcomeOf(place, async () => {
    await using queues = await openQueues(config, dataDir)
    await queues.ping()
    return 'ok'
  })
}

async function checkOwnRedis(dataDir: string): Promise<CheckResult> {
  const at = socketPathOf(dataDir)
  const running = await redisAnswers(socketUrl(at))
  return { name: 'redis', at, ok: true, message: running ? 'ok' : '"pullsync up" starts it' }
}

async function checkRegistry(config: RegistryConfig): Promise<CheckResult> {
  const place = { name: config.id, at: config.url.origin }
  return await outcomeOf(place, async () => {
    await using registry = await registryOf(config)
    await registry.check(AbortSignal.timeout(REGISTRY_WITHIN_MS))
    return `ok, ${accountOf(config)}`
  })
}

function accountOf({ username, credentials }: RegistryConfig): string {
  if (username !== undefined) return `as ${username}`
  if (credentials === undefined) return 'anonymous'
  if ('file' in credentials) return `with the credentials of ${credentials.file}`
  return `with the credentials that ${CLOUDS[credentials.kind]} gives this machine`
}

const CLOUDS = { ecr: 'AWS', gar: 'Google Cloud', acr: 'Azure' } as const

// Loading the registry client takes longer than most commands, so only this one does.
async function registryOf(config: RegistryConfig) {
  const { openRegistry } = await import('../registry/registry.ts')
  return openRegistry(config, { userAgent: USER_AGENT })
}

async function outcomeOf(
  place: Pick<CheckResult, 'name' | 'at'>,
  check: () => Promise<string>,
): Promise<CheckResult> {
  try {
    return { ...place, ok: true, message: await check() }
  } catch (error) {
    return { ...place, ok: false, message: error instanceof Error ? error.message : String(error) }
  }
}
