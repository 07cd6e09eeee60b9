import { createServer } from 'node:net'

const given = new Set<number>()

// Below the ports that Linux (from 32768) and macOS (from 49152) lend to outgoing connections: a
// server that is stopped and started again must find its port as it left it.
const LOWEST = 20_000
const HIGHEST = 32_000

/** A port of 127.0.0.1 that nobody listens on, never the same one twice in a process. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST))
    if (given.has(port) || !(await isFree(port))) continue
    given.add(port)
    return port
  }
  throw new Error(`found no free port between ${LOWEST} and ${HIGHEST} in 100 attempts`)
}

async function isFree(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => {
      resolve(false)
    })
    probe.listen({ host: '127.0.0.1', port, exclusive: true }, () => {
      probe.close(() => {
        resolve(true)
      })
    })
  })
}
