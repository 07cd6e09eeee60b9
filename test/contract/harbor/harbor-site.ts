import { startHarbor, type TestHarbor } from '../../support/harbor/harbor.ts'
import type { Account } from '../../support/harbor/state.ts'
import { buildImage, type BuiltImage } from '../../support/images/image.ts'
import { pushOverHttp } from '../../support/images/push-over-http.ts'

interface Sent {
  readonly body?: Buffer
  readonly headers?: Readonly<Record<string, string>>
}

export async function harborSite(): Promise<HarborSite> {
  return new HarborSite(await startHarbor())
}

export const basic = (account: Account) => `Basic ${btoa(loginOf(account))}`

/** The stand-in for Harbor, with a private project, its members, and a public one. */
export class HarborSite implements AsyncDisposable {
  harbor: TestHarbor
  readonly developer: Account
  readonly guest: Account
  readonly open: AsyncDisposable[] = []

  constructor(harbor: TestHarbor) {
    this.harbor = harbor
    harbor.addProject('team')
    harbor.addProject('open', { public: true })
    this.developer = harbor.addUser('dev', 'developer', 'team')
    this.guest = harbor.addUser('guest', 'guest', 'team')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of [...this.open, this.harbor]) await each[Symbol.asyncDispose]()
  }

  async ask(method: string, path: string, authorization?: string, sent: Sent = {}) {
    const headers = { ...sent.headers, ...(authorization !== undefined && { authorization }) }
    const response = await fetch(`${this.harbor.url}${path}`, { ...sent, method, headers })
    const body = await response.text()
    return {
      status: response.status,
      challenge: response.headers.get('www-authenticate'),
      headers: response.headers,
      body,
    }
  }

  async tokenOf(account: Account | undefined, ...scopes: string[]) {
    const query = scopes.map((scope) => `&scope=${encodeURIComponent(scope)}`).join('')
    const path = `/service/token?service=harbor-registry${query}`
    const answer = await this.ask('GET', path, account && basic(account))
    const { token } = JSON.parse(answer.body) as { token: string }
    const [, claims = ''] = token.split('.')
    const { access } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as {
      access: { name: string; actions: string[] }[]
    }
    return { token: `Bearer ${token}`, access }
  }

  async push(name: string, options: Parameters<typeof buildImage>[0] = {}) {
    const image = await buildImage({ platforms: ['linux/amd64'], index: false, ...options })
    this.open.push(image)
    await this.pushTo(name, image)
    return image
  }

  pushTo(name: string, image: BuiltImage) {
    const [repository = '', tag = ''] = name.split(':')
    const credentials = loginOf(this.harbor.admin)
    return pushOverHttp(image, { url: this.harbor.url, repository, tag, credentials })
  }

  at(repository: string) {
    const credentials = loginOf(this.harbor.admin)
    return { url: this.harbor.url, repository, credentials }
  }

  as(repository: string) {
    return { ...this.at(repository), tag: '' }
  }
}

function loginOf({ name, password }: Account): string {
  return `${name}:${password}`
}
