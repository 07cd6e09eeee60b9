import { ExpressAdapter } from '@bull-board/express'
import { withoutInvisible } from '../text/invisible.ts'
import type { Express, Request, Response } from 'express'

type EntryRoute = Parameters<ExpressAdapter['setEntryRoute']>[0]

/** bull-board's pages without what they load from elsewhere: web fonts, which have local substitutes. */
export class BoardAdapter extends ExpressAdapter {
  constructor() {
    super()
    this.app.disable('x-powered-by')
    // What registries said stands in failed jobs, and the page shows text as it comes.
    this.app.set('json replacer', shown)
  }

  override setBasePath(path: string): this {
    super.setBasePath(path)
    return this
  }

  override setEntryRoute(entry: EntryRoute): this {
    const show = (_request: Request, response: Response): void => {
      const { name, params } = entry.handler({ basePath: this.basePath, uiConfig: this.uiConfig })
      response.render(name, params, (error: Error | null, html?: string) => {
        if (html === undefined) throw error ?? new Error(`${name} rendered nothing`)
        response.send(withoutForeignLinks(html))
      })
    }
    for (const route of [entry.route].flat()) this.app.get(route, show)
    return this
  }

  override getRouter(): Express {
    return this.app
  }
}

function shown(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? withoutInvisible(value) : value
}

function withoutForeignLinks(html: string): string {
  return html.replace(/<link\b[^>]*\bhref="https?:[^>]*>\s*/g, '')
}
