import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { RegistryConfig } from '../../../src/config/config.ts'
import type { Registry } from '../../../src/registry/registry.ts'
import {
  refuse,
  type ScriptedRegistry,
  startScriptedRegistry,
} from '../../support/registry/scripted-registry.ts'
import { tempFolder, type TempFolder } from '../../support/process/temp-folder.ts'
import {
  configFor,
  failureOf,
  manifestOf,
  open,
  reference,
  repository,
  SIGNAL,
} from '../contract-content.ts'

const MANIFEST = manifestOf({ layers: [] })
const TAG = reference('1.0')

let registry: ScriptedRegistry
/** Where a cloud gives its tokens. */
let cloud: ScriptedRegistry
let folder: TempFolder
let clients: Registry[]

beforeEach(async () => {
  registry = await startScriptedRegistry()
  cloud = await startScriptedRegistry()
  folder = await tempFolder('clouds')
  clients = []
  registry.addManifest('team/app', '1.0', MANIFEST.bytes, MANIFEST.mediaType)
  // Nothing of the machine that runs this may count.
  vi.stubEnv('HOME', folder.path)
})

afterEach(async () => {
  vi.unstubAllEnvs()
  for (const each of [...clients, registry, cloud, folder]) await each[Symbol.asyncDispose]()
})

async function pull(more: Partial<RegistryConfig>) {
  const client = open(configFor(registry.url, { id: 'hq', ...more }))
  clients.push(client)
  return await client.repository(repository('team/app')).getManifest(TAG, SIGNAL)
}

function want(authorization: string, challenge: string): void {
  registry.script({ path: /^\/v2\// }, async ({ request, response, serve }) => {
    if (request.headers.authorization === authorization) {
      await serve()
      return
    }
    response.setHeader('www-authenticate', challenge)
    refuse(response, 401, 'UNAUTHORIZED')
  })
}

function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

/** Answers with these, by path; returns what was posted, and with which headers. */
function answerAs(
  server: ScriptedRegistry,
  answers: Readonly<Record<string, object>>,
): { readonly path: string; readonly body: string; readonly headers: NodeJS.Dict<unknown> }[] {
  const asked: ReturnType<typeof answerAs> = []
  for (const [path, answer] of Object.entries(answers)) {
    server.script({ path: new RegExp(`^${path}($|\\?)`) }, async ({ request, response }) => {
      const { url = '', headers } = request
      asked.push({ path: url, body: await text(request), headers })
      response.writeHead(200, { 'content-type': 'application/json', 'metadata-flavor': 'Google' })
      response.end(JSON.stringify(answer))
    })
  }
  return asked
}

describe('Amazon ECR', () => {
  beforeEach(() => {
    vi.stubEnv('AWS_ENDPOINT_URL', cloud.url)
    vi.stubEnv('AWS_REGION', 'eu-west-1')
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDEXAMPLE')
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'of-the-cloud-account')
  })

  it('is shown the password that AWS gives for the identity of this machine', async () => {
    const authorizationToken = Buffer.from('AWS:for-twelve-hours').toString('base64')
    const expiresAt = Math.floor(Date.now() / 1_000) + 43_200
    const asked = answerAs(cloud, {
      '/': { authorizationData: [{ authorizationToken, expiresAt }] },
    })
    want(basic('AWS', 'for-twelve-hours'), 'Basic realm="https://e/",service="ecr.amazonaws.com"')

    expect(await pull({ credentials: { kind: 'ecr' } })).toEqual(MANIFEST)

    expect(asked).toHaveLength(1)
    expect(asked[0]?.headers['x-amz-target']).toMatch(/\.GetAuthorizationToken$/)
    expect(asked[0]?.headers['authorization']).toMatch(
      /Credential=AKIDEXAMPLE\/\d+\/eu-west-1\/ecr/,
    )
  })

  it('whose identity AWS does not let have one is told so, with the key', async () => {
    cloud.script({}, ({ response }) => {
      response.writeHead(400, { 'content-type': 'application/x-amz-json-1.1' })
      response.end('{"__type":"AccessDeniedException","message":"not authorized"}')
    })
    want('nothing', 'Basic realm="https://e/"')

    const failure = await failureOf(pull({ credentials: { kind: 'ecr' } }))

    expect(failure).toMatchObject({ disposition: 'permanent' })
    expect(String(failure)).toMatch(/AccessDeniedException.*upstreams\.hq\.auth/)
    expect(String(failure)).not.toContain('of-the-cloud-account')
  })
})

