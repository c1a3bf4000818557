import type { Caller } from './caller.ts'
import type { RequestOf, ResponseOf, UnaryMethod } from './codec.ts'
import type { Method } from './contract.ts'
import type { ControlPlaneHandlers } from './handlers.ts'
import { answerSync, answerUnary, answerUpload, type EdgeDeps } from './server-edge.ts'
import { gatherChanges, gatherPolicy } from './upload.ts'

type Unary = <M extends UnaryMethod>(
  method: M,
  handle: (request: RequestOf<M>, caller: Caller) => Promise<ResponseOf<M>>,
) => unknown

/** Each method of the contract and the handler behind it: complete by type. */
export function createAnswers(edge: EdgeDeps, handlers: ControlPlaneHandlers): Readonly<Record<Method, unknown>> {
  const unary: Unary = (method, handle) => answerUnary(edge, method, handle)

  const { admin } = handlers
  return {
    ...createOperatorAnswers(unary, handlers),
    'Certificates/Challenge': unary('Certificates/Challenge', (_, caller) => handlers.challenge(caller)),
    'Certificates/Attest': unary('Certificates/Attest', (request, caller) => handlers.attest(request, caller)),
    'Certificates/Issue': unary('Certificates/Issue', (request, caller) => handlers.issue(request, caller)),
    'Certificates/IssueJwt': unary('Certificates/IssueJwt', (request, caller) => handlers.issueJwt(request, caller)),
    'Sync/Sync': answerSync(edge, (stream, caller) => handlers.sync(stream, caller)),
    'Admin/CreateToken': unary('Admin/CreateToken', (request, caller) => admin.createToken(request, caller)),
    'Admin/CreateEntry': unary('Admin/CreateEntry', (draft, caller) => admin.createEntry(draft, caller)),
    'Admin/ListEntries': unary('Admin/ListEntries', (request, caller) => admin.listEntries(request, caller)),
    'Admin/DeleteEntry': unary('Admin/DeleteEntry', (id, caller) => admin.deleteEntry(id, caller)),
    'Admin/ApplyEntries': answerUpload(edge, 'Admin/ApplyEntries', gatherChanges, (request, caller) =>
      admin.applyEntries(request, caller),
    ),
    'Admin/ExplainIdentity': unary('Admin/ExplainIdentity', (request, caller) =>
      admin.explainIdentity(request, caller),
    ),
    'Admin/PushPolicy': answerUpload(edge, 'Admin/PushPolicy', gatherPolicy, (bundle, caller) =>
      admin.pushPolicy(bundle, caller),
    ),
    'Admin/ListPolicies': unary('Admin/ListPolicies', (_, caller) => admin.listPolicies(caller)),
    'Admin/RotateSvids': unary('Admin/RotateSvids', (id, caller) => admin.rotateSvids(id, caller)),
    'Admin/GetStatus': unary('Admin/GetStatus', (_, caller) => admin.getStatus(caller)),
    'Admin/ListSidecars': unary('Admin/ListSidecars', (request, caller) => admin.listSidecars(request, caller)),
  }
}

type OperatorMethod = Extract<Method, `Authorities/${string}` | `Revocations/${string}` | `Federation/${string}`>

function createOperatorAnswers(
  unary: Unary,
  { authorities, revocations, federation }: ControlPlaneHandlers,
): Readonly<Record<OperatorMethod, unknown>> {
  return {
    'Authorities/GetAuthorities': unary('Authorities/GetAuthorities', (_, caller) =>
      authorities.getAuthorities(caller),
    ),
    'Authorities/PrepareAuthority': unary('Authorities/PrepareAuthority', (request, caller) =>
      authorities.prepare(request, caller),
    ),
    'Authorities/ActivateAuthority': unary('Authorities/ActivateAuthority', (request, caller) =>
      authorities.activate(request, caller),
    ),
    'Authorities/TaintAuthority': unary('Authorities/TaintAuthority', (request, caller) =>
      authorities.taint(request, caller),
    ),
    'Authorities/RevokeAuthority': unary('Authorities/RevokeAuthority', (request, caller) =>
      authorities.revoke(request, caller),
    ),
    'Authorities/RotateAuthorities': unary('Authorities/RotateAuthorities', (request, caller) =>
      authorities.rotate(request, caller),
    ),
    'Revocations/CreateRevocation': unary('Revocations/CreateRevocation', (request, caller) =>
      revocations.create(request, caller),
    ),
    'Revocations/DeleteRevocation': unary('Revocations/DeleteRevocation', (request, caller) =>
      revocations.delete(request, caller),
    ),
    'Revocations/ListRevocations': unary('Revocations/ListRevocations', (request, caller) =>
      revocations.list(request, caller),
    ),
    'Federation/SetRelationship': unary('Federation/SetRelationship', (request, caller) =>
      federation.set(request, caller),
    ),
    'Federation/DeleteRelationship': unary('Federation/DeleteRelationship', (trustDomain, caller) =>
      federation.delete(trustDomain, caller),
    ),
    'Federation/ListRelationships': unary('Federation/ListRelationships', (_, caller) => federation.list(caller)),
    'Federation/RefreshRelationship': unary('Federation/RefreshRelationship', (trustDomain, caller) =>
      federation.refresh(trustDomain, caller),
    ),
  }
}
