import {
  ALL_GUARDS,
  BEGINS,
  type Faults,
  type Guards,
  LEASE,
  type State,
} from './blob-leases/state.ts'
import { Steps } from './blob-leases/steps.ts'
import type { Model } from './explore.ts'

const NO_FAULTS: State['left'] = {
  ...{ kill: 0, cut: 0, stall: 0, breaks: 0, setBack: 0, setAhead: 0, loss: 0, collected: 0 },
}

/**
 * So many workers bring the blob, each to a repository of its own.
 *
 * Who fetches a blob that the images of several workers have in common: the scripts of
 * src/pool/redis-blob-ledger.ts (in brackets) and the loop of src/replication/graph/copy-blob.ts. Time goes
 * in ticks of one heartbeat; a tick comes when every live holder that reaches Redis has beaten.
 */
export function blobLeases(
  workers: number,
  faults: Faults,
  guards: Guards = ALL_GUARDS,
): Model<State> {
  return {
    initial: {
      ...{ lease: null, deadFor: 0, holders: [], held: [], fetches: 0, excuses: 0, attempts: 0 },
      workers: Array.from({ length: workers }, () => BEGINS),
      left: { ...NO_FAULTS, ...faults },
    },
    steps: (state) => new Steps(state, guards).all(),
    wrong({ deadFor, fetches, excuses }) {
      if (deadFor > LEASE + 1) return 'a dead worker keeps its lease'
      return fetches > 1 + excuses ? 'the blob is fetched twice' : undefined
    },
    isEnd: ({ workers }) =>
      workers.every(({ at, isDead, isStalled }) => isDead || isStalled || at === 'done'),
  }
}
