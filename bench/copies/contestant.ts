import type { TestRegistry } from '../../test/support/registry/docker-registry.ts'
import type { Usage } from '../figures/usage.ts'

/** Two registries on this machine: what everybody copies from, and an empty one. */
export interface Pair {
  readonly upstream: TestRegistry
  readonly local: TestRegistry
  /** Of who vouches for both; absent over plain http. */
  readonly caFile?: string
}

/** The same, as far as pullsync's configuration knows it. */
export interface Ends {
  readonly upstream: { readonly url: string }
  readonly local: { readonly url: string }
  readonly caFile?: string
}

/** Images of one repository. */
export interface Wanted {
  readonly repository: string
  readonly tags: readonly string[]
  /** With what refers to them; not unless told. */
  readonly referrers?: boolean
}

/** Something that copies images, made ready for one pair of registries. */
export interface Contestant extends AsyncDisposable {
  /** Makes the local registry hold these as the upstream has them, and measures it. */
  copy(wanted: Wanted): Promise<Usage>
}

export interface Entry {
  readonly name: string
  /** Ratios are to the fastest of these. */
  readonly isPeer?: boolean
  /** Whether it knows in a further copy what it did in the one before; else it takes one step only. */
  readonly remembers: boolean
  readonly enter: (pair: Pair) => Promise<Contestant>
}
