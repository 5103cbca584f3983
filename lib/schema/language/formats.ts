import { Budget } from "./budget.js";
import type { Dfa } from "./dfa.js";
import { compileRegex } from "./regex.js";

const MONTH_DAY = [
  "(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])",
  "(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)",
  "02-(?:0[1-9]|1[0-9]|2[0-8])",
].join("|");
const LEAP_YEAR = "(?:[0-9][0-9](?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)";
const DATE = `(?:[0-9]{4}-(?:${MONTH_DAY})|${LEAP_YEAR}-02-29)`;
const HOUR = "(?:[01][0-9]|2[0-3])";
const FRACTION = "(?:\\.[0-9]+)?";
const TIME =
  `(?:${HOUR}:[0-5][0-9]:[0-5][0-9]${FRACTION}(?:[Zz]|[+-]${HOUR}:[0-5][0-9])` +
  `|23:59:60${FRACTION}(?:[Zz]|[+-]00:00))`;
/** ISO 8601 has local times, too. */
const ISO_TIME = `(?:${TIME}|${HOUR}:[0-5][0-9]:[0-5][0-9]${FRACTION})`;
const AMOUNT = "[0-9]+";

const BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
const IPV4 = `(?:${BYTE}\\.){3}${BYTE}`;
const GROUP = "[0-9A-Fa-f]{1,4}";
/** The last 32 bits are two groups or an IPv4 address; `::` stands for one group or more. */
const IPV6 = (() => {
  const last = `(?:${GROUP}:${GROUP}|${IPV4})`;
  const before = (most: number) =>
    most === 0 ? `(?:${GROUP})?` : `(?:(?:${GROUP}:){0,${most}}${GROUP})?`;
  return `(?:${[
    `(?:${GROUP}:){6}${last}`,
    `::(?:${GROUP}:){5}${last}`,
    `(?:${GROUP})?::(?:${GROUP}:){4}${last}`,
    `${before(1)}::(?:${GROUP}:){3}${last}`,
    `${before(2)}::(?:${GROUP}:){2}${last}`,
    `${before(3)}::${GROUP}:${last}`,
    `${before(4)}::${last}`,
    `${before(5)}::${GROUP}`,
    `${before(6)}::`,
  ].join("|")})`;
})();

const ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
const label = (most: number) => `[A-Za-z0-9](?:[A-Za-z0-9-]{0,${most - 2}}[A-Za-z0-9])?`;
/**
 * At most 253 characters with labels of at most 63: counting both would take 16,000 states. Names of
 * more than three labels have theirs a little shorter here.
 */
const HOSTNAME =
  `(?:${label(63)}(?:\\.${label(63)}){0,2}` +
  `|${label(49)}(?:\\.${label(49)}){3,4}|${label(24)}(?:\\.${label(24)}){5,9})`;
const FREE_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?";

const ESCAPED = "%[0-9A-Fa-f]{2}";
const UNRESERVED = "A-Za-z0-9\\-._~!$&'()*+,;=";
/** What IRIs have besides: of the planes beyond the basic one, those that are assigned. */
const BEYOND_ASCII =
  "\\u{a0}-\\u{d7ff}\\u{f900}-\\u{fdcf}\\u{fdf0}-\\u{ffef}\\u{10000}-\\u{1fffd}\\u{20000}-\\u{2fffd}" +
  "\\u{30000}-\\u{3fffd}\\u{e1000}-\\u{efffd}";
const ADDRESS = `\\[${IPV6}\\]`;
const NO_ADDRESS = "[]";

/** Of resources, by what their parts are made of and which addresses are hosts, besides names. */
function identifiers(unreserved: string, address: string): { absolute: string; any: string } {
  const segment = `(?:[${unreserved}:@]|${ESCAPED})`;
  const path = `(?:/${segment}*)*`;
  const name = `(?:[${unreserved}]|${ESCAPED})*`;
  const authority = `(?:(?:[${unreserved}:]|${ESCAPED})*@)?(?:${address}|${name})(?::[0-9]*)?`;
  const rooted = `//${authority}${path}|/(?:${segment}+${path})?`;
  const tail = `(?:\\?(?:${segment}|[/?])*)?(?:#(?:${segment}|[/?])*)?`;
  const absolute = `[A-Za-z][A-Za-z0-9+\\-.]*:(?:${rooted}|${segment}+${path})${tail}`;
  const first = `(?:[${unreserved}@]|${ESCAPED})+`;
  return { absolute, any: `(?:${absolute}|(?:${rooted}|${first}${path})?${tail})` };
}

const URI = identifiers(UNRESERVED, ADDRESS);
const NAMED_URI = identifiers(UNRESERVED, NO_ADDRESS);
const IRI = identifiers(UNRESERVED + BEYOND_ASCII, ADDRESS);
const NAMED_IRI = identifiers(UNRESERVED + BEYOND_ASCII, NO_ADDRESS);

