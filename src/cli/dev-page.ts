import type { GatewayAddresses } from '../gateway/gateway.ts';
import { DEV_DATA_DIR } from './dev-folder.ts';
import { DEPLOYER_ACCOUNT, DEV_TOKEN_FILE, DEV_USER, type SampleAccounts } from './dev-seed.ts';
import { styled } from './terminal.ts';

export interface PageFacts {
  readonly addresses: GatewayAddresses;
  readonly sampleUrl: string;
  readonly seeded: SampleAccounts;
}

const API = '/lifetimeapi/rest/v2';

/**
 * What `sallyport dev` says when it is ready: where things are, and lines that work when they are
 * pasted.
 */
export function startPage({ addresses, sampleUrl, seeded }: PageFacts): string {
  const { proxy, admin, ops } = addresses;
  const gate = `https://localhost:${proxy?.port}`;
  const token = `-H "Authorization: Bearer $(cat ${DEV_DATA_DIR}/${DEV_TOKEN_FILE})"`;
  const curl = `curl -w '\\n' --cacert ${DEV_DATA_DIR}/ca.pem`;
  const sallyport = 'npx --no-install sallyport';
  const deploy = (application: string) => `${API}/applications/${application}/deployments`;
  return [
    '',
    `${styled(['bold', 'green'], 'The gate is open')}, on this machine only.`,
    '',
    `  Gate       ${styled('cyan', gate)}   trust ${DEV_DATA_DIR}/ca.pem`,
    `  Console    ${styled('cyan', `https://localhost:${admin?.port}`)}   ${signInWords(seeded)}`,
    `  Health     ${styled('cyan', `http://127.0.0.1:${ops?.port}/readyz`)}   metrics at /metrics`,
    `  Behind it  a sample deployment service at ${sampleUrl}`,
    `  Kept in    ./${DEV_DATA_DIR}   delete the folder to begin anew; its configuration is ${DEV_DATA_DIR}/dev.yaml`,
    '',
    ...step('Let in', `${DEPLOYER_ACCOUNT} is deployer in the team customer-apps, which owns CRM`, [
      `${curl} ${token} -X POST ${gate}${deploy('CRM')}`,
    ]),
    ...step(
      'Refused',
      '403 permission-denied: Billing belongs to another team, so its default role decides: viewer',
      [
        `${curl} ${token} -X POST ${gate}${deploy('Billing')}`,
        `${sallyport} explain --account ${DEPLOYER_ACCOUNT} POST ${deploy('Billing')}`,
      ],
    ),
    ...step('Rotate', 'the old token is refused from then on', [
      `${sallyport} account rotate ${DEPLOYER_ACCOUNT} --yes --token-file ${DEV_DATA_DIR}/${DEV_TOKEN_FILE}`,
    ]),
    ...step('Look', 'who is there, and what they did', [
      `${sallyport} account list`,
      `${sallyport} activity ${DEPLOYER_ACCOUNT} --follow`,
    ]),
    ...(seeded.deployerActive
      ? []
      : [
          styled(
            'yellow',
            `  ${DEPLOYER_ACCOUNT} is inactive or expired: its lines are refused for now.`,
          ),
          '',
        ]),
    'Ctrl-C ends it.',
  ].join('\n');
}

/** The password is on the screen this once; afterwards only its owner knows it. */
function signInWords({ password }: SampleAccounts): string {
  if (password === null)
    return `${DEV_USER}, with the password shown at the first start (sallyport user password ${DEV_USER} sets another)`;
  return `${DEV_USER}, password ${styled('bold', password)} (shown this once)`;
}

function step(name: string, why: string, lines: readonly string[]): readonly string[] {
  return [
    `${styled('bold', name)}  ${styled('dim', why)}`,
    ...lines.map((line) => `  ${line}`),
    '',
  ];
}
