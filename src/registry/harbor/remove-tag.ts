import { projectOf, type Repository, type Tag } from '../../oci/reference.ts'
import type { AskHarbor } from './ask-harbor.ts'

/** One tag and not its artifact. False where there is no such tag, or no Harbor. */
export async function removeTag(
  ask: AskHarbor,
  { repository, tag }: { readonly repository: Repository; readonly tag: Tag },
  signal: AbortSignal,
): Promise<boolean> {
  const project = projectOf(repository)
  // A slash in its name is encoded twice.
  const name = encodeURIComponent(encodeURIComponent(repository.slice(project.length + 1)))
  const { status } = await ask({
    method: 'DELETE',
    path: `projects/${project}/repositories/${name}/artifacts/${tag}/tags/${tag}`,
    what: `delete the tag ${repository}:${tag} from`,
    expect: [200, 404, 405],
    signal,
  })
  return status === 200
}
