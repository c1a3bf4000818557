import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
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
  type TrustBundle,
  type TrustDomain,
  type X509Svid,
} from '@picket/identity'
import { connectControlPlane, type ControlPlaneClient, type SidecarStatus, type Status } from '@picket/rpc'
import { codeOf, createWatch, silentLogger, systemClock, type HostPort } from '@picket/runtime'

/** What an operator does to the mesh, over the same gRPC that the command line uses, without a process per action. */
export interface Operator extends AsyncDisposable {
  /** For whatever has no method here. */
  readonly client: ControlPlaneClient
  /** An entry `service:NAME` → `spiffe://TRUST_DOMAIN/NAME`. */
  createEntry(name: string): Promise<void>
  /** Resolves when the entry is gone. */
  deleteEntry(name: string): Promise<void>
  createToken(name: string): Promise<string>
  /** Resolves with the revision when `sidecars` of them have acknowledged it. */
  pushPolicy(bundleFile: string, sidecars?: number): Promise<string>
  rotate(name: string): Promise<void>
  /** Enrols once more as `name`, from this process: an SVID to hand to a foreign program. */
  attest(name: string): Promise<X509Svid>
  /** The deny-list; `kind` is spiffe-id, serial or authority-key. Each resolves when it is on its way to every sidecar. */
  readonly revocations: {
    create(kind: string, value: string): Promise<void>
    delete(kind: string, value: string): Promise<void>
  }
  status(): Promise<MeshStatus>
  /** Polls the status until `accept` holds; throws after 20 s, saying `what` did not come true. */
  until(what: string, accept: (status: MeshStatus) => boolean): Promise<MeshStatus>
}

/** The mesh as a whole: what the control plane says of itself and of its sidecars. */
export interface MeshStatus extends Status {
  readonly sidecars: readonly SidecarStatus[]
}

export interface OperatorOptions {
  readonly dataDir: string
  readonly address: HostPort
  readonly trustDomain: string
}

export async function connectOperator({ dataDir, address, trustDomain }: OperatorOptions): Promise<Operator> {
  const domain = parseTrustDomain(trustDomain)
  const first = await readIdentity(dataDir, domain)
  const bundles = createWatch(createBundleSource([first.bundle]))
  const svid = createWatch<X509Svid | undefined>(first.svid)
  const shared = { bundles, clock: systemClock, logger: silentLogger }
  const target = { address, trustDomain: domain }
  const client = connectControlPlane({ ...shared, svid }, target)

  /** With the newest of what the control plane writes for its operator, which changes when authorities do. */
  async function current(): Promise<ControlPlaneClient> {
    try {
      const read = await readIdentity(dataDir, domain)
      if (fingerprintsOf(read.bundle) !== fingerprintsOf(bundles.value.bundles[0]!)) {
        bundles.set(createBundleSource([read.bundle]))
      }
      if (read.svid.chain[0]!.serialNumber !== svid.value!.chain[0]!.serialNumber) svid.set(read.svid)
    } catch (thrown) {
      if (codeOf(thrown) !== 'ERR_SVID') throw thrown // key and certificate are being replaced: the old ones still do
    }
    return client
  }

  const spiffeId = (name: string): string => `${domain.id}/${name}`
  const status = async (): Promise<MeshStatus> => {
    const { admin } = await current()
    const { sidecars } = await admin.listSidecars({ pageSize: 0, pageToken: '' })
    return { ...(await admin.getStatus()), sidecars }
  }

  async function until(what: string, accept: (status: MeshStatus) => boolean): Promise<MeshStatus> {
    for (let attempt = 0; attempt < 400; attempt++) {
      const current = await status()
      if (accept(current)) return current
      await systemClock.sleep(50)
    }
    throw new Error(`waited 20 s in vain: ${what}`)
  }

  const createToken = async (name: string): Promise<string> =>
    (await (await current()).admin.createToken({ selectors: [`service:${name}`], ttlSeconds: 0 })).token

  return {
    client,
    status,
    until,
    createToken,
    revocations: {
      async create(kind, value) {
        await (await current()).revocations.create({ kind, value, reason: '', expiresAtMs: 0 })
      },
      async delete(kind, value) {
        await (await current()).revocations.delete({ kind, value })
      },
    },
    async attest(name) {
      await using stranger = connectControlPlane(shared, target)
      const keyPair = generateKeyPair()
      const answer = await stranger.attest({ joinToken: await createToken(name), csr: createCsr(keyPair) })
      return parseX509Svid(answer.svid.chain.map(parseCertificate), keyPair.privateKey)
    },
    async createEntry(name) {
      const draft = {
        spiffeId: spiffeId(name),
        selectors: [`service:${name}`],
        ttlSeconds: 0,
        dnsNames: [],
        service: '',
        hint: '',
        federatesWith: [],
      }
      await (await current()).admin.createEntry(draft)
    },
    async deleteEntry(name) {
      const { admin } = await current()
      const { entries } = await admin.listEntries({ pageSize: 0, pageToken: '' })
      for (const entry of entries) if (entry.spiffeId === spiffeId(name)) await admin.deleteEntry(entry.id)
    },
    async pushPolicy(bundleFile, sidecars = 0) {
      const { revision } = await (await current()).admin.pushPolicy(await readFile(bundleFile))
      await until(
        `every sidecar has acknowledged policy ${revision}`,
        (now) => now.sidecars.filter((sidecar) => holds(sidecar, revision)).length >= sidecars,
      )
      return revision
    },
    async rotate(name) {
      const serial = async (): Promise<string | undefined> =>
        (await status()).sidecars.find((sidecar) => sidecar.spiffeId === spiffeId(name))?.svidSerial
      const before = await serial()
      await (await current()).admin.rotateSvids(spiffeId(name))
      await until(`${name} reports a new serial number`, ({ sidecars }) =>
        sidecars.some((sidecar) => sidecar.spiffeId === spiffeId(name) && sidecar.svidSerial !== before),
      )
    },
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  }
}

async function readIdentity(
  dataDir: string,
  trustDomain: TrustDomain,
): Promise<{ readonly svid: X509Svid; readonly bundle: TrustBundle }> {
  const file = (name: string): Promise<string> => readFile(join(dataDir, 'operator', name), 'utf8')
  const [chain, key, bundle] = await Promise.all([file('svid.pem'), file('key.pem'), file('bundle.pem')])
  const svid = parseX509Svid(parseCertificatesPem(chain), parsePrivateKeyPem(key))
  return { svid, bundle: parseTrustBundlePem(bundle, trustDomain) }
}

function fingerprintsOf({ x509Authorities }: TrustBundle): string {
  return x509Authorities.map(({ fingerprintSha256 }) => fingerprintSha256).join(' ')
}

function holds(sidecar: SidecarStatus, revision: string): boolean {
  return sidecar.resources.some((r) => r.kind === 'policy-bundle' && r.ackedRevision === revision)
}
