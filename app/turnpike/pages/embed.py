#!/usr/bin/python3
"""Write pages as C: embed.py OUT NAME=FILE ...

Each becomes `const struct page page_NAME` of pages.h: its bytes, and a Content-Security-Policy that
lets run what stands in it and nothing else.
"""
import base64
import hashlib
import re
import sys


def source_of(text, tag):
    """'sha256-...' of each inline script or style, which is how a policy names it."""
    inline = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.S)
    assert len(inline) == text.count(f"<{tag}") == 1, f"one <{tag}> without attributes"
    digest = hashlib.sha256(inline[0].encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def policy_of(text):
    return (f"default-src 'none'; script-src {source_of(text, 'script')}; "
            f"style-src {source_of(text, 'style')}; connect-src 'self'; base-uri 'none'; "
            "form-action 'none'; frame-ancestors 'none'")


def main():
    out, *pages = sys.argv[1:]
    with open(out, "w", encoding="ascii") as c:
        c.write('#include "app/turnpike/pages/pages.h"\n')
        for page in pages:
            name, path = page.split("=")
            with open(path, "rb") as file:
                data = file.read()
            c.write(f"\nstatic const unsigned char {name}_bytes[] = {{")
            c.write(",".join(map(str, data)))
            c.write(f"}};\nconst struct page page_{name} = {{{name}_bytes, sizeof({name}_bytes),\n"
                    f'\t"{policy_of(data.decode())}"}};\n')


main()