/** An address of IPv4 that can be reached from anywhere. */
const PUBLIC_IPV4 =
  "(?!(?:10|127)\\.|169\\.254\\.|192\\.168\\.|172\\.(?:1[6-9]|2[0-9]|3[01])\\.)" +
  `(?:22[0-3]|2[01][0-9]|1[0-9][0-9]|[1-9][0-9]?)(?:\\.${BYTE}){2}` +
  "\\.(?:25[0-4]|2[0-4][0-9]|1[0-9][0-9]|[1-9][0-9]?)";
const DOMAIN = "(?:[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\\.)+[A-Za-z]{2,}";
const URL =
  `(?:https?|ftp)://(?:${PUBLIC_IPV4}|${DOMAIN})(?::[0-9]{2,5})?` +
  `(?:/(?:[${UNRESERVED}:@/?]|${ESCAPED})*(?:#(?:[${UNRESERVED}:@/?]|${ESCAPED})*)?)?`;
const VARIABLE = `(?:[A-Za-z0-9_]|${ESCAPED})+(?::[1-9][0-9]{0,3}|\\*)?`;
const POINTER = "(?:/(?:[^~/]|~[01])*)*";

/**
 * The texts of a format, as a regular expression for all of them. Each is what the RFC and the usual
 * checkers both take: some rarities of the one or the other are left out.
 */
const FORMATS: Readonly<Record<string, string>> = {
  date: DATE,
  time: TIME,
  "date-time": `${DATE}[Tt]${TIME}`,
  "iso-time": ISO_TIME,
  "iso-date-time": `${DATE}[Tt ]${ISO_TIME}`,
  duration:
    `P(?:${AMOUNT}W|(?:${AMOUNT}Y(?:${AMOUNT}M(?:${AMOUNT}D)?)?|${AMOUNT}M(?:${AMOUNT}D)?|${AMOUNT}D)` +
    `(?:T(?:${AMOUNT}H(?:${AMOUNT}M(?:${AMOUNT}S)?)?|${AMOUNT}M(?:${AMOUNT}S)?|${AMOUNT}S))?` +
    `|T(?:${AMOUNT}H(?:${AMOUNT}M(?:${AMOUNT}S)?)?|${AMOUNT}M(?:${AMOUNT}S)?|${AMOUNT}S))`,
  email: `${ATOM}(?:\\.${ATOM})*@(?:${FREE_LABEL}\\.)+${FREE_LABEL}`,
  uuid: "[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}",
  ipv4: IPV4,
  ipv6: IPV6,
  hostname: HOSTNAME,
  url: URL,
  uri: URI.absolute,
  "uri-reference": URI.any,
  iri: IRI.absolute,
  "iri-reference": IRI.any,
  "uri-template":
    `(?:[^\\x00-\\x20"'<>%\\\\^\`{|}]|${ESCAPED}` +
    `|\\{[+#./;?&=,!@|]?${VARIABLE}(?:,${VARIABLE})*\\})*`,
  "json-pointer": POINTER,
  "json-pointer-uri-fragment": `#(?:/(?:[A-Za-z0-9_.!$&'()*+,;:=@\\-]|${ESCAPED}|~[01])*)*`,
  "relative-json-pointer": `(?:0|[1-9][0-9]*)(?:#|${POINTER})`,
  byte: "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?",
};

/**
 * Where characters are counted, each state is one for each number of them. These formats have few: URIs
 * without addresses of IPv6, and host names that are no longer than one label may be.
 */
const COUNTABLE: Readonly<Record<string, { readonly source: string; readonly most?: number }>> = {
  hostname: { source: `${FREE_LABEL}(?:\\.${FREE_LABEL})*`, most: 63 },
  uri: { source: NAMED_URI.absolute },
  "uri-reference": { source: NAMED_URI.any },
  iri: { source: NAMED_IRI.absolute },
  "iri-reference": { source: NAMED_IRI.any },
};

/** Formats that some checkers know and no automaton here does. */
const UNSUPPORTED = new Set(["regex", "idn-email", "idn-hostname"]);

const compiled = new Map<string, Dfa>();

/** undefined: no format that says anything about a text; "unsupported": one that cannot be followed. */
export function formatLanguage(name: string): Dfa | "unsupported" | undefined {
  if (UNSUPPORTED.has(name)) return "unsupported";
  if (!Object.hasOwn(FORMATS, name)) return undefined;
  return whole(FORMATS[name]!);
}

/** Those of a supported format that can be counted, where they have at most so many characters. */
export function countableFormat(name: string): { readonly dfa: Dfa; readonly most: number } {
  const { source, most = Number.POSITIVE_INFINITY } = COUNTABLE[name] ?? { source: FORMATS[name]! };
  return { dfa: whole(source), most };
}

function whole(source: string): Dfa {
  let dfa = compiled.get(source);
  if (dfa === undefined) {
    dfa = compileRegex(`^(?:${source})$`, new Budget());
    compiled.set(source, dfa);
  }
  return dfa;
}

export const STRING_FORMATS: readonly string[] = Object.keys(FORMATS);
