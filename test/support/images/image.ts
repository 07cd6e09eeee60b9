import { randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Digest, digestOf } from '../../../src/oci/digest.ts'
import {
  DOCKER_LIST,
  DOCKER_MANIFEST,
  OCI_INDEX,
  OCI_MANIFEST,
} from '../../../src/oci/media-types.ts'
import { type Layer, packLayer, writeLayer } from './image-layer.ts'
import { tempFolder } from '../process/temp-folder.ts'

export interface ImageOptions {
  /** `linux/amd64` and `linux/arm64` unless told. */
  readonly platforms?: readonly string[]
  /** False: the first platform's manifest alone, without an index. True unless told. */
  readonly index?: boolean
  /** Per platform, each different from all others; 2 unless told. */
  readonly layers?: number
  /** What a layer holds before compression, which does not make it smaller; 20,000 unless told. */
  readonly layerBytes?: number
  /** The same seed and options give the same image; unless told, an image like no other. */
  readonly seed?: string
  /** Layers below the own ones that all images with this seed have in common. */
  readonly base?: { readonly seed: string; readonly layers: number }
  /** Each folder's content is one more layer below the own ones, of all platforms. */
  readonly folders?: readonly string[]
  /** Media types; `oci` unless told. skopeo cannot push `docker` ones from a layout, `pushOverHttp` can. */
  readonly format?: 'oci' | 'docker'
}

export interface BuiltManifest {
  readonly mediaType: string
  readonly digest: Digest
  readonly bytes: Buffer
  /** Of the children of an index. */
  readonly platform?: string
}

export interface BuiltBlob {
  readonly mediaType: string
  readonly digest: Digest
  /** In bytes, as it is transferred. */
  readonly size: number
  readonly file: string
}

/** An image in an OCI layout folder, removed when disposed of. */
export interface BuiltImage extends AsyncDisposable {
  /** The layout; its only entry is tagged `image`. */
  readonly folder: string
  /** What a tag of this image names: the index, or the only manifest. */
  readonly top: BuiltManifest
  /** Every manifest, children before the index. */
  readonly manifests: readonly BuiltManifest[]
  /** Every config and layer, each once. */
  readonly blobs: readonly BuiltBlob[]
  /** The sum of the blobs' sizes. */
  readonly bytes: number
}

