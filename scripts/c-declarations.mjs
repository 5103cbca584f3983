// What a C or C++ header declares, as far as two versions of it have to be compared: functions with their
// signatures, structs with their members, enumerations with their values, types, macros, variables. It is no
// compiler: both branches of an #if are read, and what it cannot tell apart it keeps as text.

const TOKEN =
  /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[A-Za-z_]\w*|(?:0[xX][\da-fA-F]+|\d[\d.]*(?:[eE][+-]?\d+)?)\w*|::|->|<<|==|!=|&&|\|\||\.\.\.|[^\s\w]/g;
/** Which only say that a name leaves the library. */
const EXPORTS = /^(?:LLAMA|GGML|GGML_BACKEND|MTMD)_API$/;
const TYPES = new Set(["struct", "class", "union"]);

/** Comments gone, texts kept. */
export function withoutComments(source) {
  return source.replace(/"(?:\\.|[^"\\\n])*"|\/\*[\s\S]*?\*\/|\/\/(?:\\\r?\n|[^\n])*/g, (found) =>
    found.startsWith('"') ? found : " ",
  );
}

/** The declarations of a header: `{ kind, name, text, members }`; members are `{ name, text }`. */
export function declarationsOf(source) {
  const { code, macros } = splitDirectives(withoutComments(source));
  const tokens = code.match(TOKEN) ?? [];
  return [...macros, ...new Reader(tokens).read()];
}

/** Includes of a header, in quotes or brackets. */
export function includesOf(source) {
  return [...withoutComments(source).matchAll(/^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)[>"]/gm)].map(
    ([, name]) => name,
  );
}

function splitDirectives(source) {
  const macros = [];
  const code = source.replace(/^[ \t]*#((?:\\\r?\n|[^\n])*)/gm, (_, directive) => {
    const [, name, value = ""] =
      /^\s*define\s+(\w+(?:\([^)]*\))?)\s*([\s\S]*)$/.exec(directive.replace(/\\\r?\n/g, " ")) ??
      [];
    const text = value.replace(/\s+/g, " ").trim();
    // A header's own guard is nothing that anybody uses.
    if (name !== undefined && text !== "") {
      macros.push({ kind: "macro", name: name.replace(/\(.*/s, ""), text: `${name} ${text}` });
    }
    return "";
  });
  return { code, macros };
}

class Reader {
  #at = 0;
  #found = [];

  constructor(tokens) {
    this.tokens = tokens;
  }

  read() {
    this.#scope([]);
    return this.#found;
  }

  /** Up to the brace that closes it. */
  #scope(names) {
    let statement = [];
    while (this.#at < this.tokens.length) {
      const token = this.tokens[this.#at++];
      if (token === "}") return;
      if (token === ";") {
        this.#declare(statement, names);
        statement = [];
      } else if (token !== "{") {
        statement.push(token);
      } else if (statement.includes("namespace") || isLinkage(statement)) {
        const name = isLinkage(statement) ? [] : statement.filter(isName).slice(1);
        this.#scope([...names, ...name]);
        statement = [];
      } else {
        statement = this.#braces(statement, names);
      }
    }
  }

