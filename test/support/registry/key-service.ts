import { createServer, type RequestListener } from 'node:http'
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'

/** What a token says; `email_verified` and the times are right unless told. */
export type Claims = Readonly<Record<string, unknown>>

export interface TokenOptions {
  /** Of the key in the token's header; the published one's unless told. */
  readonly kid?: string
  /** Signs with a key that is not published. */
  readonly forged?: boolean
  /** Seconds from now; 600 unless told. */
  readonly expiresIn?: number
}

/** An issuer of tokens that publishes its key as a JSON Web Key Set on 127.0.0.1. */
export interface KeyService extends AsyncDisposable {
  readonly keysUrl: URL
  /** How often the keys were asked for. */
  asked(): number
  /** What is answered from now on instead of the keys; undefined: the keys again. */
  answerWith(answer: RequestListener | undefined): void
  token(claims: Claims, options?: TokenOptions): Promise<string>
}

export async function startKeyService(): Promise<KeyService> {
  const pair = await newPair('key-1')
  const other = await newPair('key-1')
  let asked = 0
  let answer: RequestListener | undefined
  const server = createServer((request, response) => {
    asked += 1
    if (answer !== undefined) answer(request, response)
    else response.end(JSON.stringify({ keys: [pair.jwk] }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    keysUrl: new URL(`http://127.0.0.1:${port}/certs`),
    asked: () => asked,
    answerWith(next) {
      answer = next
    },
    token: (claims, options) => signed(options?.forged === true ? other : pair, claims, options),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

interface Pair {
  readonly privateKey: Awaited<ReturnType<typeof generateKeyPair>>['privateKey']
  readonly jwk: JWK
}

async function newPair(kid: string): Promise<Pair> {
  const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true })
  return { privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' } }
}

async function signed(
  { privateKey, jwk }: Pair,
  claims: Claims,
  { kid = jwk.kid ?? '', expiresIn = 600 }: TokenOptions = {},
): Promise<string> {
  const now = Math.floor(Date.now() / 1_000)
  return await new SignJWT({ email_verified: true, iat: now, exp: now + expiresIn, ...claims })
    .setProtectedHeader({ alg: 'RS256', kid, typ: 'JWT' })
    .sign(privateKey)
}
