import type { Format } from './format.ts'
import { acr } from './formats/acr.ts'
import { artifactory } from './formats/artifactory.ts'
import { cloudevents } from './formats/cloudevents.ts'
import { distribution } from './formats/distribution.ts'
import { dockerhub } from './formats/dockerhub.ts'
import { ecr } from './formats/ecr.ts'
import { gar } from './formats/gar.ts'
import { gitea } from './formats/gitea.ts'
import { github } from './formats/github.ts'
import { gitlab } from './formats/gitlab.ts'
import { harbor } from './formats/harbor.ts'
import { nexus } from './formats/nexus.ts'
import { pullMiss } from './formats/pull-miss.ts'
import { quay } from './formats/quay.ts'
import { zot } from './formats/zot.ts'

/** Every format a source can have, by its name in the config. */
export const FORMATS = {
  distribution,
  harbor,
  zot,
  quay,
  dockerhub,
  github,
  gitlab,
  gitea,
  acr,
  ecr,
  gar,
  artifactory,
  nexus,
  cloudevents,
  'pull-miss': pullMiss,
} as const satisfies Record<string, Format>

export type FormatName = keyof typeof FORMATS
