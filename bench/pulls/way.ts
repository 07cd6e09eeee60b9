import { fileURLToPath } from 'node:url'
import { startChild } from '../../test/support/process/child.ts'
import type { Slowness, SlowWay } from './slow-way.ts'

const SCRIPT = fileURLToPath(new URL('./slow-way-process.js', import.meta.url))

/**
 * A way to a registry, as slow as told. A slow one is a process of its own: a network does not wait for whoever
 * is at its ends.
 */
export async function startWay(registryUrl: string, slowness: Slowness): Promise<SlowWay> {
  if (Object.keys(slowness).length === 0) {
    return { url: registryUrl, [Symbol.asyncDispose]: () => Promise.resolve() }
  }
  const args = [SCRIPT, registryUrl, JSON.stringify(slowness)]
  const child = await startChild({ command: process.execPath, args })
  try {
    return {
      url: await child.waitForOutput(/^http:/),
      [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
    }
  } catch (error) {
    await child[Symbol.asyncDispose]()
    throw error
  }
}
