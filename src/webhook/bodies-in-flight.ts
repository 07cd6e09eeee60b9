/** What all bodies that are being read on one listener may be together. */
export interface BodyLimits {
  readonly count: number
  readonly bytes: number
}

/**
 * Bodies that are being read or looked at. When they are too many or too large, the oldest of those that
 * nobody has proven has to go: a genuine one is there within moments, one that is sent to be in the way is not.
 */
export class BodiesInFlight {
  readonly #limits: BodyLimits
  // In the order they began.
  readonly #bodies = new Set<BodyInFlight>()
  #bytes = 0

  constructor(limits: BodyLimits) {
    this.#limits = limits
  }

  /** One more; undefined when all places are taken by bodies whose senders are proven. */
  begin(): BodyInFlight | undefined {
    if (this.#bodies.size >= this.#limits.count && !this.#endOldest()) return undefined
    const body: BodyInFlight = new BodyInFlight({
      take: (bytes) => this.#take(bytes, body),
      end: (bytes) => {
        if (this.#bodies.delete(body)) this.#bytes -= bytes
      },
    })
    this.#bodies.add(body)
    return body
  }

  #take(bytes: number, taker: BodyInFlight): boolean {
    while (this.#bytes + bytes > this.#limits.bytes && this.#bodies.has(taker)) {
      if (!this.#endOldest()) return false
    }
    if (!this.#bodies.has(taker)) return false
    this.#bytes += bytes
    return true
  }

  #endOldest(): boolean {
    for (const body of this.#bodies) {
      if (body.isProven) continue
      body.end()
      return true
    }
    return false
  }
}

interface Account {
  take(bytes: number): boolean
  end(bytes: number): void
}

/** One body's part of what is in flight; given back when it is disposed of. */
export class BodyInFlight implements Disposable {
  /** A proven sender's body is never ended for others. */
  isProven = false
  readonly #account: Account
  #bytes = 0
  #hasEnded = false
  #onEnd: () => void = () => undefined

  constructor(account: Account) {
    this.#account = account
  }

  /** Whether so many bytes more may be held. */
  take(bytes: number): boolean {
    if (!this.#account.take(bytes)) return false
    this.#bytes += bytes
    return true
  }

  /** Called when it has to go for others, at once if it has gone already. */
  set onEnd(listener: () => void) {
    this.#onEnd = listener
    if (this.#hasEnded) listener()
  }

  end(): void {
    this[Symbol.dispose]()
    this.#hasEnded = true
    this.#onEnd()
  }

  [Symbol.dispose](): void {
    this.#account.end(this.#bytes)
    this.#bytes = 0
  }
}
