import { digestOf } from '../../../src/oci/digest.ts'
import { OCI_INDEX, OCI_MANIFEST } from '../../../src/oci/media-types.ts'
import { freePort } from '../network/free-port.ts'
import { type PullsyncProcess, startPullsync } from '../process/pullsync-process.ts'
import { type ScriptedRegistry, startScriptedRegistry } from './scripted-registry.ts'

/** `pullsync up` between two registries that answer as they are told. */
export interface ScriptedSite extends AsyncDisposable {
  readonly local: ScriptedRegistry
  readonly upstream: ScriptedRegistry
  readonly pullsync: PullsyncProcess
  /** The gateway's address, without a slash at the end. */
  readonly gateway: string
}

/** By which the local registry knows pullsync's own account. */
export const WORKER = basicOf('worker', 'worker-secret')

export function basicOf(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

/**
 * @param projects the YAML of that part, indented by two
 * @param attempts that a job has
 */
export async function startScriptedSite(projects: string, attempts = 1): Promise<ScriptedSite> {
  const [listen, admin] = [await freePort(), await freePort()]
  const [local, upstream] = [await startScriptedRegistry(), await startScriptedRegistry()]
  const config = `
listen: 127.0.0.1:${listen}
admin: { listen: 127.0.0.1:${admin} }
local: { url: ${local.url}, username: worker, password: worker-secret }
upstreams: { hq: { url: ${upstream.url} } }
projects:
${projects}
jobs: { attempts: ${attempts} }
`
  const readyUrl = `http://127.0.0.1:${admin}/readyz`
  const pullsync = await startPullsync({ args: ['up'], config, readyUrl })
  return {
    ...{ local, upstream, pullsync, gateway: `http://127.0.0.1:${listen}` },
    async [Symbol.asyncDispose]() {
      await pullsync[Symbol.asyncDispose]()
      await Promise.all([local[Symbol.asyncDispose](), upstream[Symbol.asyncDispose]()])
    },
  }
}

export interface SmallImage {
  readonly index: string
  readonly child: string
  readonly config: string
  readonly layer: string
  readonly layerBytes: number
}

/** An index of one image of one layer, put where no request is needed for it. */
export function addSmallImage(
  registry: ScriptedRegistry,
  repository: string,
  tag: string,
  layerBytes = 100_000,
): SmallImage {
  const layer = Buffer.alloc(layerBytes, `${repository}:${tag} `)
  const config = Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', name: tag }))
  for (const blob of [layer, config]) registry.addBlob(repository, blob)
  const described = (mediaType: string, bytes: Buffer) => ({
    ...{ mediaType, digest: digestOf(bytes), size: bytes.length },
  })
  const child = json({
    ...{ schemaVersion: 2, mediaType: OCI_MANIFEST },
    config: described('application/vnd.oci.image.config.v1+json', config),
    layers: [described('application/vnd.oci.image.layer.v1.tar', layer)],
  })
  const platform = { architecture: 'amd64', os: 'linux' }
  const index = json({
    ...{ schemaVersion: 2, mediaType: OCI_INDEX },
    manifests: [{ ...described(OCI_MANIFEST, child), platform }],
  })
  registry.addManifest(repository, digestOf(child), child, OCI_MANIFEST)
  registry.addManifest(repository, tag, index, OCI_INDEX)
  return {
    ...{ index: digestOf(index), child: digestOf(child) },
    ...{ config: digestOf(config), layer: digestOf(layer), layerBytes },
  }
}

function json(value: object): Buffer {
  return Buffer.from(JSON.stringify(value))
}
