"""Sphinx's configuration of the site of the documents, which tools/site.py builds."""

project = "haproxy_ha"
root_doc = "README"
extensions = ["myst_parser"]
myst_heading_anchors = 4
html_theme = "sphinx_rtd_theme"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_title = project
html_copy_source = False


def setup(app):
    from pygments.lexers.templates import YamlJinjaLexer

    app.add_lexer("yaml", YamlJinjaLexer)  # states are YAML made by Jinja
