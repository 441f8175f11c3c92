/** Placeholder: see the commit that follows. */
export interface FieldName {
  readonly text: string;
  readonly lower: string;
}
