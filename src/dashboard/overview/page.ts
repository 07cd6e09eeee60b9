import { type Html, html } from './html.ts'
import { plotsSection } from './plots.ts'
import { comingSection, failuresSection, upstreamsSection, wantedSection } from './sections.ts'
import type { Snapshot } from './snapshot.ts'

/** The parts of the page that are brought up to date while somebody looks at it, by their ids. */
export const SECTIONS = {
  upstreams: { title: 'Upstreams', show: upstreamsSection },
  coming: { title: 'Coming now', show: comingSection },
  failures: { title: 'Failures', show: failuresSection },
  wanted: { title: 'Wanted, and nowhere', show: wantedSection },
  plots: {
    title: 'The last hour and day',
    show: ({ minutes, at }: Snapshot) => plotsSection(minutes, at),
  },
} as const

/** The whole overview; without a snapshot, what was found wrong instead. */
export function overviewPage(snapshot: Snapshot | { readonly problem: string }): string {
  const body =
    'problem' in snapshot
      ? html`<p role="alert" class="problem">${snapshot.problem}</p>`
      : html`${Object.entries(SECTIONS).map(
          ([id, { title, show }]) =>
            html`<section aria-labelledby="${id}-title">
              <h2 id="${id}-title">${title}</h2>
              <div id="${id}">${show(snapshot)}</div>
            </section>`,
        )}`
  return framed('pullsync', body, { live: true })
}

export function framed(title: string, body: Html, { live = false } = {}): string {
  const script = live ? html`<script src="overview.js" defer></script>` : undefined
  const pause = live
    ? html`<button type="button" id="pause" hidden>Pause updates</button>`
    : undefined
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        <link rel="stylesheet" href="overview.css" />
        <link rel="icon" href="data:," />
        ${script}
      </head>
      <body>
        <header>
          <h1><a href="./">pullsync</a></h1>
          <form role="search" method="get" action="image">
            <label
              >Image <input name="name" type="search" required placeholder="team/app:1.0"
            /></label>
            <button>Find</button>
          </form>
          <nav aria-label="More"><a href="dashboard">Queues</a> <a href="metrics">Metrics</a></nav>
          ${pause}
        </header>
        <main>${body}</main>
      </body>
    </html>`.text
}
