import { UsageMeter } from '../../src/stats/usage/meter.ts';
import type { UsageTexts } from '../../src/stats/usage/port.ts';
import { encodeTable } from '../../src/stats/usage/text.ts';
import { operator, type TestConsole } from './console.ts';

const MINUTE_MS = 60_000;
const APPLICATIONS = ['CRM', 'Portal', 'Storefront', 'Billing', 'Ledger'];
const ROUTES = [{ name: 'deploy' }, { name: 'environments' }, { name: 'versions' }];

/**
 * Who called a gate: these accounts, the first of them most, for so many minutes until now.
 *
 * @param application in place of those that there are, and of the names of routes
 */
export async function fillUsage(
  test: TestConsole,
  names: readonly string[],
  minutes: number,
  application?: string,
): Promise<void> {
  const accounts = await Promise.all(
    names.map((name) => test.administration.showAccount(operator, { name })),
  );
  const last = Math.floor(Date.now() / MINUTE_MS);
  for (let back = 0; back < minutes; back += 1) {
    const meter = new UsageMeter();
    const wave = 1 + Math.sin(back / 9) * 0.6;
    accounts.forEach(({ id, name }, at) => {
      const calls = Math.round((wave * 24) / (at + 1));
      for (let call = 0; call < calls; call += 1)
        meter.count({
          route:
            application === undefined
              ? ROUTES[(call + at) % ROUTES.length]!
              : { name: application },
          application: application ?? APPLICATIONS[(call + 2 * at) % APPLICATIONS.length]!,
          accountId: id,
          account: name,
          reason: at === 1 && call % 4 === 0 ? 'permission-denied' : 'permitted',
          durationMs: 2 + ((call * 7 + back * 3) % 60),
          requestBytes: 200 + call * 40,
          responseBytes: 1_500 + ((call * 911) % 40_000),
        });
    });
    await test.usage.writeMinute(last - back, 'edge-a-1f0c', await textsOf(meter));
  }
}

async function textsOf({ sketches }: UsageMeter): Promise<UsageTexts> {
  const { account, application, route } = sketches;
  return {
    account: await encodeTable(account.table()),
    application: await encodeTable(application.table()),
    route: await encodeTable(route.table()),
  };
}
