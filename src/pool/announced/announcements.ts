import type { Redis } from 'ioredis'
import {
  type ConnectionErrorListener,
  openWorkerConnection,
  type RedisAddress,
} from '../connection.ts'

/** How a job ended, as `<id> <ending>`, just before its state says so; or `<id> <held or down> <milliseconds>`. */
export const ENDINGS = 'pullsync:endings'
/** A manifest that clients can be told of, as `<repository> <tag or digest>`. */
export const MANIFESTS = 'pullsync:manifests'
/** A registry's name, as of a breaker, when nobody is to ask it from now on. */
export const HOLDS = 'pullsync:holds'

type Channel = typeof ENDINGS | typeof MANIFESTS | typeof HOLDS

export interface AnnouncementListener {
  readonly channel: Channel
  readonly told: (message: string) => void
  /** Something may have been told that did not come through. */
  readonly missed: () => void
}

/** What processes tell each other at once, on one connection: nobody has to ask again and again. */
export class Announcements implements Disposable {
  readonly #redis: Redis
  readonly #listeners: AnnouncementListener[] = []

  constructor(url: RedisAddress, onError: ConnectionErrorListener) {
    this.#redis = openWorkerConnection(url, onError)
    this.#redis.on('ready', () => {
      this.#redis.subscribe(ENDINGS, MANIFESTS, HOLDS).then(() => {
        for (const { missed } of this.#listeners) missed()
      }, onError)
    })
    this.#redis.on('message', (channel, message) => {
      for (const listener of this.#listeners) {
        if (listener.channel === channel) listener.told(message)
      }
    })
  }

  listen(listener: AnnouncementListener): void {
    this.#listeners.push(listener)
  }

  [Symbol.dispose](): void {
    this.#redis.disconnect()
  }
}
