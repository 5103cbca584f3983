/** The anchor of a heading as GitHub makes it. */
export declare function githubSlug(heading: string): string;
