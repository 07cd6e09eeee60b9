import { expect, it } from 'vitest'
import { digestOf } from '../../../../src/oci/digest.ts'
import { readTwice, WrongDigestError } from '../../../../src/registry/errors/wrong-digest.ts'
import { identityOf } from '../../../../src/registry/words/identity.ts'

const registry = identityOf({ id: 'hq', url: new URL('http://u'), trustedHosts: [] })
const EXPECTED = digestOf(Buffer.from('new'))
const WRONG = new WrongDigestError(
  { registry, kind: 'manifest', intent: 'pull manifest team/app:1.0 from "hq"' },
  EXPECTED,
  digestOf(Buffer.from('old')),
)

/** Without time passing. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await Promise.resolve()
}

/** Answers with the wrong digest until it is told that the cache has the right one. */
function cache() {
  const state = { isFilled: false, reads: 0 }
  const read = () => {
    state.reads += 1
    return state.isFilled ? Promise.resolve('manifest') : Promise.reject(WRONG)
  }
  return { state, read }
}

it('reads again once a cache that was being filled has had a moment', async () => {
  const { state, read } = cache()
  const reading = readTwice(read, new AbortController().signal)
  await settled()
  expect(state.reads).toBe(1)

  state.isFilled = true

  expect(await reading).toBe('manifest')
})

it('does not read again what nobody wants any more', async () => {
  const { state, read } = cache()
  const given = new AbortController()
  const reading = readTwice(read, given.signal)
  const failure = expect(reading).rejects.toThrow('asked to stop')
  await settled()

  given.abort(new Error('asked to stop'))
  await failure

  expect(state.reads).toBe(1)
})
