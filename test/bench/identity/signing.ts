import { generateKeyPairSync, sign, verify, X509Certificate } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { initAuthority, type Authority } from '@picket/ca'
import {
  createBundleSource,
  createCsr,
  encodeCertificatesPem,
  encodePrivateKeyPem,
  generateKeyPair,
  parseCertificate,
  parseCsr,
  parseSpiffeId,
  parseTrustDomain,
  verifyX509Svid,
  type Certificate,
} from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import { generateSealKeyText, parseSealKey, systemClock, systemRandom } from '@picket/runtime'
import { median, type Table } from '../table.ts'
import { buildGoProgram, type GoProgram } from './go.ts'
import { inProcess, meter, type Contestant, type Metered } from './meter.ts'

const TARGET_PER_SECOND = 8000
/** Requests that are with the authority at one time: its journal writes them together. */
const AT_ONCE = 256
const ID = parseSpiffeId('spiffe://bank.test/payments')

export interface MeasureOptions {
  readonly rounds: number
  readonly seconds: number
}

/** What an SVID costs the authority, and what a peer's chain costs its verifier; P-256 throughout, one core's worth. */
export async function measureSigning(options: MeasureOptions): Promise<Table[]> {
  const folder = await mkdtemp(join(tmpdir(), 'picket-bench-'))
  try {
    const go = await buildGoProgram()
    await writeGoInputs(folder)
    await using authority = await initAuthority(
      join(folder, 'ca'),
      { trustDomain: parseTrustDomain('bank.test'), sealKey: parseSealKey(generateSealKeyText()) },
      { clock: systemClock, random: systemRandom },
    )
    return [
      toIssueTable(await meter(issuers(authority, go, folder), options), go),
      toVerifyTable(await meter(verifiers(go, folder), options), go),
    ]
  } finally {
    await rm(folder, { recursive: true })
  }
}

function issuers(authority: Authority, go: GoProgram | string, folder: string): Contestant[] {
  const der = createCsr(generateKeyPair(), ID)
  const parsed = parseCsr(der)
  const issue = async (read: () => typeof parsed): Promise<number> => {
    const request = { id: ID, ttlMs: 3_600_000, caller: 'bench' }
    await Promise.all(Array.from({ length: AT_ONCE }, () => authority.issue({ ...request, csr: read() })))
    return AT_ONCE
  }
  return [
    inProcess('picket, from a parsed CSR', () => issue(() => parsed)),
    inProcess('picket, from the CSR’s bytes', () => issue(() => parseCsr(der))),
    ...(typeof go === 'string' ? [] : [go.contestant('Go crypto/x509, from the CSR’s bytes', 'issue', folder)]),
    floor('node:crypto alone: one signature', false),
    floor('node:crypto alone: one signature, two verifications', true),
  ]
}

/** The cryptography without which nothing is signed, or nothing that was checked. */
function floor(name: string, checked: boolean): Contestant {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const bytes = Buffer.alloc(450, 1)
  return inProcess(name, () => {
    for (let count = 0; count < 100; count++) {
      const signature = sign('sha256', bytes, privateKey)
      if (checked) verify('sha256', bytes, publicKey, signature)
      if (checked) verify('sha256', bytes, publicKey, signature)
    }
    return 100
  })
}

function verifiers(go: GoProgram | string, folder: string): Contestant[] {
  const authority = createTestAuthority('bank.test')
  const chain = [...authority.issueSvid('/payments').chain]
  const now = new Date(systemClock.now())
  const bundles = createBundleSource([authority.bundle])
  const check = (certificates: readonly Certificate[]): number => {
    const verdict = verifyX509Svid(certificates, bundles, now)
    if (verdict.kind === 'refused') throw new Error(verdict.message)
    return 1
  }
  const issuerKey = authority.certificate.publicKey
  return [
    inProcess('picket, from the chain’s bytes', () => check(chain.map(({ der }) => parseCertificate(der)))),
    ...(typeof go === 'string' ? [] : [go.contestant('Go crypto/x509, from the chain’s bytes', 'verify', folder)]),
    inProcess('node:crypto: parse and check one signature, no rules', () =>
      Number(new X509Certificate(chain[0]!.der).verify(issuerKey)),
    ),
  ]
}

async function writeGoInputs(folder: string): Promise<void> {
  const authority = createTestAuthority('bank.test')
  await writeFile(join(folder, 'ca.pem'), encodeCertificatesPem([authority.certificate]))
  await writeFile(join(folder, 'ca.key'), encodePrivateKeyPem(authority.keyPair.privateKey), { mode: 0o600 })
  await writeFile(join(folder, 'csr.der'), createCsr(generateKeyPair(), ID))
  await writeFile(join(folder, 'leaf.der'), authority.issueSvid('/payments').chain[0]!.der)
}

const COLUMNS = ['way', 'per CPU second', 'CPU µs each', 'rounds', '× Go']

function toIssueTable(figures: readonly Metered[], go: GoProgram | string): Table {
  const perSecond = 1e6 / median(figures[0]!.rounds)
  const verdict = perSecond >= TARGET_PER_SECOND ? 'met' : 'missed'
  return {
    title: 'CSR → SVID inside the authority (P-256; linted, checked and journalled on disk)',
    columns: COLUMNS,
    rows: toRows(figures),
    notes: [
      `target ${TARGET_PER_SECOND}/s from a parsed CSR: ${perSecond.toFixed(0)}/s, ${verdict}`,
      ...(typeof go === 'string' ? [`left out: Go: ${go}`] : []),
    ],
  }
}

function toVerifyTable(figures: readonly Metered[], go: GoProgram | string): Table {
  return {
    title: 'Verification of a peer’s chain (one leaf below a P-256 authority)',
    columns: COLUMNS,
    rows: toRows(figures),
    notes: typeof go === 'string' ? [`left out: Go: ${go}`] : [],
  }
}

function toRows(figures: readonly Metered[]): string[][] {
  const go = figures.find(({ name }) => name.startsWith('Go'))
  return figures.map(({ name, rounds }) => {
    const cost = median(rounds)
    const range = `${Math.min(...rounds).toFixed(1)}–${Math.max(...rounds).toFixed(1)}`
    return [name, (1e6 / cost).toFixed(0), cost.toFixed(1), range, go ? (cost / median(go.rounds)).toFixed(2) : '–']
  })
}
