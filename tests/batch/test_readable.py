"""Executed notebooks as pages: formulas are set, code is left alone."""

import re

import nbformat

from hvr_nb.batch.readable import set_aside, write_readable

TEXT = r"""
The error is $e_i * w_{i} * v_i$ in *every* frame; a price of $5 and of $6, and `$PATH` and \$3.

$$\mathrm{PSNR} = -10\,\log_{10} \frac{1}{N}\sum_i
  (\hat I_i - I_i)^2 \ \text{dB}$$

```python
cost = "$x$"
```
"""


def page(tmp_path, *sources) -> str:
    path = tmp_path / "00_x.ipynb"
    cells = [nbformat.v4.new_markdown_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return write_readable(path).read_text(encoding="utf-8")


def test_formulas_are_set_and_prices_and_code_are_not(tmp_path):
    text = page(tmp_path, TEXT)
    inline, block = re.findall(r"<math .*?</math>", text, re.S)
    assert 'display="inline"' in inline and inline.count("<msub>") == 3 and "<em>" not in inline
    assert 'display="block"' in block and "<mfrac>" in block and block.count("<msub>") == 3
    assert "<em>every</em>" in text and "price of $5 and of $6" in text and "$PATH" in text
    assert "$x$" in re.sub("<.*?>", "", text) and "\ue000" not in text


def test_a_formula_that_cannot_be_set_stays_as_it_was_typed(tmp_path):
    assert r"$\left( x$" in page(tmp_path, r"Half: $\left( x$.")
    formulas = []
    assert set_aside("no formula", formulas) == "no formula" and not formulas


def test_a_formula_cannot_bring_a_program(tmp_path):
    formulas = []
    for bad in (r"\text{<script>alert(1)</script>}", r"x\href{javascript:alert(1)}{y}", r"\text{a < b & c}"):
        assert set_aside(f"${bad}$", formulas) == f"${bad}$" and not formulas
    assert set_aside("$a < b$", formulas) and "&lt;" in formulas[0]
