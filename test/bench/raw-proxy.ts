/**
 * The platform's floor: a Node TLS server piped byte for byte to a TCP connection. It reads no request, decides
 * nothing and logs nothing; what it costs per request is what no Node proxy can go below.
 */
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { createServer } from 'node:tls'

const [port, upstreamPort, svid, key, bundle] = process.argv.slice(2)
if (!port || !upstreamPort || !svid || !key || !bundle) throw new Error('PORT UPSTREAM_PORT SVID KEY BUNDLE')

createServer(
  {
    cert: readFileSync(svid),
    key: readFileSync(key),
    ca: readFileSync(bundle),
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.3',
  },
  (client) => {
    const upstream = connect(Number(upstreamPort), '127.0.0.1').setNoDelay()
    client.setNoDelay()
    client.pipe(upstream)
    upstream.pipe(client)
    client.on('error', () => upstream.destroy())
    upstream.on('error', () => client.destroy())
  },
).listen(Number(port), '127.0.0.1')
