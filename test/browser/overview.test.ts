import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Site, startSite } from '../e2e/site.ts'
import { freePort } from '../support/network/free-port.ts'
import { eventually } from '../support/eventually.ts'

const CHROMIUM = '/usr/bin/chromium'
const title = existsSync(CHROMIUM)
  ? ''
  : ' (skipped: no Chromium here; on Debian the package chromium)'
const AXE = createRequire(import.meta.url).resolve('axe-core')

describe.skipIf(!existsSync(CHROMIUM))(`the overview in a browser${title}`, () => {
  let site: Site
  let browser: Browser
  let page: Page

  beforeAll(async () => {
    site = await startSite({
      ...{ together: true, throughLine: true, jobs: 'jobs: { attempts: 1 }' },
    })
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      // As root, and without a network: whatever it would ask for by itself cannot be had.
      args: [
        ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
        ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
      ],
    })
    await using image = await site.publish('team/app:1.0')
    expect(image.bytes).toBeGreaterThan(0)
    await site.miss('team/app', '1.0')
    await site.miss('team/nothing', '1.0')
    await eventually(async () => (await site.jobs('--state', 'completed')).length >= 2, {})
    site.line.lead(await freePort())
    site.line.cut()
    await site.post('hq-push', pushOf('team/app', '1.0'))
    await eventually(async () => (await site.jobs('--state', 'failed')).length > 0, {})
    page = await browser.newPage({ viewport: { width: 800, height: 900 } })
    await page.goto(site.admin)
  })

  afterAll(async () => {
    await browser.close()
    await site[Symbol.asyncDispose]()
  })

  it('shows upstreams, failures, and what was wanted in vain', async () => {
    expect(await page.title()).toBe('pullsync')
    expect(await page.locator('#upstreams tbody th').allTextContents()).toEqual(['hq'])
    expect(await page.locator('#failures').textContent()).toContain('team/app:1.0')
    expect(await page.locator('#wanted').textContent()).toContain('team/nothing:1.0')
    expect(await page.locator('#plots figure').count()).toBe(10)
    const shown = process.env['PULLSYNC_SCREENSHOT']
    if (shown !== undefined) await page.screenshot({ path: shown, fullPage: true })
  })

  it('is not wider than a narrow window', async () => {
    const [scroll, client] = await page.evaluate<readonly number[]>(
      '[document.documentElement.scrollWidth, document.documentElement.clientWidth]',
    )

    expect(scroll).toBe(client)
  })

  it.each(['light', 'dark'] as const)('keeps to WCAG AA in %s', async (colorScheme) => {
    await page.emulateMedia({ colorScheme })
    // The page's own policy lets no other script in; the test's comes past it.
    await page.evaluate(await readFile(AXE, 'utf8'))
    const violations = await page.evaluate<readonly string[]>(
      `axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa'] }).then(({ violations }) =>
        violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => id + ': ' + html)))`,
    )

    expect(violations).toEqual([])
  })

  it('can be used with the keyboard alone, and its updates be paused', async () => {
    await page.locator('#pause').focus()
    await page.keyboard.press('Enter')

    expect(await page.locator('#pause').textContent()).toBe('Resume updates')
    await page.keyboard.press('Enter')
    expect(await page.locator('#pause').textContent()).toBe('Pause updates')
    await page.locator('input[name=name]').focus()
    await page.keyboard.type('team/app')
    await page.keyboard.press('Enter')
    await page.waitForURL(/image\?name=team%2Fapp/)
    expect(await page.locator('main').textContent()).toContain('copied')
    await page.goBack()
  })

  it('follows what happens without being loaded anew', async () => {
    site.line.lead(site.upstream.port)
    const [failed] = await site.jobs('--state', 'failed')
    expect(failed).toBeDefined()

    await page
      .getByRole('button', { name: /^Retry/ })
      .first()
      .click()

    await eventually(
      async () => (await page.locator('#failures').textContent())?.includes('No job has failed'),
      { describe: 'the failure to go from the page' },
    )
  })
})

function pushOf(repository: string, tag: string): object {
  const digest = `sha256:${'0'.repeat(64)}`
  const target = {
    ...{ mediaType: 'application/vnd.oci.image.manifest.v1+json', size: 1, length: 1 },
    ...{ digest, repository, tag, url: '' },
  }
  const now = new Date().toISOString()
  return { events: [{ id: 'moved', timestamp: now, action: 'push', target, actor: {} }] }
}
