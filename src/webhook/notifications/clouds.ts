import { eventsUrl, type NotificationsOptions, shellWord } from './options.ts'

/** The registry's own webhook; Event Grid is the other way. */
export function acrNotifications(options: NotificationsOptions): string {
  return `# REGISTRY is the registry's name without .azurecr.io.
az acr webhook create --registry REGISTRY --name pullsync --actions push delete \\
  --uri ${shellWord(eventsUrl(options))} \\
  --headers ${shellWord(`Authorization=Bearer ${options.secret}`)}
az acr webhook ping --registry REGISTRY --name pullsync
`
}

/** An EventBridge rule that sends to an API destination. */
export function ecrNotifications(options: NotificationsOptions): string {
  const key = { ApiKeyAuthParameters: { ApiKeyName: 'X-Api-Key', ApiKeyValue: options.secret } }
  const types = ['ECR Image Action', 'ECR Replication Action', 'ECR Pull Through Cache Action']
  const pattern = { source: ['aws.ecr'], 'detail-type': types }
  return `# ROLE-ARN may invoke the destination (events:InvokeApiDestination). The address must be https.
connection=$(aws events create-connection --name pullsync --authorization-type API_KEY \\
  --auth-parameters ${shellWord(JSON.stringify(key))} \\
  --query ConnectionArn --output text)
destination=$(aws events create-api-destination --name pullsync --connection-arn "$connection" \\
  --http-method POST --invocation-endpoint ${shellWord(eventsUrl(options))} \\
  --query ApiDestinationArn --output text)
aws events put-rule --name pullsync --event-pattern ${shellWord(JSON.stringify(pattern))}
aws events put-targets --rule pullsync --targets "Id=pullsync,Arn=$destination,RoleArn=ROLE-ARN"
`
}

/** A Pub/Sub subscription to the topic that Artifact Registry writes to. */
export function garNotifications(options: NotificationsOptions): string {
  const { audience = eventsUrl(options), email = 'SERVICE-ACCOUNT' } = options.token ?? {}
  return `# The topic must be called gcr; Artifact Registry writes to it when it is there. The address must be https.
gcloud pubsub topics create gcr
gcloud pubsub subscriptions create pullsync --topic gcr \\
  --push-endpoint ${shellWord(eventsUrl(options))} \\
  --push-auth-service-account ${shellWord(email)} \\
  --push-auth-token-audience ${shellWord(audience)}
`
}
