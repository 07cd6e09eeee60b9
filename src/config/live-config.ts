import type { Config } from './config.ts'
import { ConfigError } from './config-error.ts'
import { loadConfig } from './load-config.ts'
import { watchFile } from './reading/watch-file.ts'

/** The configuration of a running process. It is always a valid one. */
export interface LiveConfig extends AsyncDisposable {
  current(): Config
  /** Called after each change, until the returned function is. */
  onChange(listener: (change: ConfigChange) => void): () => void
  /** Reads the file and its secrets again, as after a SIGHUP. Reloads never overlap. */
  reload(): Promise<Reloaded>
}

export interface ConfigChange {
  readonly config: Config
  readonly previous: Config
  /** What changed without effect until the process is started again. */
  readonly needRestart: readonly RestartSection[]
}

const RESTART_SECTIONS = ['listen', 'admin', 'redis'] as const
export type RestartSection = (typeof RESTART_SECTIONS)[number]

export type Reloaded =
  | { readonly kind: 'changed'; readonly change: ConfigChange }
  | { readonly kind: 'unchanged' }
  /** The old configuration stays. */
  | { readonly kind: 'invalid'; readonly error: ConfigError }

export interface WatchOptions {
  /** A new file is not valid; the old configuration stays. Also called by `reload`. */
  readonly onInvalid: (error: ConfigError) => void
  /** Changes are no longer noticed (the folder is gone, too many watches); `reload` still works. */
  readonly onWatchError: (error: Error) => void
  /** How long the file must rest before it is read: editors write in several steps. Default 100 ms. */
  readonly debounceMs?: number
}

/**
 * Loads the configuration and keeps it up to date with the file. Changed secret files are noticed
 * only by `reload`.
 *
 * @throws ConfigError when the file is not valid at the start
 */
export async function watchConfig(
  file: string,
  env: NodeJS.ProcessEnv,
  options: WatchOptions,
): Promise<LiveConfig> {
  let config = await loadConfig(file, env)
  let running: Promise<unknown> = Promise.resolve()
  const listeners = new Set<(change: ConfigChange) => void>()

  async function readAgain(): Promise<Reloaded> {
    const loaded = await loadOrError(file, env)
    if (loaded instanceof ConfigError) {
      options.onInvalid(loaded)
      return { kind: 'invalid', error: loaded }
    }
    if (isSame(loaded, config)) return { kind: 'unchanged' }
    const change = changeBetween(config, loaded)
    config = loaded
    for (const listener of listeners) listener(change)
    return { kind: 'changed', change }
  }

  function reload(): Promise<Reloaded> {
    const next = running.then(readAgain)
    running = next.catch(() => undefined) // the caller of that reload has its error
    return next
  }

  const watch = watchFile(config.file, options.debounceMs ?? 100, {
    onChange: () => void reload().catch(options.onWatchError),
    onError: options.onWatchError,
  })
  return {
    current: () => config,
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    reload,
    async [Symbol.asyncDispose]() {
      watch[Symbol.dispose]()
      listeners.clear()
      await running
    },
  }
}

async function loadOrError(file: string, env: NodeJS.ProcessEnv): Promise<Config | ConfigError> {
  try {
    return await loadConfig(file, env)
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
}

function changeBetween(previous: Config, config: Config): ConfigChange {
  const needRestart = RESTART_SECTIONS.filter((key) => !isSame(previous[key], config[key]))
  return { config, previous, needRestart }
}

// Not isDeepStrictEqual: on Node 20 that takes any two URLs for equal.
function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a, withMaps) === JSON.stringify(b, withMaps)
}

function withMaps(_: string, value: unknown): unknown {
  return value instanceof Map ? [...value.entries()] : value
}
