"""Makes chat.json: templates in the styles found with published models, each rendered by
transformers' apply_chat_template.

    pip install transformers tokenizers
    python tests/golden/chat.py
"""

import json
import pathlib

from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

HERE = pathlib.Path(__file__).parent
BOS, EOS = "<s>", "</s>"

TEMPLATES = {
    "headers": """{{- bos_token }}
{%- if not date_string is defined %}
    {%- set date_string = "1 Feb 2003" %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system = "" %}
{%- endif %}
{{- "<|head|>system<|end|>\\n\\n" }}
{%- if tools is not none %}
    {{- "Tools: " + tools|length|string }}
{%- endif %}
{{- "Date: " + date_string + "\\n\\n" + system + "<|stop|>" }}
{%- for message in messages %}
    {{- '<|head|>' + message['role'] + '<|end|>\\n\\n' + message['content'] | trim + '<|stop|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|head|>assistant<|end|>\\n\\n' }}
{%- endif %}
""",
    "brackets": """{%- if messages[0].role == "system" -%}
    {%- set system, rest = messages[0].content, messages[1:] -%}
{%- else -%}
    {%- set rest = messages -%}
{%- endif -%}
{{- bos_token -}}
{%- for m in rest -%}
    {%- if (m["role"] == "user") != (loop.index0 % 2 == 0) -%}
        {{- raise_exception("Roles must alternate: " ~ m.role) -}}
    {%- endif -%}
    {%- if m.role == "user" -%}
        {%- if loop.last and system is defined -%}
            {{- "[Q] " + system + "\\n\\n" + m.content + " [/Q]" -}}
        {%- else -%}
            {{- "[Q] " + m.content + " [/Q]" -}}
        {%- endif -%}
    {%- else -%}
        {{- " " + m.content + eos_token -}}
    {%- endif -%}
{%- endfor -%}
""",
    "markers": """{% set ns = namespace(found=false, last=-1) %}
{% for message in messages[::-1] %}
{% set index = (messages|length - 1) - loop.index0 %}
{% if message.role == "user" and not ns.found %}
{% set ns.found = true %}
{% set ns.last = index %}
{% endif %}
{% endfor %}
{% for message in messages %}
<|{{ message.role }}|>
{% if message.content is string and message.role == 'assistant' and '</think>' in message.content %}
{{ message.content.split('</think>')[-1].lstrip('\\n') }}<|x|>
{% else %}
{{ message.content.rstrip() }}<|x|>
{% endif %}
{% if loop.index0 == ns.last %}(last: {{ ns.last }}){% endif %}
{% endfor %}
{%- if add_generation_prompt %}
<|assistant|>
{%- if enable_thinking is defined and enable_thinking is false %}
<think></think>
{%- endif %}
{%- endif %}
""",
    "turns": """{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set first = messages[0]['content'] + '\\n\\n' %}\
{% set loop_messages = messages[1:] %}{% else %}{% set first = '' %}{% set loop_messages = messages %}{% endif %}\
{% for message in loop_messages %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}\
{% set role = message['role'] %}{% endif %}{{ '<turn>' + role + '\\n' + (first if loop.first else '') }}\
{% if message.content is iterable and message.content is not string %}{% for item in message.content %}{{ item.text }}{% endfor %}\
{% else %}{{ message['content'] | trim }}{% endif %}{{ '</turn>\\n' }}{% endfor %}\
{% if add_generation_prompt %}{{'<turn>model\\n'}}{% endif %}
""",
    "generation tags": """{% for message in messages %}
    {%- if message['role'] == 'assistant' %}
    {%- generation -%}
        {{ message['content'] + eos_token }}
    {%- endgeneration %}
    {%- else %}
        {{- '<' ~ message['role'] ~ '>' ~ message['content'] }}
    {%- endif %}
{% endfor %}
{% generation %}
end
{% endgeneration %}
""",
    "json": """{{ messages | tojson }}
{{ messages | tojson(indent=2) }}
{{ {'b': [1, 2.0, 1e-7, 1e22, 0.1, true, none], 'a': '<&>é\\u2028😀"\\\\', 'e': [], 'f': {}} | tojson }}
{{ {'b': [1, 2.5, [], {}], 'a': {'c': none}} | tojson(indent=4, sort_keys=true) }}
{{ 'é😀\\x7f\\t' | tojson(ensure_ascii=True) }}
{{ [1, {'a': 2}] | tojson(separators=[',', ':']) }}
""",
    "methods": """{{ 'prefix-x'.removeprefix('prefix-') }} {{ 'x.py'.removesuffix('.py') }} {{ 'x'.removeprefix('y') }}
{{ 'a=b=c'.partition('=')[2] }} {{ 'a=b=c'.rpartition('=')[0] }} {{ 'abc'.partition('=') | length }} {{ '-7'.zfill(4) }}
{{ 'a,b,,c'.split(',') | length }} {{ 'a b  c'.split() | join('|') }} {{ 'a,b,c'.split(',', 1)[1] }}
{{ ' x '.strip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'ab'.upper() }}|{{ 'AB'.lower() }}|{{ 'ab cd'.title() }}|{{ 'ab'.capitalize() }}
{{ 'abcabc'.find('c') }} {{ 'abcabc'.count('b') }} {{ 'abc'.startswith('ab') }} {{ 'abc'.endswith('bc') }} {{ 'a.b'.replace('.', '!') }}
{{ {'a': 1}.get('a') }} {{ {'a': 1}.get('b', 2) }} {{ {'a': 1, 'b': 2}.keys() | list | join(',') }}
{% for k, v in {'a': 1, 'b': none}.items() %}{{ k }}={{ v }};{% endfor %}

{{ 'a\\nb'.splitlines() | length }} {{ '%s and %02d' | format('x', 7) }} {{ none }} {{ true }} {{ 1.0 }} {{ [1, 'a', none, true] }}
""",
    "control": """{% macro say(x, loud=false) %}{% if loud %}{{ x | upper }}{% else %}{{ x }}{% endif %}{% endmacro %}
{% for message in messages %}
{% if message.role == 'system' %}{% continue %}{% endif %}
{% if loop.index > 3 %}{% break %}{% endif %}
{{ loop.index }}/{{ loop.length }} {{ say(message.content, loud=loop.first) }}{{ '' if loop.last else ',' }}
{{ loop.previtem.role if loop.previtem is defined else 'start' }} {{ loop.nextitem.role if loop.nextitem is defined else 'end' }}
{% endfor %}
{% for message in messages if message.role == 'nobody' %}x{% else %}nobody{% endfor %}

{{ messages | selectattr('role', 'equalto', 'user') | list | length }} {{ messages | map(attribute='role') | join('+') }}
{{ messages | rejectattr('role', 'equalto', 'user') | map(attribute='role') | list | first }} {{ messages[-1].role }} {{ messages[-1]['content'][:2] }}
{% set text %}
  block {{ 1 + 1 }}
{% endset %}
[{{ text }}] {{ missing }}{{ missing | default('none given') }} {{ 7 // 2 }} {{ 7 % 3 }} {{ 2 ** 3 }} {{ 'a' ~ 1 }} {{ 'x' * 3 }}
{% if 'role' in messages[0] and messages[0].tool_calls is not defined and not messages[0].get('tool_calls') %}plain{% endif %}

{{- '\\n' }}{# nothing #}{% filter upper %}filtered{% endfilter %} {{ (range(3) | list)[1:] | sum }} {{ [3, 1, 2] | sort | join }}
""",
    "refusal": """{% if messages[0].role == 'system' %}{{ raise_exception('No system role here') }}{% endif %}{{ messages[0].content }}""",
}

ONE = [{"role": "user", "content": "Why is the sky blue?"}]
LONG = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Say \"hi\" <to> me & \u00e9\u4e16😀"},
    {"role": "assistant", "content": "<think>\nhm\n</think>\n\nhi"},
    {"role": "user", "content": "Thanks.\nBye {{ bos_token }} {% x %}"},
]


def main():
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel({"x": 0}, unk_token="x")), bos_token=BOS, eos_token=EOS
    )
    cases = []
    for name, template in TEMPLATES.items():
        for messages in (ONE, LONG, LONG[1:]):
            for generate in (False, True):
                case = {"name": name, "messages": messages, "generate": generate}
                try:
                    case["text"] = tokenizer.apply_chat_template(
                        messages, chat_template=template, add_generation_prompt=generate, tokenize=False
                    )
                except Exception as error:
                    case["error"] = str(error)
                cases.append(case)
    golden = {"bos": BOS, "eos": EOS, "templates": TEMPLATES, "cases": cases}
    (HERE / "chat.json").write_text(json.dumps(golden, ensure_ascii=False, indent=1) + "\n")
    print(len(cases), "cases,", sum("error" in case for case in cases), "refused")
    print({case["error"] for case in cases if "error" in case})


if __name__ == "__main__":
    main()
