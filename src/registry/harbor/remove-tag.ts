import { z } from 'zod'
import { projectOf, type Repository, type Tag } from '../../oci/reference.ts'
import type { AskHarbor } from './ask-harbor.ts'

/** One tag and not its artifact. What is gone already is removed. False where there is no Harbor. */
export async function removeTag(
  ask: AskHarbor,
  { repository, tag }: { readonly repository: Repository; readonly tag: Tag },
  signal: AbortSignal,
): Promise<boolean> {
  const project = projectOf(repository)
  // A slash in its name is encoded twice.
  const name = encodeURIComponent(encodeURIComponent(repository.slice(project.length + 1)))
  const { status, body } = await ask({
    method: 'DELETE',
    path: `projects/${project}/repositories/${name}/artifacts/${tag}/tags/${tag}`,
    what: `delete the tag ${repository}:${tag} from`,
    expect: [200, 404, 405],
    signal,
  })
  return status === 200 || (status === 404 && saysNotFound(body))
}

// Others do not know such a path, and say so in other words.
function saysNotFound(body: unknown): boolean {
  const said = refusal.safeParse(body)
  return said.success && said.data.errors.some(({ code }) => code === 'NOT_FOUND')
}

const refusal = z.object({ errors: z.array(z.object({ code: z.string() })) })
