/** TypeScript types of JSON Schemas and Standard Schemas, for the arguments of a tool. */

/** Anything of https://standardschema.dev: Zod, Valibot, ArkType… */
export interface StandardSchema<Output = unknown> {
  /** The members of the standard. */
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
    /** Where the library can give a JSON Schema of what it takes. */
    readonly jsonSchema?: {
      readonly input: (options: { readonly target: string }) => Record<string, unknown>;
    };
  };
}

export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | {
      readonly issues: ReadonlyArray<{
        readonly message: string;
        readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined;
      }>;
    };

/**
 * What `execute` is called with: the output of a Standard Schema, or what a JSON Schema literal
 * describes (types, properties, required, items, prefixItems, enum, const, anyOf, oneOf, allOf; the
 * rest is `unknown`). A schema that is not a literal gives `any` arguments.
 */
export type InferArguments<P> =
  P extends StandardSchema<infer Output>
    ? Output
    : P extends object
      ? Opaque extends P
        ? // biome-ignore lint/suspicious/noExplicitAny: nothing is known of it
          any
        : InferSchema<P>
      : Record<string, unknown>;

/** What `object` and `Record<string, unknown>` take and no literal does. */
interface Opaque {
  readonly [name: string]: unknown;
}

type InferSchema<S> = S extends true
  ? unknown
  : S extends { readonly const: infer Value }
    ? Value
    : S extends { readonly enum: readonly (infer Value)[] }
      ? Value
      : S extends { readonly anyOf: readonly (infer Choice)[] }
        ? InferEach<Choice>
        : S extends { readonly oneOf: readonly (infer Choice)[] }
          ? InferEach<Choice>
          : S extends { readonly allOf: readonly (infer Part)[] }
            ? Intersection<InferEach<Part>>
            : S extends { readonly type: infer Type }
              ? Type extends readonly (infer Each)[]
                ? InferType<Each, S>
                : InferType<Type, S>
              : S extends { readonly properties: object }
                ? InferObject<S>
                : unknown;

type InferEach<Choice> = Choice extends unknown ? InferSchema<Choice> : never;

type InferType<Type, S> = Type extends "string"
  ? string
  : Type extends "number" | "integer"
    ? number
    : Type extends "boolean"
      ? boolean
      : Type extends "null"
        ? null
        : Type extends "array"
          ? InferArray<S>
          : Type extends "object"
            ? InferObject<S>
            : unknown;

type InferArray<S> = S extends { readonly prefixItems: infer Items extends readonly unknown[] }
  ? { [Index in keyof Items]: InferSchema<Items[Index]> }
  : S extends { readonly items: infer Item }
    ? InferSchema<Item>[]
    : unknown[];

type Required<S> = S extends { readonly required: readonly (infer Name)[] } ? Name : never;

type InferObject<S> = S extends { readonly properties: infer Properties extends object }
  ? Simplify<
      { [Name in keyof Properties as Name & Required<S>]: InferSchema<Properties[Name]> } & {
        [Name in keyof Properties as Exclude<Name, Required<S>>]?: InferSchema<Properties[Name]>;
      }
    >
  : S extends { readonly additionalProperties: infer Rest extends object }
    ? Record<string, InferSchema<Rest>>
    : Record<string, unknown>;

type Simplify<T> = { [Key in keyof T]: T[Key] } & {};

type Intersection<Union> = (Union extends unknown ? (part: Union) => void : never) extends (
  all: infer All,
) => void
  ? All
  : never;
