import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { encodeCertificatesPem, encodePrivateKeyPem } from '@picket/identity'
import { formatHostPort } from '@picket/runtime'
import { runCommand } from '../support/command.ts'
import { eventually } from '../support/eventually.ts'
import { startBankMesh, type Mesh } from '../support/mesh.ts'
import { programPath, skipUnless } from '../support/programs.ts'

/** Programs that we did not write, against real sidecars. */
suite('interop', () => {
  let mesh: Mesh
  let bundle: string
  before(async () => {
    mesh = await startBankMesh()
    bundle = join(mesh.directory, 'control-plane', 'trust-bundle.pem')
  })
  after(() => mesh?.[Symbol.asyncDispose]())

  test('openssl verify -x509_strict accepts an SVID against the bundle', { skip: skipUnless('openssl') }, async () => {
    const openssl = programPath('openssl')
    const shown = await runCommand(openssl, [
      's_client',
      '-showcerts',
      '-connect',
      formatHostPort(mesh.service('ledger').inbound),
    ])
    const [svid] = shown.stdout.match(/-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/) ?? []
    assert.ok(svid, shown.stderr)
    const file = join(mesh.directory, 'ledger.pem')
    await writeFile(file, svid)
    for (const purpose of ['sslserver', 'sslclient']) {
      const verdict = await runCommand(openssl, [
        'verify',
        '-x509_strict',
        '-purpose',
        purpose,
        '-CAfile',
        bundle,
        file,
      ])
      assert.equal(verdict.code, 0, verdict.stderr)
    }
  })

  test(
    'openssl s_client without an SVID is refused, and the refusal is recorded',
    { skip: skipUnless('openssl') },
    async () => {
      const ledger = mesh.service('ledger')
      const before = (await ledger.accessLog()).length
      const target = formatHostPort(ledger.inbound)
      const request = 'GET /health HTTP/1.1\r\nhost: ledger\r\n\r\n'
      const { stdout } = await runCommand(programPath('openssl'), ['s_client', '-quiet', '-connect', target], request)
      assert.doesNotMatch(stdout, /HTTP\/1\.1/)
      const record = await eventually(async () =>
        (await ledger.accessLog()).slice(before).find((r) => r.kind === 'handshake'),
      )
      assert.equal(record.reason, 'no-certificate')
    },
  )

  test(
    'openssl s_client with an SVID completes the handshake and is answered',
    { skip: skipUnless('openssl') },
    async () => {
      const identity = await issueFiles('gateway')
      const { inbound } = mesh.service('ledger')
      const request = 'GET /health HTTP/1.1\r\nhost: ledger\r\nconnection: close\r\n\r\n'
      const credentials = ['-cert', identity.svid, '-key', identity.key, '-CAfile', bundle, '-verify_return_error']
      const args = ['s_client', '-quiet', ...credentials, '-connect', formatHostPort(inbound)]
      const { stdout, stderr } = await runCommand(programPath('openssl'), args, request)
      assert.match(stdout, /^HTTP\/1\.1 200 /, stderr)
    },
  )

  test(
    'curl through an outbound sidecar: 200 where allowed, 403 with a decision id where not',
    { skip: skipUnless('curl') },
    async () => {
      const curl = (service: string, host: string, path: string): ReturnType<typeof runCommand> => {
        const url = `http://${formatHostPort(mesh.service(service).outbound)}${path}`
        return runCommand(programPath('curl'), ['-sS', '-i', '--max-time', '20', '-H', `host: ${host}`, url])
      }
      const allowed = await curl('gateway', 'accounts.mesh', '/accounts/alice')
      assert.match(allowed.stdout, /^HTTP\/1\.1 200 /, allowed.stderr)
      assert.match(allowed.stdout, /"name":"Alice"/)
      const denied = await curl('support-portal', 'ledger.mesh', '/entries')
      assert.match(denied.stdout, /^HTTP\/1\.1 403 /)
      const [, id] = /x-request-id: (\S+)/i.exec(denied.stdout) ?? []
      assert.ok(id)
      assert.ok(denied.stdout.includes(`"decision_id":"${id}"`))
    },
  )

  /** An SVID of this mesh's own CA in files, as a workload with a PKI client of its own would hold it. */
  async function issueFiles(name: string): Promise<{ svid: string; key: string }> {
    const { chain, privateKey } = await mesh.operator.attest(name)
    const files = { svid: join(mesh.directory, `${name}.svid.pem`), key: join(mesh.directory, `${name}.key.pem`) }
    await writeFile(files.svid, encodeCertificatesPem(chain))
    await writeFile(files.key, encodePrivateKeyPem(privateKey), { mode: 0o600 })
    return files
  }
})
