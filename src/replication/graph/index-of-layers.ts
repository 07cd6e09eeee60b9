import { type Descriptor, mayBeManifest } from '../../oci/descriptor.ts'
import type { Digest } from '../../oci/digest.ts'
import type { Manifest } from '../../oci/manifest.ts'
import { formatImageName, type Reference } from '../../oci/reference.ts'
import { isMissing, ReplicationError } from '../errors.ts'
import type { GraphCopy } from './graph-copy.ts'

/**
 * Why it is no use to push an index of layers again; undefined of anything else. distribution 3 looks for a
 * manifest under each digest of an index, and finds a blob only as long as its cache remembers that. A registry that lacks
 * content may not know one or the other of them; one that looks for something else knows none, and gives each.
 */
export async function whyNoLayers(
  refusal: ReplicationError,
  { manifest, reference }: { readonly manifest: Manifest; readonly reference: Reference },
  { target, signal }: Pick<GraphCopy, 'target' | 'signal'>,
): Promise<ReplicationError | undefined> {
  const layers = manifest.children.filter((child) => !mayBeManifest(child))
  if (!isMissing(refusal) || !areExactly(refusal.unknown, layers)) return undefined
  for (const layer of layers) {
    if (!(await target.givesBlob(layer, signal))) return undefined
  }
  const image = formatImageName(target.repository, reference)
  return new ReplicationError(
    `push manifest ${image} to the local registry failed: it has each of the ${refusal.unknown.length} blobs that this index names and answers that it knows none of them. ${ADVICE}`,
    { disposition: 'permanent', content: 'unsupported', cause: refusal },
  )
}

const ADVICE =
  'It takes no index of layers; BuildKit writes its cache as an image, which registries take, with image-manifest=true.'

function areExactly(unknown: readonly Digest[], layers: readonly Descriptor[]): boolean {
  const named = new Set(layers.map(({ digest }) => digest))
  return (
    unknown.length > 0 &&
    named.size === new Set(unknown).size &&
    unknown.every((digest) => named.has(digest))
  )
}
