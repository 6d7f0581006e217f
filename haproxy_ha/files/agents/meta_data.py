"""An OCF resource agent's meta-data, as XML (resource agent API 1.1)."""

# The DTD that distributions ship is that of API 1.0; its tools validate with it. What 1.1 adds is declared on top.
DOCTYPE = """<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd" [
<!ATTLIST parameter unique-group CDATA #IMPLIED reloadable (1|0) "0">
<!ATTLIST action name (start|stop|monitor|validate-all|reload-agent|meta-data) #REQUIRED>
]>"""


def meta_data(description):
    """The agent's meta-data, as XML."""
    lines = [
        '<?xml version="1.0"?>',
        DOCTYPE,
        f'<resource-agent name="{description.name}" version="{description.version}">',
        "<version>1.1</version>",
        f'<longdesc lang="en">{_escaped(description.long)}</longdesc>',
        f'<shortdesc lang="en">{_escaped(description.short)}</shortdesc>',
        "<parameters>",
    ]
    for parameter in description.parameters:
        group = f' unique-group="{parameter.unique_group}"' if parameter.unique_group else ""
        default = f' default="{_escaped(parameter.default)}"' if parameter.default else ""
        lines += [
            f'<parameter name="{parameter.name}" required="{int(parameter.required)}"{group}'
            f' reloadable="{int(parameter.reloadable)}">',
            f'<longdesc lang="en">{_escaped(parameter.long)}</longdesc>',
            f'<shortdesc lang="en">{_escaped(parameter.short)}</shortdesc>',
            f'<content type="{parameter.type}"{default}/>',
            "</parameter>",
        ]
    lines += ["</parameters>", "<actions>"]
    for action in description.actions:
        interval = f' interval="{action.interval}s" depth="0"' if action.interval else ""
        lines.append(f'<action name="{action.name}" timeout="{action.timeout}s"{interval}/>')
    return "\n".join([*lines, "</actions>", "</resource-agent>", ""])


def _escaped(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
