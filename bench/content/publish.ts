import { type Digest, digestOf } from '../../src/oci/digest.ts'
import { OCI_INDEX, OCI_MANIFEST } from '../../src/oci/media-types.ts'
import { expectCreated, type NoiseLayer, pushNoiseLayer } from './noise-layer.ts'

/** Layers are told apart by their seeds: the same seed and size give the same layer. */
export interface LayerPlan {
  readonly seed: string
  readonly bytes: number
}

export interface PublishedImage {
  readonly repository: string
  readonly tag: string
  readonly digest: Digest
  /** The manifest's size. */
  readonly manifestBytes: number
  /** Of config and layers. */
  readonly blobs: readonly Digest[]
  /** The sum of the blobs' sizes. */
  readonly bytes: number
}

/** Puts images into one registry; a layer that a repository already has is not pushed again. */
export class Publisher {
  readonly #url: string
  readonly #pushed = new Map<string, Promise<NoiseLayer>>()

  constructor(url: string) {
    this.#url = url
  }

  async publish(
    repository: string,
    tag: string,
    plans: readonly LayerPlan[],
  ): Promise<PublishedImage> {
    const url = `${this.#url}/v2/${repository}`
    const layers: NoiseLayer[] = []
    for (const plan of plans) layers.push(await this.#layer(url, plan))
    const config = Buffer.from(
      JSON.stringify({
        ...{ architecture: 'amd64', os: 'linux', created: '2026-01-01T00:00:00Z' },
        config: { Labels: { image: `${repository}:${tag}` } },
        rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
      }),
    )
    const configDigest = await pushBytes(url, config)
    const manifest = manifestOf({ digest: configDigest, size: config.length }, layers)
    await expectCreated(
      await fetch(`${url}/manifests/${tag}`, {
        method: 'PUT',
        headers: { 'content-type': OCI_MANIFEST },
        body: manifest,
      }),
    )
    return {
      repository,
      tag,
      digest: digestOf(Buffer.from(manifest)),
      manifestBytes: Buffer.byteLength(manifest),
      blobs: [configDigest, ...layers.map(({ digest }) => digest)],
      bytes: layers.reduce((sum, { size }) => sum + size, config.length),
    }
  }

  /** An image for each of so many platforms under one tag, which share nothing. */
  async publishIndex(
    repository: string,
    tag: string,
    images: readonly (readonly LayerPlan[])[],
  ): Promise<readonly PublishedImage[]> {
    const published: PublishedImage[] = []
    for (const [at, plans] of images.entries()) {
      published.push(await this.publish(repository, `${tag}-${at}`, plans))
    }
    const index = {
      ...{ schemaVersion: 2, mediaType: OCI_INDEX },
      manifests: published.map(({ digest, manifestBytes }, at) => ({
        ...{ mediaType: OCI_MANIFEST, digest, size: manifestBytes },
        platform: { os: 'linux', architecture: `bench${at}` },
      })),
    }
    await expectCreated(
      await fetch(`${this.#url}/v2/${repository}/manifests/${tag}`, {
        method: 'PUT',
        headers: { 'content-type': OCI_INDEX },
        body: JSON.stringify(index),
      }),
    )
    return published
  }

  #layer(url: string, { seed, bytes }: LayerPlan): Promise<NoiseLayer> {
    const key = `${url} ${seed} ${bytes}`
    const known = this.#pushed.get(key)
    if (known !== undefined) return known
    const pushing = pushNoiseLayer(url, seed, bytes)
    this.#pushed.set(key, pushing)
    return pushing
  }
}

export function layersOf(seed: string, count: number, bytes: number): readonly LayerPlan[] {
  return Array.from({ length: count }, (_, number) => ({ seed: `${seed} ${number}`, bytes }))
}

async function pushBytes(url: string, bytes: Buffer): Promise<Digest> {
  const started = await fetch(`${url}/blobs/uploads/`, { method: 'POST' })
  const commit = new URL(started.headers.get('location') ?? '', url)
  const digest = digestOf(bytes)
  commit.searchParams.set('digest', digest)
  await expectCreated(await fetch(commit, { method: 'PUT', body: new Uint8Array(bytes) }))
  return digest
}

function manifestOf(config: NoiseLayer, layers: readonly NoiseLayer[]): string {
  const type = 'application/vnd.oci.image'
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: { mediaType: `${type}.config.v1+json`, ...config },
    layers: layers.map((layer) => ({ mediaType: `${type}.layer.v1.tar+gzip`, ...layer })),
  })
}
