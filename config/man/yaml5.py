#!/usr/bin/python3
"""Make turnpike.yaml(5), as scdoc's source, of the annotated configuration, so that they are one.

    yaml5.py TURNPIKE.YAML >turnpike.yaml.5.scd

Each key of the top level is a section: the comment before it as text, then its lines as they are.
"""
import re
import sys

KEY = re.compile(r"(?:# )?([a-z][a-z-]*):(?: \S+)?$")
HEAD = """turnpike.yaml(5)

# NAME

turnpike.yaml - configuration of turnpike

# DESCRIPTION

"""
TAIL = """
# FILES

_/etc/turnpike/turnpike.yaml_
	What *turnpike*(8) reads unless told otherwise.

# SEE ALSO

*turnpike*(8), *turnpike-import-coturn*(1)
"""


def escape(text):
    return re.sub(r"([\\_*`<>\[\]#~])", r"\\\1", text)


def paragraphs(comments):
    """Comment lines as text; one that is set in stands as it is."""
    out, literal = [], False
    for line in comments:
        text = line[2:] if line != "#" else ""
        is_literal = text.startswith(" ")
        if is_literal != literal:
            out.append("```" if is_literal else "```\n")
            literal = is_literal
        out.append(text if is_literal else escape(text))
    return out + (["```"] if literal else [])


def sections(lines):
    """The lines before the first key, then (key, its comment, its lines)."""
    starts = [i for i, line in enumerate(lines) if KEY.match(line)]
    begins = []
    for start in starts:
        begin = start
        while begin > 0 and lines[begin - 1].startswith("#"):
            begin -= 1
        begins.append(begin)
    intro = lines[:begins[0]]
    found = []
    for i, start in enumerate(starts):
        end = begins[i + 1] if i + 1 < len(starts) else len(lines)
        found.append((KEY.match(lines[start])[1], lines[begins[i]:start], lines[start:end]))
    return intro, found


def main(path):
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    intro, found = sections(lines)
    print(HEAD + "\n".join(paragraphs([line or "#" for line in intro])))
    print("# KEYS")
    for key, comment, body in found:
        while body and not body[-1]:
            body.pop()
        print("\n".join(["", f"## {key}", "", *paragraphs(comment), "", "```", *body, "```"]))
    print(TAIL, end="")


if __name__ == "__main__":
    main(sys.argv[1])
