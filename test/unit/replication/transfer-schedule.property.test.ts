import fc from 'fast-check'
import { expect, it } from 'vitest'
import { SMALL_BYTES, TransferSchedule } from '../../../src/replication/pace/transfer-schedule.ts'

/** What happens next to a schedule; which transfer it happens to is taken modulo those there are. */
const arrival = fc.record({
  kind: fc.constant('arrive' as const),
  upstream: fc.constantFrom('hq', 'lab'),
  urgency: fc.integer({ min: 0, max: 4 }),
  queuedAt: fc.integer({ min: 0, max: 5 }),
  bytes: fc.constantFrom(0, 1, SMALL_BYTES, SMALL_BYTES + 1, 2 ** 40),
  uploads: fc.boolean(),
})
const which = fc.nat()
const step = fc.oneof(
  { weight: 4, arbitrary: arrival },
  fc.record({ kind: fc.constant('end' as const), which }),
  fc.record({ kind: fc.constant('fail' as const), which }),
  fc.record({ kind: fc.constant('abort' as const), which }),
  fc.record({
    kind: fc.constant('limit' as const),
    name: fc.constantFrom('hq' as const, 'lab' as const, 'local' as const),
    limit: fc.integer({ min: 0, max: 9 }),
  }),
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never
type Arrival = typeof arrival extends fc.Arbitrary<infer T> ? T : never

class Model {
  readonly limits = { hq: 2, lab: 1, local: 2 }
  readonly running = new Map<number, { readonly of: Arrival; readonly end: (how: How) => void }>()
  readonly #waiting = new Map<number, AbortController>()
  readonly #all: Promise<unknown>[] = []
  readonly #schedule = new TransferSchedule({
    upstream: (id) => this.limits[id === 'hq' ? 'hq' : 'lab'],
    local: () => this.limits.local,
  })

  async apply(step: Step): Promise<void> {
    if (step.kind === 'arrive') this.#arrive(step)
    else if (step.kind === 'limit') this.#limit(step.name, step.limit)
    else if (step.kind === 'abort') pick(this.#waiting, step.which)?.abort(new Error('abort'))
    else pick(this.running, step.which)?.end(step.kind)
    // Until every promise that can go on has gone on.
    await new Promise((resolve) => setImmediate(resolve))
  }

  /** Everything that has arrived ends once the limits allow anything. */
  async drain(): Promise<number> {
    for (const name of ['hq', 'lab', 'local'] as const) {
      await this.apply({ kind: 'limit', name, limit: 1 })
    }
    while (this.running.size > 0) await this.apply({ kind: 'end', which: 0 })
    return (await Promise.allSettled(this.#all)).length
  }

  #limit(name: 'hq' | 'lab' | 'local', limit: number): void {
    this.limits[name] = limit
    this.#schedule.startWaiting()
  }

  #arrive(of: Arrival): void {
    const number = this.#all.length
    const abort = new AbortController()
    this.#waiting.set(number, abort)
    const slots = this.#schedule.slots(of.upstream, of)
    this.#all.push(slots.run(of, abort.signal, () => this.#run(number, of)))
    this.#all.at(-1)?.catch(() => this.#waiting.delete(number))
  }

  async #run(number: number, of: Arrival): Promise<void> {
    this.#waiting.delete(number)
    await new Promise<void>((resolve, reject) => {
      const end = (how: How) => {
        this.running.delete(number)
        if (how === 'end') resolve()
        else reject(new Error('fail'))
      }
      this.running.set(number, { of, end })
      this.#neverAbove(of)
    })
  }

  /** At each start; a limit that was lowered afterwards stops nothing that runs. */
  #neverAbove({ upstream, uploads }: Arrival): void {
    const all = [...this.running.values()].map((running) => running.of)
    const here = all.filter((each) => each.upstream === upstream)
    expect(here.length).toBeLessThanOrEqual(this.limits[upstream === 'hq' ? 'hq' : 'lab'])
    if (!uploads) return
    expect(all.filter((each) => each.uploads).length).toBeLessThanOrEqual(this.limits.local)
  }
}

type How = 'end' | 'fail'

function pick<T>(all: ReadonlyMap<number, T>, index: number): T | undefined {
  return [...all.values()][index % Math.max(1, all.size)]
}

it('never exceeds a limit at a start, and lets everything end, in whatever order things happen', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 120 }), async (steps) => {
      const model = new Model()
      for (const each of steps) await model.apply(each)
      const arrived = steps.filter(({ kind }) => kind === 'arrive').length
      expect(await model.drain()).toBe(arrived)
    }),
    { numRuns: 200 },
  )
})
