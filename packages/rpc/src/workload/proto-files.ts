/** What is served to workloads on their own host: the SPIFFE Workload API and Envoy's secret discovery. */
export const WORKLOAD_PROTO_FILES = [
  'spiffe/workload.proto',
  'envoy/service/secret/v3/sds.proto',
  'envoy/extensions/transport_sockets/tls/v3/secret.proto',
  'envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config.proto',
] as const

/** How tools find out about them. */
export const REFLECTION_PROTO_FILES = [
  'grpc/reflection/v1/reflection.proto',
  'grpc/reflection/v1alpha/reflection.proto',
] as const
