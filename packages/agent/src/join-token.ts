import { Secret } from '@picket/runtime'

/** One printable word, surrounding white space dropped. Throws without repeating the text. */
export function parseJoinToken(text: string): Secret<string> {
  const token = text.trim()
  if (!/^[\x21-\x7e]{1,512}$/.test(token))
    throw new TypeError('not a join token: it is one word of printable characters')
  return new Secret(token)
}
