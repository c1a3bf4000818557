import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import fc from 'fast-check'
import type { RequestHead } from '@picket/http'
import { buildBundle } from './build.ts'
import { loadPolicyBundle, type PolicyBundle } from './bundle.ts'
import { createPolicyEngine, DECISION_ENTRYPOINT, EXPLANATION_ENTRYPOINT } from './engine.ts'
import { toPolicyInput, type InputContext } from './input.ts'
import { digestSources, readSources } from './sources.ts'
import { createTestContext, createTestHead, readShippedBundle, SHIPPED_POLICIES } from './testing.ts'
import { buildTraps, loadTraps, TRAPS_FOLDER, updateTraps } from './testing-fixtures.ts'
import { testPolicies } from './test-runner.ts'
import { findOpa, OPA_MISSING_HINT } from './toolchain.ts'

const opa = await findOpa({ env: process.env })
const withOpa = { skip: opa ? false : OPA_MISSING_HINT }

if (opa && process.env['PICKET_UPDATE_FIXTURES']) await updateTraps(opa)

const shipped = await loadPolicyBundle(await readShippedBundle())
const traps = await loadTraps()
const engine = await createPolicyEngine(shipped)

describe('committed bundles are current', () => {
  const rows: readonly (readonly [what: string, PolicyBundle, folder: string, rebuild: () => Promise<PolicyBundle>])[] =
    [
      ['policies/authz.bundle.tar.gz', shipped, SHIPPED_POLICIES, () => buildBundle(SHIPPED_POLICIES, { opa: opa! })],
      ['the traps', traps, TRAPS_FOLDER, () => buildTraps(opa!)],
    ]
  for (const [what, bundle, folder, rebuild] of rows) {
    test(`${what}: the sources are those that it was built from`, async () => {
      assert.equal(bundle.metadata?.sources, digestSources(await readSources(folder)))
    })

    const compiler = bundle.metadata?.compiler
    const skip =
      opa && `opa ${opa.version}` !== compiler ? `compiled with ${compiler}, found opa ${opa.version}` : withOpa.skip
    test(`${what}: compiling them again gives the same module, data and manifest`, { skip }, async () => {
      const { bytes: _, digest: __, ...committed } = bundle
      const { bytes: ___, digest: ____, ...again } = await rebuild()
      assert.deepEqual(again, committed)
    })
  }
})

test('the tests of the shipped policy pass and reach all of it', withOpa, async () => {
  const { failed, passed, coverage } = await testPolicies(SHIPPED_POLICIES, opa!, { coverage: true })
  assert.deepEqual([failed, coverage], [0, 100])
  assert(passed >= 14)
})

describe('the bank', () => {
  const calls: readonly (readonly [caller: string | null, callee: string, request: string, expected: string])[] = [
    ['/gateway', 'accounts', 'GET /accounts/alice', 'allow'],
    ['/gateway', 'accounts', 'GET /accounts/alice?expand=all', 'allow'],
    ['/gateway', 'payments', 'POST /payments', 'allow'],
    ['/payments', 'accounts', 'GET /accounts/alice', 'allow'],
    ['/payments', 'fraud', 'POST /checks', 'allow'],
    ['/payments', 'ledger', 'POST /entries', 'allow'],
    ['/gateway', 'ledger', 'GET /entries', '/gateway has none of the roles auditor'],
    ['/gateway', 'ledger', 'POST /entries', '/gateway has none of the roles payment-processor'],
    ['/support-portal', 'ledger', 'GET /entries', '/support-portal has none of the roles auditor'],
    ['/support-portal', 'ledger', 'POST /entries', '/support-portal has none of the roles payment-processor'],
    ['/support-portal', 'ledger', 'GET /health', 'allow'],
    ['/gateway', 'accounts', 'DELETE /accounts/alice', 'accounts has no such route'],
    [
      '/x/gateway',
      'accounts',
      'GET /accounts/alice',
      '/x/gateway has none of the roles front-office, payment-processor',
    ],
    [null, 'accounts', 'GET /accounts/alice', 'the caller has no SPIFFE ID'],
    [null, 'accounts', 'GET /health', 'the caller has no SPIFFE ID'],
  ]
  for (const [caller, callee, request, expected] of calls) {
    test(`${caller ?? 'nobody'} → ${callee} ${request}: ${expected}`, () => {
      const decision = engine.decide(engine.connect(createTestContext(caller, callee)), createTestHead(request))
      assert.equal(decision.kind === 'allow' ? 'allow' : sortRoles(decision.detail), expected)
    })
  }

  test('another trust domain gets nowhere', () => {
    const connection = engine.connect(createTestContext('/gateway', 'accounts', 'other.test'))
    for (const request of ['GET /accounts/alice', 'GET /health']) {
      const { kind, detail } = engine.decide(connection, createTestHead(request))
      assert.deepEqual([kind, detail], ['deny', 'the caller is of trust domain other.test, not of bank.test'])
    }
  })
})

