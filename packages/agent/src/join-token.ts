import { messageOf, Secret } from '@picket/runtime'
import { AgentError } from './error.ts'
import { readEvidenceFile } from './evidence-file.ts'

/** One printable word, surrounding white space dropped. Throws without repeating the text. */
export function parseJoinToken(text: string): Secret<string> {
  const token = text.trim()
  if (!/^[\x21-\x7e]{1,512}$/.test(token))
    throw new TypeError('not a join token: it is one word of printable characters')
  return new Secret(token)
}

/** The join token as it was given, or as its file says at the moment: an operator may put a new one there. */
export interface JoinTokens {
  /** The token to present now. Throws `ERR_JOIN_TOKEN_FILE`. */
  take(): Promise<Secret<string> | undefined>
  /** True when there is a token other than the one presented last: tokens are good for one use. */
  isFresh(): Promise<boolean>
}

export function createJoinTokens(joinToken: Secret<string> | undefined, file: string | undefined): JoinTokens {
  let presented: string | undefined
  const read = async (): Promise<Secret<string> | undefined> =>
    joinToken ?? (file === undefined ? undefined : readTokenFile(file))
  return {
    async take() {
      const token = await read()
      presented = token?.reveal()
      return token
    },
    async isFresh() {
      try {
        const token = await read()
        return token !== undefined && token.reveal() !== presented
      } catch {
        return false
      }
    },
  }
}

const JOIN_TOKEN_BYTES = 1024

async function readTokenFile(file: string): Promise<Secret<string>> {
  try {
    return parseJoinToken(await readEvidenceFile(file, JOIN_TOKEN_BYTES))
  } catch (cause) {
    throw new AgentError('ERR_JOIN_TOKEN_FILE', `joinTokenFile ${file}: ${messageOf(cause)}`, { cause })
  }
}
