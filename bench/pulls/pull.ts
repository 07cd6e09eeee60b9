import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Agent, type IncomingMessage, request } from 'node:http'
import { Agent as AgentOverTls, request as requestOverTls } from 'node:https'
import { buffer } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import { OCI_INDEX, OCI_MANIFEST } from '../../src/oci/media-types.ts'

/** What a client saw of one pull, in milliseconds from its first request. */
export interface Pull {
  readonly ms: number
  readonly manifestMs: number
  readonly firstBlobByteMs: number
  readonly bytes: number
}

export interface PullOptions {
  /** It does unless told: without, its own work hides less of what the way costs. */
  readonly hashes?: boolean
  /** Of who vouches for the registry, where that is https. */
  readonly caFile?: string | undefined
}

/** As Docker and containerd have it unless told. */
const BLOBS_AT_ONCE = 3
const TRY_AGAIN_AFTER_MS = 20

/**
 * Pulls an image as a container engine does, but keeps nothing: what is measured is the way. Asks
 * for the manifest again until it is there, as a node does whose pull failed. Wrong bytes throw.
 */
export async function pullImage(
  url: string,
  repository: string,
  tag: string,
  { hashes = true, caFile }: PullOptions = {},
): Promise<Pull> {
  const agent = agentFor(caFile)
  const startedAt = performance.now()
  const since = () => performance.now() - startedAt
  let [firstBlobByteMs, bytes] = [Infinity, 0]
  const pullBlob = async (digest: string): Promise<void> => {
    const answer = await get(agent, `${url}/v2/${repository}/blobs/${digest}`)
    if (answer.statusCode !== 200) {
      throw new Error(`blob ${digest}: ${answer.statusCode} ${(await buffer(answer)).toString()}`)
    }
    const hash = hashes ? createHash('sha256') : undefined
    for await (const piece of answer as AsyncIterable<Buffer>) {
      firstBlobByteMs = Math.min(firstBlobByteMs, since())
      bytes += piece.length
      hash?.update(piece)
    }
    const isRight = hash === undefined || `sha256:${hash.digest('hex')}` === digest
    if (!isRight) throw new Error(`blob ${digest} is wrong`)
  }
  try {
    const waiting = await manifestBlobs(agent, `${url}/v2/${repository}/manifests/${tag}`)
    const manifestMs = since()
    const work = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        await pullBlob(next)
      }
    }
    await Promise.all(Array.from({ length: BLOBS_AT_ONCE }, work))
    return { ms: since(), manifestMs, firstBlobByteMs, bytes }
  } finally {
    agent.destroy()
  }
}

async function manifestBlobs(agent: Agent, url: string): Promise<string[]> {
  for (;;) {
    const answer = await get(agent, url)
    const body = (await buffer(answer)).toString()
    if (answer.statusCode === 200) {
      const digests = body.match(/sha256:[0-9a-f]{64}/g) ?? []
      if (answer.headers['content-type'] !== OCI_INDEX) return digests
      // One platform of them all, as engines do; not the one that comes first.
      return await manifestBlobs(agent, url.replace(/[^/]+$/, digests.at(-1) ?? ''))
    }
    if (answer.statusCode !== 404) throw new Error(`manifest: ${answer.statusCode} ${body}`)
    await pause(TRY_AGAIN_AFTER_MS)
  }
}

function agentFor(caFile: string | undefined): Agent {
  if (caFile === undefined) return new Agent({ keepAlive: true })
  return new AgentOverTls({ keepAlive: true, ca: readFileSync(caFile) })
}

async function get(agent: Agent, url: string): Promise<IncomingMessage> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const asking = (agent instanceof AgentOverTls ? requestOverTls : request)(
      url,
      { agent, headers: { accept: `${OCI_INDEX}, ${OCI_MANIFEST}` } },
      resolve,
    )
    asking.once('error', reject)
    asking.end()
  })
  if (answer.statusCode !== 307) return answer
  answer.resume()
  return await get(agent, answer.headers.location ?? '')
}
