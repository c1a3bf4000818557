import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Decision, DenyReason } from './decision.ts'
import { Decider, type Instance, type PolicyEngine } from './decider.ts'
import { PolicyError, type PolicyErrorCode } from './error.ts'
import { createPolicyEngine } from './engine.ts'
import { loadPolicyBundle } from './bundle.ts'
import { replaceBundleData } from './build.ts'
import { createTestContext, createTestHead, readShippedBundle } from './testing.ts'
import { createTrapEngine, loadTraps, type Trap } from './testing-fixtures.ts'

/** What the engine says to /trap, twice, and to another request after it. */
function spring(engine: PolicyEngine): { trapped: Decision; after: Decision } {
  const connection = engine.connect(createTestContext())
  const decideOn = (path: string): Decision => engine.decide(connection, createTestHead(`GET ${path}`))
  const trapped = decideOn('/trap')
  assert.deepEqual(decideOn('/trap'), trapped)
  return { trapped, after: decideOn('/other') }
}

function throwsWith(act: () => unknown, code: PolicyErrorCode): void {
  assert.throws(act, (thrown) => thrown instanceof PolicyError && thrown.code === code)
}

describe('a policy that fails on a request denies it, for its own reason, and decides the next one as ever', () => {
  const rows: readonly (readonly [rule: Trap, DenyReason, after: string])[] = [
    ['absent', 'policy_undefined', 'allowed'],
    ['conflict', 'policy_error', 'policy_denied'],
    ['wrong_type', 'policy_wrong_type', 'policy_denied'],
    ['an_object', 'policy_wrong_type', 'policy_denied'],
    ['host_failure', 'policy_error', 'policy_denied'],
    ['runaway', 'policy_error', 'policy_denied'],
    ['denied', 'policy_denied', 'policy_denied'],
  ]
  for (const [rule, reason, expectedAfter] of rows) {
    test(rule, async () => {
      using engine = await createTrapEngine(rule)
      const { trapped, after } = spring(engine)
      assert.equal(trapped.kind, 'deny')
      assert.equal(trapped.reason, reason)
      assert.equal(after.reason, expectedAfter)
    })
  }

  test('thousands of times: an instance that threw is not used again', async () => {
    using engine = await createTrapEngine('conflict')
    const connection = engine.connect(createTestContext())
    const [trap, other] = [createTestHead('GET /trap'), createTestHead('GET /other')]
    for (let i = 0; i < 2_000; i++)
      assert.equal(engine.decide(connection, trap).detail, 'traps.rego:13:1: var assignment conflict')
    assert.equal(engine.decide(connection, other).reason, 'policy_denied')
  })
})

describe('memory', () => {
  test('a policy that needs some gets it and still decides', async () => {
    using engine = await createTrapEngine('hungry')
    assert.equal(spring(engine).trapped.kind, 'allow')
  })

  test('ends: a runaway evaluation is cut off in a moment', async () => {
    using engine = await createTrapEngine('runaway')
    const connection = engine.connect(createTestContext())
    const started = process.cpuUsage()
    assert.equal(engine.decide(connection, createTestHead('GET /trap')).detail, 'opa_malloc: failed')
    assert(process.cpuUsage(started).user < 2_000_000)
  })
})

