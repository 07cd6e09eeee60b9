import { join } from 'node:path'
import { expect, it } from 'vitest'
import { startChild } from '../support/process/child.ts'

const SCRIPT = join(import.meta.dirname, '../../dist/scripts/soak/soak.js')
/** Of which the faults take five; what was promised and what was left have three each on a machine that is busy. */
const WITHIN_MS = 20 * 60_000
/** In the title, so that it is told, and can be run again, however this ends. */
const SEED = String(Date.now() % 1_000_000)

it(
  `keeps its promises and leaves nothing after five minutes of faults: npm run soak -- --minutes 5 --seed ${SEED}`,
  async () => {
    await using soak = await startChild({
      command: process.execPath,
      args: [SCRIPT, '--minutes', '5', '--seed', SEED],
      // It has registries and a Redis to end.
      lastSignal: 'SIGTERM',
    })

    const { code } = await soak.waitForExit(WITHIN_MS)

    expect(code, soak.lines().join('\n')).toBe(0)
    expect(soak.lines().at(-1)).toContain(`passed; seed ${SEED}`)
  },
  WITHIN_MS + 60_000,
)
