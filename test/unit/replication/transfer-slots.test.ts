import { describe, expect, it } from 'vitest'
import { TransferSlots } from '../../../src/replication/transfer-slots.ts'

const never = new AbortController().signal

function gate() {
  let open: () => void = () => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, opened }
}

describe('TransferSlots', () => {
  it('never runs more at once than the limit', async () => {
    const slots = new TransferSlots(() => 2)
    let running = 0
    let most = 0
    const transfer = async () => {
      running += 1
      most = Math.max(most, running)
      await Promise.resolve()
      running -= 1
    }

    await Promise.all(Array.from({ length: 10 }, () => slots.run(0, never, transfer)))

    expect(most).toBe(2)
  })

  it('lets the most urgent go first, then the one that waited longest', async () => {
    const slots = new TransferSlots(() => 1)
    const { open, opened } = gate()
    const order: string[] = []
    const first = slots.run(0, never, () => opened)
    const rest = [
      [2, 'resync'],
      [1, 'push a'],
      [0, 'miss'],
      [1, 'push b'],
    ] as const
    const waiting = rest.map(([urgency, name]) =>
      slots.run(urgency, never, async () => {
        await Promise.resolve()
        order.push(name)
      }),
    )

    open()
    await Promise.all([first, ...waiting])

    expect(order).toEqual(['miss', 'push a', 'push b', 'resync'])
  })

  it('frees the place of one that gave up waiting', async () => {
    const slots = new TransferSlots(() => 1)
    const { open, opened } = gate()
    const first = slots.run(0, never, () => opened)
    const impatient = new AbortController()
    const second = slots.run(0, impatient.signal, () => Promise.resolve('second'))
    const third = slots.run(0, never, () => Promise.resolve('third'))

    impatient.abort(new Error('gave up'))
    open()

    await expect(second).rejects.toThrow('gave up')
    expect(await third).toBe('third')
    await first
  })

  it('frees the slot of a transfer that failed', async () => {
    const slots = new TransferSlots(() => 1)
    const failing = slots.run(0, never, () => Promise.reject(new Error('broke')))

    await expect(failing).rejects.toThrow('broke')
    expect(await slots.run(0, never, () => Promise.resolve('next'))).toBe('next')
  })
})
