import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { initAuthority } from '@picket/ca'
import {
  createBundleSource,
  createCsr,
  generateKeyPair,
  parseCertificate,
  parseCertificatesPem,
  parsePrivateKeyPem,
  parseTrustBundlePem,
  parseTrustDomain,
  parseX509Svid,
  type KeyPair,
  type X509Svid,
} from '@picket/identity'
import {
  connectControlPlane,
  type ControlPlaneClient,
  type Entry,
  type Hello,
  type Resource,
  type ResourceKindName,
  type SvidMessage,
  type SyncClientStream,
} from '@picket/rpc'
import {
  codeOf,
  createWatch,
  generateSealKeyText,
  parseSealKey,
  resolveSettings,
  systemClock,
  systemRandom,
  type HostPort,
} from '@picket/runtime'
import { createRecordingLogger, type LogEntry } from '@picket/runtime/testing'
import { startControlPlane, type ControlPlane } from './control-plane.ts'
import { controlPlaneSettings, type ControlPlaneSettings } from './settings.ts'
import { openSqliteStore } from './store/sqlite.ts'
import type { Store } from './store/store.ts'

export const TRUST_DOMAIN = parseTrustDomain('bank.test')

/** A control plane in this process on a data folder of its own, with its operator at hand. */
export interface TestControlPlane extends AsyncDisposable {
  readonly dataDir: string
  readonly settings: ControlPlaneSettings
  readonly controlPlane: ControlPlane
  readonly log: readonly LogEntry[]
  /** By the files that the control plane wrote. */
  readonly operator: ControlPlaneClient
  /** A client for this SVID, or for nobody yet. */
  client(svid?: X509Svid, address?: HostPort): ControlPlaneClient
  /** Registers `spiffe://bank.test/NAME` for `service:NAME`. */
  register(name: string, ttlSeconds?: number): Promise<Entry>
  /** A token for `service:NAME`, turned into an SVID. */
  attest(name: string): Promise<X509Svid>
  /** Starts it on the same folder, after a stop. */
  start(change?: Partial<ControlPlaneSettings>): Promise<void>
  stop(): Promise<void>
}

export async function startTestControlPlane(change: Partial<ControlPlaneSettings> = {}): Promise<TestControlPlane> {
  const dataDir = mkdtempSync(join(tmpdir(), 'picket-control-plane-'))
  const sealKey = parseSealKey(generateSealKeyText())
  const deps = { clock: systemClock, random: systemRandom, logger: createRecordingLogger() }
  const authority = await initAuthority(join(dataDir, 'ca'), { trustDomain: TRUST_DOMAIN, sealKey }, deps)
  await authority[Symbol.asyncDispose]()
  const anywhere = { host: '127.0.0.1', port: 0 }
  const settings: ControlPlaneSettings = {
    ...resolveSettings(controlPlaneSettings, []),
    dataDir,
    sealKey,
    listen: anywhere,
    health: anywhere,
    drainTimeout: 1000,
    ...change,
  }
  let clients = new AsyncDisposableStack()
  let operatorSvid: X509Svid | undefined
  let controlPlane = await startControlPlane(deps, settings, new AbortController().signal)
  const readText = (name: string): string => readFileSync(join(dataDir, name), 'utf8')

  const test: TestControlPlane = {
    dataDir,
    settings,
    get controlPlane() {
      return controlPlane
    },
    log: deps.logger.entries,
    get operator() {
      try {
        const chain = parseCertificatesPem(readText('operator/svid.pem'))
        operatorSvid = parseX509Svid(chain, parsePrivateKeyPem(readText('operator/key.pem')))
      } catch (thrown) {
        if (codeOf(thrown) !== 'ERR_SVID') throw thrown // between the writing of the two files
      }
      return test.client(operatorSvid)
    },
    client(svid, address = controlPlane.address) {
      const bundle = parseTrustBundlePem(readText('trust-bundle.pem'), TRUST_DOMAIN)
      const bundles = createWatch(createBundleSource([bundle]))
      const options = { address, trustDomain: TRUST_DOMAIN }
      return clients.use(connectControlPlane({ ...deps, bundles, svid: createWatch(svid) }, options))
    },
    register: (name, ttlSeconds = 0) =>
      test.operator.admin.createEntry({
        spiffeId: `${TRUST_DOMAIN.id}/${name}`,
        selectors: [`service:${name}`],
        ttlSeconds,
        dnsNames: [],
        hint: '',
        federatesWith: [],
        service: '',
      }),
    async attest(name) {
      const { token } = await test.operator.admin.createToken({ selectors: [`service:${name}`], ttlSeconds: 0 })
      const keyPair = generateKeyPair()
      const { svid } = await test.client().attest({ joinToken: token, csr: createCsr(keyPair) })
      return toSvid(svid, keyPair)
    },
    async start(changed) {
      controlPlane = await startControlPlane(deps, { ...settings, ...changed }, new AbortController().signal)
    },
    async stop() {
      await clients.disposeAsync()
      clients = new AsyncDisposableStack()
      await controlPlane[Symbol.asyncDispose]()
    },
    async [Symbol.asyncDispose]() {
      await test.stop()
      rmSync(dataDir, { recursive: true })
    },
  }
  return test
}

