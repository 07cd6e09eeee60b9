/** A project of the config, as policy needs it. */
export interface Project {
  /** The first path component of local repositories; `*` matches what no other project does. */
  readonly name: string
  /** Upstream ids, tried in this order. */
  readonly upstreams: readonly [string, ...string[]]
  readonly autoSync: boolean
  /** The first path component on the upstream; absent: the same as the local one. */
  readonly upstreamProject?: string
  readonly repositories: NameFilter
  readonly tags: NameFilter
  readonly platforms: 'all' | readonly string[]
  readonly referrers: boolean
  /** How old the last look at a tag upstream may be when somebody pulls it. */
  readonly revalidateAfterMs: number
  readonly onUpstreamPush: 'refresh' | 'always' | 'ignore'
  readonly onUpstreamDelete: 'keep' | 'delete'
}

/** Glob patterns; a name passes when one of `include` and none of `exclude` matches. */
export interface NameFilter {
  readonly include: readonly string[]
  readonly exclude: readonly string[]
}
