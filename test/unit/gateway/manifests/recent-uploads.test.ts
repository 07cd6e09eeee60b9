import { describe, expect, it } from 'vitest'
import { RecentUploads } from '../../../../src/gateway/manifests/recent-uploads.ts'

type Asked = Parameters<RecentUploads['note']>[0]

function from(address: string, userAgent = 'crane'): Asked {
  return {
    method: 'POST',
    url: '/v2/team/app/blobs/uploads/?mount=sha256:abc',
    headers: { 'user-agent': userAgent },
    socket: { remoteAddress: address },
  }
}

describe('RecentUploads', () => {
  it('knows who has begun an upload to which repository, for ten minutes', () => {
    const uploads = new RecentUploads(({ socket }) => socket.remoteAddress)
    const client = from('10.0.0.1')

    uploads.note(client, 202, 0)

    expect(uploads.has(client, 'team/app', 599_999)).toBe(true)
    expect(uploads.has(client, 'team/app', 600_000)).toBe(false)
    expect(uploads.has(client, 'team/other', 1)).toBe(false)
    expect(uploads.has(from('10.0.0.2'), 'team/app', 1)).toBe(false)
    expect(uploads.has(from('10.0.0.1', 'podman'), 'team/app', 1)).toBe(false)
  })

  it('knows an upload whose address names the host, too', () => {
    const uploads = new RecentUploads(({ socket }) => socket.remoteAddress)
    const client = from('10.0.0.1')

    uploads.note({ ...client, url: 'http://gateway:8080/v2/team/app/blobs/uploads/' }, 202, 0)

    expect(uploads.has(client, 'team/app', 1)).toBe(true)
  })

  it('takes nothing else for one', () => {
    const uploads = new RecentUploads(({ socket }) => socket.remoteAddress)
    const client = from('10.0.0.1')

    uploads.note({ ...client, method: 'GET' }, 202)
    uploads.note({ ...client, url: '/v2/team/app/manifests/1.0' }, 201)
    for (const status of [401, 403, 404, 429, 500, 503]) uploads.note(client, status)

    expect(uploads.has(client, 'team/app')).toBe(false)
  })

  it('forgets nobody for one client that pushes to many repositories', () => {
    const uploads = new RecentUploads(({ socket }) => socket.remoteAddress)
    uploads.note(from('10.0.0.1'), 202, 0)

    for (let i = 0; i < 20_000; i += 1) {
      // From each address of its network in turn.
      const pusher = from(`2001:db8::${(i % 100).toString(16)}`)
      uploads.note({ ...pusher, url: `/v2/made-up/${i}/blobs/uploads/` }, 202, 1)
    }

    expect(uploads.has(from('10.0.0.1'), 'team/app', 2)).toBe(true)
    expect(uploads.has(from('2001:db8::1'), 'made-up/19999', 2)).toBe(true)
    expect(uploads.has(from('2001:db8::1'), 'made-up/1', 2)).toBe(false)
  })

  it('remembers ten thousand at most', () => {
    const uploads = new RecentUploads(({ socket }) => socket.remoteAddress)
    for (let i = 0; i <= 10_000; i += 1) uploads.note(from(`client ${i}`), 202, 0)

    expect(uploads.has(from('client 0'), 'team/app', 1)).toBe(false)
    expect(uploads.has(from('client 10000'), 'team/app', 1)).toBe(true)
  })
})
