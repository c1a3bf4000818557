/**
 * Integration tests with sample services: a real mesh of processes on free ports, yours to call, break and repair. The
 * harness is the one that the demo runs on; see "Test your own service" in the README.
 */
export {
  bankPolicy,
  frozenPaymentsPolicy,
  replacePolicyData,
  runPicket,
  startBankMesh,
  startMesh,
  type AccessRecord,
  type AppOptions,
  type Mesh,
  type MeshClient,
  type MeshResponse,
  type MeshService,
} from '@picket/demo'
