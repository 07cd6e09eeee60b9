import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Cosign, openCosign } from '../support/clients/cosign.ts'
import { eventually } from '../support/eventually.ts'
import { goProgram, missingProgram } from '../support/process/go-program.ts'
import { pushReferrer } from '../support/images/referrer.ts'
import { run } from '../support/process/run.ts'
import { skopeo } from '../support/images/skopeo.ts'
import { tempFolder } from '../support/process/temp-folder.ts'
import { arrives, type Site, startSite } from '../e2e/site.ts'

const ORAS = goProgram('oras') ?? ''
const VERSIONS = [
  { version: '2.8', program: undefined, missing: '' },
  {
    version: '3',
    program: goProgram('distribution3'),
    missing: missingProgram('distribution3'),
  },
]
const PAIRS = VERSIONS.flatMap((upstream) => VERSIONS.map((local) => ({ upstream, local })))

for (const { upstream, local } of PAIRS) {
  const missing = upstream.missing || local.missing
  const pair = `CNCF distribution ${local.version} here and ${upstream.version} upstream`

  describe.skipIf(missing !== '')(`what refers to an image, with ${pair}${missing}`, () => {
    let site: Site

    beforeAll(async () => {
      site = await startSite({
        upstream: { program: upstream.program },
        local: { program: local.program },
        project: '    revalidateAfter: 0s',
      })
    })

    afterAll(async () => {
      await site[Symbol.asyncDispose]()
    })

    describe.skipIf(goProgram('cosign') === undefined)(`cosign${missingProgram('cosign')}`, () => {
      let cosign: Cosign

      beforeAll(async () => {
        cosign = await openCosign()
      })

      afterAll(async () => {
        await cosign[Symbol.asyncDispose]()
      })

      it('verifies before the first pull, and after it on the other side', async () => {
        const image = await site.publish('team/signed:1.0')
        const name = `${site.upstream.host}/team/signed@${image.top.digest}`
        expect(await cosign.sign(name)).toMatchObject({ code: 0 })

        expect(await cosign.verify(`${site.gateway}/team/signed:1.0`)).toMatchObject({ code: 0 })

        await pulled(site, 'team/signed:1.0')
        await arrives(site, 'team/signed:1.0', image)
        await eventually(
          async () => (await cosign.verify(`${site.local.host}/team/signed:1.0`)).code === 0,
          { describe: 'the signature to be in the local registry' },
        )
      })

      it('verifies what was signed after it had been copied', async () => {
        const image = await site.publish('team/late:1.0')
        await pulled(site, 'team/late:1.0')
        await arrives(site, 'team/late:1.0', image)
        const gateway = `${site.gateway}/team/late:1.0`
        expect((await cosign.verify(gateway)).code).not.toBe(0)

        const name = `${site.upstream.host}/team/late@${image.top.digest}`
        expect(await cosign.sign(name)).toMatchObject({ code: 0 })

        expect(await cosign.verify(gateway)).toMatchObject({ code: 0 })
      })
    })

    it.skipIf(ORAS === '')(
      `is discovered by oras and comes along with a recursive copy${missingProgram('oras')}`,
      async () => {
        await using folder = await tempFolder('layout')
        const image = await site.publish('team/listed:1.0')
        const referrer = await pushReferrer({
          ...{ url: site.upstream.url, repository: 'team/listed', subject: image.top },
          ...{ artifactType: 'application/x.sbom', content: 'what is in it' },
        })
        const name = `${site.gateway}/team/listed:1.0`
        const layout = `${join(folder.path, 'layout')}:1.0`

        const found = await run(ORAS, ['discover', '--plain-http', '--format', 'json', name])
        const copied = await run(ORAS, [
          ...['cp', '-r', '--from-plain-http', name, '--to-oci-layout', layout],
        ])
        const here = await run(ORAS, ['discover', '--oci-layout', '--format', 'json', layout])

        expect(found.stdout.toString()).toContain(referrer.digest)
        expect(copied).toMatchObject({ code: 0 })
        expect(here.stdout.toString()).toContain(referrer.digest)
      },
    )
  })
}

/** What skopeo said stands in the failure of the test. */
async function pulled(site: Site, name: string): Promise<void> {
  const { code, stderr } = await pull(site, name)
  expect({ code, said: code === 0 ? '' : stderr }).toEqual({ code: 0, said: '' })
}

async function pull(site: Site, name: string) {
  await using folder = await tempFolder('pulled')
  return await skopeo([
    ...['copy', '--all', '--src-tls-verify=false', `docker://${site.gateway}/${name}`],
    `dir:${folder.path}`,
  ])
}
