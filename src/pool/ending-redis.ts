import { Redis, type RedisOptions } from 'ioredis'

/** Replies in the shape that BullMQ expects are the default; the option's type depends on its value. */
export type EndingRedisOptions = Omit<RedisOptions, 'replyMapping'>

/**
 * A connection that ends when it is told to. ioredis 6.0.0 says nothing at all when it is told while
 * it waits to connect again: no `end`, and what it was asked meanwhile stays open. BullMQ waits for
 * both before it lets a worker stop.
 */
export class EndingRedis extends Redis {
  readonly #duplicates: EndingRedis[] = []
  #isEnding = false

  /** It was told to end: what fails from now on, such as a connection that was just being made, is nobody's trouble. */
  get isEnding(): boolean {
    return this.#isEnding
  }

  override disconnect(reconnect = false): void {
    this.#isEnding = !reconnect
    const waits = this.status === 'reconnecting' && !reconnect
    // Out of the wait, so that there is an attempt to break off.
    if (waits) this.connect().catch(() => undefined)
    super.disconnect(reconnect)
    // A BullMQ worker that never reached Redis leaves its own one trying for ever.
    if (!reconnect) for (const duplicate of this.#duplicates) duplicate.disconnect()
  }

  /**
   * BullMQ makes itself a second connection, for the command that waits for jobs. Replies keep the
   * shape that is the default.
   */
  override duplicate(override?: Partial<RedisOptions>): Redis {
    const { replyMapping: _one, ...options } = { ...this.options, ...override }
    const duplicate = this.another(options)
    this.#duplicates.push(duplicate)
    return duplicate
  }

  protected another(options: EndingRedisOptions): EndingRedis {
    return new EndingRedis(options)
  }
}
