import { OCI_MANIFEST } from '../../src/oci/media-types.ts'
import type { ScriptedRegistry } from './scripted-registry.ts'

/** An image without layers, and like no other. */
export function addEmptyImage(registry: ScriptedRegistry, repository: string, tag: string): void {
  const config = Buffer.from(JSON.stringify({ tag }))
  const digest = registry.addBlob(repository, config)
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: { mediaType: 'application/vnd.oci.empty.v1+json', digest, size: config.length },
      layers: [],
    }),
  )
  registry.addManifest(repository, tag, manifest, OCI_MANIFEST)
}
