"""How pages become LaTeX, as far as that can be seen without TeX; the rest is in tests/book/pdf."""

import pytest

from flopsbook import figures, palette
from flopsbook.build import pdf


def test_without_tex_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(pdf, "_is_there", lambda sign: sign != "xelatex")
    assert pdf.main() == 1
    said = capsys.readouterr().out
    assert "    apt-get install --no-install-recommends texlive-xetex\n" in said


def test_every_program_and_font_is_looked_for(monkeypatch):
    monkeypatch.setattr(pdf.shutil, "which", lambda program: None)
    assert pdf.missing() == list(pdf.PACKAGES)


def test_colours_are_spelt_for_latex():
    assert pdf.for_latex(r"\textcolor{#a8430b}{n - 1}") == r"\textcolor[HTML]{A8430B}{n - 1}"
    assert pdf.for_latex(r"\text{乘法 }n") == r"\text{\zh{乘法} }n"


def test_a_figure_takes_the_colours_of_a_light_page(tmp_path, monkeypatch):
    drawn = []

    def convert(command, *, input, **options):
        drawn.append(input)

    monkeypatch.setattr(pdf.subprocess, "run", convert)
    picture = figures.linear_grid(in_features=3, out_features=2)
    node = pdf.figure(picture.svg, tmp_path)
    assert "var(" not in drawn[0]
    assert palette.MULTIPLICATION[0] in drawn[0]
    assert "system-ui" not in drawn[0]
    image, caption = node
    assert caption.astext() == picture.caption
    assert image["alt"] == picture.alt
    assert float(image["width"].removesuffix("pt")) <= pdf.TEXT_WIDTH


TABLE = """<div><script>1</script><table><thead><tr><th>layer</th><th>MACs</th></tr></thead>
<tr><td>a <b>linear</b> layer</td><td class="number">2 000</td></tr></table><p>Input: <code>1</code>.</p></div>"""


def test_html_becomes_a_table_and_paragraphs():
    table, note = pdf.from_html(TABLE)
    assert [entry.astext() for entry in table.findall(pdf_nodes().entry)] == [
        "layer",
        "MACs",
        "a linear layer",
        "2\N{NO-BREAK SPACE}000",
    ]
    assert len(list(table.findall(pdf_nodes().thead))) == 1
    assert note.astext() == "Input: 1."
    assert pdf.columns(table) == "lr"


def test_a_cell_of_two_lines_gets_a_column_that_can_break():
    cell = "<td class='number'>2,000<br><span>147 × 802,816</span></td>"
    (table,) = pdf.from_html(f"<table><tr><td>conv1</td>{cell}</tr></table>")
    first, second = (float(part.partition("pt")[0]) for part in pdf.columns(table).split("p{")[1:])
    assert first == round(5 * pdf.DIGIT)
    assert second == pytest.approx(13 * pdf.DIGIT, abs=3)  # the longer of its two lines


def test_a_verdict_begins_its_text():
    html = "<div class='admonition'><p class='admonition-title'>Right</p><p>Half of it.</p></div>"
    (text,) = pdf.from_html(html)
    assert text.astext() == "Right. Half of it."
    assert text[0].tagname == "strong"


def test_rows_of_a_derivation_do_not_touch():
    rows = "\\begin{array}{l}\na & 1 \\\\\n\\frac{a}{b} \\\\\n\\frac{c}{d} \\\\[6pt]\n\\end{array}"
    spelt = pdf.for_latex(rows).splitlines()
    assert spelt[1:4] == [r"a & 1 \\[3pt]", r"\frac{a}{b} \\[8pt]", r"\frac{c}{d} \\[11pt]"]


def pdf_nodes():
    from docutils import nodes

    return nodes


@pytest.mark.parametrize("words", [40, 400])
def test_a_wide_table_shares_the_page(words):
    cells = "".join(f"<td>{'word ' * words}</td>" for _ in range(3))
    (table,) = pdf.from_html(f"<table><tr>{cells}<td class='number'>1,234,567</td></tr></table>")
    widths = [float(part.partition("pt")[0]) for part in pdf.columns(table).split("p{")[1:]]
    assert len(widths) == 4
    assert sum(widths) + 4 * pdf.GAP <= pdf.TEXT_WIDTH + 4
    assert widths[3] >= len("1,234,567") * pdf.DIGIT - 1


def test_solutions_move_behind_the_exercises():
    nodes = pdf_nodes()
    from docutils.utils import new_document
    from sphinx.addnodes import start_of_file
    from sphinx_exercise.nodes import solution_node

    section = nodes.section("", nodes.title("", "A layer"))
    section += nodes.section(
        "", nodes.title("", "Exercises"), solution_node("", nodes.Text("Two."))
    )
    section[1] += nodes.paragraph("", "Next question")
    document = new_document("book")
    document += start_of_file("", section, docname="chapters/layer")
    pdf.gather_solutions(document)
    assert [part[0].astext() for part in section[1:]] == ["Exercises", "Solutions"]
    assert section[2][1].astext() == "Two."
    assert "Two." not in section[1].astext()


def test_the_contents_become_parts():
    nodes = pdf_nodes()
    from docutils.utils import new_document

    book = nodes.section("", nodes.title("", "Counting"), nodes.paragraph("", "Why?"))
    book += nodes.section("", nodes.title("", "How to read"))
    book += [nodes.compound("", classes=["toctree-wrapper"]) for _ in range(2)]
    document = new_document("book")
    document += book
    pdf.arrange(document, ["The idea", "Layers"])
    assert book[1].astext().startswith("About this book\n\nWhy?\n\nHow to read")
    assert [node.astext() for node in book.children[2::2]] == [r"\part{The idea}", r"\part{Layers}"]
