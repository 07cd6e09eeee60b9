import type { Descriptor } from '../../../oci/descriptor.ts'
import type { Digest } from '../../../oci/digest.ts'
import { isIndexType, isManifestType } from '../../../oci/media-types.ts'
import { messageOf } from '../../../thrown.ts'
import type { GraphCopy } from '../graph-copy.ts'

type Looking = Pick<GraphCopy, 'target' | 'signal' | 'log'>

/** The manifests below this one that the local registry has: of an index, not always all platforms. */
export async function heldBelow(root: Digest, looking: Looking): Promise<readonly Digest[]> {
  const held = new Set<Digest>()
  const unread = [root]
  try {
    for (let next = unread.pop(); next !== undefined; next = unread.pop()) {
      const children = await heldIn(next, held, looking)
      for (const { digest } of children) held.add(digest)
      unread.push(...children.filter(isIndex).map(({ digest }) => digest))
    }
  } catch (error) {
    looking.signal.throwIfAborted()
    looking.log(`could not see all that ${root} names here: ${messageOf(error)}`)
  }
  return [...held]
}

function isIndex({ mediaType }: Descriptor): boolean {
  return isIndexType(mediaType)
}

async function heldIn(
  index: Digest,
  known: ReadonlySet<Digest>,
  { target, signal }: Looking,
): Promise<readonly Descriptor[]> {
  const children = (await target.getManifest(index, signal))?.children ?? []
  const held: Descriptor[] = []
  for (const child of children) {
    if (known.has(child.digest) || !isManifestType(child.mediaType)) continue
    if ((await target.heldAt(child.digest, signal)) !== undefined) held.push(child)
  }
  return held
}