describe('Google Artifact Registry', () => {
  const token = { access_token: 'of-google', expires_in: 3_600, token_type: 'Bearer' }

  beforeEach(() => {
    want(basic('oauth2accesstoken', 'of-google'), 'Basic realm="g"')
  })

  it('is shown a token of the workload identity that is federated', async () => {
    const subject = join(folder.path, 'subject-token')
    await writeFile(subject, 'the-token-of-the-cluster')
    const file = join(folder.path, 'workload.json')
    const audience = '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p'
    const type = 'urn:ietf:params:oauth:token-type:jwt'
    await writeFile(
      file,
      JSON.stringify({
        ...{ type: 'external_account', audience, subject_token_type: type },
        ...{ token_url: `${cloud.url}/v1/token`, credential_source: { file: subject } },
      }),
    )
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', file)
    const asked = answerAs(cloud, { '/v1/token': token })

    expect(await pull({ credentials: { kind: 'gar' } })).toEqual(MANIFEST)

    const form = new URLSearchParams(asked[0]?.body)
    expect(form.get('subject_token')).toBe('the-token-of-the-cluster')
    expect(form.get('audience')).toBe(audience)
  })

  it('is shown a token of the metadata server', async () => {
    vi.stubEnv('GCE_METADATA_HOST', cloud.host)
    vi.stubEnv('METADATA_SERVER_DETECTION', 'assume-present')
    answerAs(cloud, { '/computeMetadata/v1/instance/service-accounts/default/token': token })

    expect(await pull({ credentials: { kind: 'gar' } })).toEqual(MANIFEST)
  })

  it.each([
    ['_json_key', (key: string) => key],
    ['_json_key_base64', (key: string) => Buffer.from(key).toString('base64')],
  ])('is shown a key file as the password of %s, byte by byte', async (username, passwordOf) => {
    const password = passwordOf(`{\n  "type": "service_account",\n  "é": "a:b\\n"\n}`)
    want(basic(username, password), 'Basic realm="g"')

    expect(await pull({ username, password })).toEqual(MANIFEST)
  })

  it('is shown an access token as the password of oauth2accesstoken', async () => {
    const file = join(folder.path, 'token')
    await writeFile(file, 'of-google\n')

    const username = 'oauth2accesstoken'
    expect(await pull({ username, credentials: { kind: 'access-token', file } })).toEqual(MANIFEST)
  })
})

describe('Azure Container Registry', () => {
  it('exchanges a token of Entra for its own, and that for each scope', async () => {
    vi.stubEnv('IDENTITY_ENDPOINT', `${cloud.url}/msi/token`)
    vi.stubEnv('IDENTITY_HEADER', 'secret-of-the-host')
    const expires_on = Math.floor(Date.now() / 1_000) + 3_600
    answerAs(cloud, {
      '/msi/token': { access_token: 'of-entra', expires_on, token_type: 'Bearer', resource: 'r' },
    })
    const asked = answerAs(registry, {
      '/oauth2/exchange': { refresh_token: 'of-the-registry' },
      '/oauth2/token': { access_token: 'for-the-scope' },
    })
    const service = `realm="${registry.url}/oauth2/token",service="${registry.host}"`
    want('Bearer for-the-scope', `Bearer ${service}`)

    expect(await pull({ credentials: { kind: 'acr' } })).toEqual(MANIFEST)

    const [exchange, token] = asked.map(({ body }) => Object.fromEntries(new URLSearchParams(body)))
    expect(exchange).toEqual({
      ...{ grant_type: 'access_token', service: registry.host, access_token: 'of-entra' },
    })
    expect(token).toMatchObject({
      ...{ grant_type: 'refresh_token', refresh_token: 'of-the-registry' },
      scope: 'repository:team/app:pull',
    })
  })
})
