import output from 'node:console'
import { format } from 'node:util'
import type { ProcessReporter } from './reports/report-process.ts'

const METHODS = ['log', 'info', 'warn', 'error'] as const
/** Different lines that are told; whoever makes up new ones all the time is not listened to any longer. */
const MAX_TOLD = 100
/** BullMQ says it for each connection; pullsync says it once, and what to do. */
const SAID_BETTER = 'Eviction policy is'

/**
 * What libraries write to the console goes into the log instead, each line once: BullMQ and ioredis write
 * there, between lines of JSON, at every connection. Disposing of it gives the console back.
 */
export function libraryLines(reporter: Pick<ProcessReporter, 'librarySaid'>): Disposable {
  const told = new Set<string>()
  const before = METHODS.map((method) => [method, Reflect.get(output, method)] as const)
  const tell = (...args: unknown[]): void => {
    const text = format(...args)
    if (told.has(text) || told.size >= MAX_TOLD || text.includes(SAID_BETTER)) return
    told.add(text)
    reporter.librarySaid({ text })
  }
  Object.assign(output, Object.fromEntries(METHODS.map((method) => [method, tell])))
  return {
    [Symbol.dispose]() {
      Object.assign(output, Object.fromEntries(before))
    },
  }
}
