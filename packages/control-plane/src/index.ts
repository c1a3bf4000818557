export { startControlPlane, type ControlPlane, type ControlPlaneDeps } from './control-plane.ts'
export { ControlPlaneError, type ControlPlaneErrorCode } from './error.ts'
export type { Issuer } from './issuer.ts'
export { controlPlaneSettings, type ControlPlaneSettings } from './settings.ts'
