import type { FormatName } from '../../events/formats.ts'
import { acrNotifications, ecrNotifications, garNotifications } from './clouds.ts'
import { distributionNotifications, gitlabNotifications } from './distribution.ts'
import { giteaNotifications, githubNotifications } from './forges.ts'
import type { NotificationsOptions } from './options.ts'
import {
  artifactoryNotifications,
  cloudeventsNotifications,
  dockerhubNotifications,
  harborNotifications,
  nexusNotifications,
  quayNotifications,
  zotNotifications,
} from './registries.ts'

const SET_UPS: Readonly<
  Record<Exclude<FormatName, 'pull-miss'>, (options: NotificationsOptions) => string>
> = {
  distribution: distributionNotifications,
  harbor: harborNotifications,
  zot: zotNotifications,
  quay: quayNotifications,
  dockerhub: dockerhubNotifications,
  github: githubNotifications,
  gitlab: gitlabNotifications,
  gitea: giteaNotifications,
  acr: acrNotifications,
  ecr: ecrNotifications,
  gar: garNotifications,
  artifactory: artifactoryNotifications,
  nexus: nexusNotifications,
  cloudevents: cloudeventsNotifications,
}

/**
 * What the sender of the source's events needs, ready to paste: its own configuration, or commands;
 * words in capitals are to be filled in.
 * @throws RangeError for `pull-miss`, whose sender is a proxy
 */
export function notificationsSnippet(
  options: NotificationsOptions & { readonly format: FormatName },
): string {
  const { format } = options
  if (format === 'pull-miss') throw new RangeError('a pull-miss source is set up with nginx')
  return SET_UPS[format](options)
}
