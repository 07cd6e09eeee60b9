import { createPrivateKey, type KeyObject, randomUUID, sign, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { makeCertificate } from '../network/certificate.ts'
import { tempFolder } from '../process/temp-folder.ts'

export interface TokenServiceOptions {
  readonly username: string
  readonly password: string
  /** 300 unless told. CNCF distribution takes a token for a minute longer. */
  readonly expiresInS?: number
  /** What the answer says of it, in the place of `expiresInS`. */
  readonly saidToExpireInS?: number
  /**
   * As Harbor does: wrong credentials with a scope are answered 200 with a token that allows
   * nothing; only without any scope are they refused.
   */
  readonly lenient?: boolean
}

/** A token request as it came. */
export interface TokenRequest {
  readonly scopes: readonly string[]
  readonly authorization: string | undefined
  readonly userAgent: string | undefined
}

/**
 * A token service of the distribution project's specification on 127.0.0.1, whose tokens a
 * docker-registry with `tokenAuth` accepts. It answers nothing but its realm.
 */
export interface TokenService extends AsyncDisposable {
  /** What `startRegistry({ tokenAuth })` wants. */
  readonly tokenAuth: {
    readonly realm: string
    readonly service: string
    readonly issuer: string
    readonly rootCertBundle: string
  }
  readonly requests: readonly TokenRequest[]
}

export async function startTokenService(options: TokenServiceOptions): Promise<TokenService> {
  const folder = await tempFolder('tokens')
  const { certFile, keyFile, caFile } = await makeCertificate(folder.path)
  const signer: Signer = {
    key: createPrivateKey(await readFile(keyFile)),
    certificate: new X509Certificate(await readFile(certFile)).raw.toString('base64'),
  }
  const requests: TokenRequest[] = []
  const server = createServer((request, response) => {
    const asked = new URL(request.url ?? '/', 'http://127.0.0.1')
    requests.push({
      scopes: asked.searchParams.getAll('scope'),
      authorization: request.headers.authorization,
      userAgent: request.headers['user-agent'],
    })
    answer(request, response, asked, { options, signer })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // What listens on TCP has an address of this kind.
  const { port } = server.address() as AddressInfo
  return {
    tokenAuth: {
      realm: `http://127.0.0.1:${port}/token`,
      service: SERVICE,
      issuer: ISSUER,
      rootCertBundle: caFile,
    },
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await folder[Symbol.asyncDispose]()
    },
  }
}

const SERVICE = 'test registry, with a comma'
const ISSUER = 'pullsync test'

interface Signer {
  readonly key: KeyObject
  /** DER as base64, which goes into each token. */
  readonly certificate: string
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  asked: URL,
  { options, signer }: { readonly options: TokenServiceOptions; readonly signer: Signer },
): void {
  const scopes = asked.searchParams.getAll('scope')
  const known = isKnown(request, options)
  if (!known && (scopes.length === 0 || options.lenient !== true)) {
    reply(response, 401, { errors: [{ code: 'UNAUTHORIZED', message: 'wrong credentials' }] })
    return
  }
  const expiresInS = options.expiresInS ?? 300
  const access = known ? scopes.map(accessOf) : []
  const expires_in = options.saidToExpireInS ?? expiresInS
  reply(response, 200, { token: jwt(signer, access, expiresInS), expires_in })
}

function isKnown(request: IncomingMessage, { username, password }: TokenServiceOptions): boolean {
  const pair = Buffer.from(`${username}:${password}`).toString('base64')
  return request.headers.authorization === `Basic ${pair}`
}

function reply(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}

function accessOf(scope: string): object {
  const [type = '', ...rest] = scope.split(':')
  const actions = (rest.pop() ?? '').split(',')
  return { type, name: rest.join(':'), actions }
}

function jwt(signer: Signer, access: readonly object[], expiresInS: number): string {
  const now = Math.floor(Date.now() / 1000)
  const header = { typ: 'JWT', alg: 'RS256', x5c: [signer.certificate] }
  const claims = {
    ...{ iss: ISSUER, sub: 'test', aud: SERVICE, jti: randomUUID(), access },
    ...{ iat: now, nbf: now - 10, exp: now + expiresInS },
  }
  const content = [header, claims].map((part) => base64url(JSON.stringify(part))).join('.')
  return `${content}.${sign('sha256', Buffer.from(content), signer.key).toString('base64url')}`
}

function base64url(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64url')
}
