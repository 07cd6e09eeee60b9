import { OCI_MANIFEST } from '../../../src/oci/media-types.ts'
import type { ScriptedRegistry } from '../registry/scripted-registry.ts'

const OCI_LAYER = 'application/vnd.oci.image.layer.v1.tar'

/** An image without layers, and like no other. */
export function addEmptyImage(registry: ScriptedRegistry, repository: string, tag: string): void {
  addImageOf(registry, repository, tag, [])
}

/** An image of these layers. */
export function addImageOf(
  registry: ScriptedRegistry,
  repository: string,
  tag: string,
  layers: readonly Buffer[],
): void {
  const config = Buffer.from(JSON.stringify({ tag }))
  const digest = registry.addBlob(repository, config)
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: { mediaType: 'application/vnd.oci.empty.v1+json', digest, size: config.length },
      layers: layers.map((layer) => ({
        mediaType: OCI_LAYER,
        digest: registry.addBlob(repository, layer),
        size: layer.length,
      })),
    }),
  )
  registry.addManifest(repository, tag, manifest, OCI_MANIFEST)
}
