import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram, programPath, PROGRAMS } from '../support/programs.ts'
import { startProcess } from './processes.ts'
import type { Contestant, Site } from './site.ts'

/** Envoy as a mesh would set it: mutual TLS 1.3, RBAC on caller, method and path, XFCC, JSON access log, one worker. */
export const envoy: Contestant = {
  name: 'envoy',
  does: 'mutual TLS, static RBAC, XFCC, JSON access log',
  missing: findProgram('envoy') ? undefined : PROGRAMS.envoy,
  accessLog: 'access.log',
  start(site) {
    const config = join(site.folder, 'envoy.json')
    writeFileSync(config, JSON.stringify(bootstrap(site), undefined, 2))
    const args = ['-c', config, '--concurrency', '1', '--disable-hot-restart', '-l', 'warning']
    return startProcess(programPath('envoy'), args, site.folder, join(site.folder, 'output.log'))
  },
}

const TYPE = 'type.googleapis.com/envoy.extensions'

function bootstrap(site: Site): object {
  return {
    static_resources: {
      listeners: [
        {
          name: 'inbound',
          address: socketAddress(site.port),
          filter_chains: [{ transport_socket: downstreamTls(site), filters: [connectionManager(site)] }],
        },
      ],
      clusters: [
        {
          name: 'app',
          type: 'STATIC',
          load_assignment: {
            cluster_name: 'app',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(site.upstreamPort) } }] }],
          },
        },
      ],
    },
  }
}

function socketAddress(port: number): object {
  return { socket_address: { address: '127.0.0.1', port_value: port } }
}

function downstreamTls({ service, caller }: Site): object {
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': `${TYPE}.transport_sockets.tls.v3.DownstreamTlsContext`,
      require_client_certificate: true,
      common_tls_context: {
        tls_params: { tls_minimum_protocol_version: 'TLSv1_3', tls_maximum_protocol_version: 'TLSv1_3' },
        tls_certificates: [{ certificate_chain: { filename: service.svid }, private_key: { filename: service.key } }],
        validation_context: {
          trusted_ca: { filename: service.bundle },
          match_typed_subject_alt_names: [
            {
              san_type: 'URI',
              matcher: { prefix: caller.id.slice(0, caller.id.indexOf('/', 'spiffe://'.length) + 1) },
            },
          ],
        },
      },
    },
  }
}

function connectionManager(site: Site): object {
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: 'inbound',
      codec_type: 'HTTP1',
      forward_client_cert_details: 'SANITIZE_SET',
      set_current_client_cert_details: { uri: true, subject: true },
      access_log: [jsonAccessLog()],
      http_filters: [rbac(site), router()],
      route_config: {
        virtual_hosts: [
          { name: 'app', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'app' } }] },
        ],
      },
    },
  }
}

function rbac({ caller }: Site): object {
  const method = { header: { name: ':method', string_match: { exact: 'GET' } } }
  const path = { url_path: { path: { prefix: '/accounts/' } } }
  return {
    name: 'envoy.filters.http.rbac',
    typed_config: {
      '@type': `${TYPE}.filters.http.rbac.v3.RBAC`,
      rules: {
        action: 'ALLOW',
        policies: {
          callers: {
            permissions: [{ and_rules: { rules: [method, path] } }],
            principals: [{ authenticated: { principal_name: { exact: caller.id } } }],
          },
        },
      },
    },
  }
}

function router(): object {
  return { name: 'envoy.filters.http.router', typed_config: { '@type': `${TYPE}.filters.http.router.v3.Router` } }
}

/** The fields that our own access record has. */
function jsonAccessLog(): object {
  return {
    name: 'envoy.access_loggers.file',
    typed_config: {
      '@type': `${TYPE}.access_loggers.file.v3.FileAccessLog`,
      path: 'access.log',
      log_format: {
        json_format: {
          time: '%START_TIME%',
          method: '%REQ(:METHOD)%',
          path: '%REQ(:PATH)%',
          status: '%RESPONSE_CODE%',
          flags: '%RESPONSE_FLAGS%',
          detail: '%RESPONSE_CODE_DETAILS%',
          request_bytes: '%BYTES_RECEIVED%',
          response_bytes: '%BYTES_SENT%',
          duration_ms: '%DURATION%',
          upstream_ms: '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%',
          request_id: '%REQ(X-REQUEST-ID)%',
          caller: '%DOWNSTREAM_PEER_URI_SAN%',
          source: '%DOWNSTREAM_REMOTE_ADDRESS%',
          upstream: '%UPSTREAM_HOST%',
        },
      },
    },
  }
}
