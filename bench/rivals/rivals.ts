import type { Entry } from '../copies/contestant.ts'
import { ENGINE } from '../copies/engine.ts'
import { PRODUCT } from '../pool/product.ts'
import { SKOPEO_COPY, SKOPEO_SYNC } from '../copies/skopeo.ts'
import { copiersOfOne, copiersOfTags } from './go-copiers.ts'

/** Another build of pullsync. */
export interface EarlierEntry extends Entry {
  readonly script: string
}

export interface Rivals {
  /** Whether there are crane, regctl and oras beside skopeo. */
  readonly peers: boolean
  /** Another commit of pullsync, which is compared with this one alone. */
  readonly before?: EarlierEntry
}

export async function rivalsForOne(rivals: Rivals): Promise<readonly Entry[]> {
  if (rivals.before !== undefined) return [rivals.before, PRODUCT]
  return [SKOPEO_COPY, ...(rivals.peers ? await copiersOfOne() : []), ENGINE, PRODUCT]
}

export async function rivalsForTags(rivals: Rivals): Promise<readonly Entry[]> {
  if (rivals.before !== undefined) return [rivals.before, PRODUCT]
  return [SKOPEO_SYNC, ...(rivals.peers ? await copiersOfTags() : []), ENGINE, PRODUCT]
}
