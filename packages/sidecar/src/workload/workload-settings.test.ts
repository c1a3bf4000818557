import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resolveSettings } from '@picket/runtime'
import { createSidecarConfig } from '../config.ts'
import { sidecarSettings } from '../settings.ts'

const FILES = { svid: 's.pem', key: 'k.pem', trustBundle: 'b.pem' }

function configOf(given: Readonly<Record<string, string>>) {
  const raws = Object.entries({ ...FILES, ...given }).map(([key, text]) => ({ key, text, place: `--${key}` }))
  return createSidecarConfig(resolveSettings(sidecarSettings, [raws]))
}

test('a socket alone is something to do', () => {
  const { workloadApi } = configOf({ workloadApi: '/run/picket/api.sock' })
  const socket = { path: '/run/picket/api.sock', group: undefined }
  assert.deepEqual(workloadApi, { socket, tcp: undefined, attestation: 'off' })
  assert.throws(() => configOf({}), { message: /nothing to do: .*--workload-api/ })
})

test('with all that there is', () => {
  const { workloadApi } = configOf({
    workloadApi: '/run/a.sock',
    workloadApiGroup: 'apps',
    workloadApiTcp: '127.0.0.1:7481',
    workloadAttestation: 'unix',
  })
  assert.deepEqual(workloadApi, {
    socket: { path: '/run/a.sock', group: 'apps' },
    tcp: { host: '127.0.0.1', port: 7481 },
    attestation: 'unix',
  })
})

const TCP = { workloadApiTcp: '127.0.0.1:7481' }
const WRONG: readonly (readonly [string, Readonly<Record<string, string>>, RegExp])[] = [
  ['TCP without attestation', TCP, /every user of this host: add --workload-attestation unix/],
  ['TCP off loopback', { workloadApiTcp: '0.0.0.0:7481', workloadAttestation: 'unix' }, /not a loopback address/],
  ['TCP by name', { workloadApiTcp: 'localhost:7481', workloadAttestation: 'unix' }, /not a loopback address/],
  [
    'TCP on the admin port',
    { ...TCP, workloadAttestation: 'unix', admin: '127.0.0.1:7481' },
    /both want 127\.0\.0\.1:7481/,
  ],
  ['a group without a socket', { workloadApiGroup: 'apps' }, /workloadApiGroup has no use/],
  ['attestation without a socket', { workloadAttestation: 'unix' }, /workloadAttestation has no use/],
  ['a relative path', { workloadApi: 'api.sock' }, /absolute path, without "unix:"/],
  ['a URL', { workloadApi: 'unix:///run/a.sock' }, /absolute path, without "unix:"/],
  ['a folder', { workloadApi: '/run/' }, /absolute path/],
  ['a path of 108 bytes', { workloadApi: `/${'a'.repeat(107)}` }, /too long/],
  ['a group of nonsense', { workloadApi: '/a', workloadApiGroup: 'a b' }, /not a group/],
  ['another attestation', { workloadApi: '/a', workloadAttestation: 'pid' }, /neither off nor unix/],
]
for (const [what, given, message] of WRONG) {
  test(`${what} is refused`, () => assert.throws(() => configOf(given), { message }))
}
