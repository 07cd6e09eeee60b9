import { expect } from 'vitest'
import type { Registry } from '../../../src/registry/registry.ts'
import type { RegistryRepository } from '../../../src/registry/repository.ts'
import {
  type ScriptedRegistry,
  startScriptedRegistry,
} from '../../support/registry/scripted-registry.ts'
import { type Blob, configFor, open, repository, SIGNAL } from '../contract-content.ts'

export const STALL_MS = 300
export const BLOBS = /\/blobs\/sha256:/
export const MANIFESTS = /\/manifests\//

export async function bothSides(): Promise<BothSides> {
  return new BothSides(await startScriptedRegistry(), await startScriptedRegistry())
}

/** An upstream and a local registry, of which either may misbehave, and team/app on both. */
export class BothSides implements AsyncDisposable {
  readonly upstream: ScriptedRegistry
  readonly local: ScriptedRegistry
  readonly source: RegistryRepository
  readonly target: RegistryRepository
  readonly #clients: readonly Registry[]

  constructor(upstream: ScriptedRegistry, local: ScriptedRegistry) {
    const options = { stallTimeoutMs: STALL_MS }
    const from = open(configFor(upstream.url, { id: 'hq' }), options)
    const to = open(configFor(local.url), options)
    this.upstream = upstream
    this.local = local
    this.#clients = [from, to]
    this.source = from.repository(repository('team/app'))
    this.target = to.repository(repository('team/app'))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) await client[Symbol.asyncDispose]()
    await this.upstream[Symbol.asyncDispose]()
    await this.local[Symbol.asyncDispose]()
  }

  async copy({ descriptor }: Blob): Promise<void> {
    await this.target.putBlob(descriptor, await this.source.getBlob(descriptor, SIGNAL), SIGNAL)
  }

  /** Whatever happened, nothing of it may be left behind. */
  expectNothingLocal({ descriptor }: Blob): void {
    expect(this.local.hasBlob('team/app', descriptor.digest)).toBe(false)
    expect(this.local.openUploads()).toBe(0)
  }
}
