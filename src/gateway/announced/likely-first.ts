import type { Descriptor } from '../../oci/descriptor.ts'
import {
  chooseChildren,
  formatPlatform,
  isRunnable,
  type WantedPlatforms,
} from '../../oci/platforms.ts'

/** An index of more platforms is no image for everybody. */
const MAX_CHILDREN = 12
/** What most machines are. */
const USUAL = ['linux/amd64', 'linux/arm64', 'linux/arm64/v8']

/**
 * The children of an index in which a client's blob is looked for, the likeliest first: images of the platforms that the project
 * wants, of the usual ones before others. Nobody runs attestations.
 */
export function likelyFirst(
  children: readonly Descriptor[],
  platforms: WantedPlatforms,
): readonly Descriptor[] {
  const { wanted, leftOut } = chooseChildren(children, platforms)
  return [...images(wanted), ...images(leftOut)].slice(0, MAX_CHILDREN)
}

function images(children: readonly Descriptor[]): readonly Descriptor[] {
  const runnable = children.filter(({ platform }) => platform === undefined || isRunnable(platform))
  return runnable.toSorted((one, other) => rank(one) - rank(other))
}

function rank({ platform }: Descriptor): number {
  const at = platform === undefined ? -1 : USUAL.indexOf(formatPlatform(platform))
  return at === -1 ? USUAL.length : at
}
