import { type ChildProcess, spawn } from 'node:child_process'
import { fieldsOf, parseJson } from '../../oci/json.ts'
import { onAbort } from '../../waiting/aborting.ts'
import { oneLine } from '../errors/error-body.ts'
import type { RegistryError } from '../errors/registry-error.ts'
import type { RegistryIdentity } from '../words/identity.ts'
import { credentialFailure } from './credential-failure.ts'
import { type Credentials, loginOf } from '../words/credentials.ts'

export interface HelperRequest {
  readonly registry: RegistryIdentity
  readonly helper: string
  /** The registry as helpers know it. */
  readonly server: string
  readonly signal: AbortSignal
  /** 10,000 unless told. */
  readonly timeoutMs?: number
}

const MAX_OUTPUT_BYTES = 64 * 1024
const TIMEOUT_MS = 10_000

/**
 * Asks `docker-credential-<helper> get`, a program of the docker ecosystem. Undefined when it has no
 * credentials for the server. Throws a RegistryError without anything that it said but its complaint.
 */
export async function askHelper(request: HelperRequest): Promise<Credentials | undefined> {
  const { registry, helper } = request
  // It becomes the name of a program.
  if (!/^[a-z0-9-]+$/.test(helper)) {
    const what = `the helper ${JSON.stringify(oneLine(helper))} in ${registry.keys}.dockerConfig is not a name of lower-case letters, digits and "-".`
    throw credentialFailure(registry, what, 'permanent')
  }
  const { code, output } = await runHelper(request)
  if (code === 0) return parseAnswer(request, output)
  const complaint = output.trimStart().startsWith('{') ? '' : oneLine(output)
  if (/credentials not found/i.test(complaint)) return undefined
  const detail = complaint === '' ? '' : ` (${complaint})`
  throw failure(request, `failed with exit code ${code}${detail}`, 'transient')
}

interface Ended {
  readonly code: number
  readonly output: string
}

function runHelper(request: HelperRequest): Promise<Ended> {
  const { helper, server, signal, timeoutMs = TIMEOUT_MS } = request
  return new Promise<Ended>((resolve, reject) => {
    const stdio = ['pipe', 'pipe', 'ignore'] as const
    // A process group of its own, so that what it has started ends with it.
    const child = spawn(`docker-credential-${helper}`, ['get'], {
      stdio: [...stdio],
      detached: true,
    })
    const chunks: Buffer[] = []
    let length = 0
    const end = (error: Error | undefined, code = 1) => {
      clearTimeout(timer)
      stopListening()
      killGroup(child)
      child.stdout.destroy()
      if (error !== undefined) reject(error)
      else resolve({ code, output: Buffer.concat(chunks).toString('utf8') })
    }
    const timer = setTimeout(() => {
      end(failure(request, `gave no answer within ${timeoutMs / 1000} s`, 'transient'))
    }, timeoutMs)
    const stopListening = onAbort(signal, () => {
      end(failure(request, 'was not waited for any longer', 'transient'))
    })
    child.stdout.on('data', (chunk: Buffer) => {
      length += chunk.length
      chunks.push(chunk)
      if (length <= MAX_OUTPUT_BYTES) return
      end(failure(request, `answered more than ${MAX_OUTPUT_BYTES} bytes`, 'permanent'))
    })
    child.once('error', (error) => {
      end(notStarted(request, error))
    })
    child.once('close', (code) => {
      end(undefined, code ?? 1)
    })
    // It may end without reading what it is asked.
    child.stdin.on('error', () => undefined)
    child.stdin.end(server)
  })
}

function killGroup({ pid, exitCode, signalCode }: ChildProcess): void {
  if (pid === undefined || exitCode !== null || signalCode !== null) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended in the meantime.
  }
}

function notStarted(request: HelperRequest, error: Error): RegistryError {
  const missing = 'code' in error && error.code === 'ENOENT'
  return missing
    ? failure(request, 'is not in the PATH here: install it, or use other credentials', 'permanent')
    : failure(request, `could not be started (${oneLine(error.message)})`, 'transient')
}

function parseAnswer(request: HelperRequest, output: string): Credentials {
  const { Username: username, Secret: secret } = fieldsOf(parseJson(output))
  if (typeof username !== 'string' || typeof secret !== 'string' || secret === '') {
    throw failure(request, 'answered without a Username and a Secret', 'transient')
  }
  return loginOf(username, secret)
}

function failure(
  { registry, helper, server }: HelperRequest,
  what: string,
  disposition: 'transient' | 'permanent',
): RegistryError {
  const program = `docker-credential-${helper}, which ${registry.keys}.dockerConfig names,`
  return credentialFailure(registry, `${program} ${what}; it was asked for ${server}.`, disposition)
}
