import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { appendFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../support/network/free-port.ts'
import { type PullsyncProcess, startPullsync } from '../support/process/pullsync-process.ts'
import { tempFolder } from '../support/process/temp-folder.ts'
import { eventually } from '../support/eventually.ts'
import { arrives, type Site, startSite } from './site.ts'

function lineOf(repository: string): string {
  const fields = {
    'err.message': 'manifest unknown',
    'vars.name': repository,
    'vars.reference': '1',
  }
  return `${JSON.stringify(fields)}\n`
}

describe('pullsync tail-log', () => {
  let site: Site
  const tails: PullsyncProcess[] = []

  beforeAll(async () => {
    site = await startSite()
  })

  afterAll(async () => {
    for (const each of [...tails, site]) await each[Symbol.asyncDispose]()
  })

  async function tail(...args: string[]): Promise<PullsyncProcess> {
    const config = { file: site.serve.configFile }
    const started = await startPullsync({ args: ['tail-log', ...args], config })
    tails.push(started)
    return started
  }

  it('follows a file from its end, over rotation, and through a Redis that is away', async () => {
    await using folder = await tempFolder('log')
    const file = join(folder.path, 'registry.log')
    const names = ['team/first', 'team/rotated', 'team/later']
    const images = await Promise.all(names.map((name) => site.publish(`${name}:1`)))
    await site.publish('team/before:1')
    await writeFile(file, lineOf('team/before'))
    const following = await tail(file)
    await eventually(() => following.output().some((line) => line.includes('following')))

    await appendFile(file, lineOf('team/first'))
    await arrives(site, 'team/first:1', images[0] ?? never())
    await rename(file, `${file}.1`)
    await appendFile(`${file}.1`, lineOf('team/rotated'))
    await writeFile(file, '')
    await arrives(site, 'team/rotated:1', images[1] ?? never())
    await site.redis.stop()
    await appendFile(file, lineOf('team/later'))
    await eventually(() => following.output().some((line) => line.includes('queue unavailable')))
    await site.redis.start()

    await arrives(site, 'team/later:1', images[2] ?? never())
    expect(following.output().join()).not.toContain('team/before')
    expect(await following.stop()).toMatchObject({ code: 0 })
  })

  it('takes syslog datagrams', async () => {
    const image = await site.publish('team/datagram:1')
    const port = await freePort()
    const following = await tail('--syslog', `127.0.0.1:${port}`)
    await eventually(() => following.output().some((line) => line.includes('following')))
    const fields = { status: 404, method: 'GET', uri: '/v2/team/datagram/manifests/1' }
    const socket = createSocket('udp4')
    socket.send(
      `<190>Nov 27 17:44:54 pullmiss: ${JSON.stringify(fields)}`,
      port,
      '127.0.0.1',
      () => {
        socket.close()
      },
    )

    await arrives(site, 'team/datagram:1', image)
  })

  it('reads standard input to its end', async () => {
    const image = await site.publish('team/piped:1')
    const script = join(process.cwd(), 'dist', 'pullsync.js')
    const args = [script, 'tail-log', '-', '--config', site.serve.configFile]
    const piped = spawn(process.execPath, args, { stdio: ['pipe', 'ignore', 'inherit'] })
    const code = new Promise((resolve) => piped.once('exit', resolve))

    piped.stdin.end(lineOf('team/piped'))

    expect(await code).toBe(0)
    await arrives(site, 'team/piped:1', image)
  })

  it('says what is wrong with how it was called', async () => {
    expect(await site.serve.run(['tail-log'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--syslog HOST:PORT') as string,
    })
  })
})

function never(): never {
  throw new Error('there is no such image')
}
