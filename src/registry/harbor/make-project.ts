import type { AskHarbor } from './ask-harbor.ts'

/** An ordinary project, without limit. False where there is one of that name already. */
export async function makeProject(
  ask: AskHarbor,
  { name, isPublic }: { readonly name: string; readonly isPublic: boolean },
  signal: AbortSignal,
): Promise<boolean> {
  const { status } = await ask({
    method: 'POST',
    path: 'projects',
    what: `make the project ${name} in`,
    body: { project_name: name, metadata: { public: String(isPublic) }, storage_limit: -1 },
    expect: [201, 409],
    signal,
  })
  return status === 201
}

/** False where it is not empty, which Harbor then keeps. */
export async function removeProject(
  ask: AskHarbor,
  name: string,
  signal: AbortSignal,
): Promise<boolean> {
  const { status } = await ask({
    method: 'DELETE',
    path: `projects/${encodeURIComponent(name)}`,
    what: `remove the project ${name} from`,
    expect: [200, 404, 409, 412],
    signal,
  })
  return status === 200 || status === 404
}

/** With all that is in it. */
export async function removeRepository(
  ask: AskHarbor,
  { project, repository }: { readonly project: string; readonly repository: string },
  signal: AbortSignal,
): Promise<void> {
  // A slash in its name is encoded twice.
  const name = encodeURIComponent(encodeURIComponent(repository))
  await ask({
    method: 'DELETE',
    path: `projects/${encodeURIComponent(project)}/repositories/${name}`,
    what: `remove the repository ${project}/${repository} from`,
    expect: [200, 404],
    signal,
  })
}
