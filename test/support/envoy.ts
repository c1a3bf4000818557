import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startProcess, type StartedProcess } from '../bench/processes.ts'
import { programPath } from './programs.ts'

/** Starts an unmodified Envoy with a bootstrap of its own making; its log is `envoy.log` in the folder. */
export function startEnvoy(folder: string, bootstrap: object): StartedProcess {
  const config = join(folder, 'envoy.json')
  writeFileSync(config, JSON.stringify(bootstrap, undefined, 2))
  const args = ['-c', config, '--concurrency', '1', '--disable-hot-restart', '-l', 'info']
  return startProcess(programPath('envoy'), args, folder, join(folder, 'envoy.log'))
}

const TYPE = 'type.googleapis.com/envoy.extensions'

export interface SdsOptions {
  /** Path of the Workload API's socket. */
  readonly socket: string
  /** Certificate and authorities to ask for, by name. */
  readonly svid: string
  readonly bundle: string
  readonly delta?: boolean
}

/** A listener that ends mutual TLS with what comes over SDS and answers each request with 200. */
export function sdsBootstrap(port: number, options: SdsOptions): object {
  return {
    node: { id: 'test', cluster: 'test' },
    static_resources: {
      listeners: [
        {
          name: 'inbound',
          address: { socket_address: { address: '127.0.0.1', port_value: port } },
          filter_chains: [{ transport_socket: downstreamTls(options), filters: [connectionManager()] }],
        },
      ],
      clusters: [sdsCluster(options.socket)],
    },
  }
}

function sdsCluster(socket: string): object {
  return {
    name: 'picket',
    type: 'STATIC',
    connect_timeout: '1s',
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': `${TYPE}.upstreams.http.v3.HttpProtocolOptions`,
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
    load_assignment: {
      cluster_name: 'picket',
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path: socket } } } }] }],
    },
  }
}

function secret(name: string, { delta }: SdsOptions): object {
  return {
    name,
    sds_config: {
      resource_api_version: 'V3',
      api_config_source: {
        api_type: delta ? 'DELTA_GRPC' : 'GRPC',
        transport_api_version: 'V3',
        grpc_services: [{ envoy_grpc: { cluster_name: 'picket' } }],
      },
    },
  }
}

function downstreamTls(options: SdsOptions): object {
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': `${TYPE}.transport_sockets.tls.v3.DownstreamTlsContext`,
      require_client_certificate: true,
      common_tls_context: {
        tls_certificate_sds_secret_configs: [secret(options.svid, options)],
        validation_context_sds_secret_config: secret(options.bundle, options),
      },
    },
  }
}

function connectionManager(): object {
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: 'inbound',
      codec_type: 'HTTP1',
      http_filters: [
        { name: 'envoy.filters.http.router', typed_config: { '@type': `${TYPE}.filters.http.router.v3.Router` } },
      ],
      route_config: {
        virtual_hosts: [
          {
            name: 'app',
            domains: ['*'],
            routes: [{ match: { prefix: '/' }, direct_response: { status: 200, body: { inline_string: 'envoy' } } }],
          },
        ],
      },
    },
  }
}
