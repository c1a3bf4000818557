import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { encodeCertificatesPem, parseCsr, parseSpiffeId } from '@picket/identity'
import { systemClock } from '@picket/runtime'
import { createTestCa, inTestFolder } from './testing.ts'

const hasOpenssl = spawnSync('openssl', ['version']).status === 0
const skip = hasOpenssl ? false : 'openssl is missing: apt-get install openssl'

function openssl(args: readonly string[], encoding: 'utf8' | 'buffer' = 'utf8'): Buffer | string {
  const { status, stdout, stderr } = spawnSync('openssl', args, { encoding })
  assert.equal(status, 0, `openssl ${args.join(' ')}\n${String(stdout)}${String(stderr)}`)
  return stdout
}

test('openssl makes the request, we issue, openssl verifies strictly against the bundle', { skip }, () =>
  inTestFolder(async (folder) => {
    await using authority = await createTestCa(join(folder, 'ca'), 'bank.test', systemClock)
    const bundle = join(folder, 'ca', 'trust-bundle.pem')
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', join(folder, 'key.pem')]
    const csr = openssl(['req', '-new', ...curve, '-subj', '/CN=payments', '-outform', 'DER'], 'buffer')
    const chain = await authority.issue({
      csr: parseCsr(csr as Buffer),
      id: parseSpiffeId('spiffe://bank.test/payments'),
      ttlMs: 3_600_000,
      dnsNames: ['payments.bank.test'],
      caller: 'test',
    })
    const svid = join(folder, 'svid.pem')
    await writeFile(svid, encodeCertificatesPem(chain))
    for (const purpose of ['sslserver', 'sslclient']) {
      assert.match(String(openssl(['verify', '-x509_strict', '-purpose', purpose, '-CAfile', bundle, svid])), /: OK/)
    }
    assert.match(String(openssl(['verify', '-x509_strict', '-CAfile', bundle, bundle])), /: OK/)
    const text = String(openssl(['x509', '-noout', '-text', '-in', svid]))
    assert.match(text, /URI:spiffe:\/\/bank\.test\/payments, DNS:payments\.bank\.test/)
    assert.match(text, /X509v3 Key Usage: critical\s+Digital Signature\n/)
    assert.match(text, /Subject: \n/)
  }),
)
