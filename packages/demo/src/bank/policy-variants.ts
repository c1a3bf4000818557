import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { loadPolicyBundle, replaceBundleData } from '@picket/policy'
import { writeFileAtomic } from '@picket/runtime'
import { bankPolicy } from './bank-mesh.ts'

/**
 * The bank's policy with other data, as a bundle file in `directory`; gives its path. The compiled module is the shipped
 * one, so no compiler is needed.
 */
export async function replacePolicyData(
  directory: string,
  revision: string,
  change: (data: Readonly<Record<string, unknown>>) => unknown,
): Promise<string> {
  const shipped = await readFile(bankPolicy)
  const { data } = await loadPolicyBundle(shipped)
  const file = join(directory, `${revision}.tar.gz`)
  const changed = change(data as Readonly<Record<string, unknown>>)
  await writeFileAtomic(file, await replaceBundleData(shipped, changed, { revision }))
  return file
}

/** Two revisions that differ in data only: with payments frozen, and as shipped. */
export async function frozenPaymentsPolicy(directory: string): Promise<{ frozen: string; thawed: string }> {
  return {
    frozen: await replacePolicyData(directory, 'payments-frozen', (data) => ({
      ...data,
      routes: { ...(data['routes'] as object), payments: [] },
    })),
    thawed: await replacePolicyData(directory, 'payments-thawed', (data) => data),
  }
}
