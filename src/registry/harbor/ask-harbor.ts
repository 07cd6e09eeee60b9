import type { z } from 'zod'
import { parseJson } from '../../oci/json.ts'
import type { CredentialStore } from '../credentials/credential-store.ts'
import { type RegistryError, wrongAnswer } from '../errors/registry-error.ts'
import { readUpTo } from '../transport/body.ts'
import type { Send } from '../transport/request.ts'
import { idempotent, never } from '../transport/retry.ts'
import { basicAuthorization } from '../words/credentials.ts'
import type { RegistryIdentity } from '../words/identity.ts'

/** One question to Harbor's own API. */
export interface HarborQuestion {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Below `/api/v2.0/`, its parts encoded, with the query. */
  readonly path: string
  /** What is asked for, as it stands before the registry's name: `make the project team in`. */
  readonly what: string
  readonly body?: unknown
  /** The statuses that mean something to whoever asks; every other one is thrown as a RegistryError. */
  readonly expect: readonly number[]
  readonly signal: AbortSignal
}

export interface HarborAnswer {
  readonly status: number
  /** Undefined where it has none, or none of JSON. */
  readonly body: unknown
  /** What to throw when it is not what Harbor is known to answer. */
  readonly surprise: () => RegistryError
}

/** @throws RegistryError when the body is of another form */
export function bodyAs<T>(schema: z.ZodType<T>, { body, surprise }: HarborAnswer): T {
  const read = schema.safeParse(body)
  if (read.success) return read.data
  throw surprise()
}

/** Asks as the configured account, by Basic: its API takes no tokens of the registry. */
export type AskHarbor = (question: HarborQuestion) => Promise<HarborAnswer>

export interface HarborParts {
  readonly identity: RegistryIdentity
  readonly origin: string
  readonly credentials: CredentialStore
  /** Sends without credentials of its own. */
  readonly send: Send
}

const MAX_BYTES = 4 * 1024 * 1024

export function harborAsker({ identity, origin, credentials, send }: HarborParts): AskHarbor {
  return async ({ method, path, what, body, expect, signal }) => {
    const operation = {
      registry: identity,
      kind: 'check' as const,
      intent: `${what} ${identity.name}`,
    }
    const login = (await credentials.get(signal))?.credentials
    const response = await send({
      ...{ operation, method, expect, signal },
      url: new URL(`${origin}/api/v2.0/${path}`),
      headers: {
        accept: 'application/json',
        // A project whose name is a number is meant by its name.
        'x-is-resource-name': 'true',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(login?.kind === 'password' && {
          authorization: basicAuthorization(login.username, login.password),
        }),
      },
      ...(body !== undefined && { body: Buffer.from(JSON.stringify(body), 'utf8') }),
      scopes: [],
      repeatable: method === 'POST' ? never : idempotent,
    })
    const { bytes, complete } = await readUpTo(MAX_BYTES, response.body)
    if (!complete) throw wrongAnswer(operation, `its answer is larger than ${MAX_BYTES} bytes.`)
    const surprise = () =>
      wrongAnswer(operation, 'its answer is none that Harbor is known to give.', {
        disposition: 'permanent',
      })
    return { status: response.status, body: parseJson(bytes), surprise }
  }
}
