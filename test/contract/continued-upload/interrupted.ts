import { Readable } from 'node:stream'
import type { UploadCheckpoint, UploadState } from '../../../src/replication/ports.ts'
import { untilAborted } from '../../../src/waiting/until-aborted.ts'
import { type Blob, repository } from '../contract-content.ts'

export const MIB = 1024 * 1024
export const REPOSITORY = repository('team/large')

export function checkpointInMemory(state?: UploadState) {
  const kept = { state }
  const checkpoint: UploadCheckpoint = {
    load: () => Promise.resolve(kept.state),
    save: (next) => {
      kept.state = next
      return Promise.resolve()
    },
    clear: () => {
      kept.state = undefined
      return Promise.resolve()
    },
  }
  return { kept, checkpoint }
}

export interface Manner {
  /** Where it breaks, unless that is its end. */
  readonly until?: number
  /** Where no more comes, and no end. */
  readonly stopsAt?: number
  /** Called before the piece at that offset. */
  readonly passing?: (at: number) => void
}

const PIECE = 256 * 1024

/** The blob's bytes, noting from which offsets it was read. */
export function sourceOf({ bytes }: Blob, manner: Manner = {}) {
  const { until = bytes.length, stopsAt = Infinity, passing } = manner
  const offsets: number[] = []
  const stop = new AbortController()
  const openAt = (offset: number, signal: AbortSignal) => {
    offsets.push(offset)
    const body = Readable.from(
      (async function* () {
        for (let at = offset; at < until; at += PIECE) {
          if (at >= stopsAt) await stopped(stop)
          passing?.(at)
          yield bytes.subarray(at, Math.min(at + PIECE, until))
        }
        if (until < bytes.length) throw new Error('the upstream broke')
      })(),
      { objectMode: false },
    )
    signal.addEventListener('abort', () => body.destroy(signal.reason as Error))
    return Promise.resolve(body)
  }
  return { offsets, openAt, stopped: untilAborted(stop.signal) }
}

/** Says so, and never goes on. */
async function stopped(stop: AbortController): Promise<void> {
  stop.abort()
  await new Promise(() => undefined)
}