export function toSvid({ chain }: SvidMessage, { privateKey }: KeyPair): X509Svid {
  return parseX509Svid(
    chain.map((der) => parseCertificate(der)),
    privateKey,
  )
}

/** A sidecar's stream as far as the control plane can tell: it says Hello and takes, or refuses, what it gets. */
export interface TestSidecar extends AsyncDisposable {
  readonly stream: SyncClientStream
  readonly received: readonly Resource[]
  readonly rotations: number
  /** The newest resource of a kind that satisfies `accept`, present or future. */
  next(kind: ResourceKindName, accept?: (resource: Resource) => boolean): Promise<Resource>
}

export async function connectSidecar(
  client: ControlPlaneClient,
  hello: Partial<Hello> = {},
  answer: 'ack' | 'nack' = 'ack',
): Promise<TestSidecar> {
  const abort = new AbortController()
  const received: Resource[] = []
  const stream = client.sync(abort.signal, {
    baseOf: (kind, revision) => received.findLast((one) => one.kind === kind && one.revision === revision)?.bytes,
  })
  let rotations = 0
  let heard = Promise.withResolvers<void>()
  stream.onResource((resource) => {
    received.push(resource)
    const { kind, revision } = resource
    if (answer === 'ack') stream.send({ kind: 'ack', resource: kind, revision })
    else stream.send({ kind: 'nack', resource: kind, revision, code: 'ERR_TEST', message: 'will not have it' })
    heard.resolve()
    heard = Promise.withResolvers()
  })
  stream.onRotate(() => (rotations += 1))
  const opened = new Promise<void>((resolve) => stream.onOpen(resolve))
  stream.send({ kind: 'hello', instanceId: 'one', version: '0.1.0', advertise: '', held: [], ...hello })
  await Promise.race([opened, stream.closed])
  return {
    stream,
    received,
    get rotations() {
      return rotations
    },
    async next(kind, accept = () => true) {
      for (;;) {
        const found = received.findLast((resource) => resource.kind === kind && accept(resource))
        if (found) return found
        await heard.promise
      }
    },
    async [Symbol.asyncDispose]() {
      abort.abort()
      await stream.closed
    },
  }
}

/** Waits until `holds`, which a state that is told by another process may take a moment to do; at most 20 s. */
export async function eventually(holds: () => Promise<boolean> | boolean): Promise<void> {
  const untilMs = systemClock.monotonicMs() + 20_000
  while (!(await holds())) {
    if (systemClock.monotonicMs() > untilMs) throw new Error(`waited 20 s in vain: ${holds.toString()}`)
    await systemClock.sleep(10)
  }
}

/** An empty store in a folder of its own, which is gone with it. */
export function openTestStore(): Store & { readonly path: string } {
  const folder = mkdtempSync(join(tmpdir(), 'picket-store-'))
  const path = join(folder, 'picket.db')
  const store = openSqliteStore(path, 0)
  return {
    ...store,
    path,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]()
      rmSync(folder, { recursive: true })
    },
  }
}
