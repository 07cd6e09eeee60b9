import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SpoolFile } from '../../../src/spool/spool-file.ts'
import { SpooledBlob } from '../../../src/spool/spooled-blob.ts'
import { type Coming, HeadStart } from '../../../src/first-pull/head-start.ts'
import { eventually } from '../../support/eventually.ts'
import { ManualClock } from '../../support/given/manual-clock.ts'
import { type TempFolder, tempFolder } from '../../support/process/temp-folder.ts'

const MIB = 1024 * 1024
const SIGNAL = new AbortController().signal

/** A blob that clients follow, and whether the copy may read it. */
interface Followed {
  readonly blob: SpooledBlob
  readonly coming: Coming
  /** Its first byte is about to come. */
  start(): void
  /** All of it comes, in so many milliseconds. */
  comes(bytes: number, ms: number, arrives?: boolean): Promise<void>
  mayBeRead: boolean
}

describe('followers first', () => {
  let folder: TempFolder
  let clock: ManualClock
  let first: HeadStart
  const blobs: SpooledBlob[] = []

  beforeEach(async () => {
    folder = await tempFolder('followers')
    clock = new ManualClock()
    first = new HeadStart(clock)
  })

  afterEach(async () => {
    for (const blob of blobs.splice(0)) await blob.letGo((file) => file.close())
    await folder[Symbol.asyncDispose]()
  })

  async function followed(): Promise<Followed> {
    const file = await SpoolFile.create(join(folder.path, `${blobs.length}`), 0)
    const blob = new SpooledBlob(file)
    blobs.push(blob)
    const coming = first.begin(blob)
    let here: () => void = () => undefined
    const one: Followed = {
      blob,
      coming,
      mayBeRead: false,
      start() {
        const isHere = new Promise<void>((resolve) => (here = resolve))
        void coming.headStart(isHere).then(() => (one.mayBeRead = true))
      },
      async comes(bytes, ms, arrives = true) {
        blob.append(Buffer.alloc(bytes))
        await blob.end(arrives)
        clock.advance(ms)
        here()
        await settled()
      },
    }
    return one
  }

  it('has what comes over a network copied as soon as it is here', async () => {
    const [one, other] = [await followed(), await followed()]
    one.start()
    other.start()

    await one.comes(10 * MIB, 100)

    expect([one.mayBeRead, other.mayBeRead]).toEqual([true, false])
  })

  it('has nothing copied before all is here where it comes faster', async () => {
    const [one, other] = [await followed(), await followed()]
    one.start()
    other.start()

    await one.comes(10 * MIB, 20)
    expect(one.mayBeRead).toBe(false)
    await other.comes(10 * MIB, 20)

    expect([one.mayBeRead, other.mayBeRead]).toEqual([true, true])
  })

  it('counts what has not begun to come, until it is given up', async () => {
    const [one, other] = [await followed(), await followed()]
    one.start()
    await one.comes(10 * MIB, 20)
    expect(one.mayBeRead).toBe(false)

    other.coming.end()
    await settled()

    expect(one.mayBeRead).toBe(true)
  })

  it('waits for the clients that read it', async () => {
    const one = await followed()
    const client = one.blob.follow(0, SIGNAL)
    one.start()
    const read = client?.next()
    await one.comes(10 * MIB, 5)
    await read
    expect(one.mayBeRead).toBe(false)

    await client?.return(undefined)

    await eventually(() => one.mayBeRead, { describe: 'the copy to begin' })
  })

  it('waits no longer for clients than the bytes took to come', async () => {
    const one = await followed()
    const slow = one.blob.follow(0, SIGNAL)
    one.start()
    const read = slow?.next()
    await one.comes(10 * MIB, 20)
    await read

    clock.advance(19)
    await settled()
    expect(one.mayBeRead).toBe(false)
    clock.advance(1)
    await settled()

    expect(one.mayBeRead).toBe(true)
    await slow?.return(undefined)
  })

  it('waits for nothing longer than five seconds', async () => {
    const [one, stalled] = [await followed(), await followed()]
    one.start()
    stalled.start()
    await one.comes(10 * MIB, 20)

    clock.advance(4_979)
    await settled()
    expect(one.mayBeRead).toBe(false)
    clock.advance(1)
    await settled()

    expect([one.mayBeRead, stalled.mayBeRead]).toEqual([true, true])
  })

  it('takes no burst for a fast upstream', async () => {
    const [small, large] = [await followed(), await followed()]
    small.start()
    large.start()

    await small.comes(MIB, 1)

    expect(small.mayBeRead).toBe(true)
  })

  it('waits for nobody with what the disk refused', async () => {
    const [one, other] = [await followed(), await followed()]
    one.start()
    other.start()

    await one.comes(10 * MIB, 20, false)

    expect(one.mayBeRead).toBe(true)
  })

  it('waits for each image by itself, one after the other', async () => {
    const early = await followed()
    const slow = early.blob.follow(0, SIGNAL)
    early.start()
    const read = slow?.next()
    await early.comes(10 * MIB, 20)
    await read
    const [late, last] = [await followed(), await followed()]
    late.start()
    last.start()
    await late.comes(10 * MIB, 15)
    clock.advance(5)
    await settled()

    expect([early.mayBeRead, late.mayBeRead]).toEqual([true, false])
    await slow?.return(undefined)
  })

  it('counts what was here before for nothing', async () => {
    const file = await SpoolFile.create(join(folder.path, 'left'), 0)
    await file.append([Buffer.alloc(50 * MIB)])
    const blob = new SpooledBlob(file)
    blobs.push(blob)
    const [one, other] = [first.begin(blob), await followed()]
    other.start()
    void one.headStart(new Promise(() => undefined))

    await other.comes(1_000, 20)

    expect(other.mayBeRead).toBe(true)
  })
})

async function settled(): Promise<void> {
  for (let turns = 0; turns < 5; turns += 1) await turn()
}
