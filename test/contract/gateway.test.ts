import type { RegistryOptions } from '../support/registry/registry-config.ts'
import { startTokenService } from '../support/registry/token-service.ts'
import { startSite } from '../e2e/site.ts'
import { configFor } from './contract-content.ts'
import { registryContract, type Subject } from './registry.contract.ts'

// The token service is at another port.
const ACCOUNT = { username: 'pusher', password: 'correct-horse' } as const

// The gateway has to be a registry as good as the one behind it.
registryContract('docker-registry behind the gateway', () => startBehind({}))
registryContract('docker-registry that wants a password, behind the gateway', () =>
  startBehind({ htpasswd: ACCOUNT }),
)
registryContract('docker-registry that wants tokens, behind the gateway', startWithTokens)

async function startBehind(local: RegistryOptions): Promise<Subject> {
  const site = await startSite({ local, workers: 0 })
  const login =
    local.tokenAuth === undefined ? local.htpasswd : { ...ACCOUNT, trustedHosts: ['127.0.0.1'] }
  return {
    config: configFor(`http://${site.gateway}`, login),
    [Symbol.asyncDispose]: () => site[Symbol.asyncDispose](),
  }
}

async function startWithTokens(): Promise<Subject> {
  const tokens = await startTokenService(ACCOUNT)
  const subject = await startBehind({ tokenAuth: tokens.tokenAuth })
  return {
    config: subject.config,
    async [Symbol.asyncDispose]() {
      await subject[Symbol.asyncDispose]()
      await tokens[Symbol.asyncDispose]()
    },
  }
}
