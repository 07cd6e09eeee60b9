import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { configFor, failureOf, open, randomBlob, repository } from '../contract-content.ts'

it('a small blob may be given up while the registry opens its upload, and is let go of', async () => {
  // It takes the request and never answers.
  let asked = false
  const server = createServer(() => (asked = true))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // What listens on TCP has an address of this kind.
  const { port } = server.address() as AddressInfo
  await using client = open(configFor(`http://127.0.0.1:${port}`))
  const uncaught: unknown[] = []
  const note = (error: unknown) => uncaught.push(error)
  process.on('uncaughtException', note)
  const stop = new AbortController()
  const blob = randomBlob(1_000)
  const body = Readable.from([blob.bytes])
  const putting = failureOf(
    client.repository(repository('team/app')).putBlob(blob.descriptor, body, stop.signal),
  )
  await eventually(() => asked, { describe: 'the upload to be asked for' })

  stop.abort(new Error('another layer failed'))

  expect(String(await putting)).toContain('another layer failed')
  await new Promise((resolve) => setImmediate(resolve))
  process.off('uncaughtException', note)
  server.closeAllConnections()
  server.close()
  expect(uncaught).toEqual([])
  await eventually(() => body.destroyed, { describe: 'the body to be let go of' })
})
