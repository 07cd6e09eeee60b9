import { digestOf } from '../../../src/oci/digest.ts'

interface StoredManifest {
  readonly bytes: Buffer
  readonly mediaType: string
}

/** What a registry in memory holds. */
export class Store {
  /** With what has come of each. */
  readonly uploads = new Map<string, Buffer>()
  readonly #blobs = new Map<string, Buffer>()
  readonly #manifests = new Map<string, StoredManifest>()

  addBlob(repository: string, bytes: Buffer, digest: string = digestOf(bytes)): string {
    this.#blobs.set(`${repository}@${digest}`, bytes)
    return digest
  }

  blob(repository: string, digest: string): Buffer | undefined {
    return this.#blobs.get(`${repository}@${digest}`)
  }

  addManifest(repository: string, reference: string, manifest: StoredManifest): string {
    const digest = digestOf(manifest.bytes, algorithmIn(reference))
    this.#manifests.set(`${repository}@${reference}`, manifest)
    this.#manifests.set(`${repository}@${digest}`, manifest)
    return digest
  }

  manifest(repository: string, reference: string): StoredManifest | undefined {
    return this.#manifests.get(`${repository}@${reference}`)
  }

  /** What a manifest names and this repository lacks. */
  lacks(repository: string, bytes: Buffer): string | undefined {
    const { config, layers: all = [], manifests = [] } = parse(bytes)
    // What is not to be distributed is not asked for.
    const layers = all.filter(({ urls }) => urls === undefined)
    const blobs = config === undefined ? layers : [config, ...layers]
    return (
      blobs.find(({ digest }) => this.blob(repository, digest) === undefined)?.digest ??
      manifests.find(({ digest }) => this.manifest(repository, digest) === undefined)?.digest
    )
  }
}

interface Named {
  readonly digest: string
  readonly urls?: readonly string[]
}

function parse(bytes: Buffer): {
  readonly config?: Named
  readonly layers?: readonly Named[]
  readonly manifests?: readonly Named[]
} {
  return JSON.parse(bytes.toString('utf8')) as ReturnType<typeof parse>
}

export function algorithmIn(reference: string): 'sha256' | 'sha512' {
  return reference.startsWith('sha512:') ? 'sha512' : 'sha256'
}
