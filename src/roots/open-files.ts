import type { Config } from '../config/config.ts'
import type { LiveConfig } from '../config/live-config.ts'
import { openFilesLimit } from '../lifecycle/open-files.ts'
import type { ProcessReporter } from '../telemetry/reports/report-process.ts'

/** What a process does that takes files and connections. */
export type Part = 'serve' | 'worker'

/** Modules, Redis, listeners, credentials. */
const ALWAYS = 100
/** One that is served takes a connection to the local registry, too. */
const CLIENTS = 250
/** Each transfer that runs, and the eight for each that wait for a silent upstream. */
const TRANSFERS_FOR_EACH = 9
/** More to one registry are never open at once. */
const MAX_TO_A_REGISTRY = 256
/** The spool takes up to a quarter of all. */
const SHARE_WITHOUT_SPOOL = 3 / 4

/** Says of each configuration where it may come to need more files than this process may have open. */
export function watchOpenFiles(
  parts: readonly Part[],
  live: LiveConfig,
  reporter: ProcessReporter,
): void {
  compareOpenFiles(parts, live.current(), reporter)
  live.onChange(({ config }) => {
    compareOpenFiles(parts, config, reporter)
  })
}

function compareOpenFiles(
  parts: readonly Part[],
  config: Pick<Config, 'upstreams'>,
  { fewOpenFiles }: Pick<ProcessReporter, 'fewOpenFiles'>,
): void {
  const limit = openFilesLimit() ?? Infinity
  const needs = parts.map((part) => needsOf(part, config))
  const needed = needs.reduce((sum, { files }) => sum + files, 0)
  if (limit >= needed) return
  const why = needs.map(({ files, what }) => `${files} for ${what}`).join(', ')
  fewOpenFiles({
    limit,
    needed,
    advice: `it may come to need ${why}: raise "ulimit -n" (systemd: LimitNOFILE=65536)`,
  })
}

function needsOf(part: Part, { upstreams }: Pick<Config, 'upstreams'>) {
  if (part === 'serve') return { files: ALWAYS + 2 * CLIENTS, what: `${CLIENTS} clients at once` }
  const connections = [...upstreams.values()].map(({ concurrency }) =>
    Math.min(concurrency * TRANSFERS_FOR_EACH, MAX_TO_A_REGISTRY),
  )
  const both = 2 * connections.reduce((sum, each) => sum + each, 0)
  const named = connections.length === 1 ? 'one upstream' : `${connections.length} upstreams`
  return {
    files: Math.ceil((ALWAYS + both) / SHARE_WITHOUT_SPOOL),
    what: `transfers from ${named}`,
  }
}
