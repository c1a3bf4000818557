import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { X509Svid } from '@picket/identity'
import { connectControlPlane, type Resource } from '@picket/rpc'
import { createMetrics, createTasks, createWatch, silentLogger, systemClock } from '@picket/runtime'
import { createFakeRandom } from '@picket/runtime/testing'
import { runSync } from './sync.ts'
import { eventually, startTestControlPlane } from './testing.ts'

test('over the wire: pushes are acknowledged, a rotated svid moves the stream, nothing is lost', async () => {
  await using plane = await startTestControlPlane()
  const { authority } = plane
  const svid = createWatch<X509Svid>(authority.issueSvid('/payments'))
  const bundles = createWatch(authority.bundles)
  await using client = connectControlPlane(
    { bundles, svid, clock: systemClock, logger: silentLogger },
    { address: plane.address, trustDomain: authority.trustDomain },
  )
  const held = new Map<Resource['kind'], string>()
  await using tasks = createTasks()
  tasks.start('sync', (signal) =>
    runSync(
      {
        client,
        clock: systemClock,
        random: createFakeRandom(0),
        logger: silentLogger,
        metrics: createMetrics(),
        credentials: [svid, bundles],
        hello: () => ({
          kind: 'hello',
          instanceId: 'i',
          version: '1',
          advertise: '127.0.0.1:1',
          held: [...held].map(([kind, revision]) => ({ kind, revision })),
        }),
        report: () => ({
          kind: 'report',
          svidSerial: 'a',
          svidNotAfterMs: 1,
          keyExchangeGroup: '',
          ready: true,
          notReadyReasons: [],
          requestsAllowed: 0,
          requestsDenied: 0,
          svidRotations: 0,
          authorityKeyIds: [],
          svidKeyAlgorithm: 'ec-p256',
        }),
        reportOn: [],
        accept: ({ kind, revision }) => Promise.resolve(void held.set(kind, revision)),
        rotateNow: () => {},
        denied: () => Promise.resolve(),
      },
      signal,
    ),
  )
  const first = await eventually('the first stream', () => plane.streams[0])
  first.push('policy-bundle', 'p1', Buffer.alloc(3 * 1024 * 1024, 7))
  await eventually('the acknowledgement', () => first.messages.find(({ kind }) => kind === 'ack'))
  svid.set(authority.issueSvid('/payments'))
  const second = await eventually('the second stream', () => plane.streams[1])
  const hello = await eventually('the second hello', () => second.messages[0])
  assert.deepEqual((hello as { held: unknown }).held, [{ kind: 'policy-bundle', revision: 'p1' }])
  await eventually('the end of the first stream', () => first.ended)
  await plane.stop()
  await plane.start()
  const third = await eventually('the stream after the restart', () => plane.streams[2])
  third.push('endpoints', 'e1', '{}')
  await eventually('the endpoints', () => held.get('endpoints') === 'e1')
})
