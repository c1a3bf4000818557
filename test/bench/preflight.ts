import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import type { WorkloadFiles } from '../support/certs.ts'
import { CALL, type Contestant, type Site } from './site.ts'

/**
 * What a contestant must do before its speed means anything: answer 200 through mutual TLS, serve nobody who has no
 * certificate, and (checked after the load) have written its log.
 */
export async function checkGuard(contestant: Contestant, site: Site): Promise<void> {
  const withCertificate = await statusOf(site, site.caller)
  if (withCertificate !== 200)
    throw new Error(`${contestant.name} answers ${withCertificate} through mutual TLS, not 200`)
  const without = await statusOf(site, undefined)
  if (typeof without === 'number' && without < 400) {
    throw new Error(`${contestant.name} answers ${without} to a client without a certificate`)
  }
}

export function checkLog(contestant: Contestant, site: Site, requests: number): void {
  if (contestant.accessLog === undefined) return
  const log = readFileSync(join(site.folder, contestant.accessLog))
  let lines = 0
  for (let at = log.indexOf(10); at !== -1; at = log.indexOf(10, at + 1)) lines += 1
  if (lines < requests) throw new Error(`${contestant.name} served ${requests} requests but logged ${lines} lines`)
}

/** The status of one call, or why there was no answer. */
function statusOf(site: Site, caller: WorkloadFiles | undefined): Promise<number | string> {
  const identity = caller && { cert: readFileSync(caller.svid), key: readFileSync(caller.key) }
  return new Promise((resolve) => {
    const call = request({
      ...identity,
      ca: readFileSync(site.service.bundle),
      checkServerIdentity: () => undefined,
      host: '127.0.0.1',
      port: site.port,
      path: CALL.path,
      headers: CALL.headers,
      agent: false,
      timeout: 5_000,
    })
    call.once('response', (response) => {
      response.resume()
      response.once('close', () => resolve(response.statusCode ?? 0))
    })
    call.once('timeout', () => call.destroy(new Error('timed out')))
    call.once('error', (error) => resolve(error.message))
    call.end()
  })
}