/** Sets have no order that Wasm and people agree on. */
function sortRoles(detail: string): string {
  return detail.replace(/(?<=roles ).*/, (roles) => roles.split(', ').sort().join(', '))
}

const anyContext = fc
  .tuple(
    fc.constantFrom('/gateway', '/payments', '/support-portal', '/x/gateway', '', null),
    fc.constantFrom('accounts', 'payments', 'ledger', 'fraud', 'gateway', 'unheard-of'),
    fc.constantFrom('bank.test', 'bank.test', 'bank.test', 'other.test'),
  )
  .map(([caller, callee, domain]) => createTestContext(caller, callee, domain))

const anyHead = fc
  .record({
    method: fc.constantFrom('GET', 'POST', 'DELETE'),
    path: fc.oneof(
      fc.constantFrom('accounts/alice', 'payments', 'entries', 'checks', 'health'),
      fc
        .array(fc.constantFrom('accounts', 'payments', 'a%20b', '%C3%A9', '%FF', '{id}'), {
          minLength: 1,
          maxLength: 3,
        })
        .map((segments) => segments.join('/')),
    ),
    end: fc.constantFrom('', '', '/', '?a=1', '?a;b'),
  })
  .map(({ method, path, end }) => createTestHead(`${method} /${path}${end}`))

const anyCall: fc.Arbitrary<readonly [InputContext, RequestHead]> = fc.tuple(anyContext, anyHead)

test('deciding on bytes is the same as evaluating the plain input', () => {
  fc.assert(
    fc.property(anyCall, ([context, head]) => {
      const decision = engine.decide(engine.connect(context), head)
      const input = toPolicyInput(context, head, shipped.metadata?.input[DECISION_ENTRYPOINT])
      if (!input) return assert.equal(decision.reason, 'input_not_representable')
      assert.equal(decision.kind === 'allow', engine.evaluate(DECISION_ENTRYPOINT, input))
      const whole = toPolicyInput(context, head)
      if (whole) assert.equal(decision.kind === 'allow', engine.evaluate(DECISION_ENTRYPOINT, whole))
    }),
    { numRuns: 1_000 },
  )
})

test('Wasm says what OPA itself says', withOpa, async () => {
  const calls = fc.sample(anyCall, 400)
  const cases = calls.flatMap(([context, head]) => {
    const input = toPolicyInput(context, head)
    return input ? [{ input, decision: engine.decide(engine.connect(context), head) }] : []
  })
  const verdicts = await evaluateWithOpa(cases.map(({ input }) => input))
  assert.equal(verdicts.length, cases.length)
  for (const [i, { decision, input }] of cases.entries()) {
    const [allowed, reason] = verdicts[i]!
    assert.equal(decision.kind === 'allow', allowed, JSON.stringify(input))
    if (!allowed) assert.equal(sortRoles(decision.detail), sortRoles(reason), JSON.stringify(input))
  }
  assert(verdicts.some(([allowed]) => allowed) && verdicts.some(([allowed]) => !allowed))
})

/** `[allow, reason]` for each input, in one run of `opa eval`. */
async function evaluateWithOpa(inputs: readonly unknown[]): Promise<[boolean, string][]> {
  const each = `[[allowed, why] | some c in input
    allowed := data.${DECISION_ENTRYPOINT.replaceAll('/', '.')} with input as c
    why := data.${EXPLANATION_ENTRYPOINT.replaceAll('/', '.')} with input as c]`
  const files = ['authz.rego', 'data.json'].flatMap((name) => ['--data', `${SHIPPED_POLICIES}/${name}`])
  const run = promisify(execFile)(opa!.path, ['eval', '--format', 'values', '--stdin-input', ...files, each], {
    maxBuffer: 1e8,
  })
  run.child.stdin?.end(JSON.stringify(inputs))
  const { stdout } = await run
  return (JSON.parse(stdout) as [boolean, string][][])[0]!
}
