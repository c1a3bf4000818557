import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatHostPort, parseHostPort, resolveSettings, type RawSetting } from '@picket/runtime'
import { createSidecarConfig, type SidecarConfig } from './config.ts'
import { sidecarSettings, type SidecarSettings } from './settings.ts'

type Given = Readonly<Record<string, string | readonly string[]>>

const FILES = { svid: 's.pem', key: 'k.pem', trustBundle: 'b.pem', policy: 'p.tar.gz', app: '127.0.0.1:8080' }
const MESH = { controlPlane: '127.0.0.1:7400', trustDomain: 'bank.test', trustBundle: 'b.pem' }

function settingsOf(given: Given): SidecarSettings {
  const raws = Object.entries(given).flatMap(([key, texts]): RawSetting[] =>
    [texts].flat().map((text) => ({ key, text, place: `--${key}` })),
  )
  return resolveSettings(sidecarSettings, [raws])
}

function configOf(given: Given): SidecarConfig {
  return createSidecarConfig(settingsOf(given))
}

test('from files: no control plane, no shared outbound listener', () => {
  const config = configOf({ ...FILES, outbound: ['127.0.0.1:7001=10.0.0.2:7443,spiffe://bank.test/ledger'] })
  assert.equal(config.source.kind, 'files')
  assert.deepEqual(config.inbound, { listen: { host: '0.0.0.0', port: 7443 }, app: { host: '127.0.0.1', port: 8080 } })
  assert.equal(config.outboundListener, undefined)
  const [route] = config.outbound
  assert.ok(route?.kind === 'static')
  assert.equal(route.spiffeId.uri, 'spiffe://bank.test/ledger')
  assert.equal(formatHostPort(route.address), '10.0.0.2:7443')
})

test('from a control plane: the shared outbound listener is on unless told otherwise', () => {
  const config = configOf({ ...MESH, outbound: ['127.0.0.1:7001=ledger', '127.0.0.1:7002=fraud'] })
  assert.deepEqual(config.outboundListener, { host: '127.0.0.1', port: 7480 })
  assert.deepEqual(
    config.outbound.map((route) => route.kind === 'service' && route.service),
    ['ledger', 'fraud'],
  )
  assert.equal(config.inbound, undefined)
  assert.equal(configOf({ ...MESH, outboundListener: 'none' }).outboundListener, undefined)
})

test('advertises the inbound address unless told otherwise', () => {
  const advertised = (given: Given): unknown => {
    const { source } = configOf({ ...MESH, app: '127.0.0.1:1', ...given })
    return source.kind === 'control-plane' && source.advertise && formatHostPort(source.advertise)
  }
  assert.equal(advertised({ inbound: '10.0.0.1:7443' }), '10.0.0.1:7443')
  assert.equal(advertised({ advertise: 'payments.internal:0' }), 'payments.internal:0')
})

test('secrets do not show', () => {
  const settings = settingsOf({ ...MESH, joinToken: 'abcdef', stateDir: 'd', sealKey: 'f'.repeat(64) })
  assert.ok(!JSON.stringify(settings).includes('abcdef'))
  assert.ok(!JSON.stringify(settings).includes('ffff'))
})

const REFUSED_TEXTS: readonly [string, Given, RegExp][] = [
  ['an unknown key with its nearest name', { ...FILES, trustbundel: 'x' }, /unknown key "trustbundel".*"trustBundle"/],
  ['a missing trust bundle', { app: '127.0.0.1:1' }, /trustBundle is missing: give --trust-bundle/],
  ['an address without a port', { ...FILES, inbound: '127.0.0.1' }, /--inbound: inbound: .*HOST:PORT/],
  ['an outbound without a target', { ...FILES, outbound: ['127.0.0.1:7001'] }, /LISTEN=SERVICE/],
  ['an outbound to a name that is none', { ...MESH, outbound: ['127.0.0.1:1=Ledger!'] }, /not a service name/],
  ['an outbound to an ID that is none', { ...FILES, outbound: ['127.0.0.1:1=a:1,https://x'] }, /outbound: /],
  ['a duration without a unit', { ...FILES, drainTimeout: '30' }, /not a duration/],
  ['a truth value that is none', { ...FILES, dangerouslyAllowRemoteApp: 'yes' }, /neither true nor false/],
  ['an empty path', { ...FILES, svid: '' }, /the path is empty/],
  ['a join token with spaces', { ...MESH, joinToken: 'a b' }, /not a join token/],
  ['a short sealing key', { ...MESH, stateDir: 'd', sealKey: 'abc' }, /32 bytes/],
]

for (const [what, given, message] of REFUSED_TEXTS) {
  test(`refuses ${what}`, () => assert.throws(() => settingsOf(given), { code: 'ERR_SETTINGS', message }))
}

