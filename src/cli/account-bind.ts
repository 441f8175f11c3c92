import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { CertificateBinding } from '../account/model.ts';
import { bindingWords } from '../admin/restriction.ts';
import { thumbprintOf } from '../tls/client-certificate.ts';
import { act, waiting } from './account-act.ts';
import { type CommonOptions, examples, given, leaf } from './options.ts';

interface BindOptions extends CommonOptions {
  readonly certificate?: string;
  readonly thumbprint?: string;
  readonly subject?: string;
  readonly none?: boolean;
}

export function addBind(account: Command): void {
  const bind = waiting(
    leaf(account, 'bind <name>', 'let its token in only beside a client certificate'),
  )
    .option('--certificate <file>', 'bind it to this certificate (PEM or DER)')
    .option('--thumbprint <thumbprint>', 'the same by its SHA-256: base64url, or hex')
    .option(
      '--subject <name>',
      'bind it to any certificate of this subject, such as CN=ci,O=Example, that a CA of clientCaFile vouches for',
    )
    .option('--none', 'bind it to none: the token alone is enough')
    .action(async (name: string, options: BindOptions, command: Command) => {
      const boundTo = bindingOf(options, command);
      const words = bindingWords(boundTo);
      const done =
        words === null ? `${name} is bound to no certificate.` : `${name} is bound to ${words}.`;
      await act(options, done, ({ control, actor }) =>
        control.administration.editAccount(actor, {
          name,
          kind: 'service',
          boundTo,
          ...given('waitMs', options.wait),
        }),
      );
    });
  examples(
    bind,
    'sallyport account bind ci-pipeline --certificate ci-pipeline.crt',
    'sallyport account bind ci-pipeline --subject "CN=ci-pipeline,O=Example"',
    'sallyport account bind ci-pipeline --none',
  );
}

function bindingOf(options: BindOptions, command: Command): CertificateBinding | null {
  const { certificate, thumbprint, subject, none } = options;
  const said = [certificate, thumbprint, subject, none].filter((one) => one !== undefined);
  if (said.length !== 1)
    command.error('error: say one of --certificate, --thumbprint, --subject and --none');
  if (certificate !== undefined)
    return { thumbprint: thumbprintOf(readCertificate(certificate, command)) };
  if (thumbprint !== undefined) return { thumbprint };
  return subject === undefined ? null : { subject };
}

function readCertificate(file: string, command: Command): X509Certificate {
  try {
    return new X509Certificate(readFileSync(file));
  } catch (error) {
    const why = error instanceof Error && 'syscall' in error ? error.message : 'no certificate';
    return command.error(`error: ${file} cannot be read as a certificate: ${why}`);
  }
}
