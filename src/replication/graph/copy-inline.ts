import { Readable } from 'node:stream'
import type { Descriptor } from '../../oci/descriptor.ts'
import type { BlobCopy } from './copy-blob.ts'

/**
 * Pushes a blob whose bytes stand in the manifest itself (OCI image-spec, descriptor.md, "data"):
 * upstream is not asked for it, and need not even have it.
 */
export async function copyInline(
  { target, tally, signal }: Pick<BlobCopy, 'target' | 'tally' | 'signal'>,
  blob: Descriptor,
  data: Buffer,
): Promise<void> {
  tally.found(blob.size)
  if (await target.hasBlob(blob.digest, signal)) {
    tally.blob('skipped', blob.size)
    return
  }
  await target.putBlob(blob, Readable.from([data], { objectMode: false }), signal)
  tally.kept(blob.size)
  tally.blob('copied', blob.size)
}
