/** What is known of a delivery before any of its body is read. */
export interface DeliveryHead {
  /** Lower-case names; of a repeated header the first value. */
  readonly headers: Readonly<Record<string, string | undefined>>
  /** The end of the address, of formats whose senders can send a secret nowhere else. Never to be logged. */
  readonly pathSecret?: string
}

/** One HTTP request of a source. */
export interface Delivery extends DeliveryHead {
  /** Without its content encoding. */
  readonly body: Buffer
  /** Made by the receiver; the id of events whose sender gives none. */
  readonly requestId: string
}
