import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { RegistryConfig } from '../../../src/config/config.ts'
import type { Registry } from '../../../src/registry/registry.ts'
import {
  refuse,
  type ScriptedRegistry,
  startScriptedRegistry,
  type Turn,
} from '../../support/registry/scripted-registry.ts'
import { tempFolder, type TempFolder } from '../../support/process/temp-folder.ts'
import { configFor, manifestOf, open, reference, repository, SIGNAL } from '../contract-content.ts'

export const ACCOUNT = { username: 'robot', password: 'very-secret' }
export const MANIFEST = manifestOf({ layers: [] })
export const TAG = reference('1.0')

interface Asked {
  readonly method: string
  readonly query: URLSearchParams
  readonly form: URLSearchParams
  readonly authorization: string | undefined
}

export async function tokenSite(): Promise<TokenSite> {
  const registry = await startScriptedRegistry()
  registry.addManifest('team/app', '1.0', MANIFEST.bytes, MANIFEST.mediaType)
  return new TokenSite(registry, await startScriptedRegistry(), await tempFolder('credentials'))
}

/** A registry that holds team/app:1.0, its token service, and a folder for credentials. */
export class TokenSite implements AsyncDisposable {
  readonly registry: ScriptedRegistry
  readonly tokens: ScriptedRegistry
  readonly folder: TempFolder
  readonly #clients: Registry[] = []

  constructor(registry: ScriptedRegistry, tokens: ScriptedRegistry, folder: TempFolder) {
    this.registry = registry
    this.tokens = tokens
    this.folder = folder
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { registry, tokens, folder } = this
    for (const each of [...this.#clients, registry, tokens, folder]) {
      await each[Symbol.asyncDispose]()
    }
  }

  connect(more: Partial<RegistryConfig> = {}): Registry {
    const trusting = { id: 'hq', trustedHosts: ['127.0.0.1'], ...more }
    const client = open(configFor(this.registry.url, trusting))
    this.#clients.push(client)
    return client
  }

  /** Makes it a registry that takes these tokens only, and otherwise answers with these challenges. */
  wantToken(isGood: (shown: string | undefined) => boolean, challenges: string | string[]): void {
    this.registry.script({}, async ({ request, response, serve }: Turn) => {
      if (isGood(request.headers.authorization)) {
        await serve()
        return
      }
      response.setHeader('www-authenticate', challenges)
      refuse(response, 401, 'UNAUTHORIZED')
    })
  }

  /** Has the token service give `t1`, `t2` …; returns what it was asked. */
  giveTokens(
    answer: (count: number, turn: Turn) => object | undefined = (count) => ({ token: `t${count}` }),
  ): Asked[] {
    const asked: Asked[] = []
    this.tokens.script({}, async (turn) => {
      const { request, response } = turn
      asked.push({
        method: request.method ?? '',
        query: new URL(request.url ?? '', this.tokens.url).searchParams,
        form: new URLSearchParams(await text(request)),
        authorization: request.headers.authorization,
      })
      const body = answer(asked.length, turn)
      if (body === undefined) refuse(response, 405, 'UNSUPPORTED')
      else response.end(JSON.stringify(body))
    })
    return asked
  }

  async dockerConfig(entry: object): Promise<Partial<RegistryConfig>> {
    const file = join(this.folder.path, 'config.json')
    await writeFile(file, JSON.stringify({ auths: { [this.registry.host]: entry } }))
    return { credentials: { kind: 'docker-config', file } }
  }
}

export async function pull(client: Registry) {
  return await client.repository(repository('team/app')).getManifest(TAG, SIGNAL)
}
