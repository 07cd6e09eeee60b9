import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect as connectTcp } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { basicAuthorization } from '../words/credentials.ts'
import { CodedError, PROXY_FAILED, PROXY_REFUSED, PROXY_WANTS_LOGIN } from '../words/coded-error.ts'
import { bareHost } from './guard.ts'

// It connects to a registry before it answers.
const PROXY_TIMEOUT_MS = 30_000

/**
 * A connection to a proxy; with `tunnelTo`, one through it to that address. Whatever a proxy answers
 * other than that the tunnel is open is its own failure and never taken for the registry's answer.
 * Throws a CodedError that names the proxy without its password.
 */
export async function connectProxy(
  proxy: URL,
  tunnelTo: URL | undefined,
  closing: AbortSignal,
): Promise<Duplex> {
  const limit = AbortSignal.timeout(PROXY_TIMEOUT_MS)
  const signal = AbortSignal.any([closing, limit])
  try {
    return await (tunnelTo === undefined ? connect(proxy, signal) : tunnel(proxy, tunnelTo, signal))
  } catch (error) {
    if (error instanceof CodedError) throw error
    const late = `it did not answer within ${PROXY_TIMEOUT_MS / 1000} s`
    const why = limit.aborted ? late : error instanceof Error ? error.message : 'it broke off'
    throw new CodedError(PROXY_FAILED, `the proxy ${proxy.host} cannot be used: ${why}`)
  }
}

/** The header that a proxy with a username in its address wants to see. */
export function proxyAuthorization(proxy: URL): Record<string, string> {
  if (proxy.username === '') return {}
  const [username, password] = [proxy.username, proxy.password].map(decoded)
  return { 'proxy-authorization': basicAuthorization(username ?? '', password ?? '') }
}

// A per cent sign that nobody has escaped is meant as it is.
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

async function connect(proxy: URL, signal: AbortSignal): Promise<Duplex> {
  const host = bareHost(proxy.hostname)
  const secure = proxy.protocol === 'https:'
  const port = Number(proxy.port === '' ? (secure ? 443 : 80) : proxy.port)
  const socket = secure ? connectTls({ host, port, servername: host }) : connectTcp({ host, port })
  try {
    await once(socket, secure ? 'secureConnect' : 'connect', { signal })
    return socket
  } catch (error) {
    socket.destroy()
    throw error
  }
}

async function tunnel(proxy: URL, target: URL, signal: AbortSignal): Promise<Duplex> {
  const place = `${target.hostname}:${target.port === '' ? '443' : target.port}`
  const start = proxy.protocol === 'https:' ? httpsRequest : httpRequest
  const connect = start({
    method: 'CONNECT',
    host: bareHost(proxy.hostname),
    port: proxy.port === '' ? undefined : proxy.port,
    path: place,
    headers: { host: place, ...proxyAuthorization(proxy) },
    agent: false,
    signal,
  })
  return await new Promise<Duplex>((resolve, reject) => {
    connect.once('error', reject)
    connect.once('connect', ({ statusCode = 0 }, socket: Duplex) => {
      if (statusCode >= 200 && statusCode < 300) {
        resolve(socket)
        return
      }
      socket.destroy()
      reject(refusal(proxy, place, statusCode))
    })
    // A proxy that answers CONNECT with a body, as if it were any other request.
    connect.once('response', (response) => {
      response.destroy()
      reject(refusal(proxy, place, response.statusCode ?? 0))
    })
    connect.end()
  })
}

function refusal(proxy: URL, place: string, status: number): CodedError {
  const code = status === 407 ? PROXY_WANTS_LOGIN : status < 500 ? PROXY_REFUSED : PROXY_FAILED
  return new CodedError(code, `the proxy ${proxy.host} answered CONNECT ${place} with ${status}`)
}