const without = (given: Given, key: string): Given =>
  Object.fromEntries(Object.entries(given).filter(([name]) => name !== key))

const CONTRADICTIONS: readonly [string, Given, RegExp][] = [
  ['no source at all', { trustBundle: 'b.pem', app: '127.0.0.1:1' }, /--control-plane .* or the files --svid, --key/],
  ['a control plane and files', { ...MESH, ...FILES, inbound: '127.0.0.1:1' }, /controlPlane and svid exclude/],
  [
    'a control plane without a trust domain',
    without(MESH, 'trustDomain'),
    /trustDomain is missing.*PICKET_TRUST_DOMAIN/,
  ],
  ['two join tokens', { ...MESH, joinToken: 'a', joinTokenFile: 'f' }, /joinToken and joinTokenFile exclude/],
  ['half of a certificate', { ...MESH, x509PopCertificate: 'f' }, /x509PopKey is missing/],
  [
    'a certificate without a control plane',
    { ...FILES, x509PopCertificate: 'f', x509PopKey: 'f' },
    /x509PopKey has no use/,
  ],
  [
    'two sealing keys',
    { ...MESH, stateDir: 'd', sealKey: '0'.repeat(64), sealKeyFile: 'f' },
    /sealKey and sealKeyFile/,
  ],
  ['a sealing key with nothing to seal', { ...MESH, sealKeyFile: 'f' }, /--state-dir/],
  ['an inbound that nobody could reach', { ...MESH, app: '127.0.0.1:1' }, /advertise is missing/],
  ['an advertised address without inbound', { ...MESH, advertise: 'a:1' }, /advertise has no use without app/],
  ['an svid file without its key', without(FILES, 'key'), /key is missing.*--key/],
  ['a key file without its svid', without(FILES, 'svid'), /svid is missing/],
  ['inbound from files without a policy', without(FILES, 'policy'), /policy is missing.*--policy/],
  ['a join token from files', { ...FILES, joinToken: 'a' }, /joinToken has no use without a control plane/],
  ['a state folder from files', { ...FILES, stateDir: 'd' }, /stateDir has no use/],
  ['a mesh service from files', { ...FILES, outbound: ['127.0.0.1:1=ledger'] }, /"ledger" is a mesh service/],
  ['nothing to do', without(FILES, 'app'), /nothing to do/],
  ['an inbound without an app', { ...MESH, inbound: '127.0.0.1:1' }, /app is missing/],
  ['an app elsewhere', { ...FILES, app: '10.0.0.9:80' }, /not on loopback.*--dangerously-allow-remote-app/],
  ['an app on port 0', { ...FILES, app: '127.0.0.1:0' }, /app needs a port/],
  ['an admin listener for everybody', { ...FILES, admin: '0.0.0.0:7490' }, /admin 0\.0\.0\.0:7490 is not on loopback/],
  [
    'a shared outbound for everybody',
    { ...MESH, outboundListener: '0.0.0.0:1' },
    /outboundListener .* not on loopback/,
  ],
  ['an outbound for everybody', { ...MESH, outbound: ['0.0.0.0:1=ledger'] }, /outbound .* not on loopback/],
  ['one address twice', { ...FILES, inbound: '127.0.0.1:7490' }, /inbound and admin both want 127\.0\.0\.1:7490/],
]

for (const [what, given, message] of CONTRADICTIONS) {
  test(`refuses ${what}`, () => {
    const settings = settingsOf(given)
    assert.throws(() => createSidecarConfig(settings), { code: 'ERR_SIDECAR_CONFIG', message })
  })
}

test('lists every contradiction at once', () => {
  const settings = settingsOf({ ...FILES, app: '10.0.0.9:80', admin: '0.0.0.0:1', joinToken: 'a' })
  assert.throws(
    () => createSidecarConfig(settings),
    (thrown: Error) => thrown.message.split('\n').length === 3,
  )
})

test('an app elsewhere is accepted by its dangerous name', () => {
  const config = configOf({ ...FILES, app: '10.0.0.9:80', dangerouslyAllowRemoteApp: 'true' })
  assert.equal(config.inbound?.app.host, '10.0.0.9')
})

test('whatever an outbound says, it is refused in words or read to the same listener', () => {
  fc.assert(
    fc.property(fc.string(), fc.nat(65_535), (target, port) => {
      const listen = `127.0.0.1:${port}`
      try {
        const route = sidecarSettings.outbound.parse(`${listen}=${target}`)
        assert.deepEqual(route.listen, parseHostPort(listen))
      } catch (thrown) {
        assert.ok(thrown instanceof Error && thrown.message.length > 0)
      }
    }),
  )
})
