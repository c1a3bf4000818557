import { mkdirSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { findProgram, programPath, PROGRAMS } from '../support/programs.ts'
import { startProcess, type StartedProcess } from './processes.ts'
import type { Contestant, Site } from './site.ts'

/**
 * Three roles of nginx, one worker each: the upstream (a constant 1 KB answer), the client side (plain in, mutual TLS
 * out, keep-alive) and the contestant (mutual TLS in, plain out, access log). Connections live as long as the run, so
 * that handshakes do not colour the cost of a request.
 */
const LONG_LIVED = 'keepalive_timeout 1h; keepalive_requests 1000000000; keepalive_time 24h;'

export function startUpstream(folder: string, port: number): StartedProcess {
  const body = '{"account":"42","state":"open"}'.padEnd(1024, ' ')
  return startNginx(
    folder,
    `access_log off; server { listen 127.0.0.1:${port}; default_type application/json; return 200 '${body}'; }`,
  )
}

/** One plain listener per contestant, each in front of one mutual-TLS port. */
export function startClientSide(
  folder: string,
  caller: Site['caller'],
  routes: readonly { readonly from: number; readonly to: number }[],
): StartedProcess {
  const server = ({ from, to }: { from: number; to: number }): string => `
  upstream to${to} { server 127.0.0.1:${to}; keepalive 64; ${LONG_LIVED} }
  server {
    listen 127.0.0.1:${from};
    location / {
      proxy_pass https://to${to};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_ssl_protocols TLSv1.3;
      proxy_ssl_certificate ${caller.svid};
      proxy_ssl_certificate_key ${caller.key};
    }
  }`
  return startNginx(folder, `access_log off; ${routes.map(server).join('')}`)
}

export const nginx: Contestant = {
  name: 'nginx',
  does: 'mutual TLS, no policy, access log written per request (the default)',
  missing: findProgram('nginx') ? undefined : PROGRAMS.nginx,
  accessLog: 'access.log',
  start: (site) => startNginx(site.folder, mutualTlsServer(site, 'access_log access.log combined;')),
}

export const nginxBuffered: Contestant = {
  ...nginx,
  name: 'nginx-buffered',
  does: 'the same with its access log buffered (buffer=64k flush=1s)',
  start: (site) =>
    startNginx(site.folder, mutualTlsServer(site, 'access_log access.log combined buffer=64k flush=1s;')),
}

function mutualTlsServer(site: Site, accessLog: string): string {
  return `
  ${accessLog}
  upstream app { server 127.0.0.1:${site.upstreamPort}; keepalive 64; ${LONG_LIVED} }
  server {
    listen 127.0.0.1:${site.port} ssl;
    ssl_protocols TLSv1.3;
    ssl_certificate ${site.service.svid};
    ssl_certificate_key ${site.service.key};
    ssl_client_certificate ${site.service.bundle};
    ssl_verify_client on;
    location / {
      proxy_pass http://app;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
    }
  }`
}

function startNginx(folder: string, http: string): StartedProcess {
  mkdirSync(folder, { recursive: true })
  const isRoot = process.getuid?.() === 0
  const bodies = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path temp-${kind};`)
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; worker_processes 1; pid nginx.pid; error_log error.log warn;
${isRoot ? `user ${userInfo().username};` : ''}
events { worker_connections 4096; }
http {
  ${LONG_LIVED}
  ${bodies.join(' ')}
  ${http}
}
`,
  )
  const args = ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'error.log']
  return startProcess(programPath('nginx'), args, folder, join(folder, 'output.log'))
}
