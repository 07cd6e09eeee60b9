import { constants } from 'node:os'

/** Resolves with the exit code that shells give for it, once somebody asks this process to end. */
export function stopRequested(): { readonly promise: Promise<number> } {
  // A terminal that was closed cannot be written to any more; what was started must stop all the same.
  process.stdout.on('error', () => undefined)
  process.stderr.on('error', () => undefined)
  const promise = new Promise<number>((resolve) => {
    // Listening goes on: a second Ctrl-C must not cut the stopping short.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        resolve(128 + constants.signals[signal])
      })
    }
  })
  return { promise }
}
