import { randomBytes } from 'node:crypto'
import { PassThrough, Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { PassThroughBody } from '../../../src/waiting/pass-through-body.ts'
import { eventually } from '../../support/eventually.ts'
import { inPieces } from '../../support/network/in-pieces.ts'

const PIECE = 64 * 1024
const BYTES = randomBytes(40 * PIECE)

class Body extends PassThroughBody {
  readonly #last: Buffer | undefined
  passed = 0

  constructor(from: Readable, last?: Buffer) {
    super()
    this.#last = last
    this.relay(from)
  }

  protected override pass(piece: Buffer): Buffer {
    this.passed += piece.length
    return piece
  }

  protected override last(): Buffer | undefined {
    return this.#last
  }

  protected override broken(cause: Error): void {
    this.destroy(cause)
  }
}

/** Takes one piece at a time, and nothing more until it is let go. */
class Holding extends Body {
  release: (() => void) | undefined

  protected override holds(): boolean {
    return this.release !== undefined
  }

  protected override pass(piece: Buffer): Buffer {
    this.release = () => {
      this.release = undefined
      this.goOn()
    }
    return super.pass(piece)
  }
}

function chain(from: Readable, length: number): Body[] {
  const bodies: Body[] = []
  for (let at = 0; at < length; at += 1) bodies.push(new Body(bodies.at(-1) ?? from))
  return bodies
}

describe('bodies that pass on from each other', () => {
  it('give every byte in order, and what the last ones add', async () => {
    const middle = new Body(new Body(Readable.from(inPieces(BYTES, PIECE))), Buffer.from('one'))
    const outer = new Body(middle, Buffer.from('two'))

    const whole = await buffer(outer)

    expect(whole.equals(Buffer.concat([BYTES, Buffer.from('onetwo')]))).toBe(true)
    await eventually(() => middle.closed && outer.closed, { describe: 'all of them to close' })
  })

  it('take no more from the source than one of them would while nobody reads on', async () => {
    const bodies = chain(Readable.from(inPieces(BYTES, PIECE)), 8)
    const outer = bodies.at(-1)
    outer?.once('data', () => outer.pause())
    await eventually(() => outer?.isPaused() === true, { describe: 'a piece' })
    for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve))

    expect(bodies[0]?.passed).toBeLessThanOrEqual(3 * PIECE)
  })

  it('fail as the source does, and let it go when the last one is', async () => {
    const broken = new Error('hung up')
    const source = new PassThrough()
    const [, , third] = chain(source, 3)
    const read = buffer(third ?? source)
    source.write(BYTES.subarray(0, PIECE))
    source.destroy(broken)
    await expect(read).rejects.toBe(broken)

    const other = new PassThrough()
    chain(other, 3).at(-1)?.destroy()
    await eventually(() => other.destroyed, { describe: 'the source to be let go' })
  })

  it('fail when the source is let go of before its end', async () => {
    const source = new PassThrough()
    const read = buffer(chain(source, 3).at(-1) ?? source)

    source.destroy()

    await expect(read).rejects.toThrow('let go of')
  })

  it('wait for one that holds, also with their end', async () => {
    const holding = new Holding(Readable.from(inPieces(BYTES.subarray(0, 3 * PIECE), PIECE)))
    const outer = new Body(holding)
    let isOver = false
    const read = buffer(outer).finally(() => (isOver = true))

    for (let pieces = 1; pieces <= 3; pieces += 1) {
      await eventually(() => holding.release !== undefined, { describe: `piece ${pieces}` })
      expect(outer.passed).toBe(pieces * PIECE)
      expect(isOver).toBe(false)
      holding.release?.()
    }

    expect((await read).equals(BYTES.subarray(0, 3 * PIECE))).toBe(true)
  })

  it('can be read as they are, too', async () => {
    const [first] = chain(Readable.from(inPieces(BYTES, PIECE)), 1)

    expect((await buffer(first ?? new PassThrough())).equals(BYTES)).toBe(true)
  })
})
