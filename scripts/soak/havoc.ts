import { setTimeout as pause } from 'node:timers/promises'
import type { Fault } from './faults.ts'
import type { History } from './history.ts'
import type { Random } from './random.ts'

interface Havoc {
  readonly faults: readonly Fault[]
  readonly history: History
  readonly random: Random
  readonly signal: AbortSignal
  readonly say: (line: string) => void
}

/** One fault after the other, each put right after some seconds; now and then two at once. */
export async function havoc({ faults, history, random, signal, say }: Havoc): Promise<number> {
  let struck = 0
  const strike = async (fault: Fault) => {
    struck += 1
    say(fault.name)
    try {
      const putRight = await fault.strike(random)
      await pause(random.between(500, fault.lastsMs ?? 6_000))
      await putRight()
    } catch (error) {
      history.violated(`${fault.name}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  while (!signal.aborted) {
    await pause(random.between(500, 4_000))
    const first = random.of(faults)
    const second = random.of(faults)
    const together = random.next() < 0.25 && subjectOf(first) !== subjectOf(second)
    await Promise.all([strike(first), ...(together ? [strike(second)] : [])])
  }
  return struck
}

function subjectOf({ name }: Fault): string {
  return name.replace(/^way to /, '').split(' ', 1)[0] ?? ''
}
