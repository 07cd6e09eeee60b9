import {
  chooseChildren,
  type ChosenChildren,
  formatPlatform,
  isRunnable,
  type WantedPlatforms,
} from '../../oci/platforms.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import type { Manifest } from '../../oci/manifest.ts'
import type { ContentTarget } from '../ports.ts'
import type { Tally } from './tally.ts'

export interface PlatformChoiceOptions {
  readonly platforms: WantedPlatforms
  readonly target: Pick<ContentTarget, 'takesSparseIndexes' | 'noteSparseIndexRefused'>
  readonly tally: Tally
  readonly log: (line: string) => void
}

/**
 * Which children of the indexes of one copy are brought. Where the local registry takes complete
 * indexes only, that is all of them: the index keeps its bytes, so it cannot be cut to size.
 */
export class PlatformChoice {
  readonly #options: PlatformChoiceOptions
  #overruled = false

  constructor(options: PlatformChoiceOptions) {
    this.#options = options
  }

  of({ children }: Manifest): ChosenChildren {
    const { platforms, target } = this.#options
    const chosen = chooseChildren(children, platforms)
    if (chosen.leftOut.length === 0) return chosen
    if (!target.takesSparseIndexes()) this.#overrule()
    return this.#overruled ? { wanted: children, leftOut: [] } : chosen
  }

  /** The registry has taken an index without these. */
  taken({ digest }: Manifest, leftOut: readonly Descriptor[]): void {
    if (leftOut.length === 0) return
    const { tally, log } = this.#options
    tally.leftOut(leftOut.length)
    log(`${digest}: left upstream what is for other platforms: ${namesOf(leftOut).join(', ')}`)
  }

  /** The registry has refused an index for what was left out of it. */
  refused(): void {
    this.#options.target.noteSparseIndexRefused()
    this.#overrule()
  }

  #overrule(): void {
    if (this.#overruled) return
    this.#overruled = true
    this.#options.tally.sparseRefused()
    this.#options.log(
      'the local registry refuses an index whose children are not all there: every platform is copied',
    )
  }
}

/** Why nothing of this is copied; undefined when something is wanted. */
export function whyNoPlatform(
  { children }: Manifest,
  platforms: WantedPlatforms,
): string | undefined {
  if (platforms === 'all' || children.length === 0) return undefined
  const { wanted } = chooseChildren(children, platforms)
  if (wanted.some(({ platform }) => platform === undefined || isRunnable(platform)))
    return undefined
  const offered = namesOf(children).join(', ') || 'none that is named'
  return `it has none of the project's platforms (${platforms.join(', ')}), only ${offered}`
}

function namesOf(children: readonly Descriptor[]): readonly string[] {
  const named = children.flatMap(({ platform }) => (platform ? [platform] : []))
  return [...new Set(named.filter(isRunnable).map(formatPlatform))]
}
