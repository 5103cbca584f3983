// A client without any package: reads the server's event stream as it comes.

const { URL_OF_SERVER = "http://127.0.0.1:8080", API_KEY } = process.env;
const question = process.argv.slice(2).join(" ") || "What is a baby llama called?";

const response = await fetch(`${URL_OF_SERVER}/v1/chat/completions`, {
  method: "POST",
  headers: {
    "content-type": "application/json",
    ...(API_KEY && { authorization: `Bearer ${API_KEY}` }),
  },
  body: JSON.stringify({ messages: [{ role: "user", content: question }], stream: true }),
});
if (!response.ok) {
  const { error } = await response.json();
  throw new Error(`${response.status}: ${error.message}`);
}

let rest = "";
for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
  const lines = (rest + text).split("\n");
  rest = lines.pop();
  for (const line of lines) {
    if (!line.startsWith("data: ") || line === "data: [DONE]") continue;
    const { choices, error } = JSON.parse(line.slice("data: ".length));
    if (error) throw new Error(error.message);
    process.stdout.write(choices[0]?.delta.content ?? "");
  }
}
process.stdout.write("\n");
