import { createHash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { History, Image } from './history.ts'
import { askManifest, type ReadManifest, referencesOf } from './registry-reader.ts'

const BETWEEN_ROUNDS_MS = 250

/**
 * Reads the local registry itself, past pullsync, all the time: whatever a tag names must be a version
 * that upstream has had, complete and byte for byte, and never an older one than before.
 */
export class Auditor {
  readonly #url: string
  readonly #history: History
  readonly #seen = new Map<Image, number>()
  readonly #whole = new Set<string>()
  manifests = 0
  blobs = 0

  constructor(url: string, history: History) {
    this.#url = url
    this.#history = history
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const image of this.#history.images()) await this.look(image)
      await pause(BETWEEN_ROUNDS_MS)
    }
  }

  /** Which version is here; -1 for none, or when the registry does not answer. */
  async look(image: Image): Promise<number> {
    const [repository = '', tag = ''] = image.split(':')
    const { manifest } = await askManifest(this.#url, repository, tag)
    if (manifest === undefined) return -1
    const version = this.#history.versionOf(image, manifest.digest)
    const before = this.#seen.get(image) ?? -1
    if (version < 0) {
      this.#history.violated(`${image} is ${manifest.digest} here, which upstream never had there`)
    } else if (version < before) {
      this.#history.violated(`${image} went back from version ${before} to ${version}`)
    }
    this.#seen.set(image, Math.max(version, before))
    await this.#check(repository, manifest)
    return version
  }

  async #check(repository: string, manifest: ReadManifest): Promise<void> {
    const key = `${repository}@${manifest.digest}`
    if (this.#whole.has(key)) return
    this.manifests += 1
    const { manifests, blobs } = referencesOf(manifest.bytes)
    let complete = true
    for (const digest of manifests) {
      const { status, manifest: child } = await askManifest(this.#url, repository, digest)
      if (status === 404) this.#history.violated(`${key} is here, its child ${digest} is not`)
      if (child === undefined) complete = false
      else if (child.digest !== digest) this.#history.violated(`${digest} has other bytes here`)
      else await this.#check(repository, child)
    }
    for (const { digest } of blobs) complete = (await this.#blob(repository, digest)) && complete
    if (complete) this.#whole.add(key)
  }

  async #blob(repository: string, digest: string): Promise<boolean> {
    if (this.#whole.has(`${repository}@${digest}`)) return true
    try {
      const response = await fetch(`${this.#url}/v2/${repository}/blobs/${digest}`)
      const hash = createHash('sha256')
      for await (const piece of response.body ?? []) hash.update(piece as Uint8Array)
      if (response.status === 404) this.#history.violated(`${repository} lacks ${digest}`)
      if (response.status !== 200) return false
      if (`sha256:${hash.digest('hex')}` !== digest) {
        this.#history.violated(`${digest} has other bytes in ${repository}`)
      }
    } catch {
      return false
    }
    this.blobs += 1
    this.#whole.add(`${repository}@${digest}`)
    return true
  }
}
