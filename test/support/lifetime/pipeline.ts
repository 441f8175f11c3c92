import type { PipelineAnswer, PipelineClient } from './client.ts';
import { BILLING, CRM } from './server.ts';

/** One deployment, as a pipeline makes it. `between` is called before each look at its state. */
export async function deploy(
  client: PipelineClient,
  target: string,
  between: (polls: number) => Promise<void> = async () => {},
): Promise<{ readonly key: string; readonly polls: number }> {
  const { expecting } = client;
  const step = expecting.bind(client);
  await step('environments', client.ask('GET', 'environments'), 200);
  const query = 'IncludeModules=true&IncludeEnvStatus=true';
  await step('applications', client.ask('GET', `applications?${query}`), 200);
  const tag = JSON.stringify({ Version: '1.0.0', ChangeLog: 'pipeline' });
  const path = `environments/${target}/applications/${CRM}/versions`;
  const tagged = await step('tag', client.ask('POST', path, tag), 201);
  const version = (tagged.response as { Text: string }).Text;
  await step(
    'versions',
    client.ask('GET', `applications/${CRM}/versions?MaximumVersionsToReturn=5`),
    200,
    204,
  );
  const plan = planOf(target, [CRM], version);
  const made = await step('plan', client.ask('POST', 'deployments', plan), 201);
  const key = String(made.response);
  await step('conflicts', client.ask('GET', `deployments/${key}`), 200);
  await step('start', client.ask('POST', `deployments/${key}/start?RedeployOutdated=False`), 202);
  for (let polls = 0; polls < 20; polls += 1) {
    await between(polls);
    const status = statusIn(
      await step('status', client.ask('GET', `deployments/${key}/status`), 200),
    );
    if (status === 'finished_successful') return { key, polls };
    if (status === 'needs_user_intervention')
      await step('continue', client.ask('POST', `deployments/${key}/continue`), 202);
  }
  throw new Error('the deployment does not end');
}

export function planOf(
  environment: string,
  applications: readonly string[] = [CRM, BILLING],
  version = 'latest',
): string {
  return JSON.stringify({
    TargetEnvironmentKey: environment,
    Notes: 'Automated deploy',
    ApplicationOperations: applications.map((ApplicationKey) => ({
      ApplicationKey,
      VersionKey: version,
      DeploymentZoneKey: '',
    })),
  });
}

function statusIn({ response }: PipelineAnswer): string {
  return (response as { DeploymentStatus: string }).DeploymentStatus;
}
