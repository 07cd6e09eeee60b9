import type { IgnoreReason } from '../policy/decision.ts'

/** Why nothing is made of an event, for people. */
export const IGNORE_WORDS: Readonly<Record<IgnoreReason, string>> = {
  'unknown-project': 'no project of the configuration has this name, and there is none named "*"',
  'auto-sync-off': 'its project has autoSync: false',
  'repository-filtered': "its project's repositories filter leaves this repository out",
  'tag-filtered': "its project's tags filter leaves this tag out",
  'name-too-long': 'with upstreamProject, the name on the upstream is longer than registries take',
  'own-activity': 'it is what pullsync did itself',
  'upstream-push-ignored': 'its project has onUpstreamPush: ignore',
  'local-push': 'it was pushed to the local registry',
  pull: 'a pull asks for nothing',
  delete: 'a deletion asks for nothing',
  'nothing-named': 'no tag or digest is named',
}
