import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { FetchedCredentialStore } from '../../../../src/registry/credentials/credential-store.ts'
import type { FetchedCredentials } from '../../../../src/registry/words/credentials.ts'

const SIGNAL = new AbortController().signal

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] })
})

afterEach(() => {
  vi.useRealTimers()
})

/** Gives `t1`, `t2` …, each fresh for ten seconds and valid for twenty. */
function counting() {
  let count = 0
  const fetch = vi.fn(() => {
    count += 1
    const credentials = { kind: 'access-token', token: `t${count}` } as const
    return Promise.resolve<FetchedCredentials>({
      credentials,
      freshForMs: 10_000,
      validForMs: 20_000,
    })
  })
  return { fetch, store: new FetchedCredentialStore(fetch) }
}

async function tokenOf(store: FetchedCredentialStore): Promise<unknown> {
  const { credentials } = await store.get(SIGNAL)
  return credentials.kind === 'access-token' ? credentials.token : undefined
}

async function settled(): Promise<void> {
  await new Promise(setImmediate)
}

describe('fetched credentials', () => {
  it('are fetched when they are wanted, and kept', async () => {
    const { fetch, store } = counting()
    expect(fetch).not.toHaveBeenCalled()

    expect(await tokenOf(store)).toBe('t1')
    vi.advanceTimersByTime(9_999)

    expect(await tokenOf(store)).toBe('t1')
    expect(fetch).toHaveBeenCalledTimes(1)
  })

  it('are renewed ahead of their end without anybody waiting', async () => {
    const { fetch, store } = counting()
    await store.get(SIGNAL)
    vi.advanceTimersByTime(10_001)

    expect(await tokenOf(store)).toBe('t1')
    await settled()

    expect(await tokenOf(store)).toBe('t2')
    expect(fetch).toHaveBeenCalledTimes(2)
  })

  it('serve on when they cannot be renewed, which is not tried with every request', async () => {
    const { fetch, store } = counting()
    await store.get(SIGNAL)
    vi.advanceTimersByTime(10_001)
    fetch.mockRejectedValueOnce(new Error('the cloud is away'))

    expect(await tokenOf(store)).toBe('t1')
    await settled()
    vi.advanceTimersByTime(5_000)

    expect(await tokenOf(store)).toBe('t1')
    expect(fetch).toHaveBeenCalledTimes(2)
  })

  it('are waited for at their end', async () => {
    const { store } = counting()
    await store.get(SIGNAL)
    vi.advanceTimersByTime(20_001)

    expect(await tokenOf(store)).toBe('t2')
  })

  it('are fetched again once they are refused', async () => {
    const { store } = counting()
    const { credentials } = await store.get(SIGNAL)
    vi.advanceTimersByTime(1_001)

    store.drop(credentials)
    expect(await tokenOf(store)).toBe('t2')
    vi.advanceTimersByTime(1_001)
    store.drop(credentials)

    expect(await tokenOf(store)).toBe('t2')
  })

  it('are not fetched again at once: those that are new cannot be bettered', async () => {
    const { store } = counting()
    const { credentials, fresh } = await store.get(SIGNAL)

    store.drop(credentials)

    expect(fresh).toBe(true)
    expect(await tokenOf(store)).toBe('t1')
  })

  it('are fetched once for all, and the first to go away harms nobody', async () => {
    const { fetch, store } = counting()
    const abort = new AbortController()
    const first = store.get(abort.signal)
    const others = [tokenOf(store), tokenOf(store)]
    abort.abort(new Error('gone'))

    await expect(first).rejects.toThrow('gone')
    expect(await Promise.all(others)).toEqual(['t1', 't1'])
    expect(fetch).toHaveBeenCalledTimes(1)
  })

  it('that are on their way when the registry is closed are not waited for', async () => {
    const store = new FetchedCredentialStore(() => new Promise(() => undefined))
    const waiting = store.get(SIGNAL)

    store.close()

    await expect(waiting).rejects.toMatchObject({ code: 'CLOSED' })
  })
})
