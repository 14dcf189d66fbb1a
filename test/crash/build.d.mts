export interface Built {
  readonly folder: string;
  readonly dist: string;
  readonly remove: () => void;
}
export const build: (suite?: string) => Built;
