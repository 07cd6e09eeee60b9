import { setMaxListeners } from 'node:events'

/** The signal's reason as an error that can be thrown and given to `destroy`. */
export function abortReason(signal: AbortSignal): Error {
  const reason: unknown = signal.reason
  return reason instanceof Error ? reason : new DOMException('aborted', 'AbortError')
}

/** Calls back once when the signal is aborted, at once if it is; returns how to stop listening. */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  if (signal.aborted) {
    callback()
    return () => undefined
  }
  // One job's signal is listened to by all of its requests; that is no leak.
  setMaxListeners(0, signal)
  signal.addEventListener('abort', callback, { once: true })
  return () => {
    signal.removeEventListener('abort', callback)
  }
}

/** What the promise gives, unless the signal is aborted first; the promise itself runs on. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let stopListening = (): void => undefined
  const aborted = new Promise<never>((_, reject) => {
    stopListening = onAbort(signal, () => {
      reject(abortReason(signal))
    })
  })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    stopListening()
  }
}
