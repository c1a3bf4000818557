import assert from 'node:assert/strict'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import {
  encodeCertificatesPem,
  encodePrivateKeyPem,
  encodeTrustBundle,
  encodeTrustBundlePem,
  parseTrustDomain,
  type X509Svid,
} from '@picket/identity'
import { createTestAuthority, type TestAuthority } from '@picket/identity/testing'
import { eventually } from '@picket/mtls/testing'
import { replaceBundleData } from '@picket/policy'
import { readShippedBundle } from '@picket/policy/testing'
import { createMetrics, systemClock } from '@picket/runtime'
import { createRecordingLogger } from '@picket/runtime/testing'
import type { FileSource } from './config.ts'
import { openFileInputs } from './file-inputs.ts'

interface Files {
  readonly source: FileSource
  readonly writeSvid: (svid: X509Svid) => void
  readonly writeBundle: (text: string) => void
  readonly writePolicy: (bytes: Uint8Array) => void
}

async function createFiles(t: TestContext, authority: TestAuthority): Promise<Files> {
  const folder = mkdtempSync(join(tmpdir(), 'picket-inputs-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const at = (name: string): string => join(folder, name)
  const replace = (name: string, bytes: string | Uint8Array): void => {
    writeFileSync(at(`${name}.new`), bytes)
    renameSync(at(`${name}.new`), at(name))
  }
  const files: Files = {
    source: {
      kind: 'files',
      trustDomain: undefined,
      svidFile: at('svid.pem'),
      keyFile: at('key.pem'),
      trustBundleFile: at('bundle'),
      policyFile: at('policy.tar.gz'),
    },
    writeSvid({ chain, privateKey }) {
      replace('svid.pem', encodeCertificatesPem(chain))
      replace('key.pem', encodePrivateKeyPem(privateKey))
    },
    writeBundle: (text) => replace('bundle', text),
    writePolicy: (bytes) => replace('policy.tar.gz', bytes),
  }
  files.writeSvid(authority.issueSvid('/accounts'))
  files.writeBundle(encodeTrustBundlePem(authority.bundle))
  files.writePolicy(await readShippedBundle())
  return files
}

async function openInputs(source: FileSource) {
  const logger = createRecordingLogger()
  const metrics = createMetrics()
  const inputs = await openFileInputs({ clock: systemClock, logger, metrics }, source, new AbortController().signal)
  return { inputs, logger, metrics, [Symbol.asyncDispose]: () => inputs[Symbol.asyncDispose]() }
}

test('gives what the files hold', async (t) => {
  const authority = createTestAuthority('bank.test')
  const { source } = await createFiles(t, authority)
  await using opened = await openInputs(source)
  const { svid, bundles, policy, endpoints } = opened.inputs
  assert.equal(svid.value.id.uri, 'spiffe://bank.test/accounts')
  assert.equal(bundles.value.bundleFor(authority.trustDomain)?.x509Authorities.length, 1)
  assert.equal(typeof policy.engine.value?.revision, 'string')
  assert.deepEqual(endpoints.value.services, [])
})

test('takes a bundle in SPIFFE form, and needs no policy where nothing is decided', async (t) => {
  const authority = createTestAuthority('bank.test')
  const { source, writeBundle } = await createFiles(t, authority)
  writeBundle(encodeTrustBundle(authority.bundle))
  await using opened = await openInputs({ ...source, policyFile: undefined })
  assert.equal(opened.inputs.policy.engine.value, undefined)
})

test('does not start on a set that is not good, and names the file', async (t) => {
  const authority = createTestAuthority('bank.test')
  const stranger = createTestAuthority('stranger.test')
  const cases: [RegExp, (files: Files) => FileSource | void][] = [
    [/^svid .*ENOENT/, ({ source }) => ({ ...source, svidFile: `${source.svidFile}.absent` })],
    [
      /^svid .*key/,
      ({ source, writeSvid }) => {
        writeSvid(authority.issueSvid('/accounts'))
        writeFileSync(source.keyFile, encodePrivateKeyPem(authority.issueSvid('/accounts').privateKey))
      },
    ],
    [
      /^svid .*expired/,
      ({ writeSvid }) => writeSvid(authority.issueSvid('/a', { notAfter: new Date(Date.now() - 1000) })),
    ],
    [/^svid .*no authority|^svid .*trusted/, ({ writeSvid }) => writeSvid(stranger.issueSvid('/accounts'))],
    [/^svid .*not of the trust domain/, ({ source }) => ({ ...source, trustDomain: parseTrustDomain('other.test') })],
    [/^svid /, ({ source }) => writeFileSync(source.svidFile, 'not pem')],
    [/^trustBundle /, ({ writeBundle }) => writeBundle('{"keys":')],
    [/^trustBundle .*too many/, ({ writeBundle }) => writeBundle(' '.repeat(1024 * 1024 + 1))],
    [/^policy /, ({ writePolicy }) => writePolicy(Buffer.from('not a bundle'))],
  ]
  for (const [message, spoil] of cases) {
    const files = await createFiles(t, authority)
    const source = spoil(files) ?? files.source
    await assert.rejects(openInputs(source), { code: 'ERR_INPUT_FILE', message }, String(message))
  }
})

test('takes over new files together', async (t) => {
  const authority = createTestAuthority('bank.test')
  const { source, writeSvid, writePolicy } = await createFiles(t, authority)
  await using opened = await openInputs(source)
  const { svid, policy } = opened.inputs
  const next = authority.issueSvid('/accounts')
  writeSvid(next)
  await eventually(() => svid.value.chain[0]?.serialNumber === next.chain[0]?.serialNumber)
  const bundle = await replaceBundleData(await readShippedBundle(), { roles: {}, routes: {} }, { revision: 'r2' })
  writePolicy(bundle)
  await eventually(() => policy.engine.value?.revision === 'r2')
  assert.match(opened.metrics.render(), /picket_input_reloads_total\{result="taken"\} 2/)
})

test('keeps the last good set, says once why, and goes on when the files are mended', async (t) => {
  const authority = createTestAuthority('bank.test')
  const { source, writeSvid, writePolicy } = await createFiles(t, authority)
  await using opened = await openInputs(source)
  const { svid, policy } = opened.inputs
  const before = [svid.value, policy.engine.value]
  const warned = (): boolean => opened.logger.entries.some(({ level }) => level === 'warn')
  writePolicy(Buffer.from('not a bundle'))
  await eventually(warned)
  writeSvid(authority.issueSvid('/accounts'))
  await systemClock.sleep(400)
  assert.deepEqual([svid.value, policy.engine.value], before)
  const warnings = opened.logger.entries.filter(({ level }) => level === 'warn')
  assert.equal(warnings.length, 1)
  assert.match(String(warnings[0]?.fields['problem']), /^policy /)
  writePolicy(await readShippedBundle())
  await eventually(() => svid.value !== before[0])
  assert.equal(policy.engine.value, before[1])
})
