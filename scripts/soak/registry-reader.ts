import { digestOf } from '../../src/oci/digest.ts'
import { DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST } from '../../src/oci/media-types.ts'

const ACCEPT = [OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST].join(', ')

export interface ReadManifest {
  /** Of the bytes that came. */
  readonly digest: string
  readonly bytes: Buffer
}

export interface References {
  readonly manifests: readonly string[]
  readonly blobs: readonly { readonly digest: string; readonly size: number }[]
}

/** Undefined where it is not there, or not to be had now. */
export async function fetchManifest(
  url: string,
  repository: string,
  reference: string,
): Promise<ReadManifest | undefined> {
  return (await askManifest(url, repository, reference)).manifest
}

/** With the status: 0 where nobody answered. */
export async function askManifest(
  url: string,
  repository: string,
  reference: string,
): Promise<{ readonly status: number; readonly manifest?: ReadManifest }> {
  try {
    const response = await fetch(`${url}/v2/${repository}/manifests/${reference}`, {
      headers: { accept: ACCEPT },
      signal: AbortSignal.timeout(60_000),
    })
    const bytes = Buffer.from(await response.arrayBuffer())
    if (response.status !== 200) return { status: response.status }
    return { status: 200, manifest: { digest: digestOf(bytes), bytes } }
  } catch {
    return { status: 0 }
  }
}

interface Json {
  readonly config?: Json
  readonly layers?: readonly Json[]
  readonly manifests?: readonly Json[]
  readonly digest?: string
  readonly size?: number
}

/** What a manifest or an index names. */
export function referencesOf(bytes: Buffer): References {
  const json = JSON.parse(bytes.toString('utf8')) as Json
  const { config, layers = [], manifests = [] } = json
  const named = [...(config === undefined ? [] : [config]), ...layers]
  return {
    manifests: manifests.map(({ digest = '' }) => digest),
    blobs: named.map(({ digest = '', size = 0 }) => ({ digest, size })),
  }
}
