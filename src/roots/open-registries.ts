import type { Config, RegistryConfig } from '../config/config.ts'
import { openRegistry, type Registry } from '../registry/registry.ts'
import type { UploadRecords } from '../registry/words/upload-records.ts'
import type { RateLimit } from '../registry/rate-limit.ts'
import { USER_AGENT } from '../version.ts'

/** What an upstream says of its limit with an answer. Must not throw. */
export type OnRateLimit = (id: string, told: RateLimit) => void

/** Whether a request to that registry that failed is worth another try right away. */
export type MayRepeat = (id: string) => boolean

/** The clients of all registries in the configuration, kept while their part of it stays the same. */
export class OpenRegistries implements AsyncDisposable {
  readonly #open = new Map<
    string,
    { readonly config: RegistryConfig; readonly registry: Registry }
  >()
  /** Replaced by a reload; running copies may still use them. */
  readonly #retired: Registry[] = []
  readonly #onRateLimit: OnRateLimit
  readonly #mayRepeat: MayRepeat
  readonly #uploads: UploadRecords | undefined

  constructor(
    config: Config,
    onRateLimit: OnRateLimit = () => undefined,
    mayRepeat: MayRepeat = () => true,
    uploads?: UploadRecords,
  ) {
    this.#onRateLimit = onRateLimit
    this.#mayRepeat = mayRepeat
    this.#uploads = uploads
    this.configure(config)
    process.on('SIGHUP', this.#forgetChallenges)
  }

  readonly #forgetChallenges = (): void => {
    for (const { registry } of this.#open.values()) registry.forgetChallenge()
  }

  configure({ local, upstreams }: Config): void {
    for (const config of [local, ...upstreams.values()]) {
      const known = this.#open.get(config.id)
      if (known !== undefined && isSame(known.config, config)) continue
      if (known !== undefined) this.#retired.push(known.registry)
      const registry = openRegistry(config, {
        userAgent: USER_AGENT,
        ...(config === local && this.#uploads && { uploads: this.#uploads }),
        requestRetries: { mayRepeat: () => this.#mayRepeat(config.id) },
        onRateLimit: (told) => {
          if (config !== local) this.#onRateLimit(config.id, told)
        },
      })
      this.#open.set(config.id, { config, registry })
    }
  }

  get local(): Registry {
    return this.of('local')
  }

  of(id: string): Registry {
    const known = this.#open.get(id)
    if (known === undefined) throw new Error(`registry "${id}" is not in the configuration`)
    return known.registry
  }

  has(id: string): boolean {
    return this.#open.has(id)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off('SIGHUP', this.#forgetChallenges)
    const all = [...this.#retired, ...[...this.#open.values()].map(({ registry }) => registry)]
    await Promise.all(all.map((registry) => registry[Symbol.asyncDispose]()))
  }
}

// Not isDeepStrictEqual: on Node 20 that takes any two URLs for equal.
function isSame(a: RegistryConfig, b: RegistryConfig): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
