/**
 * An error and where it came from, one line each.
 *
 * @param {unknown} thrown
 * @returns {string}
 */
export function trace(thrown: unknown): string;
/**
 * Where in the author's files each line of the bundle is from: the build puts it before the
 * bundle.
 */
export type Places = {
    /**
     * The bundle.
     */
    file: string;
    /**
     * The author's files.
     */
    sources: string[];
    /**
     * By line, parts by column: four numbers each, the
     * column, the file, and its line and column. All but the file counted from 1.
     */
    lines: Record<string, number[]>;
};
