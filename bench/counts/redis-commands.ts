import type { Redis } from 'ioredis'

export interface CommandCounts {
  /** Sent by others than the watching process, by name. */
  readonly sent: ReadonlyMap<string, number>
  /** All that Redis did for them, with what their scripts called. */
  readonly done: number
}

/** What a Redis is asked by all connections but this process's own, until it is told to stop. */
export async function watchCommands(own: Redis): Promise<() => Promise<CommandCounts>> {
  const self = addressOf(own)
  const monitor = await own.monitor()
  const sent = new Map<string, number>()
  let done = 0
  let mark: (() => void) | undefined
  const flushed = new Promise<void>((resolve) => (mark = resolve))
  monitor.on('monitor', (_time: string, args: readonly string[], source: string) => {
    const [name = '', first] = args
    if (source === self) {
      if (first === END) mark?.()
      return
    }
    done += 1
    if (source === 'lua') return
    const key = name.toLowerCase()
    sent.set(key, (sent.get(key) ?? 0) + 1)
  })
  return async () => {
    // What was asked before this was shown before it.
    await own.echo(END)
    await flushed
    monitor.disconnect()
    return { sent, done }
  }
}

const END = 'the end of the count'

function addressOf(redis: Redis): string {
  const { stream } = redis as {
    readonly stream?: { readonly localAddress?: string; readonly localPort?: number }
  }
  return `${stream?.localAddress ?? ''}:${stream?.localPort ?? 0}`
}
