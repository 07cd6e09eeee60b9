import { discard } from './transport/body.ts'
import { parseChallenge } from './auth/challenge.ts'
import type { CredentialStore } from './credentials/credential-store.ts'
import { wrongAnswer } from './errors/registry-error.ts'
import type { RegistryIdentity } from './words/identity.ts'
import type { Links } from './words/links.ts'
import type { Operation } from './words/operation.ts'
import type { Send } from './transport/request.ts'
import { idempotent } from './transport/retry.ts'

export interface CheckParts {
  readonly identity: RegistryIdentity
  readonly links: Links
  readonly credentials: CredentialStore
  /** Sends without credentials. */
  readonly sendPlain: Send
  /** Sends with whatever the registry wants to be shown. */
  readonly send: Send
}

/**
 * Resolves when the registry answers and takes the configured credentials. With tokens, one is asked
 * for without any scope: asked for a scope, Harbor answers wrong credentials with an anonymous token.
 * Without credentials a challenge is answer enough, for there is nothing to prove.
 */
export async function checkRegistry(parts: CheckParts, signal: AbortSignal): Promise<void> {
  const { identity, links } = parts
  const intent = `check ${identity.name}`
  const operation: Operation = { registry: identity, kind: 'check', intent }
  const ping = {
    operation,
    method: 'GET',
    url: links.root,
    scopes: [],
    repeatable: idempotent,
    signal,
  }
  // That there are any is told also where nothing asks for them.
  await parts.credentials.get(signal)
  const plain = await parts.sendPlain({ ...ping, expect: [200, 401] })
  discard(plain.body)
  const challenge = parseChallenge(plain.header('www-authenticate'))
  if (plain.status === 401 && challenge === undefined) throw noChallenge(operation)
  if (identity.anonymous) {
    if (challenge?.kind === 'basic') await parts.send({ ...ping, expect: [200] })
    return
  }
  const answer = await parts.send({ ...ping, expect: [200] })
  discard(answer.body)
}

function noChallenge(operation: Operation) {
  const what = `answered 401 without saying how to authenticate`
  return wrongAnswer(operation, what, { disposition: 'permanent' })
}
