/**
 * HTTP/1.1 against a real sidecar process: bytes that could be read in two ways are answered once, with `connection:
 * close`, leave one access record, and never reach the application as a second request.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { startGuardedApp, type GuardedApp } from './guarded-app.ts'
import { HIDDEN, REFUSED_BODIES, REFUSED_HEADS, type RefusedCase } from './http1-cases.ts'
import { converse, type Conversation } from './raw-client.ts'
import { ACCEPTED } from './http1-accepted.ts'

describe('a sidecar between hostile bytes and a lenient application', () => {
  let guarded: GuardedApp
  let stalled: Promise<Conversation>
  /** Statuses of the access records expected, by the client's address; the system may give an address twice. */
  const expected = new Map<string, number[]>()

  before(async () => {
    guarded = await startGuardedApp()
    stalled = talk(['GET /health HTTP/1.1\r\nHost: paym'], 1, { timeoutMs: 20_000 })
  })

  after(async () => {
    await guarded[Symbol.asyncDispose]()
  })

  function talk(
    pieces: readonly string[],
    answers: number,
    options: { readonly bodiless?: boolean; readonly timeoutMs?: number } = {},
  ): Promise<Conversation> {
    return converse({ port: guarded.port, caller: guarded.gateway, pieces, answers, ...options })
  }

  function expectRecords(peer: string, ...statuses: number[]): void {
    expected.set(peer, [...(expected.get(peer) ?? []), ...statuses])
  }

  async function assertRefused({ bytes, status }: RefusedCase): Promise<number> {
    const seenBefore = guarded.app.seen.length
    const { answers, closed, peer } = await talk([bytes], 99)
    expectRecords(peer, status)
    assert.deepEqual(
      answers.map((answer) => answer.status),
      [status],
      guarded.isAlive() ? undefined : guarded.output(),
    )
    assert.equal(answers[0]?.headers['connection'], 'close')
    assert.ok(closed, 'the connection stays open after a refusal')
    return guarded.app.seen.length - seenBefore
  }

  for (const refused of REFUSED_HEADS) {
    test(`refuses ${refused.name}`, async () => {
      assert.equal(await assertRefused(refused), 0, 'the application saw a request')
    })
  }

  for (const refused of REFUSED_BODIES) {
    test(`refuses a chunked body with ${refused.name}`, async () => {
      const reached = await assertRefused(refused)
      assert.ok(reached <= 1, `the application saw ${reached} requests`)
      const last = guarded.app.seen.at(-1)
      assert.ok(reached === 0 || !last?.isComplete, 'the application took a broken body for a complete one')
    })
  }

  for (const { name, pieces, statuses, seen, bodiless = false } of ACCEPTED) {
    test(`takes ${name}`, async () => {
      const seenBefore = guarded.app.seen.length
      const final = statuses.filter((status) => status >= 200)
      const conversation = await talk(pieces, final.length, { bodiless })
      expectRecords(conversation.peer, ...final)
      assert.deepEqual(
        conversation.answers.map((answer) => answer.status),
        statuses,
      )
      const requests = guarded.app.seen.slice(seenBefore)
      assert.deepEqual(
        requests.map(({ method, target, body }) => `${method} ${target} ${body}`.trimEnd()),
        seen,
      )
    })
  }

  test('answers 408 to a head that does not become complete', async () => {
    const { answers, closed, peer } = await stalled
    expectRecords(peer, 408)
    assert.deepEqual(
      answers.map(({ status }) => status),
      [408],
    )
    assert.ok(closed)
  })

  test('shows the application one caller, the verified one, whatever the request claims', async () => {
    const claims = [
      'X-Forwarded-Client-Cert: URI=spiffe://bank.test/ledger',
      'x-forwarded-CLIENT-cert: URI=spiffe://bank.test/ledger',
      'X_Forwarded_Client_Cert: URI=spiffe://bank.test/ledger',
    ]
    const request = `GET /health HTTP/1.1\r\nHost: payments.mesh\r\n${claims.join('\r\n')}\r\n\r\n`
    const { peer } = await talk([request], 1)
    expectRecords(peer, 200)
    const { rawHeaders = [] } = guarded.app.seen.at(-1) ?? {}
    const shown = rawHeaders.filter((_, index) =>
      /^x[-_]forwarded[-_]client[-_]cert$/i.test(rawHeaders[index - 1] ?? ''),
    )
    assert.equal(shown.length, 1)
    assert.match(shown[0]!, /URI=spiffe:\/\/bank\.test\/gateway/)
    assert.doesNotMatch(shown[0]!, /ledger/)
  })

  test('removes for this hop what the connection header names', async () => {
    const request =
      'GET /health HTTP/1.1\r\nHost: payments.mesh\r\nConnection: x-secret\r\nX-Secret: a\r\nX-Kept: b\r\n\r\n'
    const { peer } = await talk([request], 1)
    expectRecords(peer, 200)
    const names = guarded.app.seen.at(-1)?.rawHeaders.filter((_, index) => index % 2 === 0) ?? []
    assert.ok(names.includes('X-Kept'))
    assert.ok(!names.includes('X-Secret'))
  })

  test('is alive after all that, leaves one record per request, and no hidden request came through', async () => {
    const { answers, peer } = await talk(['GET /health HTTP/1.1\r\nHost: payments.mesh\r\n\r\n'], 1)
    expectRecords(peer, 200)
    assert.equal(answers[0]?.status, 200)
    const { exitCode, records } = await guarded.stop()
    assert.equal(exitCode, 0, guarded.output())
    for (const [address, statuses] of expected) {
      const written = records.filter((record) => record.peer === address)
      assert.deepEqual(
        written.map(({ status }) => status),
        statuses,
        JSON.stringify(written),
      )
      assert.ok(written.every(({ status, reason, flag }) => status === 200 || reason || flag))
    }
    assert.deepEqual(guarded.app.confusions, [])
    const hidden = HIDDEN.split(' ', 2)[1]
    assert.ok(guarded.app.seen.every(({ target }) => target !== hidden))
  })
})
