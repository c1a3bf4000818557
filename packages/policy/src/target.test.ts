import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { parsePath, parseQuery } from './target.ts'

describe('parsed_path', () => {
  const parsed: readonly (readonly [path: string, segments: readonly string[]])[] = [
    ['/', ['']],
    ['/a', ['a']],
    ['/a/b', ['a', 'b']],
    ['/a/', ['a', '']],
    ['/a%20b/%C3%A9', ['a b', 'é']],
    ['/a+b', ['a+b']],
    ['/%2525', ['%25']],
    ['/...', ['...']],
    ['/a.b/.c', ['a.b', '.c']],
    ['/a;v=1', ['a;v=1']],
    ['*', ['*']],
    ['/a\'"b', ['a\'"b']],
    ['', ['']],
  ]
  for (const [path, segments] of parsed)
    test(`of ${path || 'nothing'}`, () => assert.deepEqual(parsePath(path), segments))

  for (const path of [
    '//',
    '//a',
    '/a//b',
    '/a//',
    '/.',
    '/..',
    '/a/../b',
    '/a/./b',
    '/a/..',
    '/%2e%2e/a',
    '/a/.%2E',
    '/a%2fb',
    '/a%2Fb',
    '/a%5cb',
    '/a\\b',
    '/a%00b',
    '/a\0b',
    '/%',
    '/%4',
    '/%zz',
    '/%ff',
    '/%c3',
    '/%c0%af',
    '/%ed%a0%80',
    '/a b',
    '/a\u00e9',
    '/a\n',
    '/a\x7f',
  ]) {
    test(`has no form for ${JSON.stringify(path)}`, () => assert.equal(parsePath(path), undefined))
  }

  test('is what encoded segments were before encoding', () => {
    const segment = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !/[/\\\0]|^\.{1,2}$/.test(text))
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1 }), (segments) => {
        const path = `/${segments.map((text) => encodeURIComponent(text)).join('/')}`
        assert.deepEqual(parsePath(path), segments)
      }),
    )
  })
})

describe('parsed_query', () => {
  const parsed: readonly (readonly [query: string, values: Record<string, string[]>])[] = [
    ['', {}],
    ['a', { a: [''] }],
    ['a=', { a: [''] }],
    ['a=1&a=2&b=3', { a: ['1', '2'], b: ['3'] }],
    ['a=1=2', { a: ['1=2'] }],
    ['&&a=1&', { a: ['1'] }],
    ['=x', { '': ['x'] }],
    ['a+b=c+d', { 'a b': ['c d'] }],
    ['a%2Bb=%26', { 'a+b': ['&'] }],
    ['q=%C3%A9', { q: ['é'] }],
    ['a=%00', { a: ['\0'] }],
  ]
  for (const [query, values] of parsed)
    test(`of ${query || 'nothing'}`, () => assert.deepEqual(parseQuery(query), values))

  test('keeps names that objects have already', () => {
    const values = parseQuery('__proto__=a&constructor=b')
    assert.deepEqual(Object.entries(values ?? {}), [
      ['__proto__', ['a']],
      ['constructor', ['b']],
    ])
  })

  for (const query of ['a;b', 'a=1;b=2', 'a=%', 'a=%zz', '%ff=1', 'a=%ed%a0%80', 'a b', 'a=\u00e9']) {
    test(`has no form for ${JSON.stringify(query)}`, () => assert.equal(parseQuery(query), undefined))
  }

  test('is what URLSearchParams reads, where both read something', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }))), (pairs) => {
        const query = new URLSearchParams(pairs).toString()
        const expected = Object.fromEntries(
          [...new Set(pairs.map(([name]) => name))].map((name) => [name, new URLSearchParams(query).getAll(name)]),
        )
        assert.deepEqual(parseQuery(query), expected)
      }),
    )
  })
})
