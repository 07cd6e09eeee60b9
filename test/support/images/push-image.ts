import type { BuiltImage } from './image.ts'
import { skopeo } from './skopeo.ts'

/**
 * Pushes with skopeo, as a person would, an index with all its children.
 * @param target `127.0.0.1:5000/team/app:1.0`
 * @param credentials `user:password`
 */
export async function pushImage(
  image: BuiltImage,
  target: string,
  credentials?: string,
): Promise<void> {
  const login = credentials === undefined ? [] : ['--dest-creds', credentials]
  const from = `oci:${image.folder}:image`
  const done = await skopeo([
    ...['copy', '--all', '--preserve-digests', '--dest-tls-verify=false', ...login],
    ...[from, `docker://${target}`],
  ])
  if (done.code !== 0) {
    throw new Error(`skopeo copy to ${target} ended with code ${done.code}: ${done.stderr}`)
  }
}