describe('what fails open elsewhere', () => {
  test('input that is no document never reaches the policy', async () => {
    using engine = await createTrapEngine('not_blocked')
    assert.equal(engine.evaluate('traps/not_blocked', { blocked: false }), true)
    assert.equal(engine.evaluate('traps/not_blocked', { blocked: true }), false)
    const bytes = Buffer.from('{"blocked":true}')
    const toNothing = { toJSON: () => undefined }
    const toText = { toJSON: () => 'text' }
    for (const input of [
      undefined,
      null,
      0,
      false,
      '',
      'text',
      [],
      bytes,
      bytes.buffer,
      new Map(),
      () => {},
      toNothing,
      toText,
    ]) {
      throwsWith(() => engine.evaluate('traps/not_blocked', input), 'ERR_POLICY_INPUT')
    }
  })

  test('data pushed later is looked at, though there was none when the policy was compiled', async () => {
    const { bytes } = await loadTraps()
    const pushed = await replaceBundleData(bytes, { listed: { '/gateway': true }, beyond_doubles: 1 })
    const options = { entrypoint: 'traps/not_listed' }
    using before = await createPolicyEngine(await loadPolicyBundle(bytes), options)
    using after = await createPolicyEngine(await loadPolicyBundle(pushed), options)
    const head = createTestHead('GET /a')
    assert.equal(before.decide(before.connect(createTestContext()), head).kind, 'allow')
    assert.equal(after.decide(after.connect(createTestContext()), head).kind, 'deny')
    assert.equal(after.decide(after.connect(createTestContext('/other')), head).kind, 'allow')
  })

  test('numbers in data keep all their digits', async () => {
    using engine = await createTrapEngine('exact')
    assert.equal(engine.decide(engine.connect(createTestContext()), createTestHead('GET /a')).kind, 'allow')
  })

  test('half a surrogate pair and bottomless nesting throw, and the engine goes on', async () => {
    using engine = await createTrapEngine('not_blocked')
    let deep: object = {}
    for (let i = 0; i < 50_000; i++) deep = { deep }
    throwsWith(() => engine.evaluate('traps/echo', { text: '\ud800' }), 'ERR_POLICY_EVALUATION')
    assert.throws(() => engine.evaluate('traps/echo', deep), PolicyError)
    assert.deepEqual(engine.evaluate('traps/echo', { text: 'é😀\u0000"\\' }), { text: 'é😀\u0000"\\' })
    assert.equal(engine.decide(engine.connect(createTestContext()), createTestHead('GET /a')).kind, 'allow')
  })

  test('a repeated header is one value', async () => {
    using engine = await createTrapEngine('headers')
    const connection = engine.connect(createTestContext())
    const reasonFor = (...headers: string[]): string =>
      engine.decide(connection, createTestHead('GET /a', headers)).reason
    assert.equal(reasonFor('x-role: a', 'X-ROLE: b'), 'allowed')
    assert.equal(reasonFor('x-role: a, b'), 'allowed')
    assert.equal(reasonFor('x-role: b', 'x-role: a, b'), 'policy_denied')
    assert.equal(reasonFor('x-role: a'), 'policy_denied')
    assert.equal(reasonFor(), 'policy_denied')
  })

  test('a policy that walks its input gets all of it', async () => {
    using engine = await createTrapEngine('whole')
    const connection = engine.connect(createTestContext())
    for (const [head, expected] of [
      [createTestHead('GET /a?b=needle'), 'allowed'],
      [createTestHead('GET /a', ['x-anything: needle']), 'allowed'],
      [createTestHead('GET /needle/a'), 'allowed'],
      [createTestHead('GET /a', ['x-anything: needles']), 'policy_denied'],
    ] as const) {
      assert.equal(engine.decide(connection, head).reason, expected)
    }
  })

  test('a request without a faithful form is denied as such', async () => {
    using engine = await createTrapEngine('whole')
    const connection = engine.connect(createTestContext())
    for (const target of ['/a?b;c', '/a%ff', '/a?b=%ff']) {
      const { reason, status } = engine.decide(connection, createTestHead(`GET ${target}`)) as Decision & {
        kind: 'deny'
      }
      assert.deepEqual([reason, status], ['input_not_representable', 400])
    }
    assert.equal(engine.decide(connection, createTestHead('GET /needle')).kind, 'allow')
  })
})

