/** Where the instances share the keys that sign assertions: one sealed text. */
export interface KeyStore {
  /** Null: there is none. Throws where it cannot be known. */
  read(): Promise<string | null>;
  /** Puts it there if there is none. @returns what is there then */
  create(sealed: string): Promise<string>;
  replace(sealed: string): Promise<void>;
}
