import type { JWTVerifyGetKey } from 'jose'
import type { Parsed } from '../oci/parsed.ts'
import type { Delivery, DeliveryHead } from './delivery.ts'
import type { Proof } from './proof/proof.ts'
import type { RegistryEvent } from './registry-event.ts'

/** How one kind of sender speaks: proof of origin and shape of its deliveries. */
export type Format = SecretFormat | TokenFormat

interface Spoken {
  /**
   * What a body that does not parse gets: `refuse` is 422; `accept` is 202, for senders that
   * repeat a refused delivery for ever, or switch the hook off because of it.
   */
  readonly onMalformed: 'refuse' | 'accept'
  parse(delivery: Delivery): Parsed<ParsedDelivery>
}

/** Of senders that know the source's secret. */
export interface SecretFormat extends Spoken {
  /** For senders that can be told nothing but an address: it may end with the secret. */
  readonly secretInPath?: true
  /** Its senders may ask by OPTIONS whether they are welcome, as CloudEvents webhooks do. */
  readonly asksFirst?: true
  /** Its senders sign the body, or may: the secret itself need not fit into a header. */
  readonly signs?: true
  /** Constant time in the secrets; any one of them will do. */
  prove(head: DeliveryHead, secrets: readonly string[]): Proof
}

/** Of senders that bring a token which somebody well-known signed for this very receiver. */
export interface TokenFormat extends Spoken {
  /** Rejects when the keys cannot be had now: then nothing is known about the token. */
  verify(head: DeliveryHead, expected: TokenProof): Promise<boolean>
}

export interface TokenProof {
  /** For whom the token has to be. */
  readonly audience: string
  /** Whose it has to be. */
  readonly email: string
  /** The key that the token names, of those that its issuer publishes. */
  readonly keys: JWTVerifyGetKey
}

export interface ParsedDelivery {
  readonly events: readonly RegistryEvent[]
  /** Entries that are no news for a replicator, each with its reason. */
  readonly dropped: readonly Dropped[]
  /** What the sender waits for before it sends anything else; sent with status 200 once all is queued. */
  readonly answer?: Readonly<Record<string, string>>
}

export interface Dropped {
  readonly reason: DropReason
  readonly detail: string
}

/** A small closed set: used as a metrics label. */
export type DropReason =
  | 'blob'
  | 'unknown-action'
  | 'invalid-name'
  | 'incomplete'
  /** The sender tries whether it reaches us. */
  | 'ping'
  /** A package or chart that is no OCI image or artifact. */
  | 'other-artifact'
  /** Something was tried at the sender and did not happen. */
  | 'failed-there'