describe('an instance', () => {
  /** A decider on instances that answer, grow or throw as told. */
  async function deciderOn(answers: (string | Error)[]): Promise<{ engine: Decider; made: () => number }> {
    let made = 0
    const instantiate = (): Instance => {
      made += 1
      const instance = { memory: new Uint8Array(100_000), inputAt: 1_000, hasGrown: false, evaluate: () => [] }
      const run = (): number => {
        const answer = answers.shift() ?? '[]'
        if (answer instanceof Error) throw answer
        instance.hasGrown = answer === 'grow'
        instance.memory.set(Buffer.from(`${answer === 'grow' ? '[{"result":true}]' : answer}\0`), 8)
        return 8
      }
      return Object.assign(instance, { run })
    }
    const bundle = { ...(await loadTraps()), entrypoints: ['a/b'] }
    const engine = new Decider(bundle, { entrypoints: new Map([['a/b', 0]]), instantiate }, 'a/b', 'a/c')
    return { engine, made: () => made }
  }

  const decide = (engine: Decider): Decision =>
    engine.decide(engine.connect(createTestContext()), createTestHead('GET /'))

  test('is used again after an answer, and not after growing or throwing', async () => {
    const { engine, made } = await deciderOn(['[{"result":true}]', '[]', 'grow', '[]', new Error('trap'), '[]', '{'])
    const reasons = Array.from({ length: 7 }, () => `${decide(engine).reason} ${made()}`)
    assert.deepEqual(reasons, [
      'allowed 1',
      'policy_undefined 1',
      'allowed 1',
      'policy_undefined 2',
      'policy_error 2',
      'policy_undefined 3',
      'policy_error 3',
    ])
    assert.equal(`${decide(engine).reason} ${made()}`, 'policy_undefined 4')
  })

  test('that gives more than one result denies, whatever they are', async () => {
    const { engine } = await deciderOn(['[{"result":true},{"result":true}]'])
    assert.equal(decide(engine).reason, 'policy_multiple_results')
  })

  test('that cannot be made denies, until one can', async () => {
    const bundle = { ...(await loadTraps()), entrypoints: ['a/b'] }
    let isOutOfMemory = true
    const engine = new Decider(
      bundle,
      {
        entrypoints: new Map([['a/b', 0]]),
        instantiate: () => {
          if (isOutOfMemory) throw new RangeError('out of memory')
          const memory = new Uint8Array(100_000)
          memory.set(Buffer.from('[{"result":true}]\0'), 8)
          return { memory, inputAt: 1_000, hasGrown: false, run: () => 8, evaluate: () => [] }
        },
      },
      'a/b',
      'a/c',
    )
    assert.deepEqual([decide(engine).reason, decide(engine).reason], ['policy_error', 'policy_error'])
    isOutOfMemory = false
    assert.equal(decide(engine).kind, 'allow')
  })
})

describe('an explanation', () => {
  const explained = async (rule: Trap, explanation: 'reason' | Trap): Promise<Decision> => {
    using engine = await createTrapEngine(rule, explanation)
    return spring(engine).trapped
  }

  test('is what the policy says, cut to a bearable length', async () => {
    const { detail } = await explained('denied', 'reason')
    assert.match(detail, /^long 1, 2, 3/)
    assert.equal(detail.length, 256)
  })

  test('that throws or is no string changes nothing about the denial', async () => {
    for (const explanation of ['failing_reason', 'echo', 'absent', 'wrong_type'] as const) {
      assert.equal((await explained('denied', explanation)).reason, 'policy_denied')
    }
    assert.equal((await explained('denied', 'failing_reason')).detail, '')
    assert.equal((await explained('denied', 'echo')).detail, '')
  })

  test('may be missing', async () => {
    using engine = await createPolicyEngine(await loadTraps(), {
      entrypoint: 'traps/denied',
      explanation: 'traps/none',
    })
    assert.equal(spring(engine).trapped.detail, '')
  })
})

describe('an engine', () => {
  test('names itself in its decisions, and gives one allow to all', async () => {
    const bundle = await loadPolicyBundle(await readShippedBundle())
    using engine = await createPolicyEngine(bundle)
    const connection = engine.connect(createTestContext())
    const head = createTestHead('GET /accounts/alice')
    const decision = engine.decide(connection, head)
    assert.equal(decision.kind, 'allow')
    assert.equal(decision.revision, bundle.revision)
    assert.equal(engine.digest, bundle.digest)
    assert.equal(engine.decide(connection, head), decision)
  })

  test('takes connections that were made for another revision', async () => {
    using one = await createTrapEngine('not_blocked')
    using other = await createTrapEngine('headers')
    const connection = one.connect(createTestContext())
    const head = createTestHead('GET /a', ['x-role: a, b'])
    for (let i = 0; i < 3; i++) {
      assert.equal(one.decide(connection, head).kind, 'allow')
      assert.equal(other.decide(connection, head).kind, 'allow', 'it reads more than the one before')
    }
  })

  test('denies after its end', async () => {
    const engine = await createTrapEngine('not_blocked')
    engine[Symbol.dispose]()
    assert.equal(engine.decide(engine.connect(createTestContext()), createTestHead('GET /a')).reason, 'policy_error')
    throwsWith(() => engine.evaluate('traps/echo', {}), 'ERR_POLICY_DISPOSED')
  })

  test('knows its entrypoints only', async () => {
    using engine = await createTrapEngine('not_blocked')
    for (const name of ['traps/armed', 'toString', '__proto__', '']) {
      throwsWith(() => engine.evaluate(name, {}), 'ERR_POLICY_ENTRYPOINT')
    }
  })
})
