import type { SourceConfig } from '../config/config.ts'
import type { DeliveryHead } from '../events/delivery.ts'
import type { Format } from '../events/format.ts'
import { FORMATS } from '../events/formats.ts'
import type { Proof } from '../events/proof/proof.ts'
import type { Said, WebhookReporter } from '../telemetry/reports/report-webhook.ts'
import { comeAgain, refusal, type Reply } from './reply.ts'
import { type SigningKeys, SigningKeysUnavailableError } from './signing-keys.ts'

export interface ProofDeps {
  readonly keys: SigningKeys
  readonly report: WebhookReporter
}

/** What the head proves: nothing more to ask (true), what the body has to prove, or the refusal. */
export async function proveHead(
  head: DeliveryHead,
  source: SourceConfig,
  { said, keys, report }: ProofDeps & { readonly said: Said },
): Promise<Exclude<Proof, false> | Reply> {
  try {
    const proof = proofOf(head, source, keys)
    return (typeof proof === 'object' ? await proof : proof) || notProven(said, report)
  } catch (error) {
    if (!(error instanceof SigningKeysUnavailableError)) throw error
    report.keysUnavailable(said, error)
    return comeAgain('the keys that prove the delivery cannot be had now')
  }
}

/** Counts and logs it, too. */
export function notProven(said: Said, report: WebhookReporter): Reply {
  report.proofRefused(said)
  return refusal(401, `the delivery does not prove to come from source "${said.source}"`)
}

function proofOf(
  head: DeliveryHead,
  { format: name, secrets, token }: SourceConfig,
  keys: SigningKeys,
): Proof | Promise<boolean> {
  const format: Format = FORMATS[name]
  if ('prove' in format) return format.prove(head, secrets)
  if (token === undefined) return false
  return format.verify(head, { ...token, keys: keys.publishedAt(token.keysUrl) })
}
