import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ConfigSchema } from '../../schemas/config.js'
import {
  kustomization, MANIFESTS_FOLDER, readManifestFile, readManifests, type Manifest
} from '../helpers/manifests.js'

const manifests = kustomization.resources.flatMap(readManifests)
const [secret] = readManifests('secret.example.yaml')
const ofKind = (kind: string): Manifest[] => manifests.filter(manifest => manifest.kind === kind)
const deployments = ofKind('Deployment')
const podOf = ({ spec }: Manifest) => spec.template.spec
const containerOf = (deployment: Manifest) => podOf(deployment).containers[0]
const componentOf = (labels: Record<string, string> | undefined): string | undefined =>
  labels?.['app.kubernetes.io/component']

const variables = ConfigSchema.properties as Record<string, { default?: unknown }>
const settings = Object.fromEntries(readManifestFile('gateway.env').trim().split('\n').map(line => line.split('=')))

function environmentOf (deployment: Manifest): Record<string, string> {
  const { env, envFrom } = containerOf(deployment)
  t.same(envFrom, [
    { configMapRef: { name: kustomization.configMapGenerator[0]!.name } },
    { secretRef: { name: secret!.metadata.name } }
  ])
  return {
    ...settings,
    ...secret!.stringData,
    ...Object.fromEntries(env.map(({ name, value }: { name: string, value: string }) => [name, value]))
  }
}

t.test('the base names every file that is there', async t => {
  const named = [
    ...kustomization.resources, ...kustomization.configMapGenerator.flatMap(({ envs }) => envs),
    'kustomization.yaml', 'secret.example.yaml'
  ]
  t.same(named.sort(), readdirSync(join(MANIFESTS_FOLDER)).sort())
})

t.test('every variable is one of the gateway, and none is missing that it needs', async t => {
  t.equal(deployments.length, 2)
  for (const deployment of deployments) {
    const environment = environmentOf(deployment)
    for (const name of Object.keys(environment)) t.ok(name in variables, `${deployment.metadata.name}: ${name}`)
    for (const name of ConfigSchema.required ?? []) {
      t.ok(name in environment || variables[name]!.default !== undefined, `${deployment.metadata.name}: ${name}`)
    }
    t.ok('REDIS_URL' in environment, 'pods share a store')
    const port = environment.FORWARDER === 'only' ? environment.WORKER_PORT : environment.PORT
    t.equal(String(containerOf(deployment).ports[0].containerPort), port)
  }
  t.same(deployments.map(deployment => environmentOf(deployment).FORWARDER), ['off', 'only'])
})

t.test('each selector finds the pods of one deployment, and each name that is used is there', async t => {
  const components = deployments.map(({ spec }) => componentOf(spec.template.metadata.labels))
  for (const deployment of deployments) {
    const component = componentOf(deployment.spec.template.metadata.labels)
    t.equal(componentOf(deployment.spec.selector.matchLabels), component)
    for (const { labelSelector } of podOf(deployment).topologySpreadConstraints) {
      t.equal(componentOf(labelSelector.matchLabels), component)
    }
    const accounts = ofKind('ServiceAccount').map(({ metadata }) => metadata.name)
    t.ok(accounts.includes(podOf(deployment).serviceAccountName))
    t.ok(kustomization.images.some(({ name }) => name === containerOf(deployment).image))
  }
  for (const kind of ['PodDisruptionBudget', 'NetworkPolicy']) {
    const selected = ofKind(kind).map(({ spec }) => componentOf((spec.selector ?? spec.podSelector).matchLabels))
    t.same(selected, components, kind)
  }
  const [service] = ofKind('Service')
  t.equal(componentOf(service!.spec.selector), 'web')
  t.equal(service!.spec.ports[0].targetPort, containerOf(deployments[0]!).ports[0].name)
  const [scaler] = ofKind('HorizontalPodAutoscaler')
  t.equal(scaler!.spec.scaleTargetRef.name, deployments[0]!.metadata.name)
  t.notOk('replicas' in deployments[0]!.spec, 'the autoscaler alone says how many')
})

t.test('pods are held to the restricted standard, with a root that nobody writes to', async t => {
  t.match(ofKind('Namespace')[0]!.metadata.labels, { 'pod-security.kubernetes.io/enforce': 'restricted' })
  for (const deployment of deployments) {
    t.match(podOf(deployment), {
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } }
    })
    t.same(containerOf(deployment).securityContext, {
      allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] }
    })
  }
  const [web, worker] = ofKind('ServiceAccount')
  t.equal(web!.metadata.annotations, undefined, 'web pods have no rights')
  t.ok(worker!.metadata.annotations!['eks.amazonaws.com/role-arn'])
})

t.test('probes leave a pod in service while AWS denies, and a pod that ends has time to deliver', async t => {
  for (const deployment of deployments) {
    const { startupProbe, readinessProbe, livenessProbe, lifecycle } = containerOf(deployment)
    for (const probe of [startupProbe, readinessProbe, livenessProbe]) {
      t.same(probe.httpGet, { path: '/health/live', port: 'http' })
    }
    const neededMs = lifecycle.preStop.sleep.seconds * 1_000 + Number(variables.SHUTDOWN_GRACE_MS!.default) + 5_000
    t.ok(podOf(deployment).terminationGracePeriodSeconds * 1_000 > neededMs)
    t.equal(deployment.spec.strategy.rollingUpdate.maxUnavailable, 0)
  }
})
