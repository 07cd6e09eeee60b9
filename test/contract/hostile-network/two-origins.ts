import type { RegistryConfig } from '../../../src/config/config.ts'
import type { RegistryRepository } from '../../../src/registry/repository.ts'
import {
  refuse,
  type ScriptedRegistry,
  type ScriptedRegistryOptions,
  startScriptedRegistry,
  type Turn,
} from '../../support/registry/scripted-registry.ts'
import { configFor, manifestOf, open, reference, repository } from '../contract-content.ts'

export const ACCOUNT = { username: 'robot', password: 'very-secret' }
export const MANIFEST = manifestOf({ layers: [] })
export const TAG = reference('1.0')

/** A registry that holds team/app:1.0, and where else it may lead to. */
export interface TwoOrigins extends AsyncDisposable {
  readonly registry: ScriptedRegistry
  /** Another origin on the same host: what the registry leads to. */
  readonly other: ScriptedRegistry
  /** One more, in the registry's place. */
  replaceRegistry(options: ScriptedRegistryOptions): Promise<void>
  third(): Promise<ScriptedRegistry>
  repo(more?: Partial<RegistryConfig>): RegistryRepository
  /** Gives `t1`, `t2` … and counts the requests for them. */
  giveTokens(body?: (count: number) => object): {
    readonly realm: string
    readonly requests: ScriptedRegistry['requests']
  }
}

export async function twoOrigins(): Promise<TwoOrigins> {
  const origins = new Origins(await startScriptedRegistry(), await startScriptedRegistry())
  origins.registry.addManifest('team/app', '1.0', MANIFEST.bytes, MANIFEST.mediaType)
  return origins
}

/** Answers as a registry that takes these tokens only, and otherwise as it is. */
export function wantToken(isGood: (authorization: string | undefined) => boolean, realm: string) {
  return async ({ request, response, serve }: Turn) => {
    if (isGood(request.headers.authorization)) {
      await serve()
      return
    }
    response.setHeader('www-authenticate', `Bearer realm="${realm}",service="s"`)
    refuse(response, 401, 'UNAUTHORIZED')
  }
}

class Origins implements TwoOrigins {
  registry: ScriptedRegistry
  readonly other: ScriptedRegistry
  readonly #disposables: AsyncDisposable[]

  constructor(registry: ScriptedRegistry, other: ScriptedRegistry) {
    this.registry = registry
    this.other = other
    this.#disposables = [registry, other]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#disposables.map((each) => each[Symbol.asyncDispose]()))
  }

  async replaceRegistry(options: ScriptedRegistryOptions): Promise<void> {
    this.#disposables.push((this.registry = await startScriptedRegistry(options)))
  }

  async third(): Promise<ScriptedRegistry> {
    const third = await startScriptedRegistry()
    this.#disposables.push(third)
    return third
  }

  repo(more: Partial<RegistryConfig> = {}): RegistryRepository {
    const trusting = { id: 'hq', trustedHosts: ['127.0.0.1'], ...more }
    const client = open(configFor(this.registry.url, trusting), { stallTimeoutMs: 2_000 })
    this.#disposables.push(client)
    return client.repository(repository('team/app'))
  }

  giveTokens(body: (count: number) => object = (count) => ({ token: `t${count}` })) {
    const requests = this.other.requests
    this.other.script({ path: /^\/token/ }, ({ response }) =>
      response.end(JSON.stringify(body(requests.length))),
    )
    return { realm: `${this.other.url}/token`, requests }
  }
}
