import { BEGINS, type Guards, LEASE, type State, type Worker } from './state.ts'

/** [TAKE] */
export function take(worker: Worker, state: State, guards: Guards): void {
  const { lease, holders, attempts } = state
  const isAnothers = lease !== null && lease.holder !== worker.givenUp
  if (isAnothers && guards.isExclusive) {
    worker.at = 'looks'
    return
  }
  worker.attempt = attempts
  state.attempts += 1
  state.lease = { holder: worker.attempt, ticks: LEASE }
  state.deadFor = 0
  const isThere = holders.some((holder) => !worker.refused.includes(holder))
  if (isThere && guards.looksAgain) {
    release(worker, state, guards)
    worker.at = 'looks'
  } else begin(worker, state)
}

export function begin(worker: Worker, state: State): void {
  Object.assign(worker, { at: 'fetches', hasBeaten: true })
  state.fetches += 1
}

/** [RELEASE] */
export function release({ attempt }: Worker, state: State, { isReleasedByHolder }: Guards): void {
  if (state.lease?.holder === attempt || !isReleasedByHolder) state.lease = null
}

/** What it had is of no meaning any more. */
export function end(worker: Worker): void {
  Object.assign(worker, { ...BEGINS, at: 'done', isDead: worker.isDead })
}

export function added(repositories: readonly number[], repository: number): number[] {
  return [...new Set([...repositories, repository])].sort()
}
