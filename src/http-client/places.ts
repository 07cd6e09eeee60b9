import type { Connections } from './connections.ts'

/** Object stores have one host for each bucket; a connection to one that was forgotten is made anew. */
const REMEMBERED = 100

/** The connections of one client, by whom they are to and how far that one is trusted. */
export class Places<Zone extends string> implements Disposable {
  readonly #open: (url: URL, zone: Zone) => Connections
  readonly #places = new Map<string, Connections>()

  constructor(open: (url: URL, zone: Zone) => Connections) {
    this.#open = open
  }

  at(url: URL, zone: Zone): Connections {
    const key = `${zone} ${url.origin}`
    const known = this.#places.get(key)
    if (known !== undefined) {
      // Who is used is not the oldest.
      this.#places.delete(key)
      this.#places.set(key, known)
      return known
    }
    const place = this.#open(url, zone)
    this.#places.set(key, place)
    const [oldest] = this.#places
    if (oldest !== undefined && this.#places.size > REMEMBERED) {
      oldest[1].retire()
      this.#places.delete(oldest[0])
    }
    return place
  }

  [Symbol.dispose](): void {
    for (const connections of this.#places.values()) connections[Symbol.dispose]()
  }
}
