import { setFlagsFromString } from 'node:v8'

/**
 * Every 64 KiB read from a socket is memory outside V8's heap, and dies at once. V8 takes its growth
 * for a reason to mark the whole heap, on all cores, some 25 times in half a gigabyte; without the
 * incremental kind it does so twice. Measured: a quarter of all CPU time of a copy. The price is that
 * a marking, when there is one, takes its ten milliseconds in one go.
 */
export function tuneGarbageCollection(): void {
  setFlagsFromString('--no-incremental-marking')
}
