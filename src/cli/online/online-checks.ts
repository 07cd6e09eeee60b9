import type { Config, RegistryConfig } from '../../config/config.ts'
import { Stack } from '../../lifecycle/stack.ts'
import type { Registry } from '../../registry/registry.ts'
import { registryOpener } from '../open-registries.ts'
import { checkProjects } from './check-projects.ts'
import { checkRedis } from './check-redis.ts'
import { type CheckResult, outcomeOf } from './check-result.ts'

const REGISTRY_WITHIN_MS = 10_000

/**
 * Redis and every registry at once, each for at most ten seconds; then what the projects want of the registries
 * that have answered, for at most ten seconds each. Nothing is written to a registry.
 */
export async function checkOnline(
  config: Config,
  dataDir: string,
): Promise<readonly CheckResult[]> {
  const open = await registryOpener()
  await using stack = new Stack()
  const registries = [config.local, ...config.upstreams.values()].map((each) => ({
    config: each,
    registry: stack.use(open(each)),
  }))
  const [redis, ...places] = await Promise.all([
    checkRedis(config, dataDir),
    ...registries.map(checkRegistry),
  ])
  const reached = registries.filter((_, at) => places[at]?.ok === true)
  const reachable = new Map(reached.map(({ registry }) => [registry.id, registry]))
  return [redis, ...places, ...(await checkProjects(config, reachable))]
}

interface Opened {
  readonly config: RegistryConfig
  readonly registry: Registry
}

async function checkRegistry({ config, registry }: Opened): Promise<CheckResult> {
  const place = { name: config.id, at: config.url.origin }
  return await outcomeOf(place, async () => {
    await registry.check(AbortSignal.timeout(REGISTRY_WITHIN_MS))
    return { ok: true, message: `ok, ${accountOf(config)}` }
  })
}

function accountOf({ username, credentials }: RegistryConfig): string {
  if (username !== undefined) return `as ${username}`
  if (credentials === undefined) return 'anonymous'
  if ('file' in credentials) return `with the credentials of ${credentials.file}`
  return `with the credentials that ${CLOUDS[credentials.kind]} gives this machine`
}

const CLOUDS = { ecr: 'AWS', gar: 'Google Cloud', acr: 'Azure' } as const
