import { parseManifest } from '../../../src/oci/manifest.ts'
import { MANIFEST_ACCEPT } from '../../../src/oci/media-types.ts'
import type { TestRegistry } from '../registry/docker-registry.ts'

/** What the registry lacks of an image that it names, by digest or name; empty where it has it whole. */
export async function lacking(
  registry: Pick<TestRegistry, 'url'>,
  repository: string,
  reference: string,
): Promise<readonly string[]> {
  const base = `${registry.url}/v2/${repository}`
  const response = await fetch(`${base}/manifests/${reference}`, {
    headers: { accept: MANIFEST_ACCEPT },
  })
  if (!response.ok) return [reference]
  const bytes = Buffer.from(await response.arrayBuffer())
  const manifest = parseManifest(bytes, response.headers.get('content-type') ?? '')
  if (!manifest.ok) throw new Error(`${repository} ${reference}: ${manifest.reason}`)
  const lacks: string[] = []
  for (const { digest } of manifest.value.children) {
    lacks.push(...(await lacking(registry, repository, digest)))
  }
  for (const { digest } of manifest.value.blobs) {
    if (!(await fetch(`${base}/blobs/${digest}`, { method: 'HEAD' })).ok) lacks.push(digest)
  }
  return lacks
}
