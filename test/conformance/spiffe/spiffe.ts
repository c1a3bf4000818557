import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { messageOf } from '@picket/runtime'
import { bankPolicy, startMesh, type Mesh } from '../../support/mesh.ts'
import type { ConformanceCase } from '../run.ts'
import { buildGoClient, fetchOnce, startWatcher, type Seen } from './go-client.ts'
import { wireCases } from './wire-cases.ts'

type Report = (found: ConformanceCase) => void

const ID = 'spiffe://bank.test/payments'
const DOMAIN = 'spiffe://bank.test'

/**
 * The SPIFFE Workload API of a running sidecar, in a mesh of real processes: with go-spiffe, which is not ours, and with
 * bytes written by hand.
 */
export async function spiffeConformance(report: Report): Promise<void> {
  const program = await buildGoClient()
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'picket-conformance-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const socket = join(folder, 'workload', 'api.sock')
  const mesh = stack.use(
    await startMesh({
      services: { payments: { handler: (_, response) => void response.end('ok') } },
      policy: bankPolicy,
      sidecarFlags: ['--workload-api', socket, '--workload-attestation', 'unix'],
    }),
  )
  await socketCases(socket, report)
  judgeFetch(await fetchOnce(program, socket), report)
  await rotationCases(mesh, program, socket, report)
  await wireCases(socket, report)
  await withdrawalCase(mesh, program, socket, report)
}

async function socketCases(socket: string, report: Report): Promise<void> {
  const modeOf = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8)
  const [own, folder] = [await modeOf(socket), await modeOf(dirname(socket))]
  report({
    name: 'the socket is the owner’s alone (0600 in 0700)',
    passed: own === '600' && folder === '700',
    detail: `${own} in ${folder}`,
  })
}

/** What go-spiffe must have seen, and what it must have been refused. */
const FETCHED: readonly (readonly [event: string, rule: string, holds: (seen: Seen) => boolean])[] = [
  ['x509-context', 'rule 62: FetchX509SVID gives the identity', ({ ok, ids }) => ok && ids?.[0] === ID],
  ['x509-verify', 'x509svid.Verify accepts the SVID with the bundle, and the key fits', ({ ok }) => ok],
  ['x509-default', 'rule 64: the first SVID is the default identity', ({ ok }) => ok],
  [
    'x509-bundles',
    'rule 65: FetchX509Bundles holds the own trust domain',
    ({ ok, ids }) => ok && Boolean(ids?.includes(DOMAIN)),
  ],
  [
    'jwt-bundles',
    'rule 65: FetchJWTBundles holds the own trust domain',
    ({ ok, ids }) => ok && Boolean(ids?.includes(DOMAIN)),
  ],
  ['jwt-svids', 'rule 66: FetchJWTSVID gives one token to each identity', ({ ok, ids }) => ok && ids?.[0] === ID],
  ['jwt-verify', 'jwtsvid.ParseAndValidate accepts the token with the bundle', ({ ok }) => ok],
  ['jwt-validate', 'rule 67: ValidateJWTSVID accepts the token', ({ ok }) => ok],
  [
    'jwt-validate-other',
    'rule 67: ValidateJWTSVID refuses it for another audience',
    ({ code }) => code === 'InvalidArgument',
  ],
  ['jwt-again', 'a token is given again before half of its life', ({ ok }) => ok],
  ['jwt-foreign', 'rule 66: an ID that is not the caller’s is denied', ({ code }) => code === 'PermissionDenied'],
]

function judgeFetch(lines: readonly Seen[], report: Report): void {
  for (const [event, name, holds] of FETCHED) {
    const found = lines.find((line) => line.event === event)
    const detail = JSON.stringify(found ?? lines.find(({ error }) => error !== undefined) ?? 'nothing seen')
    report({ name: `go-spiffe: ${name}`, passed: found !== undefined && holds(found), detail })
  }
}

async function rotationCases(mesh: Mesh, program: string, socket: string, report: Report): Promise<void> {
  await using watcher = startWatcher(program, socket)
  const attempt = createAttempt(report)
  let serial: string | undefined
  await attempt('rule 58: a watcher gets the full state at once', async () => {
    const first = await watcher.until(({ event }) => event === 'watch-x509')
    serial = first.serial
    await watcher.until(({ event }) => event === 'watch-x509-bundles')
    await watcher.until(({ event }) => event === 'watch-jwt-bundles')
    return first.ok
  })
  await attempt('rule 58: a rotation reaches the watcher', async () => {
    await mesh.rotate('payments')
    const next = await watcher.until(({ event, serial: other }) => event === 'watch-x509' && other !== serial)
    return next.ok && next.ids?.[0] === ID
  })
  await attempt(
    'rule 64: a further entry is a further identity with its hint, for the processes that it names',
    async () => {
      for (const [path, uid] of [
        ['/somebody-elses', 4242],
        ['/payments-reports', process.getuid?.() ?? 0],
      ] as const) {
        const selectors = ['--selector', 'service:payments', '--selector', `unix:uid:${uid}`]
        const { code, stderr } = await mesh.picket('entry', 'create', path, ...selectors, '--hint', 'reports')
        if (code !== 0) throw new Error(stderr)
      }
      const { ok, ids, hints } = await watcher.until(({ event, count }) => event === 'watch-x509' && count === 2)
      return (
        ok &&
        isDeepStrictEqual(
          [ids, hints],
          [
            [ID, `${ID}-reports`],
            ['', 'reports'],
          ],
        )
      )
    },
  )
  await attempt('rules 58, 76: a prepared authority reaches the watchers of X.509 bundles', async () => {
    const { code, stderr } = await mesh.picket('ca', 'prepare', '--x509')
    if (code !== 0) throw new Error(stderr)
    return (await watcher.until(({ event, count }) => event === 'watch-x509-bundles' && count === 2)).ok
  })
  await attempt('rules 58, 76: a prepared authority reaches the watchers of JWT bundles', async () => {
    const { code, stderr } = await mesh.picket('ca', 'prepare', '--jwt')
    if (code !== 0) throw new Error(stderr)
    return (await watcher.until(({ event, count }) => event === 'watch-jwt-bundles' && count === 2)).ok
  })
}

/** The last thing that is tried: from here on there is nobody to serve. */
async function withdrawalCase(mesh: Mesh, program: string, socket: string, report: Report): Promise<void> {
  await using watcher = startWatcher(program, socket)
  await createAttempt(report)(
    'rule 63: an identity that is withdrawn is denied in the middle of a stream',
    async () => {
      await watcher.until(({ event }) => event === 'watch-x509')
      for (const name of ['somebody-elses', 'payments-reports', 'payments']) await mesh.withdraw(name)
      const { code } = await watcher.until(({ event }) => event === 'watch-x509-error')
      return code === 'PermissionDenied'
    },
  )
}

/** A case of the watcher: true, or what went wrong. */
function createAttempt(report: Report): (name: string, run: () => Promise<boolean>) => Promise<void> {
  return async (name, run) => {
    try {
      report({ name: `go-spiffe: ${name}`, passed: await run() })
    } catch (thrown) {
      report({ name: `go-spiffe: ${name}`, passed: false, detail: messageOf(thrown) })
    }
  }
}
