import { createHash, randomBytes } from 'node:crypto'
import { readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Descriptor } from '../../../src/oci/descriptor.ts'
import { digestOf } from '../../../src/oci/digest.ts'
import { Spool, type Spooled, type SpoolWish } from '../../../src/spool/spool.ts'
import { type TempFolder, tempFolder } from '../../support/process/temp-folder.ts'

export const BYTES = randomBytes(3_000_000)
export const HALF = 1_500_000

export const WISH: SpoolWish = {
  blob: blobOf(BYTES),
  origin: 'hq/team/app',
  offset: 0,
  followed: true,
  signal: new AbortController().signal,
}

export async function spoolFolder(): Promise<SpoolFolder> {
  return new SpoolFolder(await tempFolder('spool'))
}

/** Where spools are opened, and what they have there. */
export class SpoolFolder implements AsyncDisposable {
  readonly parent: TempFolder

  constructor(parent: TempFolder) {
    this.parent = parent
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.parent[Symbol.asyncDispose]()
  }

  open(maxBytes = 100_000_000): Promise<Spool> {
    return Spool.open({ parent: this.parent.path, maxBytes })
  }

  async files(): Promise<readonly string[]> {
    const [folder = ''] = await readdir(this.parent.path)
    return (await readdir(join(this.parent.path, folder))).map((name) =>
      join(this.parent.path, folder, name),
    )
  }

  /** Of this process, in that folder. */
  async openFiles(): Promise<readonly string[]> {
    const all = await readdir('/proc/self/fd')
    const paths = all.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => ''))
    return (await Promise.all(paths)).filter((path) => path.startsWith(this.parent.path))
  }

  /** As if the process had died after so many bytes: nothing is closed in order. */
  async leftBehind(bytes: Buffer, what: Partial<SpoolWish> = {}): Promise<void> {
    const { blob } = await added(await this.open(), what)
    blob.append(bytes)
    await blob.end(false)
  }
}

export function blobOf(bytes: Buffer): Descriptor {
  return { mediaType: 'application/octet-stream', digest: digestOf(bytes), size: bytes.length }
}

export async function added(spool: Spool, what: Partial<SpoolWish> = {}): Promise<Spooled> {
  const spooled = await spool.add({ ...WISH, ...what })
  if (spooled === undefined) throw new Error('there was no room')
  return spooled
}

export async function readAll(blob: Spooled['blob']): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of blob.piecesFor(blob.reader(blob.from))) hash.update(piece)
  return hash.digest('hex')
}

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
