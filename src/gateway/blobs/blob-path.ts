import type { Digest } from '../../oci/digest.ts'
import type { Repository } from '../../oci/reference.ts'

export interface BlobPath {
  readonly repository: Repository
  readonly digest: Digest
}
