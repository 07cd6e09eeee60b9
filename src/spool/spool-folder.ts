import { randomBytes } from 'node:crypto'
import { lstat, mkdir, mkdtemp, readdir, rename, stat, unlink } from 'node:fs/promises'
import { uptime } from 'node:os'
import { join } from 'node:path'
import { SpoolFile } from './spool-file.ts'
import { WindowFile } from './window-file.ts'

/** What nobody has continued by then is not continued any more. */
const LEFT_FOR_MS = 3_600_000

interface Left {
  readonly name: string
  readonly path: string
  /** Since it was written last, in milliseconds. */
  readonly age: number
  readonly bytes: number
}

/** In milliseconds. What was written before the machine started may be whatever the disk had there. */
function oldest(): number {
  return Math.min(LEFT_FOR_MS, uptime() * 1_000)
}

/**
 * A folder of one user of this machine, for all of its workers: what is on its way, and what of that was
 * left behind by processes that died and by attempts that failed. Whoever holds a blob's lease may take its
 * file; one whose lease lapsed unnoticed writes the same bytes to the same places.
 */
export class SpoolFolder {
  readonly #path: string

  private constructor(path: string) {
    this.#path = path
  }

  static async open(parent: string): Promise<SpoolFolder> {
    const path = join(parent, `pullsync-spool-${process.getuid?.() ?? 'user'}`)
    await mkdir(path, { mode: 0o700 }).catch(() => undefined)
    // Anybody could have made it, to read along.
    const own = await isPrivate(path)
    return new SpoolFolder(own ? path : await mkdtemp(join(parent, 'pullsync-spool-')))
  }

  /** An empty file, for that blob's bytes from there on. */
  async create(name: string, from: number): Promise<SpoolFile> {
    return await SpoolFile.create(this.#pathFor(name, from), from)
  }

  /** A place for the latest bytes of a blob only. */
  async window(from: number, capacity: number): Promise<WindowFile> {
    return await WindowFile.create(this.#pathFor('window', from), from, capacity)
  }

  /** What was left of that blob, if it is of use from `offset` on. */
  async takeLeft(name: string, offset: number): Promise<SpoolFile | undefined> {
    for (const left of await this.#removeOld(`${name}.`)) {
      const from = Number(left.name.split('.')[1])
      const path = this.#pathFor(name, from)
      const file = await rename(left.path, path)
        .then(() => SpoolFile.reopen(path, from))
        .catch(() => undefined)
      // Undefined where another worker was faster.
      if (file === undefined) continue
      if (file.length > 0 && from <= offset && from + file.length >= offset) return file
      await this.remove(file)
    }
    return undefined
  }

  /** Closed, and gone once nobody else has it open either. */
  async remove(file: SpoolFile): Promise<void> {
    await unlink(file.path).catch(() => undefined)
    await file.close()
  }

  /**
   * Removes what nobody came for, and of the rest the oldest until it takes no more than `maxBytes`. What
   * a worker still writes stays open there: it only does not outlive it.
   */
  async sweep(maxBytes: number): Promise<void> {
    const files = await this.#removeOld('')
    let taken = 0
    for (const { path, bytes } of files.sort((one, other) => one.age - other.age)) {
      taken += bytes
      if (taken > maxBytes) await unlink(path).catch(() => undefined)
    }
  }

  /** Gives back the rest of those whose names begin so. */
  async #removeOld(prefix: string): Promise<Left[]> {
    const all = await this.#facts(prefix)
    const old = all.filter(({ age }) => age > oldest())
    for (const { path } of old) await unlink(path).catch(() => undefined)
    return all.filter((left) => !old.includes(left))
  }

  async #facts(prefix: string): Promise<readonly Left[]> {
    const names = await readdir(this.#path).catch(() => [])
    const wanted = names.filter((name) => name.startsWith(prefix))
    const facts = wanted.map(async (name) => {
      const path = join(this.#path, name)
      // Somebody may just have removed it.
      const found = await stat(path).catch(() => ({ mtimeMs: Date.now(), size: 0 }))
      return { name, path, age: Date.now() - found.mtimeMs, bytes: found.size }
    })
    return await Promise.all(facts)
  }

  #pathFor(name: string, from: number): string {
    return join(this.#path, `${name}.${from}.${randomBytes(8).toString('hex')}`)
  }
}

async function isPrivate(path: string): Promise<boolean> {
  const found = await lstat(path)
  return found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o077) === 0
}
