/** One HTTP request of a source, as it came: formats need the raw bytes for signatures. */
export interface Delivery {
  /** Lower-case names; of a repeated header the first value. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: Buffer
  /** The end of the address, of formats whose senders can send a secret nowhere else. Never to be logged. */
  readonly pathSecret?: string
  /** Made by the receiver; the id of events whose sender gives none. */
  readonly requestId: string
}