/** Builds a real image: gzipped tar layers, configs that name them, manifests and an index. */
export async function buildImage(options: ImageOptions = {}): Promise<BuiltImage> {
  const folder = await tempFolder('image')
  try {
    const seed = options.seed ?? randomUUID()
    await mkdir(join(folder.path, 'blobs', 'sha256'), { recursive: true })
    const blobs = new Map<Digest, BuiltBlob>()
    const children: BuiltManifest[] = []
    const base = await writeBase(folder.path, options)
    for (const platform of wantedPlatforms(options)) {
      const own = await writeLayers(
        folder.path,
        `${seed} ${platform}`,
        options.layers ?? 2,
        options,
      )
      const child = await writeManifest(folder.path, platform, [...base, ...own], options)
      child.blobs.forEach((blob) => blobs.set(blob.digest, blob))
      children.push(child.manifest)
    }
    const [first] = children
    if (first === undefined) throw new Error('an image needs at least one platform')
    const index = options.index === false ? [] : [writeIndex(children, options)]
    const top = index[0] ?? first
    const manifests = [...children, ...index]
    await writeLayout(folder.path, manifests, top)
    return {
      folder: folder.path,
      top,
      manifests,
      blobs: [...blobs.values()],
      bytes: [...blobs.values()].reduce((sum, blob) => sum + blob.size, 0),
      [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
    }
  } catch (error) {
    await folder[Symbol.asyncDispose]()
    throw error
  }
}

function wantedPlatforms(options: ImageOptions): readonly string[] {
  const platforms = options.platforms ?? ['linux/amd64', 'linux/arm64']
  return options.index === false ? platforms.slice(0, 1) : platforms
}

async function writeBase(folder: string, options: ImageOptions): Promise<readonly Layer[]> {
  const { base, folders = [] } = options
  const layers =
    base === undefined
      ? []
      : [...(await writeLayers(folder, `base ${base.seed}`, base.layers, options))]
  for (const packed of folders) layers.push(await packLayer(folder, packed))
  return layers
}

async function writeLayers(
  folder: string,
  seed: string,
  count: number,
  options: ImageOptions,
): Promise<readonly Layer[]> {
  const layers: Layer[] = []
  for (let number = 0; number < count; number += 1) {
    const name = `${seed} layer ${number}`
    layers.push(await writeLayer(folder, name, options.layerBytes ?? 20_000))
  }
  return layers
}

async function writeManifest(
  folder: string,
  platform: string,
  layers: readonly Layer[],
  options: ImageOptions,
): Promise<{ readonly manifest: BuiltManifest; readonly blobs: readonly BuiltBlob[] }> {
  const types = mediaTypes(options)
  const config = await writeConfig(folder, platform, layers, types.config)
  const layerBlobs = layers.map((layer) => ({ ...layer, mediaType: types.layer }))
  const manifest = builtManifest(types.manifest, {
    config: descriptor(config),
    layers: layerBlobs.map(descriptor),
  })
  return { manifest: { ...manifest, platform }, blobs: [config, ...layerBlobs] }
}

async function writeConfig(
  folder: string,
  platform: string,
  layers: readonly Layer[],
  mediaType: string,
): Promise<BuiltBlob> {
  const [os, architecture, variant] = platform.split('/')
  const bytes = json({
    architecture,
    ...(variant === undefined ? {} : { variant }),
    os,
    created: '2026-01-01T00:00:00Z',
    config: { Cmd: ['/hello'] },
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
    history: layers.map(() => ({ created: '2026-01-01T00:00:00Z', created_by: 'test image' })),
  })
  const digest = digestOf(bytes)
  const file = blobFile(folder, digest)
  await writeFile(file, bytes)
  return { mediaType, digest, size: bytes.length, file }
}

function writeIndex(children: readonly BuiltManifest[], options: ImageOptions): BuiltManifest {
  return builtManifest(mediaTypes(options).index, {
    manifests: children.map(({ mediaType, digest, bytes, platform = '' }) => {
      const [os, architecture, variant] = platform.split('/')
      return {
        ...{ mediaType, digest, size: bytes.length },
        platform: { os, architecture, ...(variant === undefined ? {} : { variant }) },
      }
    }),
  })
}

/** OCI image-spec, image-layout.md. */
async function writeLayout(
  folder: string,
  manifests: readonly BuiltManifest[],
  top: BuiltManifest,
): Promise<void> {
  for (const { digest, bytes } of manifests) await writeFile(blobFile(folder, digest), bytes)
  await writeFile(join(folder, 'oci-layout'), json({ imageLayoutVersion: '1.0.0' }))
  const entry = {
    ...{ mediaType: top.mediaType, digest: top.digest, size: top.bytes.length },
    annotations: { 'org.opencontainers.image.ref.name': 'image' },
  }
  await writeFile(join(folder, 'index.json'), json({ schemaVersion: 2, manifests: [entry] }))
}

function mediaTypes(options: ImageOptions) {
  if (options.format === 'docker') {
    return {
      index: DOCKER_LIST,
      manifest: DOCKER_MANIFEST,
      config: 'application/vnd.docker.container.image.v1+json',
      layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
    }
  }
  return {
    index: OCI_INDEX,
    manifest: OCI_MANIFEST,
    config: 'application/vnd.oci.image.config.v1+json',
    layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  }
}

// Indented, as some builders write them: a copy that parses and prints it again changes the digest.
function builtManifest(mediaType: string, body: object): BuiltManifest {
  const bytes = Buffer.from(
    `${JSON.stringify({ schemaVersion: 2, mediaType, ...body }, null, 3)}\n`,
  )
  return { mediaType, digest: digestOf(bytes), bytes }
}

function descriptor({ mediaType, digest, size }: BuiltBlob): object {
  return { mediaType, digest, size }
}

function json(value: object): Buffer {
  return Buffer.from(JSON.stringify(value))
}

function blobFile(folder: string, digest: Digest): string {
  return join(folder, 'blobs', ...digest.split(':'))
}
