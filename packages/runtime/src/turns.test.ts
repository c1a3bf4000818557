import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settle } from './testing.ts'
import { createTurns } from './turns.ts'

test('work is done in turn, in the order of the calls, and a failure is its own', async () => {
  const inTurn = createTurns()
  const did: string[] = []
  const slow = inTurn(async () => {
    await settle()
    did.push('slow')
    return 1
  })
  const failing = inTurn(async () => {
    did.push('failing')
    throw new Error('no')
  })
  const quick = inTurn(async () => {
    did.push('quick')
    return 3
  })
  await assert.rejects(failing, { message: 'no' })
  assert.deepEqual([await slow, await quick, did], [1, 3, ['slow', 'failing', 'quick']])
})
