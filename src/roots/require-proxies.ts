import { ConfigError } from '../config/config-error.ts'
import type { Config } from '../config/config.ts'
import { proxyFromEnvironment } from '../registry/network/proxy-environment.ts'
import { messageOf } from '../thrown.ts'

/**
 * What the environment names as a proxy of the configured registries has to be one: no job could do anything.
 *
 * @throws ConfigError
 */
export function requireProxies(config: Config, env: NodeJS.ProcessEnv): void {
  const proxyFor = proxyFromEnvironment(env)
  const wrong = [config.local, ...config.upstreams.values()].flatMap(({ url }) => {
    try {
      proxyFor(url)
      return []
    } catch (error) {
      return [messageOf(error)]
    }
  })
  if (wrong.length === 0) return
  const problems = [...new Set(wrong)].map((why) => ({ path: '', message: `${why}: ${ADVICE}` }))
  throw new ConfigError('environment', problems)
}

const ADVICE = 'correct the variable, as in HTTPS_PROXY=http://proxy.example:3128'
