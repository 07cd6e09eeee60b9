import type { ServerResponse } from 'node:http'
import type { Digest } from '../../oci/digest.ts'
import type { ByteRange } from './byte-range.ts'

/** As the registry would. OCI distribution-spec, "Pulling blobs"; RFC 9110, section 14. */
export function sendBlobHead(
  response: ServerResponse,
  digest: Digest,
  { start, length, size, partial }: ByteRange,
): void {
  response.writeHead(partial ? 206 : 200, {
    'Content-Type': 'application/octet-stream',
    'Docker-Content-Digest': digest,
    'Docker-Distribution-Api-Version': 'registry/2.0',
    'Content-Length': length,
    Etag: `"${digest}"`,
    ...(partial && { 'Content-Range': `bytes ${start}-${start + length - 1}/${size}` }),
  })
  // What is on its way can take a while; the client is to know at once that it comes.
  response.flushHeaders()
}
