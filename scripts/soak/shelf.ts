import { digestOf } from '../../src/oci/digest.ts'
import { type BuiltImage, type BuiltManifest, buildImage } from '../../test/support/images/image.ts'
import {
  pushOverHttp,
  putManifest,
  type PushTarget,
} from '../../test/support/images/push-over-http.ts'
import type { Started } from '../../test/support/process/started.ts'

const MIB = 1024 * 1024

/** Images of different shapes, from which every version of every tag is made. */
export class Shelf {
  readonly #images: readonly BuiltImage[]
  readonly #there = new Set<string>()

  private constructor(images: readonly BuiltImage[]) {
    this.#images = images
  }

  static async build(seed: number, started: Started): Promise<Shelf> {
    const base = { seed: `soak ${seed}`, layers: 2 }
    const shapes = [
      { index: false, layers: 1, layerBytes: 20_000 },
      { base, layers: 2, layerBytes: 300_000 },
      { base, layers: 3, layerBytes: 2 * MIB, platforms: ['linux/amd64', 'linux/arm64'] },
      { index: false, base, layers: 1, layerBytes: 24 * MIB },
      { index: false, layers: 12, layerBytes: 60_000 },
      { index: false, layers: 1, layerBytes: 40 * MIB },
    ]
    const images = []
    for (const [number, shape] of shapes.entries()) {
      images.push(await started.add(buildImage({ seed: `soak ${seed} ${number}`, ...shape })))
    }
    return new Shelf(images)
  }

  get shapes(): number {
    return this.#images.length
  }

  /** Pushes that shape as a version of its own, and gives what the tag names then. */
  async push(shape: number, version: string, target: PushTarget): Promise<BuiltManifest> {
    const image = this.#images[shape % this.#images.length]
    if (image === undefined) throw new Error('the shelf is empty')
    const key = `${target.url} ${target.repository} ${shape}`
    if (!this.#there.has(key)) {
      await pushOverHttp(image, { ...target, tag: `shape-${shape}` })
      this.#there.add(key)
    }
    const manifest = annotated(image.top, version)
    await putManifest(manifest, target.tag, target)
    return manifest
  }
}

function annotated({ mediaType, bytes }: BuiltManifest, version: string): BuiltManifest {
  const json = JSON.parse(bytes.toString('utf8')) as object
  const changed = Buffer.from(JSON.stringify({ ...json, annotations: { version } }))
  return { mediaType, bytes: changed, digest: digestOf(changed) }
}
