import { createServer } from 'node:http'
import { describe, expect, it } from 'vitest'
import { startRegistry } from '../support/registry/docker-registry.ts'
import { eventually } from '../support/eventually.ts'
import { buildImage } from '../support/images/image.ts'
import { startNginx } from '../support/network/nginx.ts'
import { pushImage } from '../support/images/push-image.ts'
import { pushOverHttp } from '../support/images/push-over-http.ts'
import { startRedis } from '../support/redis/redis.ts'
import { inspectRaw, skopeo } from '../support/images/skopeo.ts'

describe('eventually', () => {
  it('gives the first truthy answer', async () => {
    let asked = 0

    const answer = await eventually(() => (asked++ < 3 ? undefined : 'yes'))

    expect(answer).toBe('yes')
    expect(asked).toBe(4)
  })

  it('says what it waited for and what went wrong last', async () => {
    const wait = eventually(() => Promise.reject(new Error('no route')), {
      within: 20,
      describe: 'the bus',
    })

    await expect(wait).rejects.toThrow('waited 20 ms in vain for the bus; last: no route')
  })

  it('does not wait for a check that hangs', async () => {
    const wait = eventually(() => new Promise<true>(() => undefined), { within: 20 })

    await expect(wait).rejects.toThrow('waited 20 ms in vain')
  })
})

describe('a registry of the tests', () => {
  it.each(['oci', 'docker'] as const)(
    'takes an image of %s media types over HTTP, byte by byte',
    async (format) => {
      await using registry = await startRegistry()
      await using image = await buildImage({ format })

      await pushOverHttp(image, { url: registry.url, repository: 'team/app', tag: '1.0' })

      const held = await inspectRaw(`${registry.host}/team/app:1.0`)
      expect(held).toEqual({ bytes: image.top.bytes, digest: image.top.digest })
      const copied = await skopeo([
        ...['copy', '--all', '--src-tls-verify=false', '--dest-tls-verify=false'],
        ...[`docker://${registry.host}/team/app:1.0`, `docker://${registry.host}/copy:1.0`],
      ])
      expect(copied).toMatchObject({ code: 0 })
    },
  )

  it('takes an image from skopeo and tells who asked what', async () => {
    await using registry = await startRegistry()
    await using image = await buildImage({ layers: 3, base: { seed: 'base', layers: 1 } })

    await pushImage(image, `${registry.host}/team/app:1.0`)

    const puts = await eventually(() => {
      const lines = registry.requests({ method: 'PUT', path: /\/manifests\//, status: 201 })
      return lines.length === 3 && lines
    })
    expect(puts.at(-1)).toMatchObject({ path: '/v2/team/app/manifests/1.0' })
    expect(puts.at(-1)?.userAgent).toMatch(/skopeo/)
    expect(registry.accessLog().filter(({ path }) => path === '/v2/')).toHaveLength(1)
  })

  it('keeps port and content over a restart', async () => {
    await using registry = await startRegistry()
    await using image = await buildImage()
    await pushOverHttp(image, { url: registry.url, repository: 'team/app', tag: '1.0' })

    await registry.kill9()
    await expect(fetch(`${registry.url}/v2/`)).rejects.toThrow()
    await registry.start()

    expect((await inspectRaw(`${registry.host}/team/app:1.0`)).digest).toBe(image.top.digest)
  })

  it('lets in who knows the password', async () => {
    await using registry = await startRegistry({
      htpasswd: { username: 'ops', password: 'correct-horse' },
    })
    await using image = await buildImage({ index: false })

    await pushImage(image, `${registry.host}/team/app:1.0`, 'ops:correct-horse')

    expect((await fetch(`${registry.url}/v2/`)).status).toBe(401)
    const wrong = await skopeo([
      ...['inspect', '--raw', '--tls-verify=false', '--creds', 'ops:wrong'],
      `docker://${registry.host}/team/app:1.0`,
    ])
    expect(wrong.code).not.toBe(0)
  })

  it('sends notifications', async () => {
    const bodies: string[] = []
    const listener = createServer((request, response) => {
      request.on('data', (chunk: Buffer) => bodies.push(chunk.toString('utf8')))
      request.on('end', () => response.writeHead(202).end())
      if (request.headers.authorization !== 'Bearer s3cret') bodies.push('no secret')
    })
    const port = await new Promise<number>((resolve) => {
      listener.listen(0, '127.0.0.1', () => {
        const address = listener.address()
        resolve(typeof address === 'object' && address !== null ? address.port : 0)
      })
    })
    await using registry = await startRegistry({
      notifications: [
        {
          name: 'test',
          url: `http://127.0.0.1:${port}/`,
          headers: { Authorization: 'Bearer s3cret' },
        },
      ],
    })
    await using image = await buildImage({ index: false })

    await pushOverHttp(image, { url: registry.url, repository: 'team/app', tag: '1.0' })

    await eventually(() => bodies.join('').includes('"tag": "1.0"'))
    expect(bodies).not.toContain('no secret')
    listener.close()
    listener.closeAllConnections()
  })

  it('shows what the registry printed when it does not start', async () => {
    const start = startRegistry({ extraConfig: 'storage: {}' })

    await expect(start).rejects.toThrow('no storage configuration provided')
  })

  it('says that a given port is taken', async () => {
    await using registry = await startRegistry()

    const second = startRegistry({ port: registry.port })

    await expect(second).rejects.toThrow('address already in use')
  })
})

describe('a Redis of the tests', () => {
  it('keeps port and data over a restart', async () => {
    await using redis = await startRedis()
    expect(await ask(redis.port, 'SET a 1')).toBe('+OK')

    await redis.kill9()
    await redis.start()

    expect(await ask(redis.port, 'GET a')).toBe('$1 1')
  })

  it('can be paused', async () => {
    await using redis = await startRedis()

    redis.pause()
    const answer = ask(redis.port, 'PING')
    const early = await Promise.race([
      answer,
      eventually(() => false, { within: 50 }).catch(() => 'silent'),
    ])
    redis.resume()

    expect(early).toBe('silent')
    expect(await answer).toBe('+PONG')
  })
})

describe('an nginx of the tests', () => {
  it('serves what it was told', async () => {
    await using nginx = await startNginx(
      (port) => `server { listen 127.0.0.1:${port}; return 200 "hello"; }`,
    )

    expect(await (await fetch(nginx.url)).text()).toBe('hello')
  })

  it('shows what nginx printed when it does not start', async () => {
    await expect(startNginx(() => 'nonsense on;')).rejects.toThrow('unknown directive "nonsense"')
  })
})

async function ask(port: number, command: string): Promise<string> {
  const { connect } = await import('node:net')
  return await new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`${command}\r\n`))
    socket.once('error', reject)
    socket.once('data', (answer: Buffer) => {
      resolve(answer.toString('utf8').trim().replaceAll('\r\n', ' '))
      socket.destroy()
    })
  })
}
