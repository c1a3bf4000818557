import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { loadPolicyBundle, replaceBundleData } from '@picket/policy'
import { writeFileAtomic } from '@picket/runtime'
import { bankPolicy } from '../bank/bank-mesh.ts'

/**
 * Two revisions of the bank's policy that differ in data only: with payments frozen, and as shipped. The compiled module
 * is the shipped one, so no compiler is needed.
 */
export async function frozenPaymentsPolicy(directory: string): Promise<{ frozen: string; thawed: string }> {
  const shipped = await readFile(bankPolicy)
  const { data } = await loadPolicyBundle(shipped)
  const { routes } = data as { routes: object }
  const frozen = join(directory, 'frozen-payments.tar.gz')
  const thawed = join(directory, 'thawed-payments.tar.gz')
  const withoutPayments = { ...(data as object), routes: { ...routes, payments: [] } }
  await writeFileAtomic(frozen, await replaceBundleData(shipped, withoutPayments, { revision: 'payments-frozen' }))
  await writeFileAtomic(thawed, await replaceBundleData(shipped, data, { revision: 'payments-thawed' }))
  return { frozen, thawed }
}
