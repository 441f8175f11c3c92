import { previewChange } from '../preview.ts';
import * as answers from '../schemas/approval-answers.ts';
import * as inputs from '../schemas/inputs.ts';
import { PREVIEWED } from './rehearsed.ts';
import { row } from './row.ts';

/** What a change would do, before it is made. */
export const PREVIEW = {
  previewChange: row({
    needs: 'sallyport:registry:write',
    input: inputs.previewOf(PREVIEWED),
    run: previewChange,
    isLong: true,
    routes: [
      {
        id: 'previewChange',
        method: 'post',
        path: '/preview',
        tag: 'Approvals',
        summary: 'Say what a change would do, and to whom',
        description:
          'Changes nothing, and is refused as the change itself would be. Calls of the last 24 hours are told to who may see activity.',
        body: { name: 'Preview' },
        answers: { 200: { description: 'What it would do.', schema: answers.changePreview } },
      },
    ],
  }),
} as const;