  /** What is left of the statement behind its braces. */
  #braces(statement, names) {
    const head = withoutExports(statement);
    const body = this.#body();
    const type = head.find((token) => token === "enum" || TYPES.has(token));
    if (type === "enum" && !head.includes("(")) {
      return this.#type("enum", head, enumerators(body), names);
    }
    if (type !== undefined && !head.includes("(")) {
      return this.#type("struct", head, membersOf(body), names);
    }
    // A value in braces goes on to its semicolon.
    if (head.includes("=") && !head.includes("operator")) return [...statement, "{", ...body, "}"];
    this.#function(head, names, body);
    return [];
  }

  #type(kind, head, members, names) {
    const at = head.findIndex((token) => token === "enum" || TYPES.has(token));
    const behind = head.slice(at + 1).filter((token) => !TYPES.has(token));
    const own = behind.find(isName);
    // `typedef struct { … } name;`
    const rest = this.tokens.slice(this.#at, this.tokens.indexOf(";", this.#at));
    const name = own ?? rest.find(isName);
    if (name === undefined) {
      // Values of an enumeration without a name stand for themselves.
      for (const member of members) this.#add({ kind: "value", ...member }, names);
    } else {
      this.#add(
        { kind, name, text: spaced(own === undefined ? head : head.slice(at)), members },
        names,
      );
    }
    this.#at += rest.length + 1;
    return [];
  }

  /** The tokens up to the closing brace, which is passed. */
  #body() {
    const start = this.#at;
    for (let depth = 1; depth > 0 && this.#at < this.tokens.length; this.#at++) {
      if (this.tokens[this.#at] === "{") depth++;
      else if (this.tokens[this.#at] === "}") depth--;
    }
    return this.tokens.slice(start, this.#at - 1);
  }

  #declare(statement, names) {
    const tokens = withoutExports(statement);
    if (tokens.length === 0) return;
    if (tokens[0] === "DEPRECATED" && tokens[1] === "(") {
      return this.#function(undeprecated(tokens), names, undefined, true);
    }
    if (tokens[0] === "typedef") return this.#add({ kind: "type", ...typedefOf(tokens) }, names);
    if (tokens[0] === "using") {
      if (tokens[2] === "=")
        this.#add({ kind: "type", name: tokens[1], text: spaced(tokens) }, names);
      return;
    }
    // A declaration without a body says only that there is such a type.
    if ((TYPES.has(tokens[0]) || tokens[0] === "enum") && tokens.length <= 3) return;
    const opening = tokens.indexOf("(");
    const value = tokens.indexOf("=");
    if (opening > 0 && (value === -1 || opening < value || tokens.includes("operator"))) {
      return this.#function(tokens, names);
    }
    const end = tokens.findIndex((token) => token === "=" || token === "[");
    const name = tokens.slice(0, end === -1 ? undefined : end).findLast(isName);
    if (name !== undefined && tokens.length > 1) {
      this.#add({ kind: "variable", name, text: spaced(tokens) }, names);
    }
  }

  #function(tokens, names, body, deprecated = false) {
    const name = functionName(tokens);
    if (name === undefined) return;
    // What is written in the header is compared, too: it may do something else with the same signature.
    const text = `${deprecated ? "deprecated: " : ""}${spaced(tokens)}`;
    this.#add({ kind: "function", name, text, ...(body && { body: spaced(body) }) }, names);
  }

  #add(declaration, names) {
    this.#found.push({ ...declaration, name: [...names, declaration.name].join("::") });
  }
}

function isName(token) {
  return /^[A-Za-z_]\w*$/.test(token) && token !== "const" && token !== "inline";
}

function isLinkage(statement) {
  return statement[0] === "extern" && statement[1] === '"C"' && statement.length === 2;
}

function withoutExports(tokens) {
  return tokens.filter((token) => !EXPORTS.test(token));
}

/** `DEPRECATED(declaration, "hint")` */
function undeprecated(tokens) {
  const inner = tokens.slice(2, tokens.lastIndexOf(")"));
  const hint = inner.lastIndexOf(",");
  return withoutExports(inner.slice(0, hint));
}

function functionName(tokens) {
  const operator = tokens.indexOf("operator");
  if (operator !== -1) {
    const opening = tokens.indexOf("(", operator + 2);
    return tokens.slice(operator, opening).join("");
  }
  const opening = tokens.findIndex(
    (token, at) => token === "(" && isName(tokens[at - 1] ?? "") && !isAttribute(tokens[at - 1]),
  );
  if (opening === -1) return undefined;
  // `std::string other::name(`
  let start = opening - 1;
  while (tokens[start - 1] === "::" && isName(tokens[start - 2] ?? "")) start -= 2;
  return tokens.slice(start, opening).join("");
}

const isAttribute = (token) => /^(__attribute__|__declspec|alignas|decltype|noexcept)$/.test(token);

function typedefOf(tokens) {
  const pointer = tokens.findIndex((token, at) => token === "*" && tokens[at - 1] === "(");
  const name = pointer === -1 ? tokens.findLast(isName) : tokens.slice(pointer).find(isName);
  return { name, text: spaced(tokens) };
}

