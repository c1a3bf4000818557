import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createHeaderNameSet, hashHeaderName } from './header-name-set.ts'

const token = fc.stringMatching(/^[a-z0-9-]{1,12}$/)

test('finds exactly its names, in any case', () => {
  fc.assert(
    fc.property(fc.uniqueArray(token, { maxLength: 20 }), token, (names, other) => {
      const set = createHeaderNameSet(names)
      for (const name of [...names, other]) {
        const bytes = Buffer.from(`[${name.toUpperCase()}]`)
        assert.equal(set.idOf(bytes, 1, bytes.length - 1, hashHeaderName(name)), names.indexOf(name) + 1)
      }
    }),
  )
})

test('refuses names that could never be found', () => {
  for (const name of ['', 'X-A', 'a b', 'a:', 'é'])
    assert.throws(() => createHeaderNameSet([name]), { code: 'ERR_HTTP_INVALID_NAME' })
})
