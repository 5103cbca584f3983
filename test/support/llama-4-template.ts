const SAY = (content: string) =>
  `{%- if ${content} is string %}{{- ${content} }}{%- else %}{%- for part in ${content} %}{%- if part['type'] == 'image' %}{{- '<|image|>' }}{%- elif part['type'] == 'text' %}{{- part['text'] }}{%- endif %}{%- endfor %}{%- endif %}`;
const SHAPE = `{{- 'Respond in the format {"name": function name, "parameters": dictionary of argument name and its value}.' }}{{- "Do not use variables.\\n\\n" }}{%- for t in tools %}{{- t | tojson(indent=4) }}{{- "\\n\\n" }}{%- endfor %}`;

/** Of the shape of Llama 4's own template, in words of ours but for what it prints. */
export const LLAMA_4 = `{{- bos_token }}
{%- if not tools_in_user_message is defined %}{%- set tools_in_user_message = true %}{%- endif %}
{%- if not tools is defined %}{%- set tools = none %}{%- endif %}
{%- if messages[0]['role'] == 'system' %}
  {{- "<|header_start|>system<|header_end|>\\n\\n" }}
  {%- if tools is not none %}{{- "Environment: ipython\\n" }}{%- endif %}
  {%- if tools is not none and not tools_in_user_message %}
    {{- "You have access to the following functions. To call a function, please respond with JSON for a function call." }}${SHAPE}
  {%- endif %}
  {{- messages[0]['content'] | trim }}{{- "<|eot|>" }}
  {%- set messages = messages[1:] %}
{%- endif %}
{%- if tools_in_user_message and not tools is none %}
  {{- '<|header_start|>user<|header_end|>\\n\\n' -}}
  {{- "Given the following functions, please respond with a JSON for a function call " }}
  {{- "with its proper arguments that best answers the given prompt.\\n\\n" }}${SHAPE}
  {{- messages[0]['content'] | trim + "<|eot|>" }}
  {%- set messages = messages[1:] %}
{%- endif %}
{%- for message in messages %}
  {%- if message.role == 'tool' or message.role == 'ipython' %}
    {{- "<|header_start|>ipython<|header_end|>\\n\\n" }}{{- message.content | tojson }}{{- "<|eot|>" }}
  {%- elif 'tool_calls' in message %}
    {{- '<|header_start|>assistant<|header_end|>\\n\\n' -}}{{- '<|python_start|>' }}${SAY("message['content']")}{{- '<|python_end|>' }}
    {%- for tool_call in message.tool_calls %}
      {{- '{"name": "' + tool_call.function.name + '", ' }}{{- '"parameters": ' }}{{- tool_call.function.arguments | tojson }}{{- "}" }}
    {%- endfor %}
    {{- "<|eot|>" }}
  {%- else %}
    {{- '<|header_start|>' + message['role'] + '<|header_end|>\\n\\n' }}${SAY("message['content']")}{{- "<|eot|>" }}
  {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|header_start|>assistant<|header_end|>\\n\\n' }}{%- endif %}
`;