function enumerators(body) {
  let next = 0;
  let base = "";
  return splitAt(body, ",").map((tokens) => {
    const [name, equals, ...value] = tokens;
    if (equals === "=") {
      const number = numberOf(value);
      base = number === undefined ? spaced(value) : "";
      next = number ?? 0;
    }
    const shown = base === "" ? `${next}` : next === 0 ? base : `${base} + ${next}`;
    next++;
    return { name, text: `${name} = ${shown}` };
  });
}

function numberOf(tokens) {
  const text = tokens.filter((token) => token !== "(" && token !== ")").join("");
  const [, left, right] = /^(\d+)[uUlL]*<<(\d+)$/.exec(text) ?? [];
  if (left !== undefined) return Number(left) * 2 ** Number(right);
  return /^-?(0[xX][\da-fA-F]+|\d+)[uUlL]*$/.test(text)
    ? Number(text.replace(/[uUlL]+$/, "").replace(/^-/, "")) * (text.startsWith("-") ? -1 : 1)
    : undefined;
}

/** Fields, functions and types within a type; what a function does is apart from its signature. */
function membersOf(body) {
  const members = [];
  let statement = [];
  let depth = 0;
  const end = (isFunction = false) => {
    if (statement.length === 0) return;
    const opening = isFunction ? statement.indexOf("{") : -1;
    const text = spaced(opening === -1 ? statement : statement.slice(0, opening));
    const inside = opening === -1 ? {} : { body: spaced(statement.slice(opening)) };
    members.push({ name: memberName(statement), text, ...inside });
    statement = [];
  };
  for (const [at, token] of body.entries()) {
    if (token === "{") depth++;
    if (token === "}") depth--;
    if (depth === 0 && token === ";") {
      end();
      continue;
    }
    if (
      depth === 0 &&
      token === ":" &&
      /^(public|private|protected)$/.test(statement.at(-1) ?? "")
    ) {
      statement = [];
      continue;
    }
    statement.push(token);
    const isFunction = statement.includes("(") && !TYPES.has(statement[0]) && body[at + 1] !== ";";
    if (depth === 0 && token === "}" && isFunction && !isField(statement)) end(true);
  }
  end();
  return members;
}

/** `int x = f() + g{1};`: a value before anything that could be a parameter list. */
function isField(tokens) {
  const value = tokens.indexOf("=");
  return value !== -1 && value < tokens.indexOf("(") && !tokens.includes("operator");
}

function memberName(all) {
  // `[[nodiscard]]`
  const tokens = all[0] === "[" && all[1] === "[" ? all.slice(all.indexOf("]") + 2) : all;
  const opening = tokens.indexOf("(");
  if (opening > 0 && tokens[opening + 1] === "*")
    return tokens.slice(opening).find(isName) ?? spaced(tokens);
  const value = tokens.findIndex((token) => ["=", "[", ":", "{"].includes(token));
  if (opening > 0 && (value === -1 || opening < value))
    return functionName(tokens) ?? spaced(tokens);
  const nested = TYPES.has(tokens[0]) || tokens[0] === "enum" ? tokens.lastIndexOf("}") : -1;
  const last = tokens.slice(nested + 1).findLast(isName);
  if (nested !== -1)
    return last ?? tokens.find((token, at) => at > 0 && isName(token)) ?? spaced(tokens);
  return tokens.slice(0, value === -1 ? undefined : value).findLast(isName) ?? spaced(tokens);
}

function splitAt(tokens, separator) {
  const parts = [[]];
  let depth = 0;
  for (const token of tokens) {
    if ("({[".includes(token)) depth++;
    if (")}]".includes(token)) depth--;
    if (token === separator && depth === 0) parts.push([]);
    else parts.at(-1).push(token);
  }
  return parts.filter((part) => part.length > 0);
}

/** One way to write it, whatever the white space was. */
function spaced(tokens) {
  return tokens
    .join(" ")
    .replace(/ ?(::|->) ?/g, "$1")
    .replace(/ ([,;)\]])/g, "$1")
    .replace(/([([]) /g, "$1")
    .replace(/([\w)]) ([([])/g, "$1$2")
    .replace(/([*&]) (?=[*&\w])/g, "$1");
}
