import { afterEach, beforeEach, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { FarParts, type GetBlobPart } from '../../../src/spool/far-parts.ts'
import { follow } from '../../../src/spool/follow.ts'
import { Spool, type Spooled } from '../../../src/spool/spool.ts'
import { type TempFolder, tempFolder } from '../../support/process/temp-folder.ts'

const MIB = 1024 * 1024
const BLOB = Buffer.alloc(12 * MIB, 'blob')
const END = BLOB.subarray(-100)
const NEVER = new AbortController().signal

let folder: TempFolder
let spool: Spool

beforeEach(async () => {
  folder = await tempFolder('far parts')
  spool = await Spool.open({ parent: folder.path, maxBytes: 100 * MIB })
})

afterEach(async () => {
  await spool[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

async function coming(part: GetBlobPart): Promise<Spooled> {
  const spooled = await spool.add({
    blob: { mediaType: '', digest: digestOf(BLOB), size: BLOB.length },
    ...{ origin: 'hq/team/model', offset: 0, followed: true, signal: NEVER, part },
  })
  if (spooled === undefined) throw new Error('there was no room')
  return spooled
}

async function bytesFrom(spooled: Spooled, offset: number): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of follow(spooled, offset, NEVER)?.pieces ?? []) pieces.push(piece)
  return Buffer.concat(pieces)
}

it('is asked for once for all who want it at that time', async () => {
  const asked: unknown[] = []
  const spooled = await coming((part) => {
    asked.push(part)
    return Promise.resolve(END)
  })

  const from = BLOB.length - END.length
  const all = await Promise.all([bytesFrom(spooled, from), bytesFrom(spooled, from)])

  expect(all).toEqual([END, END])
  expect(asked).toEqual([{ offset: from, length: END.length }])
})

it.each([
  ['gives no parts', () => Promise.resolve(undefined)],
  ['fails', () => Promise.reject(new Error('no'))],
])(
  'comes with the copy from an upstream that %s, and is not asked for again',
  async (_, answer) => {
    let asked = 0
    const spooled = await coming(() => {
      asked += 1
      return answer()
    })
    const first = bytesFrom(spooled, BLOB.length - 100)
    // Turns enough for the answer to be known.
    await new Promise((resolve) => setImmediate(resolve))
    const second = bytesFrom(spooled, BLOB.length - 50)

    spooled.blob.append(BLOB)
    await spooled.blob.end(true)

    expect(await Promise.all([first, second])).toEqual([END, END.subarray(50)])
    expect(asked).toBe(1)
  },
)

it('comes with the copy once the few bytes that a blob may have so are spent', async () => {
  const far = new FarParts(({ length }) => Promise.resolve(Buffer.alloc(length)))
  const part = (n: number) => ({ offset: n * 4 * MIB, length: 4 * MIB })

  for (let n = 1; n <= 16; n += 1) {
    expect(far.has(part(n), 0)).toBe(true)
    expect(await far.get(part(n))).toHaveLength(4 * MIB)
  }

  expect(far.has(part(17), 0)).toBe(false)
})
