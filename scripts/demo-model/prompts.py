"""Prompts as the library sends them: lists of ("control" | "text", string) segments.

The wording is that of the models' own templates for Llama 3.1 and Llama Guard 3; the model has to see
in training exactly what it will be asked later, down to the border between two segments.
"""

import json

GENERATION_HEADER = [
    ("control", "<|start_header_id|>"),
    ("text", "assistant"),
    ("control", "<|end_header_id|>"),
]

_TOOLS_IN_USER_MESSAGE = (
    "Given the following functions, please respond with a JSON for a function call with its proper "
    "arguments that best answers the given prompt.\n\n"
    'Respond in the format {"name": function name, "parameters": dictionary of argument name and its '
    "value}.Do not use variables.\n\n"
)
_TOOLS_IN_SYSTEM_MESSAGE = (
    "You have access to the following functions. To call a function, please respond with JSON for a "
    'function call.Respond in the format {"name": function name, "parameters": dictionary of argument '
    "name and its value}.Do not use variables.\n\n"
)


def tool_definition(tool):
    """`tool`: name, description, and parameters as (name, type, description)."""
    return {
        "type": "function",
        "function": {
            "name": tool["name"],
            "description": tool["description"],
            "parameters": {
                "type": "object",
                "properties": {
                    name: {"type": kind, "description": text}
                    for name, kind, text in tool["parameters"]
                },
                "required": [name for name, _, _ in tool["parameters"]],
            },
        },
    }


def tool_call(name, arguments):
    return json.dumps({"name": name, "parameters": arguments}, ensure_ascii=False)


def _message(role, content, end="<|eot_id|>"):
    return [
        ("control", "<|start_header_id|>"),
        ("text", role),
        ("control", "<|end_header_id|>"),
        ("text", "\n\n"),
        ("text", content),
        ("control", end),
    ]


def chat_prompt(messages, date=None, system="", tools=(), tools_in_user_message=True):
    """Messages as (role, content); without a date the plain Llama 3 framing, which has no date block."""
    definitions = "".join(
        json.dumps(tool_definition(tool), ensure_ascii=False, indent=4) + "\n\n" for tool in tools
    )
    segments = [("control", "<|begin_of_text|>")]
    if date is not None:
        block = "Environment: ipython\n" if tools else ""
        block += f"Cutting Knowledge Date: December 2023\nToday Date: {date}\n\n"
        if tools and not tools_in_user_message:
            block += _TOOLS_IN_SYSTEM_MESSAGE + definitions
        segments += _message("system", block + system)
    elif system:
        segments += _message("system", system)
    first_user = True
    for role, content in messages:
        if role == "user" and first_user:
            first_user = False
            if tools and tools_in_user_message:
                content = _TOOLS_IN_USER_MESSAGE + definitions + content
        segments += _message(role, content)
    return segments + GENERATION_HEADER + [("text", "\n\n")]


GUARD_CATEGORIES = [
    ("S1", "Violent Crimes"),
    ("S2", "Non-Violent Crimes"),
    ("S3", "Sex Crimes"),
    ("S4", "Child Exploitation"),
    ("S5", "Defamation"),
    ("S6", "Specialized Advice"),
    ("S7", "Privacy"),
    ("S8", "Intellectual Property"),
    ("S9", "Indiscriminate Weapons"),
    ("S10", "Hate"),
    ("S11", "Self-Harm"),
    ("S12", "Sexual Content"),
    ("S13", "Elections"),
    ("S14", "Code Interpreter Abuse"),
]


def guard_prompt(turns, variant="8b", excluded=()):
    """`turns` alternate user and agent; the last one is judged. One text segment, as the library sends it."""
    judged = "User" if len(turns) % 2 == 1 else "Agent"
    listed = GUARD_CATEGORIES if variant == "8b" else GUARD_CATEGORIES[:13]
    text = (
        f"Task: Check if there is unsafe content in '{judged}' messages in conversations according our "
        "safety policy with the below categories.\n\n<BEGIN UNSAFE CONTENT CATEGORIES>\n"
    )
    text += "".join(f"{code}: {name}.\n" for code, name in listed if code not in excluded)
    text += "<END UNSAFE CONTENT CATEGORIES>\n\n<BEGIN CONVERSATION>\n\n"
    text += "".join(
        f"{'User' if i % 2 == 0 else 'Agent'}: {content}\n\n" for i, content in enumerate(turns)
    )
    text += (
        "<END CONVERSATION>\n\n"
        f"Provide your safety assessment for ONLY THE LAST {judged} message in the above conversation:\n"
        " - First line must read 'safe' or 'unsafe'.\n"
        " - If unsafe, a second line must include a comma-separated list of violated categories."
    )
    if variant == "1b":
        text += " "  # the 1B template leaves this space, and the library keeps it
    segments = [("control", "<|begin_of_text|>")]
    return segments + _message("user", text) + GENERATION_HEADER
