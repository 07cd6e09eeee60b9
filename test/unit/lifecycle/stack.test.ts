import { describe, expect, it } from 'vitest'
import { Stack } from '../../../src/lifecycle/stack.ts'

describe('Stack', () => {
  it('stops in reverse order, one after the other', async () => {
    const log: string[] = []
    const stack = new Stack()
    stack.use(started('first', log))
    stack.use({ [Symbol.dispose]: () => log.push('second') })
    stack.defer(() => {
      log.push('third')
    })

    await stack[Symbol.asyncDispose]()

    expect(log).toEqual(['third', 'second', 'first begins', 'first ends'])
  })

  it('gives back what it was given', () => {
    const resource = started('resource', [])

    expect(new Stack().use(resource)).toBe(resource)
  })

  it('stops what was started when a later start fails', async () => {
    const log: string[] = []

    async function start() {
      await using stack = new Stack()
      stack.use(started('first', log))
      throw new Error('the second does not start')
    }

    await expect(start()).rejects.toThrow('the second does not start')
    expect(log).toEqual(['first begins', 'first ends'])
  })

  it('stops the others when one does not stop, and throws its error', async () => {
    const log: string[] = []
    const stack = new Stack()
    stack.use(started('first', log))
    stack.defer(() => {
      throw new Error('stuck')
    })

    await expect(stack[Symbol.asyncDispose]()).rejects.toThrow('stuck')
    expect(log).toEqual(['first begins', 'first ends'])
  })

  it('throws all errors of several that do not stop', async () => {
    const stack = new Stack()
    stack.defer(() => Promise.reject(new Error('one')))
    stack.defer(() => Promise.reject(new Error('two')))

    await expect(stack[Symbol.asyncDispose]()).rejects.toThrow(
      new AggregateError([new Error('two'), new Error('one')], 'two; one'),
    )
  })

  it('stops once, however often it is asked', async () => {
    const log: string[] = []
    const stack = new Stack()
    stack.use(started('first', log))

    await Promise.all([stack[Symbol.asyncDispose](), stack[Symbol.asyncDispose]()])

    expect(log).toEqual(['first begins', 'first ends'])
  })

  it('takes nothing more once stopped', async () => {
    const stack = new Stack()
    await stack[Symbol.asyncDispose]()

    expect(() => stack.use(started('late', []))).toThrow('stopped stack')
  })
})

function started(name: string, log: string[]): AsyncDisposable {
  return {
    async [Symbol.asyncDispose]() {
      log.push(`${name} begins`)
      await Promise.resolve()
      log.push(`${name} ends`)
    },
  }
}
